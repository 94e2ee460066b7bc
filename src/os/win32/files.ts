import { win32 } from "../../native/win32-addon.js";
import { FILE_ATTRIBUTE_NORMAL } from "./constants.js";
import { handleOf, type Handle } from "./handles.js";
import { nameOf } from "./win32-error.js";

/**
 * Opens or makes a file, to be mapped by {@link CreateFileMapping}. Like what is made of it, it belongs to these calls: Node's
 * own descriptors are others.
 * @param dwDesiredAccess GENERIC_READ, GENERIC_WRITE, or both
 * @param dwShareMode what others may do with it: FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_SHARE_DELETE, or 0
 * @param dwCreationDisposition CREATE_NEW, CREATE_ALWAYS, OPEN_EXISTING, OPEN_ALWAYS or TRUNCATE_EXISTING
 * @param dwFlagsAndAttributes Default: FILE_ATTRIBUTE_NORMAL
 * @throws Win32Error ERROR_FILE_NOT_FOUND, ERROR_FILE_EXISTS, ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, …; ERROR_NOT_SUPPORTED for pipes and devices
 */
export function CreateFile(
  lpFileName: string,
  dwDesiredAccess: number,
  dwShareMode: number,
  dwCreationDisposition: number,
  dwFlagsAndAttributes = FILE_ATTRIBUTE_NORMAL,
): Handle<"file"> {
  const addon = win32();
  const name = nameOf(lpFileName, "CreateFile");
  const answer = addon.CreateFile(name, dwDesiredAccess, dwShareMode, dwCreationDisposition, dwFlagsAndAttributes);
  return handleOf(answer, "file", "CreateFile", name);
}
