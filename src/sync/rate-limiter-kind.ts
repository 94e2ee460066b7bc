import * as words from "#words";
import type { ObjectKind } from "../heap/object-kind.js";
import { RATE_LIMITER_BYTES } from "../layout/rate-limiter.js";
import { lockWaiters } from "../locking/robust-lock.js";
import { monitorTookEffect, releaseMonitor, releaseOwnMonitor } from "./monitor.js";
import { RATE_LIMITER_WORD, rateLimiterStatistics, type RateLimiterStatistics } from "./rate-limiter.js";

/** @internal */
export const rateLimiterKind: ObjectKind<{ rateLimiter: RateLimiterStatistics }> = {
  tookEffect: (place, slot, { phase }) => monitorTookEffect(place, slot, phase),
  release: (place, slot) =>
    releaseMonitor(place, slot, RATE_LIMITER_BYTES, () =>
      words.store(place.member.segment.words, place.base + RATE_LIMITER_WORD.turns + slot, 0),
    ),
  releaseOwn(place) {
    releaseOwnMonitor(place, RATE_LIMITER_BYTES);
    return false;
  },
  sets: ({ base }) => [lockWaiters(base), base + RATE_LIMITER_WORD.waiters],
  facts: ({ member, base }) => ({ rateLimiter: rateLimiterStatistics(member, base) }),
};
