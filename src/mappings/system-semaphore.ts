import { constants } from "node:os";
import { fileName, knownOptions, wholeNumber } from "../base/arguments.js";
import { DIRECTORY } from "../base/file-names.js";
import { onlyWaitOptions, timeoutError, type WaitOptions } from "../base/deadline.js";
import { ShmkitError } from "../base/errors.js";
import { systemError } from "../base/system-errors.js";
import { O_CREAT, O_EXCL } from "../os/posix/constants.js";
import {
  sem_close,
  sem_getvalue,
  sem_open,
  sem_post,
  sem_trywait,
  sem_unlink,
  sem_wait,
  sem_waitSync,
  type Semaphore,
} from "../os/posix/semaphores.js";
import { SystemCallError } from "../os/system-call-error.js";

/** Options of making a `SystemSemaphore`. */
export interface SystemSemaphoreOptions {
  /** How many can acquire it at first, 0 to 2^31 - 1. Default 0. */
  initial?: number;
  /** Permission bits of what is made, less those of the umask. Default 0o600: this user only. */
  mode?: number;
}

const PREFIX = "sem.";
const MAX_VALUE = 2 ** 31 - 1;
/** Each step is a call; more of them would block the thread for long. */
const MOST_AT_ONCE = 2 ** 20;
const { EAGAIN, EINVAL, EIO, ENOENT, EOVERFLOW, ETIMEDOUT } = constants.errno;

const pathOf = (name: string): string => `${DIRECTORY}/${PREFIX}${name}`;

const failedWith = (error: unknown, errno: number): boolean =>
  error instanceof SystemCallError && error.errno === -errno;

/**
 * A semaphore of the system by name, as Qt's `QSystemSemaphore`: sem_open(3), which programs in any language share. It stays
 * until it is unlinked or the machine restarts. **What a process that dies has acquired does not come back**; that of a region's
 * `Semaphore` does.
 * @see [Shared memory](../../docs/guide/shared-memory.md#a-semaphore-of-the-system); sem_overview(7)
 * @example
 * ```ts
 * import { SystemSemaphore } from "shmkit";
 *
 * const slots = SystemSemaphore.openOrCreate("api-slots", { initial: 2 });
 * await slots.acquire({ timeoutMs: 1000 });
 * console.log(slots.value, slots.tryAcquire(), slots.tryAcquire()); // 1 true false
 * slots.release(2);
 * slots.close();
 * slots.unlink();
 * ```
 */
export class SystemSemaphore implements Disposable {
  /** Its name; the key of Qt's. */
  readonly name: string;
  /** Path of its file: `/dev/shm/sem.NAME`. */
  readonly path: string;
  private readonly sem: Semaphore;
  private isClosed = false;

  private constructor(name: string, sem: Semaphore) {
    this.name = name;
    this.path = pathOf(name);
    this.sem = sem;
  }

  /**
   * Makes one, which must not exist. Its name is 1 to 251 bytes of text without slashes and control characters.
   * @throws ERR_EXISTS, ERR_INVALID_NAME, ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_UNKNOWN_OPTION, ERR_PERMISSION,
   * ERR_NO_SPACE, ERR_SYSTEM
   */
  static create(name: string, options?: SystemSemaphoreOptions): SystemSemaphore {
    return SystemSemaphore.opened(name, O_CREAT | O_EXCL, options, "SystemSemaphore.create");
  }

  /** Opens one that exists. @throws ERR_NOT_FOUND, ERR_CORRUPT (the file is no semaphore), ERR_INVALID_NAME, ERR_PERMISSION, ERR_SYSTEM */
  static open(name: string): SystemSemaphore {
    return SystemSemaphore.opened(name, 0, undefined, "SystemSemaphore.open");
  }

  /**
   * Opens one, which keeps its value, or makes it: `QSystemSemaphore(key, initial, Open)`. Errors as {@link create} and
   * {@link open}.
   */
  static openOrCreate(name: string, options?: SystemSemaphoreOptions): SystemSemaphore {
    return SystemSemaphore.opened(name, O_CREAT, options, "SystemSemaphore.openOrCreate");
  }

  /**
   * Makes one in place of what has the name: `QSystemSemaphore(key, initial, Create)`, for a start from nothing after a crash.
   * Who has the old one open keeps it, and shares nothing with those who open the new one. Errors as {@link create}, except
   * ERR_EXISTS.
   */
  static replace(name: string, options?: SystemSemaphoreOptions): SystemSemaphore {
    for (;;)
      try {
        return SystemSemaphore.opened(name, O_CREAT | O_EXCL, options, "SystemSemaphore.replace");
      } catch (error) {
        if (!(error instanceof ShmkitError) || error.code !== "ERR_EXISTS") throw error;
        unlinked(name);
      }
  }

