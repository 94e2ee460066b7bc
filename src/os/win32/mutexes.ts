import { win32 } from "../../native/win32-addon.js";
import { handleOf, idOf, type Handle } from "./handles.js";
import { answerOf, nameIfAny, nameOf } from "./win32-error.js";

/**
 * Makes a mutex, or opens the one of that name; then nobody is made its owner ({@link Handle.alreadyExists}).
 *
 * A thread owns a mutex, as often as it has got it, and whatever task of it has: tasks of one thread do not exclude each other.
 * When a thread ends that owns one, the next that waits gets it, and is told: WAIT_ABANDONED.
 * @param bInitialOwner whether the calling thread owns it from the beginning. Default: false
 * @param lpName as for {@link CreateFileMapping}
 * @throws Win32Error ERROR_INVALID_HANDLE (another object's name), ERROR_ACCESS_DENIED, ERROR_PATH_NOT_FOUND
 * @example
 * ```ts no-run
 * import { CreateMutex, ReleaseMutex, WAIT_ABANDONED, WAIT_TIMEOUT, WaitForSingleObject } from "shmkit/win32";
 *
 * const mutex = CreateMutex(false, "Local\\guard");
 * const waited = await WaitForSingleObject(mutex, 1000);
 * if (waited !== WAIT_TIMEOUT) {
 *   if (waited === WAIT_ABANDONED) console.log("its owner died: what it guards may be half changed");
 *   ReleaseMutex(mutex);
 * }
 * ```
 */
export function CreateMutex(bInitialOwner = false, lpName?: string): Handle<"mutex"> {
  const addon = win32();
  const name = nameIfAny(lpName, "CreateMutex");
  return handleOf(addon.CreateMutex(bInitialOwner, name), "mutex", "CreateMutex", name);
}

/**
 * Opens the mutex of a name.
 * @param dwDesiredAccess MUTEX_ALL_ACCESS, or SYNCHRONIZE, which suffices
 * @throws Win32Error ERROR_FILE_NOT_FOUND, ERROR_INVALID_HANDLE (another object's name), ERROR_ACCESS_DENIED
 */
export function OpenMutex(dwDesiredAccess: number, lpName: string): Handle<"mutex"> {
  const addon = win32();
  const name = nameOf(lpName, "OpenMutex");
  return handleOf(addon.OpenMutex(dwDesiredAccess, name), "mutex", "OpenMutex", name);
}

/** Gives a mutex up, once for each time that this thread has got it. @throws Win32Error ERROR_NOT_OWNER when it is not this thread's */
export function ReleaseMutex(hMutex: Handle<"mutex">): void {
  const addon = win32();
  answerOf(addon.ReleaseMutex(idOf(hMutex, "ReleaseMutex", "mutex")), "ReleaseMutex", hMutex.name);
}
