import * as words from "#words";
import { ArgumentRangeError, ShmkitError } from "../base/errors.js";
import { flag, knownOptions, wholeNumber } from "../base/arguments.js";
import { MUTEX_BYTES, MUTEX_WAITER_BYTES, MUTEX_WORDS } from "../layout/lock.js";
import { Op } from "../layout/member-slot.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import { NamedObject } from "../heap/named-object.js";
import type { Segment } from "../memory/segment.js";
import { BLOCKED, type Blocked, type Member } from "../members/member.js";
import { ringOne } from "../members/doorbell.js";
import { inSet } from "../members/member-set.js";
import { timeIndex } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { commit, journalledWrite, undo, type Journal } from "../locking/journal.js";
import {
  blockedOnLock,
  freeOwn,
  holderOf,
  isAbandoned,
  isFree,
  isOwnedBy,
  leaveFree,
  lockWaiters,
  ownerOf,
  takeovers,
  toldAbandoned,
  tryLock,
  unlock,
} from "../locking/robust-lock.js";
import { DeadlockWatch } from "./deadlock.js";
import { LOCK_OPTIONS, looks, type LockOptions } from "./lock-options.js";
import { MutexGuard } from "./mutex-guard.js";
import { MUTEX_WORD, mutexStatistics, mutexTimes, noteTaken, type MutexStatistics } from "./mutex-statistics.js";
import { Patience } from "./patience.js";
import { mutexPoint } from "./wait-points.js";
import { whileHeld, whileHeldSync } from "./while-held.js";

const LOCK = Op["mutex.lock"];
const UNLOCK = Op["mutex.unlock"];

/** Numbers of possessions stay small integers, which cost no memory. */
const MAX_POSSESSION = 2 ** 30;

/** @internal The journal of the words that the mutex at a word index guards. */
export const mutexJournal = (segment: Segment, base: number): Journal => ({
  shared: segment.words,
  entries: base + MUTEX_WORD.journalEntries,
  pairs: base + MUTEX_WORD.journal,
  capacity: MUTEX_WORDS,
  guarded: base + MUTEX_WORD.words,
  count: MUTEX_WORDS,
});

/** Options of a mutex. */
export interface MutexOptions {
  /** How many 32-bit words the mutex guards, 0 to 64; they are 0 at first. Default 8. */
  words?: number;
  /**
   * Whether the thread that holds the mutex can lock it again: each guard releases one level, and the last one the mutex.
   * Asynchronous tasks of one thread then do not exclude each other. Default false.
   */
  reentrant?: boolean;
  /** Whether waits for it look for deadlocks; see {@link LockOptions.detectDeadlock}. Default true. */
  detectDeadlock?: boolean;
}

/** @internal */
export const MUTEX_OPTIONS = ["words", "reentrant", "detectDeadlock"];

/** @internal */
export function mutexPlan(member: Member, options: MutexOptions): ObjectPlan {
  const count = options.words === undefined ? 8 : wholeNumber(options.words, "words", 0, MUTEX_WORDS);
  return {
    kind: "mutex",
    sizeBytes: MUTEX_BYTES + member.geometry.maxMembers * MUTEX_WAITER_BYTES,
    options: [count, Number(flag(options.reentrant, "reentrant")), Number(looks(options))],
    given: [options.words !== undefined, options.reentrant !== undefined, options.detectDeadlock !== undefined],
    optionNames: MUTEX_OPTIONS,
    init: (page) => words.write(member.segment.words, (page * PAGE_BYTES) / 4 + MUTEX_WORD.wordCount, count),
  };
}

