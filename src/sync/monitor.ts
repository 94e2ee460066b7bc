import * as words from "#words";
import type { ObjectPlace } from "../heap/object-kind.js";
import { NamedObject, type ObjectContext } from "../heap/named-object.js";
import type { ObjectRef } from "../heap/object-plan.js";
import { Phase } from "../layout/member-slot.js";
import { MONITOR, MONITOR_JOURNAL } from "../layout/monitor.js";
import { commit, journalIsEmpty, journalledWrite, undo, type Journal } from "../locking/journal.js";
import {
  blockedOnLock,
  freeDead,
  freeOwn,
  isFree,
  isOwnedBy,
  lockWaiters,
  tryLock,
  unlock,
} from "../locking/robust-lock.js";
import { BLOCKED, type Blocked } from "../members/member.js";

const at = MONITOR.at;

/** The journal of the monitor at a word index; `count` words of the object may be changed through it. */
const monitorJournal = (shared: words.Words, base: number, count: number): Journal => ({
  shared,
  entries: base + (at.journalEntries >> 2),
  pairs: base + (at.journal >> 2),
  capacity: MONITOR_JOURNAL,
  guarded: base,
  count,
});

/**
 * An object of several words, changed under one internal lock with an undo journal: an operation takes effect as a whole,
 * at the one store that empties the journal. No user code runs and nobody waits while the lock is held.
 */
export abstract class MonitorObject extends NamedObject {
  private readonly journal: Journal;
  private blockedSet = 0;
  private blockedBehind = 0;
  private blockedUntil = Number.POSITIVE_INFINITY;

  /** @internal @param sizeBytes of the object, from its first word */
  constructor(context: ObjectContext, ref: ObjectRef, sizeBytes: number) {
    super(context, ref);
    this.journal = monitorJournal(this.words, this.base, sizeBytes >> 2);
  }

  /**
   * One attempt of an operation: `act` looks at the object and changes it by {@link write}, under the lock. It answers a
   * result, or `this.waitIn(set)` to wait in a member set of the object; what it wrote stands in either case. What throws
   * in it is undone. `done` runs after the lock was released, within the operation: it rings those whom the change concerns.
   */
  protected attempt<T>(code: number, act: () => T | Blocked, done?: () => void): T | Blocked {
    this.check();
    const { member, base, journal } = this;
    member.begin(code, this.entry);
    try {
      if (!tryLock(member, base)) return blockedOnLock(member, base);
      const result = act();
      if (result === BLOCKED) {
        commit(journal);
        unlock(member, base);
        return member.blocked(this.blockedSet, this.blockedBehind, this.blockedUntil);
      }
      // From here on the journal says whether it took effect; before, nothing has.
      member.critical(0);
      commit(journal);
      member.committed();
      unlock(member, base);
      done?.();
      member.end();
      return result;
    } catch (error) {
      return member.failed(error);
    }
  }

  /**
   * Ends an attempt's `act` that has to wait. Word index of the member set, from the object's first word; slot of the member
   * that goes first, if it waits for that one; when to try again although nobody rang, by {@link now}.
   */
  protected waitIn(set: number, behind = -1, until = Number.POSITIVE_INFINITY): Blocked {
    this.blockedSet = this.base + set;
    this.blockedBehind = behind + 1;
    this.blockedUntil = until;
    return BLOCKED;
  }

  /** A word of the object, by its index from the object's first. */
  protected read(word: number): number {
    return words.read(this.words, this.base + word);
  }

  /** Changes a word of the object; only within an attempt's `act`. */
  protected write(word: number, value: number): void {
    if (words.read(this.words, this.base + word) !== value) journalledWrite(this.journal, word, value);
  }

  /** Whether the internal lock is free: what `remains` of a Waitable asks about the lock's own waiters. */
  protected get lockIsFree(): boolean {
    return isFree(this.member, this.base);
  }

  /** Word index of those who wait for the internal lock. */
  protected get lockSet(): number {
    return lockWaiters(this.base);
  }
}

/** Whether an operation on a monitor took effect. */
export function monitorTookEffect({ member, base }: ObjectPlace, slot: number, phase: number): boolean {
  if (phase !== Phase.critical) return false;
  return !isOwnedBy(member, base, slot) || journalIsEmpty(monitorJournal(member.segment.words, base, 0));
}

/** Undoes what a dead member had begun, gives back what it held by `giveBack`, and frees the lock. */
export function releaseMonitor(place: ObjectPlace, slot: number, sizeBytes: number, giveBack: () => void): void {
  const { member, base } = place;
  if (isOwnedBy(member, base, slot)) undo(monitorJournal(member.segment.words, base, sizeBytes >> 2));
  giveBack();
  freeDead(member, base, slot);
}

/** Undoes what this member had begun when it was cut off, and frees the lock. */
export function releaseOwnMonitor({ member, base }: ObjectPlace, sizeBytes: number): void {
  if (isOwnedBy(member, base, member.slot)) undo(monitorJournal(member.segment.words, base, sizeBytes >> 2));
  freeOwn(member, base);
}
