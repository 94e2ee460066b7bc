import type { ObjectKind } from "../heap/object-kind.js";
import { freeDead, freeOwn, lockWaiters } from "../locking/robust-lock.js";
import { FLAG_WORD, flagStatistics, type FlagStatistics } from "./flag.js";
import { guardedTookEffect } from "./guarded-word.js";

/** @internal */
export const flagKind: ObjectKind<{ flag: FlagStatistics }> = {
  tookEffect: (place, slot, { phase }) => guardedTookEffect(place, slot, phase, FLAG_WORD.value),
  release: ({ member, base }, slot) => freeDead(member, base, slot),
  releaseOwn({ member, base }) {
    freeOwn(member, base);
    return false;
  },
  sets: ({ base }) => [lockWaiters(base), base + FLAG_WORD.waiters],
  facts: ({ member, base }) => ({ flag: flagStatistics(member, base) }),
};
