import { constants } from "node:os";
import { knownOptions, wholeNumber } from "../../base/arguments.js";
import { native } from "../../native/addon.js";
import { IPC_FIELDS, IpcField } from "../../native/contract.js";
import type { BlockingCall } from "../blocking-call.js";
import { fieldsOf } from "../fields.js";
import { answerOf, nameOf } from "../system-call-error.js";

const { EIDRM, EINVAL } = constants.errno;

/** Who owns an object of System V's, and who may use it; `struct ipc_perm` in C. */
export interface IpcPerm {
  /** Its key, as an unsigned number; 0 for IPC_PRIVATE. */
  readonly key: number;
  /** User and group that own it now. */
  readonly uid: number;
  /** See {@link uid}. */
  readonly gid: number;
  /** User and group that made it. */
  readonly cuid: number;
  /** See {@link cuid}. */
  readonly cgid: number;
  /** The nine bits of rights, and flags of the kind above them. */
  readonly mode: number;
}

/** What IPC_SET may change of it; what is not given stays. */
export type IpcChange = Partial<Pick<IpcPerm, "uid" | "gid" | "mode">>;

/**
 * A key made of a file's inode and a number: ftok(3). Two files may give the same one.
 * @param pathname a file that exists
 * @param proj_id its lower eight bits count; not 0
 * @throws SystemCallError ENOENT, EACCES
 */
export function ftok(pathname: string, proj_id: number): number {
  return answerOf(native.ftok(nameOf(pathname, "ftok"), proj_id), "ftok", pathname);
}

/** What IPC_STAT answers: the rights, and the fields of the kind in their order. */
export function statOf(fill: (target: Float64Array) => number, syscall: string): { perm: IpcPerm; own: Float64Array } {
  const fields = new Float64Array(IPC_FIELDS);
  answerOf(fill(fields), syscall);
  const perm = {
    key: fields[IpcField.key],
    uid: fields[IpcField.uid],
    gid: fields[IpcField.gid],
    cuid: fields[IpcField.cuid],
    cgid: fields[IpcField.cgid],
    mode: fields[IpcField.mode],
  };
  return { perm, own: fields.subarray(IpcField.own) };
}

/** The bits of a mode that IPC_SET takes; IPC_STAT answers flags of the kind above them. */
const RIGHTS = 0o777;
const MOST_MODE = 0xffff;
const MOST_ID = 2 ** 32 - 1;
/** All that IPC_STAT answers may be given back, as C does; what cannot be changed stays. */
const PERM: readonly (keyof IpcPerm)[] = ["uid", "gid", "mode", "key", "cuid", "cgid"];

/**
 * What IPC_SET is to set: what was given, and what is there for the rest.
 * @throws ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_OUT_OF_RANGE
 */
export function changeOf<T extends IpcChange>(
  change: T | undefined,
  syscall: string,
  own: readonly (keyof T & string)[] = [],
): { given: Partial<T>; over: (perm: IpcPerm) => { uid: number; gid: number; mode: number } } {
  const given = knownOptions(fieldsOf(change as T, syscall, "what IPC_SET sets"), [...PERM, ...own], syscall);
  return {
    given,
    over: (perm) => ({
      uid: wholeNumber(given.uid ?? perm.uid, "uid", 0, MOST_ID),
      gid: wholeNumber(given.gid ?? perm.gid, "gid", 0, MOST_ID),
      mode: wholeNumber(given.mode ?? perm.mode, "mode", 0, MOST_MODE) & RIGHTS,
    }),
  };
}

/** A time of the system's, seconds since 1970; undefined for never. */
export const timeOf = (seconds: number): Date | undefined => (seconds === 0 ? undefined : new Date(seconds * 1000));

/**
 * A call that ends with EIDRM when its object is removed while it waits. The system says EINVAL where the removal comes between
 * two waits, or before the thread that waits has begun; but the attempt had found the object, and nothing wrong with the call.
 */
export function endingWhenRemoved<T>(call: BlockingCall<T>): BlockingCall<T> {
  const named = <R>(result: R): R | number => (result === -EINVAL ? -EIDRM : result);
  return {
    ...call,
    park: (timeoutMs) => named(call.park(timeoutMs)),
    start: () => {
      const started = call.start();
      return typeof started === "number" ? started : { id: started.id, promise: started.promise.then(named) };
    },
  };
}
