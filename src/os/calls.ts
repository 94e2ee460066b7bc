import { onAbort } from "../base/abort.js";
import { deadlineOf, now, onlyWaitOptions, signalOf, type WaitOptions } from "../base/deadline.js";
import type { PendingCall } from "../native/contract.js";

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
  /** Without waiting; {@link CallSystem.mustWait} when it would have to. */
  readonly attempt: () => T | number;
  /** On this thread for so many milliseconds; {@link CallSystem.mustWait} or {@link CallSystem.interrupted} when nothing has happened. */
  readonly park: (timeoutMs: number) => T | number;
  /** On a thread of its own. */
  readonly start: () => PendingCall<T> | number;
}

/** How the calls of a system say what happened, by negative results, and how they are ended. */
export interface CallSystem {
  /** An attempt would have to wait: no call fails with it. Also what a wait fails with when its time is over. */
  readonly mustWait: number;
  /** Nothing has happened yet. */
  readonly interrupted: number;
  /** A call on a thread of its own was ended by `interrupt`, and nothing has happened. */
  readonly canceled: number;
  /** What a wait fails with when what it waits for is given up by this process. */
  readonly gone: number;
  /** Ends a call on a thread of its own; repeated until it has ended. */
  readonly interrupt: (id: number) => void;
  readonly errorOf: (result: number, syscall: string, path?: string) => Error;
}

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

  /** Ends all of them, as when what they wait for is gone; `then` follows once they have ended. */
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

/** Calls that may block, in both forms, of one system. */
export function callsOf(system: CallSystem) {
  const { mustWait, interrupted, canceled, gone, interrupt, errorOf } = system;

  function fail(call: { readonly syscall: string; readonly path?: string | undefined }, result: number): never {
    throw errorOf(result, call.syscall, call.path);
  }

  /**
   * Makes the call and waits on a thread of its own. An abort or a timeout never loses what has happened: it rejects when the
   * call has not taken effect, and otherwise comes too late.
   */
  async function callAsync<T>(
    call: Omit<BlockingCall<T>, "park">,
    options: WaitOptions | undefined,
    pending?: PendingCalls,
  ): Promise<T> {
    onlyWaitOptions(options, call.syscall);
    const deadline = deadlineOf(options?.timeoutMs);
    const signal = signalOf(options?.signal);
    const result = call.attempt();
    if (!hasFailed(result)) return result;
    if (result !== mustWait) fail(call, result);
    if (deadline <= now()) fail(call, mustWait);
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
    const interruptAgain = (): void => {
      interrupt(started.id);
      timer = setTimeout(interruptAgain, INTERRUPT_AGAIN_MS);
    };
    const end = (why: () => never): void => {
      if (reason !== undefined) return;
      reason = why;
      clearTimeout(timer);
      interruptAgain();
    };
    const expire = (): void => {
      const left = deadline - now();
      if (left <= 0) end(() => fail(call, mustWait));
      else if (left !== Infinity) timer = setTimeout(expire, Math.min(Math.ceil(left), LONGEST_TIMER_MS));
    };
    expire();
    const forgetSignal = onAbort(signal, () =>
      end(() => {
        throw signal!.reason;
      }),
    );
    const forget = pending?.add(() => end(() => fail(call, gone)));
    try {
      const result = await started.promise;
      if (!hasFailed(result)) return result;
      return result === canceled && reason !== undefined ? reason() : fail(call, result);
    } finally {
      clearTimeout(timer);
      forgetSignal();
      forget?.();
    }
  }

  /** Makes an attempt again and again, ever less often, until it need not wait; one that succeeds is the last. */
  async function poll(attempt: () => number, wait: Interruption): Promise<number> {
    let result = attempt();
    for (let round = 0; result === mustWait; round++) {
      if (wait.deadline <= now()) fail(wait, mustWait);
      await pause(round, wait);
      result = attempt();
    }
    return hasFailed(result) ? fail(wait, result) : result;
  }

  /**
   * The pause before an attempt, to the deadline at most.
   * @throws when the object is given up meanwhile; the signal's reason
   */
  async function pause(round: number, { syscall, deadline, signal, pending }: Interruption): Promise<void> {
    const longest = round < TURNS ? 0 : (PAUSES_MS[round - TURNS] ?? LONGEST_PAUSE_MS);
    const milliseconds = Math.min(longest, Math.max(deadline - now(), 0));
    let timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
    let forget: (() => void) | undefined;
    let forgetSignal: (() => void) | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        timer = milliseconds === 0 ? setImmediate(resolve) : setTimeout(resolve, Math.ceil(milliseconds));
        forget = pending.add(() => reject(errorOf(gone, syscall)));
        forgetSignal = onAbort(signal, () => reject(signal!.reason as Error));
      });
    } finally {
      clearTimeout(timer as NodeJS.Timeout);
      clearImmediate(timer as NodeJS.Immediate);
      forgetSignal?.();
      forget?.();
    }
  }

  /** Makes the call and blocks the calling thread. */
  function callSync<T>(call: Omit<BlockingCall<T>, "start">, options: WaitOptions | undefined): T {
    onlyWaitOptions(options, call.syscall);
    const deadline = deadlineOf(options?.timeoutMs);
    signalOf(options?.signal);
    let result = call.attempt();
    while (result === mustWait || result === interrupted) {
      const left = deadline - now();
      if (left <= 0) fail(call, mustWait);
      result = call.park(Math.min(left, PARK_MS));
    }
    return hasFailed(result) ? fail(call, result) : result;
  }

  return { callAsync, callSync, pause, poll };
}
