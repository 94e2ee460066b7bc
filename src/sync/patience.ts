import * as words from "#words";
import { now } from "../base/deadline.js";
import { Armed } from "../layout/member-slot.js";
import { isFree, lockWaiters } from "../locking/robust-lock.js";
import { ringMember } from "../members/doorbell.js";
import type { Member } from "../members/member.js";
import { inSet, membersOf } from "../members/member-set.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { timeIndex, type TimesBySlot } from "../members/wait-times.js";
import { MUTEX_WORD, mutexTimes } from "./mutex-statistics.js";

/** Who has waited for so long goes first. */
const PATIENCE_MS = 5;
/** How long the others leave it a free mutex: one that is stopped or busy loses its turn then. */
const FAVOUR_MS = 10;

/**
 * Who waits for a mutex competes with everybody who comes, but not for ever: whoever frees the mutex looks who has waited
 * longest, and if that is for long, the others leave it the mutex. It takes it by itself, so nothing can be lost on the
 * way: the word that names it is a hint, which counts as long as it waits, and for a moment only.
 */
export class Patience {
  private readonly word: number;
  private readonly waiters: number;
  private readonly times: TimesBySlot;
  /** To whom this member leaves the mutex, 0 for nobody, and since when. */
  private leftTo = 0;
  private leftSince = 0;
  /** By slot: how often its member had armed when this one let it go first. Has it not looked since, others do not wait for it again. */
  private readonly favoured = new Map<number, number>();

  /** @param base word index of the mutex */
  constructor(
    private readonly member: Member,
    private readonly base: number,
  ) {
    this.word = base + MUTEX_WORD.favoured;
    this.waiters = lockWaiters(base);
    this.times = mutexTimes(base);
  }

  /** Whether the mutex is free, and this member leaves it to the one that the word names, slot + 1. */
  leavesTo(favoured: number): boolean {
    const { member } = this;
    if (favoured === member.me) return false;
    if (!isFree(member, this.base)) {
      this.leftTo = 0;
      return false;
    }
    if (this.leftTo !== favoured) {
      this.leftTo = favoured;
      this.leftSince = now();
    }
    if (now() < this.until && inSet(member.segment, this.waiters, favoured - 1)) {
      ringMember(member, favoured - 1);
      return true;
    }
    this.leftTo = 0;
    words.compareExchange(member.segment.words, this.word, favoured, 0);
    return false;
  }

  /** When this member leaves it no longer, by the clock of deadlines. */
  get until(): number {
    return this.leftSince + FAVOUR_MS;
  }

  /** This member has taken the mutex. */
  taken(): void {
    const { words: shared } = this.member.segment;
    if (words.read(shared, this.word) === this.member.me) words.store(shared, this.word, 0);
  }

  /** The mutex is about to be freed: names who goes first, should somebody have waited for long; its slot, or -1. */
  favour(): number {
    const { segment, geometry } = this.member;
    let longest = -1;
    let since = Date.now() - PATIENCE_MS;
    for (const slot of membersOf(segment, this.waiters, geometry.setWords)) {
      const from = words.readFloat(segment.floats, timeIndex(this.times, slot));
      if (from > since || this.favoured.get(slot) === this.armings(slot)) continue;
      longest = slot;
      since = from;
    }
    if (longest < 0) return -1;
    this.favoured.set(longest, this.armings(longest));
    // SYNC POINT: named before the mutex is free; pairs with whoever comes to take it
    words.write(segment.words, this.word, longest + 1);
    return longest;
  }

  /** Rings who goes first, once the mutex is free; false when others are to be rung. */
  rings(slot: number): boolean {
    // SYNC POINT: who has left the set since, or died, looked at the mutex, or had all rung, before it was free
    return inSet(this.member.segment, this.waiters, slot) && ringMember(this.member, slot);
  }

  /** How often the member of a slot has armed, to look anew. */
  private armings(slot: number): number {
    const { segment, geometry } = this.member;
    if (slot >= geometry.maxMembers) return 0;
    return words.read(segment.words, slotWord(geometry, slot) + SLOT.armed) & ~Armed.mask;
  }
}
