import * as words from "#words";
import { ArgumentError, ArgumentRangeError, ShmkitError } from "../base/errors.js";
import { knownOptions, show } from "../base/arguments.js";
import { deadlineOf, now, signalOf, WAIT_OPTIONS, type WaitOptions } from "../base/deadline.js";
import {
  CONDITION_BYTES,
  CONDITION_WAIT,
  CONDITION_WAKE,
  conditionWaits,
  conditionWakes,
  MAX_CONDITION_WAITS,
  Notify,
} from "../layout/condition.js";
import { Op } from "../layout/member-slot.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import { NamedObject } from "../heap/named-object.js";
import { WAIT_TIME_BYTES } from "../layout/wait-time.js";
import type { Blocked, Member } from "../members/member.js";
import { timeAt, timeIndex, timesBehind, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import type { Mutex } from "./mutex.js";
import { MutexGuard } from "./mutex-guard.js";
import { CONDITION_WORD, WakeUps } from "./wake-ups.js";
import { noPromise } from "./while-held.js";

const WAIT = Op["condition.wait"];
const NOTIFY = Op["condition.notify"];

/** Options of waiting for a condition. */
export interface ConditionWaitOptions extends WaitOptions {
  /**
   * Milliseconds that taking the mutex again may last after the wait has ended by its deadline or signal; then the error says
   * who holds it, and the guard does not hold it any more. Default: no limit, as with pthread_cond_timedwait(3).
   */
  relockTimeoutMs?: number;
}

/** How a condition is now. */
export interface ConditionStatistics {
  /** Members that wait. */
  readonly waiting: readonly (Waiter & {
    /** How many waits it has. */
    readonly waits: number;
    /** How many of those are waking up. */
    readonly woken: number;
  })[];
}

/** @internal */
export function conditionPlan({ geometry }: Member): ObjectPlan {
  return {
    kind: "condition",
    sizeBytes: CONDITION_BYTES + geometry.maxMembers * WAIT_TIME_BYTES,
    options: [],
    given: [],
    optionNames: [],
    init: () => undefined,
  };
}

const timesAt = (base: number): TimesBySlot => timesBehind(base, CONDITION_BYTES);

/** @internal How the condition at a word index is. */
export function conditionStatistics({ segment, slotsUsed }: Member, base: number): ConditionStatistics {
  const waiting = [];
  for (let slot = 0; slot < slotsUsed; slot++) {
    const word = words.load(segment.words, base + CONDITION_WORD.waits + slot);
    if (word === 0) continue;
    const since = timeAt(segment, timeIndex(timesAt(base), slot));
    waiting.push({ slot, waits: conditionWaits(word), woken: conditionWakes(word), since });
  }
  return { waiting };
}

/**
 * A named condition variable: whoever holds a {@link Mutex} waits until another member changed what the mutex guards and
 * says so. The mutex is released and the wait begun as one step, so that no notification is missed, and it is held again,
 * by the same guard, when the wait ends, however it ends. A wait may end without a reason: look again at what was waited
 * for, as {@link waitFor} does. There is no form that only tries: whoever holds the mutex sees by itself whether it has to
 * wait, and a notification that came before is not kept.
 * @see pthread_cond_wait(3); [Condition](../../docs/guide/synchronisation.md#condition)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-condition");
 * const stock = await app.mutex("stock", { words: 1 });
 * const changed = await app.condition("stock changed");
 *
 * const consumer = stock.lock().then(async (guard) => {
 *   await changed.waitFor(guard, () => guard.get(0) > 0, { timeoutMs: 10_000 });
 *   guard.set(0, guard.get(0) - 1);
 *   guard.release();
 * });
 * const guard = await stock.lock();
 * guard.set(0, 1);
 * guard.release();
 * changed.notifyOne();
 * await consumer;
 * await app.close();
 * ```
 */
export class Condition extends NamedObject {
  private readonly queue = new LocalQueue();
  private readonly syncQueue = new LocalQueue();
  private readonly wakeUps = new WakeUps(this.member, this.base);
  private readonly own = this.base + CONDITION_WORD.waits + this.member.slot;
  private readonly sinceAt = timeIndex(timesAt(this.base), this.member.slot);
  /** The mutex that the operation under way releases or takes. */
  private mutex: Mutex | undefined;
  /** Whether the thread is blocked in a wait. */
  private blocks = false;

  /**
   * Releases the guard's mutex, waits to be woken, and takes the mutex again for the same guard. Ended by its deadline or
   * signal, it takes the mutex again before it throws; that takes as long as others hold it, unless `relockTimeoutMs` says how long at most. `guard.abandoned` says
   * afterwards whether the owner before died meanwhile.
   * @throws ERR_NOT_HELD, ERR_TIMEOUT, the signal's reason, ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_DEADLOCK when this
   * thread has a re-entrant mutex more than once, or would never get the mutex again, and has not; ERR_CLOSED and ERR_REGION_LOST, after which the mutex may not be held
   */
  async wait(guard: MutexGuard, options?: ConditionWaitOptions): Promise<void> {
    const mutex = this.prepare(guard, options, "wait");
    const waiting = this.begin(guard, mutex, this.queue);
    try {
      await this.context.waits.async(waiting, options);
    } catch (error) {
      waiting.givenUp?.();
      if (!mutex.isHeldBy(guard) && !isDeadlock(error))
        await this.context.waits.async(mutex.resuming(guard), relocking(options));
      throw error;
    }
  }
  /** {@link wait}, blocking the thread. */
  waitSync(guard: MutexGuard, options?: ConditionWaitOptions): void {
    const mutex = this.prepare(guard, options, "waitSync");
    const waiting = this.begin(guard, mutex, this.syncQueue);
    try {
      this.context.waits.sync(waiting, options);
    } catch (error) {
      waiting.givenUp?.();
      if (!mutex.isHeldBy(guard) && !isDeadlock(error))
        this.context.waits.sync(mutex.resumingSync(guard), relocking(options));
      throw error;
    }
  }

  /**
   * Waits until `predicate` answers true, looking at once and after each wake-up, always with the mutex held. Past the
   * deadline it looks once more. Errors as {@link wait}, and what the predicate throws; the mutex is held then, too.
   */
  async waitFor(
    guard: MutexGuard,
    predicate: () => boolean | PromiseLike<boolean>,
    options?: ConditionWaitOptions,
  ): Promise<void> {
    const deadline = this.prepareFor(guard, predicate, options, "waitFor");
    for (let left = deadline - now(); !(await predicate()); left = deadline - now()) {
      if (left <= 0) throw this.timedOut(options);
      try {
        await this.wait(guard, { ...options, timeoutMs: left });
      } catch (error) {
        unlessTimeout(error, guard);
      }
    }
  }
  /** {@link waitFor}, blocking the thread. @throws ERR_INVALID_ARGUMENT also when the predicate answers a promise */
  waitForSync(guard: MutexGuard, predicate: () => boolean, options?: ConditionWaitOptions): void {
    const deadline = this.prepareFor(guard, predicate, options, "waitForSync");
    const isTrue = (): boolean => noPromise(predicate(), "waitForSync", "waitFor");
    for (let left = deadline - now(); !isTrue(); left = deadline - now()) {
      if (left <= 0) throw this.timedOut(options);
      try {
        this.waitSync(guard, { ...options, timeoutMs: left });
      } catch (error) {
        unlessTimeout(error, guard);
      }
    }
  }

  /**
   * Wakes one of the waits, of each member in turn; whether there was one. Never waits, and needs no mutex. If this process
   * dies in it, somebody is woken if it had begun.
   * @throws ERR_CLOSED, ERR_REGION_LOST
   */
  notifyOne(): boolean {
    return this.notify(Notify.one, () => this.wakeUps.give(1, this.wakeUps.next)) > 0;
  }
  /** Wakes every wait; how many there were. Otherwise as {@link notifyOne}. */
  notifyAll(): number {
    return this.notify(Notify.all, () => this.wakeUps.giveAll());
  }

  /** Who waits; looks without locking. */
  statistics(): ConditionStatistics {
    this.check();
    const statistics = conditionStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  private notify(what: number, give: () => number): number {
    this.check();
    const { member } = this;
    const notifying = this.base + CONDITION_WORD.notifying + member.slot;
    member.begin(NOTIFY, this.entry);
    try {
      member.critical(0);
      // SYNC POINT: from here on recovery wakes whom this member does not
      words.storeRelease(this.words, notifying, what);
      member.committed();
      const given = give();
      words.storeRelease(this.words, notifying, Notify.none);
      member.end();
      return given;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** Everything that can be refused, before the mutex is released. */
  private prepare(guard: MutexGuard, options: ConditionWaitOptions | undefined, where: string): Mutex {
    this.check();
    if (!(guard instanceof MutexGuard))
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `guard must be the guard of a mutex, not ${show(guard)}`);
    knownOptions(options, [...WAIT_OPTIONS, "relockTimeoutMs"], where);
    deadlineOf(options?.timeoutMs);
    deadlineOf(options?.relockTimeoutMs, "relockTimeoutMs");
    signalOf(options?.signal);
    const { mutex } = guard;
    if (!mutex.isOf(this.member))
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `${mutex.address} is not a mutex of this handle's region`);
    mutex.checkHeldOnce(guard);
    return mutex;
  }

  private prepareFor(
    guard: MutexGuard,
    predicate: unknown,
    options: ConditionWaitOptions | undefined,
    where: string,
  ): number {
    this.prepare(guard, options, where);
    if (typeof predicate !== "function")
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `predicate must be a function, not ${show(predicate)}`);
    return deadlineOf(options?.timeoutMs);
  }

  private timedOut(options: ConditionWaitOptions | undefined): ShmkitError {
    return new ShmkitError(
      "ERR_TIMEOUT",
      `waiting for ${this.address} did not finish within ${options?.timeoutMs ?? 0} ms`,
    );
  }

  /** Counts a wait, then releases the mutex. */
  private begin(guard: MutexGuard, mutex: Mutex, queue: LocalQueue): Waitable<void> {
    const { member } = this;
    const woken = conditionWakes(words.load(this.words, this.own));
    if (conditionWaits(words.load(this.words, this.own)) === MAX_CONDITION_WAITS)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `${MAX_CONDITION_WAITS} waits of this thread on ${this.address}`,
      );
    // The wait begins behind this, but is counted before.
    this.context.waits.note(this.sinceAt);
    this.mutex = mutex;
    this.blocks = queue === this.syncQueue;
    member.begin(WAIT, this.entry);
    try {
      words.write(this.words, member.argument, mutex.lockWord);
      member.critical(0);
      // SYNC POINT: counted before the mutex is free; pairs with whoever takes it, changes what it guards, and wakes
      words.add(this.words, this.own, CONDITION_WAIT);
      mutex.suspend(guard);
      member.committed();
      member.end();
    } catch (error) {
      return member.failed(error);
    }
    this.mutex = undefined;
    // Elder waits of this thread, which cannot go on while it blocks, keep what woke them.
    return this.waiting(guard, mutex, queue, this.blocks ? woken : 0);
  }

  private waiting(guard: MutexGuard, mutex: Mutex, queue: LocalQueue, elders: number): Waitable<void> {
    let isWoken = false;
    return {
      sinceAt: this.sinceAt,
      what: `waiting for ${this.address}`,
      queue,
      owner: this,
      attempt: () => {
        this.check();
        isWoken = conditionWakes(words.load(this.words, this.own)) > elders;
        return isWoken ? this.wake(guard, mutex) : this.member.waiting(this.base + CONDITION_WORD.waiters);
      },
      remains: (set) => set === mutex.waitersWord && mutex.ownerSlot === undefined,
      givenUp: () => {
        if (queue === this.syncQueue) this.blocks = false;
        mutex.resumeGivenUp();
        this.withdraw();
      },
      lasts: () => {
        if (isWoken) mutex.noteOwner();
      },
      stalled: (sync) => {
        if (isWoken) mutex.lookForDeadlock(sync);
      },
    };
  }

  /** Takes the mutex again, and then the wake-up: a member that dies before it has the mutex is as if it had not been woken. */
  private wake(guard: MutexGuard, mutex: Mutex): undefined | Blocked {
    const { member } = this;
    mutex.checkUsable();
    if (mutex.isHeldHere) return member.waiting(mutex.waitersWord);
    this.mutex = mutex;
    member.begin(WAIT, this.entry);
    try {
      const blocked = mutex.resume(guard);
      if (blocked === undefined) {
        words.add(this.words, this.own, -CONDITION_WAIT - CONDITION_WAKE);
        this.blocks = false;
        member.committed();
        member.end();
        mutex.told(guard);
      }
      this.mutex = undefined;
      return blocked;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** Takes waits out that have ended, and passes on what woke them. */
  private withdraw(): void {
    const { member } = this;
    const going = this.queue.waits.length + (this.blocks ? 1 : 0);
    if (!this.isAttached || member.segment.lost) return;
    while (conditionWaits(words.load(this.words, this.own)) > going) {
      member.begin(WAIT, this.entry);
      try {
        this.wakeUps.withdraw(member.slot);
        member.withdrawn();
        member.end();
      } catch (error) {
        member.failed(error);
      }
    }
  }

  /** @internal The cut-off operation's wait is gone, and the mutex free; those that wait on look again. */
  override forgetHeld(): void {
    this.mutex?.relinquish();
    this.mutex = undefined;
    this.blocks = false;
    this.wakeUps.settle(this.member.slot, this.queue.waits.length);
  }
}

/** Passes over the end of a wait by its deadline, after which the mutex is held again. */
function unlessTimeout(error: unknown, guard: MutexGuard): void {
  if (!(error instanceof ShmkitError) || error.code !== "ERR_TIMEOUT" || !guard.mutex.isHeldBy(guard)) throw error;
}

/** It would wait for the mutex for ever: then it does not. */
const isDeadlock = (error: unknown): boolean => error instanceof ShmkitError && error.code === "ERR_DEADLOCK";

const relocking = (options: ConditionWaitOptions | undefined): WaitOptions | undefined =>
  options?.relockTimeoutMs === undefined ? undefined : { timeoutMs: options.relockTimeoutMs };
