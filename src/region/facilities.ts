import { setTimeout as sleep } from "node:timers/promises";
import * as words from "#words";
import { checkResult, ERRNO } from "../base/system-errors.js";
import { LOCK_BASE, PAGE_BYTES } from "../layout/region-header.js";
import { DIRECTORY } from "../base/file-names.js";
import { newFile } from "../memory/named-file.js";
import { Segment } from "../memory/segment.js";
import { addonPath, libc, native, requireLinux } from "../native/addon.js";
import { randomHex } from "../native/random.js";
import { StatusWord } from "../native/contract.js";

/** What a region needs of the system, by the names of its calls. */
export type FacilityName =
  | "O_TMPFILE"
  | "fallocate"
  | "punch hole"
  | "reopen through /proc"
  | "link through /proc"
  | "OFD locks"
  | "shared mapping"
  | "pinned lock"
  | "futex"
  | "thread"
  | "inotify"
  | "SharedArrayBuffer of foreign memory";

/** Something that a region needs of the system or the runtime, and whether it works here. */
export interface Facility {
  /** Which part of the system it is. */
  readonly name: FacilityName;
  /** Whether it worked when it was tried. */
  readonly works: boolean;
  /** False for what a region can do without. */
  readonly needed: boolean;
  /** Why it does not work, if it does not. */
  readonly failure?: string;
}

/** What {@link probeSystem} finds. */
export interface SystemReport {
  /** The addon that was loaded. */
  readonly addon: {
    /** Its file. */
    readonly path: string;
    /** Number of the contract between it and the JavaScript. */
    readonly abi: number;
    /** The C library it was built for. */
    readonly libc: "glibc" | "musl";
  };
  /** What was tried, in a fixed order. */
  readonly facilities: readonly Facility[];
}

/** Words of the file that is tried on. */
const BELL = 0;
const ARMED = 16;
const FILE_BYTES = 2 * PAGE_BYTES;
/** How long is waited for what comes from another thread. */
const ARRIVAL_MS = 2000;

/** A file to try things on; it has no name but for a moment, and goes with its descriptors. */
class Trial {
  readonly facilities: Facility[] = [];
  readonly descriptor: number;
  private readonly temporaryPath: string | undefined;
  private other = -1;
  private segment: Segment | undefined;
  private rung = false;

  constructor() {
    const { descriptor, temporaryPath } = newFile(DIRECTORY, 0o600);
    this.descriptor = descriptor;
    this.temporaryPath = temporaryPath;
  }

  /** Tries one thing; what throws does not work. */
  private async attempt(name: FacilityName, needed: boolean, act: () => unknown): Promise<void> {
    try {
      await act();
      this.facilities.push({ name, needed, works: true });
    } catch (error) {
      this.facilities.push({ name, needed, works: false, failure: (error as Error).message });
    }
  }

  async run(): Promise<readonly Facility[]> {
    const { descriptor } = this;
    await this.attempt("O_TMPFILE", false, () => expect("a nameless file is made", this.temporaryPath === undefined));
    await this.attempt("fallocate", true, () => checkResult(native.allocate(descriptor, 0, FILE_BYTES), "fallocate"));
    await this.attempt("punch hole", false, () =>
      checkResult(native.punch(descriptor, PAGE_BYTES, PAGE_BYTES), "fallocate(FALLOC_FL_PUNCH_HOLE)"),
    );
    await this.attempt("reopen through /proc", true, () => {
      this.other = checkResult(native.reopen(descriptor), "open /proc/self/fd");
    });
    await this.attempt("link through /proc", false, () => this.link());
    await this.attempt("OFD locks", true, () => this.locks());
    await this.attempt("shared mapping", true, () => this.map());
    await this.attempt("pinned lock", true, () => this.pin());
    await this.attempt("futex", true, () => this.futex());
    await this.attempt("thread", true, () => this.thread());
    await this.attempt("inotify", false, () => this.inotify());
    await this.attempt("SharedArrayBuffer of foreign memory", false, () =>
      expect("the runtime wraps it", native.hasExternalSharedArrayBuffer),
    );
    return this.facilities;
  }

  private link(): void {
    if (this.temporaryPath !== undefined) throw new Error("it needs O_TMPFILE");
    const path = `${DIRECTORY}/.shmkit-trial-${randomHex()}`;
    checkResult(native.linkDescriptor(this.descriptor, path), "linkat /proc/self/fd");
    native.unlink(path);
  }

