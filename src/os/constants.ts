import { native } from "../native/addon.js";

type Name =
  | `O_${"RDONLY" | "WRONLY" | "RDWR" | "CREAT" | "EXCL" | "TRUNC" | "NONBLOCK" | "CLOEXEC"}`
  | `PROT_${"NONE" | "READ" | "WRITE" | "EXEC"}`
  | `MAP_${"SHARED" | "PRIVATE" | "ANONYMOUS" | "NORESERVE" | "POPULATE" | "LOCKED"}`
  | `MS_${"ASYNC" | "SYNC" | "INVALIDATE"}`
  | `MADV_${"NORMAL" | "RANDOM" | "SEQUENTIAL" | "WILLNEED" | "DONTNEED" | "FREE" | "REMOVE" | "DONTFORK" | "DOFORK"}`
  | `MADV_${"MERGEABLE" | "UNMERGEABLE" | "HUGEPAGE" | "NOHUGEPAGE" | "DONTDUMP" | "DODUMP"}`
  | `MFD_${"CLOEXEC" | "ALLOW_SEALING" | "NOEXEC_SEAL"}`
  | `F_${"GETFD" | "SETFD" | "GETFL" | "ADD_SEALS" | "GET_SEALS"}`
  | `F_${"GETLEASE" | "SETLEASE" | "RDLCK" | "WRLCK" | "UNLCK"}`
  | `F_SEAL_${"SEAL" | "SHRINK" | "GROW" | "WRITE" | "FUTURE_WRITE"}`
  | "FD_CLOEXEC"
  | "EOWNERDEAD"
  | "ENOTRECOVERABLE"
  | `PTHREAD_MUTEX_${"NORMAL" | "RECURSIVE" | "ERRORCHECK" | "STALLED" | "ROBUST"}`
  | `CLOCK_${"REALTIME" | "MONOTONIC"}`
  | `SIZEOF_PTHREAD_${"MUTEX" | "COND"}_T`
  | `IPC_${"CREAT" | "EXCL" | "NOWAIT" | "RMID" | "SET" | "STAT" | "PRIVATE"}`
  | `SHM_${"RDONLY" | "LOCK" | "UNLOCK" | "NORESERVE"}`
  | `${"GET" | "SET"}${"VAL" | "ALL"}`
  | `GET${"PID" | "NCNT" | "ZCNT"}`
  | "SEM_UNDO"
  | `MSG_${"NOERROR" | "EXCEPT" | "COPY"}`;

/** Numbers of this system's headers, whose values differ between processors. */
export const system = native.constants() as Readonly<Record<Name, number>>;
