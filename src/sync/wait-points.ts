import * as words from "#words";
import type { ObjectRef } from "../heap/directory.js";
import { PAGE_WORDS } from "../heap/page-heap.js";
import type { Kind } from "../layout/heap.js";
import { MONITOR } from "../layout/monitor.js";
import { GATE_ENTERED } from "../layout/rwlock.js";
import { lockWaiters, ownerOf } from "../locking/robust-lock.js";
import type { Member } from "../members/member.js";
import { MUTEX_WORD } from "./mutex-statistics.js";
import { countWord, RWLOCK_WORD } from "./rwlock-words.js";
import { SEMAPHORE_WORD } from "./semaphore-words.js";

/** Where members wait for what others have, as the words of the object alone say it. They may be damaged. */
export interface WaitPoint {
  /** Name of the object. */
  readonly name: string;
  /** Word index of the object. */
  readonly base: number;
  /** Member set of those who wait here. */
  readonly set: number;
  /** Slots of the members of whom each alone keeps a waiter waiting. */
  holders(waiter: number): readonly number[];
  /** The same as long as the member of a slot has it without a break, while somebody waits. */
  stamp(slot: number): string;
  /** Whether a member's wait here is what others wait for at the same object: it comes first, and waits until it is alone. */
  keepsOut?(slot: number): boolean;
  /** When the member of a slot began to wait, in milliseconds since 1970; 0 where nobody notes that. */
  since(slot: number): number;
}

/** Waits for the mutex at a word index. */
export const mutexPoint = (member: Member, name: string, base: number): WaitPoint => ({
  name,
  base,
  set: lockWaiters(base),
  holders: () => [ownerOf(member, base)],
  stamp: () => wordsAt(member, base, [0, MUTEX_WORD.acquisitions]),
  since: (slot) => words.readFloat(member.segment.floats, base / 2 + MUTEX_WORD.waitingSince + slot),
});

/** Waits to write, or to go on from upgradable, on the readers–writer lock at a word index. */
export const writePoint = (member: Member, name: string, base: number): WaitPoint => ({
  ...rwlockPoint(member, name, base),
  set: lockWaiters(base),
  holders: (waiter) => {
    const owner = ownerOf(member, base);
    return owner >= 0 && owner !== waiter ? [owner] : slotsWith(member, (slot) => countWord(base, slot));
  },
  keepsOut: (slot) => words.load(member.segment.words, base + RWLOCK_WORD.gate) === slot + 1,
});

/** Waits to read. */
export const readPoint = (member: Member, name: string, base: number): WaitPoint => ({
  ...rwlockPoint(member, name, base),
  set: base + RWLOCK_WORD.waiting,
  // One that reads already is let in: see RwLock.
  holders: (waiter) =>
    words.load(member.segment.words, countWord(base, waiter)) >>> 0 === 0
      ? [(words.load(member.segment.words, base + RWLOCK_WORD.gate) & (GATE_ENTERED - 1)) - 1]
      : [],
});

/** While somebody waits, the gate and the turns see to it that nobody has it again who has given it back. */
const rwlockPoint = (
  member: Member,
  name: string,
  base: number,
): Pick<WaitPoint, "name" | "base" | "stamp" | "since"> => ({
  name,
  base,
  stamp: (slot) => wordsAt(member, base, [0, RWLOCK_WORD.gate, RWLOCK_WORD.lastTurn, countWord(0, slot)]),
  since: () => 0,
});

/**
 * Waits for leases of the semaphore at a word index. Only of one whose permits nobody posts or takes for good, and which one
 * member has: of what several have, any could come back.
 */
export const leasePoint = (member: Member, name: string, base: number): WaitPoint => ({
  name,
  base,
  set: base + SEMAPHORE_WORD.waiters,
  holders: () => {
    const isPosted = slotsWith(member, (slot) => base + SEMAPHORE_WORD.posted + slot).length > 0;
    if (isPosted || words.load(member.segment.words, base + SEMAPHORE_WORD.taken) >>> 0 !== 0) return [];
    const slots = slotsWith(member, (slot) => base + SEMAPHORE_WORD.held + slot);
    return slots.length === 1 ? slots : [];
  },
  stamp: (slot) => wordsAt(member, base, [MONITOR.at.lastTurn >> 2, SEMAPHORE_WORD.held + slot]),
  since: () => 0,
});

const wordsAt = ({ segment }: Member, base: number, offsets: readonly number[]): string =>
  [base, ...offsets.map((offset) => words.load(segment.words, base + offset))].join(":");

function slotsWith({ segment, slotsUsed }: Member, wordOf: (slot: number) => number): number[] {
  const slots = [];
  for (let slot = 0; slot < slotsUsed; slot++)
    if (words.load(segment.words, wordOf(slot)) >>> 0 !== 0) slots.push(slot);
  return slots;
}

type Point = (member: Member, name: string, base: number) => WaitPoint;
const POINTS: Partial<Record<Kind, readonly Point[]>> = {
  mutex: [mutexPoint],
  rwlock: [writePoint, readPoint],
  semaphore: [leasePoint],
};

/** Where one waits on these objects for what others have. */
export const waitPointsOf = (member: Member, refs: readonly Pick<ObjectRef, "kind" | "name" | "page">[]): WaitPoint[] =>
  refs.flatMap(({ kind, name, page }) => (POINTS[kind] ?? []).map((point) => point(member, name, page * PAGE_WORDS)));