/**
 * A named robust mutex. When its owner dies, what it had not committed is undone, and the next one gets the lock and is
 * told once (`guard.abandoned`), as with POSIX robust mutexes. Owned by a member (a process or worker thread): two
 * asynchronous tasks of one thread exclude each other too, unless it is re-entrant. Waiters compete: whoever comes first
 * when it is released gets it, but once somebody has waited for 5 ms, the others let it go first.
 * @see pthread_mutexattr_setrobust(3), pthread_mutexattr_settype(3); [synchronisation](../../docs/guide/synchronisation.md#mutex)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-mutex");
 * const accounts = await app.mutex("accounts", { words: 2 });
 * const guard = await accounts.lock({ timeoutMs: 1000 });
 * guard.set(0, guard.get(0) - 5); // both words change, or, if this process dies before release(), neither
 * guard.set(1, guard.get(1) + 5);
 * guard.release();
 * await app.close();
 * ```
 */
export class Mutex extends NamedObject {
  private readonly queue = new LocalQueue();
  /** Sync locking does not stand behind this thread's asynchronous waits: served while it blocks, they would hold the mutex. */
  private readonly syncQueue = new LocalQueue();
  /** Number of this thread's possession, which its guards carry; 0 while it has none. A number, since storing an object costs more. */
  private possession = 0;
  private lastPossession = 0;
  /** The guards of this thread's possession, where the mutex is re-entrant. */
  private readonly guards = this.ref.options[1] === 1 ? new Set<MutexGuard>() : undefined;
  /** Whether onlookers were told that this member waits. */
  private isWaiting = false;
  /** Whether the attempt under way leaves the lock, which is free, to somebody else. */
  private isLeaving = false;
  /** Whether somebody waited when this member freed it last. */
  private hasCompany = false;
  private readonly patience = new Patience(this.member, this.base);
  private readonly journal = mutexJournal(this.member.segment, this.base);
  private readonly watch = new DeadlockWatch(this.context, mutexPoint(this.member, this.name, this.base));
  private readonly watched = this.ref.options[2] === 1;
  private readonly sinceAt = timeIndex(mutexTimes(this.base), this.member.slot);
  private readonly lockingUnwatched: Waitable<MutexGuard> = {
    sinceAt: this.sinceAt,
    what: `locking ${this.address}`,
    queue: this.queue,
    owner: this,
    attempt: () => this.attempt(),
    remains: () => isFree(this.member, this.base),
    holder: () => holderOf(this.member, this.base),
    givenUp: () => this.waitGivenUp(),
    lasts: () => noteTaken(this.member, this.base),
  };
  private readonly lockingSyncUnwatched: Waitable<MutexGuard> = {
    ...this.lockingUnwatched,
    queue: this.syncQueue,
    attempt: () => this.attemptSync(),
  };
  private readonly locking = this.watching(this.lockingUnwatched);
  private readonly lockingSync = this.watching(this.lockingSyncUnwatched);

  private watching(waitable: Waitable<MutexGuard>): Waitable<MutexGuard> {
    return this.watched ? { ...waitable, stalled: (sync) => this.watch.look(sync) } : waitable;
  }

  /**
   * Resolves to the guard.
   * @throws ERR_TIMEOUT (its `owner` says who holds it), ERR_DEADLOCK (its `cycle` says who waits for whom), the signal's
   * reason, ERR_CLOSED, ERR_REGION_LOST
   */
  async lock(options?: LockOptions): Promise<MutexGuard> {
    if (options !== undefined) {
      const isWatched = looks(knownOptions(options, LOCK_OPTIONS, "lock"));
      return this.context.waits.async(isWatched ? this.locking : this.lockingUnwatched, options);
    }
    if (this.queue.waits.length > 0) return this.context.waits.async(this.locking, undefined);
    this.member.queued = false;
    const guard = this.attempt();
    return guard === BLOCKED ? this.context.waits.async(this.locking, undefined) : guard;
  }

