/** Every code an error of this package can carry, with its meaning in one line. [Errors](../../docs/errors.md) says what to do about each. */
export const ERROR_CODES = {
  ERR_INVALID_ARGUMENT: "an argument has the wrong type or an impossible value",
  ERR_OUT_OF_RANGE: "a number lies outside its allowed range",
  ERR_INVALID_NAME: "a region or object name breaks the naming rules",
  ERR_INVALID_SIZE: 'a size is not a whole positive number of bytes or a text such as "64MiB"',
  ERR_UNKNOWN_OPTION: "an option does not exist; the nearest one is named",
  ERR_TIMEOUT: "the deadline passed before the operation could be done",
  ERR_CLOSED: "the region, object or pipe is closed",
  ERR_EXISTS: "something of that name exists already",
  ERR_NOT_FOUND: "nothing of that name exists",
  ERR_OPTIONS_DIFFER: "the object exists with other options; the difference is named",
  ERR_WRONG_KIND: "the name belongs to an object of another kind",
  ERR_NO_SPACE: "the file system behind shared memory is full",
  ERR_REGION_FULL: "the region has reached its maximum size",
  ERR_REGION_LOST: "the region was truncated or lost its backing while attached",
  ERR_MAPPING_LOST: "the mapped file was cut off while mapped, or its disk is full",
  ERR_BAD_REGION: "the file is not a valid shmkit region",
  ERR_READ_ONLY: "the region was opened for reading only",
  ERR_UNCLEAN: "the machine went down while the region on disk was in use",
  ERR_FILE_SYSTEM: "the file system cannot hold a region",
  ERR_VERSION: "the region was made with another layout version",
  ERR_CORRUPT: "a shared structure holds impossible values",
  ERR_NOT_OWNER: "the region belongs to another user",
  ERR_PERMISSION: "the operating system refused access",
  ERR_TOO_MANY_MEMBERS: "every member slot of the region is taken",
  ERR_MESSAGE_TOO_LARGE: "the message can never fit",
  ERR_NOT_ENCODABLE: "the value cannot be encoded",
  ERR_BAD_MESSAGE: "a received message cannot be decoded; its bytes are attached",
  ERR_NOT_HELD: "the lock or lease is not held by the caller",
  ERR_DEADLOCK: "waiting would never end: the caller holds the lock itself, or members wait for each other",
  ERR_RUNTIME_LIMIT: "the JavaScript runtime cannot do that",
  ERR_ADDON: "the native addon is missing or of another version",
  ERR_SYSTEM: "a system call failed in an unexpected way",
} as const;

/** A stable error code; match on it rather than on messages. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** One of the members that wait for each other in a circle, the first of them for what the second has, and so on. */
export interface DeadlockedMember {
  /** Its slot, as in `region.members()`. */
  readonly slot: number;
  /** Its process id, for people. */
  readonly pid: number;
  /** Its label. */
  readonly label: string;
  /** Address (`REGION/NAME`) of the lock that it has. */
  readonly mutex: string;
  /** Address of the lock that it waits for. */
  readonly waitsFor: string;
}

/** Structured facts carried by an error; which are present depends on the code: see [errors](../../docs/errors.md). */
export interface ErrorDetails {
  /** Path (`/dev/shm/shmkit.NAME`) or address (`REGION/NAME`) concerned. */
  readonly path?: string;
  /** What was wanted: a limit, or the options there are. */
  readonly expected?: unknown;
  /** What was found, or given. */
  readonly actual?: unknown;
  /** Who stands in the way: the member that holds a lock (`"member 3 (pid 4242, worker.js)"`), the user id that owns a file. */
  readonly owner?: unknown;
  /** The system's error as a negative number, see errno(3). */
  readonly errno?: number;
  /** The call of the system that gave it, such as `fallocate`. */
  readonly syscall?: string;
  /** The bytes of a message that could not be decoded. */
  readonly bytes?: Uint8Array;
  /** The members of a deadlock, the one that is told first. */
  readonly cycle?: readonly DeadlockedMember[];
}

const BRAND = Symbol.for("shmkit.error");

function brand(error: object, code: ErrorCode, details: ErrorDetails): void {
  Object.defineProperty(error, BRAND, { value: true });
  Object.assign(error, details, { code });
}

/**
 * Base of every error this package throws; `code` tells them apart. `instanceof ShmkitError` also holds for errors of
 * another copy of the package and for the misuse errors, which extend `TypeError` and `RangeError`. The name of a timeout
 * is `TimeoutError`, as that of the platform's own (DOM standard).
 * @example
 * ```ts
 * import { Region, ShmkitError } from "shmkit";
 *
 * try {
 *   await Region.open("api-nothing-here");
 * } catch (error) {
 *   if (!(error instanceof ShmkitError) || error.code !== "ERR_NOT_FOUND") throw error;
 *   console.log(error.message, error.path);
 * }
 * ```
 */
export class ShmkitError extends Error {
  /** Which error it is. */
  declare readonly code: ErrorCode;
  /** Path (`/dev/shm/shmkit.NAME`) or address (`REGION/NAME`) concerned. */
  declare readonly path?: string;
  /** What was wanted: a limit, or the options there are. */
  declare readonly expected?: unknown;
  /** What was found, or given. */
  declare readonly actual?: unknown;
  /** Who stands in the way: the member that holds a lock (`"member 3"`), the user id that owns a file. */
  declare readonly owner?: unknown;
  /** The system's error as a negative number, see errno(3). */
  declare readonly errno?: number;
  /** The call of the system that gave it, such as `fallocate`. */
  declare readonly syscall?: string;
  /** The bytes of a message that could not be decoded. */
  declare readonly bytes?: Uint8Array;
  /** The members of a deadlock, the one that is told first. */
  declare readonly cycle?: readonly DeadlockedMember[];
  constructor(code: ErrorCode, message: string, details: ErrorDetails & { cause?: unknown } = {}) {
    const { cause, ...rest } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.name = code === "ERR_TIMEOUT" ? "TimeoutError" : "ShmkitError";
    brand(this, code, rest);
  }
  /** True of every error of this package, whichever copy of it threw. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== ShmkitError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
  }
}

/** Misuse: an argument of the wrong type. It is a `TypeError`, and `instanceof ShmkitError` holds as well. */
export class ArgumentError extends TypeError {
  /** Which error it is. */
  declare readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = "TypeError";
    brand(this, code, details);
  }
}

/** Misuse where an interface of the platform is kept to, which throws plain `TypeError`s. It has a code like all. */
export function platformTypeError(code: ErrorCode, message: string): TypeError {
  const error = new TypeError(message);
  brand(error, code, {});
  return error;
}

/** Misuse: a number outside its range. It is a `RangeError`, and `instanceof ShmkitError` holds as well. */
export class ArgumentRangeError extends RangeError {
  /** Which error it is. */
  declare readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = "RangeError";
    brand(this, code, details);
  }
}
