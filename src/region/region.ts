import { setImmediate as nextTurn } from "node:timers/promises";
import * as words from "#words";
import { ArgumentError, ShmkitError } from "../base/errors.js";
import { flag, knownOptions, regionName, wholeNumber } from "../base/arguments.js";
import { deadlineOf, now, onlyWaitOptions, timeoutError, type WaitOptions } from "../base/deadline.js";
import { checkResult } from "../base/system-errors.js";
import { formatBytes, sizeBytes, type Size } from "../base/sizes.js";
import type { HeapStatistics } from "../heap/page-heap.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { native } from "../native/addon.js";
import { tell, type RegionEvent } from "../members/diagnostics.js";
import { HEADER } from "../members/region-words.js";
import { readMembers, type MemberInfo } from "../members/member-info.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { ANONYMOUS, attachToDescriptor, createAnonymous } from "./anonymous.js";
import { attach, clean, remove, type Attached, type OpenMode } from "./attach.js";
import { seal } from "./disk-state.js";
import type { LifetimeName } from "./geometry.js";
import {
  checkAnonymousOptions,
  checkDescriptorOptions,
  checkOptions,
  checkReaderOptions,
  type CleanOptions,
  wantsReader,
  type AnonymousOptions,
  type DescriptorOptions,
  type ReaderOptions,
  type RegionOpenOptions,
  type RegionOptions,
} from "./options.js";
import { placeOf } from "./names.js";
import { COLLECTIONS, RegionObjects } from "./region-objects.js";
import { openReader, refuseTheRest, type RegionReader } from "./region-reader.js";
import { run, runSync, type Steps } from "../memory/steps.js";
import type { Membership } from "./membership.js";
import { syncDirectory, syncDirectorySync, writeBack, writeBackSync } from "../memory/write-back.js";
import { regionNames, snapshot, snapshots, type InspectOptions, type RegionInfo } from "./snapshot.js";

/**
 * A named region of memory that processes share. An attached region does not keep its process alive; a pending wait does.
 * When the process ends without `close()`, the region notices; when it is killed, the others clean up.
 *
 * After `close()` whatever uses its memory throws ERR_CLOSED, and ERR_REGION_LOST when the file was truncated.
 * @see [Regions](../../docs/guide/regions.md), [crash safety](../../docs/guide/crash-safety.md); shm_overview(7)
 * @example
 * ```ts
 * import { Region } from "shmkit";
 *
 * const app = await Region.create("api-region", { size: "1MiB", maxSize: "8MiB", label: "the maker" });
 * app.on("memberDied", ({ label, operation, committed }) => console.log(label, operation, committed));
 * const jobs = await app.pipes.create("jobs", { capacity: 10 });
 * await jobs.send("hello");
 * console.log(app.members().length, app.pipes.list(), app.sizeBytes); // 1 [ 'jobs' ] 1048576
 * await app.close(); // its last member: the region is gone
 * ```
 */
export class Region extends RegionObjects implements AsyncDisposable {
  /** Path of its file: `/dev/shm/shmkit.NAME`, or the one that it was named by; `memfd:shmkit` of one without a name. */
  readonly path: string;
  /** When it ends: as its creator said. */
  readonly lifetime: LifetimeName;
  /** When its creator made it, by the system's clock. */
  readonly createdAt: Date;
  /** Random number of this region, in hexadecimal: tells it from an earlier one of the same name. */
  readonly epoch: string;
  /** Whether this call made the region. */
  readonly created: boolean;
  private constructor(name: string, attached: Attached) {
    super(name, attached.membership);
    this.path = attached.path;
    this.lifetime = attached.lifetime;
    this.createdAt = attached.createdAt;
    this.epoch = attached.epoch;
    this.created = attached.created;
    const { deaths } = attached.membership;
    // Deaths are noticed inside other calls; listeners run when those are done.
    deaths.onDeath = (death) => {
      this.untold++;
      setImmediate(() => {
        this.untold--;
        if (!this.hasLeft) this.emit("memberDied", death);
      });
      tell("shmkit:member:death", () => ({ region: name, death }));
    };
    tell(attached.created ? "shmkit:region:create" : "shmkit:region:attach", () => this.eventOf());
  }

  // Making and finding regions.

