/**
 * What must hold in a region in which nothing is going on, read from the bytes by the layout alone, without the code that
 * wrote them: the heap is tiled, every used block belongs to exactly one thing, nothing belongs to the dead.
 */
import assert from "node:assert/strict";
import {
  DIRECTORY_ENTRY,
  ENTRY_BYTES,
  EntryState,
  KINDS,
  PAGE_MAP_BYTES,
  runPages,
  RunState,
  runState,
} from "#src/layout/heap.js";
import { COMPOSITE, MAX_PARTS } from "#src/layout/composite.js";
import { BARRIER, PLACE_LOST } from "#src/layout/barrier.js";
import { EVENT } from "#src/layout/event.js";
import { FLAG } from "#src/layout/flag.js";
import { LATCH } from "#src/layout/latch.js";
import { ONCE, ONCE_RESULT_BYTES } from "#src/layout/once.js";
import { CONDITION, conditionWaits, conditionWakes } from "#src/layout/condition.js";
import { COUNTER, LOCK, MUTEX } from "#src/layout/lock.js";
import {
  FIRST_LOCK_REQUESTS,
  INLINE_NAME_BYTES,
  LOCK_MANAGER,
  LOCK_REQUEST,
  LOCK_REQUEST_BYTES,
  LOCK_SEGMENTS,
  requestOwner,
  requestShared,
  RequestState,
  requestState,
} from "#src/layout/lock-manager.js";
import { MONITOR } from "#src/layout/monitor.js";
import { RATE_LIMITER } from "#src/layout/rate-limiter.js";
import { RWLOCK, RWLOCK_BYTES, RWLOCK_READER, RWLOCK_READER_BYTES } from "#src/layout/rwlock.js";
import { SEGMENT_POOL, SEGMENT_POOL_BYTES, segmentOwner } from "#src/layout/segment-pool.js";
import { SEMAPHORE } from "#src/layout/semaphore.js";
import { Armed, MEMBER_SLOT, operationPhase, Phase, SLOT_BYTES, SlotState } from "#src/layout/member-slot.js";
import {
  COPY_BYTES,
  IN_BLOCK,
  LEASE_SLOT,
  leaseOwner,
  LeaseState,
  leaseState,
  PIPE,
  RECORD,
  RECORD_HEADER_BYTES,
  RecordKind,
} from "#src/layout/pipe.js";
import {
  DIRECTORY_SEGMENTS,
  FIRST_SEGMENT_ENTRIES,
  LOCK_BASE,
  PAGE_BYTES,
  REGION_HEADER,
  SET_WORDS,
} from "#src/layout/region-header.js";

const header = REGION_HEADER.at;
const entryAt = DIRECTORY_ENTRY.at;

/** What an audit counted. */
export interface Audit {
  readonly usedPages: number;
  readonly freePages: number;
  readonly segmentPages: number;
  readonly objects: number;
  /** Messages in rings, and in lease slots. */
  readonly queued: number;
  readonly leased: number;
}

export interface AuditOptions {
  /** Whether somebody holds the liveness byte of a slot. */
  isAlive(slot: number): boolean;
  /** Nobody waits for anything, or was cut off: then every set of waiters is empty, and every operation over. */
  readonly isIdle?: boolean;
}

class Auditor {
  private readonly bytes: DataView;
  private readonly owned = new Map<number, string>();
  private readonly used = new Map<number, number>();
  /** Those of the used blocks that are an object's or the directory's, and no message's. */
  private readonly kept = new Set<number>();
  private readonly alive = new Set<number>();
  private freePages = 0;
  private segmentPages = 0;
  private objects = 0;
  private queued = 0;
  private leased = 0;

  constructor(
    buffer: ArrayBufferLike,
    private readonly options: AuditOptions,
  ) {
    this.bytes = new DataView(buffer);
  }

  private u32(offset: number): number {
    return this.bytes.getUint32(offset, true);
  }

