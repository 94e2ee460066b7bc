import { constants } from "node:os";
import { show } from "../../base/arguments.js";
import { deadlineOf, onlyWaitOptions, signalOf, type WaitOptions } from "../../base/deadline.js";
import { ArgumentError } from "../../base/errors.js";
import { native } from "../../native/addon.js";
import { callSync, MUST_WAIT, mustWaitFor, PendingCalls, poll, type Interruption } from "../blocking-call.js";
import { fieldsOf } from "../fields.js";
import { rangeOf, type RawMemory } from "../raw-memory.js";
import { answerOf, SystemCallError } from "../system-call-error.js";
import { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED } from "./constants.js";
import type { Mapped } from "./memory.js";

const { EBUSY, EINVAL } = constants.errno;

/** How a mutex is made; `pthread_mutexattr_t` in C. It is always one of several processes (PTHREAD_PROCESS_SHARED). */
export interface PthreadMutexAttributes {
  /** PTHREAD_MUTEX_NORMAL (default), PTHREAD_MUTEX_ERRORCHECK or PTHREAD_MUTEX_RECURSIVE. */
  type?: number;
  /** PTHREAD_MUTEX_ROBUST: the next one is told when its owner dies. PTHREAD_MUTEX_STALLED (default): nobody gets it any more. */
  robust?: number;
}

/**
 * What who has locked a mutex is told: `"EOWNERDEAD"` when a thread died that had it. What it guards may be half changed: repair it and
 * call {@link pthread_mutex_consistent}; unlocked without that, nobody can lock it any more (ENOTRECOVERABLE).
 */
export type PthreadLocked = "locked" | "EOWNERDEAD";

/** A mutex in mapped memory; `pthread_mutex_t *` in C. The thread that locked it owns it. */
export class PthreadMutex {
  /** @internal */
  readonly pending: PendingCalls;

  /** @internal */
  constructor(
    /** @internal */
    readonly id: number,
    /** @internal The memory it is in. */
    readonly memory: RawMemory,
  ) {
    this.pending = new PendingCalls(memory.pending.keeps, memory.pending);
  }
}

