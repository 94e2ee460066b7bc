import * as words from "#words";
import {
  CONDITION,
  CONDITION_WAIT,
  CONDITION_WAKE,
  conditionWaits,
  conditionWakes,
  Notify,
  packConditionWaits,
} from "../layout/condition.js";
import { ringMember } from "../members/doorbell.js";
import type { Member } from "../members/member.js";

const at = CONDITION.at;
/** @internal Word offsets inside a condition. */
export const CONDITION_WORD = {
  waiters: at.waiters >> 2,
  cursor: at.cursor >> 2,
  waits: at.waits >> 2,
  notifying: at.notifying >> 2,
} as const;

/** The wake-ups of the condition at a word index. None of these steps takes a lock, and each may be repeated. */
export class WakeUps {
  constructor(
    private readonly member: Member,
    private readonly base: number,
  ) {}

  /** Gives a wake-up to up to `count` of the waits, looking from a slot on, and to each member in turn; how many it gave. */
  give(count: number, from: number, except = -1): number {
    const { slotsUsed } = this.member;
    let given = 0;
    for (let before = -1; given < count && given !== before;) {
      before = given;
      for (let i = 0; i < slotsUsed && given < count; i++) {
        const slot = (from + i) % slotsUsed;
        if (slot === except || !this.giveTo(slot, 1)) continue;
        given++;
        words.write(this.member.segment.words, this.base + CONDITION_WORD.cursor, slot + 1);
      }
    }
    return given;
  }

  /** Gives one to every wait; how many it gave. */
  giveAll(except = -1): number {
    const { slotsUsed } = this.member;
    let given = 0;
    for (let slot = 0; slot < slotsUsed; slot++)
      if (slot !== except) given += this.giveTo(slot, Number.POSITIVE_INFINITY);
    return given;
  }

  private giveTo(slot: number, most: number): number {
    const shared = this.member.segment.words;
    const index = this.base + CONDITION_WORD.waits + slot;
    for (;;) {
      const word = words.load(shared, index);
      const count = Math.min(most, conditionWaits(word) - conditionWakes(word));
      if (count <= 0) return 0;
      // SYNC POINT: whoever waits counted itself before it released the mutex; pairs with the wait's look after it armed
      if (words.compareExchange(shared, index, word, word + count * CONDITION_WAKE) !== word) continue;
      ringMember(this.member, slot);
      return count;
    }
  }

  /** Where the next search begins. */
  get next(): number {
    return words.read(this.member.segment.words, this.base + CONDITION_WORD.cursor) >>> 0;
  }

  /** What a slot's member had said that it would wake is woken, and the word back at 0. */
  finish(slot: number, except = -1): void {
    const shared = this.member.segment.words;
    const index = this.base + CONDITION_WORD.notifying + slot;
    const what = words.load(shared, index);
    if (what === Notify.one) this.give(1, this.next, except);
    else if (what === Notify.all) this.giveAll(except);
    if (what !== Notify.none) words.store(shared, index, Notify.none);
  }

  /** One wait of a slot less. If all of them had been woken, another is woken instead of it. */
  withdraw(slot: number): void {
    const shared = this.member.segment.words;
    const index = this.base + CONDITION_WORD.waits + slot;
    const notifying = this.base + CONDITION_WORD.notifying + slot;
    for (;;) {
      const word = words.load(shared, index);
      const isWoken = conditionWakes(word) > 0 && conditionWakes(word) >= conditionWaits(word);
      // SYNC POINT: what is taken out below is passed on by recovery, should this member die in between
      if (isWoken) words.storeRelease(shared, notifying, Notify.one);
      const without = word - CONDITION_WAIT - (isWoken ? CONDITION_WAKE : 0);
      if (words.compareExchange(shared, index, word, without | 0) !== word) continue;
      this.finish(slot);
      return;
    }
  }

  /** Leaves a slot with so many waits, all of them woken, and wakes as many others as it was woken for more. */
  settle(slot: number, waits: number): void {
    const shared = this.member.segment.words;
    const index = this.base + CONDITION_WORD.waits + slot;
    for (;;) {
      const word = words.load(shared, index);
      const more = conditionWakes(word) - waits;
      if (more > 0) this.give(more, slot + 1, slot);
      // Repeated with what came meanwhile.
      if (words.compareExchange(shared, index, word, packConditionWaits(waits, waits)) === word) return;
    }
  }
}
