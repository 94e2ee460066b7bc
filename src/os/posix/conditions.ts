import { constants } from "node:os";
import { show } from "../../base/arguments.js";
import { deadlineOf, now, onlyWaitOptions, signalOf, type WaitOptions } from "../../base/deadline.js";
import { ArgumentError } from "../../base/errors.js";
import { native } from "../../native/addon.js";
import { callSync, pause, type Interruption } from "../blocking-call.js";
import { fieldsOf } from "../fields.js";
import { rangeOf, type RawMemory } from "../raw-memory.js";
import { answerOf, SystemCallError } from "../system-call-error.js";
import { CLOCK_REALTIME } from "./constants.js";
import type { Mapped } from "./memory.js";
import { idOfMutex, lockAgain, lockedOf, type PthreadLocked, type PthreadMutex } from "./mutexes.js";

const { EAGAIN, EINVAL, EPERM, ETIMEDOUT } = constants.errno;

/** How long a wait that blocks its thread leaves the mutex to others before it looks again. */
const NAPS_MS = [0.05, 0.1, 0.2, 0.5] as const;
const LONGEST_NAP_MS = 1;
/** How long a wake-up may take. */
const SIGNAL_MS = 100;

/** A condition in mapped memory; `pthread_cond_t *` in C. */
export class PthreadCond {
  /** @internal A wake-up that has not come through. */
  stuck: number | undefined;

  /** @internal */
  constructor(
    /** @internal */
    readonly id: number,
    /** @internal The memory it is in. */
    readonly memory: RawMemory,
  ) {}
}