  run(): Audit {
    assert.equal(this.bytes.getFloat64(header.lockBase, true), LOCK_BASE, "the header is intact");
    this.tile();
    this.slots();
    this.lockIsFree(header.heapLock, "the heap lock");
    this.lockIsFree(header.directoryLock, "the directory lock");
    this.setOfTheLiving(header.spaceWaiters, "waiting for space");
    this.setOfTheLiving(header.directoryWaiters, "waiting for names");
    this.directory();
    for (const page of this.used.keys())
      assert.ok(
        this.owned.has(page),
        `the block at page ${page} (${this.used.get(page)} pages) leaked: nothing refers to it`,
      );
    const usedPages = [...this.used.values()].reduce((sum, pages) => sum + pages, 0);
    return {
      usedPages,
      freePages: this.freePages,
      segmentPages: this.segmentPages,
      objects: this.objects,
      queued: this.queued,
      leased: this.leased,
    };
  }

  /** The page map tiles the heap from its first page to the end of what is committed. */
  private tile(): void {
    const map = this.u32(header.pageMapPage) * PAGE_BYTES;
    const end = this.u32(header.committedPages);
    let page = this.u32(header.heapPage);
    const heads = new Set<number>();
    while (page < end) {
      const run = this.u32(map + page * PAGE_MAP_BYTES);
      const pages = runPages(run);
      heads.add(page);
      assert.ok(pages > 0 && page + pages <= end, `the run at page ${page} has ${pages} pages of ${end - page}`);
      if (runState(run) === RunState.kept) this.kept.add(page);
      if (runState(run) === RunState.used || runState(run) === RunState.kept) this.used.set(page, pages);
      else {
        assert.equal(runState(run), RunState.free, `the run at page ${page} is free or used`);
        this.freePages += pages;
      }
      page += pages;
    }
    assert.equal(page, end, "the runs end where the heap ends");
    const rover = this.u32(header.heapRover);
    assert.ok(rover === end || heads.has(rover), `the rover ${rover} is at the head of a run`);
  }

  private slots(): void {
    const at = MEMBER_SLOT.at;
    for (let slot = 0; slot < this.u32(header.maxMembers); slot++) {
      const base = this.u32(header.memberTablePage) * PAGE_BYTES + slot * SLOT_BYTES;
      const active = this.u32(base + at.state) !== SlotState.free;
      if (active) this.alive.add(slot);
      assert.equal(active, this.options.isAlive(slot), `slot ${slot} is taken if and only if its member lives`);
      // What a member has in hand; of a free slot the next member clears it.
      if (active) assert.equal(this.u32(base + at.ledgerPage), 0, `the ledger of member ${slot} is empty`);
      if (active) assert.equal(this.u32(base + at.reaping), 0, `member ${slot} is freeing nothing`);
      const phase = operationPhase(this.u32(base + at.operation));
      const isOver = phase === Phase.none || phase === Phase.committed;
      if (active && this.options.isIdle === true) assert.ok(isOver, `the operation of member ${slot} is over`);
      if (!active) assert.equal(this.u32(base + at.armed) & Armed.mask, 0, `nobody in slot ${slot} is armed`);
      if (!active) assert.equal(this.u32(base + at.syncSet), 0, `nobody in slot ${slot} sleeps`);
    }
  }

  /** The block of a message, unless the pipe is being taken apart and that block has been freed. */
  private message(page: number, generation: number, what: string, isRemoved: boolean): number {
    const map = this.u32(header.pageMapPage) * PAGE_BYTES;
    const isSame = this.used.has(page) && this.u32(map + page * PAGE_MAP_BYTES + 4) === generation;
    if (isRemoved && !isSame) return Number.POSITIVE_INFINITY;
    assert.ok(isSame, `${what} has the block at page ${page} of generation ${generation}`);
    return this.owns(page, what, false);
  }

  private owns(page: number, what: string, isKept = true): number {
    const pages = this.used.get(page);
    assert.ok(pages !== undefined, `${what} has a block at page ${page}, which is none`);
    assert.equal(this.kept.has(page), isKept, `the block at page ${page} of ${what} ${isKept ? "is" : "is not"} kept`);
    assert.equal(this.owned.get(page), undefined, `the block at page ${page} of ${what} belongs to something else too`);
    this.owned.set(page, what);
    return pages;
  }

  private setOfTheLiving(offset: number, what: string, areWaiters = true): void {
    for (let word = 0; word < SET_WORDS; word++) {
      const bits = this.u32(offset + word * 4);
      for (let bit = 0; bits >>> bit !== 0 && bit < 32; bit++)
        if (((bits >>> bit) & 1) === 1)
          assert.ok(
            this.alive.has(word * 32 + bit) && !(areWaiters && this.options.isIdle === true),
            `member ${word * 32 + bit}, in the set of those ${what}, lives${this.options.isIdle === true ? " and waits" : ""}`,
          );
    }
  }

