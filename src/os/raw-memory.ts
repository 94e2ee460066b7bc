import { constants } from "node:os";
import { native } from "../native/addon.js";
import type { Mapping, MappingId } from "../native/contract.js";
import { closeMapping, rememberMapping, type MemoryRange } from "./memory-ranges.js";
import { SystemCallError } from "./system-call-error.js";

export { isLost, owned, rangeOf, type MemoryRange, type RawMemory } from "./memory-ranges.js";

const close = (id: MappingId): void => void native.closeMapping(id);

/** The buffer of a new mapping. */
export const remember = (mapping: Mapping): ArrayBuffer => rememberMapping(mapping, close);

/**
 * Unmaps: views stay valid and read zeroes, and writing to them reaches nobody. What waits for something in it ends first: a
 * thread that sleeps on a page which is not there any more would take others' wake-ups.
 * @throws SystemCallError EBUSY while a thread of this process has a mutex in it
 */
export function unmap(range: MemoryRange, syscall: string): void {
  const { id } = range.memory;
  if (native.isLocked(id) === 1) throw new SystemCallError(-constants.errno.EBUSY, syscall);
  closeMapping(range, () => close(id));
}

/** The same, as the user does it. @throws SystemCallError EBUSY; EINVAL for what something else is closed to unmap */
export function unmapUsers(range: MemoryRange, syscall: string): void {
  if (range.memory.isOwned) throw new SystemCallError(-constants.errno.EINVAL, syscall);
  unmap(range, syscall);
}
