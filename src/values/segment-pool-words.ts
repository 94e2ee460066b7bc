import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { PAGE_WORDS, type PageHeap } from "../heap/page-heap.js";
import { MONITOR } from "../layout/monitor.js";
import { PAGE_BYTES } from "../layout/region-header.js";
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
  owners: SEGMENT_POOL_BYTES >> 2,
} as const;
const W = SEGMENT_POOL_WORD;

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
  }[];
  /** Ids of the segments that were handed over and that nobody has taken yet. */
  readonly handedOver: readonly number[];
  /** Slots of the members that wait for a segment, the one whose turn it is first. */
  readonly waiting: readonly number[];
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
    held: [...bySlot].sort(([a], [b]) => a - b).map(([slot, ids]) => ({ slot, segments: ids })),
    handedOver,
    waiting: new Turns(member, base, base + W.turns).inOrder(),
    acquired: words.read(shared, base + W.acquired) >>> 0,
    recovered: words.load(shared, base + W.recovered) >>> 0,
    contended: words.read(shared, base + (MONITOR.at.lastTurn >> 2)) >>> 0,
  };
}
