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
  if (!(bytes instanceof Uint8Array) || !ArrayBuffer.isView(bytes)) refuse(bytes, name);
}

function refuse(bytes: unknown, name: string): never {
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `${name} must be a Uint8Array, not ${show(bytes)}`);
}

/** Arrays up to here are copied by index, with which nothing can interfere. */
const BY_INDEX_BYTES = 128;
let last: Uint8Array = new Uint8Array(0);
let lastLength = 0;

/** Whether it is the small array that was found plain last: senders use one again and again. */
export const isKnownPlain = (bytes: Uint8Array): boolean => bytes === last && bytes.length === lastLength;

/**
 * Bytes that can be copied without running anybody's code, and of which no more can come: subclasses may have methods of
 * their own, and buffers may grow meanwhile.
 */
export function plainBytes(bytes: Uint8Array, length: number): Uint8Array {
  const prototype: unknown = Object.getPrototypeOf(bytes);
  const { buffer } = bytes as { buffer: { growable?: boolean; resizable?: boolean } };
  if (
    (prototype !== Uint8Array.prototype && prototype !== Buffer.prototype) ||
    buffer.growable === true ||
    Object.hasOwn(bytes, "length")
  )
    return Uint8Array.prototype.slice.call(new Uint8Array(bytes.buffer, bytes.byteOffset, length));
  if (length <= BY_INDEX_BYTES && buffer.resizable !== true) {
    last = bytes;
    lastLength = length;
  }
  return bytes;
}
