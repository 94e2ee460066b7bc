/**
 * System V shared memory, semaphores and message queues under their own names: what the man pages say holds, and what they
 * leave undefined ends in an error. Calls that may block have an asynchronous form and one that ends in `Sync`. What is made
 * stays until it is removed, or the machine starts anew: `ipcs` lists it.
 * @module shmkit/sysv
 */
import { requireLinux } from "../native/addon.js";

requireLinux("shmkit/sysv");

export * from "./sysv/constants.js";
export { ftok, type IpcChange, type IpcPerm } from "./sysv/ipc.js";
export * from "./sysv/shared-memory.js";
export * from "./sysv/semaphores.js";
export * from "./sysv/message-queues.js";
export { SystemCallError } from "./system-call-error.js";
export type { Timespec } from "./timespec.js";
export type { SignalOption, WaitOptions } from "../base/deadline.js";
