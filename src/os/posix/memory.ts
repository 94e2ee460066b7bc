import { native } from "../../native/addon.js";
import type { PendingCall } from "../../native/contract.js";
import { isLost, rangeOf, remember, unmapUsers } from "../raw-memory.js";
import { answerOf, SystemCallError } from "../system-call-error.js";
import { MS_SYNC } from "./constants.js";

/** Memory that {@link mmap} answered, or a view of a part of it, which has to begin with a page where the system says so. */
export type Mapped = ArrayBufferLike | ArrayBufferView;

/**
 * Maps memory and answers it: mmap(2), at an address of the system's choice.
 *
 * Nothing that is done with the buffer can end the process: without PROT_WRITE the pages are copies of this process from the
 * moment it writes to them, and the writes reach nobody; if the file becomes shorter than what is mapped, the mapping is
 * lost and reads zeroes ({@link mapping_is_lost}). What nobody refers to any more is unmapped.
 * @param length bytes. Node 20 and Bun allow up to 4 GiB
 * @param prot PROT_READ, PROT_WRITE, PROT_EXEC together
 * @param flags MAP_SHARED or MAP_PRIVATE, with MAP_ANONYMOUS, MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED
 * @param fd what is mapped; -1 for MAP_ANONYMOUS. May be closed afterwards
 * @param offset in the file, of a page (4096 bytes on most machines)
 * @throws SystemCallError EINVAL, EBADF, EACCES, ENOMEM, ENODEV, EPERM; ENOTSUP without PROT_READ and PROT_WRITE (nothing
 * could protect the process from its own accesses), or when the runtime allows no buffer of that length
 */
export function mmap(length: number, prot: number, flags: number, fd: number, offset = 0): ArrayBuffer {
  const mapping = native.mmap(length, prot, flags, fd, offset);
  if (typeof mapping === "number") throw new SystemCallError(mapping, "mmap");
  return remember(mapping);
}

/**
 * Unmaps all of a mapping: munmap(2). Views of it stay valid and read zeroes; writing to them reaches nobody. Waits for
 * semaphores in it end with EINVAL.
 * @throws SystemCallError EBUSY while a thread of this process has a mutex in it; EINVAL for the memory of a `MappedView` or a
 * `SharedMemory`, which is unmapped when that is closed
 */
export function munmap(memory: Mapped): void {
  unmapUsers(rangeOf(memory, "munmap"), "munmap");
}

/** Whether a mapping was lost, since its file became shorter: it reads zeroes then. No call of C's. */
export const mapping_is_lost = (memory: Mapped): boolean => isLost(rangeOf(memory, "mapping_is_lost"));

/**
 * Writes what was changed back to the file, off the event loop: msync(2).
 * @param flags MS_SYNC (default: waits until it is done) or MS_ASYNC, with MS_INVALIDATE
 * @throws SystemCallError EINVAL, ENOMEM, EIO (also when the mapping is lost)
 */
export async function msync(memory: Mapped, flags = MS_SYNC): Promise<void> {
  const { memory: raw, offset, length } = rangeOf(memory, "msync");
  const started: PendingCall | number = native.msync_async(raw.id, offset, length, flags);
  answerOf(typeof started === "number" ? started : await started.promise, "msync");
  // Unmapped meanwhile, it may not have been written back.
  rangeOf(memory, "msync");
}

/** The same, on the calling thread. */
export function msyncSync(memory: Mapped, flags = MS_SYNC): void {
  const { memory: raw, offset, length } = rangeOf(memory, "msync");
  answerOf(native.msync(raw.id, offset, length, flags), "msync");
}

/**
 * Changes what may be done with a shared mapping: mprotect(2). Without PROT_WRITE, pages become copies of this process from
 * the moment it writes to them; a segment of System V becomes one as a whole, and stays it ({@link mapping_is_lost}). A private
 * mapping stays as it is: nobody else sees what is written to it anyway.
 * @throws SystemCallError EACCES when the file is not open for writing, EINVAL, ENOTSUP without PROT_READ and PROT_WRITE, EBUSY
 * while a thread of this process has a mutex in the mapping locked
 */
export function mprotect(memory: Mapped, prot: number): void {
  const { memory: raw, offset, length } = rangeOf(memory, "mprotect");
  answerOf(native.mprotect(raw.id, offset, length, prot), "mprotect");
}

/** Keeps pages in memory: mlock(2). @throws SystemCallError ENOMEM or EPERM above `ulimit -l` */
export function mlock(memory: Mapped): void {
  const { memory: raw, offset, length } = rangeOf(memory, "mlock");
  answerOf(native.mlock(raw.id, offset, length), "mlock");
}

/** Undoes {@link mlock}: munlock(2). */
export function munlock(memory: Mapped): void {
  const { memory: raw, offset, length } = rangeOf(memory, "munlock");
  answerOf(native.munlock(raw.id, offset, length), "munlock");
}

/**
 * Tells the system how memory will be used: madvise(2).
 * @param advice one of MADV_NORMAL, MADV_WILLNEED, … as exported here
 * @throws SystemCallError EINVAL, also for advice after which an access could end the process
 */
export function madvise(memory: Mapped, advice: number): void {
  const { memory: raw, offset, length } = rangeOf(memory, "madvise");
  answerOf(native.madvise(raw.id, offset, length, advice), "madvise");
}
