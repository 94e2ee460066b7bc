import * as words from "#words";
import type { ObjectRef } from "../heap/object-plan.js";
import { PAGE_WORDS } from "../heap/page-heap.js";
import type { Kind } from "../layout/heap.js";
import { operationPhase, Phase } from "../layout/member-slot.js";
import { GATE_ENTERED } from "../layout/rwlock.js";
import { lockWaiters, ownerOf } from "../locking/robust-lock.js";
import type { Member } from "../members/member.js";
import { timeIndex, type TimesBySlot } from "../members/wait-times.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { MUTEX_WORD, mutexTimes } from "./mutex-statistics.js";
import { countWord, READER_WORD, readingTimes, RWLOCK_WORD, writingTimes } from "./rwlock-words.js";
import { SEMAPHORE_WORD, semaphoreTimes } from "./semaphore-words.js";
import { Turns } from "./turns.js";

/** A member that alone keeps another one waiting. */
export interface Keeper {
  readonly slot: number;
  /** Nothing is held by it: it waits at the same object itself, before the other one. */
  readonly byWaiting: boolean;
}

/**
 * Where members wait for what others have, as the words of the object alone say it. They may be damaged.
 *
 * They are read piece by piece, while others change them. So each thing that lasts has a number of its own in them: what
 * answers the same number as a look before has lasted from then on, until the moment in which this look found it. For that,
 * the numbers are read behind what they are of.
 */
export interface WaitPoint {
  /** Name of the object. */
  readonly name: string;
  /** Word index of the object. */
  readonly base: number;
  /** Member set of those who wait here. */
  readonly set: number;
  /** Who keeps the member of a slot waiting. */
  keepers(waiter: number): readonly Keeper[];
  /** The number of what one of them keeps the waiter waiting with; undefined when it cannot be told just now. */
  keeping(keeper: number, waiter: number): string | undefined;
  /** The number of the wait of a slot's member; undefined when it does not wait. */
  waiting(slot: number): string | undefined;
  /** Whether a member waits here with what it has here, until it is alone. */
  keepsOut?(slot: number): boolean;
  /** When the member of a slot began to wait, in milliseconds since 1970. */
  since(slot: number): number;
}

const having = (slot: number): Keeper => ({ slot, byWaiting: false });
const before = (slot: number): Keeper => ({ slot, byWaiting: true });
const sinceIn =
  ({ segment }: Member, times: TimesBySlot) =>
  (slot: number): number =>
    words.readFloat(segment.floats, timeIndex(times, slot));
const isOdd = (count: number): boolean => (count & 1) === 1;

/** Waits for the mutex at a word index. */
export const mutexPoint = (member: Member, name: string, base: number): WaitPoint => {
  const since = sinceIn(member, mutexTimes(base));
  return {
    name,
    base,
    set: lockWaiters(base),
    keepers: () => [having(ownerOf(member, base))],
    // Whoever is in the middle of taking it has not counted that yet.
    keeping: (keeper) =>
      isInOperation(member, keeper)
        ? undefined
        : `m${words.load(member.segment.words, base + MUTEX_WORD.acquisitions)}`,
    waiting: (slot) => `m${since(slot)}`,
    since,
  };
};

function isInOperation({ segment, geometry }: Member, slot: number): boolean {
  const phase = operationPhase(words.load(segment.words, slotWord(geometry, slot) + SLOT.operation));
  return phase === Phase.begun || phase === Phase.critical;
}

/** The readers–writer lock at a word index, as those who wait for it see it. */
class RwLockView {
  constructor(
    private readonly member: Member,
    private readonly base: number,
  ) {}

  private word(word: number): number {
    return words.load(this.member.segment.words, this.base + word);
  }
  get owner(): number {
    return ownerOf(this.member, this.base);
  }
  /** Slot of the member that closed the gate, -1 while it is open. */
  get closer(): number {
    return (this.word(RWLOCK_WORD.gate) & (GATE_ENTERED - 1)) - 1;
  }
  /** Whether nobody reads, and somebody writes. */
  get isEntered(): boolean {
    return (this.word(RWLOCK_WORD.gate) & GATE_ENTERED) !== 0;
  }
  /** Whether the member waits as the owner, with the gate closed, until nobody reads. */
  isEntering(slot: number): boolean {
    return this.word(RWLOCK_WORD.gate) === slot + 1;
  }
  get readers(): number[] {
    return slotsWith(this.member, (slot) => (this.isReading(slot) ? 1 : 0));
  }
  isReading(slot: number): boolean {
    return isOdd(this.possession(slot));
  }
  private possession(slot: number): number {
    return words.load(this.member.segment.words, countWord(this.base, slot) + READER_WORD.possessions);
  }

