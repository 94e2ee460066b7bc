import { struct } from "./descriptor.js";

/**
 * States of a run in the page map. What a message refers to, and whoever receives it frees, is `used`; what an object or the
 * directory has until it ends is `kept`: no damaged message can make anybody free that.
 */
export const RunState = { interior: 0, free: 1, used: 2, kept: 3 } as const;
export const MAX_RUN_PAGES = 0xfffff;
export const PAGE_MAP_BYTES = 8;

export const PAGE_MAP_ENTRY = struct(
  "page_map_entry",
  PAGE_MAP_BYTES,
  "One per page of the file. The heap is tiled by runs; only the entry of a run's first page (its head) means anything. Every change of the tiling is one store to one head.",
  // prettier-ignore
  [
    [0, "run", "u32", "state << 30 | punched << 29 | owner slot + 1 << 20 | pages; state 1 free, 2 used (a message, a long name of a lock), 3 kept (of an object or the directory)", "free head: heap lock; used or kept head: its owner", "publish", "free, or freed by the recovery of its owner"],
    [4, "generation", "u32", "counts the blocks that began here, from page × 0x9e3779b1 on (wraps)", "heap lock", "plain", "same"],
  ],
);

export const packRun = (state: number, punched: boolean, owner: number, pages: number): number =>
  (state << 30) | (punched ? 1 << 29 : 0) | (owner << 20) | pages;
export const runState = (run: number): number => run >>> 30;
export const runPunched = (run: number): boolean => ((run >>> 29) & 1) === 1;
/** Slot + 1 of the member that allocated the block (or is freeing it). */
export const runOwner = (run: number): number => (run >>> 20) & 0x1ff;
export const runPages = (run: number): number => run & 0xfffff;

export const EntryState = { free: 0, live: 1, removed: 2, part: 3 } as const;
/** Kinds of named objects. New kinds are added at the end. */
// prettier-ignore
export const KINDS = [
  "none",
  "pipe",
  "counter",
  "mutex",
  "semaphore",
  "condition",
  "rwlock",
  "locks",
  "event",
  "barrier",
  "latch",
  "once",
  "flag",
  "rate-limiter",
  "segment-pool",
  "composite",
] as const;
/** What an object is. @useDeclaredType */
export type Kind = Exclude<(typeof KINDS)[number], "none">;
export const kindCode = (kind: Kind): number => KINDS.indexOf(kind);
export const ENTRY_BYTES = 256;
export const OPTION_WORDS = 8;

export const DIRECTORY_ENTRY = struct(
  "directory_entry",
  ENTRY_BYTES,
  "A named object. Entries never move; an entry is reused with the next generation.",
  // prettier-ignore
  [
    [0, "state", "u32", "0 free, 1 live, 2 removed (the name is gone, members still have it open), 3 part: there while its parent is", "directory lock", "publish", "creation and removal happened or not by this word alone; of a part by its parent's"],
    [4, "kind", "u32", KINDS.slice(1).map((kind, i) => `${i + 1} ${kind}`).join(", "), "directory lock, before state", "plain", "same"],
    [8, "generation", "u32", "counts the objects that had this entry (wraps)", "directory lock, before state", "plain", "same"],
    [12, "page", "u32", "head page of the object's block", "directory lock, before state", "plain", "same"],
    [16, "nameBytes", "u32", "1–120", "directory lock, before state", "plain", "same"],
    [20, "nameHash", "u32", "FNV-1a of the name's bytes", "directory lock, before state", "plain", "same"],
    [24, "createdAt", "f64", "milliseconds since 1970", "directory lock, before state", "plain", "same"],
    [32, "options", "u32[8]", "options of the kind, compared when an existing object is opened", "directory lock, before state", "plain", "same"],
    [64, "openers", "u32[8]", "member set: who has it open. While a bit is set the block is not freed", "each member its own bit: set under the directory lock, cleared without", "atomic", "cleared by recovery, last of all"],
    [96, "parent", "u32", "of a part: directory entry of the composite that it is a part of; else 0", "directory lock, before state", "plain", "same"],
    [100, "parentGeneration", "u32", "of a part: generation of that entry. While the entry is not live with it, the part is not there", "directory lock, before state", "plain", "same"],
    [128, "name", "u8[120]", "UTF-8, no terminator; of a part PARENT.PART", "directory lock, before state", "plain", "same"],
  ],
);
