import * as words from "#words";
import { MONITOR } from "../layout/monitor.js";
import { SEMAPHORE, SEMAPHORE_BYTES, SEMAPHORE_MEMBER, SEMAPHORE_MEMBER_BYTES } from "../layout/semaphore.js";
import type { Member } from "../members/member.js";
import { waitersOf, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { momentOf, noteNumber, type DatedNumber } from "./dated-number.js";
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

const own = SEMAPHORE_MEMBER.at;
/** @internal Since when members wait for the semaphore at a word index. */
export const semaphoreTimes = (base: number): TimesBySlot => ({
  first: (4 * base + SEMAPHORE_BYTES + own.since) / 8,
  stride: SEMAPHORE_MEMBER_BYTES / 8,
});
const lineOf = (base: number, slot: number): number => 4 * base + SEMAPHORE_BYTES + slot * SEMAPHORE_MEMBER_BYTES;
/** @internal Word index of how often the member of a slot took permits while it had none. */
export const leasesWord = (base: number, slot: number): number => (lineOf(base, slot) + own.leases) / 4;
/** What somebody who waited noted of the member of a slot. */
const foundLeases = (base: number, slot: number): DatedNumber => ({
  number: (lineOf(base, slot) + own.foundLeases) / 4,
  at: (lineOf(base, slot) + own.foundAt) / 8,
});

/** @internal A member waits: notes for onlookers whom it found with permits. The lock is held, so nobody takes any meanwhile. */
export function noteHolders({ segment, slotsUsed }: Member, base: number): void {
  for (let slot = 0; slot < slotsUsed; slot++)
    if (words.load(segment.words, base + SEMAPHORE_WORD.held + slot) !== 0)
      noteNumber(segment, foundLeases(base, slot), words.load(segment.words, leasesWord(base, slot)));
}

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
    /** A time since which it has had permits without a break: when somebody waited for them first. Absent while nobody has. */
    readonly since?: Date;
  }[];
  /** The members that wait, the one whose turn it is first. */
  readonly waiting: readonly Waiter[];
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
    if (permits === 0) continue;
    const leases = words.load(shared, leasesWord(base, slot));
    const since = momentOf(member.segment, foundLeases(base, slot), leases);
    held.push({ slot, permits, ...(since === undefined ? {} : { since: new Date(since) }) });
  }
  return {
    available: availablePermits(member, base),
    held,
    waiting: waitersOf(member, new Turns(member, base, base + SEMAPHORE_WORD.turns).inOrder(), semaphoreTimes(base)),
    contended: words.read(shared, base + LAST_TURN) >>> 0,
  };
}
