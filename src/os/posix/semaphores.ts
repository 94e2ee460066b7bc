import { constants } from "node:os";
import { show } from "../../base/arguments.js";
import { ArgumentError } from "../../base/errors.js";
import type { SignalOption, WaitOptions } from "../../base/deadline.js";
import { native } from "../../native/addon.js";
import { callAsync, callSync, mustWaitFor, PendingCalls, type BlockingCall } from "../blocking-call.js";
import { rangeOf, type RawMemory } from "../raw-memory.js";
import { answerOf, nameOf, SystemCallError } from "../system-call-error.js";
import { until, type Timespec } from "../timespec.js";
import type { Mapped } from "./memory.js";

const { EAGAIN, EINVAL } = constants.errno;

/** Gives up what nobody can use any more. */
const forgotten = new FinalizationRegistry<number>((id) => native.sem_close(id));

/** A POSIX semaphore that {@link sem_open}, {@link sem_init} or {@link sem_at} answered; `sem_t *` in C. */
export class Semaphore {
  /** @internal */
  readonly pending: PendingCalls;

  /** @internal */
  constructor(
    /** @internal */
    readonly id: number,
    /** @internal The memory it is in; undefined for one with a name. */
    readonly memory?: RawMemory,
    /** Its name; undefined for one in memory. */
    readonly name?: string,
  ) {
    this.pending = new PendingCalls(memory?.pending.keeps, memory?.pending);
    forgotten.register(this, id, this);
  }
}

/** What the addon knows it by. @throws SystemCallError EINVAL when its memory was unmapped */
function idOf(sem: Semaphore, syscall: string): number {
  if (!(sem instanceof Semaphore))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${syscall} needs a semaphore, not ${show(sem)}`);
  if (sem.memory?.isMapped === false) throw new SystemCallError(-EINVAL, syscall);
  return sem.id;
}

function waiting(sem: Semaphore, syscall: string): BlockingCall {
  const id = idOf(sem, syscall);
  return {
    syscall,
    path: sem.name,
    attempt: () => mustWaitFor(native.sem_trywait(id), EAGAIN),
    park: (timeoutMs) => native.sem_park(id, timeoutMs),
    start: () => native.sem_wait(id),
  };
}

/**
 * Opens or creates a named semaphore: sem_open(3). It is at `/dev/shm/sem.NAME`.
 * @param name begins with a slash and has no other; at most 251 bytes
 * @param oflag 0, or O_CREAT with or without O_EXCL
 * @param mode rights of what is created, subject to the umask. Default: 0o600
 * @param value of what is created: 0 to 2^31 - 1. Default: 0
 * @throws SystemCallError ENOENT, EEXIST, EINVAL, ENAMETOOLONG, EACCES
 * @example
 * ```ts
 * import { O_CREAT, sem_close, sem_open, sem_post, sem_unlink, sem_wait } from "shmkit/posix";
 *
 * const ready = sem_open("/api-ready", O_CREAT, 0o600, 0);
 * sem_post(ready); // elsewhere
 * await sem_wait(ready, { timeoutMs: 1000 });
 * sem_close(ready);
 * sem_unlink("/api-ready");
 * ```
 */
export function sem_open(name: string, oflag: number, mode = 0o600, value = 0): Semaphore {
  const id = answerOf(native.sem_open(nameOf(name, "sem_open"), oflag, mode, value), "sem_open", name);
  return new Semaphore(id, undefined, name);
}

/** Removes a name; the semaphore stays for those who have it open: sem_unlink(3). @throws SystemCallError ENOENT, EACCES */
export function sem_unlink(name: string): void {
  answerOf(native.sem_unlink(nameOf(name, "sem_unlink")), "sem_unlink", name);
}

function closeAs(syscall: string, sem: Semaphore): void {
  answerOf(native.sem_close(idOf(sem, syscall)), syscall, sem.name);
  forgotten.unregister(sem);
  sem.pending.end();
}

/** Ends the use of a named semaphore in this thread: sem_close(3). Waits for it end with EINVAL. */
export function sem_close(sem: Semaphore): void {
  closeAs("sem_close", sem);
}

/**
 * Makes a semaphore in mapped memory: sem_init(3).
 * @param place memory that {@link mmap} answered, or a view of it, where 32 bytes from its beginning on are the semaphore's
 * @param pshared whether other processes use it
 * @param value 0 to 2^31 - 1
 * @throws SystemCallError EINVAL
 */
export function sem_init(place: Mapped, pshared: boolean, value: number): Semaphore {
  const { memory, offset } = rangeOf(place, "sem_init");
  return new Semaphore(answerOf(native.sem_init(memory.id, offset, pshared, value), "sem_init"), memory);
}

/** The semaphore that somebody else has made in memory; in C, a cast of its address to `sem_t *`. */
export function sem_at(place: Mapped): Semaphore {
  const { memory, offset } = rangeOf(place, "sem_at");
  return new Semaphore(answerOf(native.sem_at(memory.id, offset), "sem_at"), memory);
}

/** Ends the use of a semaphore in memory: sem_destroy(3), which on Linux has nothing else to do. Waits for it end with EINVAL. */
export function sem_destroy(sem: Semaphore): void {
  closeAs("sem_destroy", sem);
}

/** Adds 1 and wakes one who waits: sem_post(3). @throws SystemCallError EOVERFLOW at 2^31 - 1, EINVAL after sem_close */
export function sem_post(sem: Semaphore): void {
  answerOf(native.sem_post(idOf(sem, "sem_post")), "sem_post", sem.name);
}

/** Takes 1 without waiting: sem_trywait(3). @throws SystemCallError EAGAIN when it is 0 */
export function sem_trywait(sem: Semaphore): void {
  answerOf(native.sem_trywait(idOf(sem, "sem_trywait")), "sem_trywait", sem.name);
}

/** The value of this moment: sem_getvalue(3). */
export function sem_getvalue(sem: Semaphore): number {
  return answerOf(native.sem_getvalue(idOf(sem, "sem_getvalue")), "sem_getvalue", sem.name);
}

/**
 * Takes 1, and waits on a thread of its own while it is 0: sem_wait(3), and with `timeoutMs` sem_timedwait(3), whose clock
 * here is the monotonic one.
 * @throws SystemCallError ETIMEDOUT; EINVAL when it is closed, or its memory unmapped, meanwhile; the reason of the signal
 */
export async function sem_wait(sem: Semaphore, options?: WaitOptions): Promise<void> {
  await callAsync(waiting(sem, "sem_wait"), options, sem.pending);
}

/** The same, blocking the calling thread. */
export function sem_waitSync(sem: Semaphore, options?: WaitOptions): void {
  callSync(waiting(sem, "sem_wait"), options);
}

/**
 * {@link sem_wait} to a moment of CLOCK_REALTIME: sem_timedwait(3). Setting the clock during the wait does not change it; programs
 * that mean a duration say `timeoutMs`.
 * @throws SystemCallError ETIMEDOUT, EINVAL; the reason of the signal
 */
export async function sem_timedwait(sem: Semaphore, abs_timeout: Timespec, options?: SignalOption): Promise<void> {
  const call = waiting(sem, "sem_timedwait");
  await callAsync(call, until(abs_timeout, options, call.syscall), sem.pending);
}

/** The same, blocking the calling thread. */
export function sem_timedwaitSync(sem: Semaphore, abs_timeout: Timespec): void {
  const call = waiting(sem, "sem_timedwait");
  callSync(call, until(abs_timeout, undefined, call.syscall));
}
