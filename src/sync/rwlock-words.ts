import * as words from "#words";
import { RWLOCK, RWLOCK_BYTES, RWLOCK_READER, RWLOCK_READER_BYTES, GATE_ENTERED } from "../layout/rwlock.js";
import { lockWaiters, ownerOf, takeovers } from "../locking/robust-lock.js";
import type { Member } from "../members/member.js";
import { inSet } from "../members/member-set.js";
import { waitersIn, waitersOf, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { earliestOf, momentOf, noteNumber, type DatedNumber } from "./dated-number.js";
import { Turns } from "./turns.js";

const { at } = RWLOCK;
/** @internal Word offsets inside a readers–writer lock. */
export const RWLOCK_WORD = {
  gate: at.gate >> 2,
  closings: at.closings >> 2,
  lastTurn: at.lastTurn >> 2,
  grants: at.grants >> 2,
  waiting: at.waiting >> 2,
  favoured: at.favoured >> 2,
  turns: at.turns >> 2,
} as const;

const COUNTS = (RWLOCK_BYTES + RWLOCK_READER.at.count) >> 2;
/** @internal From one member's count to the next one's. */
export const COUNT_STRIDE = RWLOCK_READER_BYTES >> 2;
/** @internal Word index of how often the member of a slot reads. */
export const countWord = (base: number, slot: number): number => base + COUNTS + slot * COUNT_STRIDE;

/** @internal From the word of {@link countWord}: others of the same member. */
export const READER_WORD = {
  possessions: (RWLOCK_READER.at.possessions - RWLOCK_READER.at.count) >> 2,
  waits: (RWLOCK_READER.at.waits - RWLOCK_READER.at.count) >> 2,
} as const;

const reader = RWLOCK_READER.at;
const timesOf = (base: number, field: number): TimesBySlot => ({
  first: (4 * base + RWLOCK_BYTES + field) / 8,
  stride: RWLOCK_READER_BYTES / 8,
});
/** @internal Since when members wait to read the lock at a word index. */
export const readingTimes = (base: number): TimesBySlot => timesOf(base, reader.readingSince);
/** @internal Since when members wait to write, or for an upgradable hold. */
export const writingTimes = (base: number): TimesBySlot => timesOf(base, reader.writingSince);

const lineOf = (base: number, slot: number): number => 4 * base + RWLOCK_BYTES + slot * RWLOCK_READER_BYTES;
/** What an owner that waited for readers noted of the member of a slot. */
const foundReading = (base: number, slot: number): DatedNumber => ({
  number: (lineOf(base, slot) + reader.foundReading) / 4,
  at: (lineOf(base, slot) + reader.foundReadingAt) / 8,
});
/** What the member of a slot noted of who had the lock when it waited. */
const foundGrant = (base: number, slot: number): DatedNumber => ({
  number: (lineOf(base, slot) + reader.foundGrant) / 4,
  at: (lineOf(base, slot) + reader.foundGrantAt) / 8,
});
const isOdd = (count: number): boolean => (count & 1) === 1;

/** @internal A member waits: notes for onlookers which guard it found with the lock, if one has it. */
export function noteGuard({ segment, slot }: Member, base: number): void {
  const grants = words.load(segment.words, base + RWLOCK_WORD.grants);
  if (isOdd(grants)) noteNumber(segment, foundGrant(base, slot), grants);
}

/** @internal The owner waits for readers: notes for onlookers whom it found reading. Nobody else does as long as it is the owner. */
export function noteReaders({ segment, slotsUsed }: Member, base: number): void {
  for (let slot = 0; slot < slotsUsed; slot++) {
    const possessions = words.load(segment.words, countWord(base, slot) + READER_WORD.possessions);
    if (isOdd(possessions)) noteNumber(segment, foundReading(base, slot), possessions);
  }
}

/** @internal Says in a word that counts beginnings and ends whether it has begun: odd, or even. May be repeated. */
export function noteWhether({ segment }: Member, word: number, hasBegun: boolean): void {
  const count = words.read(segment.words, word);
  if ((count & 1) !== Number(hasBegun)) words.write(segment.words, word, count + 1);
}

/** @internal The readers that wait come before the next writer: before the gate is opened. May be repeated. */
export function favourReaders({ segment, geometry }: Member, base: number): void {
  for (let word = 0; word < geometry.setWords; word++) {
    const bits = words.load(segment.words, base + RWLOCK_WORD.waiting + word);
    if (bits !== 0) words.or(segment.words, base + RWLOCK_WORD.favoured + word, bits);
  }
}

/** Who reads. */
export interface RwLockReader {
  /** The member. */
  readonly slot: number;
  /** How many guards it has. */
  readonly count: number;
  /** A time since which it has read without a break: when a writer waited for it first. Absent while none has. */
  readonly since?: Date;
}

/** How a readers–writer lock is now. */
export interface RwLockStatistics {
  /** Members that read. */
  readonly readers: readonly RwLockReader[];
  /** Slot of the member that writes; undefined while nobody does. */
  readonly writer: number | undefined;
  /** Slot of the member that writes or holds it upgradable, or is the first to write and waits until nobody reads. */
  readonly owner: number | undefined;
  /**
   * A time since which a guard of the owner has had the lock without a break, upgraded or downgraded meanwhile perhaps: when
   * somebody waited for it first. Undefined while nobody has, and while the owner has no guard yet.
   */
  readonly heldSince: Date | undefined;
  /**
   * The members that wait to write or for an upgradable hold: the one that waits for readers to leave, and then those whose
   * turn comes, the first one first.
   */
  readonly waitingWriters: readonly Waiter[];
  /** The members that wait to read. */
  readonly waitingReaders: readonly Waiter[];
  /** How often a member had to wait to read, or for its turn to write (wraps at 2^32); not for readers to leave. */
  readonly contended: number;
  /** How many members died writing. */
  readonly takeovers: number;
}

/** @internal How the lock at a word index is. */
export function rwLockStatistics(member: Member, base: number): RwLockStatistics {
  const { segment, slotsUsed, geometry } = member;
  const shared = segment.words;
  const readers: RwLockReader[] = [];
  let contended = words.load(shared, base + RWLOCK_WORD.lastTurn);
  for (let slot = 0; slot < slotsUsed; slot++) {
    contended += words.read(shared, countWord(base, slot) + READER_WORD.waits);
    const count = words.load(shared, countWord(base, slot)) >>> 0;
    if (count === 0) continue;
    const possessions = words.load(shared, countWord(base, slot) + READER_WORD.possessions);
    const since = isOdd(possessions) ? momentOf(segment, foundReading(base, slot), possessions) : undefined;
    readers.push({ slot, count, ...(since === undefined ? {} : { since: new Date(since) }) });
  }
  const gate = words.load(shared, base + RWLOCK_WORD.gate);
  const owner = ownerOf(member, base);
  const grants = words.load(shared, base + RWLOCK_WORD.grants);
  const inTurn = new Turns(member, base, base + RWLOCK_WORD.turns).inOrder();
  const closer = gate - 1;
  const isEntering = closer >= 0 && closer < geometry.maxMembers && inSet(segment, lockWaiters(base), closer);
  const writers = isEntering ? [closer, ...inTurn.filter((slot) => slot !== closer)] : inTurn;
  return {
    readers,
    writer: (gate & GATE_ENTERED) === 0 ? undefined : (gate & (GATE_ENTERED - 1)) - 1,
    owner: owner < 0 ? undefined : owner,
    heldSince:
      owner >= 0 && isOdd(grants)
        ? earliestOf(segment, slotsUsed, (slot) => foundGrant(base, slot), grants)
        : undefined,
    waitingWriters: waitersOf(member, writers, writingTimes(base)),
    waitingReaders: waitersIn(member, base + RWLOCK_WORD.waiting, readingTimes(base)),
    contended: contended >>> 0,
    takeovers: takeovers(member, base),
  };
}
