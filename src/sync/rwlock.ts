import * as words from "#words";
import { choice, knownOptions } from "../base/arguments.js";
import { now } from "../base/deadline.js";
import { ShmkitError } from "../base/errors.js";
import { INSPECTED, shown } from "../base/inspection.js";
import type { ObjectPlan, ObjectRef } from "../heap/object-plan.js";
import { NamedObject, type ObjectContext } from "../heap/named-object.js";
import { Op } from "../layout/member-slot.js";
import { GATE_ENTERED, RWLOCK_BYTES, RWLOCK_READER_BYTES } from "../layout/rwlock.js";
import {
  blockedOnLock,
  holderOf,
  isAbandoned,
  lockWaiters,
  ownerOf,
  toldAbandoned,
  tryLock,
} from "../locking/robust-lock.js";
import { ringAll, ringMember } from "../members/doorbell.js";
import { BLOCKED, type Blocked, type Member } from "../members/member.js";
import { memberNames } from "../members/member-info.js";
import { inSet, leaveSet } from "../members/member-set.js";
import { timeIndex } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import {
  COUNT_STRIDE,
  countWord,
  favourReaders,
  noteGuard,
  noteReaders,
  noteWhether,
  READER_WORD,
  readingTimes,
  RWLOCK_WORD,
  rwLockStatistics,
  writingTimes,
  type RwLockStatistics,
} from "./rwlock-words.js";
import { DeadlockWatch, PRESUMED_MS } from "./deadlock.js";
import { LOCK_OPTIONS, looks, type LockOptions } from "./lock-options.js";
import { Turns } from "./turns.js";
import { readPoint, writePoint } from "./wait-points.js";
import { whileHeld, whileHeldSync } from "./while-held.js";

const LOCK = Op["rwlock.lock"];
const UNLOCK = Op["rwlock.unlock"];
/** How long a writer lets readers that waited go first; one that is stopped or busy loses its turn then. */
const FAVOUR_MS = 20;

/** In which way a {@link RwLock} is held: by many for reading, by one who may go on to write, by one who writes. */
export type RwLockMode = "shared" | "upgradable" | "exclusive";

/** @internal */
export const rwlockPlan = ({ geometry }: Member): ObjectPlan => ({
  kind: "rwlock",
  sizeBytes: RWLOCK_BYTES + geometry.maxMembers * RWLOCK_READER_BYTES,
  options: [],
  given: [],
  optionNames: [],
  init: () => undefined,
});

/** What is held of a {@link RwLock}, until `release()`. */
export class RwLockGuard {
  /** @internal */
  held: RwLockMode | undefined;
  /** @internal */
  told = false;
  private readonly lock: RwLock;

  /** @internal */
  constructor(lock: RwLock, held: RwLockMode) {
    this.lock = lock;
    this.held = held;
  }

  /** How it is held; undefined once it was released. */
  get mode(): RwLockMode | undefined {
    return this.held;
  }

  /** True when the last one that wrote died doing so: told to the next that writes only, with its lock or its upgrade. */
  get abandoned(): boolean {
    return this.told;
  }

  /** Gives it back; never waits. @throws ERR_NOT_HELD when that was done already, ERR_CLOSED, ERR_REGION_LOST */
  release(): void {
    this.lock.giveBack(this);
  }

  /** Releases if still held. */
  [Symbol.dispose](): void {
    if (this.lock.isHeldBy(this)) this.release();
  }

  /**
   * From upgradable to exclusive: resolves when those who read have left. Nobody writes in between, so what was read still
   * holds. On failure it stays upgradable.
   * @throws ERR_NOT_HELD when it is not held upgradable; else as {@link RwLock.lock}
   */
  async upgrade(options?: LockOptions): Promise<void> {
    return this.lock.upgradeGuard(this, options);
  }
  /** {@link upgrade}, blocking the thread. @throws ERR_DEADLOCK also when this very thread reads, too */
  upgradeSync(options?: LockOptions): void {
    this.lock.upgradeGuardSync(this, options);
  }
  /** Whether nobody read and it is exclusive now. Never waits. @throws ERR_NOT_HELD */
  tryUpgrade(): boolean {
    return this.lock.tryUpgradeGuard(this);
  }