  /**
   * Makes a region, which must not exist. Its name is 1 to 200 of `A-Z a-z 0-9 . _ -` and does not start with a dot or
   * dash; it appears when the region is complete (as a file made with O_TMPFILE does by linkat(2)). A region whose members
   * are all dead does not count as existing. One of lifetime `"file"` is named by the absolute path of its file.
   * @throws ERR_EXISTS, ERR_NO_SPACE, ERR_INVALID_NAME, ERR_INVALID_SIZE, ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE,
   * ERR_UNKNOWN_OPTION, ERR_PERMISSION, ERR_RUNTIME_LIMIT, ERR_FILE_SYSTEM, ERR_TIMEOUT, ERR_SYSTEM, the signal's reason
   */
  static create(name: string, options?: RegionOptions): Promise<Region> {
    return Region.attach(name, "create", options);
  }
  /** {@link create}, blocking the thread. */
  static createSync(name: string, options?: RegionOptions): Region {
    return Region.attachSync(name, "create", options);
  }

  /**
   * Joins a region that exists; with `{ wait: true }` waits for it to appear. Options that shape a region and are left out
   * are not compared.
   * @throws ERR_NOT_FOUND, ERR_NOT_OWNER, ERR_BAD_REGION, ERR_VERSION, ERR_OPTIONS_DIFFER, ERR_TOO_MANY_MEMBERS,
   * ERR_UNCLEAN, ERR_TIMEOUT, ERR_NO_SPACE (of address space), ERR_PERMISSION, ERR_RUNTIME_LIMIT, ERR_SYSTEM, the signal's reason, and
   * as {@link create} for its arguments
   */
  static open(name: string, options?: RegionOpenOptions): Promise<Region>;
  /**
   * Opens a region for looking at it only, with `{ access: "read" }`: read permission is enough, and no slot is taken.
   * @throws ERR_NOT_FOUND, ERR_NOT_OWNER, ERR_BAD_REGION, ERR_VERSION, ERR_OPTIONS_DIFFER, ERR_PERMISSION, ERR_TIMEOUT,
   * ERR_RUNTIME_LIMIT, ERR_SYSTEM, the signal's reason, and as {@link create} for its arguments
   */
  static open(name: string, options: ReaderOptions): Promise<RegionReader>;
  static async open(name: string, options?: RegionOpenOptions | ReaderOptions): Promise<Region | RegionReader> {
    const place = placeOf(name);
    if (!wantsReader(options)) return Region.attach(name, "open", options);
    return run(openReader(place, checkReaderOptions(options, place)), `opening the region ${place.name}`, options);
  }
  /** {@link open}, blocking the thread. */
  static openSync(name: string, options?: RegionOpenOptions): Region;
  /** {@link open} for looking only, blocking the thread. */
  static openSync(name: string, options: ReaderOptions): RegionReader;
  static openSync(name: string, options?: RegionOpenOptions | ReaderOptions): Region | RegionReader {
    const place = placeOf(name);
    if (!wantsReader(options)) return Region.attachSync(name, "open", options);
    return runSync(openReader(place, checkReaderOptions(options, place)), `opening the region ${place.name}`, options);
  }

  /** Joins a region, or makes it: any process may be first. Errors as {@link create} and {@link open}. */
  static openOrCreate(name: string, options?: RegionOptions): Promise<Region> {
    return Region.attach(name, "openOrCreate", options);
  }
  /** {@link openOrCreate}, blocking the thread. */
  static openOrCreateSync(name: string, options?: RegionOptions): Region {
    return Region.attachSync(name, "openOrCreate", options);
  }

  /**
   * Makes a region without a name, on a memfd (memfd_create(2)), which is sealed against being cut short. Others attach by a
   * descriptor, which children are given: see {@link fd}. It is there as long as anybody has it attached or holds a descriptor.
   * @throws ERR_NO_SPACE, ERR_INVALID_SIZE, ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_UNKNOWN_OPTION, ERR_RUNTIME_LIMIT,
   * ERR_TIMEOUT, ERR_SYSTEM, the signal's reason
   * @example
   * ```ts
   * import { spawn } from "node:child_process";
   * import { once } from "node:events";
   * import { Region } from "shmkit";
   *
   * const region = await Region.anonymous({ size: "1MiB" });
   * const answers = await region.pipe<string>("answers");
   * const program = `import { Region } from "shmkit";
   *   const region = await Region.fromDescriptor(3);
   *   await (await region.pipe("answers")).send("I have it");
   *   await region.close();`;
   * const stdio = ["inherit", "inherit", "inherit", region.fd] as const; // the child's descriptor 3
   * const child = spawn(process.execPath, ["--input-type=module", "-e", program], { stdio: [...stdio] });
   * console.log(await answers.receive()); // I have it
   * await once(child, "exit");
   * await region.close();
   * ```
   */
  static async anonymous(options?: AnonymousOptions): Promise<Region> {
    const checked = checkAnonymousOptions(options, "Region.anonymous");
    return new Region(ANONYMOUS.name, await run(createAnonymous(checked), "making an anonymous region", options));
  }
  /** {@link anonymous}, blocking the thread. */
  static anonymousSync(options?: AnonymousOptions): Region {
    const checked = checkAnonymousOptions(options, "Region.anonymousSync");
    return new Region(ANONYMOUS.name, runSync(createAnonymous(checked), "making an anonymous region", options));
  }