  private lockIsFree(offset: number, what: string): void {
    assert.equal(this.u32(offset + LOCK.at.owner), 0, `${what} is free`);
    this.setOfTheLiving(offset + LOCK.at.waiters, `waiting for ${what}`);
  }

  private directory(): void {
    for (let k = 0; k < DIRECTORY_SEGMENTS; k++) {
      const page = this.u32(header.directorySegments + 4 * k);
      if (page === 0) continue;
      this.segmentPages += this.owns(page, `segment ${k} of the directory`);
      for (let i = 0; i < FIRST_SEGMENT_ENTRIES << k; i++) this.entry(page * PAGE_BYTES + i * ENTRY_BYTES);
    }
  }

  private entry(at: number): void {
    const state = this.u32(at + entryAt.state);
    if (state === EntryState.free) return;
    assert.ok(state <= EntryState.part, `an entry has state ${state}`);
    const name = Buffer.from(
      this.bytes.buffer as ArrayBuffer,
      at + entryAt.name,
      this.u32(at + entryAt.nameBytes),
    ).toString();
    const page = this.u32(at + entryAt.page);
    this.owns(page, name);
    this.objects++;
    this.setOfTheLiving(at + entryAt.openers, `who have ${name} open`, false);
    if (state === EntryState.part) this.part(at, name);
    const kind = KINDS[this.u32(at + entryAt.kind)];
    const base = page * PAGE_BYTES;
    if (kind === "pipe") this.pipe(base, name, state === EntryState.removed);
    else if (kind === "counter") this.counter(base, name);
    else if (kind === "mutex") this.mutex(base, name);
    else if (kind === "condition") this.condition(base, name);
    else if (kind === "semaphore") this.semaphore(base, name);
    else if (kind === "locks") this.lockManager(base, name);
    else if (kind === "event") this.event(base, name);
    else if (kind === "barrier") this.barrier(base, name);
    else if (kind === "latch") this.latch(base, name);
    else if (kind === "once") this.once(base, name);
    else if (kind === "flag") this.flag(base, name);
    else if (kind === "rwlock") this.rwlock(base, name);
    else if (kind === "segment-pool") this.segmentPool(base, name);
    else if (kind === "composite") this.composite(at, base, name, state === EntryState.live);
    else {
      assert.equal(kind, "rate-limiter", `${name} is of a known kind`);
      this.rateLimiter(base, name);
    }
  }

  private entryAt(entry: number): number {
    const segment = 31 - Math.clz32(Math.trunc(entry / FIRST_SEGMENT_ENTRIES) + 1);
    const first = FIRST_SEGMENT_ENTRIES * ((1 << segment) - 1);
    return this.u32(header.directorySegments + 4 * segment) * PAGE_BYTES + (entry - first) * ENTRY_BYTES;
  }

  /** A part has a parent that is there, or somebody who has it open since before the parent was removed. */
  private part(at: number, name: string): void {
    const parent = this.entryAt(this.u32(at + entryAt.parent));
    const state = this.u32(parent + entryAt.state);
    assert.equal(
      this.u32(parent + entryAt.generation),
      this.u32(at + entryAt.parentGeneration),
      `${name} has a parent`,
    );
    assert.equal(KINDS[this.u32(parent + entryAt.kind)], "composite", `the parent of ${name} is a composite`);
    if (state === EntryState.live) return;
    assert.equal(state, EntryState.removed, `the parent of ${name} was there`);
    const isOpen = Array.from({ length: SET_WORDS }, (_, word) => this.u32(at + entryAt.openers + 4 * word) !== 0);
    assert.ok(isOpen.includes(true), `somebody has ${name} open, which was removed`);
  }

  /** One that is there has all its parts; of one that was removed, some may be gone. */
  private composite(at: number, base: number, name: string, isLive: boolean): void {
    const count = this.u32(base + COMPOSITE.at.parts);
    assert.ok(count >= 1 && count <= MAX_PARTS, `${name} has ${count} parts`);
    for (let i = 0; isLive && i < count; i++) {
      const part = this.entryAt(this.u32(base + COMPOSITE.at.entries + 4 * i));
      assert.equal(this.u32(part + entryAt.state), EntryState.part, `part ${i} of ${name} is one`);
      assert.equal(this.entryAt(this.u32(part + entryAt.parent)), at, `part ${i} of ${name} is its own`);
      assert.equal(this.u32(part + entryAt.parentGeneration), this.u32(at + entryAt.generation), `and not of another`);
    }
  }

