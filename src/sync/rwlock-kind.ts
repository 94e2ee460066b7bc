import * as words from "#words";
import type { ObjectKind } from "../heap/object-kind.js";
import { GATE_ENTERED } from "../layout/rwlock.js";
import { Op, Phase } from "../layout/member-slot.js";
import { isOwnedBy, lockWaiters, markAbandoned } from "../locking/robust-lock.js";
import {
  countWord,
  favourReaders,
  noteWhether,
  READER_WORD,
  RWLOCK_WORD,
  rwLockStatistics,
  type RwLockStatistics,
} from "./rwlock-words.js";

/** @internal */
export const rwlockKind: ObjectKind<{ rwlock: RwLockStatistics }> = {
  tookEffect({ member, base }, slot, { code, phase }) {
    const hasEntered = words.load(member.segment.words, base + RWLOCK_WORD.gate) === ((slot + 1) | GATE_ENTERED);
    // Whether somebody reads ends with it in any case; only who wrote leaves a trace.
    if (code === Op["rwlock.lock"]) return hasEntered;
    return phase === Phase.critical && !hasEntered;
  },
  release({ member, base }, slot) {
    const shared = member.segment.words;
    noteWhether(member, countWord(base, slot) + READER_WORD.possessions, false);
    words.store(shared, countWord(base, slot), 0);
    words.store(shared, base + RWLOCK_WORD.turns + slot, 0);
    if (!isOwnedBy(member, base, slot)) return;
    const gate = words.load(shared, base + RWLOCK_WORD.gate);
    if (gate === ((slot + 1) | GATE_ENTERED)) markAbandoned(member, base);
    if (gate !== 0) favourReaders(member, base);
    noteWhether(member, base + RWLOCK_WORD.grants, false);
    // SYNC POINT: readers may enter, and whoever takes the lock then finds the gate open; pairs with shutOut in rwlock.ts
    words.store(shared, base + RWLOCK_WORD.gate, 0);
    words.store(shared, base, 0);
  },
  // The handle knows what it holds; the words are made to agree.
  releaseOwn: () => true,
  sets: ({ base }) => [lockWaiters(base), base + RWLOCK_WORD.waiting, base + RWLOCK_WORD.favoured],
  facts: ({ member, base }) => ({ rwlock: rwLockStatistics(member, base) }),
};
