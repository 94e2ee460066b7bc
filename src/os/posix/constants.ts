/** Constants of POSIX and Linux under their own names, with this machine's values; see the man page of the call that takes them. */
import { system } from "../constants.js";

export const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_NONBLOCK, O_CLOEXEC } = system;
export const { PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC } = system;
export const { MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED } = system;
export const { MS_ASYNC, MS_SYNC, MS_INVALIDATE } = system;
export const { MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE } = system;
export const { MADV_REMOVE, MADV_DONTFORK, MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE } = system;
export const { MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP } = system;
export const { MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_NOEXEC_SEAL } = system;
export const { F_GETFD, F_SETFD, F_GETFL, F_ADD_SEALS, F_GET_SEALS, FD_CLOEXEC } = system;
export const { F_GETLEASE, F_SETLEASE, F_RDLCK, F_WRLCK, F_UNLCK } = system;
export const { F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, F_SEAL_FUTURE_WRITE } = system;
export const { PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK } = system;
export const { PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ROBUST } = system;
export const { CLOCK_REALTIME, CLOCK_MONOTONIC } = system;
/** `sizeof` in C: bytes that an object takes. */
export const { SIZEOF_PTHREAD_MUTEX_T, SIZEOF_PTHREAD_COND_T } = system;