  /** {@link lock}, blocking the thread. @throws ERR_DEADLOCK also when this very thread holds it and it is not re-entrant */
  lockSync(options?: LockOptions): MutexGuard {
    if (options !== undefined) {
      const isWatched = looks(knownOptions(options, LOCK_OPTIONS, "lockSync"));
      return this.context.waits.sync(isWatched ? this.lockingSync : this.lockingSyncUnwatched, options);
    }
    this.member.queued = false;
    const guard = this.attemptSync();
    return guard === BLOCKED ? this.context.waits.sync(this.lockingSync, undefined) : guard;
  }

  private attemptSync(guard?: MutexGuard): MutexGuard | Blocked {
    this.finishInterrupted();
    if (this.possession === 0 || this.guards !== undefined) return this.attempt(guard);
    this.check();
    throw new ShmkitError(
      "ERR_DEADLOCK",
      `${this.address} is held by this thread, which would wait for itself; release it first`,
      { path: this.address },
    );
  }

  /** The guard, or undefined when somebody holds the mutex, or has waited for long and is about to take it. Never waits. */
  tryLock(): MutexGuard | undefined {
    // A thread that has it does not stand behind its own waits for it.
    this.member.queued = false;
    this.finishInterrupted();
    const guard = this.possession === 0 ? this.context.waits.try(this.locking) : this.attempt();
    return guard === BLOCKED ? undefined : guard;
  }

  /**
   * Calls a function while holding the mutex, and releases it whatever happens; resolves to what the function does. If that
   * throws, the guarded words go back to the last commit.
   * @throws as {@link lock}, and whatever the function throws
   */
  async run<T>(callback: (guard: MutexGuard) => T | PromiseLike<T>, options?: LockOptions): Promise<T> {
    return whileHeld(await this.lock(options), callback, (guard) => this.undoOf(guard));
  }

  /**
   * {@link run}, blocking the thread; the function must have done its work when it returns.
   * @throws as {@link lockSync}, whatever the function throws, and ERR_INVALID_ARGUMENT when it returns a promise
   */
  runSync<T>(callback: (guard: MutexGuard) => T, options?: LockOptions): T {
    return whileHeldSync(this.lockSync(options), callback, ["runSync", "run"], (guard) => this.undoOf(guard));
  }

  private undoOf(guard: MutexGuard): void {
    if (this.isHeldBy(guard)) undo(this.journal);
  }

  /** Slot of the owner (as in `region.members()`), undefined when free. */
  get ownerSlot(): number | undefined {
    this.check();
    const owner = ownerOf(this.member, this.base);
    return owner < 0 ? undefined : owner;
  }

  /** How many owners died holding it. */
  get takeovers(): number {
    this.check();
    return takeovers(this.member, this.base);
  }

