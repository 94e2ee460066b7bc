import * as words from "#words";
import { PIPE_WORD } from "../channels/pipe-words.js";
import { LeaseTable } from "../channels/lease-table.js";
import { readShape, type PipeShape } from "../channels/pipe-shape.js";
import type { Directory } from "../heap/directory.js";
import { PAGE_WORDS, type PageHeap } from "../heap/page-heap.js";
import { EntryState, type Kind } from "../layout/heap.js";
import { LeaseState } from "../layout/pipe.js";
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
import { commit, journalIsEmpty, undo } from "../locking/journal.js";
import { freeAbandoned, isOwnedBy, lockWaiters } from "../locking/robust-lock.js";
import type { Recovery } from "../members/deaths.js";
import type { Member } from "../members/member.js";
import { leaveSet } from "../members/member-set.js";
import { HEADER, SLOT, slotWord } from "../members/region-words.js";
import { COUNTER_WORD } from "../values/counter.js";

/** Operations whose ledger block is to be freed when they took effect; the others' when they did not. */
const FREEING = new Set([Op["pipe.receive"], Op["pipe.ack"], Op["pipe.receive-returned"]]);

/** What to undo and release, kind by kind. Every step may be repeated: its doer may die, too. */
export class RegionRecovery implements Recovery {
  /** Called when this member's own interrupted operation concerned a mutex, whose guard nobody will ever see. */
  onOwnMutex: (entry: number) => void = () => undefined;

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
    const opened = this.directory.openedBy(slot).find((object) => object.entry === entry);
    if (code === Op["object.detach"]) return opened === undefined;
    if (opened === undefined) return false;
    if (opened.kind === "pipe") return phase === Phase.critical && this.pipeTookEffect(slot, code, opened.page, nibble);
    if (opened.kind === "counter") return phase === Phase.critical && this.counterTookEffect(slot, opened.page);
    return this.mutexTookEffect(slot, code, opened.page);
  }

  private grew(slot: number): boolean {
    const shared = this.member.segment.words;
    const before = words.load(shared, slotWord(this.member.geometry, slot) + SLOT.argument);
    return words.load(shared, HEADER.committedPages) !== before;
  }

  private pipeTookEffect(slot: number, code: number, page: number, nibble: number): boolean {
    const shared = this.member.segment.words;
    const base = page * PAGE_WORDS;
    const moved = (counter: number): boolean => (words.load(shared, base + counter) & 15) !== nibble;
    if (code === Op["pipe.send"]) return moved(PIPE_WORD.sent);
    if (code === Op["pipe.receive"]) return moved(PIPE_WORD.received);
    if (code === Op["pipe.close"]) return words.load(shared, base + PIPE_WORD.closed) !== 0;
    const shape = this.shapeOf(page);
    if (shape === undefined) return false;
    const leases = this.leasesOf(shape);
    const index = words.read(shared, slotWord(this.member.geometry, slot) + SLOT.argument) >>> 0;
    if (index >= shape.maxLeased) return false;
    const held = leases.isHeldBy(index, slot);
    if (code === Op["pipe.lease"]) {
      const took = moved(PIPE_WORD.received);
      // Held for a record that is still in the ring: discard the slot, the record stays.
      if (!took && held) leases.setState(index, LeaseState.free, 0);
      return took;
    }
    if (code === Op["pipe.lease-returned"]) return held;
    if (code === Op["pipe.receive-returned"]) return leases.stateCode(index) === LeaseState.free;
    return !held;
  }

  private counterTookEffect(slot: number, page: number): boolean {
    const { segment } = this.member;
    const base = page * PAGE_WORDS;
    if (!isOwnedBy(this.member, base + COUNTER_WORD.lock, slot)) return true;
    return (
      words.load64(segment.longs, base / 2 + COUNTER_WORD.value) ===
      words.load64(segment.longs, base / 2 + COUNTER_WORD.target)
    );
  }

  private mutexTookEffect(slot: number, code: number, page: number): boolean {
    const owned = isOwnedBy(this.member, page * PAGE_WORDS, slot);
    return code === Op["mutex.lock"] ? owned : !owned || journalIsEmpty(this.member.segment, page * PAGE_WORDS);
  }

  settleLedger(slot: number): void {
    const shared = this.member.segment.words;
    const ledger = slotWord(this.member.geometry, slot) + SLOT.ledgerPage;
    const page = words.load(shared, ledger) >>> 0;
    if (page !== 0 && this.isDue(slot) && !this.directory.isSegment(page)) this.heap.freeIfOwnedBy(page, slot);
    words.store(shared, ledger, 0);
    words.store(shared, slotWord(this.member.geometry, slot) + SLOT.reaping, 0);
  }

  /** Whether the block in the ledger is to be freed: it was taken off what held it, or was not put there. */
  private isDue(slot: number): boolean {
    const shared = this.member.segment.words;
    const reaping = words.load(shared, slotWord(this.member.geometry, slot) + SLOT.reaping);
    if (reaping !== 0) {
      const base = this.directory.entryWord(reaping - 1);
      return base !== 0 && this.directory.stateOf(base) === EntryState.free;
    }
    const word = words.load(shared, this.operation(slot));
    return FREEING.has(operationCode(word)) === (operationPhase(word) === Phase.committed);
  }

  release(slot: number, own: boolean): void {
    const { member, directory } = this;
    for (const { entry, base, kind, page } of directory.openedBy(slot)) {
      this.releaseObject(slot, own, kind, page, entry);
      if (!own) directory.forget(base, slot);
    }
    this.freeLock(slot, HEADER.directoryLock);
    if (isOwnedBy(member, HEADER.heapLock, slot)) this.heap.resetRover();
    this.freeLock(slot, HEADER.heapLock);
    if (own) return;
    for (const set of [
      HEADER.spaceWaiters,
      HEADER.directoryWaiters,
      lockWaiters(HEADER.directoryLock),
      lockWaiters(HEADER.heapLock),
    ])
      leaveSet(member.segment, set, slot);
  }

  private releaseObject(slot: number, own: boolean, kind: Kind, page: number, entry: number): void {
    const base = page * PAGE_WORDS;
    const sets: number[] = [];
    if (kind === "mutex") {
      this.releaseMutex(slot, own, base, entry);
      sets.push(lockWaiters(base));
    } else if (kind === "counter") {
      this.freeLock(slot, base + COUNTER_WORD.lock);
      sets.push(lockWaiters(base + COUNTER_WORD.lock), base + COUNTER_WORD.changeWaiters);
    } else {
      this.freeLock(slot, base + PIPE_WORD.tailLock);
      if (!own) this.returnLeases(slot, page);
      words.store(this.member.segment.words, base + PIPE_WORD.returnedHint, 1);
      this.freeLock(slot, base + PIPE_WORD.headLock);
      const tail = lockWaiters(base + PIPE_WORD.tailLock);
      const head = lockWaiters(base + PIPE_WORD.headLock);
      sets.push(
        tail,
        head,
        base + PIPE_WORD.notEmpty,
        base + PIPE_WORD.notFull,
        base + PIPE_WORD.drained,
        base + PIPE_WORD.leaseFree,
      );
    }
    if (!own) for (const set of sets) leaveSet(this.member.segment, set, slot);
  }

  private freeLock(slot: number, lock: number): void {
    if (!isOwnedBy(this.member, lock, slot)) return;
    if (slot === this.member.slot) words.store(this.member.segment.words, lock, 0);
    else freeAbandoned(this.member, lock);
  }

  private releaseMutex(slot: number, own: boolean, base: number, entry: number): void {
    const { member } = this;
    if (!isOwnedBy(member, base, slot)) return;
    if (!own) {
      undo(member.segment, base);
      freeAbandoned(member, base);
      return;
    }
    // Held by this member on purpose, unless taking or releasing it is what was interrupted.
    const word = words.load(member.segment.words, this.operation(slot));
    const code = operationCode(word);
    if (operationEntry(word) !== entry || (code !== Op["mutex.lock"] && code !== Op["mutex.unlock"])) return;
    commit(member.segment, base);
    words.store(member.segment.words, base, 0);
    this.onOwnMutex(entry);
  }

  private returnLeases(slot: number, page: number): void {
    const shape = this.shapeOf(page);
    if (shape === undefined) return;
    const leases = this.leasesOf(shape);
    for (let i = 0; i < shape.maxLeased; i++) if (leases.isHeldBy(i, slot)) leases.setState(i, LeaseState.returned, 0);
  }

  /** Undefined for a pipe whose dimensions are corrupt: there is nothing to save in it. */
  private shapeOf(page: number): PipeShape | undefined {
    try {
      return readShape(this.member, this.heap, page, "");
    } catch {
      return undefined;
    }
  }

  private leasesOf(shape: PipeShape): LeaseTable {
    return new LeaseTable(this.member, this.heap, shape, "");
  }

  sweep(): void {
    this.directory.trySweep();
  }

  nameOf(entry: number): Uint8Array {
    return this.directory.nameOf(entry);
  }
}
