import * as words from "#words";
import { ArgumentRangeError, ShmkitError } from "../base/errors.js";
import { INSPECTED, shown } from "../base/inspection.js";
import { knownOptions, wholeNumber } from "../base/arguments.js";
import { WAIT_OPTIONS, type WaitOptions } from "../base/deadline.js";
import type { ObjectPlan, ObjectRef } from "../heap/object-plan.js";
import type { ObjectContext } from "../heap/named-object.js";
import { Op } from "../layout/member-slot.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { SEMAPHORE_BYTES, SEMAPHORE_MEMBER_BYTES } from "../layout/semaphore.js";
import { BLOCKED, type Blocked, type Member } from "../members/member.js";
import { memberNames } from "../members/member-info.js";
import type { LocalQueue, Waitable } from "../members/waits.js";
import { DeadlockWatch } from "./deadlock.js";
import { LOCK_OPTIONS, looks, type LockOptions } from "./lock-options.js";
import {
  availablePermits,
  leasesWord,
  noteHolders,
  SEMAPHORE_WORD,
  semaphoreStatistics,
  semaphoreTimes,
  type SemaphoreStatistics,
} from "./semaphore-words.js";
import { ServedInTurn } from "./served-in-turn.js";
import { leasePoint } from "./wait-points.js";
import { whileHeld, whileHeldSync } from "./while-held.js";

/** SEM_VALUE_MAX of sem_post(3). */
const MAX_PERMITS = 2 ** 31 - 1;
const WAITING_OPTIONS = ["permits", ...WAIT_OPTIONS];
const ACQUIRE_OPTIONS = ["permits", ...LOCK_OPTIONS];

/** Options of a semaphore. */
export interface SemaphoreOptions {
  /** Permits at first, 0 to 2^31 - 1. Default 1. */
  permits?: number;
}

/** Options of taking permits. */
export interface AcquireOptions extends LockOptions {
  /** How many at once, 1 to 2^31 - 1. Default 1. */
  permits?: number;
}

/** @internal */
export function semaphorePlan(member: Member, options: SemaphoreOptions): ObjectPlan {
  const permits = options.permits === undefined ? 1 : wholeNumber(options.permits, "permits", 0, MAX_PERMITS);
  return {
    kind: "semaphore",
    sizeBytes: SEMAPHORE_BYTES + member.geometry.maxMembers * SEMAPHORE_MEMBER_BYTES,
    options: [permits],
    given: [options.permits !== undefined],
    optionNames: ["permits"],
    init: (page) => words.write(member.segment.words, (page * PAGE_BYTES) / 4 + SEMAPHORE_WORD.permits, permits),
  };
}

/** Permits of a {@link Semaphore} that this member has, until `release()`; if it dies, they go back. */
export class SemaphoreLease {
  /** How many permits. */
  readonly permits: number;
  /** @internal */
  isHeld = false;
  private readonly semaphore: Semaphore;

  /** @internal */
  constructor(semaphore: Semaphore, permits: number) {
    this.semaphore = semaphore;
    this.permits = permits;
  }

  /** Gives the permits back; never waits. @throws ERR_NOT_HELD when that was done already, ERR_CLOSED, ERR_REGION_LOST */
  release(): void {
    this.semaphore.giveBack(this);
  }

  /** Releases if still held. */
  [Symbol.dispose](): void {
    if (this.semaphore.isHeldBy(this)) this.release();
  }

  /** @internal */
  [INSPECTED](): string {
    return shown(this, this.semaphore.address, this.semaphore.isHeldBy(this) ? `permits: ${this.permits}` : "released");
  }
}

/**
 * A named counting semaphore. `acquire` leases permits, which come back when their holder dies; `wait` and `post` are the
 * plain form, in which permits belong to nobody. Members are served in the order in which they began to wait, so that
 * somebody who wants many permits is not starved by those who want few.
 * @see sem_overview(7)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-semaphore");
 * const gpus = await app.semaphore("gpus", { permits: 2 });
 * const lease = await gpus.acquire({ timeoutMs: 1000 });
 * console.log(gpus.available); // 1
 * lease.release(); // if this process is killed before, the permit goes back by itself
 * console.log(gpus.available); // 2
 * await app.close();
 * ```
 */