  /** How it is now; looks without locking. */
  statistics(): MutexStatistics {
    this.check();
    const statistics = mutexStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  /** @param guard one whose wait on a condition is over, instead of a new one */
  private attempt(guard?: MutexGuard): MutexGuard | Blocked {
    this.check();
    this.finishInterrupted();
    const { member, base } = this;
    if (this.possession !== 0) return this.attemptAgain(guard);
    member.begin(LOCK, this.entry);
    try {
      if (!this.take()) return this.blocked();
      const taken = this.taken(guard);
      member.committed();
      member.end();
      if (taken.wasAbandoned) toldAbandoned(member, base);
      return taken;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** Takes the lock, unless somebody has it or this member leaves it to somebody. */
  private take(): boolean {
    const favoured = words.read(this.words, this.base + MUTEX_WORD.favoured);
    return favoured === 0 ? tryLock(this.member, this.base) : this.takeUnless(favoured);
  }

  private takeUnless(favoured: number): boolean {
    this.isLeaving = this.patience.leavesTo(favoured);
    if (this.isLeaving || !tryLock(this.member, this.base)) return false;
    this.patience.taken();
    return true;
  }

  private blocked(): Blocked {
    this.waits();
    const { member, base, isLeaving } = this;
    if (!isLeaving) return blockedOnLock(member, base);
    this.isLeaving = false;
    // Nobody stands in the way: the other one is waited for for a moment only.
    return member.blocked(lockWaiters(base), 0, this.patience.until);
  }

  /** Frees the lock, and rings one of those who wait for it. */
  private free(): void {
    if (this.hasCompany) this.freeInCompany();
    else this.hasCompany = unlock(this.member, this.base);
  }

  private freeInCompany(): void {
    const first = this.patience.favour();
    leaveFree(this.member, this.base);
    if (first < 0 || !this.patience.rings(first)) this.hasCompany = ringOne(this.member, lockWaiters(this.base));
  }

  /** The lock is this member's. */
  private taken(guard: MutexGuard | undefined): MutexGuard {
    const possession = (this.lastPossession % MAX_POSSESSION) + 1;
    this.lastPossession = possession;
    const taken = guard ?? new MutexGuard(this);
    taken.wasAbandoned = isAbandoned(this.member, this.base);
    taken.possession = possession;
    this.guards?.clear();
    this.guards?.add(taken);
    this.possession = possession;
    this.count(MUTEX_WORD.acquisitions);
    if (this.isWaiting) this.waitedLongEnough();
    return taken;
  }

  /** This thread has it. */
  private attemptAgain(guard: MutexGuard | undefined): MutexGuard | Blocked {
    if (this.guards !== undefined) {
      const taken = guard ?? new MutexGuard(this);
      taken.wasAbandoned = false;
      taken.possession = this.possession;
      this.guards.add(taken);
      return taken;
    }
    this.waits();
    return this.member.waiting(lockWaiters(this.base));
  }

  private count(word: number): void {
    words.write(this.words, this.base + word, words.read(this.words, this.base + word) + 1);
  }

  private waits(): void {
    if (!this.member.queued || this.isWaiting) return;
    this.isWaiting = true;
    this.watch.reset();
    noteTaken(this.member, this.base);
  }

  /** Others of this member may wait on, those of conditions among them. */
  private waitGivenUp(): void {
    const { segment, slot } = this.member;
    this.isWaiting = this.queue.waits.length > 0 || inSet(segment, lockWaiters(this.base), slot);
  }

  private waitedLongEnough(): void {
    this.isWaiting = false;
    this.count(MUTEX_WORD.contended);
  }

  /** @internal */
  isHeldBy(guard: MutexGuard): boolean {
    return this.hasGuard(guard) && !this.member.closed && !isFree(this.member, this.base);
  }

  private hasGuard(guard: MutexGuard): boolean {
    return guard.possession === this.possession && (this.guards === undefined || this.guards.has(guard));
  }

  // For conditions, which release and take the mutex within operations of their own.

  /** @internal Word index of the lock, and of those who wait for it. */
  get lockWord(): number {
    return this.base;
  }
  /** @internal */
  get waitersWord(): number {
    return lockWaiters(this.base);
  }
  /** @internal Whether another task of this thread has it. */
  get isHeldHere(): boolean {
    return this.possession !== 0;
  }
  /** @internal */
  isOf(member: Member): boolean {
    return this.member === member;
  }
  /** @internal */
  checkUsable(): void {
    this.check();
  }

  /** @internal @throws ERR_NOT_HELD, and ERR_DEADLOCK when the thread would keep it by another guard */
  checkHeldOnce(guard: MutexGuard): void {
    this.checkHeld(guard);
    if (this.guards === undefined || this.guards.size === 1) return;
    throw new ShmkitError(
      "ERR_DEADLOCK",
      `${this.address} would stay locked by this thread, which has ${this.guards.size} guards of it; release the others first`,
      { path: this.address },
    );
  }

  /** @internal Commits and releases, until {@link resume} takes it for the same guard. */
  suspend(guard: MutexGuard): void {
    this.checkHeld(guard);
    commit(this.journal);
    this.possession = 0;
    this.free();
  }
  /** @internal */
  resume(guard: MutexGuard): Blocked | undefined {
    if (!this.take()) {
      if (this.member.queued && !this.isWaiting) this.context.waits.note(this.sinceAt);
      return this.blocked();
    }
    this.taken(guard);
    return undefined;
  }
  /** @internal After the operation in which it was taken again. */
  told(guard: MutexGuard): void {
    if (guard.wasAbandoned) toldAbandoned(this.member, this.base);
  }
  /** @internal The operation of a condition was cut off in which it was released or taken: then nobody has it. */
  relinquish(): void {
    this.possession = 0;
    if (isOwnedBy(this.member, this.base, this.member.slot)) commit(this.journal);
    freeOwn(this.member, this.base);
  }
  /** @internal A wait to take it again has lasted for a while: notes who has it. */
  noteOwner(): void {
    noteTaken(this.member, this.base);
  }
  /** @internal The same. @throws ERR_DEADLOCK */
  lookForDeadlock(sync: boolean): void {
    if (this.watched) this.watch.look(sync);
  }
  /** @internal A wait to take it again is over. */
  resumeGivenUp(): void {
    this.waitGivenUp();
  }
  /** @internal Takes it again for a guard whose wait ended without. */
  resuming(guard: MutexGuard): Waitable<MutexGuard> {
    return { ...this.locking, attempt: () => this.attempt(guard) };
  }
  /** @internal */
  resumingSync(guard: MutexGuard): Waitable<MutexGuard> {
    return { ...this.lockingSync, attempt: () => this.attemptSync(guard) };
  }

  /** @internal @throws ERR_NOT_HELD */
  checkHeld(guard: MutexGuard): void {
    this.check();
    this.checkGuard(guard);
  }

  private checkGuard(guard: MutexGuard): void {
    if (this.hasGuard(guard)) return;
    throw new ShmkitError("ERR_NOT_HELD", `this guard of ${this.address} was released; lock the mutex again`, {
      path: this.address,
    });
  }

  /** Words the mutex guards. */
  get wordCount(): number {
    return this.ref.options[0];
  }

  /** @internal */
  readWord(guard: MutexGuard, index: number): number {
    this.checkHeld(guard);
    this.checkIndex(index);
    return words.read(this.words, this.journal.guarded + index);
  }
  private checkIndex(index: number): void {
    if (this.wordCount > 0) wholeNumber(index, "index", 0, this.wordCount - 1);
    else
      throw new ArgumentRangeError("ERR_OUT_OF_RANGE", `${this.address} guards no words: it was made with words: 0`, {
        path: this.address,
        actual: index,
      });
  }

  /** @internal */
  writeWord(guard: MutexGuard, index: number, value: number): void {
    this.checkHeld(guard);
    this.checkIndex(index);
    journalledWrite(this.journal, index, value);
  }
  /** @internal */
  commitWords(guard: MutexGuard): void {
    this.checkHeld(guard);
    commit(this.journal);
  }
  /** @internal */
  undoWords(guard: MutexGuard): void {
    this.checkHeld(guard);
    undo(this.journal);
  }

  /** @internal */
  unlock(guard: MutexGuard): void {
    this.checkAttached();
    this.checkGuard(guard);
    if (this.guards !== undefined && this.guards.size > 1) this.guards.delete(guard);
    else this.giveUp();
  }

  private giveUp(): void {
    const { member } = this;
    member.begin(UNLOCK, this.entry);
    try {
      // A release that was cut off has been finished just now: others may have it already.
      if (this.possession === 0) return this.endForNothing();
      commit(this.journal);
      member.committed();
      this.possession = 0;
      this.free();
      member.end();
    } catch (error) {
      member.failed(error);
    }
  }

  private endForNothing(): void {
    this.member.withdrawn();
    this.member.end();
  }

  /** @internal Nobody will ever see the guard of an attempt that was cut off. */
  override forgetHeld(): void {
    this.possession = 0;
  }

  protected override beforeDetach(): void {
    if (this.possession !== 0) this.giveUp();
  }
}
