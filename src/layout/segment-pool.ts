import { struct } from "./descriptor.js";

export const SEGMENT_POOL_BYTES = 10752;
/** Segments and what comes before them begin at multiples of this. */
export const SEGMENT_ALIGNMENT = 64;
export const MAX_SEGMENTS = 65_536;

export const SEGMENT_POOL = struct(
  "segment_pool",
  SEGMENT_POOL_BYTES,
  "A pool of segments of one size. One owner word per segment follows, and then the segments.",
  // prettier-ignore
  [
    [0, "monitor", "u32[96]", "monitor", "see monitor", "atomic", "undone and freed by recovery"],
    [384, "segments", "u32", "segments, 1–65536", "creator", "fixed", "same"],
    [388, "segmentBytes", "u32", "bytes of a segment, 1 to 2^31 - 1", "creator", "fixed", "same"],
    [392, "acquired", "u32", "segments acquired so far (wraps)", "lock owner, journalled", "plain", "same"],
    [396, "recovered", "u32", "segments that came back since their owner died (wraps)", "recoverer", "atomic", "statistic: may lack some if a recoverer died"],
    [416, "waiters", "u32[8]", "member set: wait for a segment", "each member its own bit", "atomic", "cleared by recovery"],
    [448, "partners", "u32[8]", "member set: wait for a segment to be handed back", "each member its own bit", "atomic", "cleared by recovery"],
    [512, "turns", "u32[256]", "by slot: the turn that its member has drawn, 0 for none", "the member: drawn under the lock, journalled, put back without", "publish", "0: given back by recovery"],
    [1536, "departures", "u32[256]", "by slot: how often its members have given up the pool (wraps)", "the member", "atomic", "same"],
    [2560, "waitingSince", "f64[256]", "by slot: its waits for a segment: see wait_time", "the member, before it draws a turn", "plain", "meaningless"],
    [4608, "partnerSince", "f64[256]", "by slot: its waits for a segment to be handed back: see wait_time", "the member, before it enters partners", "plain", "meaningless"],
    [6656, "foundAt", "f64[256]", "by slot: milliseconds since 1970, behind a look that found the segment's owner word as foundWord: it has had segments since", "lock owner, while foundSegment is 0", "plain", "same"],
    [8704, "foundWord", "u32[256]", "by slot: that owner word, as if not handed over", "lock owner, while foundSegment is 0", "plain", "same"],
    [9728, "foundSegment", "u32[256]", "by slot: id + 1 of a segment that somebody who waits found it with, 0: nothing noted", "lock owner: 0 before foundAt and foundWord, the number behind", "publish", "same"],
  ],
);

/** The owner word of a segment: its owner's slot + 1, 0 for a free one. */
export const packSegment = (generation: number, owner: number, handedOver = false): number =>
  (generation << 10) | (handedOver ? 1 << 9 : 0) | owner;
export const segmentOwner = (word: number): number => word & 0x1ff;
/** Whether its owner has handed it over: then whoever knows its generation may take it. */
export const isHandedOver = (word: number): boolean => ((word >>> 9) & 1) === 1;
/** Counts who had the segment (wraps). */
export const segmentGeneration = (word: number): number => word >>> 10;

/** What a member's `argument` says: which segment its operation is about, and the low half of the generation in which it is its own. */
export const packSegmentArgument = (id: number, generation: number): number => (generation << 16) | id;
export const argumentSegment = (argument: number): number => argument & 0xffff;
export const argumentGeneration = (argument: number): number => argument >>> 16;