  /** What objects of several words begin with: nobody is in the middle of anything. */
  private monitor(base: number, name: string): void {
    this.lockIsFree(base + MONITOR.at.lock, `the lock of ${name}`);
    assert.equal(this.u32(base + MONITOR.at.journalEntries), 0, `nothing is to be undone in ${name}`);
  }

  /** Words by slot in which only the living have something. */
  private ofTheLiving(words: number, what: string, stride = 4): void {
    for (let slot = 0; slot < this.u32(header.maxMembers); slot++)
      if (!this.alive.has(slot))
        assert.equal(this.u32(words + stride * slot), 0, `${what} of a member ${slot} that is gone`);
  }

  private rateLimiter(base: number, name: string): void {
    this.monitor(base, name);
    this.setOfTheLiving(base + RATE_LIMITER.at.waiters, `waiting for ${name}`);
    this.ofTheLiving(base + RATE_LIMITER.at.turns, `the turn at ${name}`);
  }

  private segmentPool(base: number, name: string): void {
    this.monitor(base, name);
    for (const set of [SEGMENT_POOL.at.waiters, SEGMENT_POOL.at.partners])
      this.setOfTheLiving(base + set, `waiting for ${name}`);
    this.ofTheLiving(base + SEGMENT_POOL.at.turns, `the turn at ${name}`);
    for (let id = 0; id < this.u32(base + SEGMENT_POOL.at.segments); id++) {
      const owner = segmentOwner(this.u32(base + SEGMENT_POOL_BYTES + 4 * id));
      if (owner !== 0) assert.ok(this.alive.has(owner - 1), `the owner of segment ${id} of ${name} lives`);
    }
  }

  private rwlock(base: number, name: string): void {
    const { at } = RWLOCK;
    const owner = this.u32(base + at.lock);
    if (owner === 0) {
      assert.equal(this.u32(base + at.gate), 0, `the gate of ${name} is open`);
      assert.equal(this.u32(base + at.grants) % 2, 0, `no guard has ${name}`);
    } else assert.ok(this.alive.has(owner - 1), `the owner of ${name} lives`);
    for (const set of [at.lock + LOCK.at.waiters, at.waiting, at.favoured])
      this.setOfTheLiving(base + set, `waiting for ${name}`, set !== at.favoured);
    this.ofTheLiving(base + at.turns, `the turn at ${name}`);
    this.ofTheLiving(base + RWLOCK_BYTES, `reading ${name}`, RWLOCK_READER_BYTES);
    for (let slot = 0; slot < this.u32(header.maxMembers); slot++) {
      const reader = base + RWLOCK_BYTES + slot * RWLOCK_READER_BYTES;
      const isReading = this.u32(reader + RWLOCK_READER.at.count) !== 0;
      assert.equal(this.u32(reader + RWLOCK_READER.at.possessions) % 2, Number(isReading), `who reads ${name}`);
    }
  }

  private lockManager(base: number, name: string): void {
    this.lockIsFree(base + LOCK_MANAGER.at.lock, `the lock of ${name}`);
    this.setOfTheLiving(base + LOCK_MANAGER.at.waiters, `who have locks of ${name}`);
    const held = new Map<string, boolean[]>();
    let index = 0;
    for (let k = 0; k < LOCK_SEGMENTS; k++) {
      const page = this.u32(base + LOCK_MANAGER.at.segments + 4 * k);
      if (page === 0) continue;
      this.owns(page, `segment ${k} of ${name}`);
      const count = FIRST_LOCK_REQUESTS << k;
      for (let i = 0; i < count; i++, index++)
        this.lockRequest(base, index, page * PAGE_BYTES + 4 * count + i * LOCK_REQUEST_BYTES, held);
    }
    for (const [text, shared] of held)
      assert.ok(shared.length === 1 || shared.every(Boolean), `${text} is held by one alone, or by all together`);
  }

