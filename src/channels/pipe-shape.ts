import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { PAGE_WORDS, type PageHeap } from "../heap/page-heap.js";
import { LEASE_HEADER_BYTES, PIPE_BYTES, RECORD_HEADER_BYTES } from "../layout/pipe.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import type { Member } from "../members/member.js";
import { PIPE_WORD } from "./pipe-words.js";

/** Geometry of a pipe, read once and checked, so that no later access can leave its block. */
export interface PipeShape {
  /** Word index of the pipe. */
  readonly base: number;
  readonly capacity: number;
  readonly ringUnits: number;
  readonly inlineLimit: number;
  readonly maxLeased: number;
  /** Words of a lease slot. */
  readonly leaseWords: number;
  /** Word indexes. */
  readonly ring: number;
  readonly leases: number;
}

export function readShape(member: Member, heap: PageHeap, page: number, address: string): PipeShape {
  const shared = member.segment.words;
  const base = page * PAGE_WORDS;
  const field = (word: number): number => words.read(shared, base + word) >>> 0;
  const shape = {
    base,
    capacity: field(PIPE_WORD.capacity),
    ringUnits: field(PIPE_WORD.ringUnits),
    inlineLimit: field(PIPE_WORD.inlineLimit),
    maxLeased: field(PIPE_WORD.maxLeased),
    leaseWords: field(PIPE_WORD.leaseBytes) / 4,
    ring: base + field(PIPE_WORD.ringOffset) / 4,
    leases: base + field(PIPE_WORD.leaseOffset) / 4,
  };
  const ringOffset = PIPE_BYTES + shape.maxLeased * shape.leaseWords * 4;
  const sane =
    shape.capacity >= 1 &&
    shape.leaseWords % 16 === 0 &&
    shape.leaseWords * 4 >= LEASE_HEADER_BYTES + shape.inlineLimit &&
    field(PIPE_WORD.leaseOffset) === PIPE_BYTES &&
    field(PIPE_WORD.ringOffset) === ringOffset &&
    Number.isInteger(Math.log2(shape.ringUnits)) &&
    shape.ringUnits * 8 >= (shape.capacity + 1) * (shape.inlineLimit + RECORD_HEADER_BYTES) &&
    ringOffset + shape.ringUnits * 8 <= heap.pagesOf(page) * PAGE_BYTES;
  if (!sane)
    throw new ShmkitError("ERR_CORRUPT", `the pipe ${address} has impossible dimensions; remove it`, { path: address });
  return shape;
}
