import * as words from "#words";
import { MONITOR } from "../layout/monitor.js";
import { SEMAPHORE } from "../layout/semaphore.js";
import type { Member } from "../members/member.js";
import { Turns } from "./turns.js";

const at = SEMAPHORE.at;
/** @internal Word offsets inside a semaphore. */
export const SEMAPHORE_WORD = {
  permits: at.permits >> 2,
  taken: at.taken >> 2,
  wanted: at.wanted >> 2,
  wantedTurn: at.wantedTurn >> 2,
  waiters: at.waiters >> 2,
  held: at.held >> 2,
  posted: at.posted >> 2,
  turns: at.turns >> 2,
} as const;
const LAST_TURN = MONITOR.at.lastTurn >> 2;

/** How a semaphore is now. */
export interface SemaphoreStatistics {
  /** Permits that can be taken now. */
  readonly available: number;
  /** Permits that members have leased, by slot; members without are left out. */
  readonly held: readonly {
    /** Slot of the member. */
    readonly slot: number;
    /** How many it has. */
    readonly permits: number;
  }[];
  /** Slots of the members that wait, the one whose turn it is first. */
  readonly waiting: readonly number[];
  /** How often a member had to wait its turn (wraps at 2^32). */
  readonly contended: number;
}

/** @internal Permits that can be taken, of the semaphore at a word index. */
export function availablePermits(member: Member, base: number): number {
  const shared = member.segment.words;
  const { slotsUsed } = member;
  let sum = words.read(shared, base + SEMAPHORE_WORD.permits) - words.read(shared, base + SEMAPHORE_WORD.taken);
  for (let slot = 0; slot < slotsUsed; slot++)
    sum +=
      words.load(shared, base + SEMAPHORE_WORD.posted + slot) - words.load(shared, base + SEMAPHORE_WORD.held + slot);
  sum |= 0;
  // Posts at the same time may exceed the greatest number together; reads meanwhile can be below 0, but not by so much.
  return sum < -(2 ** 30) ? sum + 2 ** 32 : sum;
}

/** @internal How the semaphore at a word index is. */
export function semaphoreStatistics(member: Member, base: number): SemaphoreStatistics {
  const shared = member.segment.words;
  const held = [];
  for (let slot = 0; slot < member.slotsUsed; slot++) {
    const permits = words.load(shared, base + SEMAPHORE_WORD.held + slot) >>> 0;
    if (permits !== 0) held.push({ slot, permits });
  }
  return {
    available: availablePermits(member, base),
    held,
    waiting: new Turns(member, base, base + SEMAPHORE_WORD.turns).inOrder(),
    contended: words.read(shared, base + LAST_TURN) >>> 0,
  };
}
