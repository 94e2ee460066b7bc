/**
 * The whole contract between TypeScript and the addon (`native/*.c`).
 *
 * The addon makes system calls and nothing else: it knows no data structure of a region beyond the offsets handed
 * to it. Unless stated otherwise a function returns a non-negative result or a negative errno (`-2` is ENOENT) and
 * never throws for what the system answers; a wrong argument type or an impossible value throws a `TypeError` or
 * `RangeError`, but whole numbers that the system's own calls refuse with EBADF or EINVAL are refused so here. No argument can crash the process: descriptors are checked by the kernel, mappings are small
 * integers looked up in a table of the calling environment (main thread or worker), offsets are checked against the
 * length of the mapping. Every function of a mapping answers -EBADF when it is closed or another environment's, and
 * those that sleep, wake or ring answer -EROFS for a read-only one: its private pages are nobody else's.
 *
 * The calls below are named after Linux's. The addon for Windows (`native/win32/*.c`) has those that regions need, which are
 * by other means what is said here; the errno are those that `os.constants.errno` has there. What it does not have throws ERR_ADDON.
 */

/** A mapping of the calling environment: a small positive integer, never reused while the environment lives. */
export type MappingId = number;

/** What {@link NativeAddon.map} answers. */
export interface Mapping {
  readonly id: MappingId;
  /** The mapped bytes. Stays valid for ever: closing replaces the range by private zeroes (never unmaps under a view). */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Process-private status words, see {@link StatusWord}; Int32, written by the addon, read by TypeScript. */
  readonly status: ArrayBuffer;
}

/** Indexes into the Int32Array over {@link Mapping.status}. */
export const StatusWord = {
  /** 1 once a fault (SIGBUS) replaced the mapping by private memory: the region is lost. Written by the signal handler. */
  lost: 0,
  /** Counts the closes of descriptors of this region's inode that were noticed: a hint that somebody may have died. */
  deathHints: 1,
  /** 1 while a call of the waiter's callback is on its way; TypeScript stores 0 first thing in the callback. */
  drainPosted: 2,
} as const;

/** Indexes into the Float64Array that {@link NativeAddon.stat} fills. */
export const StatField = {
  size: 0,
  uid: 1,
  gid: 2,
  mode: 3,
  inode: 4,
  device: 5,
  links: 6,
  allocatedBytes: 7,
} as const;
export const STAT_FIELDS = 8;

/**
 * How an environment leaves a region by itself when it ends without `close()`: a worker that ends or is terminated, a
 * process that ends, calls `process.exit()` or dies of an uncaught exception. On Bun and Deno the workers of a process
 * that calls `process.exit()` end as if killed.
 */
export interface ExitPlan {
  /** Path of the region's name, unlinked when nobody is left; "" for regions that stay or have no name: nothing is marked. */
  readonly path: string;
  /** Lock byte that serialises attaching and leaving (absolute file offset). */
  readonly attachLockOffset: number;
  /** First liveness byte and their number (absolute file offsets). */
  readonly livenessOffset: number;
  readonly livenessCount: number;
  /** Byte offset in the mapping of the word that receives `closedValue` before the name is removed. */
  readonly stateOffset: number;
  readonly closedValue: number;
}

/** A call that waits on a thread of its own; resolves to its result, or -errno. -ECANCELED: {@link NativeAddon.interrupt} ended it, and nothing has happened. */
export interface PendingCall<T = number> {
  readonly id: number;
  readonly promise: Promise<T | number>;
}

/** A message that came, and what the synchronous form of the call answers beside it. */
export interface NativeMessage {
  readonly result: number;
  readonly data: ArrayBuffer;
}

/** Indexes into what {@link NativeAddon.mq_getattr} fills. */
export const MqueueField = { flags: 0, maxmsg: 1, msgsize: 2, curmsgs: 3 } as const;
export const MQUEUE_FIELDS = 4;

/** Indexes into what the `_stat` functions of System V's mechanisms fill; what each of them has begins at `own`. */
export const IpcField = { key: 0, uid: 1, gid: 2, cuid: 3, cgid: 4, mode: 5, own: 6 } as const;
export const IPC_FIELDS = 16;

export interface NativeAddon {
  /** Version of this contract; the loader refuses another one. */
  readonly abi: number;
  /** True where the runtime exports `node_api_create_external_sharedarraybuffer`. */
  readonly hasExternalSharedArrayBuffer: boolean;

  // Names and files. Descriptors are opened O_CLOEXEC; paths never follow a final symbolic link. What an environment has
  // opened and not closed is closed when it ends, with the locks it holds.

