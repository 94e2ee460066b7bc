import { constants } from "node:os";
import { native } from "../native/addon.js";
import { system } from "./constants.js";

const { EOWNERDEAD, ENOTRECOVERABLE } = system;

/** Names of errno values; libuv's list, which `util.getSystemErrorName` knows, lacks those of System V, and Node's those of mutexes. */
const NAMES = new Map<number, string>();
for (const [name, number] of Object.entries({ ...constants.errno, EOWNERDEAD, ENOTRECOVERABLE }))
  if (!NAMES.has(number)) NAMES.set(number, name);

/**
 * A system call failed. Carries what Node's own errors of system calls carry: `code` (`"ENOENT"`), `errno` (negative, see
 * errno(3)), `syscall`, and `path` for calls that take a name.
 * @example
 * ```ts
 * import { shm_open, SystemCallError, O_RDWR } from "shmkit/posix";
 *
 * try {
 *   shm_open("/api-nothing-here", O_RDWR);
 * } catch (error) {
 *   if (!(error instanceof SystemCallError) || error.code !== "ENOENT") throw error;
 * }
 * ```
 */
export class SystemCallError extends Error {
  /** Name of the errno: `"ENOENT"`. */
  readonly code: string;
  /** The errno, negative as in Node's own errors. */
  readonly errno: number;
  /** The call: `"shm_open"`. */
  readonly syscall: string;
  /** The name that the call was given, if it takes one. */
  readonly path?: string;

  constructor(errno: number, syscall: string, path?: string) {
    const code = NAMES.get(-errno) ?? `E${-errno}`;
    super(`${code}: ${native.errorText(-errno)}, ${syscall}${path === undefined ? "" : ` '${path}'`}`);
    this.name = "SystemCallError";
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
  }
}

/** Passes on what is not negative. @throws SystemCallError */
export function answerOf(result: number, syscall: string, path?: string): number {
  if (result < 0) throw new SystemCallError(result, syscall, path);
  return result;
}

/** The longest path of the system, and of the addon's texts. */
const LONGEST_NAME = 4096;

/** A name for a system call. @throws SystemCallError EINVAL for one that no system call takes: endless, or with a NUL */
export function nameOf(name: string, syscall: string): string {
  if (typeof name === "string" && (Buffer.byteLength(name) > LONGEST_NAME || name.includes("\0")))
    throw new SystemCallError(-constants.errno.EINVAL, syscall, name);
  return name;
}
