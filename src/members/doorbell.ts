import * as words from "#words";
import { native } from "../native/addon.js";
import { Armed, SlotState } from "../layout/member-slot.js";
import type { Member } from "./member.js";
import { isEmptySet, membersOf } from "./member-set.js";
import { SLOT, slotWord } from "./region-words.js";

/**
 * Ringing. Whoever changed an object looks at its member set, picks a member and, if that is armed, adds 1 to its
 * doorbell and wakes the sleepers it armed for. Only a member takes itself out of a set and disarms itself: a ringer that
 * is stopped in the middle then keeps nobody from being rung by the next one.
 */

function ring(member: Member, slot: number, mask: number): number {
  const bell = slotWord(member.geometry, slot) + SLOT.bell;
  const rung = words.add(member.segment.words, bell, 1) + 1;
  native.wake(member.segment.id, bell * 4, mask);
  return rung | 0;
}

/**
 * Rings a member that is armed, unless this member has rung it since it armed: it is waking up, and will look at the object
 * after arming anew. Only a ring of one's own counts, since another ringer may be stopped before its wake. Whether it rang.
 */
export function ringMember(member: Member, slot: number): boolean {
  if (slot >= member.geometry.maxMembers) return false;
  const base = slotWord(member.geometry, slot);
  const shared = member.segment.words;
  // Behind the load that found the member in a set: whoever arms after that looks at the object after that, too.
  const armed = words.read(shared, base + SLOT.armed);
  const sleepers = armed & Armed.mask;
  if (sleepers === 0) return false;
  if (member.rungArmed[slot] === armed && member.rungBell[slot] === words.read(shared, base + SLOT.bell)) return false;
  const bell = ring(member, slot, sleepers);
  member.rungArmed[slot] = armed;
  member.rungBell[slot] = bell;
  return true;
}

/** Rings a member whether it is armed or not: its event loop then looks after an operation it was cut off in. */
export function ringAwake(member: Member, slot: number): void {
  if (slot < member.geometry.maxMembers) ring(member, slot, -1);
}

/**
 * Rings one armed member of the set, another one each time. Members that are not armed are awake and will look by
 * themselves, but perhaps not soon. Call after a sequentially consistent store or read-modify-write. Whether any is in the set.
 */
export function ringOne(member: Member, set: number): boolean {
  // SYNC POINT: pairs with enterSet followed by the re-check, in waits.ts
  if (isEmptySet(member.segment, set, member.geometry.setWords)) return false;
  ringOneOf(member, set);
  return true;
}

function ringOneOf(member: Member, set: number): void {
  const slots = membersOf(member.segment, set, member.geometry.setWords);
  const first = member.rotation++;
  for (let i = 0; i < slots.length; i++) if (ringMember(member, slots[(first + i) % slots.length])) return;
}

/** Rings every member of the set. */
export function ringAll(member: Member, set: number): void {
  const { setWords } = member.geometry;
  if (isEmptySet(member.segment, set, setWords)) return;
  for (const slot of membersOf(member.segment, set, setWords)) ringMember(member, slot);
}

/** Rings every attached member, this one included. */
export function ringEverybody(member: Member): void {
  for (let slot = 0; slot < member.geometry.maxMembers; slot++)
    if (words.load(member.segment.words, slotWord(member.geometry, slot) + SLOT.state) !== SlotState.free)
      ringAwake(member, slot);
}
