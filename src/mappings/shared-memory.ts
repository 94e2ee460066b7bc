import { lstatSync } from "node:fs";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { ShmkitError } from "../base/errors.js";
import { checkResult, ERRNO } from "../base/system-errors.js";
import type { FileFacts } from "../memory/named-file.js";
import { run, runSync, type Steps } from "../memory/steps.js";
import { native } from "../native/addon.js";
import { isLost, unmap, type MemoryRange } from "../os/raw-memory.js";
import {
  create,
  open,
  openOrCreate,
  wantedBy,
  wantedOf,
  type Block,
  type SharedMemoryOpenOptions,
  type SharedMemoryOptions,
} from "./shared-memory-block.js";
import { SharedMemoryLock } from "./shared-memory-lock.js";
import { countMappers } from "./shared-memory-users.js";

const [CREATING, OPENING] = ["creating shared memory", "opening shared memory"];
/** How often a wait for the lock looks: soon at first, then seldom. */
const FIRST_LOOK_MS = 1;
const LAST_LOOK_MS = 10;
/** The byte of the file that is locked; fcntl(2) locks of others on it are the same lock. */
const LOCK_BYTE = 0;

/** Handles that nobody can close any more leave their descriptors. */
const forgotten = new FinalizationRegistry<number>((descriptor) => void native.close(descriptor));

/**
 * A named block of bytes that processes share, as Python's `multiprocessing.shared_memory` and Qt's `QSharedMemory` have it,
 * without any structure in it: `/dev/shm/NAME`, which `shm_open("/NAME")` opens elsewhere. It stays until it is unlinked or
 * the machine restarts, whoever dies. For values, messages and locks that survive crashes use a region.
 *
 * The name appears when all of the memory is backed, so a full /dev/shm is ERR_NO_SPACE and never a fault. After `close()`
 * the buffer is memory of this process and reads zeroes; so it is when somebody makes the file shorter (`isLost`).
 * @see [Shared memory](../../docs/guide/shared-memory.md); shm_overview(7)
 * @example
 * ```ts
 * import { SharedMemory } from "shmkit";
 *
 * const block = await SharedMemory.create("api-block", { size: 4096 });
 * const same = await SharedMemory.open("api-block"); // another process, in any language
 * new Uint8Array(block.buffer)[0] = 42;
 * console.log(new Uint8Array(same.buffer)[0], same.size, same.attachCount); // 42 4096 1: processes
 * same.close();
 * block.close();
 * block.unlink();
 * ```
 */
export class SharedMemory implements Disposable {
  /** Its name: a file in /dev/shm. */
  readonly name: string;
  /** Bytes of {@link buffer}: of its file when this handle was made. */
  readonly size: number;
  /** The bytes. The same object for as long as the handle lives; after `close()`, and when the memory is lost, it reads zeroes. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Whether this call made it. */
  readonly created: boolean;
  /** Whether it was opened for reading only. */
  readonly readOnly: boolean;
  /** Path of its file: `/dev/shm/NAME`. */
  readonly path: string;
  private readonly descriptor: number;
  private readonly facts: FileFacts;
  private readonly range: MemoryRange;
  private held: SharedMemoryLock | undefined;
  private isClosed = false;

  private constructor({ name, path, descriptor, facts, buffer, range, created, readOnly }: Block) {
    this.name = name;
    this.size = facts.sizeBytes;
    this.buffer = buffer;
    this.created = created;
    this.readOnly = readOnly;
    this.path = path;
    this.descriptor = descriptor;
    this.facts = facts;
    this.range = range;
    forgotten.register(this, descriptor, this);
  }

