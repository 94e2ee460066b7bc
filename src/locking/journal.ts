import * as words from "#words";
import { ShmkitError } from "../base/errors.js";

/**
 * An undo journal: old values are recorded before words change; storing 0 entries commits. It lives beside a lock, and only
 * the lock's owner writes it, so a recoverer finds it through the lock.
 */
export interface Journal {
  readonly shared: Int32Array;
  /** Word index of the number of entries. */
  readonly entries: number;
  /** Word index of the pairs of word and old value. */
  readonly pairs: number;
  /** How many pairs there is room for. */
  readonly capacity: number;
  /** Word index of the words it guards, and how many there are. */
  readonly guarded: number;
  readonly count: number;
}

/** Changes a guarded word, recording the old value first. The caller owns the lock. `index` is less than `count`. */
export function journalledWrite(
  { shared, entries, pairs, capacity, guarded }: Journal,
  index: number,
  value: number,
): void {
  const used = words.read(shared, entries) >>> 0;
  if (used > capacity) throw new ShmkitError("ERR_CORRUPT", `a journal claims ${used} entries; remove the object`);
  let known = false;
  for (let i = 0; i < used && !known; i++) known = words.read(shared, pairs + 2 * i) === index;
  if (!known) {
    if (used === capacity)
      throw new ShmkitError("ERR_CORRUPT", `a journal of ${used} entries is full; remove the object`);
    words.write(shared, pairs + 2 * used, index);
    words.write(shared, pairs + 2 * used + 1, words.read(shared, guarded + index));
    // SYNC POINT: the old value is visible before the entry counts; pairs with undo
    words.storeRelease(shared, entries, used + 1);
  }
  // SYNC POINT: the entry counts before the word changes; pairs with undo
  words.storeRelease(shared, guarded + index, value);
}

/** Makes what was written since the last commit final. */
export function commit({ shared, entries }: Journal): void {
  // SYNC POINT: the words are visible before the journal is empty
  words.storeRelease(shared, entries, 0);
}

/** Restores the words as of the last commit, newest entry first; may be repeated. */
export function undo({ shared, entries, pairs, capacity, guarded, count }: Journal): void {
  const used = Math.min(words.load(shared, entries) >>> 0, capacity);
  for (let i = used - 1; i >= 0; i--) {
    const index = words.read(shared, pairs + 2 * i) >>> 0;
    if (index < count) words.write(shared, guarded + index, words.read(shared, pairs + 2 * i + 1));
  }
  words.store(shared, entries, 0);
}

export const journalIsEmpty = ({ shared, entries }: Journal): boolean => words.load(shared, entries) === 0;
