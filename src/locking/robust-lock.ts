import * as words from "#words";
import { LOCK } from "../layout/lock.js";
import { ringOne } from "../members/doorbell.js";
import { memberName } from "../members/member-info.js";
import type { Blocked, Member } from "../members/member.js";

const WAITERS = LOCK.at.waiters >> 2;
const ABANDONED = LOCK.at.abandoned >> 2;
const TAKEOVERS = LOCK.at.takeovers >> 2;

/** The member set of those who wait for the lock. */
export const lockWaiters = (lock: number): number => lock + WAITERS;

/** Takes the lock if it is free. Word index of the lock. */
export function tryLock(member: Member, lock: number): boolean {
  // SYNC POINT: pairs with unlock; what the last owner wrote is visible
  return words.compareExchange(member.segment.words, lock, 0, member.me) === 0;
}

/** Ends an attempt that found the lock taken. */
export function blockedOnLock(member: Member, lock: number): Blocked {
  const blocked: Blocked = member.blocked(lock + WAITERS);
  member.blockedLock = lock;
  return blocked;
}

/** Frees the lock and rings one of those who wait for it; whether anybody does. */
export function unlock(member: Member, lock: number): boolean {
  leaveFree(member, lock);
  return ringOne(member, lock + WAITERS);
}

/** Frees the lock; who is to be rung, the caller says. */
export function leaveFree(member: Member, lock: number): void {
  // SYNC POINT: pairs with tryLock, and with enterSet followed by the re-check of a waiter
  words.store(member.segment.words, lock, 0);
}

export const isFree = (member: Member, lock: number): boolean => words.load(member.segment.words, lock) === 0;

/** Slot of the owner, -1 when free. */
export const ownerOf = (member: Member, lock: number): number => words.load(member.segment.words, lock) - 1;

/** Whether the lock is owned by the member of a slot. */
export const isOwnedBy = (member: Member, lock: number, slot: number): boolean =>
  words.load(member.segment.words, lock) === slot + 1;

/** Frees the lock of a dead member, if it owns it, after its work has been undone; the next owner learns that it was abandoned. */
export function freeDead(member: Member, lock: number, slot: number): void {
  if (!isOwnedBy(member, lock, slot)) return;
  markAbandoned(member, lock);
  // SYNC POINT: the next owner is told; pairs with tryLock
  words.store(member.segment.words, lock, 0);
}

/** Leaves word for the next owner that the one before died; before the lock is freed. */
export function markAbandoned(member: Member, lock: number): void {
  words.add(member.segment.words, lock + TAKEOVERS, 1);
  words.write(member.segment.words, lock + ABANDONED, 1);
}

/** Frees a lock that this member holds since it was cut off. */
export function freeOwn(member: Member, lock: number): void {
  if (isOwnedBy(member, lock, member.slot)) words.store(member.segment.words, lock, 0);
}

/** Whether the last owner died with it, and nobody has been told. Call as the owner. */
export const isAbandoned = (member: Member, lock: number): boolean =>
  words.read(member.segment.words, lock + ABANDONED) !== 0;

/** The owner is being told. Call when nothing else is left to be done: cut off before, the next owner is told. */
export function toldAbandoned(member: Member, lock: number): void {
  words.write(member.segment.words, lock + ABANDONED, 0);
}

export const takeovers = (member: Member, lock: number): number =>
  words.load(member.segment.words, lock + TAKEOVERS) >>> 0;

/** Who holds the lock, for messages. */
export function holderOf(member: Member, lock: number): string | undefined {
  const owner = ownerOf(member, lock);
  return owner < 0 ? undefined : memberName(member, owner);
}