  /**
   * Attaches to an anonymous region by a descriptor that this process was given, which stays as it is and the caller's own.
   * @param fd such as 3, the first one behind the standard streams in the `stdio` of `spawn`
   * @throws ERR_BAD_REGION (it is no anonymous region), ERR_VERSION, ERR_TOO_MANY_MEMBERS, ERR_PERMISSION, ERR_TIMEOUT,
   * ERR_RUNTIME_LIMIT, ERR_SYSTEM (there is no such descriptor), the signal's reason, and as {@link anonymous} for its arguments
   */
  static async fromDescriptor(fd: number, options?: DescriptorOptions): Promise<Region> {
    const checked = checkDescriptorOptions(options, "Region.fromDescriptor");
    const steps = attachToDescriptor(wholeNumber(fd, "fd", 0, MAX_DESCRIPTOR), checked);
    return new Region(ANONYMOUS.name, await run(steps, `attaching to descriptor ${fd}`, options));
  }
  /** {@link fromDescriptor}, blocking the thread. */
  static fromDescriptorSync(fd: number, options?: DescriptorOptions): Region {
    const checked = checkDescriptorOptions(options, "Region.fromDescriptorSync");
    const steps = attachToDescriptor(wholeNumber(fd, "fd", 0, MAX_DESCRIPTOR), checked);
    return new Region(ANONYMOUS.name, runSync(steps, `attaching to descriptor ${fd}`, options));
  }

  /**
   * Takes a region's name away. Who is attached goes on with the memory; nobody can join it any more, and the name is free.
   * Resolves to false when there was none. Removes a corrupt file of that name as well. As unlink(2) does for files.
   * @throws ERR_PERMISSION, ERR_NOT_OWNER, ERR_BAD_REGION (a link, directory or FIFO), ERR_INVALID_NAME, ERR_TIMEOUT
   */
  static async remove(name: string, options?: WaitOptions): Promise<boolean> {
    const place = placeOf(name);
    return run(remove(place), `removing ${place.name}`, onlyWaitOptions(options, "Region.remove"));
  }
  /** {@link remove}, blocking the thread. */
  static removeSync(name: string, options?: WaitOptions): boolean {
    const place = placeOf(name);
    return runSync(remove(place), `removing ${place.name}`, onlyWaitOptions(options, "Region.removeSync"));
  }

  /**
   * The regions there are and this user can read, by name; those that nobody alive uses (and that were not asked to stay)
   * are removed first.
   */
  static async list(): Promise<RegionInfo[]> {
    await Region.clean();
    return snapshots();
  }
  /** {@link list}, blocking the thread. */
  static listSync(): RegionInfo[] {
    Region.cleanSync();
    return snapshots();
  }

  /**
   * One region from outside, without attaching; undefined when there is none. Takes no slot and no lock, needs read
   * permission only.
   * @throws ERR_BAD_REGION, ERR_VERSION, ERR_PERMISSION, ERR_CORRUPT, ERR_INVALID_NAME
   */
  static inspect(name: string, options?: InspectOptions): RegionInfo | undefined {
    return snapshot(name, options);
  }

  /**
   * Removes regions that no living process uses; of lifetime `"kernel"` only with `kernel: true`. Leaves alone what it may
   * not touch or cannot understand. Resolves to the names removed.
   * @throws ERR_INVALID_NAME, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION
   */
  static async clean(options?: CleanOptions): Promise<string[]> {
    const removed: string[] = [];
    for (const { name, steps } of cleaning(options, "Region.clean"))
      if (await run(steps, `cleaning ${name}`, CLEANING).catch(unlessShmkit)) removed.push(name);
    return removed;
  }
  /** {@link clean}, blocking the thread. */
  static cleanSync(options?: CleanOptions): string[] {
    const removed: string[] = [];
    for (const { name, steps } of cleaning(options, "Region.cleanSync"))
      try {
        if (runSync(steps, `cleaning ${name}`, CLEANING)) removed.push(name);
      } catch (error) {
        unlessShmkit(error);
      }
    return removed;
  }

