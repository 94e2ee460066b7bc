import { ArgumentError, ArgumentRangeError, ShmkitError } from "./errors.js";
import { knownOptions, show } from "./arguments.js";

/** How long an operation may wait. */
export interface WaitOptions {
  /** Milliseconds until `ERR_TIMEOUT`, counted once from the call; 0 tries without waiting. Default: no limit. */
  timeoutMs?: number;
  /** Ends an asynchronous wait with the signal's reason. Sync forms look at it on entry only. Default: none. */
  signal?: AbortSignal;
}

/** What ends a wait beside its time. */
export type SignalOption = Pick<WaitOptions, "signal">;

/** Names of the options that every waiting call takes. */
export const WAIT_OPTIONS = ["timeoutMs", "signal"] as const;

/** Passes on options that may only say how long to wait. @throws ERR_UNKNOWN_OPTION, ERR_INVALID_ARGUMENT */
export function onlyWaitOptions(options: WaitOptions | undefined, where: string): WaitOptions | undefined {
  if (options !== undefined) knownOptions(options, WAIT_OPTIONS, where);
  return options;
}

/**
 * The clock, taken when the library loads: Node loads the global one when it is first used, and a vm timeout then can leave
 * none. Its module would bring twice as much along.
 */
const { performance } = globalThis;

/** Monotonic milliseconds. */
export const now = (): number => performance.now();

/** A point in monotonic time; `Infinity` for none. */
export function deadlineOf(timeoutMs: unknown, name = "timeoutMs"): number {
  if (timeoutMs === undefined) return Number.POSITIVE_INFINITY;
  if (typeof timeoutMs !== "number")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${name} must be a number, not ${show(timeoutMs)}`);
  if (Number.isNaN(timeoutMs) || timeoutMs < 0)
    throw new ArgumentRangeError("ERR_OUT_OF_RANGE", `${name} must be 0 or more milliseconds, not ${timeoutMs}`, {
      actual: timeoutMs,
    });
  return now() + timeoutMs;
}

/** For several waits with the time of one: says how long to wait still, each time that it is called. */
export function remainingOf({ timeoutMs, signal }: WaitOptions = {}): () => WaitOptions {
  const deadline = deadlineOf(timeoutMs);
  return () => ({
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs: Math.max(deadline - now(), 0) }),
  });
}

/** The signal of some options, checked. */
export function signalArgument(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `signal must be an AbortSignal, not ${show(signal)}`);
}

/** The same; throws the signal's reason when it has been aborted already. */
export function signalOf(signal: unknown): AbortSignal | undefined {
  const checked = signalArgument(signal);
  checked?.throwIfAborted();
  return checked;
}

/** What is left of somebody's time has a long fraction. */
const readable = (milliseconds: number): number => (milliseconds < 10 ? milliseconds : Math.round(milliseconds));

/** @param owner who stood in the way, as messages call it */
export function timeoutError(what: string, timeoutMs: number | undefined, owner?: string): ShmkitError {
  const held = owner === undefined ? "" : `; held up by ${owner}`;
  return new ShmkitError(
    "ERR_TIMEOUT",
    `${what} did not finish within ${readable(timeoutMs ?? 0)} ms${held}`,
    owner === undefined ? {} : { owner },
  );
}
