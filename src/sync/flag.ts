import * as words from "#words";
import { show } from "../base/arguments.js";
import { ArgumentError } from "../base/errors.js";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { FLAG, FLAG_BYTES } from "../layout/flag.js";
import { Op } from "../layout/member-slot.js";
import { WAIT_TIME_BYTES } from "../layout/wait-time.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import { NamedObject } from "../heap/named-object.js";
import { isFree, takeovers } from "../locking/robust-lock.js";
import { ringAll } from "../members/doorbell.js";
import { timeIndex, timesBehind, waitersIn, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { updateGuarded, type GuardedWord } from "./guarded-word.js";
import { BLOCKED, type Member } from "../members/member.js";

/** @internal Word offsets inside a flag. */
export const FLAG_WORD = { value: FLAG.at.value >> 2, waiters: FLAG.at.waiters >> 2 } as const;

const timesAt = (base: number): TimesBySlot => timesBehind(base, FLAG_BYTES);

/** How a flag is now. */
export interface FlagStatistics {
  /** Whether it is true. */
  readonly value: boolean;
  /** The members that wait for a change. */
  readonly waiting: readonly Waiter[];
  /** How many members died while they changed it (wraps at 2^32). */
  readonly takeovers: number;
}

/** @internal How the flag at a word index is. */
export const flagStatistics = (member: Member, base: number): FlagStatistics => ({
  value: words.load(member.segment.words, base + FLAG_WORD.value) !== 0,
  waiting: waitersIn(member, base + FLAG_WORD.waiters, timesAt(base)),
  takeovers: takeovers(member, base),
});

/** @internal */
export const flagPlan = ({ geometry }: Member): ObjectPlan => ({
  kind: "flag",
  sizeBytes: FLAG_BYTES + geometry.maxMembers * WAIT_TIME_BYTES,
  options: [],
  given: [],
  optionNames: [],
  init: () => undefined,
});

/**
 * A named boolean that every member of the region sees, false at first; that of C's atomic_flag, with waiting. Reads take
 * no lock, and are what a try to wait would be; changing it is a test already, which waits for nobody but a member that is
 * in the middle of a change. So there are no `try` forms. A member that dies while it changes the flag either did or did not, and the `memberDied` event says which.
 * @see [Flag](../../docs/guide/synchronisation.md#flag)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-flag");
 * const stopping = await app.flag("stopping");
 * const stopped = stopping.waitFor(true, { timeoutMs: 10_000 });
 * console.log(await stopping.testAndSet(), await stopping.testAndSet()); // false true
 * await stopped;
 * await stopping.clear();
 * console.log(stopping.value); // false
 * await app.close();
 * ```
 */
export class Flag extends NamedObject {
  private readonly updates = new LocalQueue();
  private readonly sinceAt = timeIndex(timesAt(this.base), this.member.slot);

  private readonly word: GuardedWord = {
    member: this.member,
    entry: this.entry,
    lock: this.base,
    word: this.base + FLAG_WORD.value,
    waiters: this.base + FLAG_WORD.waiters,
  };

  /** How it is now. @throws ERR_CLOSED, ERR_REGION_LOST */
  get value(): boolean {
    this.check();
    const value = words.load(this.words, this.base + FLAG_WORD.value) !== 0;
    this.member.segment.checkNotLost();
    return value;
  }

  /**
   * Makes it true, and resolves to what it was.
   * @throws ERR_TIMEOUT while a stopped process is in the middle of something, the signal's reason, ERR_CLOSED, ERR_REGION_LOST
   */
  async testAndSet(options?: WaitOptions): Promise<boolean> {
    return this.context.waits.async(this.changing(1), onlyWaitOptions(options, "testAndSet"));
  }
  /** {@link testAndSet}, blocking the thread if it must wait. */
  testAndSetSync(options?: WaitOptions): boolean {
    return this.context.waits.sync(this.changing(1), onlyWaitOptions(options, "testAndSetSync"));
  }

  /** Makes it true. Errors as {@link testAndSet}. */
  async set(options?: WaitOptions): Promise<void> {
    await this.context.waits.async(this.changing(1), onlyWaitOptions(options, "flag set"));
  }
  /** {@link set}, blocking the thread if it must wait. */
  setSync(options?: WaitOptions): void {
    this.context.waits.sync(this.changing(1), onlyWaitOptions(options, "flag setSync"));
  }

  /** Makes it false. Errors as {@link testAndSet}. */
  async clear(options?: WaitOptions): Promise<void> {
    await this.context.waits.async(this.changing(0), onlyWaitOptions(options, "flag clear"));
  }
  /** {@link clear}, blocking the thread if it must wait. */
  clearSync(options?: WaitOptions): void {
    this.context.waits.sync(this.changing(0), onlyWaitOptions(options, "flag clearSync"));
  }

  /** Resolves as soon as it is as told, at once if it is. @throws ERR_TIMEOUT, the signal's reason, ERR_CLOSED, ERR_REGION_LOST */
  async waitFor(value: boolean, options?: WaitOptions): Promise<void> {
    return this.context.waits.async(this.being(value), onlyWaitOptions(options, "flag waitFor"));
  }
  /** {@link waitFor}, blocking the thread. */
  waitForSync(value: boolean, options?: WaitOptions): void {
    this.context.waits.sync(this.being(value), onlyWaitOptions(options, "flag waitForSync"));
  }

  /** How it is now; looks without locking. @throws ERR_CLOSED, ERR_REGION_LOST */
  statistics(): FlagStatistics {
    this.check();
    const statistics = flagStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  private changing(to: 0 | 1): Waitable<boolean> {
    return {
      what: `changing ${this.address}`,
      queue: this.updates,
      owner: this,
      attempt: () => {
        this.check();
        const before = updateGuarded(
          this.word,
          Op["flag.update"],
          () => to,
          () => ringAll(this.member, this.word.waiters),
        );
        return before === BLOCKED ? BLOCKED : before !== 0;
      },
      remains: () => isFree(this.member, this.base),
    };
  }

  private being(value: boolean): Waitable<void> {
    if (typeof value !== "boolean")
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `value must be true or false, not ${show(value)}`, {
        actual: value,
      });
    return {
      sinceAt: this.sinceAt,
      what: `waiting for ${this.address} to be ${value}`,
      queue: new LocalQueue(),
      owner: this,
      attempt: () => (this.value === value ? undefined : this.member.waiting(this.word.waiters)),
      remains: () => false,
    };
  }
}
