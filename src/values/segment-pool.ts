import * as words from "#words";
import { show, wholeNumber } from "../base/arguments.js";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { ArgumentError, ShmkitError } from "../base/errors.js";
import { sizeBytes, type Size } from "../base/sizes.js";
import type { ObjectPlan, ObjectRef } from "../heap/object-plan.js";
import type { ObjectContext } from "../heap/named-object.js";
import { PAGE_WORDS } from "../heap/page-heap.js";
import { Op, SlotState } from "../layout/member-slot.js";
import {
  isHandedOver,
  MAX_SEGMENTS,
  packSegment,
  packSegmentArgument,
  segmentGeneration,
  segmentOwner,
} from "../layout/segment-pool.js";
import { ringAll, ringMember } from "../members/doorbell.js";
import { BLOCKED, type Blocked, type Member } from "../members/member.js";
import { inSet } from "../members/member-set.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { timeIndex } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { ServedInTurn } from "../sync/served-in-turn.js";
import { PooledSegment, type SegmentTicket, type Sender } from "./pooled-segment.js";
import {
  acquiringTimes,
  freeSegment,
  noteHolders,
  poolShape,
  readPoolShape,
  SEGMENT_POOL_WORD,
  segmentPoolStatistics,
  takingBackTimes,
  type PoolShape,
  type SegmentPoolStatistics,
} from "./segment-pool-words.js";

const W = SEGMENT_POOL_WORD;
const MAX_GENERATION = segmentGeneration(-1);

const nextGeneration = (generation: number): number => (generation === MAX_GENERATION ? 0 : generation + 1);

/** Options of a segment pool. */
export interface SegmentPoolOptions {
  /** How many segments, 1 to 65,536. Default 8. */
  segments?: number;
  /** Bytes of each, 1 to 2^31 - 1. Default `"64KiB"`. */
  segmentBytes?: Size;
}

/** @internal */
export function segmentPoolPlan(member: Member, options: SegmentPoolOptions): ObjectPlan {
  const segments = options.segments === undefined ? 8 : wholeNumber(options.segments, "segments", 1, MAX_SEGMENTS);
  const bytes = sizeBytes(options.segmentBytes ?? "64KiB", "segmentBytes", 1, 2 ** 31 - 1);
  const shape = poolShape(segments, bytes);
  return {
    kind: "segment-pool",
    sizeBytes: shape.sizeBytes,
    // Not the segments, which may be GiBs: under the directory's lock nobody else could open anything for so long.
    zeroBytes: shape.headBytes,
    options: [segments, bytes],
    given: [options.segments !== undefined, options.segmentBytes !== undefined],
    optionNames: ["segments", "segmentBytes"],
    init: (page) => {
      words.write(member.segment.words, page * PAGE_WORDS + W.segments, segments);
      words.write(member.segment.words, page * PAGE_WORDS + W.segmentBytes, bytes);
    },
  };
}

/**
 * A named pool of segments: pieces of shared memory of one size, which members acquire and release, served in the order in
 * which they began to wait. A holder writes and reads its segment's bytes without copying or locking, and can hand it over
 * to another member by its id. What a dead member had is free at once, and whoever waits goes on.
 * @see [Segment pools](../../docs/guide/segment-pool.md)
 * @example
 * ```ts
 * import { open, type SegmentTicket } from "shmkit";
 *
 * const app = await open("api-segment-pool");
 * const pool = await app.segmentPool("pictures", { segments: 4, segmentBytes: "64KiB" });
 * const pictures = await app.pipe<SegmentTicket>("pictures to show");
 * const mine = await pool.acquire({ timeoutMs: 1000 });
 * mine.bytes[0] = 42;
 * await pictures.send(mine.handOver()); // if this process is killed before somebody takes it, the segment is free
 *
 * using theirs = pool.takeOver(await pictures.receive()); // in another process
 * console.log(theirs.bytes[0], pool.statistics().free); // 42 3
 * await app.close();
 * ```
 */
