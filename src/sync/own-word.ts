import * as words from "#words";
import { SLOT, slotWord } from "../members/region-words.js";
import type { Member } from "../members/member.js";

/**
 * An operation that is one store to a word which only this member writes: it takes no lock and never waits. What is about
 * to be stored stands in the member's `argument`, which tells whether a dead member's store happened.
 */
export function publishOwn(
  member: Member,
  code: number,
  entry: number,
  word: number,
  valueOf: () => number,
  ring: () => void,
): void {
  const shared = member.segment.words;
  member.begin(code, entry);
  try {
    const value = valueOf();
    words.write(shared, member.argument, value);
    member.critical(0);
    // SYNC POINT: the change is this store; pairs with the look of a waiter that is armed
    words.store(shared, word, value);
    member.committed();
    ring();
    member.end();
  } catch (error) {
    member.failed(error);
  }
}

/** Whether the store that a slot's member was cut off in happened; `word` is the one that it stores to. */
export function ownWordStored(member: Member, slot: number, word: number): boolean {
  const { words: shared } = member.segment;
  return words.load(shared, word) === words.load(shared, slotWord(member.geometry, slot) + SLOT.argument);
}

/** The sum of a word per slot, as a signed 32-bit number. */
export function sumOfSlots({ segment, slotsUsed }: Member, first: number): number {
  let sum = 0;
  for (let slot = 0; slot < slotsUsed; slot++) sum += words.load(segment.words, first + slot);
  return sum | 0;
}
