import { ArgumentError, ShmkitError } from "../base/errors.js";
import { show } from "../base/arguments.js";
import { RecordKind } from "../layout/pipe.js";
import type { LeasedBytes } from "./receiver.js";

/** Makes bytes of a pipe's messages, and messages of its bytes: a {@link Struct}, or whatever has these two methods. */
export interface MessageCodec<T = unknown> {
  /** The bytes of a message, in an array that is not changed any more. What this throws is the cause of ERR_NOT_ENCODABLE. */
  encode(message: T): Uint8Array;
  /** The message that the bytes are; the array is its own. What this throws is the cause of ERR_BAD_MESSAGE. */
  decode(bytes: Uint8Array): T;
}

/** @throws ERR_INVALID_ARGUMENT */
export function checkCodec(codec: unknown): void {
  const { encode, decode } = (codec ?? {}) as Partial<MessageCodec>;
  if (codec !== undefined && (typeof encode !== "function" || typeof decode !== "function"))
    throw new ArgumentError(
      "ERR_INVALID_ARGUMENT",
      `codec must have the methods encode and decode, as a struct has, not ${show(codec)}`,
    );
}

/** A message that was taken and is not decoded yet: a codec is the user's code, which must not run amid an attempt. */
export class Undecoded {
  constructor(
    readonly bytes: Uint8Array,
    readonly kind: number,
    readonly lease: LeasedBytes | undefined,
  ) {}
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : show(error));

/** @throws ERR_NOT_ENCODABLE */
export function encodeWith<T>(codec: MessageCodec<T>, message: T, path: string): Uint8Array {
  let bytes: unknown;
  try {
    bytes = codec.encode(message);
  } catch (error) {
    throw new ShmkitError("ERR_NOT_ENCODABLE", `the codec of ${path} cannot encode the value: ${reasonOf(error)}`, {
      path,
      cause: error,
    });
  }
  if (bytes instanceof Uint8Array && ArrayBuffer.isView(bytes)) return bytes;
  throw new ShmkitError("ERR_NOT_ENCODABLE", `the codec of ${path} answered ${show(bytes)}, not a Uint8Array`, {
    path,
  });
}

/** @throws ERR_BAD_MESSAGE, with the bytes */
export function decodeWith<T>(codec: MessageCodec<T>, { bytes, kind }: Undecoded, path: string): T {
  const refuse = (why: string, cause?: unknown): never => {
    throw new ShmkitError("ERR_BAD_MESSAGE", `a message of ${bytes.length} bytes from ${path} ${why}`, {
      path,
      bytes,
      ...(cause === undefined ? {} : { cause }),
    });
  };
  if (kind !== RecordKind.bytes) return refuse("was sent as a value, without the codec");
  let message: T;
  try {
    message = codec.decode(bytes);
  } catch (error) {
    return refuse(`cannot be decoded by the codec: ${reasonOf(error)}`, error);
  }
  // It would say that there is no message.
  return message === undefined ? refuse("is undefined to the codec, which no message can be") : message;
}
