import { win32 } from "../../native/win32-addon.js";
import { handleOf, idOf, type Handle } from "./handles.js";
import { answerOf, nameIfAny, nameOf } from "./win32-error.js";

/**
 * Makes an event, or opens the one of that name as it is ({@link Handle.alreadyExists}).
 * @param bManualReset whether it stays set until {@link ResetEvent}; otherwise whoever has waited for it resets it, and is the only one
 * @param bInitialState whether it is set. Default: false
 * @param lpName as for {@link CreateFileMapping}
 * @throws Win32Error ERROR_INVALID_HANDLE (another object's name), ERROR_ACCESS_DENIED, ERROR_PATH_NOT_FOUND
 */
export function CreateEvent(bManualReset: boolean, bInitialState = false, lpName?: string): Handle<"event"> {
  const addon = win32();
  const name = nameIfAny(lpName, "CreateEvent");
  return handleOf(addon.CreateEvent(bManualReset, bInitialState, name), "event", "CreateEvent", name);
}

/**
 * Opens the event of a name.
 * @param dwDesiredAccess EVENT_ALL_ACCESS, or SYNCHRONIZE (to wait) with EVENT_MODIFY_STATE (to set and reset)
 * @throws Win32Error ERROR_FILE_NOT_FOUND, ERROR_INVALID_HANDLE (another object's name), ERROR_ACCESS_DENIED
 */
export function OpenEvent(dwDesiredAccess: number, lpName: string): Handle<"event"> {
  const addon = win32();
  const name = nameOf(lpName, "OpenEvent");
  return handleOf(addon.OpenEvent(dwDesiredAccess, name), "event", "OpenEvent", name);
}

/** Sets an event, which lets all waits go on, or without manual reset one. @throws Win32Error ERROR_ACCESS_DENIED */
export function SetEvent(hEvent: Handle<"event">): void {
  const addon = win32();
  answerOf(addon.SetEvent(idOf(hEvent, "SetEvent", "event")), "SetEvent", hEvent.name);
}

/** Resets an event. @throws Win32Error ERROR_ACCESS_DENIED */
export function ResetEvent(hEvent: Handle<"event">): void {
  const addon = win32();
  answerOf(addon.ResetEvent(idOf(hEvent, "ResetEvent", "event")), "ResetEvent", hEvent.name);
}
