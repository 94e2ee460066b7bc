import { C1, clearSource, Packr, Unpackr } from "#msgpackr";
import { ShmkitError } from "../base/errors.js";
import { show } from "../base/arguments.js";

/** Encode one after another into one buffer, without a view of each message; pack's second argument. */
const IN_PLACE = 512;

const options = {
  useRecords: false,
  moreTypes: true,
  useBigIntExtension: true,
  int64AsType: "bigint",
  mapsAsObjects: true,
  variableMapSize: true,
  // What is decoded must not refer to the buffer it came in.
  copyBuffers: true,
} as const;

class StrictPackr extends Packr {
  /** Whether the value has a Map in it: asked for at every Map. */
  hasMap = false;
  get mapAsEmptyObject(): boolean {
    this.hasMap = true;
    return false;
  }
  /** msgpackr would send a function as undefined; losing it silently is worse than refusing. */
  writeFunction(value: unknown): never {
    throw new TypeError(`${show(value)} cannot be sent`);
  }
}

/** A buffer with an encoded value, as msgpackr leaves it. */
export interface Encoded extends Uint8Array {
  readonly start: number;
  readonly end: number;
}

const packr = new StrictPackr(options);
const unpackr = new Unpackr(options);

/**
 * MessagePack (msgpack.org specification, with the extensions of msgpackr for bigint of any size, Set and typed arrays).
 * A Map arrives as a plain object, -0 as 0, and undefined inside objects as undefined.
 * The answer's `start` and `end` hold until the next call, its bytes for good.
 * @throws ERR_NOT_ENCODABLE
 */
export function encode(value: unknown): Encoded {
  if (value === undefined || typeof value === "function" || typeof value === "symbol")
    throw new ShmkitError("ERR_NOT_ENCODABLE", `${show(value)} cannot be sent; send null, or a plain value`);
  if (value instanceof Promise)
    throw new ShmkitError("ERR_NOT_ENCODABLE", "a Promise cannot be sent; await it, and send what it resolves to");
  try {
    packr.hasMap = false;
    const encoded = packr.pack(value, IN_PLACE) as unknown as Encoded;
    // The keys of a Map can be what no plain object can have, and nobody could decode.
    if (packr.hasMap) decode(encoded.slice(encoded.start, encoded.end), encoded.end - encoded.start);
    return encoded;
  } catch (error) {
    const reason =
      error instanceof RangeError
        ? "it refers to itself, or is nested too deep"
        : error instanceof ShmkitError
          ? "a Map arrives as a plain object, which cannot have such keys; send its entries as an array"
          : (error as Error).message;
    throw new ShmkitError("ERR_NOT_ENCODABLE", `the value cannot be encoded: ${reason}`, { cause: error });
  }
}

/** Decodes the first `length` of private bytes. @throws ERR_BAD_MESSAGE, with the bytes */
export function decode(bytes: Uint8Array, length: number): unknown {
  // A vm timeout may have cut off an earlier call: the decoder would go on in the middle of its message.
  clearSource();
  try {
    const value: unknown = unpackr.unpack(bytes, length);
    // The byte 0xc1 is never used in MessagePack; the decoder has an object of its own for it.
    if (value === C1) throw new Error("it begins with the byte 0xc1");
    return value;
  } catch (error) {
    throw new ShmkitError(
      "ERR_BAD_MESSAGE",
      `a message of ${length} bytes is no valid MessagePack: ${(error as Error).message}`,
      {
        bytes: bytes.slice(0, length),
        cause: error,
      },
    );
  }
}
