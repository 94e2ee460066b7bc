import * as words from "#words";
import type { CutOff, ObjectKind, ObjectPlace } from "../heap/object-kind.js";
import { LeaseState } from "../layout/pipe.js";
import { Op, Phase } from "../layout/member-slot.js";
import { freeDead, freeOwn, lockWaiters } from "../locking/robust-lock.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { LeaseTable } from "./lease-table.js";
import { freeMessages } from "./pipe-remains.js";
import { readShape, type PipeShape } from "./pipe-shape.js";
import { readPipeStatistics, type PipeStatistics } from "./pipe-statistics.js";
import { PIPE_WORD } from "./pipe-words.js";

/** Undefined for a pipe whose dimensions are corrupt: there is nothing to save in it. */
function shapeOf({ member, heap, page }: ObjectPlace): PipeShape | undefined {
  try {
    return readShape(member, heap, page, "");
  } catch {
    return undefined;
  }
}

const leasesOf = ({ member, heap }: ObjectPlace, shape: PipeShape): LeaseTable =>
  new LeaseTable(member, heap, shape, "");

function leaseTookEffect(place: ObjectPlace, slot: number, code: number, moved: () => boolean): boolean {
  const shape = shapeOf(place);
  if (shape === undefined) return false;
  const { member } = place;
  const leases = leasesOf(place, shape);
  const index = words.read(member.segment.words, slotWord(member.geometry, slot) + SLOT.argument) >>> 0;
  if (index >= shape.maxLeased) return false;
  const held = leases.isHeldBy(index, slot);
  if (code === Op["pipe.lease"]) {
    const took = moved();
    // Held for a record that is still in the ring: discard the slot, the record stays.
    if (!took && held) leases.setState(index, LeaseState.free, 0);
    return took;
  }
  if (code === Op["pipe.lease-returned"]) return held;
  if (code === Op["pipe.receive-returned"]) return leases.stateCode(index) === LeaseState.free;
  return !held;
}

function returnLeases(place: ObjectPlace, slot: number): void {
  const shape = shapeOf(place);
  if (shape === undefined) return;
  const leases = leasesOf(place, shape);
  for (let i = 0; i < shape.maxLeased; i++) if (leases.isHeldBy(i, slot)) leases.setState(i, LeaseState.returned, 0);
}

/** What leases are back, receivers find out by looking. */
function hintReturned({ member, base }: ObjectPlace): void {
  words.store(member.segment.words, base + PIPE_WORD.returnedHint, 1);
}

/** @internal */
export const pipeKind: ObjectKind<{ pipe: PipeStatistics }> = {
  tookEffect(place, slot, { code, phase, nibble }: CutOff) {
    if (phase !== Phase.critical) return false;
    const shared = place.member.segment.words;
    const moved = (counter: number): boolean => (words.load(shared, place.base + counter) & 15) !== nibble;
    if (code === Op["pipe.send"]) return moved(PIPE_WORD.sent);
    if (code === Op["pipe.receive"]) return moved(PIPE_WORD.received);
    if (code === Op["pipe.close"]) return words.load(shared, place.base + PIPE_WORD.closed) !== 0;
    return leaseTookEffect(place, slot, code, () => moved(PIPE_WORD.received));
  },
  release(place, slot) {
    freeDead(place.member, place.base + PIPE_WORD.tailLock, slot);
    returnLeases(place, slot);
    hintReturned(place);
    freeDead(place.member, place.base + PIPE_WORD.headLock, slot);
  },
  releaseOwn(place) {
    freeOwn(place.member, place.base + PIPE_WORD.tailLock);
    hintReturned(place);
    freeOwn(place.member, place.base + PIPE_WORD.headLock);
    return false;
  },
  sets: ({ base }) => [
    lockWaiters(base + PIPE_WORD.tailLock),
    lockWaiters(base + PIPE_WORD.headLock),
    base + PIPE_WORD.notEmpty,
    base + PIPE_WORD.notFull,
    base + PIPE_WORD.drained,
    base + PIPE_WORD.leaseFree,
  ],
  empty: ({ member, heap, page }) => freeMessages(member, heap, page),
  facts({ member, heap, page, address }) {
    const shape = readShape(member, heap, page, address);
    return { pipe: readPipeStatistics(member.segment, shape, member.geometry.setWords) };
  },
};
