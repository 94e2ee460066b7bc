import * as words from "#words";
import { native } from "../native/addon.js";
import { LABEL_BYTES, OPERATIONS, operationCode, SlotState, type OperationName } from "../layout/member-slot.js";
import { LOCK_BASE } from "../layout/region-header.js";
import type { Segment } from "../memory/segment.js";
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
  const labelBytes = Math.min(words.read(segment.words, base + SLOT.labelBytes) >>> 0, LABEL_BYTES);
  return {
    slot,
    generation: words.read(segment.words, base + SLOT.generation) >>> 0,
    pid: words.read(segment.words, base + SLOT.pid),
    threadId: words.read(segment.words, base + SLOT.threadId),
    label: Buffer.from(words.copy(segment, base * 4 + SLOT.label, labelBytes)).toString(),
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
