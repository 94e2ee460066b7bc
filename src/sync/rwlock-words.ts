import * as words from "#words";
import { RWLOCK, RWLOCK_BYTES, RWLOCK_READER, RWLOCK_READER_BYTES, GATE_ENTERED } from "../layout/rwlock.js";
import { ownerOf, takeovers } from "../locking/robust-lock.js";
import type { Member } from "../members/member.js";
import { membersOf } from "../members/member-set.js";
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
}

/** How a readers–writer lock is now. */
export interface RwLockStatistics {
  /** Members that read. */
  readonly readers: readonly RwLockReader[];
  /** Slot of the member that writes; undefined while nobody does. */
  readonly writer: number | undefined;
  /** Slot of the member that holds it upgradable, or is the first to write and waits until nobody reads. */
  readonly owner: number | undefined;
  /** Slots of the members that wait to write or for an upgradable hold, the one whose turn it is first. */
  readonly waitingWriters: readonly number[];
  /** Slots of the members that wait to read. */
  readonly waitingReaders: readonly number[];
  /** How often a member had to wait to read, or for its turn to write (wraps at 2^32); not for readers to leave. */
  readonly contended: number;
  /** How many members died writing. */
  readonly takeovers: number;
}

/** @internal How the lock at a word index is. */
export function rwLockStatistics(member: Member, base: number): RwLockStatistics {
  const shared = member.segment.words;
  const readers: RwLockReader[] = [];
  let contended = words.load(shared, base + RWLOCK_WORD.lastTurn);
  for (let slot = 0; slot < member.slotsUsed; slot++) {
    contended += words.read(shared, countWord(base, slot) + READER_WORD.waits);
    const count = words.load(shared, countWord(base, slot)) >>> 0;
    if (count !== 0) readers.push({ slot, count });
  }
  const gate = words.load(shared, base + RWLOCK_WORD.gate);
  const owner = ownerOf(member, base);
  return {
    readers,
    writer: (gate & GATE_ENTERED) === 0 ? undefined : (gate & (GATE_ENTERED - 1)) - 1,
    owner: owner < 0 ? undefined : owner,
    waitingWriters: new Turns(member, base, base + RWLOCK_WORD.turns).inOrder(),
    waitingReaders: membersOf(member.segment, base + RWLOCK_WORD.waiting, member.geometry.setWords),
    contended: contended >>> 0,
    takeovers: takeovers(member, base),
  };
}
