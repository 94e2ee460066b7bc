import * as words from "#words";
import { ArgumentRangeError, ShmkitError } from "../base/errors.js";
import { pagesFor, PAGE_WORDS, type PageHeap } from "../heap/page-heap.js";
import { BLOCK_REFERENCE_BYTES, COPY_BYTES, IN_BLOCK, LeaseState, RecordKind } from "../layout/pipe.js";
import { Op } from "../layout/member-slot.js";
import { blockedOnLock, holderOf, lockWaiters, tryLock, unlock } from "../locking/robust-lock.js";
import { ringAll, ringOne } from "../members/doorbell.js";
import type { Blocked, Member } from "../members/member.js";
import type { LeaseTable } from "./lease-table.js";
import type { PipeShape } from "./pipe-shape.js";
import { PIPE_WORD } from "./pipe-words.js";

const COPY_WORDS = COPY_BYTES / 4;

/** What an attempt answers when the pipe is closed and empty. */
export const END: unique symbol = Symbol("end");
export type End = typeof END;

/** A message on lease, before decoding. */
export interface LeasedBytes {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly kind: number;
  readonly sequence: number;
  readonly deliveries: number;
}

/** The receiving side of a pipe: attempts under the head lock. */
export class Receiver {
  /** Kind of the message the last successful attempt answered. */
  kind = 0;
  private readonly headLock: number;
  private readonly sent: number;
  private readonly received: number;
  private readonly hint: number;
  private readonly notEmpty: number;
  private readonly notFull: number;
  private readonly leaseFree: number;
  readonly drainedSet: number;
  /** The record at the head: word index of its body, length, position after it. */
  private body = 0;
  private length = 0;
  private page = 0;
  private after = 0;

  constructor(
    private readonly member: Member,
    private readonly heap: PageHeap,
    private readonly shape: PipeShape,
    private readonly leases: LeaseTable,
    private readonly entry: number,
    private readonly address: string,
  ) {
    const { base } = shape;
    this.headLock = base + PIPE_WORD.headLock;
    this.sent = base + PIPE_WORD.sent;
    this.received = base + PIPE_WORD.received;
    this.hint = base + PIPE_WORD.returnedHint;
    this.notEmpty = base + PIPE_WORD.notEmpty;
    this.notFull = base + PIPE_WORD.notFull;
    this.leaseFree = base + PIPE_WORD.leaseFree;
    this.drainedSet = base + PIPE_WORD.drained;
  }

  /** Whether there is nothing to receive now. */
  isEmpty(): boolean {
    const shared = this.member.segment.words;
    return words.load(shared, this.sent) === words.load(shared, this.received) && words.load(shared, this.hint) === 0;
  }

  /** Whether somebody waiting in one of the receivers' sets could go on. */
  remains(set: number): boolean {
    if (set === this.notEmpty) return !this.isEmpty();
    if (set === this.leaseFree) return this.leases.findFree() >= 0;
    if (set === lockWaiters(this.headLock)) return words.load(this.member.segment.words, this.headLock) === 0;
    return true;
  }

  lockHolder(): string | undefined {
    return holderOf(this.member, this.headLock);
  }

  /** What an attempt on an empty pipe answers: BLOCKED, or END when it is closed. */
  private nothing(): Blocked | End {
    const { member } = this;
    member.segment.checkNotLost();
    // Closed is read first: a closed pipe cannot fill again.
    const closed = words.load(member.segment.words, this.shape.base + PIPE_WORD.closed) !== 0;
    // What is out on lease may come back.
    if (closed && this.isDrained()) return END;
    return member.waiting(this.notEmpty);
  }

  private release(set: number): Blocked {
    const { member } = this;
    member.withdrawn();
    unlock(member, this.headLock);
    return member.blocked(set);
  }

  /**
   * Receives one message into `target` (answers its length), or into a fresh array when there is none.
   * @throws ERR_OUT_OF_RANGE when the target is too small: the message stays. ERR_CORRUPT, ERR_REGION_LOST
   */
  attempt(target: Uint8Array | undefined): Uint8Array | number | Blocked | End {
    if (this.isEmpty()) return this.nothing();
    const { member } = this;
    const shared = member.segment.words;
    member.begin(Op["pipe.receive"], this.entry);
    try {
      if (!tryLock(member, this.headLock)) return blockedOnLock(member, this.headLock);
      if (words.load(shared, this.hint) !== 0) {
        const index = this.takeHint();
        if (index >= 0) return this.receiveReturned(index, target);
      }
      const received = words.read(shared, this.received);
      if (words.load(shared, this.sent) === received) return this.release(this.notEmpty);
      this.readRecord(received);
      this.checkTarget(target, this.length);
      const from = this.page === 0 ? this.body * 4 : this.page * PAGE_WORDS * 4;
      let result: Uint8Array | number;
      if (target === undefined) result = words.copy(member.segment.bytes, from, this.length);
      else {
        words.copyOut(member.segment.bytes, from, this.length, target, 0);
        result = this.length;
      }
      if (this.page !== 0) this.heap.adopt(this.page);
      this.advance(received);
      if (this.page !== 0) this.heap.free(this.page);
      this.finish();
      return result;
    } catch (error) {
      return member.failed(error);
    }
  }

