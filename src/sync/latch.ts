import * as words from "#words";
import { wholeNumber } from "../base/arguments.js";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { LATCH, LATCH_BYTES } from "../layout/latch.js";
import { Op } from "../layout/member-slot.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { WAIT_TIME_BYTES } from "../layout/wait-time.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import { NamedObject } from "../heap/named-object.js";
import { ringAll } from "../members/doorbell.js";
import { BLOCKED, type Member } from "../members/member.js";
import { timeIndex, timesBehind, waitersIn, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { publishOwn } from "./own-word.js";

const at = LATCH.at;
/** @internal Word offsets inside a latch. */
export const LATCH_WORD = {
  count: at.count >> 2,
  waiters: at.waiters >> 2,
  down: at.down >> 2,
  promised: at.promised >> 2,
  lost: at.lost >> 2,
} as const;
const MAX_COUNT = 2 ** 31 - 1;
const timesAt = (base: number): TimesBySlot => timesBehind(base, LATCH_BYTES);

/** Options of a latch. */
export interface LatchOptions {
  /** After how many count-downs it opens, 0 to 2^31 - 1. Default 1. */
  count?: number;
}

/** How a latch opened. */
export interface LatchResult {
  /**
   * What of the count-downs was missing, since members that had promised them died or left: by slot; empty when all was
   * counted down, and never more than was missing when that was noticed.
   */
  readonly lost: readonly {
    /** Of the member that is gone. */
    readonly slot: number;
    /** Count-downs. */
    readonly count: number;
  }[];
}

/** How a latch is now. */
export interface LatchStatistics extends LatchResult {
  /** Count-downs until it opens. */
  readonly remaining: number;
  /** Who has promised how much that is still to come; nobody once it is open. */
  readonly promised: readonly {
    /** Of the member. */
    readonly slot: number;
    /** Count-downs. */
    readonly count: number;
  }[];
  /** The members that wait. */
  readonly waiting: readonly Waiter[];
}

/** @internal */
export function latchPlan(member: Member, options: LatchOptions): ObjectPlan {
  const count = options.count === undefined ? 1 : wholeNumber(options.count, "count", 0, MAX_COUNT);
  return {
    kind: "latch",
    sizeBytes: LATCH_BYTES + member.geometry.maxMembers * WAIT_TIME_BYTES,
    options: [count],
    given: [options.count !== undefined],
    optionNames: ["count"],
    init: (page) => words.write(member.segment.words, (page * PAGE_BYTES) / 4 + LATCH_WORD.count, count),
  };
}

/** What the member of a slot has promised and not counted down yet. */
function owed({ segment: { words: shared } }: Member, base: number, slot: number): number {
  const settled = words.load(shared, base + LATCH_WORD.down + slot) + words.load(shared, base + LATCH_WORD.lost + slot);
  return Math.max(0, (words.load(shared, base + LATCH_WORD.promised + slot) - settled) | 0);
}

/** Count-downs until it opens. What is counted down and lost at the very same moment may be more than was missing. */
function remainingOf({ segment: { words: shared }, slotsUsed }: Member, base: number): number {
  let remaining = words.read(shared, base + LATCH_WORD.count);
  for (let slot = 0; slot < slotsUsed; slot++)
    remaining -= words.load(shared, base + LATCH_WORD.down + slot) + words.load(shared, base + LATCH_WORD.lost + slot);
  return Math.max(0, remaining);
}

/**
 * @internal A member's promise is void: of what it owes, what the latch still waits for is lost, and the rest nobody misses.
 * May be repeated, also by another one after the first store: as much less is missing then.
 */
export function loseOwed(member: Member, base: number, slot: number): void {
  const shared = member.segment.words;
  const missing = Math.min(owed(member, base, slot), remainingOf(member, base));
  const lost = base + LATCH_WORD.lost + slot;
  // SYNC POINT: nobody waits for it any more with this store
  if (missing > 0) words.store(shared, lost, words.load(shared, lost) + missing);
  if (owed(member, base, slot) === 0) return;
  words.store(
    shared,
    base + LATCH_WORD.promised + slot,
    words.load(shared, base + LATCH_WORD.down + slot) + words.load(shared, lost),
  );
}

/** @internal How the latch at a word index is. */
export function latchStatistics(member: Member, base: number): LatchStatistics {
  const shared = member.segment.words;
  const remaining = remainingOf(member, base);
  const lost = [];
  const promised = [];
  for (let slot = 0; slot < member.slotsUsed; slot++) {
    const missing = words.load(shared, base + LATCH_WORD.lost + slot);
    if (missing > 0) lost.push({ slot, count: missing });
    const count = remaining > 0 ? owed(member, base, slot) : 0;
    if (count > 0) promised.push({ slot, count });
  }
  const waiting = waitersIn(member, base + LATCH_WORD.waiters, timesAt(base));
  return { remaining, lost, promised, waiting };
}

/**
 * A named latch: opens for good after so many count-downs, as those of Java and C++. A member that has said by `enrol` how
 * much it will count down, and dies or leaves before, is reported and not waited for.
 * @see [Latch](../../docs/guide/synchronisation.md#latch)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-latch");
 * const loaded = await app.latch("loaded", { count: 3 });
 * const all = loaded.wait({ timeoutMs: 10_000 });
 * loaded.enrol(2); // if this process is killed now, these two are not waited for
 * loaded.countDown(2);
 * loaded.countDown();
 * console.log(await all, loaded.remaining); // { lost: [] } 0
 * await app.close();
 * ```
 */
export class Latch extends NamedObject {
  private readonly sinceAt = timeIndex(timesAt(this.base), this.member.slot);

  /** Count-downs until it opens. @throws ERR_CLOSED, ERR_REGION_LOST */
  get remaining(): number {
    return this.statistics().remaining;
  }

  /**
   * Counts down, by 1 unless told otherwise, towards what this member has enrolled for or beyond. Never waits; does nothing
   * once the latch is open. @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_CLOSED, ERR_REGION_LOST
   */
  countDown(by = 1): void {
    wholeNumber(by, "by", 1, MAX_COUNT);
    const n = Math.min(by, this.remaining);
    if (n === 0) return;
    const word = this.base + LATCH_WORD.down + this.member.slot;
    publishOwn(
      this.member,
      Op["latch.count-down"],
      this.entry,
      word,
      () => words.read(this.words, word) + n,
      () => ringAll(this.member, this.base + LATCH_WORD.waiters),
    );
  }

  /** Promises to count down so often: what of it is missing when this member dies or leaves is not waited for. Errors as {@link countDown}. */
  enrol(count = 1): void {
    wholeNumber(count, "count", 1, MAX_COUNT);
    this.check();
    const { member, base } = this;
    const { slot } = member;
    const word = base + LATCH_WORD.promised + slot;
    const value = (): number =>
      words.load(this.words, base + LATCH_WORD.down + slot) +
      words.load(this.words, base + LATCH_WORD.lost + slot) +
      owed(member, base, slot) +
      count;
    publishOwn(member, Op["latch.enrol"], this.entry, word, value, () => undefined);
  }

  /** Resolves when it is open. @throws ERR_TIMEOUT, the signal's reason, ERR_CLOSED, ERR_REGION_LOST */
  async wait(options?: WaitOptions): Promise<LatchResult> {
    return this.context.waits.async(this.waiting(), onlyWaitOptions(options, "latch wait"));
  }
  /** {@link wait}, blocking the thread. */
  waitSync(options?: WaitOptions): LatchResult {
    return this.context.waits.sync(this.waiting(), onlyWaitOptions(options, "latch waitSync"));
  }
  /** How it opened, or undefined while it is not open. Never waits. */
  tryWait(): LatchResult | undefined {
    const result = this.context.waits.try(this.waiting());
    return result === BLOCKED ? undefined : result;
  }

  /** How it is now; looks without locking. */
  statistics(): LatchStatistics {
    this.check();
    const statistics = latchStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  private waiting(): Waitable<LatchResult> {
    return {
      sinceAt: this.sinceAt,
      what: `waiting for ${this.address}`,
      queue: new LocalQueue(),
      owner: this,
      attempt: () => {
        const { remaining, lost } = this.statistics();
        return remaining === 0 ? { lost } : this.member.waiting(this.base + LATCH_WORD.waiters);
      },
      remains: () => false,
    };
  }

  protected override beforeDetach(): void {
    loseOwed(this.member, this.base, this.member.slot);
    ringAll(this.member, this.base + LATCH_WORD.waiters);
  }
}
