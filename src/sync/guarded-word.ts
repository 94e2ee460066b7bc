import * as words from "#words";
import type { ObjectPlace } from "../heap/object-kind.js";
import { Phase } from "../layout/member-slot.js";
import { blockedOnLock, isOwnedBy, tryLock, unlock } from "../locking/robust-lock.js";
import type { Blocked, Member } from "../members/member.js";
import { ownWordStored } from "./own-word.js";

/** A word that is changed by one store under a lock, and read without: nobody ever sees a change that is undone. */
export interface GuardedWord {
  readonly member: Member;
  /** Directory entry of its object. */
  readonly entry: number;
  /** Word index of the lock. */
  readonly lock: number;
  /** Word index of the word. */
  readonly word: number;
  /** Member set of those who wait for a change. */
  readonly waiters: number;
}

/**
 * One attempt to change the word to what `next` answers for the old value; undefined: wait. `done` runs after the lock was
 * released, within the operation. Answers the old value.
 */
export function updateGuarded(
  { member, entry, lock, word, waiters }: GuardedWord,
  code: number,
  next: (old: number) => number | undefined,
  done: () => void,
): number | Blocked {
  const shared = member.segment.words;
  member.begin(code, entry);
  try {
    if (!tryLock(member, lock)) return blockedOnLock(member, lock);
    const old = words.read(shared, word);
    const value = next(old);
    if (value === undefined) {
      unlock(member, lock);
      return member.blocked(waiters);
    }
    words.write(shared, member.argument, value);
    member.critical(0);
    // SYNC POINT: the change is this store; argument and the operation word are visible with it
    words.store(shared, word, value);
    member.committed();
    unlock(member, lock);
    done();
    member.end();
    return old;
  } catch (error) {
    return member.failed(error);
  }
}

/** Whether an update took effect; the lock is the object's first word, `word` counts from there. */
export function guardedTookEffect({ member, base }: ObjectPlace, slot: number, phase: number, word: number): boolean {
  if (phase !== Phase.critical) return false;
  return !isOwnedBy(member, base, slot) || ownWordStored(member, slot, base + word);
}
