import { ArgumentError } from "../base/errors.js";
import { show } from "../base/arguments.js";

const typedArray: unknown = Object.getPrototypeOf(Uint8Array.prototype);
// As the engine knows it: subclasses and own properties may say otherwise.
// eslint-disable-next-line @typescript-eslint/unbound-method -- called with the array as `this`
const lengthGetter = Object.getOwnPropertyDescriptor(typedArray, "length")!.get!;

/** How many bytes an array has, whatever it says. */
export const lengthOf = (bytes: Uint8Array): number => lengthGetter.call(bytes) as number;

/** @throws ERR_INVALID_ARGUMENT */
export function checkBytes(bytes: unknown, name: string): void {
  if (!(bytes instanceof Uint8Array) || !ArrayBuffer.isView(bytes))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${name} must be a Uint8Array, not ${show(bytes)}`);
}

let last: Uint8Array | undefined;
/** Arrays up to here are copied by index, with which nothing can interfere. */
const BY_INDEX_BYTES = 128;

/**
 * Bytes that can be copied without running anybody's code, and of which no more can come: subclasses may have methods of
 * their own, and buffers may grow meanwhile. An array that was found plain is remembered, since senders use one again and again.
 */
export function plainBytes(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes === last && length <= BY_INDEX_BYTES) return bytes;
  const prototype: unknown = Object.getPrototypeOf(bytes);
  const { buffer } = bytes as { buffer: { growable?: boolean } };
  if (
    (prototype !== Uint8Array.prototype && prototype !== Buffer.prototype) ||
    buffer.growable === true ||
    Object.hasOwn(bytes, "length")
  )
    return Uint8Array.prototype.slice.call(new Uint8Array(bytes.buffer, bytes.byteOffset, length));
  last = bytes;
  return bytes;
}