  private lockRequest(base: number, index: number, request: number, held: Map<string, boolean[]>): void {
    const at = LOCK_REQUEST.at;
    const word = this.u32(request + at.state);
    const state = requestState(word);
    if (state === RequestState.free) return;
    assert.ok(index < this.u32(base + LOCK_MANAGER.at.used), `request ${index} is among those in use`);
    assert.ok(this.alive.has(requestOwner(word) - 1), `the member of request ${index} lives`);
    assert.ok(state !== RequestState.stealing && state <= RequestState.stolen, `request ${index} is in state ${state}`);
    const bytes = this.u32(request + at.nameBytes);
    const page = this.u32(request + at.namePage);
    if (page !== 0) assert.ok(bytes <= this.owns(page, `the name of request ${index}`, false) * PAGE_BYTES);
    else assert.ok(bytes <= INLINE_NAME_BYTES, `the name of request ${index} fits it`);
    const where = page === 0 ? request + at.name : page * PAGE_BYTES;
    const text = Buffer.from(this.bytes.buffer as ArrayBuffer, where, bytes).toString("latin1");
    if (state === RequestState.held) held.set(text, [...(held.get(text) ?? []), requestShared(word)]);
  }

  private semaphore(base: number, name: string): void {
    this.monitor(base, name);
    this.setOfTheLiving(base + SEMAPHORE.at.waiters, `waiting for ${name}`);
    this.ofTheLiving(base + SEMAPHORE.at.held, `permits of ${name}`);
    this.ofTheLiving(base + SEMAPHORE.at.turns, `the turn at ${name}`);
  }

  private condition(base: number, name: string): void {
    this.setOfTheLiving(base + CONDITION.at.waiters, `waiting for ${name}`);
    this.ofTheLiving(base + CONDITION.at.waits, `waits for ${name}`);
    this.ofTheLiving(base + CONDITION.at.notifying, `a notification of ${name}`);
    for (let slot = 0; slot < this.u32(header.maxMembers); slot++) {
      const word = this.u32(base + CONDITION.at.waits + 4 * slot);
      const text = `member ${slot} has ${conditionWaits(word)} waits for ${name}`;
      assert.ok(conditionWakes(word) <= conditionWaits(word), `${text}, and ${conditionWakes(word)} were woken`);
      if (this.options.isIdle !== true) continue;
      assert.equal(word, 0, text);
      assert.equal(
        this.u32(base + CONDITION.at.notifying + 4 * slot),
        0,
        `member ${slot} is notifying nobody of ${name}`,
      );
    }
  }

  private event(base: number, name: string): void {
    this.lockIsFree(base + EVENT.at.lock, `the lock of ${name}`);
    this.setOfTheLiving(base + EVENT.at.waiters, `waiting for ${name}`);
    this.ofTheLiving(base + EVENT.at.waits, `waits for ${name}`);
  }

  private barrier(base: number, name: string): void {
    const { at } = BARRIER;
    this.monitor(base, name);
    this.setOfTheLiving(base + at.waiters, `waiting for ${name}`);
    for (let place = 0; place < this.u32(base + at.parties); place++) {
      const party = this.u32(base + at.places + 4 * place);
      if (party === 0 || (party & PLACE_LOST) !== 0) continue;
      assert.ok(this.alive.has(party - 1), `the party ${party - 1} at place ${place} of ${name} lives`);
    }
  }

  private latch(base: number, name: string): void {
    const { at } = LATCH;
    this.setOfTheLiving(base + at.waiters, `waiting for ${name}`);
    for (let slot = 0; slot < this.u32(header.maxMembers); slot++) {
      const [down, promised, lost] = [at.down, at.promised, at.lost].map((field) => this.u32(base + field + 4 * slot));
      if (!this.alive.has(slot))
        assert.ok(down + lost >= promised, `nothing of ${name} is owed by a member that is gone`);
    }
  }

  private once(base: number, name: string): void {
    const runner = this.u32(base + ONCE.at.lock);
    this.setOfTheLiving(base + ONCE.at.lock + LOCK.at.waiters, `waiting for ${name}`);
    assert.ok(runner === 0 || this.alive.has(runner - 1), `who does ${name} lives`);
    assert.ok(this.u32(base + ONCE.at.outcome) <= ONCE_RESULT_BYTES + 1, `the result of ${name} fits`);
  }

