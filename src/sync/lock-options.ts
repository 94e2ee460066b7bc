import { flag } from "../base/arguments.js";
import { WAIT_OPTIONS, type WaitOptions } from "../base/deadline.js";

/** Options of locking. */
export interface LockOptions extends WaitOptions {
  /**
   * Whether the wait ends with ERR_DEADLOCK when members wait for each other's locks in a circle. Looking costs nothing
   * before a wait has lasted for 50 ms, and then some microseconds now and then, at most twenty times a second. Default
   * true, unless a mutex was made with `detectDeadlock: false`.
   */
  detectDeadlock?: boolean;
}

/** @internal */
export const LOCK_OPTIONS: readonly string[] = [...WAIT_OPTIONS, "detectDeadlock"];

/** @internal Whether a wait with these options looks for deadlocks. */
export const looks = ({ detectDeadlock }: LockOptions = {}): boolean =>
  detectDeadlock === undefined || flag(detectDeadlock, "detectDeadlock");
