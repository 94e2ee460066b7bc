import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { PAGE_WORDS, type PageHeap } from "../heap/page-heap.js";
import { IN_BLOCK, leaseOwner, leaseState, LeaseState, packLease } from "../layout/pipe.js";
import type { Member } from "../members/member.js";
import type { PipeShape } from "./pipe-shape.js";
import { LEASE_WORD } from "./pipe-words.js";

/** The lease slots of a pipe: messages that left the ring under lease. */
export class LeaseTable {
  private rover = 0;

  constructor(
    private readonly member: Member,
    private readonly heap: PageHeap,
    private readonly shape: PipeShape,
    private readonly address: string,
  ) {}

  /** Word index of a slot. */
  at(index: number): number {
    return this.shape.leases + index * this.shape.leaseWords;
  }

  state(index: number): number {
    return words.load(this.member.segment.words, this.at(index));
  }

  stateCode(index: number): number {
    return leaseState(this.state(index));
  }

  /** A free slot, or -1; looked for behind the last one, since those before it are likely out still. Head lock held. */
  findFree(): number {
    const { maxLeased } = this.shape;
    for (let i = 0; i < maxLeased; i++) {
      const index = (this.rover + i) % maxLeased;
      if (leaseState(this.state(index)) !== LeaseState.free) continue;
      this.rover = (index + 1) % maxLeased;
      return index;
    }
    return -1;
  }

  /** The returned message with the lowest sequence, or -1, and whether there are more. Head lock held. */
  findReturned(): { index: number; more: boolean } {
    let index = -1;
    let lowest = Number.POSITIVE_INFINITY;
    let count = 0;
    for (let i = 0; i < this.shape.maxLeased; i++) {
      if (leaseState(this.state(i)) !== LeaseState.returned) continue;
      count++;
      const sequence = this.sequence(i);
      if (sequence < lowest) {
        lowest = sequence;
        index = i;
      }
    }
    return { index, more: count > 1 };
  }

  isEmpty(): boolean {
    for (let i = 0; i < this.shape.maxLeased; i++) if (leaseState(this.state(i)) !== LeaseState.free) return false;
    return true;
  }

  sequence(index: number): number {
    return words.readFloat(this.member.segment.floats, this.at(index) / 2 + LEASE_WORD.sequence);
  }
  length(index: number): number {
    return words.read(this.member.segment.words, this.at(index) + LEASE_WORD.length) >>> 0;
  }
  kind(index: number): number {
    return words.read(this.member.segment.words, this.at(index) + LEASE_WORD.kind) & 0xff;
  }
  deliveries(index: number): number {
    return words.read(this.member.segment.words, this.at(index) + LEASE_WORD.deliveries);
  }

  generation(index: number): number {
    return words.read(this.member.segment.words, this.at(index) + LEASE_WORD.generation);
  }

  /** Head page of the message's block, 0 when it is inline. */
  page(index: number): number {
    const base = this.at(index);
    const shared = this.member.segment.words;
    return (words.read(shared, base + LEASE_WORD.kind) & IN_BLOCK) === 0
      ? 0
      : words.read(shared, base + LEASE_WORD.page) >>> 0;
  }

  /** Fills a free slot. `page` 0: `message` goes inline. */
  fill(index: number, message: Uint8Array, kind: number, page: number, sequence: number): void {
    const base = this.at(index);
    const { segment } = this.member;
    words.write(segment.words, base + LEASE_WORD.length, message.length);
    words.write(segment.words, base + LEASE_WORD.kind, kind | (page === 0 ? 0 : IN_BLOCK));
    words.write(segment.words, base + LEASE_WORD.page, page);
    words.write(segment.words, base + LEASE_WORD.generation, page === 0 ? 0 : this.heap.generationOf(page));
    words.write(segment.words, base + LEASE_WORD.deliveries, 1);
    words.writeFloat(segment.floats, base / 2 + LEASE_WORD.sequence, sequence);
    words.writeFloat(segment.floats, base / 2 + LEASE_WORD.leasedAt, Date.now());
    if (page === 0) words.copyIn(segment, base * 4 + LEASE_WORD.inline, message, 0, message.length);
  }

  delivered(index: number): void {
    const word = this.at(index) + LEASE_WORD.deliveries;
    words.write(this.member.segment.words, word, words.read(this.member.segment.words, word) + 1);
    words.writeFloat(this.member.segment.floats, this.at(index) / 2 + LEASE_WORD.leasedAt, Date.now());
  }

  /** Head page of the message's block, 0 when it is inline. @throws ERR_CORRUPT when the message cannot be there */
  messagePage(index: number): number {
    const length = this.length(index);
    const page = this.page(index);
    if (page === 0 ? length <= this.shape.inlineLimit : this.heap.isMessage(page, this.generation(index), length))
      return page;
    throw new ShmkitError(
      "ERR_CORRUPT",
      `${this.address} holds a lease of impossible length ${length} or block ${page}; remove the pipe`,
      { path: this.address, actual: page === 0 ? length : page },
    );
  }

  /** A private copy of a leased message. @throws ERR_CORRUPT */
  copy(index: number): Uint8Array {
    const page = this.messagePage(index);
    const at = page === 0 ? this.at(index) * 4 + LEASE_WORD.inline : page * PAGE_WORDS * 4;
    return words.copy(this.member.segment, at, this.length(index));
  }

  setState(index: number, state: number, owner: number): void {
    words.store(this.member.segment.words, this.at(index), packLease(state, owner));
  }

  isHeldBy(index: number, slot: number): boolean {
    const state = this.state(index);
    return leaseState(state) === LeaseState.held && leaseOwner(state) === slot + 1;
  }
}