  /**
   * Makes one, which must not exist. Without a name it gets one that is free, `psm_` and 8 hexadecimal digits, as in Python.
   * A name is 1 to 255 bytes of text without slashes and control characters; programs in C put a slash in front of it.
   * @throws ERR_EXISTS, ERR_NO_SPACE, ERR_INVALID_NAME, ERR_INVALID_SIZE, ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE,
   * ERR_UNKNOWN_OPTION, ERR_PERMISSION, ERR_RUNTIME_LIMIT, ERR_SYSTEM
   */
  static async create(name: string | undefined, options: SharedMemoryOptions): Promise<SharedMemory> {
    return new SharedMemory(await run(create(name, wantedBy(options, "SharedMemory.create")), CREATING, undefined));
  }
  /** {@link create}, blocking the thread: a third of a second per GiB. */
  static createSync(name: string | undefined, options: SharedMemoryOptions): SharedMemory {
    return new SharedMemory(runSync(create(name, wantedBy(options, "SharedMemory.createSync")), CREATING, undefined));
  }

  /** @internal Made of bytes, which are in it before it has its name. @throws as {@link create} */
  static async of(name: string | undefined, contents: Uint8Array): Promise<SharedMemory> {
    return new SharedMemory(await run(create(name, wantedOf(contents)), CREATING, undefined));
  }
  /** @internal */
  static ofSync(name: string | undefined, contents: Uint8Array): SharedMemory {
    return new SharedMemory(runSync(create(name, wantedOf(contents)), CREATING, undefined));
  }

  /**
   * Opens one that exists, whoever made it. One that is empty has just been named by a program that does not make it at once;
   * a size is waited for, for 0.1 s.
   * @throws ERR_NOT_FOUND, ERR_PERMISSION, ERR_INVALID_SIZE (it is empty), ERR_BAD_REGION (a link, directory or FIFO),
   * ERR_INVALID_NAME, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_RUNTIME_LIMIT, ERR_NO_SPACE (of address space), ERR_SYSTEM
   */
  static async open(name: string, options?: SharedMemoryOpenOptions): Promise<SharedMemory> {
    return new SharedMemory(await run(open(name, options, "SharedMemory.open"), OPENING, undefined));
  }
  /** {@link open}, blocking the thread. */
  static openSync(name: string, options?: SharedMemoryOpenOptions): SharedMemory {
    return new SharedMemory(runSync(open(name, options, "SharedMemory.openSync"), OPENING, undefined));
  }

  /**
   * Opens one, or makes it: any process may be first; {@link created} says who was. What exists may be larger than `size`.
   * @throws ERR_OPTIONS_DIFFER when it is smaller; otherwise as {@link create} and {@link open}
   */
  static async openOrCreate(name: string, options: SharedMemoryOptions): Promise<SharedMemory> {
    const wanted = wantedBy(options, "SharedMemory.openOrCreate");
    return new SharedMemory(await run(openOrCreate(name, wanted), OPENING, undefined));
  }
  /** {@link openOrCreate}, blocking the thread. */
  static openOrCreateSync(name: string, options: SharedMemoryOptions): SharedMemory {
    const wanted = wantedBy(options, "SharedMemory.openOrCreateSync");
    return new SharedMemory(runSync(openOrCreate(name, wanted), OPENING, undefined));
  }

  /**
   * How many processes have it mapped now, this one included and counted once, in whatever language: what /proc/PID/maps says
   * of those that this process may look at. So not those of other users (unless this one is root's), in other containers, or
   * stopped from being seen otherwise (proc(5), hidepid); a program that one of them is just starting counts for a moment.
   * The dead do not count, nor whoever keeps the file open without mapping it. Reads one file per process of the machine.
   * @throws ERR_CLOSED, ERR_REGION_LOST
   */
  get attachCount(): number {
    this.checkUsable();
    return countMappers(this.facts);
  }

  /** Whether somebody has made the file shorter than what is mapped, and it was noticed by an access: the buffer reads zeroes. */
  get isLost(): boolean {
    return isLost(this.range);
  }

