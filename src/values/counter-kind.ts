import * as words from "#words";
import type { ObjectKind, ObjectPlace } from "../heap/object-kind.js";
import { Phase } from "../layout/member-slot.js";
import { freeDead, freeOwn, isOwnedBy, lockWaiters } from "../locking/robust-lock.js";
import { COUNTER_WORD, counterStatistics, type CounterStatistics } from "./counter.js";

const lockOf = ({ base }: ObjectPlace): number => base + COUNTER_WORD.lock;

/** @internal */
export const counterKind: ObjectKind<{ value: bigint; counter: CounterStatistics }> = {
  tookEffect(place, slot, { phase }) {
    if (phase !== Phase.critical) return false;
    if (!isOwnedBy(place.member, lockOf(place), slot)) return true;
    const { longs } = place.member.segment;
    return (
      words.load64(longs, place.base / 2 + COUNTER_WORD.value) ===
      words.load64(longs, place.base / 2 + COUNTER_WORD.target)
    );
  },
  release: (place, slot) => freeDead(place.member, lockOf(place), slot),
  releaseOwn(place) {
    freeOwn(place.member, lockOf(place));
    return false;
  },
  sets: (place) => [lockWaiters(lockOf(place)), place.base + COUNTER_WORD.changeWaiters],
  facts({ member, base }) {
    const counter = counterStatistics(member, base);
    return { value: counter.value, counter };
  },
};
