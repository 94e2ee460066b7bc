import * as words from "#words";
import { MUTEX, MUTEX_BYTES, MUTEX_WAITER, MUTEX_WAITER_BYTES } from "../layout/lock.js";
import { Op, operationCode, operationPhase, Phase } from "../layout/member-slot.js";
import { lockWaiters, ownerOf, takeovers } from "../locking/robust-lock.js";
import type { Member } from "../members/member.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { waitersIn, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { earliestOf, noteNumber, type DatedNumber } from "./dated-number.js";

/** @internal Word offsets inside a mutex. */
export const MUTEX_WORD = {
  wordCount: MUTEX.at.wordCount >> 2,
  journalEntries: MUTEX.at.journalEntries >> 2,
  acquisitions: MUTEX.at.acquisitions >> 2,
  contended: MUTEX.at.contended >> 2,
  favoured: MUTEX.at.favoured >> 2,
  words: MUTEX.at.words >> 2,
  journal: MUTEX.at.journal >> 2,
} as const;

/** How a mutex is now. */
export interface MutexStatistics {
  /** Slot of the owner; undefined while the mutex is free. */
  readonly ownerSlot: number | undefined;
  /**
   * A time since which the owner has had it without a break: when somebody waited for this owner first. Undefined while
   * nobody has, since taking a mutex that nobody wants reads no clock.
   */
  readonly heldSince: Date | undefined;
  /** The members that wait for it. */
  readonly waiting: readonly Waiter[];
  /** How often it was taken (wraps at 2^32). */
  readonly acquisitions: number;
  /** How often its taker had to wait (wraps at 2^32). */
  readonly contended: number;
  /** How many owners died holding it (wraps at 2^32). */
  readonly takeovers: number;
}

const at = MUTEX_WAITER.at;

/** @internal Since when members wait for the mutex at a word index. */
export const mutexTimes = (base: number): TimesBySlot => ({
  first: (4 * base + MUTEX_BYTES + at.since) / 8,
  stride: MUTEX_WAITER_BYTES / 8,
});

/** What the member of a slot noted of the mutex when it waited. */
function foundBy(base: number, slot: number): DatedNumber {
  const bytes = 4 * base + MUTEX_BYTES + slot * MUTEX_WAITER_BYTES;
  return { number: (bytes + at.foundTaken) / 4, at: (bytes + at.foundTakenAt) / 8 };
}

/** @internal How the mutex at a word index is. */
export function mutexStatistics(member: Member, base: number): MutexStatistics {
  const shared = member.segment.words;
  const owner = ownerOf(member, base);
  // Whoever is in the middle of taking it has not counted that yet: the number is that of who had it before.
  const isCounted = owner >= 0 && !isTaking(member, owner);
  const acquisitions = words.load(shared, base + MUTEX_WORD.acquisitions);
  return {
    ownerSlot: owner < 0 ? undefined : owner,
    heldSince: isCounted
      ? earliestOf(member.segment, member.slotsUsed, (slot) => foundBy(base, slot), acquisitions)
      : undefined,
    waiting: waitersIn(member, lockWaiters(base), mutexTimes(base)),
    acquisitions: acquisitions >>> 0,
    contended: words.read(shared, base + MUTEX_WORD.contended) >>> 0,
    takeovers: takeovers(member, base),
  };
}

/** Whether a member may be taking a mutex this very moment. */
function isTaking({ segment, geometry }: Member, slot: number): boolean {
  if (slot >= geometry.maxMembers) return false;
  const operation = words.load(segment.words, slotWord(geometry, slot) + SLOT.operation);
  const [code, phase] = [operationCode(operation), operationPhase(operation)];
  return (
    (phase === Phase.begun || phase === Phase.critical) && (code === Op["mutex.lock"] || code === Op["condition.wait"])
  );
}

/** @internal A member waits, and has found the mutex taken: notes for onlookers whose possession it found, by its number. */
export function noteTaken({ segment, slot }: Member, base: number): void {
  noteNumber(segment, foundBy(base, slot), words.load(segment.words, base + MUTEX_WORD.acquisitions));
}
