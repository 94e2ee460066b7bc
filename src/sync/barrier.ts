import * as words from "#words";
import { ArgumentRangeError } from "../base/errors.js";
import { wholeNumber } from "../base/arguments.js";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { BARRIER, BARRIER_BYTES, PLACE_LOST } from "../layout/barrier.js";
import { Op } from "../layout/member-slot.js";
import { MEMBER_LIMIT, PAGE_BYTES, SET_WORDS } from "../layout/region-header.js";
import { WAIT_TIME_BYTES } from "../layout/wait-time.js";
import type { ObjectPlan, ObjectRef } from "../heap/object-plan.js";
import type { ObjectContext } from "../heap/named-object.js";
import { ringAll } from "../members/doorbell.js";
import { BLOCKED, type Blocked, type Member } from "../members/member.js";
import { memberNames } from "../members/member-info.js";
import { membersOf } from "../members/member-set.js";
import { timeIndex, timesBehind, waitersIn, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { MonitorObject } from "./monitor.js";

const at = BARRIER.at;
/** @internal Word offsets inside a barrier. */
export const BARRIER_WORD = {
  parties: at.parties >> 2,
  generation: at.generation >> 2,
  waiters: at.waiters >> 2,
  lost: at.lost >> 2,
  places: at.places >> 2,
  arrived: at.arrived >> 2,
} as const;

/** Options of a barrier. */
export interface BarrierOptions {
  /** How many members meet, 1 to 256. Default 2. */
  parties?: number;
}

/** How a barrier opened. */
export interface BarrierResult {
  /** How often it had opened before: counts up from 0 (wraps at 2^32). */
  readonly generation: number;
  /** True for one of the parties, which opened it: it may do what is to be done once. Nobody's, if that one dies. */
  readonly leader: boolean;
  /** Slots of the parties that had died or left when it opened. */
  readonly lost: readonly number[];
}

/** How a barrier is now. */
export interface BarrierStatistics {
  /** How many members meet. */
  readonly parties: number;
  /** How often it has opened (wraps at 2^32). */
  readonly generation: number;
  /** Slots of the parties that have arrived for the next time. */
  readonly arrived: readonly number[];
  /** The members that wait until it opens. */
  readonly waiting: readonly Waiter[];
  /** Slots of the parties that it waits for. */
  readonly expected: readonly number[];
  /** Slots that parties had which died or left, and whose places nobody has taken since. */
  readonly lost: readonly number[];
  /** Places that nobody has had yet; it waits for them, too. */
  readonly free: number;
}

/** @internal */
export function barrierPlan(member: Member, options: BarrierOptions): ObjectPlan {
  const parties = options.parties === undefined ? 2 : wholeNumber(options.parties, "parties", 1, MEMBER_LIMIT);
  return {
    kind: "barrier",
    sizeBytes: BARRIER_BYTES + member.geometry.maxMembers * WAIT_TIME_BYTES,
    options: [parties],
    given: [options.parties !== undefined],
    optionNames: ["parties"],
    init: (page) => words.write(member.segment.words, (page * PAGE_BYTES) / 4 + BARRIER_WORD.parties, parties),
  };
}

const timesAt = (base: number): TimesBySlot => timesBehind(base, BARRIER_BYTES);

const nobodyYet = (free: number): string =>
  free === 1 ? "a party that has not enrolled" : `${free} parties that have not enrolled`;

const slotOf = (place: number): number => (place & (PLACE_LOST - 1)) - 1;

/** How many places the barrier at a word index has, whatever its word says. */
const partiesOf = ({ segment }: Member, base: number): number =>
  Math.min(words.read(segment.words, base + BARRIER_WORD.parties) >>> 0, MEMBER_LIMIT);

/** @internal The party of a slot is gone. May be repeated. */
export function losePlace(member: Member, base: number, slot: number): void {
  const shared = member.segment.words;
  for (let place = 0; place < partiesOf(member, base); place++) {
    const word = base + BARRIER_WORD.places + place;
    // SYNC POINT: nobody waits for it any more with this store
    if (words.load(shared, word) === slot + 1) words.store(shared, word, PLACE_LOST | (slot + 1));
  }
}

/** @internal How the barrier at a word index is. */
export function barrierStatistics(member: Member, base: number): BarrierStatistics {
  const shared = member.segment.words;
  const parties = partiesOf(member, base);
  const generation = words.load(shared, base + BARRIER_WORD.generation) >>> 0;
  const arrived = [];
  const expected = [];
  const lost = [];
  for (let place = 0; place < parties; place++) {
    const party = words.load(shared, base + BARRIER_WORD.places + place);
    if (party === 0) continue;
    if ((party & PLACE_LOST) !== 0) lost.push(slotOf(party));
    else if (words.load(shared, base + BARRIER_WORD.arrived + place) >>> 0 === (generation + 1) >>> 0)
      arrived.push(slotOf(party));
    else expected.push(slotOf(party));
  }
  return {
    parties,
    generation,
    arrived,
    waiting: waitersIn(member, base + BARRIER_WORD.waiters, timesAt(base)),
    expected,
    lost,
    free: parties - arrived.length - expected.length - lost.length,
  };
}

/**
 * A named barrier, at which a number of members meet again and again: it opens when all parties have arrived. A member
 * becomes a party by `enrol`, or when it first arrives. A party that dies or leaves is reported by each opening, and not
 * waited for, until another member takes its place.
 * @see pthread_barrier_wait(3); [Barrier](../../docs/guide/synchronisation.md#barrier)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-barrier");
 * const other = await open("api-barrier"); // as another process would
 * const [step, theirs] = [await app.barrier("step", { parties: 2 }), await other.barrier("step", { parties: 2 })];
 * const waiting = step.wait({ timeoutMs: 10_000 });
 * console.log(theirs.statistics().arrived.length, (await theirs.wait()).leader); // 1 true
 * console.log(await waiting); // { generation: 0, leader: false, lost: [] }
 * await other.close();
 * await app.close();
 * ```
 */
export class Barrier extends MonitorObject {
  private readonly queue = new LocalQueue();
  private readonly sinceAt = timeIndex(timesAt(this.base), this.member.slot);
  /** The generation that it has arrived for, and whose opening no wait has seen yet. */
  private arrivedFor: number | undefined;

  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef) {
    super(context, ref, BARRIER_BYTES);
  }

  /** How many members meet. */
  get parties(): number {
    return this.ref.options[0];
  }

  /**
   * Makes this member a party: takes a place that nobody has had, or one that was lost; does nothing if it is one.
   * @throws ERR_OUT_OF_RANGE when there are enough, ERR_TIMEOUT while a stopped process is in the middle of something,
   * ERR_CLOSED, ERR_REGION_LOST
   */
  async enrol(options?: WaitOptions): Promise<void> {
    return this.context.waits.async(this.enrolling(), onlyWaitOptions(options, "barrier enrol"));
  }
  /** {@link enrol}, blocking the thread if it must wait. */
  enrolSync(options?: WaitOptions): void {
    this.context.waits.sync(this.enrolling(), onlyWaitOptions(options, "barrier enrolSync"));
  }

  /** {@link enrol}, unless another member is in the middle of something here: whether it has. Never waits. @throws ERR_OUT_OF_RANGE, ERR_CLOSED, ERR_REGION_LOST */
  tryEnrol(): boolean {
    return this.context.waits.try(this.enrolling()) !== BLOCKED;
  }

  /** Arrives without waiting for the others; again before it opens, it has arrived already. Errors as {@link enrol}. */
  async arrive(options?: WaitOptions): Promise<void> {
    return this.context.waits.async(this.arriving(), onlyWaitOptions(options, "barrier arrive"));
  }
  /** {@link arrive}, blocking the thread if it must wait. */
  arriveSync(options?: WaitOptions): void {
    this.context.waits.sync(this.arriving(), onlyWaitOptions(options, "barrier arriveSync"));
  }

  /** {@link arrive}, unless another member is in the middle of something here: whether it has arrived. Never waits. @throws ERR_OUT_OF_RANGE, ERR_CLOSED, ERR_REGION_LOST */
  tryArrive(): boolean {
    return this.context.waits.try(this.arriving()) !== BLOCKED;
  }

  /**
   * Arrives, and resolves when the barrier opens. After ERR_TIMEOUT or an abort it has arrived nevertheless: called again, it
   * waits on. @throws ERR_TIMEOUT, the signal's reason, ERR_OUT_OF_RANGE when there are enough parties, ERR_CLOSED, ERR_REGION_LOST
   */
  async wait(options?: WaitOptions): Promise<BarrierResult> {
    return this.context.waits.async(this.waiting(), onlyWaitOptions(options, "barrier wait"));
  }
  /** {@link wait}, blocking the thread. */
  waitSync(options?: WaitOptions): BarrierResult {
    return this.context.waits.sync(this.waiting(), onlyWaitOptions(options, "barrier waitSync"));
  }

  /**
   * {@link wait}, without waiting: what it opens with if it has opened, otherwise undefined. It has arrived nevertheless:
   * called again and again, it answers at last. @throws ERR_OUT_OF_RANGE, ERR_CLOSED, ERR_REGION_LOST
   */
  tryWait(): BarrierResult | undefined {
    const result = this.context.waits.try(this.waiting());
    return result === BLOCKED ? undefined : result;
  }

  /** How it is now; looks without locking. */
  statistics(): BarrierStatistics {
    this.check();
    const statistics = barrierStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  private waiting(): Waitable<BarrierResult> {
    let mine: number | undefined;
    const attempt = (): BarrierResult | Blocked => {
      let result: BarrierResult | undefined;
      const done = this.attempt<true>(
        Op["barrier.arrive"],
        () => {
          mine ??= this.arrivedFor ?? this.arriveNow();
          const leader = this.openIfComplete();
          if (this.generation === mine) return this.waitIn(BARRIER_WORD.waiters);
          const lost = membersOf(this.member.segment, this.base + BARRIER_WORD.lost, SET_WORDS);
          result = { generation: mine, leader, lost };
          return true;
        },
        () => this.ringIfOpened(result?.leader === true),
      );
      if (done === BLOCKED) return BLOCKED;
      this.arrivedFor = undefined;
      return result!;
    };
    return { ...this.waitable(new LocalQueue(), attempt), sinceAt: this.sinceAt };
  }

  private arriving(): Waitable<void> {
    return this.waitable(this.queue, () => {
      let opened = false;
      const done = this.attempt<true>(
        Op["barrier.arrive"],
        () => {
          this.arriveNow();
          opened = this.openIfComplete();
          return true;
        },
        () => this.ringIfOpened(opened),
      );
      return done === BLOCKED ? BLOCKED : undefined;
    });
  }

  private enrolling(): Waitable<void> {
    return this.waitable(this.queue, () => {
      const done = this.attempt<true>(Op["barrier.enrol"], () => {
        this.placeNow();
        return true;
      });
      return done === BLOCKED ? BLOCKED : undefined;
    });
  }

  private waitable<T>(queue: LocalQueue, attempt: () => T | Blocked): Waitable<T> {
    return {
      what: `waiting for ${this.address}`,
      queue,
      owner: this,
      attempt,
      remains: (set) => set === this.lockSet && this.lockIsFree,
      holder: () => this.missing(),
    };
  }

  /** Who is missing, as messages call them. */
  private missing(): string | undefined {
    const { expected, free } = this.statistics();
    return memberNames(this.member, expected, free) ?? (free > 0 ? nobodyYet(free) : undefined);
  }

  private get generation(): number {
    return this.read(BARRIER_WORD.generation) >>> 0;
  }

  /** This member's place, which it has had or takes now. */
  private placeNow(): number {
    const { me } = this.member;
    const places = Array.from({ length: partiesOf(this.member, this.base) }, (_, i) =>
      words.load(this.words, this.base + BARRIER_WORD.places + i),
    );
    const own = places.indexOf(me);
    if (own >= 0) return own;
    const free = places.indexOf(0);
    const place = free >= 0 ? free : places.findIndex((party) => (party & PLACE_LOST) !== 0);
    if (place < 0)
      throw new ArgumentRangeError("ERR_OUT_OF_RANGE", `${this.address} has its ${this.parties} parties already`, {
        path: this.address,
        expected: this.parties,
      });
    this.write(BARRIER_WORD.arrived + place, this.generation | 0);
    this.write(BARRIER_WORD.places + place, me);
    return place;
  }

  /** The generation that this member has arrived for. */
  private arriveNow(): number {
    const place = this.placeNow();
    const { generation } = this;
    this.write(BARRIER_WORD.arrived + place, (generation + 1) | 0);
    this.arrivedFor = generation;
    return generation;
  }

  /** Opens the barrier if everybody is there who is still to come; whether it did. */
  private openIfComplete(): boolean {
    const { expected, free, arrived, lost } = barrierStatistics(this.member, this.base);
    if (expected.length > 0 || free > 0 || arrived.length === 0) return false;
    for (let i = 0; i < SET_WORDS; i++) {
      const bits = lost.filter((slot) => slot >>> 5 === i).reduce((sum, slot) => sum | (1 << (slot & 31)), 0);
      this.write(BARRIER_WORD.lost + i, bits);
    }
    this.write(BARRIER_WORD.generation, (this.generation + 1) | 0);
    return true;
  }

  private ringIfOpened(opened: boolean): void {
    if (opened) ringAll(this.member, this.base + BARRIER_WORD.waiters);
  }

  /** @internal */
  override forgetHeld(): void {
    this.arrivedFor = undefined;
  }

  protected override beforeDetach(): void {
    losePlace(this.member, this.base, this.member.slot);
    ringAll(this.member, this.base + BARRIER_WORD.waiters);
  }
}