  /** `open(directory, O_TMPFILE | O_RDWR)`: a nameless file with exactly `mode` (umask undone by fchmod). Follows a link that names the directory. Descriptor or -errno. */
  openTemporary(directory: string, mode: number): number;
  /** `open(path, O_CREAT | O_EXCL | O_RDWR)`, mode as above. Descriptor or -errno. */
  createExclusive(path: string, mode: number): number;
  /** `open(path, O_RDWR | O_NOFOLLOW)`, or O_RDONLY. -ELOOP for a symbolic link, -ENXIO for anything else but a regular file. Descriptor or -errno. */
  openExisting(path: string, writable: boolean): number;
  /** A new open file description of the same inode (`open("/proc/self/fd/N", O_RDWR)`); works after unlink. */
  reopen(descriptor: number): number;
  /** Gives a nameless file its name: `linkat` through /proc/self/fd. -EEXIST when the name is taken. */
  linkDescriptor(descriptor: number, path: string): number;
  /** `link(from, to)` then nothing else; the caller unlinks `from`. */
  linkPath(from: string, to: string): number;
  unlink(path: string): number;
  /** 1 when `path` (not followed) is the inode of `descriptor`, 0 when it is another one or missing, or -errno. */
  sameFile(path: string, descriptor: number): number;
  /** Fills {@link StatField}. */
  stat(descriptor: number, target: Float64Array): number;
  /** Closes what a function of this contract opened in this environment; -EBADF for any other descriptor, also for one of the same number that somebody has opened since. */
  close(descriptor: number): number;
  /** The same for what {@link shm_open}, {@link memfd_create} or {@link mq_open} opened for the user; -EBADF also for what is the library's own. */
  closeUsers(descriptor: number): number;
  /** As {@link close}, and what the last close of a file costs, 0.1 s per GiB that it gives back, off the event loop. Resolves to 0 or -errno. */
  closeAsync(descriptor: number): Promise<number>;
  /** Truncates or extends without backing (`ftruncate`). */
  truncate(descriptor: number, lengthBytes: number): number;
  /** `fallocate(fd, 0, offset, length)`: backs a range, extending the file. -ENOSPC on a full file system. Restarts on EINTR. */
  allocate(descriptor: number, offsetBytes: number, lengthBytes: number): number;
  /** The same off the event loop (one short task on the runtime's pool). Resolves to 0 or -errno. */
  allocateAsync(descriptor: number, offsetBytes: number, lengthBytes: number): Promise<number>;
  /** Gives a range back (`FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE`). */
  punch(descriptor: number, offsetBytes: number, lengthBytes: number): number;
  /** Effective user id. */
  effectiveUid(): number;
  /** CPU and start time of this process as the kernel knows it: clock ticks since boot (/proc/self/stat field 22), or 0. */
  startTime(): number;
  /** Gettid(2): thread id of the caller. */
  threadId(): number;
  /**
   * 32 random bits, unsigned; or a negative error number. `node:crypto`, asked for the same, takes an eighth of the time in
   * which the library loads. See getrandom(2).
   */
  randomWord(): number;
  /**
   * How many signals of a number processes have sent to this one since the last call: not those of a terminal, which its
   * kernel sends to every process in the foreground. The first call begins to count; before it something must handle the
   * signal, which still does. -EINVAL if nothing does. See `si_code` in sigaction(2).
   */
  sentSignals(signal: number): number;

  // Open-file-description locks on single bytes; write locks; offsets are absolute and may lie beyond the file's end.

  /** `F_OFD_SETLK`: 0 when taken, -EAGAIN when another description holds it. */
  lock(descriptor: number, offset: number): number;
  unlock(descriptor: number, offset: number): number;
  /** `F_OFD_GETLK` over a range: 1 when any byte is locked by another description, 0 when none. */
  probe(descriptor: number, offset: number, lengthBytes: number): number;

  // Mappings.

