import { constants } from "node:os";
import { wholeNumber } from "../../base/arguments.js";
import type { WaitOptions } from "../../base/deadline.js";
import { native } from "../../native/addon.js";
import type { NativeMessage, PendingCall } from "../../native/contract.js";
import { callAsync, callSync, mustWaitFor, type BlockingCall } from "../blocking-call.js";
import { answerOf, SystemCallError } from "../system-call-error.js";
import { IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT, MSG_COPY } from "./constants.js";
import { changeOf, endingWhenRemoved, statOf, timeOf, type IpcChange, type IpcPerm } from "./ipc.js";

const { EAGAIN, EINVAL, ENOMSG } = constants.errno;

/** No system lets a message be as long. */
const MOST_BYTES = 2 ** 24;

/** Facts about a queue; `struct msqid_ds` in C. */
export interface MsqidDs {
  /** Whose it is. */
  readonly msg_perm: IpcPerm;
  /** Messages in it now. */
  readonly msg_qnum: number;
  /** The most bytes of text that it holds. */
  readonly msg_qbytes: number;
  /** Bytes of text in it now. */
  readonly msg_cbytes: number;
  /** The process that sent last, 0 for none. */
  readonly msg_lspid: number;
  /** The process that received last, 0 for none. */
  readonly msg_lrpid: number;
  /** When somebody last sent. */
  readonly msg_stime: Date | undefined;
  /** When somebody last received. */
  readonly msg_rtime: Date | undefined;
  /** When it was made or changed. */
  readonly msg_ctime: Date | undefined;
}

/** A message that was received. */
export interface SysvMessage {
  /** Its type, as it was sent: 1 or more. */
  readonly type: number;
  /** Its bytes, a copy. */
  readonly data: Uint8Array;
}

/**
 * Finds or makes a message queue and answers its identifier: msgget(2). It stays until {@link msgctl} removes it.
 * @param msgflg rights such as 0o600, with IPC_CREAT and IPC_EXCL
 * @throws SystemCallError ENOENT, EEXIST, EACCES, ENOSPC
 */
export function msgget(key: number, msgflg: number): number {
  return answerOf(native.msgget(key, msgflg), "msgget");
}

function sending(msqid: number, type: number, message: Uint8Array, msgflg: number): BlockingCall {
  const neverWaits = (msgflg & IPC_NOWAIT) !== 0;
  const attempt = (): number => native.msgsnd(msqid, type, message, msgflg, 0);
  return endingWhenRemoved({
    syscall: "msgsnd",
    attempt: neverWaits ? attempt : () => mustWaitFor(attempt(), EAGAIN),
    park: (timeoutMs) => native.msgsnd(msqid, type, message, msgflg, timeoutMs),
    start: () => native.msgsnd_async(msqid, type, message, msgflg),
  });
}

/**
 * Sends a message, and waits on a thread of its own while the queue is full: msgsnd(2).
 * @param type 1 or more
 * @param message at most 8192 bytes on most systems; copied when it has to wait
 * @param msgflg IPC_NOWAIT, or 0
 * @throws SystemCallError EINVAL (also when it is too long), EAGAIN (with IPC_NOWAIT), ETIMEDOUT, EACCES, EIDRM when the queue is
 * removed meanwhile; the signal's reason
 * @example
 * ```ts
 * import { IPC_CREAT, IPC_PRIVATE, IPC_RMID, msgctl, msgget, msgrcv, msgsnd } from "shmkit/sysv";
 *
 * const id = msgget(IPC_PRIVATE, IPC_CREAT | 0o600);
 * await msgsnd(id, 1, new TextEncoder().encode("hello"));
 * const { type, data } = await msgrcv(id, 100, 0, 0, { timeoutMs: 1000 });
 * console.log(type, new TextDecoder().decode(data)); // 1 hello
 * msgctl(id, IPC_RMID);
 * ```
 */
export async function msgsnd(
  msqid: number,
  type: number,
  message: Uint8Array,
  msgflg = 0,
  options?: WaitOptions,
): Promise<void> {
  await callAsync(sending(msqid, type, message, msgflg), options);
}

/** The same, blocking the calling thread. */
export function msgsndSync(msqid: number, type: number, message: Uint8Array, msgflg = 0, options?: WaitOptions): void {
  callSync(sending(msqid, type, message, msgflg), options);
}

