import type { WaitOptions } from "../../base/deadline.js";
import { native } from "../../native/addon.js";
import { STAT_FIELDS, StatField } from "../../native/contract.js";
import { callAsync, MUST_WAIT } from "../blocking-call.js";
import { answerOf, nameOf } from "../system-call-error.js";

/** What `st_blocks` counts. */
const BLOCK_BYTES = 512;

/**
 * Opens shared memory by name and answers a descriptor: shm_open(3). What is there is at `/dev/shm/NAME`.
 * @param name begins with a slash and has no other; at most 255 bytes
 * @param oflag O_RDONLY or O_RDWR, with O_CREAT, O_EXCL, O_TRUNC. The descriptor is closed on exec, as POSIX has it
 * @param mode rights of what is created, subject to the umask. Default: 0o600
 * @throws SystemCallError ENOENT, EEXIST, EACCES, EINVAL, ENAMETOOLONG, EMFILE
 * @example
 * ```ts
 * import { close, ftruncate, mmap, munmap, shm_open, shm_unlink } from "shmkit/posix";
 * import { MAP_SHARED, O_CREAT, O_EXCL, O_RDWR, PROT_READ, PROT_WRITE } from "shmkit/posix";
 *
 * const fd = shm_open("/api-shm-open", O_RDWR | O_CREAT | O_EXCL);
 * ftruncate(fd, 4096);
 * const memory = new Int32Array(mmap(4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
 * close(fd);
 * memory[0] = 42;
 * munmap(memory.buffer);
 * shm_unlink("/api-shm-open");
 * ```
 */
export function shm_open(name: string, oflag: number, mode = 0o600): number {
  return answerOf(native.shm_open(nameOf(name, "shm_open"), oflag, mode), "shm_open", name);
}

/** Removes a name of shared memory: shm_unlink(3). The memory goes with its last mapping. @throws SystemCallError ENOENT, EACCES */
export function shm_unlink(name: string): void {
  answerOf(native.shm_unlink(nameOf(name, "shm_unlink")), "shm_unlink", name);
}

/**
 * Shared memory without a name, as a descriptor that children inherit: memfd_create(2), Linux's successor of ashmem.
 * @param name for people, in /proc/PID/maps
 * @param flags MFD_ALLOW_SEALING: {@link fcntl} may seal it. MFD_NOEXEC_SEAL (Linux 6.3): nobody can ever execute it, and it
 * may be sealed. MFD_HUGETLB is EINVAL. MFD_CLOEXEC: children get it through the `stdio` option of
 * `spawn` only; without, also under the same number
 * @throws SystemCallError EINVAL, EMFILE, ENOMEM
 */
export function memfd_create(name: string, flags = 0): number {
  return answerOf(native.memfd_create(nameOf(name, "memfd_create"), flags, true), "memfd_create", name);
}

/**
 * fcntl(2) with F_GETFD, F_SETFD, F_GETFL, F_ADD_SEALS, F_GET_SEALS, F_GETLEASE or F_SETLEASE.
 *
 * A lease for writing (F_SETLEASE, F_WRLCK) is given only while nobody else has the file open or mapped, in whatever
 * container; who opens it then waits until the lease is given back (F_UNLCK, {@link close}), for 45 s at most. The system
 * says so by SIGURG here, which is ignored unless the program handles it.
 * @throws SystemCallError EINVAL for another command, EAGAIN for a lease while others have the file, EACCES for one of another user's file, EPERM for a file that is sealed against it, EBUSY for F_SEAL_WRITE
 * while a writable mapping exists, EBADF
 */
export function fcntl(fd: number, cmd: number, arg = 0): number {
  return answerOf(native.fcntl(fd, cmd, arg), "fcntl");
}

/** Sets the length of a file in bytes, without backing it: ftruncate(2). @throws SystemCallError EBADF, EINVAL, EPERM (sealed), EFBIG */
export function ftruncate(fd: number, length: number): void {
  answerOf(native.truncate(fd, length), "ftruncate");
}

/** Facts about a file; `struct stat` in C. */
export interface Stat {
  /** The file system it is on. */
  readonly st_dev: number;
  /** Its number there. */
  readonly st_ino: number;
  /** Kind and rights. */
  readonly st_mode: number;
  /** How many names it has. */
  readonly st_nlink: number;
  /** Who owns it. */
  readonly st_uid: number;
  /** The group that owns it. */
  readonly st_gid: number;
  /** Its length in bytes. */
  readonly st_size: number;
  /** Blocks of 512 bytes that back it. */
  readonly st_blocks: number;
}

/** Facts about a file: fstat(2). @throws SystemCallError EBADF */
export function fstat(fd: number): Stat {
  const fields = new Float64Array(STAT_FIELDS);
  answerOf(native.stat(fd, fields), "fstat");
  return {
    st_dev: fields[StatField.device],
    st_ino: fields[StatField.inode],
    st_mode: fields[StatField.mode],
    st_nlink: fields[StatField.links],
    st_uid: fields[StatField.uid],
    st_gid: fields[StatField.gid],
    st_size: fields[StatField.size],
    st_blocks: fields[StatField.allocatedBytes] / BLOCK_BYTES,
  };
}

/**
 * Backs a range of a file with memory or disk, extending it, on a thread of its own: posix_fallocate(3). Where the file system
 * cannot, the C library writes to every block that has nothing in it, glibc's at least.
 * @throws SystemCallError ENOSPC when the file system is full, ETIMEDOUT, EINVAL, EBADF, EFBIG; the signal's reason. What has been
 * backed by then may stay so
 */
export async function posix_fallocate(fd: number, offset: number, len: number, options?: WaitOptions): Promise<void> {
  const call = {
    syscall: "posix_fallocate",
    attempt: () => MUST_WAIT,
    start: () => native.posix_fallocate_async(fd, offset, len),
  };
  await callAsync(call, options);
}

/** The same, on the calling thread. */
export function posix_fallocateSync(fd: number, offset: number, len: number): void {
  answerOf(native.posix_fallocate(fd, offset, len), "posix_fallocate");
}

/**
 * Closes a descriptor that {@link shm_open} or {@link memfd_create} opened in this thread: close(2). What is mapped stays.
 * @throws SystemCallError EBADF for any other: what `node:fs` opened is closed there, what regions, maps and `SharedMemory` opened by them
 */
export function close(fd: number): void {
  answerOf(native.closeUsers(fd), "close");
}
