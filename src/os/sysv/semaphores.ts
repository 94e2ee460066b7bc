import { constants } from "node:os";
import { show, wholeNumber } from "../../base/arguments.js";
import type { SignalOption, WaitOptions } from "../../base/deadline.js";
import { ArgumentError } from "../../base/errors.js";
import { native } from "../../native/addon.js";
import { callAsync, callSync, mustWaitFor, type BlockingCall } from "../blocking-call.js";
import { fieldsOf } from "../fields.js";
import { answerOf, SystemCallError } from "../system-call-error.js";
import { within, type Timespec } from "../timespec.js";
import { GETALL, IPC_NOWAIT, IPC_SET, IPC_STAT, SETALL, SETVAL } from "./constants.js";
import { changeOf, endingWhenRemoved, statOf, timeOf, type IpcChange, type IpcPerm } from "./ipc.js";

const { EAGAIN } = constants.errno;

/** One of the operations that {@link semop} does together; `struct sembuf` in C. */
export interface SemBuf {
  /** Which semaphore of the set, from 0. */
  readonly sem_num: number;
  /** Adds it, or takes it away if that leaves no less than 0; 0 waits until the value is 0. -32768 to 32767. */
  readonly sem_op: number;
  /** IPC_NOWAIT, SEM_UNDO (undone when the process ends), or both. Default: 0 */
  readonly sem_flg?: number;
}

/** Facts about a set of semaphores; `struct semid_ds` in C. */
export interface SemidDs {
  /** Whose it is. */
  readonly sem_perm: IpcPerm;
  /** How many there are. */
  readonly sem_nsems: number;
  /** When somebody last did an operation. */
  readonly sem_otime: Date | undefined;
  /** When it was made or changed. */
  readonly sem_ctime: Date | undefined;
}

/**
 * Finds or makes a set of semaphores and answers its identifier: semget(2). They begin at 0, and stay until {@link semctl}
 * removes them.
 * @param nsems how many; 0 when they must exist
 * @param semflg rights such as 0o600, with IPC_CREAT and IPC_EXCL
 * @throws SystemCallError ENOENT, EEXIST, EINVAL, EACCES, ENOSPC
 */
export function semget(key: number, nsems: number, semflg: number): number {
  return answerOf(native.semget(key, nsems, semflg), "semget");
}

