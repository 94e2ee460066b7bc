import { ArgumentError } from "../base/errors.js";
import { show } from "../base/arguments.js";
import { StatusWord, type Mapping, type MappingId } from "../native/contract.js";
import { PendingCalls } from "./calls.js";

/** What is known of a buffer that a system call mapped. */
export interface RawMemory {
  readonly id: MappingId;
  readonly status: Int32Array;
  /** Calls that wait for something in it. */
  readonly pending: PendingCalls;
  isMapped: boolean;
  /** Whether something else is closed to unmap it. */
  isOwned: boolean;
}

/** A part of mapped memory: a buffer, or a view of one. */
export interface MemoryRange {
  readonly memory: RawMemory;
  readonly offset: number;
  readonly length: number;
}

interface Closing {
  readonly id: MappingId;
  readonly close: (id: MappingId) => void;
}

const known = new WeakMap<ArrayBufferLike, RawMemory>();

/** Unmaps what nobody can use any more. */
const forgotten = new FinalizationRegistry<Closing>(({ id, close }) => close(id));

/** The buffer of a new mapping, and how that is closed when nobody has the buffer any more. */
export function rememberMapping(mapping: Mapping, close: (id: MappingId) => void): ArrayBuffer {
  const { id, status } = mapping;
  forgotten.register(mapping.buffer, { id, close });
  const pending = new PendingCalls(mapping.buffer);
  known.set(mapping.buffer, { id, status: new Int32Array(status), pending, isMapped: true, isOwned: false });
  return mapping.buffer as ArrayBuffer;
}

/** What a user gave as mapped memory. @throws ERR_INVALID_ARGUMENT when it is none, or was unmapped */
export function rangeOf(given: ArrayBufferLike | ArrayBufferView, syscall: string): MemoryRange {
  const isView = ArrayBuffer.isView(given);
  const memory = known.get(isView ? given.buffer : given);
  if (memory?.isMapped !== true) {
    const what = memory === undefined ? "memory that was mapped by this package" : "memory that is still mapped";
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${syscall} needs ${what}, not ${show(given)}`);
  }
  return { memory, offset: isView ? given.byteOffset : 0, length: given.byteLength };
}

/** All of a mapping, for what unmaps it when it is closed: the user cannot do it before. */
export function owned(buffer: ArrayBufferLike): MemoryRange {
  const range = rangeOf(buffer, "mmap");
  range.memory.isOwned = true;
  return range;
}

/** Ends the use of a mapping, once what waits for something in it has ended. */
export function closeMapping({ memory }: MemoryRange, close: () => void): void {
  memory.isMapped = false;
  memory.pending.end(close);
}

/** Whether the file was cut off under a mapping, which then reads zeroes. */
export const isLost = ({ memory }: MemoryRange): boolean => memory.status[StatusWord.lost] !== 0;
