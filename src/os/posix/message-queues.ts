import type { SignalOption, WaitOptions } from "../../base/deadline.js";
import { native } from "../../native/addon.js";
import { MqueueField, MQUEUE_FIELDS, type NativeMessage, type PendingCall } from "../../native/contract.js";
import { fieldsOf } from "../fields.js";
import { callAsync, callSync, MUST_WAIT, type BlockingCall } from "../blocking-call.js";
import { answerOf, nameOf } from "../system-call-error.js";
import { untilSince1970, type Timespec } from "../timespec.js";

/** Facts about a message queue; `struct mq_attr` in C. */
export interface MqAttributes {
  /** O_NONBLOCK, or 0. */
  readonly mq_flags: number;
  /** The most messages it holds. */
  readonly mq_maxmsg: number;
  /** The most bytes of a message. */
  readonly mq_msgsize: number;
  /** Messages in it now. */
  readonly mq_curmsgs: number;
}

/** A message that was received. */
export interface MqMessage {
  /** Its bytes, a copy. */
  readonly data: Uint8Array;
  /** 0 to 32767; higher ones come first. */
  readonly priority: number;
}

const PRIORITY_UNIT = 2 ** 32;

/**
 * Opens or creates a message queue and answers its descriptor: mq_open(3), mq_overview(7).
 * @param name begins with a slash and has no other; at most 255 bytes
 * @param oflag O_RDONLY, O_WRONLY or O_RDWR, with O_CREAT, O_EXCL, O_NONBLOCK
 * @param mode rights of what is created, subject to the umask. Default: 0o600
 * @param attributes of what is created. Default: the system's, usually 10 messages of 8192 bytes
 * @throws SystemCallError ENOENT, EEXIST, EACCES, EINVAL (also above the limits in /proc/sys/fs/mqueue), ENAMETOOLONG, EMFILE,
 * ENOSPC
 * @example
 * ```ts
 * import { mq_close, mq_open, mq_receive, mq_send, mq_unlink, O_CREAT, O_RDWR } from "shmkit/posix";
 *
 * const queue = mq_open("/api-queue", O_CREAT | O_RDWR, 0o600, { mq_maxmsg: 4, mq_msgsize: 128 });
 * await mq_send(queue, new TextEncoder().encode("later"), 1);
 * await mq_send(queue, new TextEncoder().encode("at once"), 9);
 * const { data, priority } = await mq_receive(queue, { timeoutMs: 1000 });
 * console.log(new TextDecoder().decode(data), priority); // at once 9
 * mq_close(queue);
 * mq_unlink("/api-queue");
 * ```
 */
export function mq_open(
  name: string,
  oflag: number,
  mode = 0o600,
  attributes?: { mq_maxmsg: number; mq_msgsize: number },
): number {
  const areGiven = attributes !== undefined;
  const { mq_maxmsg, mq_msgsize } = areGiven
    ? fieldsOf(attributes, "mq_open", "attributes")
    : { mq_maxmsg: 0, mq_msgsize: 0 };
  const queue = native.mq_open(nameOf(name, "mq_open"), oflag, mode, mq_maxmsg, mq_msgsize, areGiven);
  return answerOf(queue, "mq_open", name);
}

/** Removes a name; the queue stays for those who have it open: mq_unlink(3). @throws SystemCallError ENOENT, EACCES */
export function mq_unlink(name: string): void {
  answerOf(native.mq_unlink(nameOf(name, "mq_unlink")), "mq_unlink", name);
}

/** Closes a descriptor of a queue: mq_close(3). Calls that wait on it go on. @throws SystemCallError EBADF */
export function mq_close(mqdes: number): void {
  answerOf(native.closeUsers(mqdes), "mq_close");
}

function attributesOf(fields: Float64Array): MqAttributes {
  return {
    mq_flags: fields[MqueueField.flags],
    mq_maxmsg: fields[MqueueField.maxmsg],
    mq_msgsize: fields[MqueueField.msgsize],
    mq_curmsgs: fields[MqueueField.curmsgs],
  };
}

/** Facts about a queue: mq_getattr(3). @throws SystemCallError EBADF */
export function mq_getattr(mqdes: number): MqAttributes {
  return attributesNow(mqdes, "mq_getattr");
}

function attributesNow(mqdes: number, syscall: string): MqAttributes {
  const fields = new Float64Array(MQUEUE_FIELDS);
  answerOf(native.mq_getattr(mqdes, fields), syscall);
  return attributesOf(fields);
}

/**
 * Sets or clears O_NONBLOCK, and answers what was before: mq_setattr(3).
 * @param attributes `mq_flags`: O_NONBLOCK or 0
 * @throws SystemCallError EBADF, EINVAL (another flag)
 */
export function mq_setattr(mqdes: number, attributes: { mq_flags: number }): MqAttributes {
  const fields = new Float64Array(MQUEUE_FIELDS);
  answerOf(native.mq_setattr(mqdes, fieldsOf(attributes, "mq_setattr", "attributes").mq_flags, fields), "mq_setattr");
  return attributesOf(fields);
}

function sending(mqdes: number, message: Uint8Array, priority: number, syscall = "mq_send"): BlockingCall {
  return {
    syscall,
    attempt: () => native.mq_send(mqdes, message, priority, 0),
    park: (timeoutMs) => native.mq_send(mqdes, message, priority, timeoutMs),
    start: () => native.mq_send_async(mqdes, message, priority),
  };
}

/**
 * Sends a message, and waits on a thread of its own while the queue is full: mq_send(3), with `timeoutMs` mq_timedsend(3).
 * @param message at most `mq_msgsize` bytes; copied when it has to wait
 * @param priority 0 to 32767; messages of higher priority are received first. Default: 0
 * @throws SystemCallError EMSGSIZE, EAGAIN (full, and opened with O_NONBLOCK), ETIMEDOUT, EBADF, EINVAL; the signal's reason
 */