export class SegmentPool extends ServedInTurn {
  private readonly shape: PoolShape;
  /** For tickets: what no other pool of the region has had or will have, as the generation counts all that an entry was of. */
  private readonly number: number;
  /** By id, what this member has, handed over or not. */
  private readonly owned = new Map<number, PooledSegment>();
  /** The segment that is being acquired or given away: if that is cut off, nobody will ever have it. */
  private changing: PooledSegment | undefined;
  private readonly takingBackSince = timeIndex(takingBackTimes(this.base), this.member.slot);
  /** Where the search for a free one begins. */
  private rover = 0;

  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef) {
    const shape = readPoolShape(context.member, context.heap, ref.page, `${context.member.regionName}/${ref.name}`);
    super(context, ref, {
      sizeBytes: shape.headBytes,
      waiters: W.waiters,
      turns: W.turns,
      timesAt: acquiringTimes,
    });
    this.shape = shape;
    this.number = ref.entry * 2 ** 32 + (ref.generation >>> 0);
  }

  /** How many segments it has. */
  get segments(): number {
    return this.shape.segments;
  }
  /** Bytes of each segment. */
  get segmentBytes(): number {
    return this.shape.segmentBytes;
  }

  /**
   * Acquires a segment; resolves when one is free and all who came earlier have been served.
   * @throws ERR_TIMEOUT, the signal's reason, ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_CLOSED, ERR_REGION_LOST
   */
  async acquire(options?: WaitOptions): Promise<PooledSegment> {
    return this.context.waits.async(this.acquiring(this.queue), onlyWaitOptions(options, "acquire"));
  }
  /** {@link acquire}, blocking the thread. */
  acquireSync(options?: WaitOptions): PooledSegment {
    return this.context.waits.sync(this.acquiring(this.syncQueue), onlyWaitOptions(options, "acquireSync"));
  }
  /** A segment, or undefined when none is free, others wait, or another member is in the middle of an acquisition. Never waits. */
  tryAcquire(): PooledSegment | undefined {
    const acquired = this.context.waits.try(this.acquiring(this.queue));
    return acquired === BLOCKED ? undefined : acquired;
  }

  /**
   * Takes a segment that was handed over; never waits. For a ticket of this member's own: takes it back, if nobody has it yet.
   * @throws ERR_NOT_HELD when it is not there any more: somebody else has taken it, or whoever handed it over has died, left,
   * or taken it back, or the ticket is another pool's; ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_CLOSED, ERR_REGION_LOST
   */
  takeOver(ticket: SegmentTicket): PooledSegment {
    const { id, generation } = this.checkedTicket(ticket);
    this.check();
    const taken = this.tryTake(id, generation);
    if (taken === undefined) throw this.goneError(id, "was handed over and is not there any more");
    return taken;
  }

  /**
   * Waits until whoever takes over what this member has handed over hands it over again, and takes that. So two members use a
   * segment in turns.
   * @throws ERR_NOT_HELD when it will not come back: whoever had it has died, left or released it, or the ticket is another pool's; ERR_TIMEOUT, the signal's
   * reason, ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_UNKNOWN_OPTION, ERR_CLOSED, ERR_REGION_LOST
   */
  async takeBack(ticket: SegmentTicket, options?: WaitOptions): Promise<PooledSegment> {
    return this.context.waits.async(this.takingBack(ticket), onlyWaitOptions(options, "takeBack"));
  }
  /** {@link takeBack}, blocking the thread. */
  takeBackSync(ticket: SegmentTicket, options?: WaitOptions): PooledSegment {
    return this.context.waits.sync(this.takingBack(ticket), onlyWaitOptions(options, "takeBackSync"));
  }

  /**
   * Wants what was handed over no more: it is freed now if nobody has taken it, or else when it is handed over again. Never
   * waits. @throws ERR_NOT_HELD for a ticket of another pool; ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_CLOSED, ERR_REGION_LOST
   */
  abandon(ticket: SegmentTicket): void {
    const { id, generation } = this.checkedTicket(ticket);
    this.check();
    const taken = this.tryTake(id, generation);
    if (taken !== undefined) taken.release();
    else
      void this.context.waits
        .async({ ...this.takingBack(ticket), isBackground: true }, undefined)
        .then((back) => back.release())
        .catch(() => undefined);
  }

  /** How it is now; looks without locking. */
  statistics(): SegmentPoolStatistics {
    this.check();
    const statistics = segmentPoolStatistics(this.member, this.base, this.shape);
    this.member.segment.checkNotLost();
    return statistics;
  }

  private acquiring(queue: LocalQueue): Waitable<PooledSegment> {
    return this.waitable("a segment", queue, () => this.attemptAcquire(queue));
  }

  private attemptAcquire(queue: LocalQueue): PooledSegment | Blocked {
    let acquired: PooledSegment | undefined;
    const result = this.attempt(
      Op["segment-pool.acquire"],
      () => {
        const before = this.before();
        const id = before < 0 ? this.findFree() : -1;
        if (id < 0) return this.waitMyTurn(before);
        const free = words.load(this.words, this.wordOf(id));
        acquired = new PooledSegment(this, id, nextGeneration(segmentGeneration(free)));
        this.write(W.owners + id, packSegment(acquired.generation, this.member.me));
        this.write(W.acquired, this.read(W.acquired) + 1);
        this.served(queue);
        return acquired;
      },
      () => {
        this.obtain(acquired!);
        if (this.turns.first() >= 0 && this.findFree() >= 0) this.turns.ringFirst();
      },
    );
    this.changing = undefined;
    return result;
  }

  protected override noteHolders(): void {
    noteHolders(this.member, this.base, this.shape.segments);
  }

  /** Id of a free segment, -1 when there is none. */
  private findFree(): number {
    const { segments } = this.shape;
    for (let i = 0; i < segments; i++) {
      const id = (this.rover + i) % segments;
      if (segmentOwner(words.load(this.words, this.wordOf(id))) !== 0) continue;
      this.rover = id;
      return id;
    }
    return -1;
  }

  private wordOf(id: number): number {
    return this.base + W.owners + id;
  }

  private obtain(segment: PooledSegment): void {
    this.changing = segment;
    this.owned.set(segment.id, segment);
  }

  private tryTake(id: number, generation: number): PooledSegment | undefined {
    const { member } = this;
    const index = this.wordOf(id);
    let taken: PooledSegment | undefined;
    member.begin(Op["segment-pool.take-over"], this.entry);
    try {
      const word = words.load(this.words, index);
      if (isHandedOver(word) && segmentGeneration(word) === generation) {
        // Before the exchange: if that succeeds, the word was its sender's until then.
        const sender = this.sender(segmentOwner(word) - 1);
        const mine = new PooledSegment(this, id, nextGeneration(generation), sender);
        const next = packSegment(mine.generation, member.me);
        words.write(this.words, member.argument, packSegmentArgument(id, mine.generation));
        member.critical(0);
        // SYNC POINT: the segment changes hands, and what was written to it before; pairs with the store of handOver
        if (words.compareExchange(this.words, index, word, next) === word) taken = mine;
      }
      if (taken === undefined) member.withdrawn();
      else {
        member.committed();
        this.obtain(taken);
      }
      member.end();
    } catch (error) {
      return member.failed(error);
    }
    this.changing = undefined;
    return taken;
  }

  private sender(slot: number): Sender | undefined {
    const { geometry } = this.member;
    if (slot < 0 || slot >= geometry.maxMembers) return undefined;
    return {
      slot,
      generation: words.load(this.words, slotWord(geometry, slot) + SLOT.generation),
      departures: words.load(this.words, this.departuresOf(slot)),
    };
  }

  private departuresOf(slot: number): number {
    return this.base + W.departures + slot;
  }

  /** Whether whoever handed a segment over to this member will not take it back any more. */
  private isGone({ slot, generation, departures }: Sender): boolean {
    const base = slotWord(this.member.geometry, slot);
    return (
      words.load(this.words, base + SLOT.state) === SlotState.free ||
      words.load(this.words, base + SLOT.generation) !== generation ||
      words.load(this.words, this.departuresOf(slot)) !== departures
    );
  }

  private takingBack(ticket: SegmentTicket): Waitable<PooledSegment> {
    const { id, generation } = this.checkedTicket(ticket);
    const back = nextGeneration(generation);
    const sender = this.owned.get(id)?.sender;
    return {
      sinceAt: this.takingBackSince,
      what: `waiting for segment ${id} of ${this.address} to be handed back`,
      queue: new LocalQueue(),
      owner: this,
      attempt: () => {
        this.check();
        const word = words.load(this.words, this.wordOf(id));
        const isOut =
          segmentGeneration(word) === generation && isHandedOver(word) && segmentOwner(word) === this.member.me;
        const isBack = segmentGeneration(word) === back && segmentOwner(word) !== 0;
        if (isOut && sender !== undefined && this.isGone(sender)) this.tryTake(id, generation)?.release();
        else if (isBack && isHandedOver(word)) {
          const taken = this.tryTake(id, back);
          if (taken !== undefined) return taken;
        } else if (isOut || isBack) return this.member.waiting(this.base + W.partners);
        throw this.goneError(id, "will not be handed back");
      },
      remains: () => false,
    };
  }

  private checkedTicket(ticket: unknown): SegmentTicket {
    if (typeof ticket !== "object" || ticket === null)
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `ticket must be what handOver answers, not ${show(ticket)}`);
    const { pool, id, generation } = ticket as Partial<SegmentTicket>;
    if (wholeNumber(pool, "pool", 0, Number.MAX_SAFE_INTEGER) !== this.number)
      throw new ShmkitError(
        "ERR_NOT_HELD",
        `the ticket is not of ${this.address}, but of a pool of another name, or one that was removed`,
        { path: this.address },
      );
    return {
      pool: this.number,
      id: wholeNumber(id, "id", 0, this.shape.segments - 1),
      generation: wholeNumber(generation, "generation", 0, MAX_GENERATION),
    };
  }

  private goneError(id: number, what: string): ShmkitError {
    return new ShmkitError(
      "ERR_NOT_HELD",
      `segment ${id} of ${this.address} ${what}: whoever had it has died, left, released it or taken it back`,
      { path: this.address },
    );
  }

  /** @internal Whether the segment is this member's, and not handed over. */
  has(segment: PooledSegment): boolean {
    return segment.isHeld && this.isAttached;
  }

  /** @internal @throws ERR_NOT_HELD, ERR_CLOSED, ERR_REGION_LOST */
  checkHeld(segment: PooledSegment): void {
    this.checkAttached();
    if (!segment.isHeld)
      throw new ShmkitError(
        "ERR_NOT_HELD",
        `segment ${segment.id} of ${this.address} was released or handed over; acquire one`,
        { path: this.address },
      );
  }

  /** @internal */
  bytesOf(id: number): Uint8Array {
    const { headBytes, strideBytes, segmentBytes } = this.shape;
    const at = this.baseBytes + headBytes + id * strideBytes;
    return this.member.segment.bytes.subarray(at, at + segmentBytes);
  }

  /** @internal */
  giveBack(segment: PooledSegment): void {
    this.checkHeld(segment);
    this.giveAway(Op["segment-pool.release"], segment, packSegment(segment.generation, 0), () => {
      this.turns.ringFirst();
      this.ringSender(segment);
    });
    this.owned.delete(segment.id);
  }

  /** @internal */
  handOver(segment: PooledSegment): SegmentTicket {
    this.checkHeld(segment);
    this.check();
    this.giveAway(Op["segment-pool.hand-over"], segment, packSegment(segment.generation, this.member.me, true), () =>
      this.ringSender(segment),
    );
    return { pool: this.number, id: segment.id, generation: segment.generation };
  }

  /** Whoever handed it over may wait to have it back. */
  private ringSender({ sender }: PooledSegment): void {
    if (sender !== undefined && inSet(this.member.segment, this.base + W.partners, sender.slot))
      ringMember(this.member, sender.slot);
  }

  /** Stores another word for a segment that nobody else can change, since this member has it. */
  private giveAway(code: number, segment: PooledSegment, word: number, ring: () => void): void {
    const { member } = this;
    member.begin(code, this.entry);
    try {
      words.write(this.words, member.argument, packSegmentArgument(segment.id, segment.generation));
      member.critical(0);
      this.changing = segment;
      segment.isHeld = false;
      // SYNC POINT: free, or to be taken, with this store; pairs with findFree and tryTake of a waiter that is armed
      words.store(this.words, this.wordOf(segment.id), word);
      member.committed();
      ring();
      member.end();
    } catch (error) {
      member.failed(error);
    }
    this.changing = undefined;
  }

  /** @internal Nobody will ever have the segment of an operation that was cut off. */
  override forgetHeld(): void {
    const { changing } = this;
    if (changing !== undefined) {
      changing.isHeld = false;
      this.owned.delete(changing.id);
    }
    for (let id = 0; id < this.shape.segments; id++) {
      const word = words.load(this.words, this.wordOf(id));
      if (segmentOwner(word) !== this.member.me) continue;
      const known = this.owned.get(id);
      if (known === undefined || known.generation !== segmentGeneration(word))
        freeSegment(this.member, this.wordOf(id), word);
    }
    this.changing = undefined;
    this.turns.ringFirst();
  }

  protected override beforeDetach(): void {
    for (const segment of [...this.owned.values()]) {
      const mine = segment.isHeld ? segment : this.tryTake(segment.id, segment.generation);
      mine?.release();
    }
    // What others have taken over will not be taken back: a look at who has the pool open would miss who opens it again.
    // SYNC POINT: this member is gone with it; pairs with isGone of a partner that is armed
    words.add(this.words, this.departuresOf(this.member.slot), 1);
    ringAll(this.member, this.base + W.partners);
  }
}
