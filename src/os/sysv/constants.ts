/** Constants of System V's mechanisms under their own names, with this machine's values; see the man page of the call that takes them. */
import { system } from "../constants.js";

export const { IPC_CREAT, IPC_EXCL, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_PRIVATE } = system;
/** The command that answers facts, with a type of its own: it decides what a call answers. */
export const IPC_STAT = system.IPC_STAT as 2;
export const { SHM_RDONLY, SHM_LOCK, SHM_UNLOCK, SHM_NORESERVE } = system;
export const { GETVAL, SETVAL, SETALL, GETPID, GETNCNT, GETZCNT, SEM_UNDO } = system;
/** As {@link IPC_STAT}: the command that answers the values of all semaphores of a set. */
export const GETALL = system.GETALL as 13;
export const { MSG_NOERROR, MSG_EXCEPT, MSG_COPY } = system;
