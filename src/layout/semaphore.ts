import { struct } from "./descriptor.js";

export const SEMAPHORE_BYTES = 3584;
export const SEMAPHORE = struct(
  "semaphore",
  SEMAPHORE_BYTES,
  "A counting semaphore. What is available is permits + the sum of posted - taken - the sum of held, as a signed 32-bit number. One semaphore_member for each slot of the region follows.",
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

export const SEMAPHORE_MEMBER_BYTES = 24;
export const SEMAPHORE_MEMBER = struct(
  "semaphore_member",
  SEMAPHORE_MEMBER_BYTES,
  "What is noted for onlookers of a member: since when it waits, and a time since which it has had permits without a break, for which leases and foundLeases must be the same.",
  // prettier-ignore
  [
    [0, "since", "f64", "see wait_time", "the member, before it draws a turn", "plain", "meaningless"],
    [8, "foundAt", "f64", "milliseconds since 1970, behind a look that found it with permits", "monitor's lock owner, before foundLeases", "plain", "same"],
    [16, "leases", "u32", "how often it has taken permits while it had none (wraps)", "the member as the monitor's lock owner, before held", "plain", "may be one too many"],
    [20, "foundLeases", "u32", "leases when somebody who waits found it with permits, 0: nothing noted", "monitor's lock owner", "publish", "same"],
  ],
);
