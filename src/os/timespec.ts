import { constants } from "node:os";
import { knownOptions } from "../base/arguments.js";
import type { SignalOption, WaitOptions } from "../base/deadline.js";
import { fieldsOf } from "./fields.js";
import { SystemCallError } from "./system-call-error.js";

/** A time as C has it. */
export interface Timespec {
  /** Seconds; those of a moment since the beginning of 1970. */
  readonly tv_sec: number;
  /** Nanoseconds of the next second, 0 to 999,999,999. */
  readonly tv_nsec: number;
}

const refusal = (syscall: string): SystemCallError => new SystemCallError(-constants.errno.EINVAL, syscall);

function millisecondsOf(time: Timespec, syscall: string): number {
  const { tv_sec, tv_nsec } = fieldsOf(time, syscall, "the time");
  const isTime = Number.isSafeInteger(tv_sec) && Number.isSafeInteger(tv_nsec) && tv_nsec >= 0 && tv_nsec < 1e9;
  if (!isTime) throw refusal(syscall);
  return tv_sec * 1000 + tv_nsec / 1e6;
}

const withSignal = (timeoutMs: number, options: SignalOption | undefined, syscall: string): WaitOptions => ({
  ...knownOptions(options, ["signal"], syscall),
  timeoutMs,
});

/**
 * A wait to a moment of CLOCK_REALTIME, which is converted once: setting the clock does not change it any more. One before 1970
 * has passed like any other. @throws SystemCallError EINVAL
 */
export const until = (moment: Timespec, options: SignalOption | undefined, syscall: string): WaitOptions =>
  withSignal(Math.max(millisecondsOf(moment, syscall) - Date.now(), 0), options, syscall);

/** The same for system calls that refuse a moment before 1970. @throws SystemCallError EINVAL */
export function untilSince1970(moment: Timespec, options: SignalOption | undefined, syscall: string): WaitOptions {
  if (fieldsOf(moment, syscall, "the time").tv_sec < 0) throw refusal(syscall);
  return until(moment, options, syscall);
}

/** A wait of so long. @throws SystemCallError EINVAL if it is negative */
export function within(time: Timespec, options: SignalOption | undefined, syscall: string): WaitOptions {
  if (fieldsOf(time, syscall, "the time").tv_sec < 0) throw refusal(syscall);
  return withSignal(millisecondsOf(time, syscall), options, syscall);
}
