import * as words from "#words";
import type { ObjectKind, ObjectPlace } from "../heap/object-kind.js";
import { Op, Phase } from "../layout/member-slot.js";
import {
  argumentGeneration,
  argumentSegment,
  isHandedOver,
  SEGMENT_POOL_BYTES,
  segmentGeneration,
  segmentOwner,
} from "../layout/segment-pool.js";
import { lockWaiters } from "../locking/robust-lock.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { monitorTookEffect, releaseMonitor, releaseOwnMonitor } from "../sync/monitor.js";
import {
  findPoolShape,
  freeSegment,
  readPoolShape,
  SEGMENT_POOL_WORD,
  segmentPoolStatistics,
  type PoolShape,
  type SegmentPoolStatistics,
} from "./segment-pool-words.js";

const shapeOf = ({ member, heap, page }: ObjectPlace): PoolShape | undefined => findPoolShape(member, heap, page);
/** Without a shape, what is damaged cannot be undone. */
const guardedBytes = (place: ObjectPlace): number => shapeOf(place)?.headBytes ?? SEGMENT_POOL_BYTES;

/** Whether the member has the segment that its operation is about, as its argument says, and has not handed it over. */
function hasIts(place: ObjectPlace, slot: number): boolean {
  const { segment, geometry } = place.member;
  const argument = words.load(segment.words, slotWord(geometry, slot) + SLOT.argument);
  const id = argumentSegment(argument);
  if (id >= (shapeOf(place)?.segments ?? 0)) return false;
  const word = words.load(segment.words, place.base + SEGMENT_POOL_WORD.owners + id);
  return (
    segmentOwner(word) === slot + 1 &&
    !isHandedOver(word) &&
    argumentGeneration(argument) === (segmentGeneration(word) & 0xffff)
  );
}

function freeSegmentsOf(place: ObjectPlace, slot: number): void {
  const shared = place.member.segment.words;
  const first = place.base + SEGMENT_POOL_WORD.owners;
  for (let id = 0; id < (shapeOf(place)?.segments ?? 0); id++) {
    const word = words.load(shared, first + id);
    if (segmentOwner(word) === slot + 1 && freeSegment(place.member, first + id, word))
      words.add(shared, place.base + SEGMENT_POOL_WORD.recovered, 1);
  }
}

/** @internal */
export const segmentPoolKind: ObjectKind<{ segmentPool: SegmentPoolStatistics }> = {
  tookEffect(place, slot, { code, phase }) {
    if (code === Op["segment-pool.acquire"]) return monitorTookEffect(place, slot, phase);
    if (phase !== Phase.critical) return false;
    return hasIts(place, slot) === (code === Op["segment-pool.take-over"]);
  },
  release: (place, slot) =>
    releaseMonitor(place, slot, guardedBytes(place), () => {
      freeSegmentsOf(place, slot);
      words.store(place.member.segment.words, place.base + SEGMENT_POOL_WORD.turns + slot, 0);
    }),
  releaseOwn(place, operation) {
    releaseOwnMonitor(place, guardedBytes(place));
    return operation !== undefined;
  },
  sets: ({ base }) => [lockWaiters(base), base + SEGMENT_POOL_WORD.waiters, base + SEGMENT_POOL_WORD.partners],
  facts: ({ member, heap, page, base, address }) => ({
    segmentPool: segmentPoolStatistics(member, base, readPoolShape(member, heap, page, address)),
  }),
};
