import { readdirSync } from "node:fs";
import * as words from "#words";
import { flag, knownOptions } from "../base/arguments.js";
import { ShmkitError } from "../base/errors.js";
import { native } from "../native/addon.js";
import type { PipeStatistics } from "../channels/pipe-statistics.js";
import type { ObjectRef } from "../heap/object-plan.js";
import { PAGE_WORDS, type HeapStatistics, type PageHeap } from "../heap/page-heap.js";
import type { Kind } from "../layout/heap.js";
import { DIRECTORY, nameOfFile } from "../base/file-names.js";
import { PAGE_BYTES, RegionState } from "../layout/region-header.js";
import type { Member } from "../members/member.js";
import type { ConditionStatistics } from "../sync/condition.js";
import type { FlagStatistics } from "../sync/flag.js";
import type { CounterStatistics } from "../values/counter.js";
import type { RateLimiterStatistics } from "../sync/rate-limiter.js";
import type { RwLockStatistics } from "../sync/rwlock-words.js";
import type { LocksStatistics } from "../sync/lock-requests.js";
import type { EventStatistics } from "../sync/event.js";
import type { BarrierStatistics } from "../sync/barrier.js";
import type { LatchStatistics } from "../sync/latch.js";
import type { OnceStatistics } from "../sync/once.js";
import type { MutexStatistics } from "../sync/mutex-statistics.js";
import type { SemaphoreStatistics } from "../sync/semaphore-words.js";
import type { SegmentPoolStatistics } from "../values/segment-pool-words.js";
import { statOf } from "../memory/named-file.js";
import { Segment } from "../memory/segment.js";
import { inspectHeader, openFile } from "./region-file.js";
import type { HeaderFacts, LifetimeName } from "./geometry.js";
import { KIND_TABLE } from "./kinds.js";
import { memoryMap, type MemoryRange } from "./memory-map.js";
import { HEADER } from "../members/region-words.js";
import { readMembers, type MemberInfo } from "../members/member-info.js";
import { Membership } from "./membership.js";
import { diskStateOf, type DiskStateName } from "./disk-state.js";
import { placeOf, type Place } from "./names.js";

/** How an object is; which fields there are depends on its kind. */
export interface ObjectFacts {
  /** Of a pipe: its figures. */
  readonly pipe?: PipeStatistics;
  /** Of a counter: its value. */
  readonly value?: bigint;
  /** Of a counter: its value, and who waits for another. */
  readonly counter?: CounterStatistics;
  /** Of a mutex: slot of its owner; absent while it is free. */
  readonly ownerSlot?: number;
  /** Of a mutex: how many owners died holding it. */
  readonly takeovers?: number;
  /** Of a mutex: members that wait for it. */
  readonly waiting?: number;
  /** Of a mutex: who has it and who waits, since when, and how often it was taken. */
  readonly mutex?: MutexStatistics;
  /** Of a semaphore: its figures. */
  readonly semaphore?: SemaphoreStatistics;
  /** Of a condition: who waits. */
  readonly condition?: ConditionStatistics;
  /** Of a readers–writer lock: who has it, and who waits. */
  readonly rwlock?: RwLockStatistics;
  /** Of the lock manager: the locks that are held and the requests that wait. */
  readonly locks?: LocksStatistics;
  /** Of an event: its figures. */
  readonly event?: EventStatistics;
  /** Of a barrier: its parties. */
  readonly barrier?: BarrierStatistics;
  /** Of a latch: what is missing. */
  readonly latch?: LatchStatistics;
  /** Of something to be done once: whether it was. */
  readonly once?: OnceStatistics;
  /** Of a flag: its value, and who waits for another. */
  readonly flag?: FlagStatistics;
  /** Of a rate limiter: its figures. */
  readonly rateLimiter?: RateLimiterStatistics;
  /** Of a segment pool: who has which segments. */
  readonly segmentPool?: SegmentPoolStatistics;
  /** Of a composite: names of its parts, which are objects of this list as well. */
  readonly parts?: readonly string[];
}

