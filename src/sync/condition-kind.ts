import * as words from "#words";
import type { ObjectKind } from "../heap/object-kind.js";
import { Op, Phase } from "../layout/member-slot.js";
import { Notify } from "../layout/condition.js";
import { isOwnedBy } from "../locking/robust-lock.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { conditionStatistics, type ConditionStatistics } from "./condition.js";
import { CONDITION_WORD, WakeUps } from "./wake-ups.js";

/** @internal */
export const conditionKind: ObjectKind<{ condition: ConditionStatistics }> = {
  tookEffect({ member, base }, slot, { code, phase }) {
    if (phase !== Phase.critical) return false;
    const shared = member.segment.words;
    if (code === Op["condition.notify"])
      return words.load(shared, base + CONDITION_WORD.notifying + slot) !== Notify.none;
    const lock = words.load(shared, slotWord(member.geometry, slot) + SLOT.argument) >>> 0;
    return lock < shared.length && !isOwnedBy(member, lock, slot);
  },
  release({ member, base }, slot) {
    const wakeUps = new WakeUps(member, base);
    wakeUps.finish(slot, slot);
    wakeUps.settle(slot, 0);
  },
  releaseOwn({ member, base }, operation) {
    new WakeUps(member, base).finish(member.slot);
    return operation !== undefined;
  },
  sets: ({ base }) => [base + CONDITION_WORD.waiters],
  facts: ({ member, base }) => ({ condition: conditionStatistics(member, base) }),
};
