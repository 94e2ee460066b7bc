import { struct } from "./descriptor.js";

export const FLAG_BYTES = 128;
export const FLAG = struct(
  "flag",
  FLAG_BYTES,
  "A shared boolean. Changed under its lock by one store; read without. One wait_time for each slot of the region follows: waits for a change.",
  // prettier-ignore
  [
    [0, "lock", "u32[16]", "lock", "see lock", "atomic", "freed by recovery"],
    [64, "value", "u32", "0 or 1", "lock owner", "publish", "changed or not"],
    [96, "waiters", "u32[8]", "member set: wait for a change", "each member its own bit", "atomic", "cleared by recovery"],
  ],
);
