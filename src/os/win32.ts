/**
 * Shared memory, mutexes, events and semaphores of Windows under their own names: what Microsoft's documentation says holds,
 * and what it leaves undefined ends in an error. Works on Windows; elsewhere each call throws `ERR_ADDON`. Calls that may block
 * have an asynchronous form and one that ends in `Sync`. There is no parameter for security attributes, which are the default's,
 * and none for inheritance: other processes open objects by their names.
 * @module shmkit/win32
 */
export * from "./win32/constants.js";
export * from "./win32/events.js";
export * from "./win32/files.js";
export { CloseHandle, Handle, type HandleKind } from "./win32/handles.js";
export * from "./win32/mappings.js";
export * from "./win32/mutexes.js";
export * from "./win32/semaphores.js";
export * from "./win32/waits.js";
export { Win32Error } from "./win32/win32-error.js";
export type { SignalOption } from "../base/deadline.js";
