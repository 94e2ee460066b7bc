import * as words from "#words";
import { ArgumentRangeError, ShmkitError } from "../base/errors.js";
import { PAGE_WORDS, type PageHeap } from "../heap/page-heap.js";
import { BLOCK_REFERENCE_BYTES, COPY_BYTES, IN_BLOCK, LeaseState, RecordKind } from "../layout/pipe.js";
import { Op } from "../layout/member-slot.js";
import { blockedOnLock, holderOf, lockWaiters, tryLock, unlock } from "../locking/robust-lock.js";
import { ringAll, ringOne } from "../members/doorbell.js";
import type { Blocked, Member } from "../members/member.js";
import type { LeaseTable } from "./lease-table.js";
import { lengthOf } from "./plain-bytes.js";
import type { PipeShape } from "./pipe-shape.js";
import { PIPE_WORD } from "./pipe-words.js";

const COPY_WORDS = COPY_BYTES / 4;
const RECEIVE = Op["pipe.receive"];
const WORD = PIPE_WORD;

/** What an attempt answers when the pipe is closed and empty. */
export const END: unique symbol = Symbol("end");
export type End = typeof END;

/** Where encoded values go that are decoded at once: nothing of them stays there. */
export const SCRATCH = new Uint8Array(8192);

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
  private readonly words: words.Words;
  private readonly floats: Float64Array;
  /**
   * `sent` as last looked at, good as long as nobody else has received since (`receivedTotal` is what this side left):
   * then it may be too small, never too large. Not looking at what senders write keeps their cache line with them.
   */
  private knownSent = 0;
  private knownTotal = -1;
  private knownReceived = 0;

  constructor(
    private readonly member: Member,
    private readonly heap: PageHeap,
    private readonly shape: PipeShape,
    private readonly leases: LeaseTable,
    private readonly entry: number,
    private readonly address: string,
  ) {
    const { base } = shape;
    this.words = member.segment.words;
    this.floats = member.segment.floats;
    this.headLock = base + WORD.headLock;
    this.sent = base + WORD.sent;
    this.received = base + WORD.received;
    this.hint = base + WORD.returnedHint;
    this.notEmpty = base + WORD.notEmpty;
    this.notFull = base + WORD.notFull;
    this.leaseFree = base + WORD.leaseFree;
    this.drainedSet = base + WORD.drained;
  }

  /** Whether there is nothing to receive now. */
  isEmpty(): boolean {
    const { words: shared } = this;
    // SYNC POINT: pairs with whoever changes one of the three and then looks at the set; the reads come after the load
    return words.load(shared, this.sent) === words.read(shared, this.received) && words.read(shared, this.hint) === 0;
  }

  /** The same without a look at what senders write, if there was more than this side has received since. */
  private looksEmpty(): boolean {
    const received = words.read(this.words, this.received);
    return (received !== this.knownReceived || received === this.knownSent) && this.isEmpty();
  }

  /** Messages sent, exactly if as many have been received. Head lock held. */
  private sentFor(received: number): number {
    const copy = this.shape.base + (received & 1) * COPY_WORDS;
    const total = words.readFloat(this.floats, (copy >> 1) + WORD.receivedTotal);
    if (total !== this.knownTotal || received === this.knownSent) {
      // SYNC POINT: the records are there; pairs with the senders' store of sent, in sender.ts
      this.knownSent = words.load(this.words, this.sent);
    }
    return this.knownSent;
  }

  /** Whether somebody waiting in one of the receivers' sets could go on. */
  remains(set: number): boolean {
    if (set === this.notEmpty) return !this.isEmpty();
    // A returned message needs no free slot. Behind the read-modify-write that left the set.
    if (set === this.leaseFree) return words.read(this.words, this.hint) !== 0 || this.leases.findFree() >= 0;
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
    // SYNC POINT: closed is read first: a closed pipe cannot fill again; pairs with attemptClose, in sender.ts
    const closed = words.load(member.segment.words, this.shape.base + WORD.closed) !== 0;
    // What is out on lease may come back.
    if (closed && this.isDrained()) return END;
    return member.waiting(this.notEmpty);
  }

  /** The same with the lock held: what looked like a message (one given back, perhaps) was none. */
  private releaseForNothing(): Blocked | End {
    const { member } = this;
    member.withdrawn();
    unlock(member, this.headLock);
    member.end();
    return this.nothing();
  }

  private release(set: number): Blocked {
    const { member } = this;
    unlock(member, this.headLock);
    return member.blocked(set);
  }

  /**
   * Receives one message into `target` (answers its length); without one, bytes into a fresh array, and values into
   * {@link SCRATCH} (answers their length) as far as they fit.
   * @throws ERR_OUT_OF_RANGE when the target is too small: the message stays. ERR_CORRUPT, ERR_REGION_LOST
   */
  attempt(target: Uint8Array | undefined): Uint8Array | number | Blocked | End {
    if (this.looksEmpty()) return this.nothing();
    const { member, words: shared } = this;
    member.begin(RECEIVE, this.entry);
    try {
      if (!tryLock(member, this.headLock)) return blockedOnLock(member, this.headLock);
      if (words.read(shared, this.hint) !== 0) {
        const index = this.takeHint();
        if (index >= 0) return this.receiveReturned(index, target);
      }
      const received = words.read(shared, this.received);
      if (this.sentFor(received) === received) return this.releaseForNothing();
      this.readRecord(received);
      this.checkTarget(target, this.length);
      const from = this.page === 0 ? this.body * 4 : this.page * PAGE_WORDS * 4;
      let result: Uint8Array | number;
      const into = target ?? (this.kind === RecordKind.value && this.length <= SCRATCH.length ? SCRATCH : undefined);
      if (into === undefined) result = words.copy(member.segment, from, this.length);
      else {
        words.copyOut(member.segment, from, this.length, into);
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
    if (target !== undefined && lengthOf(target) < length)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `the next message of ${this.address} has ${length} bytes, the target only ${lengthOf(target)}; it stays in the pipe`,
        {
          path: this.address,
          expected: length,
          actual: lengthOf(target),
        },
      );
  }

  /** Finds the record at the head, past a wrap, and checks it. Head lock held, not empty. */
  private readRecord(received: number): void {
    const { words: shared, shape } = this;
    const { base, ring, ringUnits } = shape;
    let position = words.read(shared, base + (received & 1) * COPY_WORDS + WORD.headPosition);
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
        ? this.heap.isMessage(this.page, words.read(shared, this.body + 1), this.length)
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
    const { member, words: shared, floats } = this;
    const old = this.shape.base + (received & 1) * COPY_WORDS;
    const next = this.shape.base + ((received + 1) & 1) * COPY_WORDS;
    words.write(shared, next + WORD.headPosition, this.after);
    const from = old >> 1;
    const to = next >> 1;
    const total = words.readFloat(floats, from + WORD.receivedTotal) + 1;
    words.writeFloat(floats, to + WORD.receivedTotal, total);
    words.writeFloat(floats, to + WORD.receivedBytes, words.readFloat(floats, from + WORD.receivedBytes) + this.length);
    member.critical(received);
    // SYNC POINT: the record is read before the senders may reuse its place; pairs with their load of received, in sender.ts
    words.storeRelease(shared, this.received, received + 1);
    member.committed();
    this.knownTotal = total;
    this.knownReceived = (received + 1) | 0;
  }

  private finish(): void {
    const { member } = this;
    unlock(member, this.headLock);
    ringOne(member, this.notFull);
    // As takeHint left it: whoever else sets it rings by himself.
    if (words.read(member.segment.words, this.hint) !== 0) ringOne(member, this.notEmpty);
    this.ringDrained();
    member.end();
  }

  /** Called behind {@link ringOne}: the load with which that looks at a set comes before the reads here. */
  private ringDrained(): void {
    const { member, words: shared } = this;
    if (this.knownReceived !== this.knownSent && words.read(shared, this.received) === this.knownReceived) return;
    if (words.read(shared, this.sent) !== words.read(shared, this.received)) return;
    ringAll(member, this.drainedSet);
    // Receivers of a closed pipe wait for its end.
    if (words.read(shared, this.shape.base + WORD.closed) !== 0) ringAll(member, this.notEmpty);
  }

  /** Everything sent was received, and nothing is out on lease. Asked behind a load: of closed, or of the object's state. */
  isDrained(): boolean {
    // The hint does not count: it may be set although nothing is returned.
    const { words: shared } = this;
    return words.read(shared, this.sent) === words.read(shared, this.received) && this.leases.isEmpty();
  }

  // Leases.

  /** A returned message to deliver again, or -1. The hint is reset before the look, and set again when more is there. */
  private takeHint(): number {
    const { words: shared } = this;
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
    // Refused, it is undone as what was cut off is, and the hint is set again.
    this.checkTarget(target, bytes.length);
    this.kind = leases.kind(index);
    const page = leases.page(index);
    words.write(shared, this.shape.base + WORD.redelivered, words.read(shared, this.shape.base + WORD.redelivered) + 1);
    words.write(shared, member.argument, index);
    if (page !== 0) this.heap.adopt(page);
    member.criticalAs(Op["pipe.receive-returned"], this.entry, 0);
    leases.setState(index, LeaseState.free, 0);
    member.committedAs(Op["pipe.receive-returned"], this.entry);
    if (page !== 0) this.heap.free(page);
    this.finish();
    if (target === undefined) return bytes;
    Uint8Array.prototype.set.call(target, bytes);
    return bytes.length;
  }

  /** Takes one message under lease. @throws ERR_CORRUPT, ERR_NO_SPACE, ERR_REGION_LOST */
  attemptLease(): LeasedBytes | Blocked | End {
    if (this.looksEmpty()) return this.nothing();
    const { member, words: shared } = this;
    member.begin(Op["pipe.lease"], this.entry);
    try {
      if (!tryLock(member, this.headLock)) return blockedOnLock(member, this.headLock);
      if (words.read(shared, this.hint) !== 0) {
        const index = this.takeHint();
        if (index >= 0) return this.leaseReturned(index);
      }
      const received = words.read(shared, this.received);
      if (this.sentFor(received) === received) return this.releaseForNothing();
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
    const bytes = words.copy(member.segment, this.page === 0 ? this.body * 4 : this.page * PAGE_WORDS * 4, this.length);
    const sequence = words.readFloat(
      this.floats,
      (this.shape.base + (received & 1) * COPY_WORDS) / 2 + WORD.receivedTotal,
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
    const kind = leases.kind(index);
    const sequence = leases.sequence(index);
    leases.delivered(index);
    const deliveries = leases.deliveries(index);
    words.write(shared, this.shape.base + WORD.redelivered, words.read(shared, this.shape.base + WORD.redelivered) + 1);
    words.write(shared, member.argument, index);
    member.criticalAs(Op["pipe.lease-returned"], this.entry, 0);
    leases.setState(index, LeaseState.held, member.me);
    member.committedAs(Op["pipe.lease-returned"], this.entry);
    this.finish();
    return { index, bytes, kind, sequence, deliveries };
  }

  /** The message of a lease is done with. @throws ERR_NOT_HELD, ERR_CORRUPT */
  acknowledge(index: number, sequence: number): void {
    const { member, leases } = this;
    member.begin(Op["pipe.ack"], this.entry);
    try {
      this.checkHeld(index, sequence);
      const page = leases.messagePage(index);
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
