// The public interface, without comments. Generated: npm run check -- api-report --fix

export const CLOCK_REALTIME: number, CLOCK_MONOTONIC: number;

export const F_GETFD: number, F_SETFD: number, F_GETFL: number, F_ADD_SEALS: number, F_GET_SEALS: number, FD_CLOEXEC: number;

export const F_GETLEASE: number, F_SETLEASE: number, F_RDLCK: number, F_WRLCK: number, F_UNLCK: number;

export const F_SEAL_SEAL: number, F_SEAL_SHRINK: number, F_SEAL_GROW: number, F_SEAL_WRITE: number, F_SEAL_FUTURE_WRITE: number;

export const MADV_HUGEPAGE: number, MADV_NOHUGEPAGE: number, MADV_DONTDUMP: number, MADV_DODUMP: number;

export const MADV_REMOVE: number, MADV_DONTFORK: number, MADV_DOFORK: number, MADV_MERGEABLE: number, MADV_UNMERGEABLE: number;

export const MADV_NORMAL: number, MADV_RANDOM: number, MADV_SEQUENTIAL: number, MADV_WILLNEED: number, MADV_DONTNEED: number, MADV_FREE: number;

export const MAP_SHARED: number, MAP_PRIVATE: number, MAP_ANONYMOUS: number, MAP_NORESERVE: number, MAP_POPULATE: number, MAP_LOCKED: number;

export const MFD_CLOEXEC: number, MFD_ALLOW_SEALING: number, MFD_NOEXEC_SEAL: number;

export const MS_ASYNC: number, MS_SYNC: number, MS_INVALIDATE: number;

export type Mapped = ArrayBufferLike | ArrayBufferView;

export interface MqAttributes {
    readonly mq_flags: number;
    readonly mq_maxmsg: number;
    readonly mq_msgsize: number;
    readonly mq_curmsgs: number;
}

export interface MqMessage {
    readonly data: Uint8Array;
    readonly priority: number;
}

export const O_RDONLY: number, O_WRONLY: number, O_RDWR: number, O_CREAT: number, O_EXCL: number, O_TRUNC: number, O_NONBLOCK: number, O_CLOEXEC: number;

export const PROT_NONE: number, PROT_READ: number, PROT_WRITE: number, PROT_EXEC: number;

export const PTHREAD_MUTEX_NORMAL: number, PTHREAD_MUTEX_RECURSIVE: number, PTHREAD_MUTEX_ERRORCHECK: number;

export const PTHREAD_MUTEX_STALLED: number, PTHREAD_MUTEX_ROBUST: number;

export class PthreadCond {
}

export type PthreadLocked = "locked" | "EOWNERDEAD";

export class PthreadMutex {
}

export interface PthreadMutexAttributes {
    type?: number;
    robust?: number;
}

export const SIZEOF_PTHREAD_MUTEX_T: number, SIZEOF_PTHREAD_COND_T: number;

export class Semaphore {
    readonly name?: string | undefined;
}

export type SignalOption = Pick<WaitOptions, "signal">;

export interface Stat {
    readonly st_dev: number;
    readonly st_ino: number;
    readonly st_mode: number;
    readonly st_nlink: number;
    readonly st_uid: number;
    readonly st_gid: number;
    readonly st_size: number;
    readonly st_blocks: number;
}

export class SystemCallError extends Error {
    readonly code: string;
    readonly errno: number;
    readonly syscall: string;
    readonly path?: string;
    constructor(errno: number, syscall: string, path?: string);
}

export interface Timespec {
    readonly tv_sec: number;
    readonly tv_nsec: number;
}

export interface WaitOptions {
    timeoutMs?: number;
    signal?: AbortSignal;
}

export function close(fd: number): void;

export function fcntl(fd: number, cmd: number, arg?: number): number;

export function fstat(fd: number): Stat;

export function ftruncate(fd: number, length: number): void;

export function madvise(memory: Mapped, advice: number): void;

export const mapping_is_lost: (memory: Mapped) => boolean;

export function memfd_create(name: string, flags?: number): number;

export function mlock(memory: Mapped): void;

export function mmap(length: number, prot: number, flags: number, fd: number, offset?: number): ArrayBuffer;

export function mprotect(memory: Mapped, prot: number): void;