  /**
   * Takes the lock that belongs to it: one holder among all handles of all processes. It is released by `release()`, `close()`,
   * and by the system when its holder dies: nothing says so to the next. Others wait by looking, at least every 10 ms, and
   * are not served in turn. It is an fcntl(2) lock on the first byte (F_OFD_SETLK), which `fcntl.lockf(shm._fd, LOCK_EX, 1)`
   * takes in Python; Qt's lock is another one.
   * @throws ERR_TIMEOUT, ERR_CLOSED, ERR_PERMISSION (opened for reading only), ERR_REGION_LOST, ERR_INVALID_ARGUMENT,
   * ERR_OUT_OF_RANGE, ERR_UNKNOWN_OPTION, ERR_SYSTEM, the signal's reason
   * @example
   * ```ts
   * import { SharedMemory } from "shmkit";
   *
   * const block = await SharedMemory.create(undefined, { size: 8 });
   * const count = new BigInt64Array(block.buffer);
   * const lock = await block.lock({ timeoutMs: 1000 });
   * try {
   *   count[0] += 1n;
   * } finally {
   *   lock.release();
   * }
   * block.close();
   * block.unlink();
   * ```
   */
  async lock(options?: WaitOptions): Promise<SharedMemoryLock> {
    return run(this.locking(), `locking ${this.name}`, onlyWaitOptions(options, "lock"));
  }
  /** {@link lock}, blocking the thread. @throws ERR_DEADLOCK when this handle has it: nobody could release it meanwhile */
  lockSync(options?: WaitOptions): SharedMemoryLock {
    const known = onlyWaitOptions(options, "lockSync");
    if (this.held !== undefined)
      throw new ShmkitError("ERR_DEADLOCK", `this handle of ${this.name} has the lock already`, { path: this.path });
    return runSync(this.locking(), `locking ${this.name}`, known);
  }
  /** The same without waiting; undefined when somebody has it. */
  tryLock(): SharedMemoryLock | undefined {
    this.checkUsable();
    if (this.readOnly)
      throw new ShmkitError("ERR_PERMISSION", `${this.name} was opened for reading only: its lock cannot be taken`, {
        path: this.path,
      });
    if (this.held !== undefined) return undefined;
    const result = native.lock(this.descriptor, LOCK_BYTE);
    if (result === -ERRNO.again) return undefined;
    checkResult(result, "fcntl(F_OFD_SETLK)", this.path);
    this.held = new SharedMemoryLock(() => {
      this.held = undefined;
      native.unlock(this.descriptor, LOCK_BYTE);
    });
    return this.held;
  }

  private *locking(): Steps<SharedMemoryLock> {
    for (let delayMs = FIRST_LOOK_MS; ; delayMs = Math.min(2 * delayMs, LAST_LOOK_MS)) {
      const lock = this.tryLock();
      if (lock !== undefined) return lock;
      yield { delayMs };
    }
  }

  /**
   * Ends the use of it here: the lock is released, waits for it end with ERR_CLOSED, and the buffer reads zeroes. The memory
   * stays for others, and under its name. When it has no name any more, the last one to close it gives the memory back, which
   * takes 0.1 s per GiB. Idempotent. The calls of `shmkit/posix` that take memory take the buffer, but for `munmap`.
   * @throws SystemCallError EBUSY while a thread of this process has a mutex of theirs in it
   */
  close(): void {
    if (this.isClosed) return;
    unmap(this.range, "munmap");
    this.isClosed = true;
    this.held?.forget();
    this.held = undefined;
    forgotten.unregister(this);
    native.close(this.descriptor);
  }

  /**
   * Takes its name away: nobody can open it any more, and who has it goes on. False when it had been taken away already, or
   * belongs to another one by now, which stays: unless that gets the name in the very moment of this call, between the look
   * at it and its removal, for which no system call has one step. Works after `close()` as well.
   * @throws ERR_PERMISSION, ERR_SYSTEM
   */
  unlink(): boolean {
    const found = lstatSync(this.path, { throwIfNoEntry: false });
    if (found?.ino !== this.facts.inode || found.dev !== this.facts.device) return false;
    const result = native.unlink(this.path);
    if (result === -ERRNO.missing) return false;
    checkResult(result, "unlink", this.path);
    return true;
  }

  /** @internal @throws ERR_CLOSED, ERR_REGION_LOST */
  checkUsable(): void {
    const [path, what] = [this.path, `the shared memory ${this.name}`];
    if (this.isClosed) throw new ShmkitError("ERR_CLOSED", `${what} was closed`, { path });
    if (this.isLost)
      throw new ShmkitError("ERR_REGION_LOST", `${what} was truncated; close it and open or create it again`, { path });
  }

  /** {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}
