import * as words from "#words";
import type { Member } from "./member.js";
import { HEADER } from "./region-words.js";

/** The members of this very thread, of whatever region: each thread loads modules of its own. */
const here = new Set<Member>();

/** From here on, who waits in this thread can tell that this member cannot go on meanwhile. */
export const joinedHere = (member: Member): unknown => here.add(member);
export const leftHere = (member: Member): unknown => here.delete(member);

/**
 * Whether a slot belongs to another member of this thread, since the region was opened here more than once. Process and thread
 * ids would not tell: those of another container may be the same.
 */
export function isOfThisThread(member: Member, slot: number): boolean {
  if (here.size < 2) return false;
  for (const other of here)
    if (other !== member && other.slot === slot && !other.closed && isSameRegion(member, other)) return true;
  return false;
}

const isSameRegion = ({ segment: { words: one } }: Member, { segment: { words: other } }: Member): boolean =>
  [HEADER.epoch, HEADER.epoch + 1].every((word) => words.read(one, word) === words.read(other, word));