function receiving(msqid: number, msgsz: number, msgtyp: number, msgflg: number): BlockingCall<SysvMessage> {
  if (Number.isInteger(msgsz) && msgsz < 0) throw new SystemCallError(-EINVAL, "msgrcv");
  const target = new Uint8Array(wholeNumber(msgsz, "msgsz", 0, MOST_BYTES));
  const found = new Float64Array(1);
  const neverWaits = (msgflg & IPC_NOWAIT) !== 0;
  if ((msgflg & MSG_COPY) !== 0 && !neverWaits) throw new SystemCallError(-EINVAL, "msgrcv");
  const receive = (timeoutMs: number): SysvMessage | number => {
    const length = native.msgrcv(msqid, target, msgtyp, msgflg, timeoutMs, found);
    if (length < 0) return neverWaits || timeoutMs > 0 ? length : mustWaitFor(length, ENOMSG);
    return { type: found[0], data: target.subarray(0, length) };
  };
  return endingWhenRemoved({
    syscall: "msgrcv",
    attempt: () => receive(0),
    park: receive,
    start: () => received(native.msgrcv_async(msqid, msgsz, msgtyp, msgflg)),
  });
}

function received(started: PendingCall<NativeMessage> | number): PendingCall<SysvMessage> | number {
  if (typeof started === "number") return started;
  const promise = started.promise.then((answer) =>
    typeof answer === "number" ? answer : { type: answer.result, data: new Uint8Array(answer.data) },
  );
  return { id: started.id, promise };
}

/**
 * Takes a message, and waits on a thread of its own while there is none: msgrcv(2). A timeout or an abort loses no message.
 * @param msgsz the most bytes to take: a longer message is an error (E2BIG) and stays, or is cut off with MSG_NOERROR
 * @param msgtyp 0: the oldest; above: the oldest of that type; below: the oldest of the lowest type up to its magnitude. Default: 0
 * @param msgflg IPC_NOWAIT, MSG_NOERROR, MSG_EXCEPT, MSG_COPY, or 0
 * @throws SystemCallError ENOMSG (with IPC_NOWAIT), ETIMEDOUT, E2BIG, EACCES, EINVAL, EIDRM; the signal's reason
 */
export async function msgrcv(
  msqid: number,
  msgsz: number,
  msgtyp = 0,
  msgflg = 0,
  options?: WaitOptions,
): Promise<SysvMessage> {
  return callAsync(receiving(msqid, msgsz, msgtyp, msgflg), options);
}

/** The same, blocking the calling thread. */
export function msgrcvSync(msqid: number, msgsz: number, msgtyp = 0, msgflg = 0, options?: WaitOptions): SysvMessage {
  return callSync(receiving(msqid, msgsz, msgtyp, msgflg), options);
}

/** What a queue is: msgctl(2) with IPC_STAT. @throws SystemCallError EINVAL, EIDRM, EACCES */
export function msgctl(msqid: number, cmd: typeof IPC_STAT): MsqidDs;
/** Removes it (IPC_RMID), with its messages; who waits ends with EIDRM. @throws SystemCallError EINVAL, EIDRM, EPERM */
export function msgctl(msqid: number, cmd: number): MsqidDs | undefined;
/** Changes owner, rights or `msg_qbytes` (IPC_SET). @throws SystemCallError EINVAL, EIDRM, EPERM */
export function msgctl(msqid: number, cmd: number, change: IpcChange & { msg_qbytes?: number }): undefined;
export function msgctl(msqid: number, cmd: number, change?: IpcChange & { msg_qbytes?: number }): MsqidDs | undefined {
  if (cmd === IPC_STAT) return facts(msqid);
  if (cmd === IPC_SET) {
    const { given, over } = changeOf(change, "msgctl", ["msg_qbytes"]);
    const { msg_perm, msg_qbytes: before } = facts(msqid);
    const { uid, gid, mode } = over(msg_perm);
    answerOf(native.msg_set(msqid, uid, gid, mode, given.msg_qbytes ?? before), "msgctl");
  } else answerOf(cmd === IPC_RMID ? native.msg_remove(msqid) : -EINVAL, "msgctl");
  return undefined;
}

function facts(msqid: number): MsqidDs {
  const { perm, own } = statOf((target) => native.msg_stat(msqid, target), "msgctl");
  const [qnum, qbytes, lspid, lrpid, stime, rtime, ctime, cbytes] = own;
  return {
    msg_perm: perm,
    msg_qnum: qnum,
    msg_qbytes: qbytes,
    msg_cbytes: cbytes,
    msg_lspid: lspid,
    msg_lrpid: lrpid,
    msg_stime: timeOf(stime),
    msg_rtime: timeOf(rtime),
    msg_ctime: timeOf(ctime),
  };
}
