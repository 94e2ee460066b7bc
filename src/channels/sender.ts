import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import type { Directory } from "../heap/directory.js";
import { HeapAnswer, pagesFor, PAGE_WORDS, type PageHeap } from "../heap/page-heap.js";
import { BLOCK_REFERENCE_BYTES, COPY_BYTES, IN_BLOCK, RecordKind } from "../layout/pipe.js";
import { Op } from "../layout/member-slot.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { HEADER } from "../members/region-words.js";
import { blockedOnLock, holderOf, lockWaiters, tryLock, unlock } from "../locking/robust-lock.js";
import { ringAll, ringOne } from "../members/doorbell.js";
import type { Blocked, Member } from "../members/member.js";
import type { PipeShape } from "./pipe-shape.js";
import { PIPE_WORD } from "./pipe-words.js";

const COPY_WORDS = COPY_BYTES / 4;
const SEND = Op["pipe.send"];
const WORD = PIPE_WORD;

/** The sending side of a pipe: attempts under the tail lock. */
export class Sender {
  private readonly tailLock: number;
  private readonly sent: number;
  private readonly received: number;
  private readonly closed: number;
  private readonly notEmpty: number;
  private readonly notFull: number;
  private readonly words: words.Words;
  private readonly floats: Float64Array;
  /**
   * `received` as last looked at, good as long as nobody else has sent since (`sentTotal` is what this side left): then it
   * may be too small, never too large. Not looking at what receivers write keeps their cache line with them.
   */
  private knownReceived = 0;
  private knownTotal = -1;

  constructor(
    private readonly member: Member,
    private readonly heap: PageHeap,
    private readonly directory: Directory,
    private readonly shape: PipeShape,
    private readonly entry: number,
    private readonly address: string,
  ) {
    const { base } = shape;
    this.words = member.segment.words;
    this.floats = member.segment.floats;
    this.tailLock = base + WORD.tailLock;
    this.sent = base + WORD.sent;
    this.received = base + WORD.received;
    this.closed = base + WORD.closed;
    this.notEmpty = base + WORD.notEmpty;
    this.notFull = base + WORD.notFull;
  }

  /** Whether somebody waiting in one of the senders' sets could go on. */
  remains(set: number): boolean {
    const shared = this.member.segment.words;
    if (set === this.notFull) return this.depth() < this.shape.capacity;
    if (set === lockWaiters(this.tailLock)) return words.load(shared, this.tailLock) === 0;
    return true;
  }

  /** Whether nothing more can be sent. */
  get isClosed(): boolean {
    return words.load(this.member.segment.words, this.closed) !== 0;
  }

  depth(): number {
    const shared = this.member.segment.words;
    // The read comes after the load.
    return (words.load(shared, this.sent) - words.read(shared, this.received)) >>> 0;
  }

  lockHolder(): string | undefined {
    return holderOf(this.member, this.tailLock);
  }

