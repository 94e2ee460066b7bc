import { checkResult, ERRNO } from "../base/system-errors.js";
import { LOCK_BASE, MEMBER_LIMIT } from "../layout/region-header.js";
import { native } from "../native/addon.js";

/** The attach byte serialises attaching and leaving. True when taken. */
export function tryLockAttach(descriptor: number, path: string): boolean {
  const result = native.lock(descriptor, LOCK_BASE);
  if (result === -ERRNO.again) return false;
  checkResult(result, "fcntl(F_OFD_SETLK)", path);
  return true;
}

export function unlockAttach(descriptor: number): void {
  native.unlock(descriptor, LOCK_BASE);
}

/** Whether any member is alive, as far as another description than the caller's own can tell. */
export function anybodyAlive(descriptor: number): boolean {
  return checkResult(native.probe(descriptor, LOCK_BASE + 1, MEMBER_LIMIT), "fcntl(F_OFD_GETLK)") === 1;
}