export function mq_close(mqdes: number): void;

export function mq_getattr(mqdes: number): MqAttributes;

export function mq_notify(mqdes: number, options?: WaitOptions): Promise<void>;

export function mq_open(name: string, oflag: number, mode?: number, attributes?: {
    mq_maxmsg: number;
    mq_msgsize: number;
}): number;

export function mq_receive(mqdes: number, options?: WaitOptions): Promise<MqMessage>;

export function mq_receiveSync(mqdes: number, options?: WaitOptions): MqMessage;

export function mq_send(mqdes: number, message: Uint8Array, priority?: number, options?: WaitOptions): Promise<void>;

export function mq_sendSync(mqdes: number, message: Uint8Array, priority?: number, options?: WaitOptions): void;

export function mq_setattr(mqdes: number, attributes: {
    mq_flags: number;
}): MqAttributes;

export function mq_timedreceive(mqdes: number, abs_timeout: Timespec, options?: SignalOption): Promise<MqMessage>;

export function mq_timedreceiveSync(mqdes: number, abs_timeout: Timespec): MqMessage;

export function mq_timedsend(mqdes: number, message: Uint8Array, priority: number, abs_timeout: Timespec, options?: SignalOption): Promise<void>;

export function mq_timedsendSync(mqdes: number, message: Uint8Array, priority: number, abs_timeout: Timespec): void;

export function mq_unlink(name: string): void;

export function msync(memory: Mapped, flags?: number): Promise<void>;

export function msyncSync(memory: Mapped, flags?: number): void;

export function munlock(memory: Mapped): void;

export function munmap(memory: Mapped): void;

export function posix_fallocate(fd: number, offset: number, len: number, options?: WaitOptions): Promise<void>;

export function posix_fallocateSync(fd: number, offset: number, len: number): void;

export function pthread_cond_at(place: Mapped): PthreadCond;

export function pthread_cond_broadcast(cond: PthreadCond): void;

export function pthread_cond_destroy(cond: PthreadCond): void;

export function pthread_cond_init(place: Mapped, attributes?: {
    clock?: number;
}): PthreadCond;

export function pthread_cond_signal(cond: PthreadCond): void;

export function pthread_cond_wait(cond: PthreadCond, mutex: PthreadMutex, until: () => boolean, options?: WaitOptions): Promise<PthreadLocked>;

export function pthread_cond_waitSync(cond: PthreadCond, mutex: PthreadMutex, until: () => boolean, options?: WaitOptions): PthreadLocked;

export function pthread_mutex_at(place: Mapped): PthreadMutex;

export function pthread_mutex_consistent(mutex: PthreadMutex): void;

export function pthread_mutex_destroy(mutex: PthreadMutex): void;

export function pthread_mutex_init(place: Mapped, attributes?: PthreadMutexAttributes): PthreadMutex;

export function pthread_mutex_lock(mutex: PthreadMutex, options?: WaitOptions): Promise<PthreadLocked>;

export function pthread_mutex_lockSync(mutex: PthreadMutex, options?: WaitOptions): PthreadLocked;

export function pthread_mutex_trylock(mutex: PthreadMutex): PthreadLocked;

export function pthread_mutex_unlock(mutex: PthreadMutex): void;

export function sem_at(place: Mapped): Semaphore;

export function sem_close(sem: Semaphore): void;

export function sem_destroy(sem: Semaphore): void;

export function sem_getvalue(sem: Semaphore): number;

export function sem_init(place: Mapped, pshared: boolean, value: number): Semaphore;

export function sem_open(name: string, oflag: number, mode?: number, value?: number): Semaphore;

export function sem_post(sem: Semaphore): void;

export function sem_timedwait(sem: Semaphore, abs_timeout: Timespec, options?: SignalOption): Promise<void>;

export function sem_timedwaitSync(sem: Semaphore, abs_timeout: Timespec): void;

export function sem_trywait(sem: Semaphore): void;

export function sem_unlink(name: string): void;

export function sem_wait(sem: Semaphore, options?: WaitOptions): Promise<void>;

export function sem_waitSync(sem: Semaphore, options?: WaitOptions): void;

export function shm_open(name: string, oflag: number, mode?: number): number;

export function shm_unlink(name: string): void;
