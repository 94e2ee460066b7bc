import * as words from "#words";
import type { ObjectKind, ObjectPlace } from "../heap/object-kind.js";
import { RunState } from "../layout/heap.js";
import { LOCK_SEGMENTS, requestOwner, requestState, RequestState } from "../layout/lock-manager.js";
import { Op, Phase } from "../layout/member-slot.js";
import { freeDead, freeOwn, lockWaiters } from "../locking/robust-lock.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { LockRequests, MANAGER_WORD, type LocksStatistics } from "./lock-requests.js";
import { RequestStep } from "./lock-table.js";

const requestsOf = ({ member, heap, base }: ObjectPlace): LockRequests => new LockRequests(member, heap, base);

/** The request that the operation of a slot's member concerned: its state word, or undefined when there is none. */
function argumentOf({ member, heap }: ObjectPlace, slot: number): number | undefined {
  const shared = member.segment.words;
  const at = words.load(shared, slotWord(member.geometry, slot) + SLOT.argument) >>> 0;
  // Of a damaged region it may say anything.
  return at < heap.endWord ? words.load(shared, at) : undefined;
}

/** @internal */
export const lockTableKind: ObjectKind<{ locks: LocksStatistics }> = {
  tookEffect(place, slot, { code, phase, nibble }) {
    if (phase !== Phase.critical) return false;
    const word = argumentOf(place, slot) ?? 0;
    const isThere = requestState(word) !== RequestState.free && requestOwner(word) === slot + 1;
    if (code === Op["locks.release"]) return !isThere;
    return isThere && (nibble === RequestStep.enter || requestState(word) !== RequestState.waiting);
  },
  release(place, slot) {
    requestsOf(place).releaseAll(slot);
    freeDead(place.member, place.base, slot);
  },
  releaseOwn(place, operation) {
    const requests = requestsOf(place);
    requests.visitAll((at, word) => {
      if (requestOwner(word) === place.member.me) requests.finishTheft(at, word);
    });
    freeOwn(place.member, place.base);
    return operation !== undefined;
  },
  sets: ({ base }) => [lockWaiters(base), base + MANAGER_WORD.waiters],
  holds: ({ member, base }, page) => {
    for (let k = 0; k < LOCK_SEGMENTS; k++)
      if (words.load(member.segment.words, base + MANAGER_WORD.segments + k) >>> 0 === page) return true;
    return false;
  },
  empty({ member, heap, base }) {
    const shared = member.segment.words;
    for (let k = 0; k < LOCK_SEGMENTS; k++) {
      const page = words.load(shared, base + MANAGER_WORD.segments + k) >>> 0;
      if (page !== 0)
        heap.freeIfSame(page, words.read(shared, base + MANAGER_WORD.segmentGenerations + k), RunState.kept);
    }
  },
  facts: (place) => ({ locks: requestsOf(place).look() }),
};