/** A call of semop; undefined flags are 0, and numbers are those of C's short integers. */
function operating(semid: number, sops: readonly SemBuf[], syscall = "semop"): BlockingCall {
  if (!Array.isArray(sops))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${syscall}: sops must be an array, not ${show(sops)}`, {
      actual: sops,
    });
  for (const operation of sops as readonly SemBuf[]) fieldsOf(operation, syscall, "an operation");
  const numbers = Float64Array.from(
    sops.flatMap(({ sem_num, sem_op, sem_flg = 0 }) => [
      wholeNumber(sem_num, "sem_num", 0, 65535),
      wholeNumber(sem_op, "sem_op", -32768, 32767),
      wholeNumber(sem_flg, "sem_flg", 0, 32767),
    ]),
  );
  const neverWaits = sops.every(({ sem_flg = 0 }) => (sem_flg & IPC_NOWAIT) !== 0);
  const attempt = (): number => native.semop(semid, numbers, sops.length);
  return endingWhenRemoved({
    syscall,
    attempt: neverWaits ? attempt : () => mustWaitFor(attempt(), EAGAIN),
    park: (timeoutMs) => native.semop_park(semid, numbers, sops.length, timeoutMs),
    start: () => native.semop_async(semid, numbers, sops.length),
  });
}

/**
 * Does operations on a set of semaphores, all of them or none, and waits on a thread of its own until it can: semop(2), with
 * `timeoutMs` semtimedop(2).
 * @param sops at most 500
 * @throws SystemCallError EAGAIN (with IPC_NOWAIT), ETIMEDOUT (where semtimedop has EAGAIN), EFBIG, ERANGE, EINVAL, E2BIG,
 * EACCES, EIDRM when the set is removed meanwhile; the signal's reason
 * @example
 * ```ts
 * import { IPC_CREAT, IPC_PRIVATE, IPC_RMID, semctl, semget, semop, SEM_UNDO } from "shmkit/sysv";
 *
 * const id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0o600);
 * await semop(id, [{ sem_num: 0, sem_op: 1 }]);
 * await semop(id, [{ sem_num: 0, sem_op: -1, sem_flg: SEM_UNDO }], { timeoutMs: 1000 });
 * semctl(id, 0, IPC_RMID);
 * ```
 */
export async function semop(semid: number, sops: readonly SemBuf[], options?: WaitOptions): Promise<void> {
  await callAsync(operating(semid, sops), options);
}

/** The same, blocking the calling thread. */
export function semopSync(semid: number, sops: readonly SemBuf[], options?: WaitOptions): void {
  callSync(operating(semid, sops), options);
}

/** With this name, whoever waited in vain is told as the man page says. */
const asInC = (error: unknown): unknown =>
  error instanceof SystemCallError && error.code === "ETIMEDOUT" ? new SystemCallError(-EAGAIN, "semtimedop") : error;

/**
 * {@link semop} for so long at most: semtimedop(2), with its EAGAIN when the time is over.
 * @param timeout a duration, unlike those of POSIX; without one there is no limit
 * @throws SystemCallError as {@link semop}, but EAGAIN where that has ETIMEDOUT; EINVAL
 */
export async function semtimedop(
  semid: number,
  sops: readonly SemBuf[],
  timeout?: Timespec,
  options?: SignalOption,
): Promise<void> {
  const call = operating(semid, sops, "semtimedop");
  const wait = timeout === undefined ? options : within(timeout, options, call.syscall);
  await callAsync(call, wait).catch((error: unknown) => {
    throw asInC(error);
  });
}

/** The same, blocking the calling thread. */
export function semtimedopSync(semid: number, sops: readonly SemBuf[], timeout?: Timespec): void {
  const call = operating(semid, sops, "semtimedop");
  const wait = timeout === undefined ? undefined : within(timeout, undefined, call.syscall);
  try {
    callSync(call, wait);
  } catch (error) {
    throw asInC(error);
  }
}

function facts(semid: number): SemidDs {
  const { perm, own } = statOf((target) => native.sem_stat(semid, target), "semctl");
  const [nsems, otime, ctime] = own;
  return { sem_perm: perm, sem_nsems: nsems, sem_otime: timeOf(otime), sem_ctime: timeOf(ctime) };
}

/** What a set of semaphores is: semctl(2) with IPC_STAT. @throws SystemCallError EINVAL, EIDRM, EACCES */
export function semctl(semid: number, semnum: number, cmd: typeof IPC_STAT): SemidDs;
/** The values of all its semaphores (GETALL). @throws SystemCallError EINVAL, EIDRM, EACCES */
export function semctl(semid: number, semnum: number, cmd: typeof GETALL): number[];
/**
 * GETVAL, GETPID, GETNCNT and GETZCNT answer a number about one semaphore; IPC_RMID removes the set, and ends the waits for
 * it with EIDRM.
 * @throws SystemCallError EINVAL, EIDRM, EACCES, EPERM
 */
export function semctl(semid: number, semnum: number, cmd: number): number;
/** SETVAL sets one semaphore, SETALL all; IPC_SET changes owner or rights. @throws SystemCallError EINVAL, EIDRM, EPERM, ERANGE (above 32767) */
export function semctl(
  semid: number,
  semnum: number,
  cmd: number,
  argument: number | readonly number[] | IpcChange,
): number;
export function semctl(
  semid: number,
  semnum: number,
  cmd: number,
  argument?: number | readonly number[] | IpcChange,
): number | number[] | SemidDs {
  if (cmd === IPC_STAT) return facts(semid);
  if (cmd === IPC_SET) {
    const { over } = changeOf(argument as IpcChange | undefined, "semctl");
    const { uid, gid, mode } = over(facts(semid).sem_perm);
    return answerOf(native.sem_set(semid, uid, gid, mode), "semctl");
  }
  if (cmd === GETALL) return valuesOf(semid);
  if (cmd === SETALL) return setValues(semid, argument);
  const value = cmd === SETVAL ? wholeNumber(argument, "val", -(2 ** 31), 2 ** 31 - 1) : 0;
  return answerOf(native.sem_command(semid, semnum, cmd, value), "semctl");
}

function valuesOf(semid: number): number[] {
  const values = new Float64Array(facts(semid).sem_nsems);
  answerOf(native.sem_values(semid, values, false), "semctl");
  return [...values];
}

function setValues(semid: number, wanted: unknown): number {
  if (!Array.isArray(wanted))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `semctl: SETALL needs an array of values, not ${show(wanted)}`, {
      actual: wanted,
    });
  const { sem_nsems } = facts(semid);
  const values = new Float64Array(sem_nsems);
  if (wanted.length !== sem_nsems) wholeNumber(wanted.length, "the number of values", sem_nsems, sem_nsems);
  values.set(wanted.map((value) => wholeNumber(value, "a value", 0, 65535)));
  return answerOf(native.sem_values(semid, values, true), "semctl");
}
