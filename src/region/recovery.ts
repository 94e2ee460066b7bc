import * as words from "#words";
import type { Directory } from "../heap/directory.js";
import type { ObjectPlace } from "../heap/object-kind.js";
import { PAGE_WORDS, type PageHeap } from "../heap/page-heap.js";
import { EntryState, type Kind } from "../layout/heap.js";
import {
  Effect,
  NO_ENTRY,
  Op,
  operationCode,
  operationEntry,
  operationNibble,
  operationPhase,
  packOperation,
  Phase,
} from "../layout/member-slot.js";
import { freeDead, freeOwn, isOwnedBy, lockWaiters } from "../locking/robust-lock.js";
import type { Recovery } from "../members/deaths.js";
import type { Member } from "../members/member.js";
import { leaveSet } from "../members/member-set.js";
import { HEADER, SLOT, slotWord } from "../members/region-words.js";
import { KIND_TABLE } from "./kinds.js";

/** Operations whose ledger block is to be freed when they took effect; the others' when they did not. */
const FREEING = new Set([Op["pipe.receive"], Op["pipe.ack"], Op["pipe.receive-returned"], Op["locks.release"]]);

/** What to undo and release in a region; {@link KIND_TABLE} knows it of each kind of object. Every step may be repeated: its doer may die, too. */
export class RegionRecovery implements Recovery {
  /** Called when what this member's own cut-off operation was about to hold has been given back: nobody will ever see it. */
  onOwnLost: (entry: number) => void = () => undefined;

  constructor(
    private readonly member: Member,
    private readonly heap: PageHeap,
    private readonly directory: Directory,
  ) {}

  private operation(slot: number): number {
    return slotWord(this.member.geometry, slot) + SLOT.operation;
  }

  settle(slot: number): void {
    const shared = this.member.segment.words;
    const word = words.load(shared, this.operation(slot));
    const phase = operationPhase(word);
    if (phase === Phase.none || phase === Phase.committed) return;
    const code = operationCode(word);
    const committed = this.tookEffect(slot, code, phase, operationEntry(word), operationNibble(word));
    const effect = slotWord(this.member.geometry, slot) + SLOT.effect;
    if (slot !== this.member.slot) words.store(shared, effect, committed ? Effect.committed : Effect.none);
    words.store(
      shared,
      this.operation(slot),
      packOperation(code, committed ? Phase.committed : Phase.none, 0, operationEntry(word)),
    );
  }

  private tookEffect(slot: number, code: number, phase: number, entry: number, nibble: number): boolean {
    if (code === Op["heap.allocate"]) return phase === Phase.critical && this.grew(slot);
    if (entry === NO_ENTRY) return false;
    const entryBase = this.directory.entryWord(entry);
    if (entryBase === 0) return false;
    const state = this.directory.stateOf(entryBase);
    if (code === Op["object.create"] || code === Op["object.remove"]) {
      if (phase !== Phase.critical) return false;
      if (code === Op["object.create"]) return state === EntryState.live;
      return state === EntryState.removed;
    }
    const opened = [...this.directory.objects(slot)].find((object) => object.entry === entry);
    if (code === Op["object.detach"]) return opened === undefined;
    if (opened === undefined) return false;
    return KIND_TABLE[opened.kind].tookEffect(this.place(opened.page), slot, { code, phase, nibble });
  }

  private place(page: number): ObjectPlace {
    return { member: this.member, heap: this.heap, page, base: page * PAGE_WORDS, address: "" };
  }

  private grew(slot: number): boolean {
    const shared = this.member.segment.words;
    const before = words.load(shared, slotWord(this.member.geometry, slot) + SLOT.argument);
    return words.load(shared, HEADER.committedPages) !== before;
  }

  settleLedger(slot: number): void {
    const shared = this.member.segment.words;
    const ledger = slotWord(this.member.geometry, slot) + SLOT.ledgerPage;
    const page = words.load(shared, ledger) >>> 0;
    if (page !== 0 && this.isDue(slot, page) && !this.directory.isSegment(page)) this.heap.freeIfOwnedBy(page, slot);
    words.store(shared, ledger, 0);
    words.store(shared, slotWord(this.member.geometry, slot) + SLOT.reaping, 0);
  }

  /** Whether the block in the ledger is to be freed: it was taken off what held it, or was not put there. */
  private isDue(slot: number, page: number): boolean {
    const shared = this.member.segment.words;
    const reaping = words.load(shared, slotWord(this.member.geometry, slot) + SLOT.reaping);
    if (reaping !== 0) {
      const base = this.directory.entryWord(reaping - 1);
      return base !== 0 && this.directory.stateOf(base) === EntryState.free;
    }
    const word = words.load(shared, this.operation(slot));
    if (this.isPartOfObject(slot, operationEntry(word), page)) return false;
    return FREEING.has(operationCode(word)) === (operationPhase(word) === Phase.committed);
  }

  private isPartOfObject(slot: number, entry: number, page: number): boolean {
    const object = [...this.directory.objects(slot)].find((opened) => opened.entry === entry);
    return object !== undefined && KIND_TABLE[object.kind].holds?.(this.place(object.page), page) === true;
  }

  release(slot: number, own: boolean): void {
    const { member, directory } = this;
    for (const { entry, base, kind, page } of [...directory.objects(slot)]) {
      const place = this.place(page);
      if (own) this.releaseOwn(kind, place, entry);
      else {
        KIND_TABLE[kind].release(place, slot);
        for (const set of KIND_TABLE[kind].sets(place)) leaveSet(member.segment, set, slot);
        directory.forget(base, slot);
      }
    }
    const free = own
      ? (lock: number): void => freeOwn(member, lock)
      : (lock: number): void => freeDead(member, lock, slot);
    free(HEADER.directoryLock);
    if (isOwnedBy(member, HEADER.heapLock, slot)) this.heap.resetRover();
    free(HEADER.heapLock);
    if (own) return;
    for (const set of [
      HEADER.spaceWaiters,
      HEADER.directoryWaiters,
      lockWaiters(HEADER.directoryLock),
      lockWaiters(HEADER.heapLock),
    ])
      leaveSet(member.segment, set, slot);
  }

  /** What any slot has of any object, whether the object says that the slot has it open or not. Nobody is alive. */
  releaseEverything(): void {
    const { member, directory } = this;
    const slots = Array.from({ length: member.geometry.maxMembers }, (_, slot) => slot);
    for (const slot of slots) this.release(slot, false);
    for (const { kind, page } of directory.objects()) {
      const place = this.place(page);
      for (const slot of slots) {
        KIND_TABLE[kind].release(place, slot);
        for (const set of KIND_TABLE[kind].sets(place)) leaveSet(member.segment, set, slot);
      }
    }
  }

  private releaseOwn(kind: Kind, place: ObjectPlace, entry: number): void {
    const word = words.load(this.member.segment.words, this.operation(this.member.slot));
    const operation =
      operationEntry(word) === entry
        ? { code: operationCode(word), phase: operationPhase(word), nibble: operationNibble(word) }
        : undefined;
    if (KIND_TABLE[kind].releaseOwn(place, operation)) this.onOwnLost(entry);
  }

  sweep(): void {
    this.directory.trySweep();
  }

  nameOf(entry: number): Uint8Array {
    return this.directory.nameOf(entry);
  }
}