  /**
   * Maps `lengthBytes` of the file from offset 0, MAP_SHARED, read and write (read only when `writable` is false: then
   * PROT_READ|PROT_WRITE, MAP_PRIVATE so that a stray write cannot crash). The length may exceed the file: the rest is
   * reserved address space. MADV_DONTDUMP. Registered with the SIGBUS guard. Returns -errno on failure;
   * -ENOTSUP when `shared` is asked and the runtime cannot, or when the runtime refuses a buffer of this length. With
   * `keepsFile` it has a descriptor of its own, by which {@link mprotect} maps it anew.
   */
  map(
    descriptor: number,
    lengthBytes: number,
    writable: boolean,
    shared: boolean,
    keepsFile: boolean,
  ): Mapping | number;
  /**
   * Ends the use of a mapping: stops its waiter (afterwards it neither changes the region nor calls back), replaces the
   * pages by private zero memory (MAP_FIXED), then drops its liveness. Views stay readable and writable and read zeroes.
   * The finalizer of the buffer unmaps. Idempotent. Cancels the exit plan. Does not close any descriptor. Takes about
   * 20 µs for each MiB that this process has touched. -EBUSY while {@link isLocked}.
   */
  closeMapping(mapping: MappingId): number;
  /** 1 while a thread of this process has a mutex in it ({@link mutex_lock}). */
  isLocked(mapping: MappingId): number;
  /**
   * Takes `lockOffset` for as long as this environment lives or until {@link unpin}: own description, OFD lock, one
   * PROT_NONE MADV_DONTFORK page of it mapped, descriptor closed. -EAGAIN when somebody holds the byte, -EBUSY when this
   * mapping holds a pin already, -EIO when the region is lost. An environment's cleanup hook releases it.
   */
  pin(mapping: MappingId, descriptor: number, lockOffset: number): number;
  /** Stops the waiter, whose armed word may be another member's from now on, and drops the pin. Idempotent. */
  unpin(mapping: MappingId): number;
  /**
   * What the environment's cleanup hook does for this mapping: take the attach byte (tries for 0.1 s); when no liveness
   * byte but the own one is locked, store `closedValue`; replace the memory; drop the pin; and if it was the last, unlink
   * `path` if it still is this inode. Without the attach byte it only leaves. `descriptor` is duplicated. Replaces an
   * earlier plan.
   */
  setExitPlan(mapping: MappingId, descriptor: number, plan: ExitPlan): number;

  // Doorbells: futexes without FUTEX_PRIVATE_FLAG.

  /**
   * `FUTEX_WAKE_BITSET`: all sleepers of the word whose bitset meets `mask` (Int32, not 0; -1 is all). The waiter thread
   * sleeps with bitset 1, {@link park} with bitset 2: the bits of the armed word. Number woken or -errno; -EFAULT when the
   * page is gone, which loses the region.
   */
  wake(mapping: MappingId, offsetBytes: number, mask: number): number;
  /** Sleeps (`FUTEX_WAIT_BITSET`, bitset 2) while the word equals `expected`, at most `timeoutMs` (capped to 1000). 0 woken, -EAGAIN changed, -ETIMEDOUT, -EINTR, -EFAULT as for {@link wake}. */
  park(mapping: MappingId, offsetBytes: number, expected: number, timeoutMs: number): number;
  /**
   * Starts the one native thread that sleeps on the doorbell for the event loop, from the value `sampled`. Each change:
   * the thread clears bit 0 of the armed word, atomically (the member itself disarms; a ringer never does), and posts one call of
   * `callback` unless one is on its way (status word drainPosted). Unreferenced until {@link refWaiter}. The callback is
   * called as a function without arguments; what it throws goes to the runtime's uncaught-exception path. A loss that
   * nobody else notices is posted within two seconds. Once per mapping (-EBUSY).
   */
  startWaiter(
    mapping: MappingId,
    bellOffset: number,
    armedOffset: number,
    sampled: number,
    callback: () => void,
  ): number;
  /** Keeps the event loop alive while waits are pending. */
  refWaiter(mapping: MappingId): number;
  unrefWaiter(mapping: MappingId): number;
  /**
   * Notice of death: from now on every IN_CLOSE_WRITE of this region's inode adds 1 to the status word deathHints and
   * rings the waiter's doorbell (adds 1, wakes all sleepers). One inotify descriptor and thread per process. -EMFILE or
   * -ENOSPC when the user has no inotify instance or watch left: the caller probes on a timer instead. Needs
   * {@link startWaiter} first (-EINVAL).
   */
  watchDeaths(mapping: MappingId, descriptor: number): number;

  // The system's own mechanisms, as users call them. Names, numbers and errors are the system's (man pages in section 2, 3
  // and 7); what would let an access of JavaScript's fault is refused. Descriptors are owned as above.

  /** Numbers of the headers (`O_CREAT`, `PROT_READ`, …) by name. */
  constants(): Readonly<Record<string, number>>;
  /** What strerror(3) says, in English. */
  errorText(errno: number): string;
  /** Ends a {@link PendingCall}; a signal that comes too early has no effect, so repeat until the promise is settled. 1, or 0 when it has ended. */
  interrupt(id: number): number;
  /** Waits on this thread until the other one has made the call, for 100 ms at most: 0 or -ETIMEDOUT. */
  join(id: number, timeoutMs: number): number;

