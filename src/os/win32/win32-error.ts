import { ArgumentError } from "../../base/errors.js";
import { show } from "../../base/arguments.js";
import { win32 } from "../../native/win32-addon.js";

/** Names of the errors that these calls are known to end with; others are called by their number. */
const NAMES: Readonly<Record<number, string>> = {
  1: "ERROR_INVALID_FUNCTION",
  2: "ERROR_FILE_NOT_FOUND",
  3: "ERROR_PATH_NOT_FOUND",
  4: "ERROR_TOO_MANY_OPEN_FILES",
  5: "ERROR_ACCESS_DENIED",
  6: "ERROR_INVALID_HANDLE",
  8: "ERROR_NOT_ENOUGH_MEMORY",
  14: "ERROR_OUTOFMEMORY",
  15: "ERROR_INVALID_DRIVE",
  19: "ERROR_WRITE_PROTECT",
  21: "ERROR_NOT_READY",
  23: "ERROR_CRC",
  31: "ERROR_GEN_FAILURE",
  32: "ERROR_SHARING_VIOLATION",
  33: "ERROR_LOCK_VIOLATION",
  50: "ERROR_NOT_SUPPORTED",
  53: "ERROR_BAD_NETPATH",
  80: "ERROR_FILE_EXISTS",
  87: "ERROR_INVALID_PARAMETER",
  112: "ERROR_DISK_FULL",
  123: "ERROR_INVALID_NAME",
  161: "ERROR_BAD_PATHNAME",
  183: "ERROR_ALREADY_EXISTS",
  206: "ERROR_FILENAME_EXCED_RANGE",
  258: "WAIT_TIMEOUT",
  267: "ERROR_DIRECTORY",
  288: "ERROR_NOT_OWNER",
  298: "ERROR_TOO_MANY_POSTS",
  299: "ERROR_PARTIAL_COPY",
  303: "ERROR_DELETE_PENDING",
  487: "ERROR_INVALID_ADDRESS",
  995: "ERROR_OPERATION_ABORTED",
  998: "ERROR_NOACCESS",
  1006: "ERROR_FILE_INVALID",
  1117: "ERROR_IO_DEVICE",
  1132: "ERROR_MAPPED_ALIGNMENT",
  1224: "ERROR_USER_MAPPED_FILE",
  1450: "ERROR_NO_SYSTEM_RESOURCES",
  1455: "ERROR_COMMITMENT_LIMIT",
  1816: "ERROR_NOT_ENOUGH_QUOTA",
};

/**
 * A call of Windows failed: `code` is the name of the error (`"ERROR_FILE_NOT_FOUND"`), `errno` its number, as GetLastError
 * has it, with `syscall`, and `path` for calls that take a name.
 * @example
 * ```ts no-run
 * import { MUTEX_ALL_ACCESS, OpenMutex, Win32Error } from "shmkit/win32";
 *
 * try {
 *   OpenMutex(MUTEX_ALL_ACCESS, "Local\\nothing-here");
 * } catch (error) {
 *   if (!(error instanceof Win32Error) || error.code !== "ERROR_FILE_NOT_FOUND") throw error;
 * }
 * ```
 */
export class Win32Error extends Error {
  /** Name of the error: `"ERROR_FILE_NOT_FOUND"`; `"ERROR_1234"` for one that these calls are not known for. */
  readonly code: string;
  /** Number of the error, as GetLastError has it: 2. */
  readonly errno: number;
  /** The call: `"OpenMutex"`. */
  readonly syscall: string;
  /** The name that the call was given, if it takes one. */
  readonly path?: string;

  constructor(errno: number, syscall: string, path?: string) {
    const code = NAMES[errno] ?? `ERROR_${errno}`;
    super(`${code}: ${win32().errorText(errno).trim()} ${syscall}${path === undefined ? "" : ` '${path}'`}`);
    this.name = "Win32Error";
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
  }
}

export const ERROR_INVALID_HANDLE = 6;
const ERROR_INVALID_NAME = 123;
const ERROR_FILENAME_EXCED_RANGE = 206;

/** Passes on what is not negative. @throws Win32Error */
export function answerOf(result: number, syscall: string, path?: string): number {
  if (result < 0) throw new Win32Error(-result, syscall, path);
  return result;
}

/** The longest name that the addon takes, in UTF-16. */
const LONGEST_NAME = 4096;

/** A name for a call. @throws Win32Error for one that Windows would take for another: empty, endless, or with a NUL */
export function nameOf(name: string, syscall: string): string {
  if (typeof name !== "string")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `the name for ${syscall} must be a string, not ${show(name)}`);
  if (name === "" || name.includes("\0")) throw new Win32Error(ERROR_INVALID_NAME, syscall, name);
  if (name.length > LONGEST_NAME) throw new Win32Error(ERROR_FILENAME_EXCED_RANGE, syscall, name);
  return name;
}

/** The same for a call that makes what has no name as well. */
export const nameIfAny = (name: string | undefined, syscall: string): string | undefined =>
  name === undefined ? undefined : nameOf(name, syscall);
