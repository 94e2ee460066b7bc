import type { ObjectKind } from "../heap/object-kind.js";
import { Op, Phase } from "../layout/member-slot.js";
import { LATCH_WORD, latchStatistics, loseOwed, type LatchStatistics } from "./latch.js";
import { ownWordStored } from "./own-word.js";

/** @internal */
export const latchKind: ObjectKind<{ latch: LatchStatistics }> = {
  tookEffect({ member, base }, slot, { code, phase }) {
    const word = code === Op["latch.enrol"] ? LATCH_WORD.promised : LATCH_WORD.down;
    return phase === Phase.critical && ownWordStored(member, slot, base + word + slot);
  },
  release: ({ member, base }, slot) => loseOwed(member, base, slot),
  releaseOwn: () => false,
  sets: ({ base }) => [base + LATCH_WORD.waiters],
  facts: ({ member, base }) => ({ latch: latchStatistics(member, base) }),
};