  /** shm_open(3). `mode` is subject to the umask. Descriptor or -errno. */
  shm_open(name: string, oflag: number, mode: number): number;
  shm_unlink(name: string): number;
  memfd_create(name: string, flags: number, isUsers: boolean): number;
  /** fcntl(2) with F_GETFD, F_SETFD, F_GETFL, F_ADD_SEALS, F_GET_SEALS, F_GETLEASE or F_SETLEASE; -EINVAL for any other command. */
  fcntl(descriptor: number, cmd: number, arg: number): number;
  /** posix_fallocate(3). */
  posix_fallocate(descriptor: number, offset: number, length: number): number;
  /** What is backed when it is interrupted may stay so. */
  posix_fallocate_async(descriptor: number, offset: number, length: number): PendingCall | number;

  /**
   * mmap(2) at an address of the kernel's choice. Without PROT_WRITE the pages are private copies, so that a stray write is
   * harmless; -ENOTSUP without any right, or for a length that the runtime refuses. `descriptor` is -1 for MAP_ANONYMOUS.
   * {@link closeMapping} unmaps.
   */
  mmap(length: number, prot: number, flags: number, descriptor: number, offset: number): Mapping | number;
  /**
   * mprotect(2): pages of files are mapped anew, those of System V are protected, and the first write to them has the effect that
   * {@link shmat} describes. No effect on private mappings, and those that {@link map} made without `keepsFile`. Here and below: -EIO when the mapping is lost.
   */
  mprotect(mapping: MappingId, offset: number, length: number, prot: number): number;
  mlock(mapping: MappingId, offset: number, length: number): number;
  munlock(mapping: MappingId, offset: number, length: number): number;
  /** madvise(2); -EINVAL for advice after which an access could fault. */
  madvise(mapping: MappingId, offset: number, length: number, advice: number): number;
  msync(mapping: MappingId, offset: number, length: number, flags: number): number;
  msync_async(mapping: MappingId, offset: number, length: number, flags: number): PendingCall | number;

  /** sem_open(3). A small number that the other functions take, or -errno. Each opening is closed by itself. */
  sem_open(name: string, oflag: number, mode: number, value: number): number;
  sem_unlink(name: string): number;
  /** sem_init(3) in a mapping: a number as above. */
  sem_init(mapping: MappingId, offset: number, pshared: boolean, value: number): number;
  /** The semaphore that somebody has initialised there. */
  sem_at(mapping: MappingId, offset: number): number;
  /** Ends the use of it here; the calls below then answer -EINVAL. */
  sem_close(sem: number): number;
  sem_trywait(sem: number): number;
  sem_post(sem: number): number;
  sem_getvalue(sem: number): number;
  /** sem_wait(3) on this thread, for 50 ms at most: -EINTR. -EIO when its page is gone, -EINVAL for contents that no semaphore has. */
  sem_park(sem: number, timeoutMs: number): number;
  sem_wait(sem: number): PendingCall | number;

  /** pthread_mutex_init(3p), process-shared: a number as for semaphores. -EBUSY over one that this thread has, -EROFS in private pages. */
  mutex_init(mapping: MappingId, offset: number, type: number, robust: number): number;
  mutex_at(mapping: MappingId, offset: number): number;
  /** -EBUSY when this thread has it. */
  mutex_destroy(mutex: number): number;
  /**
   * pthread_mutex_trylock(3p): 0, or 1 when its owner died with it (EOWNERDEAD). The calling thread has it then. Here and below:
   * -EINVAL for contents that no mutex of several processes has, -EIO when the page is gone, -ENOTSUP while a library has a
   * robust mutex on this thread.
   */
  mutex_trylock(mutex: number): number;
  /**
   * The same, waiting on this thread for 50 ms at most (robust mutexes; 1 ms for others): -ETIMEDOUT. -EDEADLK when this thread has
   * it: with 0 only for those that check errors.
   */
  mutex_lock(mutex: number, timeoutMs: number): number;
  /** -EPERM when this thread does not have it. */
  mutex_unlock(mutex: number): number;
  mutex_consistent(mutex: number): number;
  /** How often this thread has locked it, and not unlocked. */
  mutex_depth(mutex: number): number;
  cond_init(mapping: MappingId, offset: number, clock: number): number;
  cond_at(mapping: MappingId, offset: number): number;
  /** Ends the use of it here. */
  cond_close(cond: number): number;
  /** Unlocks the mutex and sleeps for 50 ms at most. -EINVAL for contents that no condition of several processes has. */
  cond_nap(cond: number, mutex: number, timeoutMs: number): number;
  /** pthread_cond_signal(3p) or pthread_cond_broadcast(3p) on a thread of its own, which cannot be interrupted. */
  cond_signal(cond: number, broadcasts: boolean): PendingCall | number;

