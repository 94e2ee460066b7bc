import * as words from "#words";
import { MUTEX } from "../layout/lock.js";
import { lockWaiters, ownerOf, takeovers } from "../locking/robust-lock.js";
import { membersOf } from "../members/member-set.js";
import type { Member } from "../members/member.js";

/** @internal Word offsets inside a mutex; of the times, from its first word in units of eight bytes. */
export const MUTEX_WORD = {
  wordCount: MUTEX.at.wordCount >> 2,
  journalEntries: MUTEX.at.journalEntries >> 2,
  acquisitions: MUTEX.at.acquisitions >> 2,
  contended: MUTEX.at.contended >> 2,
  foundTaken: MUTEX.at.foundTaken >> 2,
  foundTakenAt: MUTEX.at.foundTakenAt >> 3,
  words: MUTEX.at.words >> 2,
  journal: MUTEX.at.journal >> 2,
  waitingSince: MUTEX.at.waitingSince >> 3,
} as const;

/** A member that waits. */
export interface Waiter {
  /** Its slot, as in `region.members()`. */
  readonly slot: number;
  /** When it began to wait, by the system's clock. */
  readonly since: Date;
}

/** How a mutex is now. */
export interface MutexStatistics {
  /** Slot of the owner; undefined while the mutex is free. */
  readonly ownerSlot: number | undefined;
  /**
   * A time since which the owner has had it without a break: when the first one began to wait for this owner. Undefined
   * while nobody has, since taking a mutex that nobody wants reads no clock.
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

/** @internal How the mutex at a word index is. */
export function mutexStatistics(member: Member, base: number): MutexStatistics {
  const { segment, geometry } = member;
  const shared = segment.words;
  const owner = ownerOf(member, base);
  const acquisitions = words.read(shared, base + MUTEX_WORD.acquisitions);
  const wasFoundTaken = owner >= 0 && words.load(shared, base + MUTEX_WORD.foundTaken) === acquisitions;
  const timeAt = (index: number): Date => new Date(words.readFloat(segment.floats, base / 2 + index));
  return {
    ownerSlot: owner < 0 ? undefined : owner,
    heldSince: wasFoundTaken ? timeAt(MUTEX_WORD.foundTakenAt) : undefined,
    waiting: membersOf(segment, lockWaiters(base), geometry.setWords).map((slot) => ({
      slot,
      since: timeAt(MUTEX_WORD.waitingSince + slot),
    })),
    acquisitions: acquisitions >>> 0,
    contended: words.read(shared, base + MUTEX_WORD.contended) >>> 0,
    takeovers: takeovers(member, base),
  };
}

/** @internal A member begins to wait, and has found the mutex taken: notes when, for onlookers. */
export function noteWaiting({ segment, slot }: Member, base: number): void {
  const shared = segment.words;
  const at = Date.now();
  const since = base / 2 + MUTEX_WORD.waitingSince + slot;
  const before = words.readFloat(segment.floats, since);
  // Another number for each wait, by which those who look for deadlocks tell them apart.
  words.writeFloat(segment.floats, since, Math.floor(before) === at ? before + 1 / 1024 : at);
  const acquisitions = words.read(shared, base + MUTEX_WORD.acquisitions);
  if (words.load(shared, base + MUTEX_WORD.foundTaken) === acquisitions) return;
  words.writeFloat(segment.floats, base / 2 + MUTEX_WORD.foundTakenAt, at);
  words.storeRelease(shared, base + MUTEX_WORD.foundTaken, acquisitions);
}
