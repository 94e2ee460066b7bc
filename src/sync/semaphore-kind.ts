import * as words from "#words";
import type { ObjectKind } from "../heap/object-kind.js";
import { Op, Phase } from "../layout/member-slot.js";
import { SEMAPHORE_BYTES } from "../layout/semaphore.js";
import { lockWaiters } from "../locking/robust-lock.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { monitorTookEffect, releaseMonitor, releaseOwnMonitor } from "./monitor.js";
import { SEMAPHORE_WORD, semaphoreStatistics, type SemaphoreStatistics } from "./semaphore-words.js";

/** @internal */
export const semaphoreKind: ObjectKind<{ semaphore: SemaphoreStatistics }> = {
  tookEffect(place, slot, { code, phase }) {
    if (code === Op["semaphore.acquire"] || code === Op["semaphore.wait"]) return monitorTookEffect(place, slot, phase);
    if (phase !== Phase.critical) return false;
    const { segment, geometry } = place.member;
    const word = code === Op["semaphore.post"] ? SEMAPHORE_WORD.posted : SEMAPHORE_WORD.held;
    const target = words.load(segment.words, slotWord(geometry, slot) + SLOT.argument);
    return words.load(segment.words, place.base + word + slot) === target;
  },
  release: (place, slot) =>
    releaseMonitor(place, slot, SEMAPHORE_BYTES, () => {
      for (const word of [SEMAPHORE_WORD.held, SEMAPHORE_WORD.turns])
        words.store(place.member.segment.words, place.base + word + slot, 0);
    }),
  releaseOwn(place, operation) {
    releaseOwnMonitor(place, SEMAPHORE_BYTES);
    return operation !== undefined;
  },
  sets: ({ base }) => [lockWaiters(base), base + SEMAPHORE_WORD.waiters],
  facts: ({ member, base }) => ({ semaphore: semaphoreStatistics(member, base) }),
};
