import { win32 } from "../../native/win32-addon.js";
import { handleOf, idOf, type Handle } from "./handles.js";
import { answerOf, nameIfAny, nameOf } from "./win32-error.js";

/**
 * Makes a semaphore, or opens the one of that name as it is ({@link Handle.alreadyExists}).
 * @param lInitialCount 0 to `lMaximumCount`
 * @param lMaximumCount 1 to 2^31 - 1
 * @param lpName as for {@link CreateFileMapping}
 * @throws Win32Error ERROR_INVALID_PARAMETER, ERROR_INVALID_HANDLE (another object's name), ERROR_ACCESS_DENIED, ERROR_PATH_NOT_FOUND
 */
export function CreateSemaphore(lInitialCount: number, lMaximumCount: number, lpName?: string): Handle<"semaphore"> {
  const addon = win32();
  const name = nameIfAny(lpName, "CreateSemaphore");
  return handleOf(addon.CreateSemaphore(lInitialCount, lMaximumCount, name), "semaphore", "CreateSemaphore", name);
}

/**
 * Opens the semaphore of a name.
 * @param dwDesiredAccess SEMAPHORE_ALL_ACCESS, or SYNCHRONIZE (to wait) with SEMAPHORE_MODIFY_STATE (to release)
 * @throws Win32Error ERROR_FILE_NOT_FOUND, ERROR_INVALID_HANDLE (another object's name), ERROR_ACCESS_DENIED
 */
export function OpenSemaphore(dwDesiredAccess: number, lpName: string): Handle<"semaphore"> {
  const addon = win32();
  const name = nameOf(lpName, "OpenSemaphore");
  return handleOf(addon.OpenSemaphore(dwDesiredAccess, name), "semaphore", "OpenSemaphore", name);
}

/**
 * Adds to a semaphore, and answers what it was before.
 * @param lReleaseCount Default: 1
 * @throws Win32Error ERROR_TOO_MANY_POSTS above its maximum, ERROR_INVALID_PARAMETER, ERROR_ACCESS_DENIED
 */
export function ReleaseSemaphore(hSemaphore: Handle<"semaphore">, lReleaseCount = 1): number {
  const addon = win32();
  const id = idOf(hSemaphore, "ReleaseSemaphore", "semaphore");
  return answerOf(addon.ReleaseSemaphore(id, lReleaseCount), "ReleaseSemaphore", hSemaphore.name);
}
