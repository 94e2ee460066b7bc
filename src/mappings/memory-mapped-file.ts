import { ShmkitError } from "../base/errors.js";
import { choice, flag, knownOptions, wholeNumber } from "../base/arguments.js";
import { WAIT_OPTIONS, type WaitOptions } from "../base/deadline.js";
import { run, runSync, type Steps } from "../memory/steps.js";
import { checkViewAccess, mapAccess, viewAccess, writesFile, type MapAccess } from "./access.js";
import { lengthen } from "./lengthen.js";
import type { MapSource } from "./map-source.js";
import { MappedStream } from "./mapped-stream.js";
import { MappedView } from "./mapped-view.js";
import { cleanBlocks, createBlock, openBlock, pathOfBlock, type Block } from "./named-block.js";
import { openFile, type MapFile, type MapFileMode } from "./plain-file.js";

/** Options of every map. */
export interface MapOptions extends WaitOptions {
  /** What may be done with it, and at most with its views. Default `"read-write"`; `"write"` is for views alone. */
  access?: Exclude<MapAccess, "write">;
}

/** Options of a named block. */
export interface MapBlockOptions extends MapOptions {
  /** Leave it to the first write of each page to find memory for it: a write then loses the mapping when there is none. Default false. */
  delayAllocatePages?: boolean;
}

/** Options of a file that is mapped. */
export interface MapFileOptions extends MapBlockOptions {
  /**
   * `"open"` (default): it must exist. `"create-new"`: it must not. `"open-or-create"`. `"create"`: what it has is thrown
   * away, which loses the mappings that others have of it.
   */
  mode?: MapFileMode;
  /** Bytes, at least those the file has; it is made longer if it is shorter. 0 (default): those it has. */
  capacity?: number;
}

const MAX_CAPACITY = 2 ** 50;
const OPTIONS = [...WAIT_OPTIONS, "access"] as const;
const BLOCK_OPTIONS = [...OPTIONS, "delayAllocatePages"] as const;
const FILE_OPTIONS = [...BLOCK_OPTIONS, "mode", "capacity"] as const;
const MODES = ["open", "create-new", "open-or-create", "create"] as const;

/** What a map is made from. */
interface Made extends Block {
  readonly access: MapAccess;
  readonly name: string | undefined;
}

/**
 * A file, or memory with a name, that processes map to share its bytes: the `MemoryMappedFile` of .NET. The bytes are the
 * user's alone. They are seen through views, of a part or all of it, so files may be larger than any buffer.
 *
 * Memory with a name is the file `/dev/shm/shmkit-map.NAME`, mode 0600, and goes with its last map and view. If the last process
 * that uses it is killed, or ends without closing it, it is gone for everybody all the same; its file goes with the next use
 * of the name, or with {@link MemoryMappedFile.clean}.
 * @see [Mapped files](../../docs/guide/mapped-files.md); .NET, System.IO.MemoryMappedFiles
 * @example
 * ```ts
 * import { MemoryMappedFile } from "shmkit";
 *
 * const map = await MemoryMappedFile.createNew("api-map", 10_000);
 * const view = map.createViewAccessor();
 * view.writeInt32(0, 1);
 * console.log(view.readInt32(0), map.capacity); // 1 10000
 * view.close();
 * map.close();
 * ```
 */
export class MemoryMappedFile {
  /** Bytes that can be seen through views. */
  get capacity(): number {
    return this.bytes;
  }
  /** Its name, if it is memory with one. */
  readonly name: string | undefined;
  /** The file. */
  readonly path: string;
  /** What may be done with it. */
  readonly access: MapAccess;
  private readonly source: MapSource;
  private bytes: number;
  private isClosed = false;

  private constructor({ source, capacity, access, name }: Made) {
    this.source = source;
    this.path = source.path;
    this.bytes = capacity;
    this.access = access;
    this.name = name;
  }

  // Making.

