import { types } from "node:util";
import { ArgumentError, ArgumentRangeError } from "../../base/errors.js";
import { show, wholeNumber } from "../../base/arguments.js";

/** Memory that structs can lie in: of a process, a region, a mapping or a message. */
export type MemoryLike = ArrayBufferLike | ArrayBufferView;

/** Node 20 has no property that says so. */
function isDetached(buffer: ArrayBuffer): boolean {
  try {
    return buffer.byteLength === 0 && new DataView(buffer).byteLength !== 0;
  } catch {
    return true;
  }
}

/** All of some memory. @throws ERR_INVALID_ARGUMENT */
export function viewOf(memory: unknown): DataView {
  const buffer: unknown = ArrayBuffer.isView(memory) ? memory.buffer : memory;
  if (types.isArrayBuffer(buffer) && isDetached(buffer))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", "memory must not be detached: it was transferred elsewhere");
  if (ArrayBuffer.isView(memory)) return new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  if (types.isAnyArrayBuffer(memory)) return new DataView(memory);
  throw new ArgumentError(
    "ERR_INVALID_ARGUMENT",
    `memory must be an ArrayBuffer, a SharedArrayBuffer or a view of one, not ${show(memory)}`,
    { actual: memory },
  );
}

/** A place with room for so many bytes. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
export function offsetIn(view: DataView, offset: unknown, sizeBytes: number): number {
  const room = view.byteLength - sizeBytes;
  if (room < 0)
    throw new ArgumentRangeError(
      "ERR_OUT_OF_RANGE",
      `memory must have at least ${sizeBytes} bytes, not ${view.byteLength}`,
      {
        expected: sizeBytes,
        actual: view.byteLength,
      },
    );
  return wholeNumber(offset, `offset of ${sizeBytes} bytes in ${view.byteLength}`, 0, room);
}
