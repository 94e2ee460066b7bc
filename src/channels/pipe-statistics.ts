import * as words from "#words";
import { COPY_BYTES, leaseState, LeaseState } from "../layout/pipe.js";
import type { Segment } from "../memory/segment.js";
import { membersOf } from "../members/member-set.js";
import type { PipeShape } from "./pipe-shape.js";
import { LEASE_WORD, PIPE_WORD } from "./pipe-words.js";

/**
 * Figures of a pipe, read without locks, so also from outside; each is exact for the moment it was read. They are read in an
 * order in which a pipe that shows itself closed, with no message in it and none on lease, stays that way: it is done with.
 */
export interface PipeStatistics {
  /** Messages in the pipe now, those that came back from a lease included. */
  readonly depth: number;
  /** Messages it holds before senders wait. */
  readonly capacity: number;
  /** Messages ever sent. */
  readonly sent: number;
  /** Messages ever received; leased ones count when first taken. */
  readonly received: number;
  /** Bytes ever sent, as encoded. */
  readonly sentBytes: number;
  /** Bytes ever received, as encoded. */
  readonly receivedBytes: number;
  /** Leased messages delivered again. */
  readonly redelivered: number;
  /** Messages out on lease now. */
  readonly leased: number;
  /** Greatest depth since creation. */
  readonly highWater: number;
  /** Members waiting to send. */
  readonly waitingSenders: number;
  /** Members waiting to receive, under lease or not. */
  readonly waitingReceivers: number;
  /** Whether it was closed for sending. */
  readonly closed: boolean;
}

/** Reads the copy of a side's fields that its counter says counts. */
function consistent<T>(segment: Segment, counter: number, readCopy: (copyWords: number) => T): T {
  for (let attempt = 0; ; attempt++) {
    const before = words.load(segment.words, counter);
    const value = readCopy((before & 1) * (COPY_BYTES / 4));
    // SYNC POINT: the copy was read before; pairs with its next writer, who has changed the counter once since
    if (words.loadBehind(segment.words, counter) === before || attempt === 100) return value;
  }
}

/** @internal Statistics of a pipe whose shape was checked. */
export function readPipeStatistics(segment: Segment, shape: PipeShape, setWords: number): PipeStatistics {
  const shared = segment.words;
  const { base } = shape;
  const { floats } = segment;
  // SYNC POINT: nothing is sent to a closed pipe, received only once sent, leased before it counts as received; so what is
  // read in this order misses no message that is still there. Pairs with attemptClose in sender.ts and leaseRecord in receiver.ts
  const closed = words.load(shared, base + PIPE_WORD.closed) !== 0;
  const tail = consistent(segment, base + PIPE_WORD.sent, (copy) => ({
    sent: words.readFloat(floats, (base + copy) / 2 + PIPE_WORD.sentTotal),
    sentBytes: words.readFloat(floats, (base + copy) / 2 + PIPE_WORD.sentBytes),
    highWater: words.read(shared, base + copy + PIPE_WORD.highWater) >>> 0,
  }));
  const head = consistent(segment, base + PIPE_WORD.received, (copy) => ({
    received: words.readFloat(floats, (base + copy) / 2 + PIPE_WORD.receivedTotal),
    receivedBytes: words.readFloat(floats, (base + copy) / 2 + PIPE_WORD.receivedBytes),
  }));
  let leased = 0;
  let returned = 0;
  for (let i = 0; i < shape.maxLeased; i++) {
    const state = leaseState(words.load(shared, shape.leases + i * shape.leaseWords + LEASE_WORD.state));
    if (state === LeaseState.held) leased++;
    else if (state === LeaseState.returned) returned++;
  }
  return {
    depth: Math.max(0, tail.sent - head.received) + returned,
    capacity: words.read(shared, base + PIPE_WORD.capacity) >>> 0,
    ...tail,
    ...head,
    redelivered: words.read(shared, base + PIPE_WORD.redelivered) >>> 0,
    leased,
    waitingSenders: membersOf(segment, base + PIPE_WORD.notFull, setWords).length,
    waitingReceivers:
      membersOf(segment, base + PIPE_WORD.notEmpty, setWords).length +
      membersOf(segment, base + PIPE_WORD.leaseFree, setWords).length,
    closed,
  };
}