  /** From exclusive or upgradable to what is less, without letting a writer in between; never waits. @throws ERR_NOT_HELD when it is held as no more than that */
  downgrade(to: "shared" | "upgradable" = "shared"): void {
    this.lock.downgradeGuard(this, choice(to, "to", ["shared", "upgradable"]));
  }

  /** @internal */
  [INSPECTED](): string {
    return shown(this, this.lock.address, this.held ?? "released");
  }
}

/**
 * A named readers–writer lock: many read at the same time, or one writes. Upgradable is in between, as in Boost's
 * `upgrade_mutex`: one member at a time, beside readers, which alone may go on to write. Neither side starves: who would
 * write keeps new readers out, and readers that waited while somebody wrote come before the next one that would. Writers
 * are served in the order in which their members began to wait. Readers that die have left; when a writer dies, the next one is told (`guard.abandoned`).
 *
 * Reading touches a cache line of its own and no lock, so readers do not slow each other down.
 * @see pthread_rwlock_rdlock(3p); [synchronisation](../../docs/guide/synchronisation.md#readerswriter-lock)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-rwlock");
 * const config = await app.rwlock("config");
 * const reading = await config.lockShared();
 * reading.release();
 * const guard = await config.lockUpgradable({ timeoutMs: 1000 });
 * // looks beside other readers, and only if there is something to change:
 * await guard.upgrade();
 * console.log(guard.mode); // exclusive
 * guard.release();
 * await app.close();
 * ```
 */