  private flag(base: number, name: string): void {
    this.lockIsFree(base + FLAG.at.lock, `the lock of ${name}`);
    this.setOfTheLiving(base + FLAG.at.waiters, `waiting for ${name}`);
    assert.ok(this.u32(base + FLAG.at.value) <= 1, `${name} is true or false`);
  }

  private counter(base: number, name: string): void {
    this.lockIsFree(base + COUNTER.at.lock, `the lock of ${name}`);
    this.setOfTheLiving(base + COUNTER.at.changeWaiters, `waiting for ${name}`);
  }

  private mutex(base: number, name: string): void {
    const owner = this.u32(base + MUTEX.at.lock);
    this.setOfTheLiving(base + MUTEX.at.lock + LOCK.at.waiters, `waiting for ${name}`);
    if (owner === 0) assert.equal(this.u32(base + MUTEX.at.journalEntries), 0, `nothing is to be undone in ${name}`);
    else assert.ok(this.alive.has(owner - 1), `the owner of ${name} lives`);
  }

  private pipe(base: number, name: string, isRemoved: boolean): void {
    const at = PIPE.at;
    this.lockIsFree(base + at.tailLock, `the tail lock of ${name}`);
    this.lockIsFree(base + at.headLock, `the head lock of ${name}`);
    for (const set of ["notEmpty", "notFull", "drained", "leaseFree"] as const)
      this.setOfTheLiving(base + at[set], `${set} of ${name}`);
    this.ring(base, name, isRemoved);
    for (let i = 0; i < this.u32(base + at.maxLeased); i++) {
      const lease = base + this.u32(base + at.leaseOffset) + i * this.u32(base + at.leaseBytes);
      const word = this.u32(lease + LEASE_SLOT.at.state);
      if (leaseState(word) === LeaseState.free) continue;
      this.leased++;
      if (leaseState(word) === LeaseState.held)
        assert.ok(this.alive.has(leaseOwner(word) - 1), `the holder of lease ${i} of ${name} lives`);
      else assert.equal(leaseState(word), LeaseState.returned, `lease ${i} of ${name} is free, held or returned`);
      const { kind, page, generation } = LEASE_SLOT.at;
      if ((this.u32(lease + kind) & IN_BLOCK) !== 0)
        this.message(this.u32(lease + page), this.u32(lease + generation), `lease ${i} of ${name}`, isRemoved);
      if (leaseState(word) === LeaseState.returned)
        assert.equal(this.u32(base + at.returnedHint), 1, `${name} hints at its returned messages`);
    }
  }

  /** Walks the records that count. */
  private ring(base: number, name: string, isRemoved: boolean): void {
    const at = PIPE.at;
    const sent = this.u32(base + at.sent);
    const received = this.u32(base + at.received);
    const units = this.u32(base + at.ringUnits);
    const ring = base + this.u32(base + at.ringOffset);
    let position = this.u32(base + at.headPosition0 + (received & 1) * COPY_BYTES);
    assert.ok((sent - received) >>> 0 <= this.u32(base + at.capacity), `${name} holds no more than its capacity`);
    for (let number = received; number !== sent; number = (number + 1) >>> 0) {
      let unit = position & (units - 1);
      let kind = this.u32(ring + unit * 8 + RECORD.at.kind);
      if ((kind & 0xff) === RecordKind.wrap) {
        position = (position + units - unit) >>> 0;
        unit = 0;
        kind = this.u32(ring + RECORD.at.kind);
      }
      const length = this.u32(ring + unit * 8 + RECORD.at.length);
      const inBlock = (kind & IN_BLOCK) !== 0;
      if (inBlock) {
        const body = ring + unit * 8 + RECORD_HEADER_BYTES;
        const pages = this.message(this.u32(body), this.u32(body + 4), `message ${number} of ${name}`, isRemoved);
        assert.ok(length <= pages * PAGE_BYTES, `message ${number} of ${name} fits its block`);
      }
      position = (position + 1 + (((inBlock ? 8 : length) + 7) >>> 3)) >>> 0;
      this.queued++;
    }
    assert.equal(
      position,
      this.u32(base + at.tailPosition0 + (sent & 1) * COPY_BYTES),
      `the records of ${name} end at its tail`,
    );
  }
}

/** Audits a region. @throws AssertionError saying what does not hold */
export function audit(buffer: ArrayBufferLike, options: AuditOptions): Audit {
  return new Auditor(buffer, options).run();
}