  /**
   * Maps a file: by its path, or one that is open, of which a description of its own is made.
   * @throws ERR_NOT_FOUND, ERR_EXISTS, ERR_PERMISSION (also for a descriptor that is open for reading only, unless `access` is), ERR_NO_SPACE, ERR_OUT_OF_RANGE (capacity below the file's length),
   * ERR_TIMEOUT while zeroes are written to a file system without fallocate(2), ERR_INVALID_ARGUMENT (an empty file without capacity, which is removed again if this call made it), ERR_SYSTEM
   */
  static async createFromFile(file: MapFile, options?: MapFileOptions): Promise<MemoryMappedFile> {
    return run(fromFile(file, options), "mapping a file", options).then(make);
  }

  /** {@link createFromFile}, blocking the thread. */
  static createFromFileSync(file: MapFile, options?: MapFileOptions): MemoryMappedFile {
    return make(runSync(fromFile(file, options), "mapping a file", options));
  }

  /**
   * Makes memory with a name, which must not be in use.
   * @param name 1 to 200 of `A-Z a-z 0-9 . _ -`, not starting with a dot or dash
   * @param capacity bytes, from 1 on
   * @throws ERR_EXISTS, ERR_INVALID_NAME, ERR_OUT_OF_RANGE, ERR_NO_SPACE, ERR_TOO_MANY_MEMBERS (256 use it), ERR_TIMEOUT
   */
  static async createNew(name: string, capacity: number, options?: MapBlockOptions): Promise<MemoryMappedFile> {
    return run(newBlock(name, capacity, options), `creating ${name}`, options).then(make);
  }

  /** {@link createNew}, blocking the thread. */
  static createNewSync(name: string, capacity: number, options?: MapBlockOptions): MemoryMappedFile {
    return make(runSync(newBlock(name, capacity, options), `creating ${name}`, options));
  }

  /** Opens memory with a name, or makes it; whoever made it determined its capacity. @throws as {@link createNew} but ERR_EXISTS */
  static async createOrOpen(name: string, capacity: number, options?: MapBlockOptions): Promise<MemoryMappedFile> {
    return run(anyBlock(name, capacity, options), `opening ${name}`, options).then(make);
  }

  /** {@link createOrOpen}, blocking the thread. */
  static createOrOpenSync(name: string, capacity: number, options?: MapBlockOptions): MemoryMappedFile {
    return make(runSync(anyBlock(name, capacity, options), `opening ${name}`, options));
  }

  /** Opens memory with a name that somebody uses. @throws ERR_NOT_FOUND, ERR_INVALID_NAME, ERR_PERMISSION, ERR_TOO_MANY_MEMBERS, ERR_TIMEOUT */
  static async openExisting(name: string, options?: MapOptions): Promise<MemoryMappedFile> {
    return run(oldBlock(name, options), `opening ${name}`, options).then(make);
  }

  /** {@link openExisting}, blocking the thread. */
  static openExistingSync(name: string, options?: MapOptions): MemoryMappedFile {
    return make(runSync(oldBlock(name, options), `opening ${name}`, options));
  }

  /** Removes the memory of names that no living process uses; answers the names. Others' is left alone. */
  static clean(): string[] {
    return cleanBlocks();
  }

  /** @internal */
  static of(made: Made): MemoryMappedFile {
    return new MemoryMappedFile(made);
  }

  // Views.

  /**
   * A view of `size` bytes from `offset` on, which may be any.
   * @param size bytes; 0 (default) for all that follow
   * @param access default: that of the map
   * @throws ERR_CLOSED, ERR_OUT_OF_RANGE beyond the capacity, ERR_PERMISSION for more than the map may do or the system allows,
   * ERR_RUNTIME_LIMIT for views that the runtime has no buffers for (over 4 GiB on Node 20), ERR_NO_SPACE
   */
  createViewAccessor(offset = 0, size = 0, access: MapAccess = this.access): MappedView {
    this.check();
    const first = wholeNumber(offset, "offset", 0, this.bytes - 1);
    const length = wholeNumber(size, "size", 0, this.bytes - first) || this.bytes - first;
    checkViewAccess(this.access, viewAccess(access), this.path);
    return new MappedView({ source: this.source, offset: first, size: length, access });
  }

  /** A stream of `size` bytes from `offset` on. Arguments and errors as {@link createViewAccessor}. */
  createViewStream(offset = 0, size = 0, access: MapAccess = this.access): MappedStream {
    return new MappedStream(this.createViewAccessor(offset, size, access));
  }