/** What the addon knows it by. @throws SystemCallError EINVAL when its memory was unmapped */
function idOf(cond: PthreadCond, syscall: string): number {
  if (!(cond instanceof PthreadCond))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${syscall} needs a condition, not ${show(cond)}`);
  if (!cond.memory.isMapped) throw new SystemCallError(-EINVAL, syscall);
  return cond.id;
}

/**
 * Makes a condition in mapped memory, for several processes: pthread_cond_init(3p).
 * @param place as for {@link pthread_mutex_init}; SIZEOF_PTHREAD_COND_T bytes
 * @param attributes `clock`: which one pthread_cond_timedwait of programs in C goes by, CLOCK_REALTIME (default) or CLOCK_MONOTONIC
 * @throws SystemCallError EINVAL; EROFS in memory that is private or for reading only
 */
export function pthread_cond_init(place: Mapped, attributes: { clock?: number } = {}): PthreadCond {
  const { memory, offset } = rangeOf(place, "pthread_cond_init");
  const { clock = CLOCK_REALTIME } = fieldsOf(attributes, "pthread_cond_init", "attributes");
  const id = native.cond_init(memory.id, offset, clock);
  return new PthreadCond(answerOf(id, "pthread_cond_init"), memory);
}

/** The condition that somebody else has made in memory; in C, a cast of its address. */
export function pthread_cond_at(place: Mapped): PthreadCond {
  const { memory, offset } = rangeOf(place, "pthread_cond_at");
  return new PthreadCond(answerOf(native.cond_at(memory.id, offset), "pthread_cond_at"), memory);
}

/**
 * Ends the use of a condition in this thread; unlike pthread_cond_destroy(3p) it waits for nobody. Waits for it end with EINVAL.
 */
export function pthread_cond_destroy(cond: PthreadCond): void {
  answerOf(native.cond_close(idOf(cond, "pthread_cond_destroy")), "pthread_cond_destroy");
}

function wake(cond: PthreadCond, broadcasts: boolean, syscall: string): void {
  const id = idOf(cond, syscall);
  if (cond.stuck !== undefined && native.join(cond.stuck, SIGNAL_MS) === -ETIMEDOUT)
    throw new SystemCallError(-EAGAIN, syscall);
  cond.stuck = undefined;
  const started = native.cond_signal(id, broadcasts);
  if (typeof started === "number") throw new SystemCallError(started, syscall);
  if (native.join(started.id, SIGNAL_MS) === 0) return;
  cond.stuck = started.id;
  throw new SystemCallError(-EAGAIN, syscall);
}

/**
 * Wakes one who waits: pthread_cond_signal(3p), on a thread of its own. Change what is waited for under the mutex before.
 * @throws SystemCallError EINVAL, EIO; EAGAIN after 100 ms when the C library makes the caller wait: one that was woken has not gone on
 * yet, or (glibc before 2.41) was killed while it waited, after which it waits for ever, in C too
 */
export function pthread_cond_signal(cond: PthreadCond): void {
  wake(cond, false, "pthread_cond_signal");
}

/** Wakes all who wait: pthread_cond_broadcast(3p). @throws SystemCallError as {@link pthread_cond_signal} */
export function pthread_cond_broadcast(cond: PthreadCond): void {
  wake(cond, true, "pthread_cond_broadcast");
}

/** A wait for a condition, in both forms. */
class ConditionWait {
  readonly syscall = "pthread_cond_wait";
  readonly deadline: number;
  readonly signal: AbortSignal | undefined;

  constructor(
    private readonly cond: PthreadCond,
    private readonly mutex: PthreadMutex,
    private readonly until: () => boolean,
    options: WaitOptions | undefined,
  ) {
    onlyWaitOptions(options, this.syscall);
    if (typeof until !== "function")
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `${this.syscall} needs a function, not ${show(until)}`);
    this.deadline = deadlineOf(options?.timeoutMs);
    this.signal = signalOf(options?.signal);
    const depth = answerOf(native.mutex_depth(idOfMutex(mutex, this.syscall)), this.syscall);
    if (depth !== 1) throw new SystemCallError(depth === 0 ? -EPERM : -EINVAL, this.syscall);
  }

  /** With the mutex locked: whether it is over. @throws ETIMEDOUT, the signal's reason, what `until` throws */
  isOver(locked: PthreadLocked): boolean {
    if (locked === "EOWNERDEAD" || this.until()) return true;
    this.signal?.throwIfAborted();
    if (this.deadline <= now()) throw new SystemCallError(-ETIMEDOUT, this.syscall);
    return false;
  }

  /** Leaves the mutex to others, for so long on this thread. */
  release(milliseconds: number): void {
    const ids = [idOf(this.cond, this.syscall), idOfMutex(this.mutex, this.syscall)] as const;
    answerOf(native.cond_nap(...ids, Math.min(milliseconds, Math.max(this.deadline - now(), 0))), this.syscall);
  }
}

/**
 * Waits until something is so: pthread_cond_wait(3p), with `timeoutMs` pthread_cond_clockwait(3). Resolves with the mutex locked, once
 * `until` has said true under it, or with "EOWNERDEAD" as {@link pthread_mutex_lock} does, without asking. Call it with the mutex locked.
 *
 * Wake-ups are not needed, and none is taken from others: the mutex is unlocked and locked again as {@link pthread_mutex_lock} does, in
 * the next three turns of the event loop, then after 1 to 8 ms, and `until` is asked each time. So a process that dies here leaves
 * nothing behind in the condition, as one in C does.
 *
 * As in C, the mutex is locked again however the wait ends, except after EINVAL, EIO and ENOTRECOVERABLE; and a deadline is that of
 * the wait: while somebody else has the mutex, it goes on.
 * @param until what is waited for; called with the mutex locked, at once for the first time
 * @throws SystemCallError ETIMEDOUT; EPERM when this thread has not locked the mutex; EINVAL when it has more than once, or one of both is
 * destroyed or unmapped meanwhile; EIO; ENOTRECOVERABLE; the signal's reason; what `until` throws
 * @example
 * ```ts
 * import { MAP_ANONYMOUS, MAP_SHARED, mmap, PROT_READ, PROT_WRITE } from "shmkit/posix";
 * import { pthread_cond_init, pthread_cond_signal, pthread_cond_wait } from "shmkit/posix";
 * import { pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock } from "shmkit/posix";
 *
 * const memory = new Int32Array(mmap(4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1));
 * const mutex = pthread_mutex_init(memory.subarray(16));
 * const changed = pthread_cond_init(memory.subarray(32));
 * setTimeout(() => {
 *   memory[0] = 1; // elsewhere, under the mutex
 *   pthread_cond_signal(changed);
 * });
 * await pthread_mutex_lock(mutex);
 * await pthread_cond_wait(changed, mutex, () => memory[0] === 1, { timeoutMs: 1000 });
 * pthread_mutex_unlock(mutex);
 * ```
 */
export async function pthread_cond_wait(
  cond: PthreadCond,
  mutex: PthreadMutex,
  until: () => boolean,
  options?: WaitOptions,
): Promise<PthreadLocked> {
  const wait = new ConditionWait(cond, mutex, until, options);
  const { syscall, deadline, signal } = wait;
  const pauses: Interruption = { syscall, deadline, signal, pending: mutex.pending };
  let locked: PthreadLocked = "locked";
  for (let round = 0; !wait.isOver(locked); round++) {
    wait.release(0);
    // Whatever ends the pause is found again with the mutex locked.
    await pause(round, pauses).catch(() => undefined);
    locked = await lockAgain(mutex, { ...pauses, deadline: Infinity, signal: undefined });
  }
  return locked;
}

/** The same, blocking the calling thread: after 0.05 to 1 ms it looks again. */
export function pthread_cond_waitSync(
  cond: PthreadCond,
  mutex: PthreadMutex,
  until: () => boolean,
  options?: WaitOptions,
): PthreadLocked {
  const wait = new ConditionWait(cond, mutex, until, options);
  const { syscall } = wait;
  let locked: PthreadLocked = "locked";
  for (let round = 0; !wait.isOver(locked); round++) {
    wait.release(NAPS_MS[round] ?? LONGEST_NAP_MS);
    const id = idOfMutex(mutex, syscall);
    const park = (timeoutMs: number): number => native.mutex_lock(id, timeoutMs);
    locked = lockedOf(callSync({ syscall, attempt: () => park(0), park }, undefined));
  }
  return locked;
}
