import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { wholeNumber } from "../base/arguments.js";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { MUTEX, MUTEX_BYTES, MUTEX_WORDS } from "../layout/lock.js";
import { Op } from "../layout/member-slot.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import type { ObjectPlan } from "../heap/directory.js";
import { NamedObject } from "../heap/named-object.js";
import type { Segment } from "../memory/segment.js";
import { BLOCKED, type Blocked, type Member } from "../members/member.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { commit, journalledWrite, undo, type Journal } from "../locking/journal.js";
import {
  blockedOnLock,
  freeOwn,
  holderOf,
  isFree,
  isOwnedBy,
  lockWaiters,
  ownerOf,
  takeAbandoned,
  takeovers,
  tryLock,
  unlock,
} from "../locking/robust-lock.js";

const LOCK = Op["mutex.lock"];
const UNLOCK = Op["mutex.unlock"];
const WORD_COUNT = MUTEX.at.wordCount >> 2;
const WORDS = MUTEX.at.words >> 2;

/** @internal The journal of the words that the mutex at a word index guards. */
export const mutexJournal = (segment: Segment, base: number): Journal => ({
  shared: segment.words,
  entries: base + (MUTEX.at.journalEntries >> 2),
  pairs: base + (MUTEX.at.journal >> 2),
  capacity: MUTEX_WORDS,
  guarded: base + WORDS,
  count: MUTEX_WORDS,
});

/** Options of a mutex. */
export interface MutexOptions {
  /** How many 32-bit words the mutex guards, 0 to 64; they are 0 at first. Default 8. */
  words?: number;
}

/** @internal */
export function mutexPlan(member: Member, options: MutexOptions): ObjectPlan {
  const count = options.words === undefined ? 8 : wholeNumber(options.words, "words", 0, MUTEX_WORDS);
  return {
    kind: "mutex",
    sizeBytes: MUTEX_BYTES,
    options: [count],
    given: [options.words !== undefined],
    optionNames: ["words"],
    init: (page) => words.write(member.segment.words, (page * PAGE_BYTES) / 4 + WORD_COUNT, count),
  };
}

/** Possession of a {@link Mutex}, until `release()`. */
export class MutexGuard {
  /** True when the last owner died holding the mutex: told to the next owner only. The guarded words are as of its last commit. */
  get abandoned(): boolean {
    return this.wasAbandoned;
  }
  /** @internal */
  readonly mutex: Mutex;
  /** @internal Told anew whenever a wait on a condition has taken the mutex again. */
  wasAbandoned: boolean;

  /** @internal */
  constructor(mutex: Mutex, abandoned: boolean) {
    this.mutex = mutex;
    this.wasAbandoned = abandoned;
  }

  /** A guarded word, as a signed 32-bit integer; `index` is 0 to `wordCount` - 1. @throws ERR_NOT_HELD, ERR_OUT_OF_RANGE */
  get(index: number): number {
    return this.mutex.readWord(this, index);
  }

  /**
   * Changes a guarded word. The old value is journalled first: if this process dies before {@link commit} or
   * {@link release}, every word goes back to what it was. `value` is -2^31 to 2^32 - 1, kept as 32 bits.
   * @throws ERR_NOT_HELD, ERR_OUT_OF_RANGE
   */
  set(index: number, value: number): void {
    this.mutex.writeWord(this, index, wholeNumber(value, "value", -(2 ** 31), 2 ** 32 - 1));
  }

  /** Makes what was set final without releasing. @throws ERR_NOT_HELD */
  commit(): void {
    this.mutex.commitWords(this);
  }

  /** Undoes what was set since the last commit. @throws ERR_NOT_HELD */
  rollback(): void {
    this.mutex.undoWords(this);
  }

  /** Commits and releases. @throws ERR_NOT_HELD when the guard was released already */
  release(): void {
    this.mutex.unlock(this);
  }

  /** Releases if still held. */
  [Symbol.dispose](): void {
    if (this.mutex.isHeldBy(this)) this.release();
  }
}

