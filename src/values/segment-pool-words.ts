import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { PAGE_WORDS, type PageHeap } from "../heap/page-heap.js";
import { MONITOR } from "../layout/monitor.js";
import { MEMBER_LIMIT, PAGE_BYTES } from "../layout/region-header.js";
import {
  isHandedOver,
  MAX_SEGMENTS,
  packSegment,
  SEGMENT_ALIGNMENT,
  SEGMENT_POOL,
  SEGMENT_POOL_BYTES,
  segmentGeneration,
  segmentOwner,
} from "../layout/segment-pool.js";
import type { Member } from "../members/member.js";
import { timeAt, timeIndex, waitersIn, waitersOf, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { Turns } from "../sync/turns.js";

const { at } = SEGMENT_POOL;
/** @internal Word offsets inside a segment pool. */
export const SEGMENT_POOL_WORD = {
  segments: at.segments >> 2,
  segmentBytes: at.segmentBytes >> 2,
  acquired: at.acquired >> 2,
  recovered: at.recovered >> 2,
  waiters: at.waiters >> 2,
  partners: at.partners >> 2,
  turns: at.turns >> 2,
  departures: at.departures >> 2,
  foundWord: at.foundWord >> 2,
  foundSegment: at.foundSegment >> 2,
  owners: SEGMENT_POOL_BYTES >> 2,
} as const;
const W = SEGMENT_POOL_WORD;

const timesFrom = (base: number, field: number): TimesBySlot => ({ first: (4 * base + field) / 8, stride: 1 });
/** @internal Since when members wait for a segment of the pool at a word index. */
export const acquiringTimes = (base: number): TimesBySlot => timesFrom(base, at.waitingSince);
/** @internal Since when members wait for a segment to be handed back. */
export const takingBackTimes = (base: number): TimesBySlot => timesFrom(base, at.partnerSince);
const foundTimes = (base: number): TimesBySlot => timesFrom(base, at.foundAt);

const aligned = (bytes: number): number => Math.ceil(bytes / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT;

/** @internal Where the parts of a pool are. */
export interface PoolShape {
  readonly segments: number;
  readonly segmentBytes: number;
  /** Bytes before the segments: the pool's words and one per segment. */
  readonly headBytes: number;
  /** Bytes from one segment to the next. */
  readonly strideBytes: number;
  /** Bytes of all of it. */
  readonly sizeBytes: number;
}

/** @internal */
export function poolShape(segments: number, segmentBytes: number): PoolShape {
  const headBytes = aligned(SEGMENT_POOL_BYTES + 4 * segments);
  const strideBytes = aligned(segmentBytes);
  return { segments, segmentBytes, headBytes, strideBytes, sizeBytes: headBytes + segments * strideBytes };
}

/** @internal The shape of the pool at a page, so that no later access can leave its block; undefined when it is impossible. */
export function findPoolShape({ segment }: Member, heap: PageHeap, page: number): PoolShape | undefined {
  const base = page * PAGE_WORDS;
  const [segments, segmentBytes] = [W.segments, W.segmentBytes].map(
    (word) => words.read(segment.words, base + word) >>> 0,
  );
  const shape = poolShape(segments, segmentBytes);
  const isPossible =
    segments > 0 && segments <= MAX_SEGMENTS && segmentBytes > 0 && shape.sizeBytes <= heap.pagesOf(page) * PAGE_BYTES;
  return isPossible ? shape : undefined;
}

/** @internal The same. @throws ERR_CORRUPT */
export function readPoolShape(member: Member, heap: PageHeap, page: number, address: string): PoolShape {
  const shape = findPoolShape(member, heap, page);
  if (shape !== undefined) return shape;
  throw new ShmkitError("ERR_CORRUPT", `the segment pool ${address} has impossible dimensions; remove it`, {
    path: address,
  });
}

/**
 * @internal Frees a segment if it still is as its owner's word says. Whoever takes it over at the same moment does so by a
 * compare-exchange of the same word: one of the two happens.
 */
export function freeSegment(member: Member, index: number, word: number): boolean {
  // SYNC POINT: the segment is free with this; pairs with the look of a waiter that is armed, and with the exchange of a taker
  return words.compareExchange(member.segment.words, index, word, packSegment(segmentGeneration(word), 0)) === word;
}

/** An owner word, as if the segment was not handed over. */
const asOwned = (word: number): number => packSegment(segmentGeneration(word), segmentOwner(word));

/**
 * @internal A member waits: notes for onlookers of each member with segments one of them, and when it was found with it; the
 * one noted before, as long as that is still so. The lock is held.
 */
export function noteHolders({ segment }: Member, base: number, segments: number): void {
  const { words: shared, floats } = segment;
  const wordOf = (id: number): number => asOwned(words.load(shared, base + W.owners + id));
  const noted = new Set<number>();
  for (let id = 0; id < segments; id++) {
    const word = wordOf(id);
    const slot = segmentOwner(word) - 1;
    if (slot < 0 || slot >= MEMBER_LIMIT || noted.has(slot)) continue;
    noted.add(slot);
    const found = words.read(shared, base + W.foundSegment + slot) - 1;
    if (found >= 0 && found < segments && wordOf(found) === words.read(shared, base + W.foundWord + slot)) continue;
    // SYNC POINT: nothing is noted while it is written; pairs with heldSince
    words.store(shared, base + W.foundSegment + slot, 0);
    words.store(shared, base + W.foundWord + slot, word);
    words.writeFloat(floats, timeIndex(foundTimes(base), slot), Date.now());
    words.storeRelease(shared, base + W.foundSegment + slot, id + 1);
  }
}

/** A time since which the member of a slot has had segments; undefined when nobody has noted one. */
function heldSince({ segment }: Member, base: number, segments: number, slot: number): Date | undefined {
  if (slot >= MEMBER_LIMIT) return undefined;
  const shared = segment.words;
  const found = words.load(shared, base + W.foundSegment + slot);
  if (found <= 0 || found > segments) return undefined;
  const word = words.load(shared, base + W.foundWord + slot);
  const since = timeAt(segment, timeIndex(foundTimes(base), slot));
  // SYNC POINT: word and time were read before; pairs with noteHolders
  if (words.loadBehind(shared, base + W.foundSegment + slot) !== found) return undefined;
  return asOwned(words.load(shared, base + W.owners + found - 1)) === word ? since : undefined;
}

/** How a segment pool is now. */
export interface SegmentPoolStatistics {
  /** How many segments it has. */
  readonly segments: number;
  /** Bytes of each. */
  readonly segmentBytes: number;
  /** How many nobody has. */
  readonly free: number;
  /** Who has which, by slot; those that were handed over and not taken yet are still their sender's. */
  readonly held: readonly {
    /** Slot of the member. */
    readonly slot: number;
    /** Ids of its segments. */
    readonly segments: readonly number[];
    /** A time since which it has had segments without a break: when somebody waited for one first. Absent while nobody has. */
    readonly since?: Date;
  }[];
  /** Ids of the segments that were handed over and that nobody has taken yet. */
  readonly handedOver: readonly number[];
  /** The members that wait for a segment, the one whose turn it is first. */
  readonly waiting: readonly Waiter[];
  /** The members that wait for a segment to be handed back. */
  readonly takingBack: readonly Waiter[];
  /** How many have been acquired (wraps at 2^32). */
  readonly acquired: number;
  /** How many of them came back since their holder died (wraps at 2^32). */
  readonly recovered: number;
  /** How often a member had to wait its turn (wraps at 2^32). */
  readonly contended: number;
}

/** @internal How the pool at a word index is. */
export function segmentPoolStatistics(
  member: Member,
  base: number,
  { segments, segmentBytes }: PoolShape,
): SegmentPoolStatistics {
  const shared = member.segment.words;
  const bySlot = new Map<number, number[]>();
  const handedOver = [];
  let free = 0;
  for (let id = 0; id < segments; id++) {
    const word = words.load(shared, base + W.owners + id);
    const owner = segmentOwner(word);
    if (owner === 0) free++;
    else {
      if (isHandedOver(word)) handedOver.push(id);
      const ids = bySlot.get(owner - 1);
      if (ids === undefined) bySlot.set(owner - 1, [id]);
      else ids.push(id);
    }
  }
  return {
    segments,
    segmentBytes,
    free,
    held: [...bySlot]
      .sort(([a], [b]) => a - b)
      .map(([slot, ids]) => {
        const since = heldSince(member, base, segments, slot);
        return { slot, segments: ids, ...(since === undefined ? {} : { since }) };
      }),
    handedOver,
    waiting: waitersOf(member, new Turns(member, base, base + W.turns).inOrder(), acquiringTimes(base)),
    takingBack: waitersIn(member, base + W.partners, takingBackTimes(base)),
    acquired: words.read(shared, base + W.acquired) >>> 0,
    recovered: words.load(shared, base + W.recovered) >>> 0,
    contended: words.read(shared, base + (MONITOR.at.lastTurn >> 2)) >>> 0,
  };
}
