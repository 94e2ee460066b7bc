import { struct } from "./descriptor.js";

export const EVENT_BYTES = 2176;
export const EVENT = struct(
  "event",
  EVENT_BYTES,
  "An event. It is set if initial + the sum of posted - taken, as a signed 32-bit number, is more than 0. One wait_time for each slot of the region follows.",
  // prettier-ignore
  [
    [0, "lock", "u32[16]", "lock", "see lock", "atomic", "freed by recovery"],
    [64, "initial", "u32", "1: set at first", "creator", "fixed", "same"],
    [68, "manualReset", "u32", "1: stays set until it is reset, 0: until it has let one wait go on", "creator", "fixed", "same"],
    [72, "taken", "u32", "settings that a reset or a wait has used up (wraps)", "lock owner", "publish", "changed or not"],
    [96, "waiters", "u32[8]", "member set: wait until it is set", "each member its own bit", "atomic", "cleared by recovery"],
    [128, "posted", "u32[256]", "by slot: how often its members have set it (wraps)", "the member", "publish", "same"],
    [1152, "waits", "u32[256]", "by slot: how many of its member's waits are pending", "the member", "publish", "0"],
  ],
);