  private static async attach(name: string, mode: OpenMode, options: RegionOpenOptions | undefined): Promise<Region> {
    const place = placeOf(name);
    const checked = checkOptions(options, `Region.${mode}`, place);
    return new Region(place.name, await run(attach(place, mode, checked), `opening the region ${place.name}`, options));
  }

  private static attachSync(name: string, mode: OpenMode, options: RegionOpenOptions | undefined): Region {
    const place = placeOf(name);
    const checked = checkOptions(options, `Region.${mode}`, place);
    return new Region(place.name, runSync(attach(place, mode, checked), `opening the region ${place.name}`, options));
  }

  // State.

  /**
   * Of an anonymous region: a descriptor to hand over to children, in the `stdio` of `spawn` or `fork`, who attach with
   * {@link fromDescriptor}. The same one each time; closed with the region.
   * @throws ERR_INVALID_ARGUMENT (the region has a name), ERR_CLOSED, ERR_REGION_LOST, ERR_SYSTEM
   */
  get fd(): number {
    const { member, descriptor } = this.membership;
    member.checkUsable();
    if (this.lifetime !== "anonymous")
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `${this.name} is opened by its name, and not by a descriptor`);
    // A description of its own: a child that shared this member's would share the locks that are taken with it.
    this.handedOver ??= checkResult(native.reopen(descriptor), "open", this.path);
    return this.handedOver;
  }
  private handedOver: number | undefined;

  /** Bytes backed for objects and messages now. */
  get sizeBytes(): number {
    return this.statistics().committedBytes;
  }

  /** Bytes for objects and messages the region can grow to: its `maxSize`. */
  get maxSizeBytes(): number {
    const { maxPages, heapPage } = this.membership.geometry;
    return (maxPages - heapPage) * PAGE_BYTES;
  }

  /** This member's slot, 0 to maxMembers - 1. */
  get slot(): number {
    return this.membership.member.slot;
  }

  /** Where the memory goes; a walk over the blocks, without locks. */
  statistics(): HeapStatistics {
    this.membership.member.checkUsable();
    const statistics = this.membership.heap.statistics();
    // What was read from memory that went away meanwhile does not count.
    this.membership.segment.checkNotLost();
    return statistics;
  }

  /** Who is attached, by slot: the dead as well, as long as nobody has recovered them. */
  members(): MemberInfo[] {
    this.membership.member.checkUsable();
    const { segment, geometry, descriptor, member } = this.membership;
    const members = readMembers(segment, geometry, descriptor, member.slot);
    segment.checkNotLost();
    return members;
  }

  /**
   * The region's bytes from offset 0 to the end of its address space: for tools and experts; docs/layout.md says what is
   * where. Stays valid after `close()`, then reading zeroes. Bytes beyond what is backed must not be touched.
   */
  get buffer(): ArrayBuffer | SharedArrayBuffer {
    return this.membership.segment.bytes.buffer;
  }

  /**
   * Backs memory ahead of need (fallocate(2)), so that later messages find it: `size` is what is to be backed in all, at
   * most `maxSize`. Does nothing when as much is there already; never shrinks. The event loop goes on meanwhile.
   * @throws ERR_NO_SPACE, ERR_REGION_FULL, ERR_INVALID_SIZE, ERR_TIMEOUT, the signal's reason
   */
  async grow(size: Size, options?: WaitOptions): Promise<void> {
    const { step, next } = this.growing(size, onlyWaitOptions(options, "grow")?.timeoutMs);
    // Step by step, with the event loop in between: backing a GiB takes a third of a second.
    while (!(await this.membership.waits.async(step, { ...options, timeoutMs: next() }))) await nextTurn();
  }

  /** {@link grow}, blocking the thread. */
  growSync(size: Size, options?: WaitOptions): void {
    const { step, next } = this.growing(size, onlyWaitOptions(options, "growSync")?.timeoutMs);
    while (!this.membership.waits.sync(step, { ...options, timeoutMs: next() }));
  }

  /** A step of growing, and what is asked before each: milliseconds left. The first is made however few there are. */
  private growing(size: Size, timeoutMs: number | undefined): { step: Waitable<boolean>; next: () => number } {
    const { member, heap, geometry } = this.membership;
    member.checkUsable();
    const bytes = sizeBytes(size, "size", 1, Number.MAX_SAFE_INTEGER);
    if (bytes > this.maxSizeBytes)
      throw new ShmkitError(
        "ERR_REGION_FULL",
        `${this.name} can grow to ${formatBytes(this.maxSizeBytes)}, not to ${formatBytes(bytes)}; create it with a larger maxSize`,
        {
          expected: this.maxSizeBytes,
          actual: bytes,
        },
      );
    const pages = geometry.heapPage + Math.ceil(bytes / PAGE_BYTES);
    wholeNumber(pages, "size", 0, geometry.maxPages);
    const what = `growing ${this.name}`;
    const deadline = deadlineOf(timeoutMs);
    let begun = false;
    const next = (): number => {
      const left = Math.max(0, deadline - now());
      if (begun && left === 0) throw timeoutError(what, timeoutMs);
      begun = true;
      return left;
    };
    return { step: heap.growing(pages, what, new LocalQueue()), next };
  }

  private get onDisk(): boolean {
    return this.lifetime === "file";
  }

  /**
   * Of a region of lifetime `"file"`: writes what was changed to disk, off the event loop (msync(2), and once fsync(2) of its directory). If
   * the machine goes down and nobody has changed the region since, all is there. It is no checkpoint: what is changed afterwards
   * changes the same pages, which reach the disk in any order.
   * @throws ERR_NO_SPACE, ERR_SYSTEM (the disk failed), ERR_INVALID_ARGUMENT (the region is in memory), ERR_PERMISSION (its
   * directory may not be read), ERR_CLOSED, ERR_REGION_LOST
   * @see [Regions on disk](../../docs/guide/regions.md#on-disk)
   * @example
   * ```ts
   * import { mkdtemp, rm } from "node:fs/promises";
   * import { open, Region } from "shmkit";
   *
   * const directory = await mkdtemp("/tmp/api-flush-");
   * const state = await open(`${directory}/state.shm`, { lifetime: "file", size: "1MiB", refuseUnclean: true });
   * await (await state.counter("orders")).add(3);
   * await state.flush(); // from here on the machine may go down
   * console.log(Region.inspect(state.path)?.disk); // inUse
   * await state.close();
   * console.log(Region.inspect(state.path)?.disk); // inOrder
   * await rm(directory, { recursive: true });
   * ```
   */
  async flush(): Promise<void> {
    const { segment, member } = this.flushable();
    const result = await writeBack(segment, segment.bytes.byteLength);
    // Closed or lost meanwhile, it was other memory that was written.
    member.checkUsable();
    this.checkWritten(result);
    if (!this.nameIsOnDisk) await syncDirectory(this.path);
    this.nameIsOnDisk = true;
  }

  /** {@link flush}, blocking the thread. */
  flushSync(): void {
    const { segment, member } = this.flushable();
    const result = writeBackSync(segment, segment.bytes.byteLength);
    member.checkUsable();
    this.checkWritten(result);
    if (!this.nameIsOnDisk) syncDirectorySync(this.path);
    this.nameIsOnDisk = true;
  }

  /** The system tells of a failure once, and then takes the pages for written: so all are told. */
  private checkWritten(result: number): void {
    if (result < 0) words.store(this.membership.segment.words, HEADER.unclean, 1);
    checkResult(result, "msync", this.path);
  }

  private flushable(): Membership {
    this.membership.member.checkUsable();
    if (this.onDisk) return this.membership;
    throw new ArgumentError(
      "ERR_INVALID_ARGUMENT",
      `${this.name} is in memory, which nothing can be written back from; one of lifetime "file" is on disk`,
    );
  }
  /** Whether this handle has seen to it that the directory of its file says so on disk. */
  private nameIsOnDisk = false;

  /**
   * Of a region on disk: whether the machine went down while it was in use, or it was copied then, or the disk failed; and nobody
   * has called {@link markClean} since. Its contents may be a mixture of old and new.
   */
  get unclean(): boolean {
    this.membership.member.checkUsable();
    return words.load(this.membership.segment.words, HEADER.unclean) !== 0;
  }

  /** Says that the contents are right: they were looked over, or made anew. From then on the region is not {@link unclean}. */
  markClean(): void {
    this.membership.member.checkUsable();
    words.store(this.membership.segment.words, HEADER.unclean, 0);
  }

  /**
   * Lets the process end although waits of this region are pending: those that are and those to come. They go on as long
   * as something else keeps the process alive. Returns this region, as Node's timers do.
   */
  unref(): this {
    this.membership.waits.reference(false);
    return this;
  }

  /** Undoes {@link unref}: pending waits keep the process alive again. */
  ref(): this {
    this.membership.waits.reference(true);
    return this;
  }

  /** Whether pending waits keep the process alive: true unless {@link unref} was called. */
  hasRef(): boolean {
    return this.membership.waits.isReferenced;
  }

  /** Looks whether somebody died and recovers them now, instead of when it is noticed. Returns whether there was anybody. */
  recoverTheDead(): boolean {
    const { member, deaths } = this.membership;
    member.checkUsable();
    const found = deaths.recoverAndReport();
    // In memory that went away meanwhile, nobody would be dead.
    member.checkUsable();
    return found;
  }

  /**
   * Leaves the region: pending waits reject with ERR_CLOSED, leases go back, held mutexes pass on as abandoned. The last
   * member takes the region with it, unless its lifetime is `"kernel"`; resolves when its memory is free. Idempotent.
   */
  async close(): Promise<void> {
    try {
      await this.leave((descriptor) =>
        this.onDisk
          ? run(seal(descriptor, this.path), `closing ${this.name}`, undefined)
          : native.closeAsync(descriptor),
      );
      // What was noticed before is told before this is done, and nothing after.
      if (this.untold > 0) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      this.hasLeft = true;
      // Only now: whoever awaits this call first and its pending calls then handles their rejections in time.
      this.rejectPending();
    }
  }

  /** {@link close}, blocking the thread: for the last member of a big region 0.1 s per GiB. */
  closeSync(): void {
    try {
      this.leave((descriptor) =>
        this.onDisk
          ? runSync(seal(descriptor, this.path), `closing ${this.name}`, undefined)
          : native.close(descriptor),
      );
    } finally {
      this.hasLeft = true;
      this.rejectPending();
    }
  }

  private leave(closeFile: (descriptor: number) => unknown): unknown {
    if (this.closed) return undefined;
    const { membership } = this;
    membership.waits.withdrawAll();
    const closing = membership.leave(this.path, this.lifetime === "process", closeFile);
    this.forgetHandles();
    if (this.handedOver !== undefined) native.close(this.handedOver);
    this.handedOver = undefined;
    // Last, so that a close which was cut off can be repeated.
    this.closed = true;
    tell("shmkit:region:close", () => this.eventOf());
    return closing;
  }

  private eventOf(): RegionEvent {
    return { region: this.name, path: this.path, epoch: this.epoch, slot: this.slot };
  }

  private rejectPending(): void {
    const error = new ShmkitError("ERR_CLOSED", `the region ${this.name} was closed`, { path: this.name });
    this.membership.waits.rejectWithdrawn(error);
  }
  private closed = false;
  /** Whether nobody is told of anything any more; deaths noticed that nobody was told of yet. */
  private hasLeft = false;
  private untold = 0;

  /** {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

refuseTheRest(
  [Region, RegionObjects].flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype)).concat(COLLECTIONS),
);

const MAX_DESCRIPTOR = 2 ** 31 - 1;

/** A stopped process that holds a region's attach byte keeps only that one from being cleaned. */
const CLEANING: WaitOptions = { timeoutMs: 1000 };

function* cleaning(
  options: CleanOptions | undefined,
  where: string,
): Generator<{ name: string; steps: Steps<boolean> }, void, void> {
  const known = knownOptions(options, ["kernel", "name"], where);
  const kernel = flag(known.kernel, "kernel");
  const names = known.name === undefined ? regionNames() : [regionName(known.name)];
  for (const name of names) yield { name, steps: clean(name, kernel) };
}

function unlessShmkit(error: unknown): false {
  if (error instanceof ShmkitError) return false;
  throw error;
}

/**
 * Joins the region of that name, or makes it: any process may be first. The same as {@link Region.openOrCreate}.
 * @throws as {@link Region.create} and {@link Region.open}; never ERR_EXISTS or ERR_NOT_FOUND
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-open");
 * const jobs = await app.pipe<{ url: string }>("jobs", { capacity: 1000 });
 * await jobs.send({ url: "https://example.org" });
 * console.log(await jobs.receive()); // { url: 'https://example.org' }
 * await app.close();
 * ```
 */
export function open(name: string, options?: RegionOptions): Promise<Region> {
  return Region.openOrCreate(name, options);
}
