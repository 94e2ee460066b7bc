import { struct } from "./descriptor.js";

/** Set in `gate` beside slot + 1: the writer is in. */
export const GATE_ENTERED = 1 << 16;

export const RWLOCK_BYTES = 1280;
export const RWLOCK = struct(
  "rwlock",
  RWLOCK_BYTES,
  "A readers–writer lock. Readers count themselves in a line of their own, one rwlock_reader for each slot of the region behind this, and look at the gate; who would write owns the lock, closes the gate and waits until every count is 0.",
  // prettier-ignore
  [
    [0, "lock", "u32[16]", "lock; owned by who writes, waits to write as the first, or holds it upgradable", "see lock", "atomic", "freed by recovery; abandoned if its owner had entered"],
    [64, "gate", "u32", "0 open; slot + 1 of the owner that closed it, plus 65536 when no reader is left and it has entered", "lock owner; recoverer", "publish", "opened by recovery"],
    [68, "closings", "u32", "how often an owner has closed the gate (wraps)", "lock owner, before gate", "plain", "same"],
    [128, "lastTurn", "u32", "the last turn drawn (wraps, skips 0)", "whoever draws", "atomic", "same"],
    [132, "grants", "u32", "counts the guards that got the lock and those that gave it back: odd while one has it, with or without readers (wraps)", "lock owner; recoverer", "plain", "even"],
    [160, "waiting", "u32[8]", "member set: readers that wait for the gate", "each member its own bit", "atomic", "cleared by recovery"],
    [192, "favoured", "u32[8]", "member set: readers that waited when the last writer left; those of them that still wait come before the next writer", "set by the lock owner or its recoverer, cleared by each member", "atomic", "cleared by recovery"],
    [256, "turns", "u32[256]", "by slot: the turn that its member has drawn to write, 0 for none", "the member", "publish", "0: given back by recovery"],
  ],
);

export const RWLOCK_READER_BYTES = 64;
export const RWLOCK_READER = struct(
  "rwlock_reader",
  RWLOCK_READER_BYTES,
  "What a member reads, in a cache line that only it writes, and who waits for it.",
  // prettier-ignore
  [
    [0, "count", "u32", "how often it reads, a try that has not looked at the gate yet included", "the member", "publish", "0: given back by recovery"],
    [4, "possessions", "u32", "counts when it began to read and when it ended: odd while it reads (wraps)", "the member; recoverer", "plain", "even"],
    [8, "waits", "u32", "waits to read that it has begun (wraps)", "the member, before it enters waiting", "plain", "same"],
    [12, "foundReading", "u32", "possessions when an owner that began to wait for readers found it reading, 0: nothing noted", "lock owner, behind foundReadingAt", "publish", "same"],
    [16, "foundReadingAt", "f64", "milliseconds since 1970, behind a look at possessions that found them so: it has read since", "lock owner, before foundReading", "plain", "same"],
    [24, "readingSince", "f64", "its waits to read: see wait_time", "the member, before it enters waiting", "plain", "meaningless"],
    [32, "writingSince", "f64", "its waits to write or for an upgradable hold: see wait_time", "the member, before it draws a turn or closes the gate", "plain", "meaningless"],
    [40, "foundGrantAt", "f64", "milliseconds since 1970, behind a look at grants that found them as foundGrant: that guard has had the lock since", "the member, before foundGrant", "plain", "same"],
    [48, "foundGrant", "u32", "grants when it began to wait and found a guard with the lock, 0: nothing noted", "the member", "publish", "same"],
  ],
);
