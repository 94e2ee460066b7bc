import { struct } from "./descriptor.js";

export const ONCE_RESULT_BYTES = 4000;
export const ONCE_BYTES = 4096;
export const ONCE = struct(
  "once",
  ONCE_BYTES,
  "Something to be done once. Whoever does it has the lock meanwhile. One wait_time for each slot of the region follows.",
  // prettier-ignore
  [
    [0, "lock", "u32[16]", "lock", "see lock", "atomic", "the next one does it, and is told"],
    [64, "outcome", "u32", "0 not done, else 1 + the length of the result", "lock owner, after the result", "publish", "done or not by this word alone"],
    [72, "runs", "u32", "counts the runs that began and those that ended: odd while one is under way of which startedAt tells (wraps)", "lock owner; recoverer", "publish", "even"],
    [80, "startedAt", "f64", "milliseconds since 1970 when the run began", "lock owner, before runs", "plain", "same"],
    [96, "result", "u8[4000]", "what it came to", "lock owner, before outcome", "plain", "valid if outcome says so"],
  ],
);
