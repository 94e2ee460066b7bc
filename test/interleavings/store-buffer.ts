/**
 * Stores that their member has made and others cannot see yet, and copies that are not completed yet. What is promised
 * of each kind in `src/memory/words.ts` says in which order they may become visible: a plain store in any order but that
 * of its own word; a release store, and a sequentially consistent one, after everything before it, while plain stores
 * behind it may overtake it; a sequentially consistent load is later than the member's own such stores; a
 * read-modify-write and a system call are later than all.
 *
 * A plain read may answer any value the word had since its member last synchronised, which a read-modify-write does with
 * its load, before its store; and a sequentially consistent load may answer an older value than plain reads before it, which
 * then took place after it. A copy of a message may happen as late as the next release.
 *
 * Not modelled: a plain read that takes place after a plain store behind it (what is written because of what was read is not
 * written before), plain stores that overtake the store of a read-modify-write, parts of a copy seen without the rest, and
 * which subset of more than two waiting stores is seen, beyond those of {@link flushSets}. An old value read costs one of the
 * preemptions that the bound allows.
 */

/** One of them. */
export interface Entry {
  /** First word, and what the words become (of a copy: what they were when it began). */
  readonly index: number;
  readonly values: readonly number[];
  /** Becomes visible only after everything before it. */
  readonly isRelease: boolean;
  /** Is visible before its member's next sequentially consistent access. */
  readonly isSequential: boolean;
  /** A copy out of shared memory whose bytes nobody has looked at: it may still happen, until the next release. */
  readonly source?: {
    readonly at: number;
    readonly length: number;
    readonly target: Uint8Array;
    readonly targetAt: number;
    /** Of the access in the member's log. */
    readonly position: number;
  };
}

export const wordEntry = (index: number, value: number, isRelease: boolean, isSequential: boolean): Entry => ({
  index,
  values: [value],
  isRelease,
  isSequential,
});
export const doubleEntry = (index: number, low: number, high: number, isSequential: boolean): Entry => ({
  index,
  values: [low, high],
  isRelease: isSequential,
  isSequential,
});
export const bulkEntry = (index: number, values: readonly number[]): Entry => ({
  index,
  values,
  isRelease: false,
  isSequential: false,
});

export const covers = (entry: Entry, index: number): boolean =>
  index >= entry.index && index < entry.index + entry.values.length;

const overlap = (a: Entry, b: Entry): boolean =>
  a.index < b.index + b.values.length && b.index < a.index + a.values.length;

/** Whether the second of two entries may become visible only after the first. */
const mustFollow = (first: Entry, second: Entry): boolean => second.isRelease || overlap(first, second);

/** The smallest set of positions that contains some and everything that must come before them. */
function closed(buffer: readonly Entry[], some: ReadonlySet<number>): Set<number> {
  const all = new Set(some);
  for (let later = buffer.length - 1; later > 0; later--)
    if (all.has(later))
      for (let earlier = 0; earlier < later; earlier++)
        if (mustFollow(buffer[earlier], buffer[later])) all.add(earlier);
  return all;
}

/**
 * Which sets of entries to make visible before another member runs: everything, nothing, one alone (with what must come
 * before it), and all that can be seen without one. Any pair of stores is seen in either order by one of these.
 */
export function flushSets(buffer: readonly Entry[]): ReadonlySet<number>[] {
  const sets = new Map<string, ReadonlySet<number>>();
  const add = (set: ReadonlySet<number>): void => void sets.set([...set].sort((a, b) => a - b).join(), set);
  add(new Set());
  add(new Set(buffer.keys()));
  buffer.forEach((without, position) => {
    add(closed(buffer, new Set([position])));
    const rest = new Set<number>();
    buffer.forEach((entry, other) => {
      const isHeldBack =
        other > position &&
        (mustFollow(without, entry) ||
          [...buffer.keys()].some((i) => i < other && i > position && !rest.has(i) && mustFollow(buffer[i], entry)));
      if (other !== position && !isHeldBack) rest.add(other);
    });
    add(closed(buffer, rest));
  });
  return [...sets.values()];
}