export async function mq_send(mqdes: number, message: Uint8Array, priority = 0, options?: WaitOptions): Promise<void> {
  await callAsync(sending(mqdes, message, priority), options);
}

/** The same, blocking the calling thread. */
export function mq_sendSync(mqdes: number, message: Uint8Array, priority = 0, options?: WaitOptions): void {
  callSync(sending(mqdes, message, priority), options);
}

/**
 * {@link mq_send} to a moment of CLOCK_REALTIME: mq_timedsend(3). Setting the clock during the wait does not change it.
 * @throws SystemCallError as {@link mq_send}; the reason of the signal
 */
export async function mq_timedsend(
  mqdes: number,
  message: Uint8Array,
  priority: number,
  abs_timeout: Timespec,
  options?: SignalOption,
): Promise<void> {
  const call = sending(mqdes, message, priority, "mq_timedsend");
  await callAsync(call, untilSince1970(abs_timeout, options, call.syscall));
}

/** The same, blocking the calling thread. */
export function mq_timedsendSync(mqdes: number, message: Uint8Array, priority: number, abs_timeout: Timespec): void {
  const call = sending(mqdes, message, priority, "mq_timedsend");
  callSync(call, untilSince1970(abs_timeout, undefined, call.syscall));
}

/** The length of what came, and its priority, from how the addon answers both. */
function messageOf(bytes: Uint8Array, result: number): MqMessage {
  const length = result % PRIORITY_UNIT;
  return { data: bytes.subarray(0, length), priority: (result - length) / PRIORITY_UNIT };
}

function receiving(mqdes: number, syscall = "mq_receive"): BlockingCall<MqMessage> {
  const target = new Uint8Array(attributesNow(mqdes, syscall).mq_msgsize);
  const receive = (timeoutMs: number): MqMessage | number => {
    const result = native.mq_receive(mqdes, target, timeoutMs);
    return result < 0 ? result : messageOf(target, result);
  };
  return {
    syscall,
    attempt: () => receive(0),
    park: receive,
    start: () => received(native.mq_receive_async(mqdes, target.length)),
  };
}

function received(started: PendingCall<NativeMessage> | number): PendingCall<MqMessage> | number {
  if (typeof started === "number") return started;
  const promise = started.promise.then((answer) =>
    typeof answer === "number" ? answer : messageOf(new Uint8Array(answer.data), answer.result),
  );
  return { id: started.id, promise };
}

/**
 * Takes the oldest message of the highest priority, and waits on a thread of its own while there is none: mq_receive(3), with
 * `timeoutMs` mq_timedreceive(3). A timeout or an abort loses no message.
 * @throws SystemCallError EAGAIN (empty, and opened with O_NONBLOCK), ETIMEDOUT, EBADF; the signal's reason
 */
export async function mq_receive(mqdes: number, options?: WaitOptions): Promise<MqMessage> {
  return callAsync(receiving(mqdes), options);
}

/** The same, blocking the calling thread. */
export function mq_receiveSync(mqdes: number, options?: WaitOptions): MqMessage {
  return callSync(receiving(mqdes), options);
}

/**
 * {@link mq_receive} to a moment of CLOCK_REALTIME: mq_timedreceive(3). Setting the clock during the wait does not change it.
 * @throws SystemCallError as {@link mq_receive}; the reason of the signal
 */
export async function mq_timedreceive(
  mqdes: number,
  abs_timeout: Timespec,
  options?: SignalOption,
): Promise<MqMessage> {
  const call = receiving(mqdes, "mq_timedreceive");
  return callAsync(call, untilSince1970(abs_timeout, options, call.syscall));
}

/** The same, blocking the calling thread. */
export function mq_timedreceiveSync(mqdes: number, abs_timeout: Timespec): MqMessage {
  const call = receiving(mqdes, "mq_timedreceive");
  return callSync(call, untilSince1970(abs_timeout, undefined, call.syscall));
}

/**
 * Waits until a message arrives in the queue while it is empty and nobody receives: mq_notify(3). This process is registered when the
 * call answers, and not any more when it has ended: one message, an abort or a deadline. Messages that are there already count for nothing:
 * receive them after registering. Another process is refused meanwhile, and so is another thread of this one.
 *
 * Closing any descriptor of the queue with {@link mq_close} ends it, as in C. A process with a pending call lives until it ends.
 * @throws SystemCallError EBUSY when somebody is registered; ECANCELED when this process closed a descriptor of the queue; EBADF;
 * EAFNOSUPPORT or EPERM where sockets of AF_NETLINK are forbidden; ETIMEDOUT; the signal's reason
 * @example
 * ```ts
 * import { mq_close, mq_notify, mq_open, mq_receiveSync, mq_sendSync, mq_unlink, O_CREAT, O_RDWR } from "shmkit/posix";
 *
 * const queue = mq_open("/api-notify", O_CREAT | O_RDWR, 0o600, { mq_maxmsg: 4, mq_msgsize: 128 });
 * const arrived = mq_notify(queue, { timeoutMs: 1000 });
 * mq_sendSync(queue, new TextEncoder().encode("x")); // elsewhere
 * await arrived;
 * console.log(mq_receiveSync(queue).data.length); // 1
 * mq_close(queue);
 * mq_unlink("/api-notify");
 * ```
 */
export async function mq_notify(mqdes: number, options?: WaitOptions): Promise<void> {
  await callAsync({ syscall: "mq_notify", attempt: () => MUST_WAIT, start: () => native.mq_notify(mqdes) }, options);
}
