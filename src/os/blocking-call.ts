import { constants } from "node:os";
import { deadlineOf, now, onlyWaitOptions, signalOf, type WaitOptions } from "../base/deadline.js";
import { native } from "../native/addon.js";
import type { PendingCall } from "../native/contract.js";
import { SystemCallError } from "./system-call-error.js";

const { ECANCELED, EINTR, EINVAL, ETIMEDOUT } = constants.errno;

/** How often a call on the calling thread comes back to JavaScript: between, a worker cannot be terminated. */
const PARK_MS = 50;
/** A thread that was interrupted just before its system call began has to be interrupted again. */
const INTERRUPT_AGAIN_MS = 5;
/** The longest that a timer of the runtime takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A system call that may block, in its three forms; `T` is what it answers when a message comes with it. */
export interface BlockingCall<T = number> {
  readonly syscall: string;
  /** The name that it was given, if any. */
  readonly path?: string | undefined;
  /** Without waiting; {@link MUST_WAIT} when it would have to. */
  readonly attempt: () => T | number;
  /** On this thread for so many milliseconds; -ETIMEDOUT or -EINTR when nothing has happened. */
  readonly park: (timeoutMs: number) => T | number;
  /** On a thread of its own. */
  readonly start: () => PendingCall<T> | number;
}

/** What an attempt answers that would have to wait: no call fails with it. */
export const MUST_WAIT = -ETIMEDOUT;

/** The result of an attempt, where one errno of the call says that it would have to wait. */
export const mustWaitFor = (result: number, errno: number): number => (result === -errno ? MUST_WAIT : result);

/** Calls that wait for something which may be taken away by this process itself, which then ends them. */
export class PendingCalls {
  private readonly ending = new Set<() => void>();
  private whenEnded: (() => void) | undefined;

  /**
   * @param keeps what must not be collected while they wait
   * @param within those that these are some of
   */
  constructor(
    readonly keeps?: object,
    private readonly within?: PendingCalls,
  ) {}

  /** Ends all of them with EINVAL; `then` follows once they have ended. */
  end(then?: () => void): void {
    if (this.ending.size === 0) then?.();
    else this.whenEnded = then;
    for (const end of this.ending) end();
  }

  /** Adds one; answers what is to be called when it has ended. */
  add(end: () => void): () => void {
    const forgetThere = this.within?.add(end);
    this.ending.add(end);
    return () => {
      forgetThere?.();
      this.ending.delete(end);
      if (this.ending.size > 0) return;
      this.whenEnded?.();
      this.whenEnded = undefined;
    };
  }
}

const hasFailed = (result: unknown): result is number => typeof result === "number" && result < 0;

function fail(call: { readonly syscall: string; readonly path?: string | undefined }, result: number): never {
  throw new SystemCallError(result, call.syscall, call.path);
}

/**
 * Makes the call and waits on a thread of its own. An abort or a timeout never loses what has happened: it rejects when the
 * call has not taken effect, and otherwise comes too late.
 */
export async function callAsync<T>(
  call: Omit<BlockingCall<T>, "park">,
  options: WaitOptions | undefined,
  pending?: PendingCalls,
): Promise<T> {
  onlyWaitOptions(options, call.syscall);
  const deadline = deadlineOf(options?.timeoutMs);
  const signal = signalOf(options?.signal);
  const result = call.attempt();
  if (!hasFailed(result)) return result;
  if (result !== MUST_WAIT) fail(call, result);
  if (deadline <= now()) fail(call, -ETIMEDOUT);
  return waitFor(call, deadline, signal, pending);
}

async function waitFor<T>(
  call: Omit<BlockingCall<T>, "park">,
  deadline: number,
  signal: AbortSignal | undefined,
  pending: PendingCalls | undefined,
): Promise<T> {
  const started = call.start();
  if (typeof started === "number") fail(call, started);
  let timer: NodeJS.Timeout | undefined;
  let reason: (() => never) | undefined;
  const interrupt = (): void => {
    native.interrupt(started.id);
    timer = setTimeout(interrupt, INTERRUPT_AGAIN_MS);
  };
  const end = (why: () => never): void => {
    if (reason !== undefined) return;
    reason = why;
    clearTimeout(timer);
    interrupt();
  };
  const expire = (): void => {
    const left = deadline - now();
    if (left <= 0) end(() => fail(call, -ETIMEDOUT));
    else if (left !== Infinity) timer = setTimeout(expire, Math.min(Math.ceil(left), LONGEST_TIMER_MS));
  };
  const abort = (): void =>
    end(() => {
      throw signal!.reason;
    });
  expire();
  signal?.addEventListener("abort", abort, { once: true });
  const forget = pending?.add(() => end(() => fail(call, -EINVAL)));
  try {
    const result = await started.promise;
    if (!hasFailed(result)) return result;
    return result === -ECANCELED && reason !== undefined ? reason() : fail(call, result);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
    forget?.();
  }
}

/** What ends a wait that is made of pauses. */
export interface Interruption {
  readonly syscall: string;
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;
  readonly pending: PendingCalls;
}

/** Pauses between attempts that only this thread can make, and of which nothing tells when they would succeed: turns of the event loop, then timers. */
const TURNS = 3;
const PAUSES_MS = [1, 1, 2, 4] as const;
const LONGEST_PAUSE_MS = 8;

/** Makes an attempt again and again, ever less often, until it need not wait; one that succeeds is the last. */
export async function poll(attempt: () => number, wait: Interruption): Promise<number> {
  let result = attempt();
  for (let round = 0; result === MUST_WAIT; round++) {
    if (wait.deadline <= now()) fail(wait, -ETIMEDOUT);
    await pause(round, wait);
    result = attempt();
  }
  return hasFailed(result) ? fail(wait, result) : result;
}

/**
 * The pause before an attempt, to the deadline at most.
 * @throws SystemCallError EINVAL when the object is given up meanwhile; the signal's reason
 */
export async function pause(round: number, { syscall, deadline, signal, pending }: Interruption): Promise<void> {
  const longest = round < TURNS ? 0 : (PAUSES_MS[round - TURNS] ?? LONGEST_PAUSE_MS);
  const milliseconds = Math.min(longest, Math.max(deadline - now(), 0));
  let timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  let forget: (() => void) | undefined;
  let abort: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = milliseconds === 0 ? setImmediate(resolve) : setTimeout(resolve, Math.ceil(milliseconds));
      forget = pending.add(() => reject(new SystemCallError(-EINVAL, syscall)));
      abort = () => reject(signal!.reason as Error);
      signal?.addEventListener("abort", abort, { once: true });
    });
  } finally {
    clearTimeout(timer as NodeJS.Timeout);
    clearImmediate(timer as NodeJS.Immediate);
    signal?.removeEventListener("abort", abort!);
    forget?.();
  }
}

/** Makes the call and blocks the calling thread. */
export function callSync<T>(call: Omit<BlockingCall<T>, "start">, options: WaitOptions | undefined): T {
  onlyWaitOptions(options, call.syscall);
  const deadline = deadlineOf(options?.timeoutMs);
  signalOf(options?.signal);
  let result = call.attempt();
  while (result === MUST_WAIT || result === -EINTR) {
    const left = deadline - now();
    if (left <= 0) fail(call, -ETIMEDOUT);
    result = call.park(Math.min(left, PARK_MS));
  }
  return hasFailed(result) ? fail(call, result) : result;
}
