import { struct } from "./descriptor.js";

/** Segment k has FIRST_LOCK_REQUESTS << k requests: first as many chains, u32: place + 1 of the first request in it, 0 for none; then the requests. */
export const LOCK_SEGMENTS = 16;
export const FIRST_LOCK_REQUESTS = 16;

/**
 * What a request is: it waits, holds its lock, holds it and is about to break the locks of others (its member owns the
 * manager's lock as long), or held a lock that was stolen.
 */
export const RequestState = { free: 0, waiting: 1, held: 2, stealing: 3, stolen: 4 } as const;
/** How a name is stored: as Latin-1 where that does, otherwise as UTF-16, lone surrogates included. */
export const NameEncoding = { latin1: 0, utf16: 1 } as const;

/** The word that says what a request is; `owner` is slot + 1. */
export const packRequest = (state: number, shared: boolean, owner: number): number =>
  state | (shared ? 8 : 0) | (owner << 4);
export const requestState = (word: number): number => word & 7;
export const requestShared = (word: number): boolean => ((word >>> 3) & 1) === 1;
/** Slot + 1 of its member. */
export const requestOwner = (word: number): number => word >>> 4;

export const LOCK_MANAGER_BYTES = 256;
export const LOCK_MANAGER = struct(
  "lock_manager",
  LOCK_MANAGER_BYTES,
  "The lock manager of a region: named locks as the Web has them. Requests lie in segments, which never move or go while somebody has it open.",
  // prettier-ignore
  [
    [0, "lock", "u32[16]", "lock: to request, to take, to steal; not to release", "see lock", "atomic", "freed by recovery: a request is published by its state word"],
    [64, "lastOrder", "u32", "number of the last request (wraps)", "lock owner", "plain", "a number may be left out"],
    [68, "used", "u32", "requests from this index on are free", "lock owner, before the request's state", "plain", "may be too many"],
    [72, "rover", "u32", "index where the search for a free request begins: a hint", "lock owner; whoever frees one", "plain", "any is right"],
    [76, "changes", "u32", "counts what happens under the lock, before it does (wraps)", "lock owner", "publish", "same"],
    [80, "moves", "u32", "counts requests that go to another chain, twice each: odd while one does (wraps)", "lock owner", "publish", "odd: nobody follows a chain before the next one has gone"],
    [96, "waiters", "u32[8]", "member set: wait for a lock, or hold one that could be stolen; rung one by one, as the requests say", "each member its own bit", "atomic", "cleared by recovery"],
    [128, "segments", "u32[16]", "page of segment k, 0 while there is none", "lock owner", "publish", "a segment allocated but not entered is freed through the ledger"],
    [192, "segmentGenerations", "u32[16]", "generation of that page", "lock owner, before segments", "plain", "same"],
  ],
);

export const LOCK_REQUEST_BYTES = 240;
/** Longest name that needs no block of its own. */
export const INLINE_NAME_BYTES = 192;
export const LOCK_REQUEST = struct(
  "lock_request",
  LOCK_REQUEST_BYTES,
  "One request for a lock. Its member frees it by one store, without the lock of the manager; everything else changes under that.",
  // prettier-ignore
  [
    [0, "state", "u32", "owner slot + 1 << 4 | shared << 3 | 0 free, 1 waiting, 2 held, 3 held and stealing, 4 stolen", "its member: from free under the lock, to free without; the lock owner: from held to stolen; a recoverer", "publish", "a steal is completed, then it is freed"],
    [4, "order", "u32", "number of the request", "its member under the lock, before state", "plain", "same"],
    [8, "nameHash", "u32", "FNV-1a of the name's words; says which chain of the segment it is in, if it is in one", "its member under the lock, before next and state", "publish", "same"],
    [12, "nameBytes", "u32", "length of the name as stored", "its member under the lock, before state", "plain", "same"],
    [16, "encoding", "u32", "0 Latin-1, 1 UTF-16 (little-endian, may have lone surrogates)", "its member under the lock, before state", "plain", "same"],
    [20, "namePage", "u32", "head page of the block that has the name, 0 when it is in the request", "its member under the lock, before state", "plain", "the block is freed with the request"],
    [24, "next", "u32", "place in the segment + 1 of the next request in its chain, 0 for none", "lock owner: of a free request, and of the one before it", "publish", "a free request may be in no chain"],
    [28, "nameGeneration", "u32", "of that block", "its member under the lock, before state", "plain", "same"],
    [32, "requestedAt", "f64", "milliseconds since 1970 when the request was made", "its member under the lock, before state", "plain", "same"],
    [40, "grantedAt", "f64", "the same of when it got its lock; says nothing while it waits", "its member under the lock, before state says that it holds", "plain", "same"],
    [48, "name", "u8[192]", "the name up to 192 bytes, padded to words with zeroes", "its member under the lock, before state", "plain", "same"],
  ],
);
