import { struct } from "./descriptor.js";

export const SEMAPHORE_BYTES = 3584;
export const SEMAPHORE = struct(
  "semaphore",
  SEMAPHORE_BYTES,
  "A counting semaphore. What is available is permits + the sum of posted - taken - the sum of held, as a signed 32-bit number.",
  // prettier-ignore
  [
    [0, "monitor", "u32[96]", "monitor", "see monitor", "atomic", "undone and freed by recovery"],
    [384, "permits", "u32", "permits at first, 0 to 2^31 - 1", "creator", "fixed", "same"],
    [388, "taken", "u32", "permits taken for good (wraps)", "lock owner, journalled", "plain", "same"],
    [392, "wanted", "u32", "how many permits the first to be served has looked for in vain", "lock owner, journalled", "plain", "same"],
    [396, "wantedTurn", "u32", "whose that is: its turn", "lock owner, journalled", "plain", "same"],
    [416, "waiters", "u32[8]", "member set: wait for permits", "each member its own bit", "atomic", "cleared by recovery"],
    [512, "held", "u32[256]", "by slot: permits that its member has leased", "the member: more under the lock, journalled, less without", "publish", "0: given back by recovery"],
    [1536, "posted", "u32[256]", "by slot: permits that its members have posted (wraps)", "the member", "publish", "same"],
    [2560, "turns", "u32[256]", "by slot: the turn that its member has drawn, 0 for none", "the member: drawn under the lock, journalled, put back without", "publish", "0: given back by recovery"],
  ],
);