export class RwLock extends NamedObject {
  private readonly readers = new LocalQueue();
  private readonly writers = new LocalQueue();
  private readonly upgrades = new LocalQueue();
  /** Sync forms do not stand behind this thread's asynchronous waits, which it cannot serve while it blocks. */
  private readonly syncQueue = new LocalQueue();
  private readonly turns = new Turns(this.member, this.base, this.base + RWLOCK_WORD.turns);
  private readonly turnWord = this.base + RWLOCK_WORD.turns + this.member.slot;
  private readonly countWord = countWord(this.base, this.member.slot);
  private readonly gate = this.base + RWLOCK_WORD.gate;
  private readonly closings = this.base + RWLOCK_WORD.closings;
  private readonly waiting = this.base + RWLOCK_WORD.waiting;
  private readonly favoured = this.base + RWLOCK_WORD.favoured;
  private readonly entered = this.member.me | GATE_ENTERED;
  private readonly readingSince = timeIndex(readingTimes(this.base), this.member.slot);
  private readonly writingSince = timeIndex(writingTimes(this.base), this.member.slot);
  /** Guards of this member that read. */
  private count = 0;
  /** The guard that is upgradable or exclusive. */
  private owner: RwLockGuard | undefined;
  /** The lock is owned, or the gate closed, on behalf of a wait. */
  private isEntering = false;
  /**
   * Since when readers are let in first, 0 when that has not begun, and how often the gate had been closed: since it was
   * opened behind another closing, others are. A try that gives up leaves it, so that who tries again and again comes in.
   */
  private favourSince = 0;
  private favourOf = 0;
  /** Slot of a member that reads, as the last look found it; -1 when none did. */
  private reader = -1;
  /** Of an attempt that is not over. */
  private arriving: RwLockGuard | undefined;
  /** Whether a wait to read is noted: see {@link noteReadingWait}. */
  private isReadingNoted = false;
  /** The closing of the gate, by its number, behind which the readers that are waited for have been noted. */
  private readersNotedOf = -1;
  /** Since when nobody here has left, although a task waits to read where one reads; 0 when that has not begun. */
  private stuckSince = 0;
  private readonly writing = new DeadlockWatch(this.context, writePoint(this.member, this.name, this.base));
  private readonly reading = new DeadlockWatch(this.context, readPoint(this.member, this.name, this.base));
  private readonly sharing = this.waitable(
    this.readers,
    "reading",
    () => this.attemptShared(false),
    () => this.readingGivenUp(),
    (sync) => this.readingStalled(sync, true),
    this.readingSince,
  );
  private readonly sharingUnwatched: Waitable<RwLockGuard> = {
    ...this.sharing,
    stalled: (sync) => this.readingStalled(sync, false),
  };
  private readonly sharingSync = this.waitable(
    this.syncQueue,
    "reading",
    () => this.attemptShared(true),
    () => this.readingGivenUp(),
    (sync) => this.reading.look(sync),
    this.readingSince,
  );
  private readonly upgradabling = this.waitable(this.writers, "locking", () => this.attempt("upgradable", false));
  private readonly upgradablingSync = this.waitable(this.syncQueue, "locking", () => this.attempt("upgradable", true));
  private readonly locking = this.waitable(this.writers, "locking", () => this.attempt("exclusive", false));
  private readonly lockingSync = this.waitable(this.syncQueue, "locking", () => this.attempt("exclusive", true));

  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef) {
    super(context, ref);
  }

  /**
   * To read: resolves when nobody writes, or waits to and came before. Where a task of this thread reads and nobody here has
   * left for a second, it is let in before those that wait to write, since it may be that very task.
   * @throws ERR_TIMEOUT, ERR_DEADLOCK (its `cycle` says who waits for whom), the signal's reason, ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_CLOSED, ERR_REGION_LOST
   */
  async lockShared(options?: LockOptions): Promise<RwLockGuard> {
    const sharing = looks(knownOptions(options, LOCK_OPTIONS, "lockShared")) ? this.sharing : this.sharingUnwatched;
    return this.context.waits.async(sharing, options);
  }
  /**
   * {@link lockShared}, blocking the thread. A thread that reads already is let in even if somebody waits to write: it
   * would wait for itself. @throws ERR_DEADLOCK also when this very thread writes
   */
  lockSharedSync(options?: LockOptions): RwLockGuard {
    const guard = options === undefined ? this.attemptNow(this.sharingSync) : BLOCKED;
    if (guard !== BLOCKED) return guard;
    return this.context.waits.sync(watched(this.sharingSync, options, "lockSharedSync"), options);
  }
  /** The guard, or undefined when somebody writes or waits to. Never waits. */
  tryLockShared(): RwLockGuard | undefined {
    return guardOf(this.context.waits.try(this.sharing));
  }

  /** To write: resolves when nobody else reads or writes. Errors as {@link lockShared}. */
  async lock(options?: LockOptions): Promise<RwLockGuard> {
    return this.context.waits.async(watched(this.locking, options, "lock"), options);
  }
  /** {@link lock}, blocking the thread. @throws ERR_DEADLOCK also when this very thread holds it in any way */
  lockSync(options?: LockOptions): RwLockGuard {
    const guard = options === undefined ? this.attemptNow(this.lockingSync) : BLOCKED;
    if (guard !== BLOCKED) return guard;
    return this.context.waits.sync(watched(this.lockingSync, options, "lockSync"), options);
  }
  /**
   * The guard, or undefined when somebody reads, writes, holds it upgradable or waits to, or readers that waited while the last
   * one wrote are about to come. Never waits; where it finds readers, it keeps new ones out for the moment of its look.
   */
  tryLock(): RwLockGuard | undefined {
    return guardOf(this.context.waits.try(this.locking));
  }

  /** To read and perhaps write: resolves when nobody writes or holds it so. Errors as {@link lockShared}. */
  async lockUpgradable(options?: LockOptions): Promise<RwLockGuard> {
    return this.context.waits.async(watched(this.upgradabling, options, "lockUpgradable"), options);
  }
  /** {@link lockUpgradable}, blocking the thread. @throws ERR_DEADLOCK also when this very thread holds it so, or writes */
  lockUpgradableSync(options?: LockOptions): RwLockGuard {
    return this.context.waits.sync(watched(this.upgradablingSync, options, "lockUpgradableSync"), options);
  }
  /** The guard, or undefined when somebody writes, holds it so, or waits for either. Never waits. */
  tryLockUpgradable(): RwLockGuard | undefined {
    return guardOf(this.context.waits.try(this.upgradabling));
  }

  /**
   * Calls a function while holding it to write, and releases it whatever happens; resolves to what the function does.
   * @throws as {@link lock}, and whatever the function throws
   */
  async run<T>(callback: (guard: RwLockGuard) => T | PromiseLike<T>, options?: LockOptions): Promise<T> {
    return whileHeld(await this.lock(options), callback);
  }
  /**
   * {@link run}, blocking the thread; the function must have done its work when it returns.
   * @throws as {@link lockSync}, whatever the function throws, and ERR_INVALID_ARGUMENT when it returns a promise
   */
  runSync<T>(callback: (guard: RwLockGuard) => T, options?: LockOptions): T {
    return whileHeldSync(this.lockSync(options), callback, ["runSync", "run"]);
  }

  /**
   * {@link run}, holding it to read.
   * @throws as {@link lockShared}, and whatever the function throws
   */
  async runShared<T>(callback: (guard: RwLockGuard) => T | PromiseLike<T>, options?: LockOptions): Promise<T> {
    return whileHeld(await this.lockShared(options), callback);
  }
  /**
   * {@link runShared}, blocking the thread; the function must have done its work when it returns.
   * @throws as {@link lockSharedSync}, whatever the function throws, and ERR_INVALID_ARGUMENT when it returns a promise
   */
  runSharedSync<T>(callback: (guard: RwLockGuard) => T, options?: LockOptions): T {
    return whileHeldSync(this.lockSharedSync(options), callback, ["runSharedSync", "runShared"]);
  }

  /**
   * {@link run}, holding it to read and perhaps write.
   * @throws as {@link lockUpgradable}, and whatever the function throws
   */
  async runUpgradable<T>(callback: (guard: RwLockGuard) => T | PromiseLike<T>, options?: LockOptions): Promise<T> {
    return whileHeld(await this.lockUpgradable(options), callback);
  }
  /**
   * {@link runUpgradable}, blocking the thread; the function must have done its work when it returns.
   * @throws as {@link lockUpgradableSync}, whatever the function throws, and ERR_INVALID_ARGUMENT when it returns a promise
   */
  runUpgradableSync<T>(callback: (guard: RwLockGuard) => T, options?: LockOptions): T {
    return whileHeldSync(this.lockUpgradableSync(options), callback, ["runUpgradableSync", "runUpgradable"]);
  }

  /** How it is now; looks without locking. */
  statistics(): RwLockStatistics {
    this.check();
    const statistics = rwLockStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  /** An attempt without everything that waiting takes. */
  private attemptNow(waitable: Waitable<RwLockGuard>): RwLockGuard | Blocked {
    this.member.queued = false;
    return waitable.attempt();
  }

  private waitable<T>(
    queue: LocalQueue,
    what: string,
    attempt: () => T | Blocked,
    givenUp = () => this.writingGivenUp(),
    stalled = (sync: boolean) => this.writing.look(sync),
    sinceAt = this.writingSince,
  ): Waitable<T> {
    return {
      sinceAt,
      what: `${what} ${this.address}`,
      queue,
      owner: this,
      attempt,
      // Writers are rung by their turns, readers all together.
      remains: () => false,
      holder: () => this.inTheWay(),
      givenUp: () => this.aside(givenUp),
      lasts: () => noteGuard(this.member, this.base),
      stalled,
    };
  }

  /** For messages: who has the lock in its way of writing, or the readers that keep this member from it. */
  private inTheWay(): string | undefined {
    const { member, base } = this;
    if (ownerOf(member, base) !== member.slot) return holderOf(member, base);
    const readers = rwLockStatistics(member, base).readers.map(({ slot }) => slot);
    return memberNames(member, readers) ?? holderOf(member, base);
  }

  // Reading.

  private attemptShared(isBlocking: boolean): RwLockGuard | Blocked {
    this.check();
    this.finishInterrupted();
    const { member } = this;
    if (this.owner?.held === "exclusive") {
      if (isBlocking) this.refuseDeadlock("written");
      this.noteReadingWait();
      return member.waiting(this.waiting);
    }
    const guard = new RwLockGuard(this, "shared");
    member.begin(LOCK, this.entry);
    try {
      // This thread's own asynchronous wait would not let it in, nor could it be served.
      if (isBlocking && this.isEntering) this.stopEntering();
      // SYNC POINT: pairs with the gate that is closed before the counts are looked at, in shutOut
      words.store(this.words, this.countWord, this.count + 1);
      const gate = words.load(this.words, this.gate);
      if (gate !== 0 && !(this.count > 0 && (isBlocking || this.isStuck))) {
        this.stopCounting();
        this.noteReadingWait();
        return member.blocked(this.waiting, gate & (GATE_ENTERED - 1));
      }
      if (this.count++ === 0) this.notePossession();
      this.arriving = guard;
      member.committed();
      if (member.queued) {
        this.endFavour();
        this.reading.reset();
        this.isReadingNoted = false;
      }
      member.end();
    } catch (error) {
      member.failed(error);
    }
    this.arriving = undefined;
    return guard;
  }

  /** For those who look for deadlocks, as the next one: before this member is seen waiting. */
  private noteReadingWait(): void {
    if (!this.member.queued || this.isReadingNoted) return;
    this.isReadingNoted = true;
    noteGuard(this.member, this.base);
    const word = this.countWord + READER_WORD.waits;
    words.write(this.words, word, words.read(this.words, word) + 1);
  }

  /** The same for whether it reads: it does between two of these. */
  private notePossession(): void {
    noteWhether(this.member, this.countWord + READER_WORD.possessions, this.count > 0);
  }

  private noteGrant(): void {
    noteWhether(this.member, this.base + RWLOCK_WORD.grants, this.owner !== undefined);
  }

  /** Whether one of this thread's tasks that wait to read may be the one that reads, and would wait for itself. */
  private get isStuck(): boolean {
    return this.stuckSince !== 0 && now() - this.stuckSince >= PRESUMED_MS;
  }

  /** An asynchronous wait to read has lasted for a while. @throws ERR_DEADLOCK */
  private readingStalled(sync: boolean, isWatched: boolean): void {
    if (this.count === 0) {
      if (isWatched) this.reading.look(sync);
    } else if (this.stuckSince === 0) this.stuckSince = now();
  }

  /** A reader leaves. */
  private uncount(): void {
    if (--this.count === 0) this.notePossession();
  }

  /** Lets the others see what this member has; who waits for the last reader is rung. */
  private stopCounting(): void {
    // SYNC POINT: pairs with the look at the counts of an owner that is armed
    words.store(this.words, this.countWord, this.count);
    if (this.count === 0) this.ringOwner();
  }

  private ringOwner(): void {
    const owner = ownerOf(this.member, this.base);
    if (owner >= 0) ringMember(this.member, owner);
  }

  /** A reader that was favoured is in, or does not wait any more. */
  private endFavour(): void {
    const { segment, slot } = this.member;
    if (!inSet(segment, this.favoured, slot)) return;
    // SYNC POINT: pairs with the look at the set of an owner that is armed
    leaveSet(segment, this.favoured, slot);
    this.ringOwner();
  }

  // Writing.

  private attempt(mode: "upgradable" | "exclusive", isBlocking: boolean): RwLockGuard | Blocked {
    this.check();
    this.finishInterrupted();
    const { member, base } = this;
    if (isBlocking && this.owner !== undefined)
      this.refuseDeadlock(this.owner.held === "exclusive" ? "written" : "held");
    if (isBlocking && mode === "exclusive" && this.count > 0) this.refuseDeadlock("read");
    if (this.owner !== undefined) {
      if (member.queued) this.draw();
      return member.waiting(lockWaiters(base));
    }
    const guard = new RwLockGuard(this, mode);
    member.begin(LOCK, this.entry);
    try {
      if (!this.isEntering) {
        const first = this.turns.first();
        const isBehind = first >= 0 && first !== member.slot;
        if (isBehind || !tryLock(member, base)) {
          if (member.queued) this.draw();
          return isBehind ? member.blocked(lockWaiters(base), first + 1) : blockedOnLock(member, base);
        }
        this.isEntering = true;
      }
      if (mode === "exclusive" && !this.shutOut()) return this.waitEntering();
      if (mode === "exclusive") this.enter(guard);
      else this.openGate();
      this.owner = guard;
      this.isEntering = false;
      this.arriving = guard;
      this.noteGrant();
      member.committed();
      words.store(this.words, this.turnWord, 0);
      if (member.queued) this.writing.reset();
      // This member's other waits stand at the end.
      if (this.writers.waits.length > (member.queued && !isBlocking ? 1 : 0)) this.draw();
      member.end();
    } catch (error) {
      member.failed(error);
    }
    this.arriving = undefined;
    if (guard.told) toldAbandoned(member, base);
    return guard;
  }

  /** Stands at the end of those who would write, unless this member stands there already. */
  private draw(): void {
    if (this.turns.of(this.member.slot) !== 0) return;
    noteGuard(this.member, this.base);
    let turn = words.add(this.words, this.base + RWLOCK_WORD.lastTurn, 1) + 1;
    if ((turn | 0) === 0) turn = words.add(this.words, this.base + RWLOCK_WORD.lastTurn, 1) + 1;
    // SYNC POINT: pairs with whoever frees the lock and looks whose turn it is
    words.store(this.words, this.turnWord, turn);
  }

  /** Closes the gate when favoured readers are in; whether nobody reads any more. The lock is owned. */
  private shutOut(): boolean {
    this.reader = -1;
    if (words.load(this.words, this.gate) === 0) {
      if (this.mustFavour()) return false;
      words.write(this.words, this.closings, words.read(this.words, this.closings) + 1);
      // SYNC POINT: pairs with a reader that counts itself and then looks at the gate, in attemptShared
      words.store(this.words, this.gate, this.member.me);
    }
    const { slotsUsed } = this.member;
    let count = countWord(this.base, 0);
    for (let slot = 0; slot < slotsUsed && this.reader < 0; slot++, count += COUNT_STRIDE)
      if (words.load(this.words, count) !== 0) this.reader = slot;
    return this.reader < 0;
  }

  /** Whether readers that waited while the last one wrote have not come yet. Their favour does not last for ever. */
  private mustFavour(): boolean {
    const { setWords } = this.member.geometry;
    let isAny = false;
    for (let word = 0; word < setWords; word++)
      // A bit of one that does not wait any more means nothing.
      if ((words.load(this.words, this.favoured + word) & words.load(this.words, this.waiting + word)) !== 0)
        isAny = true;
    const closings = words.read(this.words, this.closings);
    if (!isAny) this.favourSince = 0;
    else if (this.favourSince === 0 || this.favourOf !== closings) {
      this.favourSince = now();
      this.favourOf = closings;
    } else if (now() - this.favourSince >= FAVOUR_MS) {
      // They stay favoured: whoever opens the gate that is closed now favours all that wait then.
      this.favourSince = 0;
      return false;
    }
    return isAny;
  }

  private waitEntering(): Blocked {
    if (!this.member.queued && !this.hasOtherEntrants) this.stopEntering();
    if (this.member.queued) this.noteReadersOnce();
    const until = this.favourSince === 0 ? undefined : this.favourSince + FAVOUR_MS;
    return this.member.blocked(lockWaiters(this.base), this.reader + 1, until);
  }

  /** Who is waited for: behind a closed gate nobody else comes. */
  private noteReadersOnce(): void {
    const closing = words.read(this.words, this.closings);
    if (this.readersNotedOf === closing || words.load(this.words, this.gate) === 0) return;
    this.readersNotedOf = closing;
    noteReaders(this.member, this.base);
  }

  /** Nobody reads: from here on, this member's death is told. */
  private enter(guard: RwLockGuard): void {
    words.store(this.words, this.gate, this.entered);
    guard.held = "exclusive";
    guard.told = isAbandoned(this.member, this.base);
  }

  /** Gives up what a wait had: the gate is open, and unless a guard has it the lock free. */
  private stopEntering(): void {
    this.openGate();
    if (this.owner === undefined) this.free();
    this.isEntering = false;
    // Other waits of this member looked on while this one had it.
    ringMember(this.member, this.member.slot);
  }

  /** Opens the gate; the readers that wait come before the next writer. */
  private openGate(): void {
    if (words.load(this.words, this.gate) === 0) return;
    favourReaders(this.member, this.base);
    // SYNC POINT: pairs with enterSet followed by the re-check of a reader
    words.store(this.words, this.gate, 0);
    ringAll(this.member, this.waiting);
  }

  private free(): void {
    // SYNC POINT: pairs with tryLock, and with draw followed by the re-check of a waiter
    words.store(this.words, this.base, 0);
    this.turns.ringFirst();
  }

  /** Whether another wait of this member goes on with what one that ends had: the lock, and the closed gate. */
  private get hasOtherEntrants(): boolean {
    return (this.owner === undefined ? this.writers : this.upgrades).waits.length > 0;
  }

  private writingGivenUp(): void {
    this.writing.reset();
    if (this.isEntering && !this.hasOtherEntrants) {
      this.stopEntering();
      this.favourSince = 0;
    }
    if (this.writers.waits.length === 0) this.turns.giveUp();
  }

  private readingGivenUp(): void {
    this.reading.reset();
    const { segment, slot } = this.member;
    if (this.readers.waits.length > 0) return;
    this.isReadingNoted = inSet(segment, this.waiting, slot);
    this.endFavour();
  }

  /** Cut off in it, the words are made to agree with the guards. */
  private aside(act: () => void): void {
    const { member } = this;
    if (member.closed || member.segment.lost) return;
    member.beginAside();
    act();
    member.inOperation = false;
  }

  private refuseDeadlock(how: string): never {
    throw new ShmkitError(
      "ERR_DEADLOCK",
      `${this.address} is ${how} by this thread, which would wait for itself; release it first`,
      { path: this.address },
    );
  }

  // What guards do.

  /** @internal */
  isHeldBy(guard: RwLockGuard): boolean {
    return guard.held !== undefined && this.isAttached;
  }

  private checkHeld(guard: RwLockGuard, ...modes: RwLockMode[]): void {
    if (guard.held !== undefined && modes.includes(guard.held)) return;
    throw new ShmkitError(
      "ERR_NOT_HELD",
      guard.held === undefined
        ? `this guard of ${this.address} was released; lock it again`
        : `this guard of ${this.address} is ${guard.held}, not ${modes.join(" or ")}`,
      { path: this.address },
    );
  }

  /** @internal */
  giveBack(guard: RwLockGuard): void {
    this.checkAttached();
    if (guard.held === undefined) this.checkHeld(guard);
    const { member } = this;
    member.begin(UNLOCK, this.entry);
    try {
      const isReader = guard.held === "shared";
      guard.held = undefined;
      if (isReader) this.uncount();
      else this.owner = undefined;
      if (isReader) {
        this.stuckSince = 0;
        member.committed();
        this.stopCounting();
      } else this.leave();
      member.end();
    } catch (error) {
      member.failed(error);
    }
    this.refuseUpgrades();
  }

  /** Waits to upgrade what is not held upgradable any more fail. */
  private refuseUpgrades(): void {
    if (this.upgrades.waits.length > 0) this.context.waits.pump(this.upgrades);
  }

  /** The owner goes. */
  private leave(): void {
    this.isEntering = false;
    this.member.critical(0);
    this.noteGrant();
    this.openGate();
    this.member.committed();
    this.free();
  }

  /** @internal */
  downgradeGuard(guard: RwLockGuard, to: "shared" | "upgradable"): void {
    this.checkAttached();
    this.checkHeld(guard, "exclusive", ...(to === "shared" ? (["upgradable"] as const) : []));
    const { member } = this;
    member.begin(UNLOCK, this.entry);
    try {
      if (to === "shared") {
        words.store(this.words, this.countWord, this.count + 1);
        if (this.count++ === 0) this.notePossession();
        this.owner = undefined;
      }
      guard.held = to;
      if (to === "shared") this.leave();
      else {
        member.critical(0);
        this.openGate();
        member.committed();
      }
      member.end();
    } catch (error) {
      member.failed(error);
    }
    this.refuseUpgrades();
  }

  private upgrading(guard: RwLockGuard, isBlocking: boolean): Waitable<true> {
    return this.waitable(this.upgrades, "upgrading", () => this.attemptUpgrade(guard, isBlocking));
  }

  private attemptUpgrade(guard: RwLockGuard, isBlocking: boolean): true | Blocked {
    this.check();
    this.checkHeld(guard, "upgradable");
    if (isBlocking && this.count > 0) this.refuseDeadlock("read");
    const { member } = this;
    member.begin(LOCK, this.entry);
    try {
      this.isEntering = true;
      if (!this.shutOut()) return this.waitEntering();
      this.enter(guard);
      this.isEntering = false;
      member.committed();
      member.end();
      if (guard.told) toldAbandoned(member, this.base);
      return true;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** @internal */
  async upgradeGuard(guard: RwLockGuard, options?: LockOptions): Promise<void> {
    await this.context.waits.async(watched(this.upgrading(guard, false), options, "upgrade"), options);
  }
  /** @internal */
  upgradeGuardSync(guard: RwLockGuard, options?: LockOptions): void {
    this.context.waits.sync(watched(this.upgrading(guard, true), options, "upgradeSync"), options);
  }
  /** @internal */
  tryUpgradeGuard(guard: RwLockGuard): boolean {
    return this.context.waits.try(this.upgrading(guard, false)) !== BLOCKED;
  }

  /** @internal Makes the shared words agree with the guards that there are. */
  override forgetHeld(): void {
    const { arriving } = this;
    if (arriving?.held === "shared") this.count--;
    else if (arriving !== undefined && this.owner === arriving) this.owner = undefined;
    if (arriving !== undefined) arriving.held = undefined;
    this.arriving = undefined;
    this.notePossession();
    this.stopCounting();
    this.isEntering = false;
    this.favourSince = 0;
    if (ownerOf(this.member, this.base) !== this.member.slot) return;
    if (this.owner?.held === "exclusive") words.store(this.words, this.gate, this.entered);
    else this.openGate();
    this.noteGrant();
    if (this.owner === undefined) this.free();
  }

  protected override beforeDetach(): void {
    if (this.owner !== undefined) this.giveBack(this.owner);
    const { member } = this;
    if (this.count === 0) return;
    member.begin(UNLOCK, this.entry);
    this.count = 0;
    member.committed();
    this.notePossession();
    this.stopCounting();
    member.end();
  }
}

const watched = <T>(waitable: Waitable<T>, options: LockOptions | undefined, where: string): Waitable<T> =>
  looks(knownOptions(options, LOCK_OPTIONS, where)) ? waitable : { ...waitable, stalled: () => undefined };

const guardOf = (guard: RwLockGuard | Blocked): RwLockGuard | undefined => (guard === BLOCKED ? undefined : guard);