  private locks(): void {
    const { descriptor, other } = this;
    checkResult(native.lock(descriptor, LOCK_BASE), "fcntl(F_OFD_SETLK)");
    expect("another description is refused the lock", native.lock(other, LOCK_BASE) === -ERRNO.again);
    expect("another description sees the lock", native.probe(other, LOCK_BASE, 1) === 1);
    checkResult(native.unlock(descriptor, LOCK_BASE), "fcntl(F_UNLCK)");
    expect("another description sees the lock go", native.probe(other, LOCK_BASE, 1) === 0);
  }

  private map(): void {
    const open = (descriptor: number): Segment =>
      new Segment(descriptor, FILE_BYTES, DIRECTORY, { writable: true, shared: false });
    this.segment = open(this.descriptor);
    const second = open(this.other);
    words.store(this.segment.words, BELL, 7);
    const seen = words.load(second.words, BELL);
    second.close();
    expect("what one mapping writes another one reads", seen === 7);
  }

  private get mapped(): Segment {
    if (this.segment === undefined) throw new Error("it needs a shared mapping");
    return this.segment;
  }

  private pin(): void {
    const { mapped, descriptor, other } = this;
    checkResult(native.pin(mapped.id, descriptor, LOCK_BASE + 1), "pinning a lock");
    expect("the mapping holds the lock", native.probe(other, LOCK_BASE + 1, 1) === 1);
    checkResult(native.unpin(mapped.id), "releasing a lock");
    expect("the lock goes with it", native.probe(other, LOCK_BASE + 1, 1) === 0);
  }

  private futex(): void {
    const { mapped } = this;
    const value = words.load(mapped.words, BELL);
    expect("a word that changed is not slept on", native.park(mapped.id, BELL * 4, value + 1, 10) === -ERRNO.again);
    expect("a sleep ends after its time", native.park(mapped.id, BELL * 4, value, 1) === -ERRNO.timedOut);
    checkResult(native.wake(mapped.id, BELL * 4, -1), "futex(FUTEX_WAKE_BITSET)");
  }

  private async thread(): Promise<void> {
    const { mapped } = this;
    const sample = words.load(mapped.words, BELL);
    words.store(mapped.words, ARMED, 1);
    const onBell = (): void => {
      words.store(mapped.status, StatusWord.drainPosted, 0);
      this.rung = true;
    };
    checkResult(native.startWaiter(mapped.id, BELL * 4, ARMED * 4, sample, onBell), "starting a thread");
    const wake = (): number => native.wake(mapped.id, BELL * 4, -1);
    await arrival("a thread that sleeps can be woken", () => wake() > 0);
    words.add(mapped.words, BELL, 1);
    wake();
    await arrival("a thread calls back", () => this.rung);
  }

  private async inotify(): Promise<void> {
    const { mapped, descriptor } = this;
    const before = words.load(mapped.status, StatusWord.deathHints);
    checkResult(native.watchDeaths(mapped.id, descriptor), "inotify_add_watch");
    native.close(checkResult(native.reopen(descriptor), "open /proc/self/fd"));
    await arrival("the close of a file is noticed", () => words.load(mapped.status, StatusWord.deathHints) !== before);
  }

  close(): void {
    this.segment?.close();
    if (this.other >= 0) native.close(this.other);
    native.close(this.descriptor);
    if (this.temporaryPath !== undefined) native.unlink(this.temporaryPath);
  }
}

function expect(what: string, holds: boolean): void {
  if (!holds) throw new Error(`it is not so that ${what}`);
}

/** Waits until something has arrived from another thread. */
async function arrival(what: string, arrived: () => boolean): Promise<void> {
  // Asked once a round: a thread that was woken sleeps again only some time later.
  for (const end = performance.now() + ARRIVAL_MS; !arrived();) {
    expect(what, performance.now() < end);
    await sleep(1);
  }
}

/**
 * Which addon was loaded, and what of the system works here, tried out on a nameless file in /dev/shm: for diagnosis,
 * when a region cannot be made or deaths are noticed late.
 * @throws ERR_PERMISSION, ERR_NO_SPACE, ERR_SYSTEM when not even a file can be made there
 */
export async function probeSystem(): Promise<SystemReport> {
  requireLinux("probeSystem");
  const trial = new Trial();
  try {
    const facilities = await trial.run();
    return { addon: { path: addonPath, abi: native.abi, libc: libc() }, facilities };
  } finally {
    trial.close();
  }
}
