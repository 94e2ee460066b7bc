import * as words from "#words";
import type { Segment } from "../memory/segment.js";
import { membersOf } from "./member-set.js";
import type { Member } from "./member.js";

/** A member that waits. */
export interface Waiter {
  /** Its slot, as in `region.members()`. */
  readonly slot: number;
  /** When it began to wait, by the system's clock: the oldest of its waits, where it has several. */
  readonly since: Date;
}

/** @internal Where an object has a time of each slot's member: float index of the first one's, and how far the next is. */
export interface TimesBySlot {
  readonly first: number;
  readonly stride: number;
}

/** @internal The times that lie behind the fixed part of the object at a word index. */
export const timesBehind = (base: number, fixedBytes: number): TimesBySlot => ({
  first: (4 * base + fixedBytes) / 8,
  stride: 1,
});

/** @internal Float index of a slot's time. */
export const timeIndex = ({ first, stride }: TimesBySlot, slot: number): number => first + slot * stride;

/** @internal The time at a float index; an invalid one where a damaged region says what is no time. */
export const timeAt = ({ floats }: Segment, index: number): Date => new Date(words.readFloat(floats, index));

/** @internal Members that wait, with since when. */
export const waitersOf = ({ segment }: Member, slots: readonly number[], times: TimesBySlot): Waiter[] =>
  slots.map((slot) => ({ slot, since: timeAt(segment, timeIndex(times, slot)) }));

/** @internal Those of a member set, with since when. */
export const waitersIn = (member: Member, set: number, times: TimesBySlot): Waiter[] =>
  waitersOf(member, membersOf(member.segment, set, member.geometry.setWords), times);

/** An asynchronous wait that onlookers are told of. */
interface Timed {
  readonly since: number;
}

/**
 * Since when this member waits, as onlookers see it: by place, a float index, the beginning of its oldest pending wait. It is
 * written before anything else says that the member waits, and counts as long as something does: so nobody has to clear it.
 * One writer, one aligned number: it is never seen by half.
 */
export class WaitTimes {
  /** By place: the pending asynchronous waits, oldest first. */
  private readonly pending = new Map<number, Set<Timed>>();
  /** Of the Sync wait under way, if it is told of. */
  private syncPlace = 0;
  private syncSince = 0;
  private last = 0;

  constructor(private readonly segment: Segment) {}

  /** A wait begins, and nobody can see it yet. Answers since when: another number for each wait. */
  begin(place: number): number {
    const at = Date.now();
    // Those who look for deadlocks tell waits apart by it.
    this.last = Math.floor(this.last) === at ? this.last + 1 / 1024 : at;
    if (!this.pending.has(place)) words.writeFloat(this.segment.floats, place, this.last);
    return this.last;
  }

  /** A Sync wait begins. Nothing else can before it ends. */
  beginSync(place: number): void {
    this.syncSince = this.begin(place);
    this.syncPlace = place;
  }

  endSync(): void {
    this.syncPlace = 0;
  }

  /** A wait that has begun is pending. */
  add(place: number, wait: Timed): void {
    const waits = this.pending.get(place);
    if (waits === undefined) this.pending.set(place, new Set([wait]));
    else waits.add(wait);
  }

  /** A pending wait ends: from here on the next one counts. May be repeated. */
  end(place: number, wait: Timed): void {
    const waits = this.pending.get(place);
    if (waits === undefined) return;
    const [oldest] = waits;
    if (!waits.delete(wait) || oldest !== wait) return;
    const [next] = waits;
    if (next === undefined) this.pending.delete(place);
    const since = next?.since ?? (this.syncPlace === place ? this.syncSince : undefined);
    if (since !== undefined) words.writeFloat(this.segment.floats, place, since);
  }
}
