import * as words from "#words";
import type { ObjectKind } from "../heap/object-kind.js";
import { Op, Phase } from "../layout/member-slot.js";
import { freeDead, freeOwn, lockWaiters } from "../locking/robust-lock.js";
import { EVENT_WORD, eventStatistics, type EventStatistics } from "./event.js";
import { guardedTookEffect } from "./guarded-word.js";
import { ownWordStored } from "./own-word.js";

/** @internal */
export const eventKind: ObjectKind<{ event: EventStatistics }> = {
  tookEffect(place, slot, { code, phase }) {
    if (code !== Op["event.set"]) return guardedTookEffect(place, slot, phase, EVENT_WORD.taken);
    return phase === Phase.critical && ownWordStored(place.member, slot, place.base + EVENT_WORD.posted + slot);
  },
  release({ member, base }, slot) {
    words.store(member.segment.words, base + EVENT_WORD.waits + slot, 0);
    freeDead(member, base, slot);
  },
  releaseOwn({ member, base }, operation) {
    freeOwn(member, base);
    return operation !== undefined;
  },
  sets: ({ base }) => [lockWaiters(base), base + EVENT_WORD.waiters],
  facts: ({ member, base }) => ({ event: eventStatistics(member, base) }),
};
