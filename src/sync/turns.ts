import * as words from "#words";
import { MONITOR } from "../layout/monitor.js";
import { ringMember } from "../members/doorbell.js";
import type { Member } from "../members/member.js";

const LAST_TURN = MONITOR.at.lastTurn >> 2;

/**
 * First come, first served among members: one word per slot of the turn that its member has drawn, 0 for none. A member
 * draws under the object's lock and puts its own word back to 0 without, when it gives up; recovery does it for the dead.
 * Nobody is given anything in its absence: who has the first turn takes by itself, so no grant can be lost on the way.
 */
export class Turns {
  /** @param turns word index of the words; @param monitor of the object that they belong to */
  constructor(
    private readonly member: Member,
    private readonly monitor: number,
    private readonly turns: number,
  ) {}

  /** The turn of a slot's member, 0 for none. */
  of(slot: number): number {
    return words.load(this.member.segment.words, this.turns + slot);
  }

  /** Word index, from the object's first word, of this member's turn; for a journalled write. */
  get own(): number {
    return this.turns - this.monitor + this.member.slot;
  }

  /** What to write to {@link own} and to the monitor's `lastTurn` to draw a turn. */
  get next(): number {
    const last = words.read(this.member.segment.words, this.monitor + LAST_TURN);
    return last === -1 ? 1 : (last + 1) | 0;
  }

  /** Slots of the members that have drawn a turn, the first one first. */
  inOrder(): number[] {
    const slots = Array.from({ length: this.member.slotsUsed }, (_, slot) => slot);
    return slots.filter((slot) => this.of(slot) !== 0).sort((a, b) => (this.of(a) - this.of(b)) | 0);
  }

  /**
   * Slot of the member whose turn it is, -1 when nobody has drawn one. Turns are compared with each other alone: without the
   * lock, whoever draws meanwhile has a later one than `lastTurn` said a moment ago.
   */
  first(): number {
    const { slotsUsed } = this.member;
    const shared = this.member.segment.words;
    let first = -1;
    let earliest = 0;
    for (let slot = 0; slot < slotsUsed; slot++) {
      const turn = words.load(shared, this.turns + slot);
      if (turn === 0 || (first >= 0 && ((turn - earliest) | 0) > 0)) continue;
      first = slot;
      earliest = turn;
    }
    return first;
  }

  /** Gives this member's turn back, without the lock; then whoever is next is to be rung. */
  giveUp(): void {
    if (this.of(this.member.slot) === 0) return;
    words.store(this.member.segment.words, this.turns + this.member.slot, 0);
    this.ringFirst();
  }

  /** Rings the member whose turn it is. */
  ringFirst(): void {
    const slot = this.first();
    if (slot >= 0) ringMember(this.member, slot);
  }
}