/**
 * A named robust mutex. When its owner dies, what it had not committed is undone, and the next one gets the lock and is
 * told once (`guard.abandoned`), as with POSIX robust mutexes. Owned by a member (a process or worker thread): two
 * asynchronous tasks of one thread exclude each other too. It is not recursive.
 * @see pthread_mutexattr_setrobust(3); [abandoned mutexes](../../docs/guide/crash-safety.md#abandoned-mutexes)
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
  private guard: MutexGuard | undefined;
  private readonly journal = mutexJournal(this.member.segment, this.base);
  private readonly locking: Waitable<MutexGuard> = {
    what: `locking ${this.address}`,
    queue: this.queue,
    owner: this,
    attempt: () => this.attempt(),
    remains: () => isFree(this.member, this.base),
    holder: () => holderOf(this.member, this.base),
  };
  private readonly lockingSync: Waitable<MutexGuard> = {
    ...this.locking,
    queue: this.syncQueue,
    attempt: () => this.attemptSync(),
  };

  /** Resolves to the guard. @throws ERR_TIMEOUT (its `owner` says who holds it), the signal's reason, ERR_CLOSED, ERR_REGION_LOST */
  async lock(options?: WaitOptions): Promise<MutexGuard> {
    return this.context.waits.async(this.locking, onlyWaitOptions(options, "lock"));
  }

  /** {@link lock}, blocking the thread. @throws ERR_DEADLOCK when this very thread holds it */
  lockSync(options?: WaitOptions): MutexGuard {
    onlyWaitOptions(options, "lockSync");
    return this.context.waits.sync(this.lockingSync, options);
  }

  private attemptSync(guard?: MutexGuard): MutexGuard | Blocked {
    if (this.guard === undefined) return this.attempt(guard);
    this.check();
    throw new ShmkitError(
      "ERR_DEADLOCK",
      `${this.address} is held by this thread, which would wait for itself; release it first`,
      { path: this.address },
    );
  }

  /** The guard, or undefined when somebody holds the mutex. Never waits. */
  tryLock(): MutexGuard | undefined {
    const guard = this.context.waits.try(this.locking);
    return guard === BLOCKED ? undefined : guard;
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

  private attempt(guard?: MutexGuard): MutexGuard | Blocked {
    this.check();
    const { member, base } = this;
    if (this.guard !== undefined) return member.waiting(lockWaiters(base));
    member.begin(LOCK, this.entry);
    try {
      if (!tryLock(member, base)) return blockedOnLock(member, base);
      const abandoned = takeAbandoned(member, base);
      if (guard !== undefined) guard.wasAbandoned = abandoned;
      this.guard = guard ?? new MutexGuard(this, abandoned);
      member.committed();
      member.end();
      return this.guard;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** @internal */
  isHeldBy(guard: MutexGuard): boolean {
    return this.guard === guard && !this.member.closed && isFree(this.member, this.base) === false;
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
    return this.guard !== undefined;
  }
  /** @internal */
  isOf(member: Member): boolean {
    return this.member === member;
  }
  /** @internal */
  checkUsable(): void {
    this.check();
  }

  /** @internal Commits and releases, until {@link resume} takes it for the same guard. */
  suspend(guard: MutexGuard): void {
    this.checkHeld(guard);
    commit(this.journal);
    this.guard = undefined;
    unlock(this.member, this.base);
  }
  /** @internal */
  resume(guard: MutexGuard): Blocked | undefined {
    if (!tryLock(this.member, this.base)) return blockedOnLock(this.member, this.base);
    guard.wasAbandoned = takeAbandoned(this.member, this.base);
    this.guard = guard;
    return undefined;
  }
  /** @internal The operation of a condition was cut off in which it was released or taken: then nobody has it. */
  relinquish(): void {
    this.guard = undefined;
    if (isOwnedBy(this.member, this.base, this.member.slot)) commit(this.journal);
    freeOwn(this.member, this.base);
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
    if (this.guard !== guard)
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
    wholeNumber(index, "index", 0, this.wordCount - 1);
    return words.read(this.words, this.journal.guarded + index);
  }
  /** @internal */
  writeWord(guard: MutexGuard, index: number, value: number): void {
    this.checkHeld(guard);
    wholeNumber(index, "index", 0, this.wordCount - 1);
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
    this.checkHeld(guard);
    const { member, base } = this;
    member.begin(UNLOCK, this.entry);
    try {
      commit(this.journal);
      member.committed();
      this.guard = undefined;
      unlock(member, base);
      member.end();
    } catch (error) {
      member.failed(error);
    }
  }

  /** @internal Nobody will ever see the guard of an attempt that was cut off. */
  override forgetHeld(): void {
    this.guard = undefined;
  }

  protected override beforeDetach(): void {
    if (this.guard !== undefined) this.unlock(this.guard);
  }
}