  /** mq_open(3); the sizes are the system's unless they `areGiven`. A descriptor, or -errno. */
  mq_open(name: string, oflag: number, mode: number, mq_maxmsg: number, mq_msgsize: number, areGiven: boolean): number;
  mq_unlink(name: string): number;
  /** Fills {@link MqueueField}. */
  mq_getattr(mqdes: number, target: Float64Array): number;
  /** Sets O_NONBLOCK or not, -EINVAL for other flags; fills in what was before. */
  mq_setattr(mqdes: number, mq_flags: number, target: Float64Array): number;
  /** With timeout 0 without waiting (-ETIMEDOUT); otherwise on this thread for 50 ms at most: -EINTR. -EAGAIN: the queue is one that does not wait. */
  mq_send(mqdes: number, msg: Uint8Array, prio: number, timeoutMs: number): number;
  /** The same; answers length + priority * 2^32. */
  mq_receive(mqdes: number, target: Uint8Array, timeoutMs: number): number;
  mq_send_async(mqdes: number, msg: Uint8Array, prio: number): PendingCall | number;
  mq_receive_async(mqdes: number, length: number): PendingCall<NativeMessage> | number;

  /** mq_notify(3): registered when it answers; resolves to 0 when a message has arrived, to -ECANCELED when the registration has ended. */
  mq_notify(mqdes: number): PendingCall | number;

  /** ftok(3): a key, as an unsigned number. */
  ftok(pathname: string, proj_id: number): number;
  /** Keys are 32-bit patterns, signed or unsigned; identifiers are not negative. */
  shmget(key: number, size: number, shmflg: number): number;
  /** shmat(2); {@link closeMapping} detaches. The first write to one that was attached with SHM_RDONLY makes it a private copy, and lost. */
  shmat(id: number, shmflg: number): Mapping | number;
  /** Fills {@link IpcField}; own: segsz, atime, dtime, ctime, cpid, lpid, nattch. */
  shm_stat(id: number, target: Float64Array): number;
  shm_set(id: number, uid: number, gid: number, mode: number): number;
  /** IPC_RMID, SHM_LOCK or SHM_UNLOCK. */
  shm_command(id: number, cmd: number): number;
  semget(key: number, nsems: number, semflg: number): number;
  /** semop(2) without waiting: -EAGAIN. `sops` has three numbers for each operation: sem_num, sem_op, sem_flg. */
  semop(id: number, sops: Float64Array, nsops: number): number;
  /** On this thread for 50 ms at most: -EINTR; -EAGAIN: an operation with IPC_NOWAIT cannot be done. */
  semop_park(id: number, sops: Float64Array, nsops: number, timeoutMs: number): number;
  semop_async(id: number, sops: Float64Array, nsops: number): PendingCall | number;
  /** Fills {@link IpcField}; own: nsems, otime, ctime. */
  sem_stat(id: number, target: Float64Array): number;
  sem_set(id: number, uid: number, gid: number, mode: number): number;
  /** GETVAL, GETPID, GETNCNT, GETZCNT, SETVAL or IPC_RMID. */
  sem_command(id: number, semnum: number, cmd: number, val: number): number;
  /** GETALL, or SETALL when `sets`. */
  sem_values(id: number, values: Float64Array, sets: boolean): number;
  msgget(key: number, msgflg: number): number;
  /** With timeout 0 without waiting (-EAGAIN); otherwise on this thread for 50 ms at most: -EINTR. */
  msgsnd(id: number, mtype: number, msg: Uint8Array, msgflg: number, timeoutMs: number): number;
  msgsnd_async(id: number, mtype: number, msg: Uint8Array, msgflg: number): PendingCall | number;
  /** The same (-ENOMSG); answers the length, and fills in the type. */
  msgrcv(
    id: number,
    target: Uint8Array,
    msgtyp: number,
    msgflg: number,
    timeoutMs: number,
    mtype: Float64Array,
  ): number;
  /** The result is the type. */
  msgrcv_async(id: number, msgsz: number, msgtyp: number, msgflg: number): PendingCall<NativeMessage> | number;
  /** Fills {@link IpcField}; own: qnum, qbytes, lspid, lrpid, stime, rtime, ctime, cbytes. */
  msg_stat(id: number, target: Float64Array): number;
  msg_set(id: number, uid: number, gid: number, mode: number, msg_qbytes: number): number;
  msg_remove(id: number): number;
}

export const NATIVE_ABI = 9;
