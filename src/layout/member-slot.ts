import { struct } from "./descriptor.js";

export const SlotState = { free: 0, active: 1 } as const;
/**
 * The armed word: two bits say which sleepers want the doorbell (they are also the futex bitset of those sleepers), above
 * them counts how often the member armed, `once` at a time.
 */
export const Armed = { eventLoop: 1, sync: 2, mask: 3, once: 4 } as const;
/** How a dead member's last operation ended. `idle`: it had returned. */
export const Effect = { idle: 0, none: 1, committed: 2 } as const;
export const LABEL_BYTES = 64;
export const SLOT_BYTES = 512;

export const MEMBER_SLOT = struct(
  "member_slot",
  SLOT_BYTES,
  "One attached member: a process, or a worker thread of one. Alive as long as the open-file-description lock on its liveness byte is held; a slot that is not free and whose byte is free belongs to a dead member.",
  // prettier-ignore
  [
    [0, "state", "u32", "0 free, 1 active", "the member, holding its liveness byte; a recoverer, holding the dead member's", "publish", "not free and byte unlocked: to be recovered"],
    [4, "generation", "u32", "counts the members that had this slot (wraps)", "the joining member", "plain", "names the dead one"],
    [8, "pid", "u32", "process id in the member's own PID namespace; for people only", "the joining member", "plain", "names the dead one"],
    [12, "threadId", "u32", "kernel thread id; for people only", "the joining member", "plain", "names the dead one"],
    [16, "startTime", "f64", "clock ticks since boot at which the process began", "the joining member", "plain", "names the dead one"],
    [24, "joinedAt", "f64", "milliseconds since 1970", "the joining member", "plain", "same"],
    [32, "labelBytes", "u32", "0–64", "the joining member", "plain", "same"],
    [36, "effect", "u32", "0 not interrupted, 1 interrupted without effect, 2 interrupted and took effect", "recoverer, before it frees a lock of the dead member", "publish", "a second recoverer keeps what the first one settled"],
    [64, "bell", "u32", "doorbell: counts rings, nobody consumes it (wraps)", "whoever rings", "atomic", "meaningless"],
    [68, "armed", "u32", "bit 0: the event loop's thread sleeps or may, bit 1: the member's own thread; bits 2–31 count the armings (wrap)", "the member alone (bit 0 also its native thread, which clears it)", "atomic", "cleared by recovery"],
    [128, "operation", "u32", "last operation: code << 26 | phase << 24 | nibble << 20 | directory entry", "the member", "publish", "says what the member was doing"],
    [132, "ledgerPage", "u32", "head page of the block the operation is about to publish or free, 0 for none", "the member", "plain", "recovery frees the block if the operation says so"],
    [136, "argument", "u32", "what goes with the operation: index of a lease slot, pages committed before growth", "the member", "plain", "read only for operations that publish it first"],
    [140, "reaping", "u32", "directory entry + 1 of the removed object it is freeing, or of the part it is making, 0 for none", "the member, under the directory lock", "publish", "recovery frees the ledger's block if that entry is free"],
    [144, "syncSet", "u32", "word index of the member set in which its own thread waits, asleep; 0 while it does not", "the member", "publish", "cleared by recovery"],
    [148, "syncWaits", "u32", "counts such waits (wraps)", "the member, before syncSet", "plain", "goes on"],
    [192, "label", "u8[64]", "UTF-8", "the joining member", "plain", "same"],
  ],
);

/** What a member does. The order is part of the layout; new codes are added at the end. */
export const OPERATIONS = [
  "none",
  "pipe.send",
  "pipe.receive",
  "pipe.lease",
  "pipe.receive-returned",
  "pipe.lease-returned",
  "pipe.ack",
  "pipe.nack",
  "pipe.close",
  "counter.update",
  "mutex.lock",
  "mutex.unlock",
  "object.create",
  "object.open",
  "object.remove",
  "object.detach",
  "heap.allocate",
  "semaphore.acquire",
  "semaphore.wait",
  "semaphore.release",
  "semaphore.post",
  "condition.wait",
  "condition.notify",
  "rwlock.lock",
  "rwlock.unlock",
  "locks.request",
  "locks.release",
  "event.set",
  "event.wait",
  "event.reset",
  "barrier.enrol",
  "barrier.arrive",
  "latch.enrol",
  "latch.count-down",
  "once.begin",
  "once.finish",
  "flag.update",
  "rate-limiter.take",
  "segment-pool.acquire",
  "segment-pool.release",
  "segment-pool.hand-over",
  "segment-pool.take-over",
] as const;
/** What a member does or did last: `KIND.VERB`, or `none`. @useDeclaredType */
export type OperationName = (typeof OPERATIONS)[number];
export const Op = Object.fromEntries(OPERATIONS.map((name, code) => [name, code])) as Readonly<
  Record<OperationName, number>
>;

/**
 * 0 ended without effect, 1 begun (no lock yet), 2 critical: the lock is held and the publishing word may have changed,
 * 3 committed. The nibble is the low four bits of the publishing counter when phase 2 began.
 */
export const Phase = { none: 0, begun: 1, critical: 2, committed: 3 } as const;

export const packOperation = (code: number, phase: number, nibble: number, entry: number): number =>
  (code << 26) | (phase << 24) | ((nibble & 15) << 20) | entry;
export const operationCode = (word: number): number => word >>> 26;
export const operationPhase = (word: number): number => (word >>> 24) & 3;
export const operationNibble = (word: number): number => (word >>> 20) & 15;
export const operationEntry = (word: number): number => word & 0xfffff;
/** Entry index of operations that concern no directory entry. */
export const NO_ENTRY = 0xfffff;

export const DEATH_RECORDS = 64;
export const DEATH_BYTES = 256;
export const DEATH_RECORD = struct(
  "death_record",
  DEATH_BYTES,
  "One of the last 64 deaths, a ring; record of death number n is n mod 64.",
  // prettier-ignore
  [
    [0, "sequence", "u32", "death number + 1, 0 while being written", "recoverer that drew the number from header.deaths", "publish", "0 for ever if the recoverer died; another one files the death again"],
    [4, "slot", "u32", "slot of the dead member", "recoverer", "plain", "same"],
    [8, "generation", "u32", "its generation", "recoverer", "plain", "same"],
    [12, "pid", "u32", "its process id", "recoverer", "plain", "same"],
    [16, "threadId", "u32", "its thread id", "recoverer", "plain", "same"],
    [20, "operation", "u32", "its operation word", "recoverer", "plain", "same"],
    [24, "effect", "u32", "as in member_slot", "recoverer", "plain", "same"],
    [28, "labelBytes", "u32", "0–64", "recoverer", "plain", "same"],
    [32, "noticedAt", "f64", "milliseconds since 1970", "recoverer", "plain", "same"],
    [40, "nameBytes", "u32", "0–120", "recoverer", "plain", "same"],
    [64, "label", "u8[64]", "UTF-8", "recoverer", "plain", "same"],
    [128, "name", "u8[120]", "name of the object concerned, UTF-8", "recoverer", "plain", "same"],
  ],
);