/** A named object as seen from outside. */
export interface ObjectInfo extends ObjectFacts {
  /** Name within the region. */
  readonly name: string;
  /** What it is; says which of its facts there are. */
  readonly kind: Kind;
  /** When it was made, by the system's clock. */
  readonly createdAt: Date;
  /** Where its own block begins in the region's file, in bytes. */
  readonly offsetBytes: number;
  /** How long that block is, in bytes. */
  readonly lengthBytes: number;
}

/** Options of `Region.inspect`. */
export interface InspectOptions {
  /** Also what every page is for: a walk over all blocks. Default false. */
  memory?: boolean;
}

/** A region as seen from outside, without attaching. Nothing is locked: each part is as it was when it was read. */
export interface RegionInfo {
  /** Its name. */
  readonly name: string;
  /** Path of its file: `/dev/shm/shmkit.NAME`, or the one that it was named by. */
  readonly path: string;
  /** Number of the user whom the file belongs to. */
  readonly uid: number;
  /** The file's permission bits, such as `0o600`. */
  readonly mode: number;
  /** When it ends. */
  readonly lifetime: LifetimeName;
  /**
   * Of a region on disk: `"inOrder"`, the disk has all of it; `"inUse"`, it may lack what was not flushed; `"unclean"`, the
   * machine went down while it was in use.
   */
  readonly disk?: DiskStateName;
  /** When it was made, by the system's clock. */
  readonly createdAt: Date;
  /** Random number of this region, in hexadecimal: tells it from an earlier one of the same name. */
  readonly epoch: string;
  /** Memory for objects and messages that is backed now, in bytes. */
  readonly sizeBytes: number;
  /** What it can grow to, in bytes. */
  readonly maxSizeBytes: number;
  /** Where the memory goes. */
  readonly heap: HeapStatistics;
  /** Who is attached, by slot: the dead as well, as long as nobody has recovered them. */
  readonly members: readonly MemberInfo[];
  /** What is in it. */
  readonly objects: readonly ObjectInfo[];
  /** What every page is for, from the first to the last, if that was asked for. */
  readonly memory?: readonly MemoryRange[];
}

/** Names of the files that look like regions, valid or not. */
export function regionNames(): string[] {
  return readdirSync(DIRECTORY)
    .flatMap((file) => nameOfFile(file) ?? [])
    .sort();
}

/**
 * How far a view sees: all that the region can become, or what is backed when it begins. V8 counts what is mapped as
 * memory that it should collect: who looks at regions again and again would collect garbage at each look.
 */
type Reach = "whole" | "backed";

/** A region mapped for looking at it: private pages, which follow the shared ones as long as nobody writes to them. */
export class RegionView {
  private readonly segment: Segment;
  private readonly membership: Membership;
  readonly header: HeaderFacts;

  /** The descriptor is the view's from now on, unless this throws. @throws ERR_BAD_REGION, ERR_VERSION */
  constructor(
    private readonly place: Place,
    readonly descriptor: number,
    reach: Reach,
  ) {
    const { name, path } = place;
    this.header = inspectHeader(descriptor, path);
    const { geometry, committedBytes } = this.header;
    const maxPages = reach === "whole" ? geometry.maxPages : geometry.heapPage + committedBytes / PAGE_BYTES;
    this.segment = this.map(maxPages);
    this.membership = new Membership(this.segment, descriptor, { ...geometry, maxPages }, name, -1);
  }

  /** Another mapping of the same: what is written to it is seen by nobody, and not by this view either. */
  map(pages = this.header.geometry.maxPages): Segment {
    return new Segment(this.descriptor, pages * PAGE_BYTES, this.place.path, { writable: false, shared: false });
  }

  /** Whether there is more in it by now than this view reaches. */
  get hasGrown(): boolean {
    return words.load(this.segment.words, HEADER.committedPages) >>> 0 > this.membership.geometry.maxPages;
  }

