import * as words from "#words";
import type { PageHeap } from "../heap/page-heap.js";
import { BLOCK_REFERENCE_BYTES, COPY_BYTES, IN_BLOCK, LeaseState, RecordKind } from "../layout/pipe.js";
import type { Member } from "../members/member.js";
import { LeaseTable } from "./lease-table.js";
import { readShape, type PipeShape } from "./pipe-shape.js";
import { PIPE_WORD } from "./pipe-words.js";

/**
 * Frees the blocks of the messages in a removed pipe that nobody has open, before the pipe's own block goes. The caller
 * holds the directory lock. Whoever dies here has freed some of them: the next one begins anew, and knows by its
 * generation which block is still the message's. What is corrupt is left where it is.
 */
export function freeMessages(member: Member, heap: PageHeap, page: number): void {
  let shape: PipeShape;
  try {
    shape = readShape(member, heap, page, "");
  } catch {
    return;
  }
  const leases = new LeaseTable(member, heap, shape, "");
  for (let i = 0; i < shape.maxLeased; i++)
    if (leases.stateCode(i) !== LeaseState.free && leases.page(i) !== 0)
      heap.freeIfSame(leases.page(i), leases.generation(i));
  freeRecords(member, heap, shape);
}

function freeRecords(
  member: Member,
  heap: PageHeap,
  { base, ring, ringUnits, capacity, inlineLimit }: PipeShape,
): void {
  const shared = member.segment.words;
  const received = words.load(shared, base + PIPE_WORD.received);
  const count = Math.min((words.load(shared, base + PIPE_WORD.sent) - received) >>> 0, capacity);
  let position = words.read(shared, base + ((received & 1) * COPY_BYTES) / 4 + PIPE_WORD.headPosition);
  for (let i = 0; i < count; i++) {
    let unit = position & (ringUnits - 1);
    if ((words.read(shared, ring + unit * 2 + 1) & 0xff) === RecordKind.wrap) {
      position += ringUnits - unit;
      unit = 0;
    }
    const record = ring + unit * 2;
    const length = words.read(shared, record) >>> 0;
    const inBlock = (words.read(shared, record + 1) & IN_BLOCK) !== 0;
    if (!inBlock && length > inlineLimit) return;
    if (inBlock) heap.freeIfSame(words.read(shared, record + 2) >>> 0, words.read(shared, record + 3));
    position += 1 + (((inBlock ? BLOCK_REFERENCE_BYTES : length) + 7) >>> 3);
  }
}