  private static opened(
    given: string,
    oflag: number,
    options: SystemSemaphoreOptions | undefined,
    where: string,
  ): SystemSemaphore {
    const { initial, mode } = knownOptions(options, ["initial", "mode"], where);
    const rights = mode === undefined ? 0o600 : wholeNumber(mode, "mode", 0, 0o777);
    const value = initial === undefined ? 0 : wholeNumber(initial, "initial", 0, MAX_VALUE);
    const name = fileName(given, "semaphore", PREFIX);
    try {
      return new SystemSemaphore(name, sem_open(`/${name}`, oflag, rights, value));
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      throw failedWith(error, EINVAL) ? noSemaphore(pathOf(name)) : systemError(error.errno, "sem_open", pathOf(name));
    }
  }

  /** How many could acquire it at this moment. @throws ERR_CLOSED, ERR_CORRUPT, ERR_REGION_LOST */
  get value(): number {
    return this.call(() => sem_getvalue(this.sem));
  }

  /**
   * Takes one, and waits for it while there is none; on a thread of its own, of which the event loop notices nothing.
   * @throws ERR_TIMEOUT, ERR_CLOSED (also while it waits), ERR_CORRUPT, ERR_REGION_LOST, ERR_INVALID_ARGUMENT,
   * ERR_OUT_OF_RANGE, ERR_UNKNOWN_OPTION, the signal's reason
   */
  async acquire(options?: WaitOptions): Promise<void> {
    onlyWaitOptions(options, "acquire");
    try {
      await sem_wait(this.usable(), options);
    } catch (error) {
      throw this.explained(error, options);
    }
  }
  /** {@link acquire}, blocking the thread. */
  acquireSync(options?: WaitOptions): void {
    onlyWaitOptions(options, "acquireSync");
    this.call(() => sem_waitSync(this.sem, options), options);
  }
  /** Takes one if there is one. @throws ERR_CLOSED, ERR_CORRUPT, ERR_REGION_LOST */
  tryAcquire(): boolean {
    return this.call(() => {
      try {
        sem_trywait(this.sem);
        return true;
      } catch (error) {
        if (failedWith(error, EAGAIN)) return false;
        throw error;
      }
    });
  }

  /**
   * Gives back, or adds, `count`: 1 to 1,048,576, by default 1; in steps of one, each of which wakes one who waits. Anybody may.
   * @throws ERR_OUT_OF_RANGE (also beyond 2^31 - 1 in all, when nothing is added), ERR_INVALID_ARGUMENT, ERR_CLOSED,
   * ERR_CORRUPT, ERR_REGION_LOST
   */
  release(count = 1): void {
    wholeNumber(count, "count", 1, MOST_AT_ONCE);
    this.call(() => {
      if (sem_getvalue(this.sem) + count > MAX_VALUE) throw new SystemCallError(-EOVERFLOW, "sem_post", this.path);
      for (let left = count; left > 0; left--) sem_post(this.sem);
    });
  }

  /** Ends the use of it here; waits for it end with ERR_CLOSED. Its value stays as it is. Idempotent. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    sem_close(this.sem);
  }

  /**
   * Takes the name away, whatever has it by now; who has it open goes on. False when there is none. Works after `close()`.
   * @throws ERR_PERMISSION, ERR_SYSTEM
   */
  unlink(): boolean {
    return unlinked(this.name);
  }

  /** {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  private usable(): Semaphore {
    if (this.isClosed) throw this.closedError();
    return this.sem;
  }

  private closedError(): ShmkitError {
    return new ShmkitError("ERR_CLOSED", `the semaphore ${this.name} was closed`, { path: this.path });
  }

  private call<T>(act: () => T, options?: WaitOptions): T {
    this.usable();
    try {
      return act();
    } catch (error) {
      throw this.explained(error, options);
    }
  }

  /** The error of this package for one of a call. */
  private explained(error: unknown, options: WaitOptions | undefined): unknown {
    if (!(error instanceof SystemCallError)) return error;
    const { path } = this;
    if (failedWith(error, ETIMEDOUT)) return timeoutError(`acquiring ${this.name}`, options?.timeoutMs);
    if (failedWith(error, EOVERFLOW))
      return new ShmkitError("ERR_OUT_OF_RANGE", `${this.name} cannot be more than ${MAX_VALUE}`, { path });
    if (failedWith(error, EIO))
      return new ShmkitError("ERR_REGION_LOST", `the file of the semaphore ${this.name} was truncated`, { path });
    if (!failedWith(error, EINVAL)) return systemError(error.errno, error.syscall, path);
    return this.isClosed ? this.closedError() : noSemaphore(path);
  }
}

const noSemaphore = (path: string): ShmkitError =>
  new ShmkitError("ERR_CORRUPT", `${path} is no semaphore; rm(1) removes any file`, { path });

/** False when there was none. */
function unlinked(name: string): boolean {
  try {
    sem_unlink(`/${name}`);
    return true;
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    if (failedWith(error, ENOENT)) return false;
    throw systemError(error.errno, "sem_unlink", pathOf(name));
  }
}