export class Semaphore extends ServedInTurn {
  /** Permits that this handle knows to have. */
  private leased = 0;
  /** The lease that is being taken or given back, and what is leased without it: cut off, it is not held. */
  private changing: SemaphoreLease | undefined;
  private leasedWithout = 0;
  private readonly heldWord = SEMAPHORE_WORD.held + this.member.slot;
  /** Word index of how often this member began to have permits. */
  private readonly leases = leasesWord(this.base, this.member.slot);

  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef) {
    super(context, ref, { sizeBytes: SEMAPHORE_BYTES, ...SEMAPHORE_WORD, timesAt: semaphoreTimes });
  }

  /**
   * Leases permits; resolves when they are there and all who came earlier have been served.
   * @throws ERR_TIMEOUT, ERR_DEADLOCK (its `cycle` says who waits for whom), the signal's reason, ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_CLOSED, ERR_REGION_LOST
   */
  async acquire(options?: AcquireOptions): Promise<SemaphoreLease> {
    const lease = options === undefined ? this.tryAcquire() : undefined;
    if (lease !== undefined) return lease;
    const permits = permitsOf(options, "acquire", ACQUIRE_OPTIONS);
    return this.context.waits.async(this.leasing(permits, this.queue, looks(options)), options);
  }
  /** {@link acquire}, blocking the thread. */
  acquireSync(options?: AcquireOptions): SemaphoreLease {
    if (options === undefined) {
      this.member.queued = false;
      const lease = this.attemptLease(1, this.syncQueue);
      if (lease !== BLOCKED) return lease;
    }
    const permits = permitsOf(options, "acquireSync", ACQUIRE_OPTIONS);
    return this.context.waits.sync(this.leasing(permits, this.syncQueue, looks(options)), options);
  }
  /** The lease, or undefined when the permits are not there or others wait. Never waits. */
  tryAcquire(options?: { permits?: number }): SemaphoreLease | undefined {
    const permits = permitsOf(options, "tryAcquire", ["permits"]);
    if (this.queue.waits.length > 0) return undefined;
    this.member.queued = false;
    const lease = this.attemptLease(permits, this.queue);
    return lease === BLOCKED ? undefined : lease;
  }

  /**
   * Calls a function while leasing permits, and gives them back whatever happens; resolves to what the function does.
   * @throws as {@link acquire}, and whatever the function throws
   */
  async run<T>(callback: (lease: SemaphoreLease) => T | PromiseLike<T>, options?: AcquireOptions): Promise<T> {
    return whileHeld(await this.acquire(options), callback);
  }
  /**
   * {@link run}, blocking the thread; the function must have done its work when it returns.
   * @throws as {@link acquireSync}, whatever the function throws, and ERR_INVALID_ARGUMENT when it returns a promise
   */
  runSync<T>(callback: (lease: SemaphoreLease) => T, options?: AcquireOptions): T {
    return whileHeldSync(this.acquireSync(options), callback, ["runSync", "run"]);
  }

  /** Takes permits for good, as sem_wait(3) does: they come back by {@link post} only. Errors as {@link acquire}. */
  async wait(options?: WaitOptions & { permits?: number }): Promise<void> {
    return this.context.waits.async(this.taking(permitsOf(options, "wait"), this.queue), options);
  }
  /** {@link wait}, blocking the thread. */
  waitSync(options?: WaitOptions & { permits?: number }): void {
    this.context.waits.sync(this.taking(permitsOf(options, "waitSync"), this.syncQueue), options);
  }
  /** Whether the permits were there and were taken, as sem_trywait(3). Never waits. */
  tryWait(options?: { permits?: number }): boolean {
    const permits = permitsOf(options, "tryWait", ["permits"]);
    return this.context.waits.try(this.taking(permits, this.queue)) !== BLOCKED;
  }

  /**
   * Adds permits, 1 by default, as sem_post(3) does; never waits.
   * @throws ERR_OUT_OF_RANGE when more than 2^31 - 1 would be available (EOVERFLOW), unless others post at the very moment
   */
  post(permits = 1): void {
    wholeNumber(permits, "permits", 1, MAX_PERMITS);
    this.check();
    const { available } = this;
    if (available + permits > MAX_PERMITS)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `${this.address} has ${available} permits; not ${permits} more`,
        {
          expected: MAX_PERMITS,
          actual: available + permits,
        },
      );
    const word = this.base + SEMAPHORE_WORD.posted + this.member.slot;
    this.publish(Op["semaphore.post"], word, () => words.load(this.words, word) + permits);
  }

  /** Permits that can be taken now; negative for a moment while posts and waits meet. */
  get available(): number {
    this.check();
    return availablePermits(this.member, this.base);
  }

  /** How it is now; looks without locking. */
  statistics(): SemaphoreStatistics {
    this.check();
    const statistics = semaphoreStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  private leasing(permits: number, queue: LocalQueue, isWatched: boolean): Waitable<SemaphoreLease> {
    const waitable = this.forPermits(queue, () => this.attemptLease(permits, queue));
    if (!isWatched) return waitable;
    const watch = new DeadlockWatch(this.context, leasePoint(this.member, this.name, this.base));
    return { ...waitable, stalled: (sync) => watch.look(sync) };
  }

  private forPermits<T>(queue: LocalQueue, attempt: () => T | Blocked): Waitable<T> {
    const holder = (): string | undefined =>
      memberNames(
        this.member,
        this.statistics().held.map(({ slot }) => slot),
      );
    return { ...this.waitable("permits", queue, attempt), holder };
  }

  private attemptLease(permits: number, queue: LocalQueue): SemaphoreLease | Blocked {
    const lease = new SemaphoreLease(this, permits);
    const taken = this.attempt(
      Op["semaphore.acquire"],
      () => {
        // Not before the attempt begins: then, an operation of this thread that was cut off is recovered, with its lease.
        this.changing = undefined;
        return this.take(this.heldWord, permits, queue);
      },
      () => {
        this.leasedWithout = this.leased;
        this.changing = lease;
        lease.isHeld = true;
        this.leased += permits;
        this.ringNext();
      },
    );
    this.changing = undefined;
    return taken === BLOCKED ? BLOCKED : lease;
  }

  private taking(permits: number, queue: LocalQueue): Waitable<void> {
    return this.forPermits(queue, () => {
      const taken = this.attempt(
        Op["semaphore.wait"],
        () => this.take(SEMAPHORE_WORD.taken, permits, queue),
        () => this.ringNext(),
      );
      return taken === BLOCKED ? BLOCKED : undefined;
    });
  }

  /** Takes permits if they are there and it is this member's turn; adds them to a word. */
  private take(word: number, permits: number, queue: LocalQueue): number | Blocked {
    const before = this.before();
    if (before >= 0 || availablePermits(this.member, this.base) < permits) {
      const blocked: Blocked = this.waitMyTurn(before);
      if (before < 0 && this.member.queued) this.noteWanted(permits);
      return blocked;
    }
    const had = this.read(word);
    // Another number for what this member has from now on: before it has any.
    if (had === 0 && word === this.heldWord)
      words.write(this.words, this.leases, words.read(this.words, this.leases) + 1);
    this.write(word, had + permits);
    this.served(queue);
    return permits;
  }

  protected override noteHolders(): void {
    noteHolders(this.member, this.base);
  }

  /** What the first one waits for, for those who look for deadlocks. */
  private noteWanted(permits: number): void {
    this.write(SEMAPHORE_WORD.wanted, permits);
    this.write(SEMAPHORE_WORD.wantedTurn, this.turns.of(this.member.slot));
  }

  private ringNext(): void {
    if (availablePermits(this.member, this.base) > 0) this.turns.ringFirst();
  }

  /** Changes one word that only this member writes, without the lock, and rings whose turn it is. */
  private publish(code: number, word: number, valueOf: () => number): void {
    const { member } = this;
    member.begin(code, this.entry);
    try {
      const value = valueOf();
      words.write(this.words, member.argument, value);
      member.critical(0);
      // SYNC POINT: permits are back with this store; pairs with availablePermits of a waiter that is armed
      words.store(this.words, word, value);
      member.committed();
      this.turns.ringFirst();
      member.end();
    } catch (error) {
      member.failed(error);
    }
  }

  /** @internal */
  isHeldBy(lease: SemaphoreLease): boolean {
    return lease.isHeld && this.isAttached;
  }

  /** @internal */
  giveBack(lease: SemaphoreLease): void {
    this.checkAttached();
    if (!lease.isHeld)
      throw new ShmkitError("ERR_NOT_HELD", `this lease of ${this.address} was released already`, {
        path: this.address,
      });
    this.publish(Op["semaphore.release"], this.base + this.heldWord, () => {
      this.changing = undefined;
      this.leasedWithout = this.leased - lease.permits;
      // Cut off behind this, the permits go back with the recovery of the own operation.
      this.changing = lease;
      this.forgetChanging();
      return this.leased;
    });
    this.changing = undefined;
  }

  private forgetChanging(): void {
    if (this.changing === undefined) return;
    this.changing.isHeld = false;
    this.leased = this.leasedWithout;
  }

  /** @internal Nobody will ever see the lease of an attempt that was cut off. */
  override forgetHeld(): void {
    this.forgetChanging();
    words.store(this.words, this.base + this.heldWord, this.leased);
    this.turns.ringFirst();
  }

  protected override beforeDetach(): void {
    if (this.leased === 0) return;
    this.publish(Op["semaphore.release"], this.base + this.heldWord, () => (this.leased = 0));
  }
}

function permitsOf(
  options: { permits?: number } | undefined,
  where: string,
  known: readonly string[] = WAITING_OPTIONS,
): number {
  const { permits } = knownOptions(options, known, `semaphore ${where}`);
  return permits === undefined ? 1 : wholeNumber(permits, "permits", 1, MAX_PERMITS);
}
