import { struct } from "./descriptor.js";

export const LATCH_BYTES = 3200;
export const LATCH = struct(
  "latch",
  LATCH_BYTES,
  "A latch. It opens when the sum of down and lost has reached count. It has no lock: each word has one writer. One wait_time for each slot of the region follows.",
  // prettier-ignore
  [
    [0, "count", "u32", "count-downs that open it, 0 to 2^31 - 1", "creator", "fixed", "same"],
    [32, "waiters", "u32[8]", "member set: wait until it opens", "each member its own bit", "atomic", "cleared by recovery"],
    [128, "down", "u32[256]", "by slot: how far its members have counted down", "the member", "publish", "same"],
    [1152, "promised", "u32[256]", "by slot: down + lost when its member enrolled, and what it promised then", "the member; recovery", "publish", "down + lost"],
    [2176, "lost", "u32[256]", "by slot: what its members had promised and was still missing when they died or left", "recovery", "publish", "more by what was promised, as far as it was missing"],
  ],
);
