/** Where the structures of a region lie, found by the layout alone; only for a region that is intact. */
import type { Struct } from "#src/layout/descriptor.js";
import {
  DIRECTORY_ENTRY,
  ENTRY_BYTES,
  EntryState,
  KINDS,
  PAGE_MAP_BYTES,
  PAGE_MAP_ENTRY,
  runPages,
} from "#src/layout/heap.js";
import { COMPOSITE } from "#src/layout/composite.js";
import { BARRIER } from "#src/layout/barrier.js";
import { EVENT } from "#src/layout/event.js";
import { FLAG } from "#src/layout/flag.js";
import { SEMAPHORE, SEMAPHORE_MEMBER } from "#src/layout/semaphore.js";
import { LATCH } from "#src/layout/latch.js";
import { ONCE } from "#src/layout/once.js";
import { CONDITION } from "#src/layout/condition.js";
import { COUNTER, LOCK, MUTEX, MUTEX_WAITER } from "#src/layout/lock.js";
import { FIRST_LOCK_REQUESTS, LOCK_MANAGER, LOCK_REQUEST, LOCK_REQUEST_BYTES } from "#src/layout/lock-manager.js";
import { DEATH_BYTES, DEATH_RECORD, MEMBER_SLOT, SLOT_BYTES } from "#src/layout/member-slot.js";
import { RATE_LIMITER } from "#src/layout/rate-limiter.js";
import { SEGMENT_POOL } from "#src/layout/segment-pool.js";
import { RWLOCK, RWLOCK_READER } from "#src/layout/rwlock.js";
import { MONITOR } from "#src/layout/monitor.js";
import { LEASE_SLOT, PIPE, RECORD } from "#src/layout/pipe.js";
import { DIRECTORY_SEGMENTS, FIRST_SEGMENT_ENTRIES, PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { WAIT_TIME } from "#src/layout/wait-time.js";

/** One structure in a region. */
export interface Place {
  readonly struct: Struct;
  readonly offset: number;
}

const header = REGION_HEADER.at;
/** Free slots and unused death records beyond the first few are all alike. */
const FEW = 4;

/** A structure of which one for each slot lies behind an object. */
interface Lines {
  readonly fixed: { readonly struct: Struct };
  readonly line: { readonly struct: Struct };
}
const LINES: Readonly<Record<string, Lines>> = {
  mutex: { fixed: MUTEX, line: MUTEX_WAITER },
  rwlock: { fixed: RWLOCK, line: RWLOCK_READER },
  semaphore: { fixed: SEMAPHORE, line: SEMAPHORE_MEMBER },
  condition: { fixed: CONDITION, line: WAIT_TIME },
  counter: { fixed: COUNTER, line: WAIT_TIME },
  flag: { fixed: FLAG, line: WAIT_TIME },
  event: { fixed: EVENT, line: WAIT_TIME },
  barrier: { fixed: BARRIER, line: WAIT_TIME },
  latch: { fixed: LATCH, line: WAIT_TIME },
  once: { fixed: ONCE, line: WAIT_TIME },
  "rate-limiter": { fixed: RATE_LIMITER, line: WAIT_TIME },
};

class Finder {
  readonly places: Place[] = [];

  constructor(private readonly bytes: DataView) {}

  private u32(offset: number): number {
    return this.bytes.getUint32(offset, true);
  }

  private add({ struct }: { readonly struct: Struct }, offset: number): void {
    this.places.push({ struct, offset });
  }

  find(): Place[] {
    this.add(REGION_HEADER, 0);
    this.add(LOCK, header.heapLock);
    this.add(LOCK, header.directoryLock);
    const members = Math.min(FEW, this.u32(header.maxMembers));
    for (let slot = 0; slot < members; slot++)
      this.add(MEMBER_SLOT, this.u32(header.memberTablePage) * PAGE_BYTES + slot * SLOT_BYTES);
    for (let record = 0; record < FEW; record++)
      this.add(DEATH_RECORD, this.u32(header.deathTablePage) * PAGE_BYTES + record * DEATH_BYTES);
    this.runs();
    for (let segment = 0; segment < DIRECTORY_SEGMENTS; segment++) {
      const page = this.u32(header.directorySegments + 4 * segment);
      for (let i = 0; page !== 0 && i < FIRST_SEGMENT_ENTRIES << segment; i++)
        this.entry(page * PAGE_BYTES + i * ENTRY_BYTES);
    }
    return this.places;
  }

  private runs(): void {
    const map = this.u32(header.pageMapPage) * PAGE_BYTES;
    for (let page = this.u32(header.heapPage); page < this.u32(header.committedPages);) {
      this.add(PAGE_MAP_ENTRY, map + page * PAGE_MAP_BYTES);
      page += runPages(this.u32(map + page * PAGE_MAP_BYTES));
    }
  }

  private entry(at: number): void {
    const state = this.u32(at + DIRECTORY_ENTRY.at.state);
    if (state !== EntryState.live && state !== EntryState.part) return;
    this.add(DIRECTORY_ENTRY, at);
    const base = this.u32(at + DIRECTORY_ENTRY.at.page) * PAGE_BYTES;
    const kind = KINDS[this.u32(at + DIRECTORY_ENTRY.at.kind)];
    if (kind in LINES) this.lines(LINES[kind], base);
    if (kind === "pipe") this.pipe(base);
    else if (kind === "counter") {
      this.add(COUNTER, base);
      this.add(LOCK, base + COUNTER.at.lock);
    } else if (kind === "condition") this.add(CONDITION, base);
    else if (kind === "locks") this.locks(base);
    else if (kind === "rate-limiter") this.withMonitor(RATE_LIMITER, base);
    else if (kind === "segment-pool") this.withMonitor(SEGMENT_POOL, base);
    else if (kind === "rwlock") this.withLock(RWLOCK, base);
    else if (kind === "latch") this.add(LATCH, base);
    else if (kind === "once") this.withLock(ONCE, base);
    else if (kind === "semaphore") this.withMonitor(SEMAPHORE, base);
    else if (kind === "event") this.withLock(EVENT, base);
    else if (kind === "barrier") this.withMonitor(BARRIER, base);
    else if (kind === "flag") this.withLock(FLAG, base);
    else if (kind === "composite") this.add(COMPOSITE, base);
    else {
      this.add(MUTEX, base);
      this.add(LOCK, base + MUTEX.at.lock);
    }
  }

  /** What lies behind an object, once for each slot. */
  private lines({ fixed, line }: Lines, base: number): void {
    for (let slot = 0; slot < FEW; slot++) this.add(line, base + fixed.struct.sizeBytes + slot * line.struct.sizeBytes);
  }

  private withLock(struct: { readonly struct: Struct }, base: number): void {
    this.add(struct, base);
    this.add(LOCK, base);
  }

  private withMonitor(struct: { readonly struct: Struct }, base: number): void {
    this.withLock(struct, base);
    this.add(MONITOR, base);
  }

  private locks(base: number): void {
    this.withLock(LOCK_MANAGER, base);
    const requests = this.u32(base + LOCK_MANAGER.at.segments) * PAGE_BYTES + 4 * FIRST_LOCK_REQUESTS;
    for (let i = 0; i < FEW; i++) this.add(LOCK_REQUEST, requests + i * LOCK_REQUEST_BYTES);
  }

  private pipe(base: number): void {
    const { at } = PIPE;
    this.add(PIPE, base);
    this.add(LOCK, base + at.tailLock);
    this.add(LOCK, base + at.headLock);
    // The first that is in use, or would be next.
    this.add(LEASE_SLOT, base + this.u32(base + at.leaseOffset));
    // The ring from its start: in a pipe that is new the records are there.
    const ring = base + this.u32(base + at.ringOffset);
    for (let unit = 0; unit < FEW * 8; unit += 2) this.add(RECORD, ring + unit * 8);
  }
}

/** Every structure of a region that was just made. */
export function findPlaces(bytes: DataView): Place[] {
  return new Finder(bytes).find();
}
