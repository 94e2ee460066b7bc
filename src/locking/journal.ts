import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { MUTEX, MUTEX_WORDS } from "../layout/lock.js";
import type { Segment } from "../memory/segment.js";

const at = MUTEX.at;
const ENTRIES = at.journalEntries >> 2;
const WORDS = at.words >> 2;
const JOURNAL = at.journal >> 2;

/**
 * The undo journal of a lock: old values are recorded before words change; storing 0 entries commits. It lives beside the
 * lock, and only the lock's owner writes it, so a recoverer finds it through the lock.
 */

/** Changes a guarded word, recording the old value first. The caller owns the lock. */
export function journalledWrite(segment: Segment, base: number, index: number, value: number): void {
  const shared = segment.words;
  const entries = words.read(shared, base + ENTRIES) >>> 0;
  if (entries > MUTEX_WORDS)
    throw new ShmkitError("ERR_CORRUPT", `a journal claims ${entries} entries; remove the mutex`);
  let known = false;
  for (let i = 0; i < entries && !known; i++) known = words.read(shared, base + JOURNAL + 2 * i) === index;
  if (!known) {
    words.write(shared, base + JOURNAL + 2 * entries, index);
    words.write(shared, base + JOURNAL + 2 * entries + 1, words.read(shared, base + WORDS + index));
    // SYNC POINT: the old value is visible before the entry counts; pairs with undo
    words.storeRelease(shared, base + ENTRIES, entries + 1);
  }
  // SYNC POINT: the entry counts before the word changes; pairs with undo
  words.storeRelease(shared, base + WORDS + index, value);
}

export const guardedWord = (segment: Segment, base: number, index: number): number =>
  words.read(segment.words, base + WORDS + index);

/** Makes what was written since the last commit final. */
export function commit(segment: Segment, base: number): void {
  // SYNC POINT: the words are visible before the journal is empty
  words.storeRelease(segment.words, base + ENTRIES, 0);
}

/** Restores the words as of the last commit, newest entry first; may be repeated. */
export function undo(segment: Segment, base: number): void {
  const shared = segment.words;
  const entries = Math.min(words.load(shared, base + ENTRIES) >>> 0, MUTEX_WORDS);
  for (let i = entries - 1; i >= 0; i--) {
    const index = words.read(shared, base + JOURNAL + 2 * i) >>> 0;
    if (index < MUTEX_WORDS) words.write(shared, base + WORDS + index, words.read(shared, base + JOURNAL + 2 * i + 1));
  }
  words.store(shared, base + ENTRIES, 0);
}

export const journalIsEmpty = (segment: Segment, base: number): boolean =>
  words.load(segment.words, base + ENTRIES) === 0;
