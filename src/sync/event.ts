import * as words from "#words";
import { flag } from "../base/arguments.js";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { EVENT, EVENT_BYTES } from "../layout/event.js";
import { Op } from "../layout/member-slot.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { WAIT_TIME_BYTES } from "../layout/wait-time.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import { NamedObject } from "../heap/named-object.js";
import { isFree, lockWaiters } from "../locking/robust-lock.js";
import { ringAll, ringOne } from "../members/doorbell.js";
import { BLOCKED, type Blocked, type Member } from "../members/member.js";
import { timeIndex, timesBehind, waitersIn, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { updateGuarded, type GuardedWord } from "./guarded-word.js";
import { publishOwn, sumOfSlots } from "./own-word.js";

const at = EVENT.at;
/** @internal Word offsets inside an event. */
export const EVENT_WORD = {
  initial: at.initial >> 2,
  manualReset: at.manualReset >> 2,
  taken: at.taken >> 2,
  waiters: at.waiters >> 2,
  posted: at.posted >> 2,
  waits: at.waits >> 2,
} as const;

const timesAt = (base: number): TimesBySlot => timesBehind(base, EVENT_BYTES);

/** Options of an event. */
export interface EventOptions {
  /** Stays set until `reset`, and lets everybody go on; false: lets one wait go on, and is not set any more. Default true. */
  manualReset?: boolean;
  /** Whether it is set at first. Default false. */
  set?: boolean;
}

/** How an event is now. */
export interface EventStatistics {
  /** Whether a wait would go on now. */
  readonly isSet: boolean;
  /** Whether it stays set until it is reset. */
  readonly manualReset: boolean;
  /** How many waits are pending that one setting lets go on one by one; 0 with manual reset. */
  readonly waits: number;
  /** The members that wait. */
  readonly waiting: readonly Waiter[];
}

/** @internal */
export function eventPlan(member: Member, options: EventOptions): ObjectPlan {
  const manualReset = options.manualReset === undefined || flag(options.manualReset, "manualReset");
  const set = flag(options.set, "set");
  return {
    kind: "event",
    sizeBytes: EVENT_BYTES + member.geometry.maxMembers * WAIT_TIME_BYTES,
    options: [Number(manualReset), Number(set)],
    given: [options.manualReset !== undefined, options.set !== undefined],
    optionNames: ["manualReset", "set"],
    init: (page) => {
      const base = (page * PAGE_BYTES) / 4;
      words.write(member.segment.words, base + EVENT_WORD.manualReset, Number(manualReset));
      words.write(member.segment.words, base + EVENT_WORD.initial, Number(set));
    },
  };
}

/** How often the event at a word index was set, as a count that wraps. */
const settings = (member: Member, base: number): number =>
  (words.read(member.segment.words, base + EVENT_WORD.initial) + sumOfSlots(member, base + EVENT_WORD.posted)) | 0;

/** Settings that nothing has used up. */
const available = (member: Member, base: number): number =>
  (settings(member, base) - words.load(member.segment.words, base + EVENT_WORD.taken)) | 0;

/** @internal How the event at a word index is. */
export const eventStatistics = (member: Member, base: number): EventStatistics => ({
  isSet: available(member, base) > 0,
  manualReset: words.read(member.segment.words, base + EVENT_WORD.manualReset) !== 0,
  waits: sumOfSlots(member, base + EVENT_WORD.waits),
  waiting: waitersIn(member, base + EVENT_WORD.waiters, timesAt(base)),
});

/**
 * A named event, as those of Windows and .NET: it is set or not, and members wait until it is. One with manual reset is a
 * gate, which lets everybody through while it is set, and who waited when it was set, though it is reset at once. One that
 * resets by itself lets exactly one wait go on for each setting.
 * @see [Event](../../docs/guide/synchronisation.md#event)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-event");
 * const ready = await app.event("ready");
 * const waiting = ready.wait({ timeoutMs: 10_000 });
 * ready.set();
 * await waiting;
 * console.log(ready.isSet, ready.tryWait()); // true true
 * await ready.reset();
 * console.log(ready.isSet); // false
 * await app.close();
 * ```
 */
export class SharedEvent extends NamedObject {
  private readonly queue = new LocalQueue();
  private readonly syncQueue = new LocalQueue();
  private readonly resets = new LocalQueue();
  private readonly ownPosted = this.base + EVENT_WORD.posted + this.member.slot;
  private readonly ownWaits = this.base + EVENT_WORD.waits + this.member.slot;
  private readonly waiters = this.base + EVENT_WORD.waiters;
  private readonly sinceAt = timeIndex(timesAt(this.base), this.member.slot);
  /** Whether it stays set until it is reset. */
  readonly manualReset = this.ref.options[0] !== 0;
  /** Whether the thread is blocked in a wait. */
  private blocks = false;

  private readonly taken: GuardedWord = {
    member: this.member,
    entry: this.entry,
    lock: this.base,
    word: this.base + EVENT_WORD.taken,
    waiters: this.waiters,
  };

  /** Whether it is set. @throws ERR_CLOSED, ERR_REGION_LOST */
  get isSet(): boolean {
    this.check();
    const isSet = available(this.member, this.base) > 0;
    this.member.segment.checkNotLost();
    return isSet;
  }

  /** Sets it. Never waits; set twice before anybody went on, it is set once. @throws ERR_CLOSED, ERR_REGION_LOST */
  set(): void {
    this.check();
    const { member, base } = this;
    const enough = this.manualReset ? 1 : Math.max(1, sumOfSlots(member, base + EVENT_WORD.waits));
    if (available(member, base) >= enough) return;
    publishOwn(
      member,
      Op["event.set"],
      this.entry,
      this.ownPosted,
      () => words.read(this.words, this.ownPosted) + 1,
      () => (this.manualReset ? ringAll : ringOne)(member, this.waiters),
    );
  }

  /** Makes it not set. @throws ERR_TIMEOUT while a stopped process is in the middle of something, ERR_CLOSED, ERR_REGION_LOST */
  async reset(options?: WaitOptions): Promise<void> {
    return this.context.waits.async(this.resetting(), onlyWaitOptions(options, "event reset"));
  }
  /** {@link reset}, blocking the thread if it must wait. */
  resetSync(options?: WaitOptions): void {
    this.context.waits.sync(this.resetting(), onlyWaitOptions(options, "event resetSync"));
  }

  /** {@link reset}, unless another member is in the middle of something here: whether it did. Never waits. @throws ERR_CLOSED, ERR_REGION_LOST */
  tryReset(): boolean {
    return this.context.waits.try(this.resetting()) !== BLOCKED;
  }

  /** Resolves as soon as it is set, or was since the call. @throws ERR_TIMEOUT, the signal's reason, ERR_CLOSED, ERR_REGION_LOST */
  async wait(options?: WaitOptions): Promise<void> {
    return this.context.waits.async(this.waiting(this.queue), onlyWaitOptions(options, "event wait"));
  }
  /** {@link wait}, blocking the thread. */
  waitSync(options?: WaitOptions): void {
    this.context.waits.sync(this.waiting(this.syncQueue), onlyWaitOptions(options, "event waitSync"));
  }
  /** Whether it was set, and this call went on for it. Never waits. */
  tryWait(): boolean {
    return this.context.waits.try(this.waiting(this.queue)) !== BLOCKED;
  }

  /** How it is now; looks without locking. */
  statistics(): EventStatistics {
    this.check();
    const statistics = eventStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  private waiting(queue: LocalQueue): Waitable<void> {
    this.check();
    const { member, base } = this;
    const before = settings(member, base);
    const isDone = (): boolean => settings(member, base) !== before || available(member, base) > 0;
    return {
      sinceAt: this.sinceAt,
      what: `waiting for ${this.address}`,
      // Each wait on a gate looks for itself.
      queue: this.manualReset ? new LocalQueue() : queue,
      owner: this,
      attempt: () => {
        this.check();
        if (!this.manualReset) return this.take(queue);
        return isDone() ? undefined : member.waiting(this.waiters);
      },
      remains: (set) =>
        set === lockWaiters(base) ? isFree(member, base) : !this.manualReset && available(member, base) > 0,
      isDue: () => !this.isLive || isDone(),
      givenUp: () => {
        if (this.manualReset) return;
        if (queue === this.syncQueue) this.blocks = false;
        if (this.isAttached && !member.segment.lost) this.count();
      },
    };
  }

  /** Goes on for one setting. Those that came in vain, with nobody to go on for them, are one with it. */
  private take(queue: LocalQueue): undefined | Blocked {
    const { member, base } = this;
    if (queue === this.syncQueue) this.blocks = member.queued;
    const result = updateGuarded(
      this.taken,
      Op["event.wait"],
      (taken) => {
        const left = available(member, base) - 1;
        if (left < 0) {
          this.count();
          return undefined;
        }
        const isCounted = member.queued ? 1 : 0;
        const others = sumOfSlots(member, base + EVENT_WORD.waits) - words.read(this.words, this.ownWaits);
        const going = others + this.queue.waits.length + (this.blocks ? 1 : 0) - isCounted;
        return (taken + 1 + Math.max(0, left - Math.max(0, going))) | 0;
      },
      () => {
        if (queue === this.syncQueue) this.blocks = false;
        this.count(queue === this.queue && member.queued ? 1 : 0);
        if (available(member, base) > 0) ringOne(member, this.waiters);
      },
    );
    return result === BLOCKED ? BLOCKED : undefined;
  }

  /** Says how many waits of this member are pending, without the one that goes on now. */
  private count(without = 0): void {
    words.store(this.words, this.ownWaits, this.queue.waits.length + (this.blocks ? 1 : 0) - without);
  }

  private resetting(): Waitable<void> {
    return {
      what: `resetting ${this.address}`,
      queue: this.resets,
      owner: this,
      attempt: () => {
        this.check();
        const result = updateGuarded(
          this.taken,
          Op["event.reset"],
          (taken) => (taken + Math.max(0, available(this.member, this.base))) | 0,
          () => undefined,
        );
        return result === BLOCKED ? BLOCKED : undefined;
      },
      remains: () => isFree(this.member, this.base),
    };
  }

  /** @internal */
  override forgetHeld(): void {
    this.blocks = false;
    this.count();
  }
}
