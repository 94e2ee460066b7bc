import { struct } from "./descriptor.js";

/** A party's place: slot + 1 of the member that has it, with this bit when that one died or left. 0: nobody had it yet. */
export const PLACE_LOST = 0x10000;

export const BARRIER_BYTES = 2560;
export const BARRIER = struct(
  "barrier",
  BARRIER_BYTES,
  "A barrier. It opens when each of its places is lost, or its party has arrived at this generation. One wait_time for each slot of the region follows.",
  // prettier-ignore
  [
    [0, "monitor", "u32[96]", "monitor", "see monitor", "atomic", "undone and freed by recovery"],
    [384, "parties", "u32", "places, 1–256", "creator", "fixed", "same"],
    [388, "generation", "u32", "how often it has opened (wraps)", "lock owner, journalled", "plain", "same"],
    [416, "waiters", "u32[8]", "member set: wait until it opens", "each member its own bit", "atomic", "cleared by recovery"],
    [448, "lost", "u32[8]", "slots whose places were lost when it opened last, a bit each", "lock owner, journalled", "plain", "same"],
    [512, "places", "u32[256]", "by place: slot + 1 of its party, 0 for none yet, + 65536 when that one is gone", "lock owner, journalled; recovery of the party", "publish", "marked as lost"],
    [1536, "arrived", "u32[256]", "by place: the generation that its party has arrived for, + 1 (wraps)", "lock owner, journalled", "plain", "same"],
  ],
);