  /** The number of the guard that has the lock, undefined while none has. */
  get guard(): string | undefined {
    const grants = this.word(RWLOCK_WORD.grants);
    return isOdd(grants) ? `g${grants}` : undefined;
  }
  /** The number of the gate's closing. */
  get closing(): string {
    return `c${this.word(RWLOCK_WORD.closings)}`;
  }
  reading(slot: number): string {
    return `p${this.possession(slot)}`;
  }
  readingWait(slot: number): string {
    return `r${words.load(this.member.segment.words, countWord(this.base, slot) + READER_WORD.waits)}`;
  }
  turn(slot: number): number {
    return this.word(RWLOCK_WORD.turns + slot);
  }
}

/** Waits to write, for an upgradable hold, or to go on from that, on the readers–writer lock at a word index. */
export const writePoint = (member: Member, name: string, base: number): WaitPoint => {
  const lock = new RwLockView(member, base);
  return {
    name,
    base,
    set: lockWaiters(base),
    keepers(waiter) {
      const { owner } = lock;
      if (owner === waiter) return lock.isEntering(waiter) ? lock.readers.map(having) : [];
      // A guard that is being upgraded waits for nothing else.
      if (lock.isEntering(owner)) return [before(owner)];
      return lock.guard === undefined ? [] : [having(owner)];
    },
    keeping(keeper, waiter) {
      if (lock.isEntering(waiter)) return lock.closing + lock.reading(keeper);
      return lock.isEntering(keeper) ? lock.closing : lock.guard;
    },
    waiting: (slot) => (lock.isEntering(slot) ? lock.closing : nonZero("t", lock.turn(slot))),
    keepsOut: (slot) => lock.isEntering(slot),
    since: sinceIn(member, writingTimes(base)),
  };
};

/** Waits to read. */
export const readPoint = (member: Member, name: string, base: number): WaitPoint => {
  const lock = new RwLockView(member, base);
  return {
    name,
    base,
    set: base + RWLOCK_WORD.waiting,
    keepers(waiter) {
      const { closer } = lock;
      // One that reads already is let in: see RwLock.
      if (lock.isReading(waiter)) return [];
      return [lock.isEntered ? having(closer) : before(closer)];
    },
    keeping: () => (lock.isEntered ? lock.guard : lock.closing),
    waiting: (slot) => lock.readingWait(slot),
    since: sinceIn(member, readingTimes(base)),
  };
};

/**
 * Waits for leases of the semaphore at a word index: for who comes first, and that one for the permits that it has not
 * found. Only of a semaphore whose permits nobody posts or takes for good, and which one member has: of what several
 * have, any could come back.
 */
export const leasePoint = (member: Member, name: string, base: number): WaitPoint => {
  const turns = new Turns(member, base, base + SEMAPHORE_WORD.turns);
  const word = (word: number): number => words.load(member.segment.words, base + word);
  const turn = (slot: number): string | undefined => nonZero("t", turns.of(slot));
  return {
    name,
    base,
    set: base + SEMAPHORE_WORD.waiters,
    keepers(waiter) {
      const first = turns.first();
      if (first !== waiter) return [before(first)];
      if (word(SEMAPHORE_WORD.wantedTurn) !== turns.of(waiter) || word(SEMAPHORE_WORD.taken) !== 0) return [];
      if (slotsWith(member, (slot) => word(SEMAPHORE_WORD.posted + slot)).length > 0) return [];
      const [slot, ...others] = slotsWith(member, (slot) => word(SEMAPHORE_WORD.held + slot));
      if (slot === undefined || others.length > 0) return [];
      const available = word(SEMAPHORE_WORD.permits) - word(SEMAPHORE_WORD.held + slot);
      return available < word(SEMAPHORE_WORD.wanted) ? [having(slot)] : [];
    },
    // As long as the waiter is the first nobody takes any.
    keeping: (keeper, waiter) => {
      const what = [turn(waiter), turn(keeper), word(SEMAPHORE_WORD.wanted), word(SEMAPHORE_WORD.held + keeper)];
      return (turns.first() === waiter ? what : what.slice(0, 2)).join(":");
    },
    waiting: turn,
    since: sinceIn(member, semaphoreTimes(base)),
  };
};

const nonZero = (what: string, number: number): string | undefined => (number === 0 ? undefined : `${what}${number}`);

function slotsWith({ slotsUsed }: Member, wordOf: (slot: number) => number): number[] {
  const slots = [];
  for (let slot = 0; slot < slotsUsed; slot++) if (wordOf(slot) !== 0) slots.push(slot);
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
