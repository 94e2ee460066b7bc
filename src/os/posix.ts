/**
 * POSIX shared memory, mapped files, semaphores and message queues under their own names: what the man pages say holds, and what they leave
 * undefined ends in an error. Calls that may block have an asynchronous form and one that ends in `Sync`.
 * @module shmkit/posix
 */
export * from "./posix/constants.js";
export * from "./posix/files.js";
export * from "./posix/memory.js";
export * from "./posix/message-queues.js";
export * from "./posix/semaphores.js";
export { SystemCallError } from "./system-call-error.js";
export type { WaitOptions } from "../base/deadline.js";