  /**
   * Writes the record where nobody looks, then publishes it, and the fields of the tail, by one store of `sent`.
   * Sends `length` plain bytes of `source`, from `from` on, as one message, or says what to wait for.
   * @throws ERR_CLOSED, ERR_MESSAGE_TOO_LARGE, ERR_NO_SPACE, ERR_REGION_LOST
   */
  attempt(source: Uint8Array, from: number, length: number, kind: number): true | Blocked {
    const { member, words: shared, floats } = this;
    const { base, ring, ringUnits, capacity, inlineLimit } = this.shape;
    member.begin(SEND, this.entry);
    try {
      if (!tryLock(member, this.tailLock)) return blockedOnLock(member, this.tailLock);
      if (words.read(shared, this.closed) !== 0) throw this.closedError();
      const sent = words.read(shared, this.sent);
      // The copy of the tail's fields that counts, and the one that will.
      const old = base + (sent & 1) * COPY_WORDS;
      const next = base + ((sent + 1) & 1) * COPY_WORDS;
      const total = words.readFloat(floats, (old >> 1) + WORD.sentTotal);
      const highWater = words.read(shared, old + WORD.highWater);
      let depth = (sent - this.knownReceived) >>> 0;
      if (total !== this.knownTotal || depth >= highWater) {
        // SYNC POINT: what was received has been read; pairs with the receivers' store of received, in receiver.ts
        this.knownReceived = words.load(shared, this.received);
        depth = (sent - this.knownReceived) >>> 0;
      }
      if (depth >= capacity) return this.release(this.notFull, 0);
      let page = 0;
      let bodyBytes = length;
      if (length > inlineLimit) {
        page = this.allocate(length);
        if (page < 0)
          return page === HeapAnswer.lockBusy
            ? this.release(this.heap.lockSet, HEADER.heapLock)
            : this.release(this.heap.spaceSet, 0);
        bodyBytes = BLOCK_REFERENCE_BYTES;
        words.copyIn(member.segment, page * PAGE_WORDS * 4, source, from, length);
      }
      const units = 1 + ((bodyBytes + 7) >>> 3);
      let position = words.read(shared, old + WORD.tailPosition);
      let unit = position & (ringUnits - 1);
      if (unit + units > ringUnits) {
        words.write(shared, ring + unit * 2 + 1, RecordKind.wrap);
        position += ringUnits - unit;
        unit = 0;
      }
      const record = ring + unit * 2;
      words.write(shared, record, length);
      words.write(shared, record + 1, (member.slot << 16) | kind | (page === 0 ? 0 : IN_BLOCK));
      if (page === 0) words.copyIn(member.segment, (record + 2) * 4, source, from, length);
      else {
        words.write(shared, record + 2, page);
        words.write(shared, record + 3, this.heap.generationOf(page));
      }
      words.write(shared, next + WORD.tailPosition, position + units);
      words.write(shared, next + WORD.highWater, depth < highWater ? highWater : depth + 1);
      words.writeFloat(floats, (next >> 1) + WORD.sentTotal, total + 1);
      const bytes = words.readFloat(floats, (old >> 1) + WORD.sentBytes);
      words.writeFloat(floats, (next >> 1) + WORD.sentBytes, bytes + length);
      member.critical(sent);
      // SYNC POINT: publishes the record and the tail; pairs with the receivers' load of sent, in receiver.ts
      words.storeRelease(shared, this.sent, sent + 1);
      member.committed();
      this.knownTotal = total + 1;
      if (page !== 0) this.heap.clearLedger();
      unlock(member, this.tailLock);
      ringOne(member, this.notEmpty);
      member.end();
      return true;
    } catch (error) {
      return member.failed(error);
    }
  }

  private closedError(): ShmkitError {
    return new ShmkitError("ERR_CLOSED", `${this.address} is closed: nothing more can be sent`, { path: this.address });
  }

  private allocate(length: number): number {
    if (length > this.heap.largestBlockBytes) throw this.tooLarge(length, this.heap.largestBlockBytes);
    const page = this.heap.allocate(pagesFor(length));
    // What is on its way now: the last look at the receivers may be old.
    if (page >= 0 || page === HeapAnswer.lockBusy || this.depth() > 0) return page;
    // With nothing on its way in this pipe nobody may ever free a block: then waiting would have no end.
    if (page === HeapAnswer.noSpace) throw this.heap.noSpaceError();
    const attainable = this.heap.largestBlockBytes - this.directory.permanentPages() * PAGE_BYTES;
    if (length > attainable) throw this.tooLarge(length, attainable);
    return page;
  }

  private tooLarge(length: number, most: number): ShmkitError {
    return new ShmkitError(
      "ERR_MESSAGE_TOO_LARGE",
      `a message of ${length} bytes can never fit ${this.address}: the region holds at most ${most}; split it, or use a larger maxSize`,
      { path: this.address, expected: most, actual: length },
    );
  }

  private release(set: number, lock: number): Blocked {
    const { member } = this;
    unlock(member, this.tailLock);
    const blocked: Blocked = member.blocked(set);
    member.blockedLock = lock;
    return blocked;
  }

  /** Closes the pipe: what was sent can still be received, nothing more can be sent. */
  attemptClose(): boolean | Blocked {
    const { member } = this;
    member.begin(Op["pipe.close"], this.entry);
    try {
      if (!tryLock(member, this.tailLock)) return blockedOnLock(member, this.tailLock);
      member.critical(0);
      words.store(member.segment.words, this.closed, 1);
      member.committed();
      unlock(member, this.tailLock);
      ringAll(member, this.notEmpty);
      ringAll(member, this.notFull);
      member.end();
      return true;
    } catch (error) {
      return member.failed(error);
    }
  }
}
