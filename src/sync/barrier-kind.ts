import type { ObjectKind } from "../heap/object-kind.js";
import { BARRIER_BYTES } from "../layout/barrier.js";
import { lockWaiters } from "../locking/robust-lock.js";
import { BARRIER_WORD, barrierStatistics, losePlace, type BarrierStatistics } from "./barrier.js";
import { monitorTookEffect, releaseMonitor, releaseOwnMonitor } from "./monitor.js";

/** @internal */
export const barrierKind: ObjectKind<{ barrier: BarrierStatistics }> = {
  tookEffect: (place, slot, { phase }) => monitorTookEffect(place, slot, phase),
  release: (place, slot) => releaseMonitor(place, slot, BARRIER_BYTES, () => losePlace(place.member, place.base, slot)),
  releaseOwn(place, operation) {
    releaseOwnMonitor(place, BARRIER_BYTES);
    return operation !== undefined;
  },
  sets: ({ base }) => [lockWaiters(base), base + BARRIER_WORD.waiters],
  facts: ({ member, base }) => ({ barrier: barrierStatistics(member, base) }),
};
