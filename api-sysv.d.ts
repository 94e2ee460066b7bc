// The public interface, without comments. Generated: npm run check -- api-report --fix

export const GETALL: 13;

export const GETVAL: number, SETVAL: number, SETALL: number, GETPID: number, GETNCNT: number, GETZCNT: number, SEM_UNDO: number;

export const IPC_CREAT: number, IPC_EXCL: number, IPC_NOWAIT: number, IPC_RMID: number, IPC_SET: number, IPC_PRIVATE: number;

export const IPC_STAT: 2;

export type IpcChange = Partial<Pick<IpcPerm, "uid" | "gid" | "mode">>;

export interface IpcPerm {
    readonly key: number;
    readonly uid: number;
    readonly gid: number;
    readonly cuid: number;
    readonly cgid: number;
    readonly mode: number;
}

export const MSG_NOERROR: number, MSG_EXCEPT: number, MSG_COPY: number;

export interface MsqidDs {
    readonly msg_perm: IpcPerm;
    readonly msg_qnum: number;
    readonly msg_qbytes: number;
    readonly msg_cbytes: number;
    readonly msg_lspid: number;
    readonly msg_lrpid: number;
    readonly msg_stime: Date | undefined;
    readonly msg_rtime: Date | undefined;
    readonly msg_ctime: Date | undefined;
}

export const SHM_RDONLY: number, SHM_LOCK: number, SHM_UNLOCK: number, SHM_NORESERVE: number;

export interface SemBuf {
    readonly sem_num: number;
    readonly sem_op: number;
    readonly sem_flg?: number;
}

export interface SemidDs {
    readonly sem_perm: IpcPerm;
    readonly sem_nsems: number;
    readonly sem_otime: Date | undefined;
    readonly sem_ctime: Date | undefined;
}

export interface ShmidDs {
    readonly shm_perm: IpcPerm;
    readonly shm_segsz: number;
    readonly shm_atime: Date | undefined;
    readonly shm_dtime: Date | undefined;
    readonly shm_ctime: Date | undefined;
    readonly shm_cpid: number;
    readonly shm_lpid: number;
    readonly shm_nattch: number;
}

export type SignalOption = Pick<WaitOptions, "signal">;

export class SystemCallError extends Error {
    readonly code: string;
    readonly errno: number;
    readonly syscall: string;
    readonly path?: string;
    constructor(errno: number, syscall: string, path?: string);
}

export interface SysvMessage {
    readonly type: number;
    readonly data: Uint8Array;
}

export interface Timespec {
    readonly tv_sec: number;
    readonly tv_nsec: number;
}

export interface WaitOptions {
    timeoutMs?: number;
    signal?: AbortSignal;
}

export function ftok(pathname: string, proj_id: number): number;

export function msgctl(msqid: number, cmd: typeof IPC_STAT): MsqidDs;

export function msgctl(msqid: number, cmd: number): MsqidDs | undefined;

export function msgctl(msqid: number, cmd: number, change: IpcChange & {
    msg_qbytes?: number;
}): undefined;

export function msgget(key: number, msgflg: number): number;

export function msgrcv(msqid: number, msgsz: number, msgtyp?: number, msgflg?: number, options?: WaitOptions): Promise<SysvMessage>;

export function msgrcvSync(msqid: number, msgsz: number, msgtyp?: number, msgflg?: number, options?: WaitOptions): SysvMessage;

export function msgsnd(msqid: number, type: number, message: Uint8Array, msgflg?: number, options?: WaitOptions): Promise<void>;

export function msgsndSync(msqid: number, type: number, message: Uint8Array, msgflg?: number, options?: WaitOptions): void;

export function semctl(semid: number, semnum: number, cmd: typeof IPC_STAT): SemidDs;

export function semctl(semid: number, semnum: number, cmd: typeof GETALL): number[];

export function semctl(semid: number, semnum: number, cmd: number): number;

export function semctl(semid: number, semnum: number, cmd: number, argument: number | readonly number[] | IpcChange): number;

export function semget(key: number, nsems: number, semflg: number): number;

export function semop(semid: number, sops: readonly SemBuf[], options?: WaitOptions): Promise<void>;

export function semopSync(semid: number, sops: readonly SemBuf[], options?: WaitOptions): void;

export function semtimedop(semid: number, sops: readonly SemBuf[], timeout?: Timespec, options?: SignalOption): Promise<void>;

export function semtimedopSync(semid: number, sops: readonly SemBuf[], timeout?: Timespec): void;

export const shm_is_lost: (memory: ArrayBufferLike | ArrayBufferView) => boolean;

export function shmat(shmid: number, shmflg?: number): ArrayBuffer;

export function shmctl(shmid: number, cmd: typeof IPC_STAT): ShmidDs;

export function shmctl(shmid: number, cmd: number): ShmidDs | undefined;

export function shmctl(shmid: number, cmd: number, change: IpcChange): undefined;

export function shmdt(memory: ArrayBufferLike | ArrayBufferView): void;

export function shmget(key: number, size: number, shmflg: number): number;
