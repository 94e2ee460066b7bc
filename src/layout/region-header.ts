import { struct } from "./descriptor.js";

/** "SHMK" and "IT\r\n" as little-endian words. */
export const MAGIC_0 = 0x4b4d4853;
export const MAGIC_1 = 0x0a0d5449;
export const LAYOUT_VERSION = 1;
export const BYTE_ORDER_MARK = 0x01020304;
/** Unit of the page map, of growth and of hole punching. */
export const PAGE_BYTES = 4096;
/** Upper bound of `maxMembers`: every member set has room for this many bits. */
export const MEMBER_LIMIT = 256;
/** Words of a member set (one bit per slot). */
export const SET_WORDS = MEMBER_LIMIT / 32;
/** File offset of the attach byte; liveness byte of slot n is at LOCK_BASE + 1 + n. No file reaches that far. */
export const LOCK_BASE = 2 ** 52;

export const RegionState = { building: 0, open: 1, closed: 2 } as const;
/** Whether the disk has all of a region of lifetime file. */
export const DiskState = { inOrder: 0, marking: 1, inUse: 2, mixed: 3 } as const;
export const Lifetime = { process: 1, kernel: 2, file: 3, anonymous: 4 } as const;
/** Segment k of the directory holds FIRST_SEGMENT_ENTRIES << k entries. */
export const DIRECTORY_SEGMENTS = 15;
export const FIRST_SEGMENT_ENTRIES = 32;

export const REGION_HEADER = struct(
  "region_header",
  PAGE_BYTES,
  "First page of a region. The fields marked fixed are written before the name appears and never change.",
  // prettier-ignore
  [
    [0, "magic0", "u32", '0x4b4d4853 ("SHMK")', "creator", "fixed", "same"],
    [4, "magic1", "u32", '0x0a0d5449 ("IT\\r\\n")', "creator", "fixed", "same"],
    [8, "layoutVersion", "u32", "1; another version is refused", "creator", "fixed", "same"],
    [12, "byteOrder", "u32", "0x01020304", "creator", "fixed", "same"],
    [16, "headerBytes", "u32", "bytes, 4096", "creator", "fixed", "same"],
    [20, "pageBytes", "u32", "bytes, 4096", "creator", "fixed", "same"],
    [24, "maxMembers", "u32", "slots, 1–256", "creator", "fixed", "same"],
    [28, "maxPages", "u32", "pages of the whole file at its largest", "creator", "fixed", "same"],
    [32, "state", "u32", "0 building, 1 open, 2 closed (the name is going or gone)", "last leaver or whoever finds nobody alive, holding the attach byte", "publish", "closed: the next opener finishes the unlink"],
    [36, "lifetime", "u32", "1 process, 2 kernel, 3 file, 4 anonymous", "creator", "fixed", "same"],
    [40, "epoch", "u32[2]", "random, tells two regions of one name apart", "creator", "fixed", "same"],
    [48, "createdAt", "f64", "milliseconds since 1970", "creator", "fixed", "same"],
    [56, "memberTablePage", "u32", "page number", "creator", "fixed", "same"],
    [60, "deathTablePage", "u32", "page number", "creator", "fixed", "same"],
    [64, "pageMapPage", "u32", "page number", "creator", "fixed", "same"],
    [68, "heapPage", "u32", "first page of the heap", "creator", "fixed", "same"],
    [72, "lockBase", "f64", "file offset of the attach byte; liveness bytes follow", "creator", "fixed", "same"],
    [80, "committedPages", "u32", "end of the backed heap, in pages of the file; only grows", "heap lock", "publish", "true: raised after the pages are backed and the page map describes them"],
    [84, "attachments", "u32", "members ever attached (wraps)", "joiner", "atomic", "statistic"],
    [88, "deaths", "u32", "dead members recovered (wraps); number of the next death record", "recoverer", "atomic", "may count a death twice if its recoverer died"],
    [92, "heapRover", "u32", "page where the next search begins: a hint", "heap lock", "plain", "any head is right; recovery resets it"],
    [96, "grownPages", "u32", "pages added by growth (statistic)", "heap lock", "plain", "statistic"],
    [100, "slotsUsed", "u32", "slots from this one on have never been taken; only grows", "joiner, holding the attach byte, before the slot's state", "publish", "same: may be one too many"],
    [128, "heapLock", "u32[16]", "lock", "see lock", "atomic", "freed by recovery: every step of the allocator is one word"],
    [192, "spaceWaiters", "u32[8]", "member set: wait for heap space", "each member its own bit", "atomic", "cleared by recovery"],
    [224, "directoryWaiters", "u32[8]", "member set: wait for a name to appear", "each member its own bit", "atomic", "cleared by recovery"],
    [256, "directoryLock", "u32[16]", "lock", "see lock", "atomic", "freed by recovery: an entry is published by its state word"],
    [384, "directorySegments", "u32[15]", "page of segment k, 0 while there is none", "directory lock", "publish", "a segment allocated but not entered is freed through the ledger"],
    [448, "bootId", "u32[4]", "of lifetime file: the system's boot id when it was marked in use", "opener, holding the attach byte", "publish", "another one than the system's: the machine went down, or the file came from elsewhere"],
    [464, "diskState", "u32", "of lifetime file: 0 in order, the disk has all of it; 1 being marked; 2 in use, which the disk says as well; 3 a mixture, not recovered yet", "opener or the last leaver, holding the attach byte", "publish", "the next opener marks it anew; not 0 and another bootId: unclean"],
    [468, "unclean", "u32", "of lifetime file: 1 after the machine went down while it was in use, or the disk failed", "opener, holding the attach byte, and whoever cannot write; a member that has looked it over clears it", "publish", "same"],
    [472, "inode", "f64", "of lifetime file: number of the file when it was marked in use", "as bootId", "plain", "another one than the file's: a copy"],
    [480, "device", "f64", "of lifetime file: its file system", "as bootId", "plain", "same"],
  ],
);
