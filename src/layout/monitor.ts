import { struct } from "./descriptor.js";

const MONITOR_BYTES = 384;
/** Pairs in the journal of a monitor: the greatest number of words that one operation changes. */
export const MONITOR_JOURNAL = 30;

export const MONITOR = struct(
  "monitor",
  MONITOR_BYTES,
  "What objects of several words begin with: an internal lock, never held while user code runs or anybody waits, and an undo journal, so that an operation changes all its words or none. Index 0 of the journal is the object's first word.",
  // prettier-ignore
  [
    [0, "lock", "u32[16]", "lock", "see lock", "atomic", "freed by recovery, after undoing the journal"],
    [64, "journalEntries", "u32", "entries to undo, 0–30; 0 commits", "lock owner; recoverer", "publish", "undone backwards before the lock is freed"],
    [68, "lastTurn", "u32", "the last turn drawn (wraps, skips 0)", "lock owner, journalled", "plain", "same"],
    [128, "journal", "u32[60]", "pairs of word index and old value", "lock owner", "plain", "valid up to journalEntries"],
  ],
);
