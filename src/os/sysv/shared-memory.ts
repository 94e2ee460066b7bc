import { native } from "../../native/addon.js";
import { isLost, rangeOf, remember, unmapUsers } from "../raw-memory.js";
import { answerOf, SystemCallError } from "../system-call-error.js";
import { IPC_SET, IPC_STAT } from "./constants.js";
import { changeOf, statOf, timeOf, type IpcChange, type IpcPerm } from "./ipc.js";

/** Facts about a segment; `struct shmid_ds` in C. */
export interface ShmidDs {
  /** Whose it is. */
  readonly shm_perm: IpcPerm;
  /** Bytes. */
  readonly shm_segsz: number;
  /** When somebody last attached it. */
  readonly shm_atime: Date | undefined;
  /** When somebody last detached it. */
  readonly shm_dtime: Date | undefined;
  /** When it was made or changed. */
  readonly shm_ctime: Date | undefined;
  /** The process that made it. */
  readonly shm_cpid: number;
  /** The process that attached or detached it last, 0 for none. */
  readonly shm_lpid: number;
  /** How often it is attached now. */
  readonly shm_nattch: number;
}

/**
 * Finds or makes a segment of shared memory and answers its identifier: shmget(2). It stays until {@link shmctl} removes it.
 * @param key of {@link ftok} or chosen; IPC_PRIVATE makes a new one
 * @param size bytes; 0 when it must exist
 * @param shmflg rights such as 0o600, with IPC_CREAT and IPC_EXCL
 * @throws SystemCallError ENOENT, EEXIST, EINVAL (also when it exists and is smaller), EACCES, ENOSPC, ENOMEM
 * @example
 * ```ts
 * import { IPC_CREAT, IPC_PRIVATE, IPC_RMID, shmat, shmctl, shmdt, shmget } from "shmkit/sysv";
 *
 * const id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0o600);
 * const numbers = new Int32Array(shmat(id));
 * numbers[0] = 42;
 * shmdt(numbers);
 * shmctl(id, IPC_RMID);
 * ```
 */
export function shmget(key: number, size: number, shmflg: number): number {
  return answerOf(native.shmget(key, size, shmflg), "shmget");
}

/**
 * Attaches a segment, at an address of the system's choice: shmat(2).
 *
 * With SHM_RDONLY a write by mistake does not end the process, as it does in C: the memory becomes a copy of this process,
 * which others' writes do not reach any more ({@link shm_is_lost}).
 * @param shmflg 0 or SHM_RDONLY
 * @throws SystemCallError EINVAL, EACCES, EIDRM, ENOMEM
 */
export function shmat(shmid: number, shmflg = 0): ArrayBuffer {
  const mapping = native.shmat(shmid, shmflg);
  if (typeof mapping === "number") throw new SystemCallError(mapping, "shmat");
  return remember(mapping);
}

/** Detaches a segment: shmdt(2). Views of it stay valid and read zeroes. @throws SystemCallError EBUSY while a thread of this process has a mutex in it */
export function shmdt(memory: ArrayBufferLike | ArrayBufferView): void {
  unmapUsers(rangeOf(memory, "shmdt"), "shmdt");
}

/** Whether memory that was attached with SHM_RDONLY has become a copy, since somebody wrote to it. No call of C's. */
export const shm_is_lost = (memory: ArrayBufferLike | ArrayBufferView): boolean =>
  isLost(rangeOf(memory, "shm_is_lost"));

/** What a segment is: shmctl(2) with IPC_STAT. @throws SystemCallError EINVAL, EIDRM, EACCES */
export function shmctl(shmid: number, cmd: typeof IPC_STAT): ShmidDs;
/** Removes it once nobody has it attached (IPC_RMID), keeps it in memory or not (SHM_LOCK, SHM_UNLOCK). @throws SystemCallError EINVAL, EIDRM, EPERM, ENOMEM */
export function shmctl(shmid: number, cmd: number): ShmidDs | undefined;
/** Changes its owner or rights (IPC_SET). @throws SystemCallError EINVAL, EIDRM, EPERM */
export function shmctl(shmid: number, cmd: number, change: IpcChange): undefined;
export function shmctl(shmid: number, cmd: number, change?: IpcChange): ShmidDs | undefined {
  if (cmd === IPC_STAT) return facts(shmid);
  if (cmd === IPC_SET) {
    const { over } = changeOf(change, "shmctl");
    const { uid, gid, mode } = over(facts(shmid).shm_perm);
    answerOf(native.shm_set(shmid, uid, gid, mode), "shmctl");
  } else answerOf(native.shm_command(shmid, cmd), "shmctl");
  return undefined;
}

function facts(shmid: number): ShmidDs {
  const { perm, own } = statOf((target) => native.shm_stat(shmid, target), "shmctl");
  const [segsz, atime, dtime, ctime, cpid, lpid, nattch] = own;
  return {
    shm_perm: perm,
    shm_segsz: segsz,
    shm_atime: timeOf(atime),
    shm_dtime: timeOf(dtime),
    shm_ctime: timeOf(ctime),
    shm_cpid: cpid,
    shm_lpid: lpid,
    shm_nattch: nattch,
  };
}
