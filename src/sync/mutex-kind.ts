import * as words from "#words";
import type { ObjectKind, ObjectPlace } from "../heap/object-kind.js";
import { Op } from "../layout/member-slot.js";
import { commit, journalIsEmpty, undo } from "../locking/journal.js";
import { freeDead, isOwnedBy, lockWaiters } from "../locking/robust-lock.js";
import { mutexJournal } from "./mutex.js";
import { mutexStatistics, type MutexStatistics } from "./mutex-statistics.js";

/** @internal */
export interface MutexFacts {
  ownerSlot?: number;
  takeovers: number;
  waiting: number;
  mutex: MutexStatistics;
}

const journalOf = ({ member, base }: ObjectPlace) => mutexJournal(member.segment, base);

/** @internal */
export const mutexKind: ObjectKind<MutexFacts> = {
  tookEffect(place, slot, { code }) {
    const owned = isOwnedBy(place.member, place.base, slot);
    return code === Op["mutex.lock"] ? owned : !owned || journalIsEmpty(journalOf(place));
  },
  release(place, slot) {
    if (!isOwnedBy(place.member, place.base, slot)) return;
    undo(journalOf(place));
    freeDead(place.member, place.base, slot);
  },
  // Held by this member on purpose, unless taking or releasing it is what was interrupted.
  releaseOwn(place, operation) {
    if (operation === undefined || !isOwnedBy(place.member, place.base, place.member.slot)) return false;
    commit(journalOf(place));
    words.store(place.member.segment.words, place.base, 0);
    return true;
  },
  sets: ({ base }) => [lockWaiters(base)],
  facts({ member, base }) {
    const mutex = mutexStatistics(member, base);
    return {
      ...(mutex.ownerSlot === undefined ? {} : { ownerSlot: mutex.ownerSlot }),
      takeovers: mutex.takeovers,
      waiting: mutex.waiting.length,
      mutex,
    };
  },
};
