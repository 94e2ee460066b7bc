import * as words from "#words";
import { native } from "../native/addon.js";
import { LABEL_BYTES, OPERATIONS, operationCode, SlotState, type OperationName } from "../layout/member-slot.js";
import { LOCK_BASE } from "../layout/region-header.js";
import type { Segment } from "../memory/segment.js";
import type { Member } from "./member.js";
import { SLOT, slotWord, type Geometry } from "./region-words.js";

/** A member as its slot shows it. */
export interface MemberInfo {
  /** Its place in the member table, 0 to maxMembers - 1; `region.slot` is one's own. */
  readonly slot: number;
  /** How often that place was taken, this time included: with `slot` it names one member for ever. */
  readonly generation: number;
  /** Process id in the member's own PID namespace, for people. */
  readonly pid: number;
  /** Its thread's number in the kernel (gettid(2)): that of a main thread is the pid. */
  readonly threadId: number;
  /** The label it gave itself, by default the name of its script. */
  readonly label: string;
  /** When it joined, by the system's clock. */
  readonly joinedAt: Date;
  /** Whether its liveness byte is locked; a dead member's slot is freed by whoever recovers it. */
  readonly alive: boolean;
  /** What it did last, or does now. */
  readonly operation: OperationName;
}

type Identity = Pick<MemberInfo, "slot" | "pid" | "label">;

function readIdentity(segment: Segment, geometry: Geometry, slot: number): Identity {
  const base = slotWord(geometry, slot);
  const labelBytes = Math.min(words.read(segment.words, base + SLOT.labelBytes) >>> 0, LABEL_BYTES);
  return {
    slot,
    pid: words.read(segment.words, base + SLOT.pid),
    label: Buffer.from(words.copy(segment, base * 4 + SLOT.label, labelBytes)).toString(),
  };
}

/** How messages call a member. */
export const memberText = ({ slot, pid, label }: Identity): string => `member ${slot} (pid ${pid}, ${label})`;

/** The same of the member of a slot; of one that is not there any more, or never was, the slot is known alone. */
export function memberName({ segment, geometry }: Pick<Member, "segment" | "geometry">, slot: number): string {
  const isThere =
    slot < geometry.maxMembers && words.load(segment.words, slotWord(geometry, slot) + SLOT.state) !== SlotState.free;
  return isThere ? memberText(readIdentity(segment, geometry, slot)) : `member ${slot}`;
}

/** More are counted in messages, not named. */
const MOST_NAMED = 3;

/** The same of several, undefined when there is none; those of which only the number is known count as `others`. */
export function memberNames(member: Member, slots: readonly number[], others = 0): string | undefined {
  const named = slots.slice(0, MOST_NAMED).map((slot) => memberName(member, slot));
  const more = slots.length - named.length + others;
  if (named.length === 0) return undefined;
  return named.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

/** The member of a slot, undefined when nobody has it; `self` is the caller's slot, or -1. */
export function readMember(
  segment: Segment,
  geometry: Geometry,
  descriptor: number,
  self: number,
  slot: number,
): MemberInfo | undefined {
  const base = slotWord(geometry, slot);
  if (words.load(segment.words, base + SLOT.state) === SlotState.free) return undefined;
  return {
    ...readIdentity(segment, geometry, slot),
    generation: words.read(segment.words, base + SLOT.generation) >>> 0,
    threadId: words.read(segment.words, base + SLOT.threadId),
    joinedAt: new Date(words.readFloat(segment.floats, base / 2 + SLOT.joinedAt)),
    alive: slot === self || native.probe(descriptor, LOCK_BASE + 1 + slot, 1) === 1,
    operation: OPERATIONS[operationCode(words.load(segment.words, base + SLOT.operation))] ?? "none",
  };
}

/** The members of a region; `self` is the caller's slot, or -1. */
export function readMembers(segment: Segment, geometry: Geometry, descriptor: number, self: number): MemberInfo[] {
  const slots = Array.from({ length: geometry.maxMembers }, (_, slot) => slot);
  return slots.flatMap((slot) => readMember(segment, geometry, descriptor, self, slot) ?? []);
}
