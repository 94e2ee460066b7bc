import { C1, clearSource, Packr, Unpackr } from "msgpackr/pack";
import { ShmkitError } from "../base/errors.js";
import { show } from "../base/arguments.js";

const options = {
  useRecords: false,
  moreTypes: true,
  useBigIntExtension: true,
  int64AsType: "bigint",
  mapsAsObjects: true,
  variableMapSize: true,
} as const;

class StrictPackr extends Packr {
  /** msgpackr would send a function as undefined; losing it silently is worse than refusing. */
  writeFunction(value: unknown): never {
    throw new TypeError(`${show(value)} cannot be sent`);
  }
}

const packr = new StrictPackr(options);
const unpackr = new Unpackr(options);

/**
 * MessagePack (msgpack.org specification, with the extensions of msgpackr for bigint of any size, Set and typed arrays).
 * A Map arrives as a plain object, -0 as 0, and undefined inside objects as undefined.
 * @throws ERR_NOT_ENCODABLE
 */
export function encode(value: unknown): Uint8Array {
  if (value === undefined || typeof value === "function" || typeof value === "symbol")
    throw new ShmkitError("ERR_NOT_ENCODABLE", `${show(value)} cannot be sent; send null, or a plain value`);
  try {
    return packr.pack(value);
  } catch (error) {
    const reason =
      error instanceof RangeError ? "it refers to itself, or is nested too deep" : (error as Error).message;
    throw new ShmkitError("ERR_NOT_ENCODABLE", `the value cannot be encoded: ${reason}`, { cause: error });
  }
}

/** Decodes private bytes. @throws ERR_BAD_MESSAGE, with the bytes */
export function decode(bytes: Uint8Array): unknown {
  // A vm timeout may have cut off an earlier call: the decoder would go on in the middle of its message.
  clearSource();
  try {
    const value: unknown = unpackr.unpack(bytes);
    // The byte 0xc1 is never used in MessagePack; the decoder has an object of its own for it.
    if (value === C1) throw new Error("it begins with the byte 0xc1");
    return value;
  } catch (error) {
    throw new ShmkitError(
      "ERR_BAD_MESSAGE",
      `a message of ${bytes.length} bytes is no valid MessagePack: ${(error as Error).message}`,
      {
        bytes,
        cause: error,
      },
    );
  }
}
