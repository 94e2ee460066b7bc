import * as words from "#words";
import { wholeNumber } from "../base/arguments.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import { PAGE_WORDS } from "../heap/page-heap.js";
import { LEASE_HEADER_BYTES, PIPE_BYTES, RECORD_HEADER_BYTES } from "../layout/pipe.js";
import type { Member } from "../members/member.js";
import { checkCodec, type MessageCodec } from "./message-codec.js";
import { PIPE_WORD } from "./pipe-words.js";

/** Options of a handle of a pipe: of this process alone, others are not told. */
export interface PipeHandleOptions<T = unknown> {
  /**
   * What makes bytes of its messages, and messages of its bytes: a struct, or whatever has `encode` and `decode`. Default:
   * values travel as MessagePack. The handle keeps it: opened again here, the same must be given, or none.
   */
  codec?: MessageCodec<T>;
}

/** Options of a pipe. Joining an existing pipe, those given must be the same. */
export interface PipeOptions {
  /** Messages the pipe holds before senders wait, 1 to 16,777,216. Default 1024. */
  capacity?: number;
  /** Messages that can be out on lease at a time, 1 to 65,536. Default 256. */
  maxLeased?: number;
}

const RING_BUDGET_BYTES = 240 * 1024;
const SMALLEST_RECORD_BYTES = 128;
const LARGEST_RECORD_BYTES = 512;

/** Bytes a record may take: the ring has room for `capacity` of the largest, so only the count limits a pipe. */
function recordBytes(capacity: number): number {
  const share = Math.floor(RING_BUDGET_BYTES / capacity / 8) * 8;
  return Math.min(LARGEST_RECORD_BYTES, Math.max(SMALLEST_RECORD_BYTES, share));
}

/** Bytes of a lease slot that can take whatever fits the ring. */
const leaseBytesFor = (inlineLimit: number): number => Math.ceil((LEASE_HEADER_BYTES + inlineLimit) / 64) * 64;

/** @internal */
export function pipePlan(member: Member, options: PipeOptions & PipeHandleOptions): ObjectPlan {
  checkCodec(options.codec);
  const capacity = options.capacity === undefined ? 1024 : wholeNumber(options.capacity, "capacity", 1, 2 ** 24);
  const maxLeased = options.maxLeased === undefined ? 256 : wholeNumber(options.maxLeased, "maxLeased", 1, 2 ** 16);
  const record = recordBytes(capacity);
  // One record more than the capacity: the gap before a wrap.
  const ringUnits = 2 ** Math.ceil(Math.log2(((capacity + 1) * record) / 8));
  const ringOffset = PIPE_BYTES + maxLeased * leaseBytesFor(record - RECORD_HEADER_BYTES);
  return {
    kind: "pipe",
    sizeBytes: ringOffset + ringUnits * 8,
    options: [capacity, maxLeased],
    given: [options.capacity !== undefined, options.maxLeased !== undefined],
    optionNames: ["capacity", "maxLeased"],
    init: (page) => {
      const shared = member.segment.words;
      const base = page * PAGE_WORDS;
      words.write(shared, base + PIPE_WORD.capacity, capacity);
      words.write(shared, base + PIPE_WORD.ringUnits, ringUnits);
      words.write(shared, base + PIPE_WORD.maxLeased, maxLeased);
      words.write(shared, base + PIPE_WORD.inlineLimit, record - RECORD_HEADER_BYTES);
      words.write(shared, base + PIPE_WORD.leaseOffset, PIPE_BYTES);
      words.write(shared, base + PIPE_WORD.leaseBytes, leaseBytesFor(record - RECORD_HEADER_BYTES));
      words.write(shared, base + PIPE_WORD.ringOffset, ringOffset);
    },
  };
}