  info(withMemory: boolean): RegionInfo {
    const { header, segment, descriptor, place } = this;
    const { heap, directory, member } = this.membership;
    const { uid, mode } = statOf(descriptor, place.path);
    const statistics = heap.statistics();
    const refs = directory.list();
    const info: RegionInfo = {
      name: place.name,
      path: place.path,
      uid,
      mode,
      lifetime: header.lifetime,
      ...(header.lifetime === "file" ? { disk: diskStateOf(segment, descriptor) } : {}),
      createdAt: header.createdAt,
      epoch: header.epoch,
      sizeBytes: statistics.committedBytes,
      maxSizeBytes: (header.geometry.maxPages - header.geometry.heapPage) * PAGE_BYTES,
      heap: statistics,
      members: this.members(),
      objects: refs.map((ref) => objectInfo(member, heap, ref)),
      ...(withMemory ? { memory: memoryMap(member, heap, refs) } : {}),
    };
    segment.checkNotLost();
    return info;
  }

  members(): MemberInfo[] {
    return readMembers(this.segment, this.header.geometry, this.descriptor, -1);
  }

  statistics(): HeapStatistics {
    return this.membership.heap.statistics();
  }

  /** What is called so; undefined when nothing is. */
  object(name: string): ObjectInfo | undefined {
    const { heap, directory, member } = this.membership;
    const ref = directory.list().find((one) => one.name === name);
    return ref === undefined ? undefined : objectInfo(member, heap, ref);
  }

  /** Whether nobody can join any more. */
  get isClosed(): boolean {
    return words.load(this.segment.words, HEADER.state) !== RegionState.open;
  }

  /** @throws ERR_REGION_LOST */
  checkNotLost(): void {
    this.segment.checkNotLost();
  }

  close(): void {
    this.segment.close();
    native.close(this.descriptor);
  }
}

/**
 * Looks at a region without attaching: no slot, no locks, no trace. Undefined when there is none of that name.
 * @throws ERR_BAD_REGION, ERR_VERSION, ERR_PERMISSION, ERR_CORRUPT
 */
export function snapshot(name: string, options?: InspectOptions): RegionInfo | undefined {
  const withMemory = memoryOption(options, "Region.inspect");
  const place = placeOf(name);
  for (;;) {
    const descriptor = openFile(place, false);
    if (descriptor === undefined) return undefined;
    const view = viewOf(place, descriptor, withMemory ? "whole" : "backed");
    try {
      return view.info(withMemory);
    } catch (error) {
      // Something may be where the view does not reach.
      if (!view.hasGrown) throw error;
    } finally {
      view.close();
    }
  }
}

export const memoryOption = (options: InspectOptions | undefined, where: string): boolean =>
  flag(knownOptions(options, ["memory"], where).memory, "memory");

/** A view that closes the descriptor when it cannot be made. */
export function viewOf(place: Place, descriptor: number, reach: Reach): RegionView {
  try {
    return new RegionView(place, descriptor, reach);
  } catch (error) {
    native.close(descriptor);
    throw error;
  }
}

function objectInfo(member: Member, heap: PageHeap, ref: ObjectRef): ObjectInfo {
  const base = ref.page * PAGE_WORDS;
  const common = {
    name: ref.name,
    kind: ref.kind,
    createdAt: ref.createdAt,
    offsetBytes: ref.page * PAGE_BYTES,
    lengthBytes: heap.pagesOf(ref.page) * PAGE_BYTES,
  };
  const place = { member, heap, page: ref.page, base, address: `${member.regionName}/${ref.name}` };
  const parts = ref.kind === "composite" ? { parts: ref.parts.map(({ name }) => name) } : {};
  return { ...common, ...parts, ...KIND_TABLE[ref.kind].facts(place) };
}

/** Every valid region this user can look at. */
export function snapshots(): RegionInfo[] {
  const found: RegionInfo[] = [];
  for (const name of regionNames()) {
    try {
      const info = snapshot(name);
      if (info !== undefined) found.push(info);
    } catch (error) {
      if (!(error instanceof ShmkitError)) throw error;
    }
  }
  return found;
}
