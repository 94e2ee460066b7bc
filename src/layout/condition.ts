import { struct } from "./descriptor.js";

/** A member's word: how many of its waits are under way, and how many of those have been woken. */
export const CONDITION_WAIT = 0x10000;
export const CONDITION_WAKE = 1;
export const MAX_CONDITION_WAITS = 0xffff;
export const packConditionWaits = (waits: number, wakes: number): number => (waits << 16) | wakes;
export const conditionWaits = (word: number): number => word >>> 16;
export const conditionWakes = (word: number): number => word & 0xffff;

/** What a member is about to wake. */
export const Notify = { none: 0, one: 1, all: 2 } as const;

export const CONDITION_BYTES = 2176;
export const CONDITION = struct(
  "condition",
  CONDITION_BYTES,
  "A condition variable. It has no lock: who waits counts itself before it releases the mutex, and a wake-up is given to a member that waits by one compare-exchange of its word. One wait_time for each slot of the region follows.",
  // prettier-ignore
  [
    [0, "waiters", "u32[8]", "member set: wait to be woken", "each member its own bit", "atomic", "cleared by recovery"],
    [64, "cursor", "u32", "slot at which the next search for somebody to wake begins; a hint", "whoever wakes", "plain", "same"],
    [128, "waits", "u32[256]", "by slot: waits under way << 16 | those of them that have been woken", "the member: waits, and takes what woke them; whoever wakes: one more woken", "atomic", "0, after as many others have been woken instead"],
    [1152, "notifying", "u32[256]", "by slot: what its member is about to wake: 0 nobody, 1 one, 2 all", "the member", "publish", "done by recovery, then 0: somebody may be woken twice, nobody not at all"],
  ],
);