  private checkTarget(target: Uint8Array | undefined, length: number): void {
    if (target !== undefined && target.length < length)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `the next message of ${this.address} has ${length} bytes, the target only ${target.length}; it stays in the pipe`,
        {
          path: this.address,
          expected: length,
          actual: target.length,
        },
      );
  }

  /** Finds the record at the head, past a wrap, and checks it. Head lock held, not empty. */
  private readRecord(received: number): void {
    const { member, shape } = this;
    const shared = member.segment.words;
    const { base, ring, ringUnits } = shape;
    let position = words.read(shared, base + (received & 1) * COPY_WORDS + PIPE_WORD.headPosition);
    let unit = position & (ringUnits - 1);
    let kind = words.read(shared, ring + unit * 2 + 1);
    if ((kind & 0xff) === RecordKind.wrap) {
      position += ringUnits - unit;
      unit = 0;
      kind = words.read(shared, ring + 1);
    }
    this.length = words.read(shared, ring + unit * 2) >>> 0;
    this.body = ring + unit * 2 + 2;
    const inBlock = (kind & IN_BLOCK) !== 0;
    this.page = inBlock ? words.read(shared, this.body) >>> 0 : 0;
    const units = 1 + (((inBlock ? BLOCK_REFERENCE_BYTES : this.length) + 7) >>> 3);
    this.kind = kind & 0xff;
    const sane =
      (this.kind === RecordKind.bytes || this.kind === RecordKind.value) &&
      (inBlock
        ? this.heap.isBlock(this.page) && pagesFor(this.length) <= this.heap.pagesOf(this.page)
        : this.length <= shape.inlineLimit) &&
      unit + units <= ringUnits;
    if (!sane)
      throw new ShmkitError(
        "ERR_CORRUPT",
        `${this.address} holds an impossible record (kind ${kind & 0xffff}, ${this.length} bytes); remove the pipe`,
        {
          path: this.address,
        },
      );
    this.after = position + units;
  }

  /** Takes the record at the head off the ring by one store of `received`. */
  private advance(received: number): void {
    const { member } = this;
    const shared = member.segment.words;
    const floats = member.segment.floats;
    const old = this.shape.base + (received & 1) * COPY_WORDS;
    const next = this.shape.base + ((received + 1) & 1) * COPY_WORDS;
    words.write(shared, next + PIPE_WORD.headPosition, this.after);
    words.writeFloat(
      floats,
      next / 2 + PIPE_WORD.receivedTotal,
      words.readFloat(floats, old / 2 + PIPE_WORD.receivedTotal) + 1,
    );
    words.writeFloat(
      floats,
      next / 2 + PIPE_WORD.receivedBytes,
      words.readFloat(floats, old / 2 + PIPE_WORD.receivedBytes) + this.length,
    );
    member.critical(received);
    // SYNC POINT: the record is read before the senders may reuse its place; pairs with their load of received, in sender.ts
    words.storeRelease(shared, this.received, received + 1);
    member.committed();
  }

  private finish(): void {
    const { member } = this;
    unlock(member, this.headLock);
    ringOne(member, this.notFull);
    if (words.load(member.segment.words, this.hint) !== 0) ringOne(member, this.notEmpty);
    this.ringDrained();
    member.end();
  }

  private ringDrained(): void {
    const { member } = this;
    const shared = member.segment.words;
    if (words.load(shared, this.sent) !== words.load(shared, this.received)) return;
    ringAll(member, this.drainedSet);
    // Receivers of a closed pipe wait for its end.
    if (words.load(shared, this.shape.base + PIPE_WORD.closed) !== 0) ringAll(member, this.notEmpty);
  }

  /** Everything sent was received, and nothing is out on lease. */
  isDrained(): boolean {
    // The hint does not count: it may be set although nothing is returned.
    const shared = this.member.segment.words;
    return words.load(shared, this.sent) === words.load(shared, this.received) && this.leases.isEmpty();
  }

  // Leases.

  /** A returned message to deliver again, or -1. The hint is reset before the look, and set again when more is there. */
  private takeHint(): number {
    const shared = this.member.segment.words;
    // SYNC POINT: pairs with the returner, who stores the state before the hint
    words.store(shared, this.hint, 0);
    const { index, more } = this.leases.findReturned();
    if (more) words.store(shared, this.hint, 1);
    return index;
  }

  private receiveReturned(index: number, target: Uint8Array | undefined): Uint8Array | number {
    const { member, leases } = this;
    const shared = member.segment.words;
    const bytes = leases.copy(index);
    if (target !== undefined && target.length < bytes.length) words.store(shared, this.hint, 1);
    this.checkTarget(target, bytes.length);
    this.kind = leases.kind(index);
    const page = leases.page(index);
    words.write(
      shared,
      this.shape.base + PIPE_WORD.redelivered,
      words.read(shared, this.shape.base + PIPE_WORD.redelivered) + 1,
    );
    words.write(shared, member.argument, index);
    if (page !== 0) this.heap.adopt(page);
    member.criticalAs(Op["pipe.receive-returned"], this.entry, 0);
    leases.setState(index, LeaseState.free, 0);
    member.committedAs(Op["pipe.receive-returned"], this.entry);
    if (page !== 0) this.heap.free(page);
    this.finish();
    target?.set(bytes);
    return target === undefined ? bytes : bytes.length;
  }

  /** Takes one message under lease. @throws ERR_CORRUPT, ERR_NO_SPACE, ERR_REGION_LOST */
  attemptLease(): LeasedBytes | Blocked | End {
    if (this.isEmpty()) return this.nothing();
    const { member } = this;
    const shared = member.segment.words;
    member.begin(Op["pipe.lease"], this.entry);
    try {
      if (!tryLock(member, this.headLock)) return blockedOnLock(member, this.headLock);
      if (words.load(shared, this.hint) !== 0) {
        const index = this.takeHint();
        if (index >= 0) return this.leaseReturned(index);
      }
      const received = words.read(shared, this.received);
      if (words.load(shared, this.sent) === received) return this.release(this.notEmpty);
      const index = this.leases.findFree();
      if (index < 0) return this.release(this.leaseFree);
      this.readRecord(received);
      return this.leaseRecord(index, received);
    } catch (error) {
      return member.failed(error);
    }
  }

  private leaseRecord(index: number, received: number): LeasedBytes {
    const { member, leases } = this;
    const { bytes: shared } = member.segment;
    const bytes = words.copy(shared, this.page === 0 ? this.body * 4 : this.page * PAGE_WORDS * 4, this.length);
    const floats = member.segment.floats;
    const sequence = words.readFloat(
      floats,
      (this.shape.base + (received & 1) * COPY_WORDS) / 2 + PIPE_WORD.receivedTotal,
    );
    leases.fill(index, bytes, this.kind, this.page, sequence);
    words.write(member.segment.words, member.argument, index);
    // Critical before the slot is held: a slot held for a record that is still in the ring is discarded by recovery.
    member.critical(received);
    leases.setState(index, LeaseState.held, member.me);
    this.advance(received);
    this.finish();
    return { index, bytes, kind: this.kind, sequence, deliveries: 1 };
  }

  private leaseReturned(index: number): LeasedBytes {
    const { member, leases } = this;
    const shared = member.segment.words;
    const bytes = leases.copy(index);
    leases.delivered(index);
    words.write(
      shared,
      this.shape.base + PIPE_WORD.redelivered,
      words.read(shared, this.shape.base + PIPE_WORD.redelivered) + 1,
    );
    words.write(shared, member.argument, index);
    member.criticalAs(Op["pipe.lease-returned"], this.entry, 0);
    leases.setState(index, LeaseState.held, member.me);
    member.committedAs(Op["pipe.lease-returned"], this.entry);
    this.finish();
    return {
      index,
      bytes,
      kind: leases.kind(index),
      sequence: leases.sequence(index),
      deliveries: leases.deliveries(index),
    };
  }

  /** The message of a lease is done with. @throws ERR_NOT_HELD */
  acknowledge(index: number, sequence: number): void {
    const { member, leases } = this;
    member.begin(Op["pipe.ack"], this.entry);
    try {
      this.checkHeld(index, sequence);
      const page = leases.page(index);
      words.write(member.segment.words, member.argument, index);
      if (page !== 0) this.heap.adopt(page);
      member.critical(0);
      leases.setState(index, LeaseState.free, 0);
      member.committed();
      if (page !== 0) this.heap.free(page);
      // SYNC POINT: setState is sequentially consistent; pairs with waiting for a lease slot
      ringOne(member, this.leaseFree);
      this.ringDrained();
      member.end();
    } catch (error) {
      member.failed(error);
    }
  }

  /** The message of a lease goes back to its place. @throws ERR_NOT_HELD */
  giveBack(index: number, sequence: number): void {
    const { member, leases } = this;
    member.begin(Op["pipe.nack"], this.entry);
    try {
      this.checkHeld(index, sequence);
      words.write(member.segment.words, member.argument, index);
      member.critical(0);
      leases.setState(index, LeaseState.returned, 0);
      member.committed();
      words.store(member.segment.words, this.hint, 1);
      ringOne(member, this.notEmpty);
      // A returned message is leased again without a free slot.
      ringOne(member, this.leaseFree);
      member.end();
    } catch (error) {
      member.failed(error);
    }
  }

  /** Every lease this member holds goes back: its handle is given up. */
  giveBackAll(): void {
    for (let i = 0; i < this.shape.maxLeased; i++)
      if (this.leases.isHeldBy(i, this.member.slot)) this.giveBack(i, this.leases.sequence(i));
  }

  private checkHeld(index: number, sequence: number): void {
    if (!this.leases.isHeldBy(index, this.member.slot) || this.leases.sequence(index) !== sequence)
      throw new ShmkitError("ERR_NOT_HELD", `this lease of ${this.address} is not held any more`, {
        path: this.address,
      });
  }
}
