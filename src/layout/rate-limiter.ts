import { struct } from "./descriptor.js";

export const RATE_LIMITER_BYTES = 1536;
export const RATE_LIMITER = struct(
  "rate_limiter",
  RATE_LIMITER_BYTES,
  "A token bucket, as a virtual schedule (GCRA): `fullAt` says when it would be full. Each token taken moves that by intervalMs / tokens, and it may not lie further ahead than burst of them. One wait_time for each slot of the region follows.",
  // prettier-ignore
  [
    [0, "monitor", "u32[96]", "monitor", "see monitor", "atomic", "undone and freed by recovery"],
    [384, "fullAt", "f64", "milliseconds of CLOCK_MONOTONIC; further ahead than the bucket is large counts as just empty", "lock owner, journalled by halves", "plain", "same"],
    [392, "tokens", "u32", "tokens that come in intervalMs, 1 to 2^31 - 1", "creator", "fixed", "same"],
    [396, "intervalMs", "u32", "1 to 2^31 - 1", "creator", "fixed", "same"],
    [400, "burst", "u32", "tokens that fit, 1 to 2^31 - 1", "creator", "fixed", "same"],
    [404, "taken", "u32", "tokens taken (wraps)", "lock owner, journalled", "plain", "same"],
    [416, "waiters", "u32[8]", "member set: wait for tokens", "each member its own bit", "atomic", "cleared by recovery"],
    [512, "turns", "u32[256]", "by slot: the turn that its member has drawn, 0 for none", "the member: drawn under the lock, journalled, put back without", "publish", "0: given back by recovery"],
  ],
);
