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

/** The sending side of a pipe: attempts under the tail lock. */
export class Sender {
  private readonly tailLock: number;
  private readonly sent: number;
  private readonly received: number;
  private readonly closed: number;
  private readonly notEmpty: number;
  private readonly notFull: number;

  constructor(
    private readonly member: Member,
    private readonly heap: PageHeap,
    private readonly directory: Directory,
    private readonly shape: PipeShape,
    private readonly entry: number,
    private readonly address: string,
  ) {
    const { base } = shape;
    this.tailLock = base + PIPE_WORD.tailLock;
    this.sent = base + PIPE_WORD.sent;
    this.received = base + PIPE_WORD.received;
    this.closed = base + PIPE_WORD.closed;
    this.notEmpty = base + PIPE_WORD.notEmpty;
    this.notFull = base + PIPE_WORD.notFull;
  }

  /** Whether somebody waiting in one of the senders' sets could go on. */
  remains(set: number): boolean {
    const shared = this.member.segment.words;
    if (set === this.notFull) return this.depth() < this.shape.capacity;
    if (set === lockWaiters(this.tailLock)) return words.load(shared, this.tailLock) === 0;
    return true;
  }

  depth(): number {
    const shared = this.member.segment.words;
    return (words.load(shared, this.sent) - words.load(shared, this.received)) >>> 0;
  }

  lockHolder(): string | undefined {
    return holderOf(this.member, this.tailLock);
  }

  /**
   * Sends one message or says what to wait for.
   * @throws ERR_CLOSED, ERR_MESSAGE_TOO_LARGE, ERR_NO_SPACE, ERR_REGION_LOST
   */
  attempt(message: Uint8Array, kind: number): true | Blocked {
    const { member, shape } = this;
    const shared = member.segment.words;
    member.begin(Op["pipe.send"], this.entry);
    try {
      if (!tryLock(member, this.tailLock)) return blockedOnLock(member, this.tailLock);
      if (words.read(shared, this.closed) !== 0)
        throw new ShmkitError("ERR_CLOSED", `${this.address} is closed: nothing more can be sent`, {
          path: this.address,
        });
      const sent = words.read(shared, this.sent);
      const depth = (sent - words.load(shared, this.received)) >>> 0;
      if (depth >= shape.capacity) return this.release(this.notFull, 0);
      const inline = message.length <= shape.inlineLimit;
      const page = inline ? 0 : this.allocate(message.length, depth);
      if (page < 0)
        return page === HeapAnswer.lockBusy
          ? this.release(this.heap.lockSet, HEADER.heapLock)
          : this.release(this.heap.spaceSet, 0);
      if (page !== 0) words.copyIn(member.segment.bytes, page * PAGE_WORDS * 4, message);
      this.append(message, kind, page, sent, depth + 1);
      if (page !== 0) this.heap.clearLedger();
      unlock(member, this.tailLock);
      ringOne(member, this.notEmpty);
      member.end();
      return true;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** Writes the record where nobody looks, then publishes it by one store of `sent`. */
  private append(message: Uint8Array, kind: number, page: number, sent: number, depth: number): void {
    const { member, shape } = this;
    const shared = member.segment.words;
    const { base, ringUnits, ring } = shape;
    const old = base + (sent & 1) * COPY_WORDS;
    const next = base + ((sent + 1) & 1) * COPY_WORDS;
    const body = page === 0 ? message.length : BLOCK_REFERENCE_BYTES;
    const units = 1 + ((body + 7) >>> 3);
    let position = words.read(shared, old + PIPE_WORD.tailPosition);
    let unit = position & (ringUnits - 1);
    if (unit + units > ringUnits) {
      words.write(shared, ring + unit * 2 + 1, RecordKind.wrap);
      position += ringUnits - unit;
      unit = 0;
    }
    const record = ring + unit * 2;
    words.write(shared, record, message.length);
    words.write(shared, record + 1, (member.slot << 16) | kind | (page === 0 ? 0 : IN_BLOCK));
    if (page === 0) words.copyIn(member.segment.bytes, (record + 2) * 4, message);
    else {
      words.write(shared, record + 2, page);
      words.write(shared, record + 3, this.heap.generationOf(page));
    }
    words.write(shared, next + PIPE_WORD.tailPosition, position + units);
    words.write(shared, next + PIPE_WORD.highWater, Math.max(words.read(shared, old + PIPE_WORD.highWater), depth));
    const floats = member.segment.floats;
    words.writeFloat(
      floats,
      next / 2 + PIPE_WORD.sentTotal,
      words.readFloat(floats, old / 2 + PIPE_WORD.sentTotal) + 1,
    );
    words.writeFloat(
      floats,
      next / 2 + PIPE_WORD.sentBytes,
      words.readFloat(floats, old / 2 + PIPE_WORD.sentBytes) + message.length,
    );
    member.critical(sent);
    // SYNC POINT: publishes the record and the tail; pairs with the receivers' load of sent, in receiver.ts
    words.storeRelease(shared, this.sent, sent + 1);
    member.committed();
  }

  private allocate(length: number, depth: number): number {
    if (length > this.heap.largestBlockBytes) throw this.tooLarge(length, this.heap.largestBlockBytes);
    const page = this.heap.allocate(pagesFor(length));
    if (page >= 0 || page === HeapAnswer.lockBusy || depth > 0) return page;
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
    member.withdrawn();
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
      ringAll(member, this.shape.base + PIPE_WORD.drained);
      member.end();
      return true;
    } catch (error) {
      return member.failed(error);
    }
  }
}