/** What the addon knows it by. @throws SystemCallError EINVAL when its memory was unmapped */
export function idOfMutex(mutex: PthreadMutex, syscall: string): number {
  if (!(mutex instanceof PthreadMutex))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${syscall} needs a mutex, not ${show(mutex)}`);
  if (!mutex.memory.isMapped) throw new SystemCallError(-EINVAL, syscall);
  return mutex.id;
}

/** How the addon says it: 0, or 1 when the owner died. */
export const lockedOf = (result: number): PthreadLocked => (result === 1 ? "EOWNERDEAD" : "locked");

/**
 * Makes a mutex in mapped memory: pthread_mutex_init(3p), pthread_mutexattr_setrobust(3).
 * @param place shared memory that {@link mmap} answered, or a view of it, at a multiple of 8 bytes; SIZEOF_PTHREAD_MUTEX_T bytes from
 * its beginning on are the mutex's
 * @throws SystemCallError EINVAL; EROFS in memory that is private or for reading only; EBUSY where this thread has a mutex locked; ENOTSUP
 * for a robust one where the system has none (emulators)
 * @example
 * ```ts
 * import { MAP_ANONYMOUS, MAP_SHARED, mmap, PROT_READ, PROT_WRITE, PTHREAD_MUTEX_ROBUST } from "shmkit/posix";
 * import { pthread_mutex_consistent, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock } from "shmkit/posix";
 *
 * const memory = mmap(4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
 * const mutex = pthread_mutex_init(memory, { robust: PTHREAD_MUTEX_ROBUST });
 * if ((await pthread_mutex_lock(mutex, { timeoutMs: 1000 })) === "EOWNERDEAD") {
 *   // repair what it guards, then:
 *   pthread_mutex_consistent(mutex);
 * }
 * pthread_mutex_unlock(mutex);
 * ```
 */
export function pthread_mutex_init(place: Mapped, attributes: PthreadMutexAttributes = {}): PthreadMutex {
  const { memory, offset } = rangeOf(place, "pthread_mutex_init");
  const given = fieldsOf(attributes, "pthread_mutex_init", "attributes");
  const { type = PTHREAD_MUTEX_NORMAL, robust = PTHREAD_MUTEX_STALLED } = given;
  return new PthreadMutex(answerOf(native.mutex_init(memory.id, offset, type, robust), "pthread_mutex_init"), memory);
}

/** The mutex that somebody else has made in memory; in C, a cast of its address. Calls are EINVAL unless it is of several processes. */
export function pthread_mutex_at(place: Mapped): PthreadMutex {
  const { memory, offset } = rangeOf(place, "pthread_mutex_at");
  return new PthreadMutex(answerOf(native.mutex_at(memory.id, offset), "pthread_mutex_at"), memory);
}

/** Ends a mutex, for everybody: pthread_mutex_destroy(3p). Waits for it here end with EINVAL. @throws SystemCallError EBUSY while it is locked */
export function pthread_mutex_destroy(mutex: PthreadMutex): void {
  answerOf(native.mutex_destroy(idOfMutex(mutex, "pthread_mutex_destroy")), "pthread_mutex_destroy");
  mutex.pending.end();
}

/**
 * Locks it without waiting: pthread_mutex_trylock(3p).
 * @throws SystemCallError EBUSY; EAGAIN (locked too often); ENOTRECOVERABLE; EINVAL for bytes that are no mutex of several processes; EIO
 * when the page is gone; ENOTSUP for a robust one while another library has one locked on this thread, or where the system has none
 */
export function pthread_mutex_trylock(mutex: PthreadMutex): PthreadLocked {
  const id = idOfMutex(mutex, "pthread_mutex_trylock");
  return lockedOf(answerOf(native.mutex_trylock(id), "pthread_mutex_trylock"));
}

/**
 * Locks it: pthread_mutex_lock(3p), with `timeoutMs` pthread_mutex_clocklock(3) by the monotonic clock. One that is not robust
 * is locked for ever when its owner is killed: give a deadline.
 *
 * The calling thread owns it then, whatever task of it has called: PTHREAD_MUTEX_NORMAL keeps tasks of one thread apart as well,
 * PTHREAD_MUTEX_RECURSIVE lets all of them in. Only the owner can lock, so this one tries again and again: in the next three turns
 * of the event loop, then after 1 to 8 ms. Others that block may be faster each time, without an end.
 * @throws SystemCallError ETIMEDOUT; EDEADLK when this thread has one of PTHREAD_MUTEX_ERRORCHECK; EINVAL, also when it is destroyed or
 * unmapped meanwhile; and as {@link pthread_mutex_trylock}; the reason of the signal
 */
export async function pthread_mutex_lock(mutex: PthreadMutex, options?: WaitOptions): Promise<PthreadLocked> {
  const syscall = "pthread_mutex_lock";
  onlyWaitOptions(options, syscall);
  const id = idOfMutex(mutex, syscall);
  const deadline = deadlineOf(options?.timeoutMs);
  const signal = signalOf(options?.signal);
  const result = native.mutex_lock(id, 0);
  if (result !== MUST_WAIT) return lockedOf(answerOf(result, syscall));
  return lockAgain(mutex, { syscall, deadline, signal, pending: mutex.pending });
}

/** Waits for one that others have. Another task of this thread may get it meanwhile: no deadlock. */
export async function lockAgain(mutex: PthreadMutex, wait: Interruption): Promise<PthreadLocked> {
  const attempt = (): number => mustWaitFor(native.mutex_trylock(idOfMutex(mutex, wait.syscall)), EBUSY);
  return lockedOf(await poll(attempt, wait));
}

/**
 * The same, blocking the calling thread. The system wakes it when a robust one is unlocked; others it tries every millisecond.
 * @throws SystemCallError the same; EDEADLK also when this thread has one of PTHREAD_MUTEX_NORMAL: nobody could unlock it
 */
export function pthread_mutex_lockSync(mutex: PthreadMutex, options?: WaitOptions): PthreadLocked {
  const id = idOfMutex(mutex, "pthread_mutex_lock");
  const call = {
    syscall: "pthread_mutex_lock",
    attempt: () => native.mutex_lock(id, 0),
    park: (timeoutMs: number) => native.mutex_lock(id, timeoutMs),
  };
  return lockedOf(callSync(call, options));
}

/**
 * Unlocks it: pthread_mutex_unlock(3p).
 * @throws SystemCallError EPERM when this thread has not locked it, through this mapping, or when somebody overwrote who has it
 */
export function pthread_mutex_unlock(mutex: PthreadMutex): void {
  answerOf(native.mutex_unlock(idOfMutex(mutex, "pthread_mutex_unlock")), "pthread_mutex_unlock");
}

/**
 * Says that what it guards is repaired: pthread_mutex_consistent(3).
 * @throws SystemCallError EINVAL when no owner died; EPERM when this thread does not have it
 */
export function pthread_mutex_consistent(mutex: PthreadMutex): void {
  answerOf(native.mutex_consistent(idOfMutex(mutex, "pthread_mutex_consistent")), "pthread_mutex_consistent");
}