  // Its life.

  /**
   * Makes it longer, with the file; never shorter. Views stay as they are, and other maps of it see no more than before.
   * @param capacity bytes, at least as many as it has
   * @throws ERR_CLOSED, ERR_OUT_OF_RANGE, ERR_PERMISSION, ERR_NO_SPACE
   */
  async grow(capacity: number): Promise<void> {
    await run(this.growing(capacity), `growing ${this.path}`, undefined);
  }

  /** {@link grow}, blocking the thread. */
  growSync(capacity: number): void {
    runSync(this.growing(capacity), `growing ${this.path}`, undefined);
  }

  private *growing(capacity: number): Steps<void> {
    this.check();
    const wanted = wholeNumber(capacity, "capacity", this.bytes, MAX_CAPACITY);
    if (!writesFile(this.access))
      throw new ShmkitError("ERR_PERMISSION", `${this.path} is mapped for "${this.access}": it cannot grow`, {
        path: this.path,
      });
    if (wanted === this.bytes) return;
    const source = this.source.retain();
    try {
      yield* lengthen(source.descriptor, this.path, this.bytes, wanted, false);
    } finally {
      source.release();
    }
    this.bytes = Math.max(this.bytes, wanted);
  }

  private check(): void {
    if (this.isClosed) throw new ShmkitError("ERR_CLOSED", `the map of ${this.path} is closed`, { path: this.path });
  }

  /** Gives it up; its views stay until they are closed. Idempotent. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.source.release();
  }

  /** {@link close}, as `using` calls it. */
  [Symbol.dispose](): void {
    this.close();
  }
}

const make = (made: Made): MemoryMappedFile => MemoryMappedFile.of(made);

function* fromFile(file: unknown, options: MapFileOptions | undefined): Steps<Made> {
  const given = knownOptions(options, FILE_OPTIONS, "createFromFile");
  const access = mapAccess(given.access);
  const wish = {
    mode: given.mode === undefined ? "open" : choice(given.mode, "mode", MODES),
    capacity: given.capacity === undefined ? 0 : wholeNumber(given.capacity, "capacity", 0, MAX_CAPACITY),
    access,
    delayAllocatePages: flag(given.delayAllocatePages, "delayAllocatePages"),
  };
  return { ...(yield* openFile(file, wish)), access, name: undefined };
}

interface BlockWish {
  readonly path: string;
  readonly access: MapAccess;
  readonly capacity: number;
  readonly leavesHole: boolean;
}

function blockWish(name: string, capacity: number, options: MapBlockOptions | undefined, where: string): BlockWish {
  const given = knownOptions(options, BLOCK_OPTIONS, where);
  return {
    path: pathOfBlock(name),
    access: mapAccess(given.access),
    capacity: wholeNumber(capacity, "capacity", 1, MAX_CAPACITY),
    leavesHole: flag(given.delayAllocatePages, "delayAllocatePages"),
  };
}

function* newBlock(name: string, capacity: number, options: MapBlockOptions | undefined): Steps<Made> {
  const wish = blockWish(name, capacity, options, "createNew");
  const block = yield* createBlock(wish.path, wish.capacity, wish.leavesHole);
  if (block !== undefined) return { ...block, access: wish.access, name };
  throw new ShmkitError("ERR_EXISTS", `${wish.path} is in use; open it instead`, { path: wish.path });
}

function* anyBlock(name: string, capacity: number, options: MapBlockOptions | undefined): Steps<Made> {
  const wish = blockWish(name, capacity, options, "createOrOpen");
  for (;;) {
    const block = (yield* openBlock(wish.path)) ?? (yield* createBlock(wish.path, wish.capacity, wish.leavesHole));
    if (block !== undefined) return { ...block, access: wish.access, name };
  }
}

function* oldBlock(name: string, options: MapOptions | undefined): Steps<Made> {
  const given = knownOptions(options, OPTIONS, "openExisting");
  const [path, access] = [pathOfBlock(name), mapAccess(given.access)];
  const block = yield* openBlock(path);
  if (block !== undefined) return { ...block, access, name };
  throw new ShmkitError("ERR_NOT_FOUND", `there is no ${path}, or nobody uses it any more; create it first`, { path });
}
