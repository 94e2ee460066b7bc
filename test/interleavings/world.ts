/**
 * A region in the machine's memory, with members that were attached before the story begins: the library's own objects,
 * whose system calls the machine answers.
 */
import * as words from "#words";
import { constants } from "node:os";
import { Region } from "shmkit";
import { native } from "#src/native/addon.js";
import type { NativeAddon } from "#src/native/contract.js";
import { Armed } from "#src/layout/member-slot.js";
import { LOCK_BASE, PAGE_BYTES } from "#src/layout/region-header.js";
import { Segment } from "#src/memory/segment.js";
import type { Geometry } from "#src/members/region-words.js";
import { dimensionsFor, writeHeader } from "#src/region/geometry.js";
import { join, Membership } from "#src/region/membership.js";
import { replaceWords } from "../instruments/words.js";
import { Machine, Thread } from "./machine.js";
import { rememberState } from "./private-state.js";

const { errno } = constants;

/** Longer than any deadline of a scenario. */
const LONG_MS = 1e6;
/** Some moment: what the library writes down must be the same in every run. */
const TODAY = 1_700_000_000_000;

const RegionOf = Region as unknown as new (name: string, attached: object) => Region;

let machine: Machine;
/** Who makes the system calls while nobody runs. */
let joining = 0;
const owner = (): number => machine.current?.id ?? joining;

/** The attach byte comes after those of the slots here. */
const ATTACH = 15;
const slotOf = (offset: number): number => (offset === LOCK_BASE ? ATTACH : offset - LOCK_BASE - 1);

const KERNEL: Partial<NativeAddon> = {
  map: () => ({ id: 1, buffer: machine.words.buffer, status: new ArrayBuffer(16) }),
  closeMapping: () => 0,
  // With a descriptor goes the attach byte, if it was locked through it.
  close: () => machine.unlockByte(ATTACH, owner()),
  sameFile: () => 1,
  allocate: () => 0,
  punch: () => 0,
  lock: (_descriptor, offset) => machine.lockByte(slotOf(offset), owner(), false, -errno.EAGAIN),
  unlock: (_descriptor, offset) => machine.unlockByte(slotOf(offset), owner()),
  probe: (_descriptor, offset) => machine.probeByte(slotOf(offset), owner()),
  pin: (_mapping, _descriptor, offset) => machine.lockByte(slotOf(offset), owner(), true, -errno.EAGAIN),
  unpin: () => machine.unlockByte(machine.pinnedBy(owner()), owner()),
  wake: (_mapping, offset, mask) => machine.wake(offset >> 2, mask),
  park: (_mapping, offset, expected) =>
    machine.park(offset >> 2, expected, 2, {
      changed: -errno.EAGAIN,
      timedOut: -errno.ETIMEDOUT,
      deadlineMs: LONG_MS,
    }),
  startWaiter: () => 0,
  watchDeaths: () => 0,
  refWaiter: () => 0,
  unrefWaiter: () => 0,
  setExitPlan: () => 0,
  startTime: () => 1,
  threadId: () => 1,
};

/** Nothing runs beside the members: no timers, no clock but theirs. */
function instrument(): void {
  Object.assign(native, KERNEL);
  performance.now = () => machine.current?.clock ?? 0;
  const { setTimeout } = globalThis;
  const timers: typeof setTimeout = ((...timer: Parameters<typeof setTimeout>) =>
    machine.current === undefined ? setTimeout(...timer) : NO_TIMER) as typeof setTimeout;
  Object.assign(globalThis, { setTimeout: timers });
  Date.now = () => (machine.current === undefined ? TODAY : calendar());
}
let isInstrumented = false;
const standsStill = (): number => TODAY;
/** What members read as the time of day: as other things that others change, by an access. */
let calendar = standsStill;
/** Never comes: deadlines pass as the explorer says. */
const NO_TIMER = { ref: () => NO_TIMER, unref: () => NO_TIMER };

/** One member of the story. */
export interface MemberOf {
  readonly slot: number;
  readonly region: Region;
  readonly membership: Membership;
}

export interface WorldOptions {
  readonly members: number;
  readonly heapPages?: number;
  /** Pages by which it can grow. */
  readonly growthPages?: number;
  readonly maxMembers?: number;
}

/** Nobody looks for the dead by itself: a member of its own does, whenever the schedule says so. */
const UNWATCHED = { look: () => Number.POSITIVE_INFINITY, noticed: true };

export class World {
  readonly machine: Machine;
  readonly members: MemberOf[] = [];
  readonly segment: Segment;
  readonly geometry: Geometry;
  private time = standsStill;

  constructor({ members, heapPages = 8, growthPages = 0, maxMembers = members + 1 }: WorldOptions) {
    const dimensions = dimensionsFor(heapPages * PAGE_BYTES, (heapPages + growthPages) * PAGE_BYTES, maxMembers);
    this.geometry = dimensions.geometry;
    this.machine = machine = new Machine(this.geometry.maxPages * PAGE_BYTES);
    if (!isInstrumented) instrument();
    isInstrumented = true;
    calendar = standsStill;
    replaceWords(this.machine.double);
    this.segment = new Segment(1, 0, "memory", { writable: true, shared: false });
    // The same views as the machine's, by which it knows its memory.
    const { words, bytes, floats, longs } = this.machine;
    Object.assign(this.segment, { words, bytes, floats, longs });
    writeHeader(this.segment, dimensions, "process");
    for (let slot = 0; slot < members; slot++) this.members.push(this.attach(slot));
  }

  /** A new member; in the story, the one that is running. */
  attach(id: number): MemberOf {
    joining = id;
    const label = new TextEncoder().encode(`member ${id}`);
    return this.equip(join(this.segment, 1, this.geometry, "memory", label));
  }

  private equip(membership: Membership): MemberOf {
    // Nor is there a timer, by which waits are looked at anyway.
    Object.assign(membership.waits, { deaths: UNWATCHED, timer: 0 });
    // A wait that spins tries more often before it sleeps; the schedules have that anyway.
    Object.defineProperty(membership.waits, "spins", { get: () => 0, set: () => undefined });
    const region = new RegionOf("memory", { path: "memory", membership, created: false });
    membership.deaths.onDeath = undefined;
    return { membership, region, slot: membership.member.slot };
  }

  /** Someone who comes when all is over, without a slot, to look. */
  get first(): MemberOf {
    return this.members[0];
  }

  /** A thread that runs a script as a member, from how that member is now. */
  thread(id: number, name: string, script: () => void, roots: readonly object[], afterDeaths = 0): Thread {
    let restore: (() => void) | undefined;
    const thread = new Thread(
      id,
      name,
      () => {
        restore ??= rememberState(roots, this.machine.words.buffer);
        restore();
        script();
      },
      afterDeaths,
    );
    this.machine.threads.push(thread);
    return thread;
  }

  /** What the doorbell's thread does for the event loop while the bell is as it saw it last. */
  sleepForEventLoop(bell: number, seen: number): void {
    this.machine.park(bell, seen, Armed.eventLoop, { changed: 0, timedOut: 0, deadlineMs: 0 });
  }

  /** The time of day is what a word says. */
  tellTime(word: number): void {
    this.time = () => words.loadFresh(this.segment.words, word);
    calendar = this.time;
  }

  /** Makes this world the one that system calls go to. */
  enter(): void {
    machine = this.machine;
    calendar = this.time;
    replaceWords(this.machine.double);
  }
}
