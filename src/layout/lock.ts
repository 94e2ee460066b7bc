import { struct } from "./descriptor.js";

export const LOCK_BYTES = 64;

export const LOCK = struct(
  "lock",
  LOCK_BYTES,
  "A robust lock. Taken by compare-exchange of owner from 0, released by storing 0. Whoever is found to be its owner and dead is recovered by a member that holds the dead slot's liveness byte; that recovery undoes what was begun and then frees the lock.",
  // prettier-ignore
  [
    [0, "owner", "u32", "slot + 1 of the owner, 0 when free", "the owner; a recoverer", "publish", "names the dead owner until its work has been undone"],
    [4, "abandoned", "u32", "1: an owner died holding it and the next one has not been told", "recoverer; next owner", "plain", "ordered by owner"],
    [8, "takeovers", "u32", "owners that died holding it (wraps)", "recoverer", "plain", "statistic"],
    [32, "waiters", "u32[8]", "member set: wait for the lock", "each member its own bit", "atomic", "cleared by recovery"],
  ],
);

export const MUTEX_WORDS = 64;
export const MUTEX_BYTES = 1024;
export const MUTEX = struct(
  "mutex",
  MUTEX_BYTES,
  "A named robust mutex with up to 64 words that it guards and an undo journal for them. The journal of a lock lives beside the lock: only its owner writes it. One mutex_waiter for each slot of the region follows.",
  // prettier-ignore
  [
    [0, "lock", "u32[16]", "lock", "see lock", "atomic", "the next owner is told once"],
    [64, "journalEntries", "u32", "entries to undo, 0–64; 0 commits", "owner; recoverer", "publish", "undone backwards before the lock is freed"],
    [68, "wordCount", "u32", "guarded words, 0–64", "creator", "fixed", "same"],
    [72, "acquisitions", "u32", "times it was taken (wraps)", "owner, after taking it", "plain", "may lack the last one"],
    [76, "contended", "u32", "those of them that had to wait (wraps)", "owner, after taking it", "plain", "statistic"],
    [80, "favoured", "u32", "slot + 1 of a member that has waited for long, to which the others leave the mutex while it is in waiters, 0 for none", "the owner; whoever has left it long enough, to 0", "atomic", "a hint"],
    [128, "words", "u32[64]", "the guarded words", "owner, each change journalled first", "plain", "as the last commit left them, once recovered"],
    [384, "journal", "u32[128]", "pairs of word index and old value", "owner", "plain", "valid up to journalEntries"],
  ],
);

export const MUTEX_WAITER_BYTES = 24;
export const MUTEX_WAITER = struct(
  "mutex_waiter",
  MUTEX_WAITER_BYTES,
  "What a member notes for onlookers when it waits for the mutex. The owner has had it since the earliest foundTakenAt of all slots whose foundTaken are its acquisitions.",
  // prettier-ignore
  [
    [0, "since", "f64", "see wait_time", "the member, before it enters waiters", "plain", "meaningless"],
    [8, "foundTakenAt", "f64", "milliseconds since 1970, behind a look at acquisitions that found them as foundTaken", "the member, before foundTaken", "plain", "same"],
    [16, "foundTaken", "u32", "acquisitions when it found the mutex taken, 0: nothing noted", "the member", "publish", "same"],
  ],
);

export const COUNTER_BYTES = 192;
export const COUNTER = struct(
  "counter",
  COUNTER_BYTES,
  "A named signed 64-bit integer. Changed under its lock by one 64-bit store; read without. One wait_time for each slot of the region follows: waits for a change.",
  // prettier-ignore
  [
    [0, "lock", "u32[16]", "lock", "see lock", "atomic", "freed by recovery"],
    [64, "value", "i64", "the number", "lock owner", "publish", "changed or not, never torn"],
    [80, "target", "i64", "the value an update is about to store", "lock owner, before value", "plain", "tells whether the dead owner's update happened"],
    [128, "changeWaiters", "u32[8]", "member set: wait for a change", "each member its own bit", "atomic", "cleared by recovery"],
  ],
);
