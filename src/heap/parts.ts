import * as words from "#words";
import { COMPOSITE, MAX_PARTS } from "../layout/composite.js";
import { EntryState } from "../layout/heap.js";
import type { Segment } from "../memory/segment.js";
import { ENTRY } from "./directory-entry.js";
import { PAGE_WORDS } from "./page-heap.js";

const PARTS = COMPOSITE.at.parts >> 2;
const ENTRIES = COMPOSITE.at.entries >> 2;

/** Writes into the block of a composite which entries its parts are. */
export function writeParts(segment: Segment, page: number, entries: readonly number[]): void {
  const base = page * PAGE_WORDS;
  words.write(segment.words, base + PARTS, entries.length);
  entries.forEach((entry, i) => words.write(segment.words, base + ENTRIES + i, entry));
}

/**
 * Parts of composite objects as the directory has them. A part's entry names its parent's, and is there while that one is
 * live: so all parts appear by the one store that publishes the parent, and go by the one that removes it.
 */
export class Parts {
  constructor(
    private readonly segment: Segment,
    private readonly entryWord: (entry: number) => number,
  ) {}

  parentOf(base: number): number {
    return words.read(this.segment.words, base + ENTRY.parent) >>> 0;
  }

  /** Whether the parent of a part is there: not before it is published, nor when it was removed. */
  haveParent(base: number): boolean {
    const shared = this.segment.words;
    const parent = this.entryWord(this.parentOf(base));
    return (
      parent !== 0 &&
      words.load(shared, parent + ENTRY.state) === EntryState.live &&
      words.read(shared, parent + ENTRY.generation) === words.read(shared, base + ENTRY.parentGeneration)
    );
  }

  /**
   * Entries of the parts of a composite that was seen to be there, by its own entry and block; undefined when the block is
   * damaged, or it has gone since.
   */
  of(entry: number, generation: number, page: number): readonly (readonly [entry: number, base: number])[] | undefined {
    const shared = this.segment.words;
    const parts = this.named(page);
    const areAll = parts.every(
      ([, base]) => this.isPartOf(base, entry) && words.read(shared, base + ENTRY.parentGeneration) === generation,
    );
    return areAll && parts.length > 0 ? parts : undefined;
  }

  /** Whether a part of the composite that has an entry and a block is there still. Directory lock held. */
  remain(entry: number, page: number): boolean {
    return this.named(page).some(([, base]) => this.isPartOf(base, entry));
  }

  private isPartOf(base: number, entry: number): boolean {
    return (
      base !== 0 &&
      words.read(this.segment.words, base + ENTRY.state) === EntryState.part &&
      this.parentOf(base) === entry
    );
  }

  /** The entries that the block of a composite names, and where they are; none when it is damaged. */
  private named(page: number): (readonly [entry: number, base: number])[] {
    const shared = this.segment.words;
    const count = words.read(shared, page * PAGE_WORDS + PARTS) >>> 0;
    return Array.from({ length: count > MAX_PARTS ? 0 : count }, (_, i) => {
      const part = words.read(shared, page * PAGE_WORDS + ENTRIES + i) >>> 0;
      return [part, this.entryWord(part)] as const;
    });
  }
}
