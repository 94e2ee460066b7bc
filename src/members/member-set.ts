import * as words from "#words";
import type { Segment } from "../memory/segment.js";

/** Sets of members, one bit per slot, of which each member changes its own only (a recoverer a dead one's). */

/** Puts a member into the set. */
export function enterSet(segment: Segment, set: number, slot: number): void {
  // SYNC POINT: pairs with the ringer's change of the object followed by its look at the set, in doorbell.ts
  words.or(segment.words, set + (slot >>> 5), 1 << (slot & 31));
}

/** Takes a member out of the set. */
export function leaveSet(segment: Segment, set: number, slot: number): void {
  words.and(segment.words, set + (slot >>> 5), ~(1 << (slot & 31)));
}

export function inSet(segment: Segment, set: number, slot: number): boolean {
  return ((words.load(segment.words, set + (slot >>> 5)) >>> (slot & 31)) & 1) === 1;
}

export function isEmptySet(segment: Segment, set: number, setWords: number): boolean {
  for (let i = 0; i < setWords; i++) if (words.load(segment.words, set + i) !== 0) return false;
  return true;
}

/** Slots in the set; for statistics and for ringing everybody. */
export function membersOf(segment: Segment, set: number, setWords: number): number[] {
  const slots: number[] = [];
  for (let i = 0; i < setWords; i++) {
    let bits = words.load(segment.words, set + i);
    while (bits !== 0) {
      const bit = 31 - Math.clz32(bits & -bits);
      slots.push(i * 32 + bit);
      bits &= bits - 1;
    }
  }
  return slots;
}
