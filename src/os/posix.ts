/**
 * POSIX shared memory, mapped files, semaphores, mutexes, conditions and message queues under their own names: what the man pages say holds, and what they leave
 * undefined ends in an error. Calls that may block have an asynchronous form and one that ends in `Sync`.
 * @module shmkit/posix
 */
import { requireLinux } from "../native/addon.js";

requireLinux("shmkit/posix");

export * from "./posix/conditions.js";
export * from "./posix/constants.js";
export * from "./posix/files.js";
export * from "./posix/memory.js";
export * from "./posix/message-queues.js";
export { PthreadMutex, type PthreadLocked, type PthreadMutexAttributes } from "./posix/mutexes.js";
export { pthread_mutex_at, pthread_mutex_destroy, pthread_mutex_init } from "./posix/mutexes.js";
export { pthread_mutex_consistent, pthread_mutex_unlock } from "./posix/mutexes.js";
export { pthread_mutex_lock, pthread_mutex_lockSync, pthread_mutex_trylock } from "./posix/mutexes.js";
export * from "./posix/semaphores.js";
export { SystemCallError } from "./system-call-error.js";
export type { Timespec } from "./timespec.js";
export type { SignalOption, WaitOptions } from "../base/deadline.js";
