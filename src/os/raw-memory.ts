import { constants } from "node:os";
import { ArgumentError } from "../base/errors.js";
import { show } from "../base/arguments.js";
import { native } from "../native/addon.js";
import { StatusWord, type Mapping, type MappingId } from "../native/contract.js";
import { PendingCalls } from "./blocking-call.js";
import { SystemCallError } from "./system-call-error.js";

/** What is known of a buffer that a system call mapped. */
export interface RawMemory {
  readonly id: MappingId;
  readonly status: Int32Array;
  /** Calls that wait for something in it. */
  readonly pending: PendingCalls;
  isMapped: boolean;
}

/** A part of mapped memory: a buffer, or a view of one. */
export interface MemoryRange {
  readonly memory: RawMemory;
  readonly offset: number;
  readonly length: number;
}

const known = new WeakMap<ArrayBufferLike, RawMemory>();

/** Unmaps what nobody can use any more. */
const forgotten = new FinalizationRegistry<MappingId>((id) => void native.closeMapping(id));

/** The buffer of a new mapping. */
export function remember(mapping: Mapping): ArrayBuffer {
  const { id, status } = mapping;
  forgotten.register(mapping.buffer, id);
  const pending = new PendingCalls(mapping.buffer);
  known.set(mapping.buffer, { id, status: new Int32Array(status), pending, isMapped: true });
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

/**
 * Unmaps: views stay valid and read zeroes, and writing to them reaches nobody. What waits for something in it ends first: a
 * thread that sleeps on a page which is not there any more would take others' wake-ups.
 * @throws SystemCallError EBUSY while a thread of this process has a mutex in it
 */
export function unmap({ memory }: MemoryRange, syscall: string): void {
  if (native.isLocked(memory.id) === 1) throw new SystemCallError(-constants.errno.EBUSY, syscall);
  memory.isMapped = false;
  memory.pending.end(() => void native.closeMapping(memory.id));
}

/** Whether the file was cut off under a mapping, which then reads zeroes. */
export const isLost = ({ memory }: MemoryRange): boolean => memory.status[StatusWord.lost] !== 0;
