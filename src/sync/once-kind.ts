import * as words from "#words";
import type { ObjectKind } from "../heap/object-kind.js";
import { Op, Phase } from "../layout/member-slot.js";
import { freeDead, freeOwn, isOwnedBy, lockWaiters } from "../locking/robust-lock.js";
import { noteRun, OUTCOME, onceStatistics, type OnceStatistics } from "./once.js";

/** @internal */
export const onceKind: ObjectKind<{ once: OnceStatistics }> = {
  tookEffect({ member, base }, slot, { code, phase }) {
    if (code === Op["once.begin"]) return isOwnedBy(member, base, slot);
    return phase === Phase.critical && words.load(member.segment.words, base + OUTCOME) !== 0;
  },
  release({ member, base }, slot) {
    if (isOwnedBy(member, base, slot)) noteRun(member, base, false);
    freeDead(member, base, slot);
  },
  // Done by this member on purpose, unless beginning or finishing it is what was interrupted.
  releaseOwn({ member, base }, operation) {
    if (operation === undefined) return false;
    if (isOwnedBy(member, base, member.slot)) noteRun(member, base, false);
    freeOwn(member, base);
    return true;
  },
  sets: ({ base }) => [lockWaiters(base)],
  facts: ({ member, base }) => ({ once: onceStatistics(member, base) }),
};
