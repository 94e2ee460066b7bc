import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { ENTRY_BYTES, EntryState, KINDS, kindCode, OPTION_WORDS, RunState, type Kind } from "../layout/heap.js";
import { NO_ENTRY, Op } from "../layout/member-slot.js";
import { DIRECTORY_SEGMENTS, FIRST_SEGMENT_ENTRIES, PAGE_BYTES } from "../layout/region-header.js";
import { MAX_OBJECT_NAME_BYTES, objectName } from "../base/arguments.js";
import { ringAll, ringEverybody } from "../members/doorbell.js";
import { BLOCKED, type Blocked, type Member } from "../members/member.js";
import { enterSet, inSet, isEmptySet, leaveSet } from "../members/member-set.js";
import { HEADER } from "../members/region-words.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { blockedOnLock, isFree, lockWaiters, tryLock, unlock } from "../locking/robust-lock.js";
import { ENTRY } from "./directory-entry.js";
import { checkAsPlanned, type ObjectPlan, type ObjectRef } from "./object-plan.js";
import { HeapAnswer, pagesFor, PAGE_WORDS, type PageHeap } from "./page-heap.js";
import { Parts } from "./parts.js";

/** Blocks of removed objects from this size on are given back to the system. */
const PUNCH_PAGES = 64;
const COMPOSITE = kindCode("composite");

const segmentBytes = (segment: number): number => (FIRST_SEGMENT_ENTRIES << segment) * ENTRY_BYTES;

export type OpenMode = "create" | "open" | "openOrCreate";

/** Pages that an object needs, with its parts. */
const pagesOf = ({ sizeBytes, parts }: ObjectPlan): number =>
  [...(parts?.values() ?? [])].reduce((sum, part) => sum + pagesOf(part), pagesFor(sizeBytes));

const partError = (path: string, kind: Kind): ShmkitError =>
  new ShmkitError(
    "ERR_WRONG_KIND",
    `${path} is a part of ${path.slice(0, path.lastIndexOf("."))}, which can only be removed as a whole`,
    { path, expected: kind, actual: "part" },
  );

function nameHash(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

/**
 * Maps names to objects. Entries never move, so that recovery can walk them without the lock: as long as a member's bit
 * is in an entry's openers, the object's block stays.
 */
export class Directory {
  readonly queue = new LocalQueue();
  /** Frees what an object of a kind holds beside its own block, before that goes; may be repeated. Set by the region. */
  emptying: (kind: Kind, page: number) => void = () => undefined;
  private readonly parts: Parts;

  constructor(
    private readonly member: Member,
    private readonly heap: PageHeap,
  ) {
    this.parts = new Parts(member.segment, (entry) => this.entryWord(entry));
  }

  /** Word index of an entry, 0 when its segment does not exist. */
  entryWord(entry: number): number {
    const segment = 31 - Math.clz32(Math.trunc(entry / FIRST_SEGMENT_ENTRIES) + 1);
    if (segment >= DIRECTORY_SEGMENTS) return 0;
    const page = words.load(this.member.segment.words, HEADER.directorySegments + segment) >>> 0;
    if (!this.heap.isBlock(page) || this.heap.pagesOf(page) < pagesFor(segmentBytes(segment))) return 0;
    return page * PAGE_WORDS + (entry - FIRST_SEGMENT_ENTRIES * ((1 << segment) - 1)) * (ENTRY_BYTES / 4);
  }

  get capacity(): number {
    let entries = 0;
    for (let k = 0; k < DIRECTORY_SEGMENTS; k++) {
      if (words.load(this.member.segment.words, HEADER.directorySegments + k) === 0) break;
      entries += FIRST_SEGMENT_ENTRIES << k;
    }
    return entries;
  }

  /** All entries, free ones included. */
  private *entries(): Generator<readonly [entry: number, base: number]> {
    let entry = 0;
    for (let k = 0; k < DIRECTORY_SEGMENTS; k++) {
      let base = this.entryWord(entry);
      if (base === 0) return;
      for (const end = entry + (FIRST_SEGMENT_ENTRIES << k); entry < end; entry++, base += ENTRY_BYTES / 4)
        yield [entry, base];
    }
  }

  stateOf(base: number): number {
    return words.load(this.member.segment.words, base + ENTRY.state);
  }

  /** Whether a name is there. */
  private isThere(base: number): boolean {
    const state = this.stateOf(base);
    return state === EntryState.live || (state === EntryState.part && this.parts.haveParent(base));
  }

  private nameAt(base: number): Uint8Array {
    const length = Math.min(words.read(this.member.segment.words, base + ENTRY.nameBytes) >>> 0, MAX_OBJECT_NAME_BYTES);
    return words.copy(this.member.segment, base * 4 + ENTRY.name, length);
  }

  nameOf(entry: number): Uint8Array {
    const base = this.entryWord(entry);
    return base === 0 ? new Uint8Array(0) : this.nameAt(base);
  }

  private find(bytes: Uint8Array): readonly [entry: number, base: number] | undefined {
    const hash = nameHash(bytes);
    for (const [entry, base] of this.entries()) {
      if (!this.isThere(base)) continue;
      if (words.read(this.member.segment.words, base + ENTRY.nameHash) !== hash) continue;
      if (Buffer.compare(this.nameAt(base), bytes) === 0) return [entry, base];
    }
    return undefined;
  }

  private ref(entry: number, base: number, created: boolean): ObjectRef {
    const shared = this.member.segment.words;
    const page = words.read(shared, base + ENTRY.page) >>> 0;
    const kind = KINDS[words.read(shared, base + ENTRY.kind)];
    if (kind === undefined || kind === "none" || !this.heap.isBlock(page)) throw this.corrupt(entry);
    const generation = words.read(shared, base + ENTRY.generation);
    const isPart = this.stateOf(base) === EntryState.part;
    // A part has none: damage could lead in a circle.
    if (isPart && kind === "composite") throw this.corrupt(entry);
    return {
      kind,
      entry,
      page,
      created,
      generation,
      parent: isPart ? this.parts.parentOf(base) : -1,
      parts: kind === "composite" ? this.partsOf(entry, generation, page) : [],
      name: Buffer.from(this.nameAt(base)).toString(),
      options: this.optionsAt(base),
      createdAt: new Date(words.readFloat(this.member.segment.floats, base / 2 + ENTRY.createdAt)),
    };
  }

  private partsOf(entry: number, generation: number, page: number): ObjectRef[] {
    const parts = this.parts.of(entry, generation, page);
    if (parts === undefined) throw this.corrupt(entry);
    return parts.map(([part, base]) => this.ref(part, base, false));
  }

  /** What it is to be told when an entry cannot be what it says. */
  corrupt(entry: number): ShmkitError {
    const path = this.member.regionName;
    return new ShmkitError("ERR_CORRUPT", `the directory of ${path} is corrupt at entry ${entry}; remove the region`, {
      path,
    });
  }

  private optionsAt(base: number): number[] {
    const options: number[] = [];
    for (let i = 0; i < OPTION_WORDS; i++)
      options.push(words.read(this.member.segment.words, base + ENTRY.options + i) >>> 0);
    return options;
  }

  /**
   * The named objects there are, or those of one kind; read without the lock. Each composite is followed by its parts, all of
   * them, as they were at one time. @throws ERR_CORRUPT
   */
  list(kind?: Kind): ObjectRef[] {
    const found: ObjectRef[] = [];
    for (const [entry, base] of this.entries()) {
      const ref = this.stateOf(base) === EntryState.live ? this.look(entry, base, kind) : undefined;
      if (ref !== undefined) found.push(ref, ...ref.parts);
    }
    return kind === undefined ? found : found.filter((ref) => ref.kind === kind);
  }

  /** An object that was there all the time that it was read, if it can be of a kind or hold such parts. */
  private look(entry: number, base: number, wanted: Kind | undefined): ObjectRef | undefined {
    const shared = this.member.segment.words;
    const kind = KINDS[words.read(shared, base + ENTRY.kind)];
    if (wanted !== undefined && kind !== wanted && kind !== undefined && kind !== "none" && kind !== "composite")
      return undefined;
    const generation = words.read(shared, base + ENTRY.generation);
    // SYNC POINT: what was read is of one object; pairs with the store of state in make, and with that in sweep before it
    const isStillThere = (): boolean =>
      words.loadBehind(shared, base + ENTRY.state) === EntryState.live &&
      words.read(shared, base + ENTRY.generation) === generation;
    try {
      const ref = this.ref(entry, base, false);
      return isStillThere() ? ref : undefined;
    } catch (error) {
      // Whoever looks for such parts finds none in a composite that is damaged.
      const isAskedFor = wanted === undefined || wanted === kind || kind !== "composite";
      if (isAskedFor && isStillThere()) throw error;
      return undefined;
    }
  }

  /**
   * Opens or makes an object, to be waited for. With `wait`, an `open` waits for the name to appear. `handle` makes the
   * handle in the same synchronous stretch, so that there is none without this member among the openers.
   */
  opening<O>(
    name: string,
    plan: ObjectPlan,
    mode: OpenMode,
    wait: boolean,
    handle: (ref: ObjectRef) => O,
  ): Waitable<O> {
    const bytes = new TextEncoder().encode(name);
    for (const part of plan.parts?.keys() ?? []) objectName(`${name}.${part}`);
    return {
      what: `${mode === "open" ? "opening" : "creating"} ${this.member.regionName}/${name}`,
      // Waiting for a name must not keep this member from making it.
      queue: wait ? new LocalQueue() : this.queue,
      owner: this,
      attempt: () => {
        const ref = this.attemptOpen(name, bytes, plan, mode, wait);
        if (ref === BLOCKED) return BLOCKED;
        try {
          return handle(ref);
        } catch (error) {
          return this.member.failed(error);
        }
      },
      remains: (set) =>
        set === this.heap.lockSet
          ? this.heap.lockIsFree
          : set === lockWaiters(HEADER.directoryLock) && isFree(this.member, HEADER.directoryLock),
    };
  }

  /**
   * One step of backing what a large object needs, to be waited for again and again before the object is made, until it answers
   * that there is nothing more to do: with the directory locked all the time, nobody could open anything meanwhile.
   */
  readying(name: string, plan: ObjectPlan, mode: OpenMode): Waitable<boolean> | undefined {
    if (mode === "open") return undefined;
    const what = `creating ${this.member.regionName}/${name}`;
    // One run for all parts, which are taken from it one after the other.
    const step = this.heap.readying(pagesOf(plan), what, new LocalQueue());
    if (step === undefined) return undefined;
    const bytes = new TextEncoder().encode(name);
    return { ...step, attempt: () => this.find(bytes) !== undefined || step.attempt() };
  }

  private attemptOpen(
    name: string,
    bytes: Uint8Array,
    plan: ObjectPlan,
    mode: OpenMode,
    wait: boolean,
  ): ObjectRef | Blocked {
    const { member } = this;
    member.begin(mode === "open" ? Op["object.open"] : Op["object.create"], NO_ENTRY);
    try {
      if (!tryLock(member, HEADER.directoryLock)) return blockedOnLock(member, HEADER.directoryLock);
      this.sweep();
      const existing = this.find(bytes);
      const path = `${member.regionName}/${name}`;
      let result: ObjectRef | Blocked;
      if (existing !== undefined) {
        if (mode === "create")
          throw new ShmkitError("ERR_EXISTS", `${path} exists already; open it, or remove it first`, { path });
        result = this.join(existing[0], existing[1], plan);
      } else if (mode === "open") {
        if (!wait)
          throw new ShmkitError(
            "ERR_NOT_FOUND",
            `there is no ${plan.kind} ${path}; create it, or open with { wait: true }`,
            { path },
          );
        return this.release(HEADER.directoryWaiters);
      } else {
        const made: ObjectRef | Blocked = this.make(name, plan);
        if (made === BLOCKED) return BLOCKED;
        result = made;
      }
      unlock(member, HEADER.directoryLock);
      if (result.created) ringAll(member, HEADER.directoryWaiters);
      member.end();
      return result;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** Ends an attempt under the directory lock that has to wait for something else. */
  private release(set: number): Blocked {
    unlock(this.member, HEADER.directoryLock);
    return this.member.blocked(set);
  }

  private join(entry: number, base: number, plan: ObjectPlan): ObjectRef {
    const found = this.ref(entry, base, false);
    checkAsPlanned(found, plan, this.member.regionName);
    this.member.concerns(entry);
    enterSet(this.member.segment, base + ENTRY.openers, this.member.slot);
    this.enterParts(found);
    this.member.committed();
    return found;
  }

  private enterParts({ parts }: ObjectRef): void {
    for (const { entry } of parts)
      enterSet(this.member.segment, this.entryWord(entry) + ENTRY.openers, this.member.slot);
  }

  private make(name: string, plan: ObjectPlan): ObjectRef | Blocked {
    const { member, heap } = this;
    const path = `${member.regionName}/${name}`;
    this.checkFits(name, plan);
    // For all that it needs: with a turn for each part, others that allocate all the time could keep it from ever being made.
    if (!heap.tryLock()) return this.busy();
    const free = this.freeEntry(-1);
    if (typeof free === "number") return this.full(free, path);
    const [entry, base] = free;
    // Before the parts: whoever has the entry next has another generation, and none of them.
    const generation = words.read(member.segment.words, base + ENTRY.generation) + 1;
    words.write(member.segment.words, base + ENTRY.generation, generation);
    const parts: number[] = [];
    for (const [part, partPlan] of plan.parts ?? []) {
      const made = this.makePart(`${name}.${part}`, partPlan, entry, generation, parts.at(-1) ?? entry);
      if (made < 0) return this.full(made, path);
      parts.push(made);
    }
    const page = heap.allocateLocked(pagesFor(plan.sizeBytes), RunState.kept);
    if (page < 0) return this.full(page, path);
    heap.unlock();
    this.fill(base, name, plan, page, parts);
    enterSet(member.segment, base + ENTRY.openers, member.slot);
    member.concerns(entry);
    member.critical(0);
    // SYNC POINT: publishes the entry and the object, with its parts; pairs with stateOf
    words.store(member.segment.words, base + ENTRY.state, EntryState.live);
    member.committed();
    heap.clearLedger();
    const made = this.ref(entry, base, true);
    // Not before they are there: cut off, this member would have open what nobody can ever give up.
    this.enterParts(made);
    return made;
  }

  /** Whether there can be room for it, and its parts' names are free. @throws ERR_REGION_FULL, ERR_EXISTS */
  private checkFits(name: string, plan: ObjectPlan): void {
    const { member, heap } = this;
    const path = `${member.regionName}/${name}`;
    const needed = plan.parts === undefined ? plan.sizeBytes : pagesOf(plan) * PAGE_BYTES;
    if (needed > heap.largestBlockBytes)
      throw new ShmkitError(
        "ERR_REGION_FULL",
        `${path} needs ${needed} bytes, the region holds at most ${heap.largestBlockBytes}; give it a larger maxSize`,
        { path, expected: heap.largestBlockBytes, actual: needed },
      );
    for (const part of plan.parts?.keys() ?? []) {
      const taken = this.find(new TextEncoder().encode(`${name}.${part}`));
      if (taken !== undefined)
        throw new ShmkitError(
          "ERR_EXISTS",
          `${path} cannot have a part ${part}: ${path}.${part} exists already, by itself; remove it, or name the part otherwise`,
          { path: `${path}.${part}` },
        );
    }
  }

  /**
   * Makes a part, which nobody finds or has open until its parent is published; if that never happens, the next sweep frees
   * it. Answers its entry, or what the heap did.
   */
  private makePart(name: string, plan: ObjectPlan, parent: number, generation: number, after: number): number {
    const { member, heap } = this;
    const shared = member.segment.words;
    const free = this.freeEntry(after);
    if (typeof free === "number") return free;
    const page = heap.allocateLocked(pagesFor(plan.sizeBytes), RunState.kept);
    if (page < 0) return page;
    const [entry, base] = free;
    // The block in the ledger is the entry's as soon as that is no longer free, although nothing is committed then.
    member.reap(entry);
    words.write(shared, base + ENTRY.generation, words.read(shared, base + ENTRY.generation) + 1);
    this.fill(base, name, plan, page, []);
    words.write(shared, base + ENTRY.parent, parent);
    words.write(shared, base + ENTRY.parentGeneration, generation);
    // SYNC POINT: the entry and the object come before its parent does; pairs with stateOf
    words.store(shared, base + ENTRY.state, EntryState.part);
    heap.clearLedger();
    member.reap(-1);
    return entry;
  }

  /** Writes an object, and of its entry what is not its state, generation or parent. */
  private fill(base: number, name: string, plan: ObjectPlan, page: number, parts: readonly number[]): void {
    const { member } = this;
    const shared = member.segment.words;
    const bytes = new TextEncoder().encode(name);
    words.zero(member.segment, page * PAGE_BYTES, plan.zeroBytes ?? pagesFor(plan.sizeBytes) * PAGE_BYTES);
    plan.init(page, parts);
    words.zero(member.segment, (base + ENTRY.openers) * 4, ENTRY.name - ENTRY.openers * 4);
    words.write(shared, base + ENTRY.kind, kindCode(plan.kind));
    words.write(shared, base + ENTRY.page, page);
    words.write(shared, base + ENTRY.nameBytes, bytes.length);
    words.write(shared, base + ENTRY.nameHash, nameHash(bytes));
    words.writeFloat(member.segment.floats, base / 2 + ENTRY.createdAt, Date.now());
    for (let i = 0; i < OPTION_WORDS; i++) words.write(shared, base + ENTRY.options + i, plan.options[i] ?? 0);
    words.copyIn(member.segment, base * 4 + ENTRY.name, bytes, 0, bytes.length);
  }

  /** Waits for the heap lock. */
  private busy(): Blocked {
    const blocked: Blocked = this.release(this.heap.lockSet);
    this.member.blockedLock = HEADER.heapLock;
    return blocked;
  }

  /** Tells that there is no room. What parts there are already are nobody's. */
  private full(answer: number, path: string): never {
    this.heap.unlock();
    this.sweep();
    if (answer === HeapAnswer.noSpace) throw this.heap.noSpaceError();
    throw new ShmkitError(
      "ERR_REGION_FULL",
      `${path} does not fit: the region has reached its maxSize; remove objects or give it a larger one`,
      { path },
    );
  }

  /** A free entry behind another one, with a new segment if need be; or what the heap answered. */
  private freeEntry(after: number): readonly [entry: number, base: number] | number {
    for (const [entry, base] of this.entries())
      if (entry > after && this.stateOf(base) === EntryState.free) return [entry, base];
    const { member, heap } = this;
    const entry = this.capacity;
    const segment = 31 - Math.clz32(entry / FIRST_SEGMENT_ENTRIES + 1);
    if (segment >= DIRECTORY_SEGMENTS) return HeapAnswer.full;
    const bytes = segmentBytes(segment);
    const page = heap.allocateLocked(pagesFor(bytes), RunState.kept);
    if (page < 0) return page;
    words.zero(member.segment, page * PAGE_BYTES, bytes);
    words.store(member.segment.words, HEADER.directorySegments + segment, page);
    heap.clearLedger();
    return [entry, page * PAGE_WORDS];
  }

  /** Whether a block is a segment of the directory: then a dead creator's ledger does not own it any more. */
  isSegment(page: number): boolean {
    for (let k = 0; k < DIRECTORY_SEGMENTS; k++)
      if (words.load(this.member.segment.words, HEADER.directorySegments + k) === page) return true;
    return false;
  }

  /** Removes a name; members that have the object open are told by their next call, and its memory goes with the last. */
  removing(name: string, kind: Kind): Waitable<boolean> {
    const bytes = new TextEncoder().encode(name);
    return {
      what: `removing ${this.member.regionName}/${name}`,
      queue: this.queue,
      owner: this,
      attempt: () => this.attemptRemove(name, bytes, kind),
      remains: () => isFree(this.member, HEADER.directoryLock),
    };
  }

  private attemptRemove(name: string, bytes: Uint8Array, kind: Kind): boolean | Blocked {
    const { member } = this;
    member.begin(Op["object.remove"], NO_ENTRY);
    try {
      if (!tryLock(member, HEADER.directoryLock)) return blockedOnLock(member, HEADER.directoryLock);
      const found = this.find(bytes);
      if (found !== undefined) {
        const [entry, base] = found;
        const path = `${member.regionName}/${name}`;
        const { kind: actual, parent } = this.ref(entry, base, false);
        if (actual !== kind)
          throw new ShmkitError("ERR_WRONG_KIND", `${path} is a ${actual}, not a ${kind}`, {
            path,
            expected: kind,
            actual,
          });
        if (parent >= 0) throw partError(path, kind);
        member.concerns(entry);
        member.critical(0);
        words.store(member.segment.words, base + ENTRY.state, EntryState.removed);
        member.committed();
      } else member.withdrawn();
      unlock(member, HEADER.directoryLock);
      if (found !== undefined) ringEverybody(member);
      member.end();
      this.trySweep();
      return found !== undefined;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** Gives up an open object. Its memory goes if it was removed and nobody else has it. */
  detach(entry: number, generation: number): void {
    const { member } = this;
    const base = this.entryWord(entry);
    if (base === 0 || words.read(member.segment.words, base + ENTRY.generation) !== generation) return;
    member.begin(Op["object.detach"], entry);
    try {
      leaveSet(member.segment, base + ENTRY.openers, member.slot);
      member.committed();
      member.end();
    } catch (error) {
      member.failed(error);
    }
    this.trySweep();
  }

  /** {@link sweep}, unless somebody else has the directory: then the next one who has it does it. */
  trySweep(): void {
    const { member } = this;
    member.beginAside();
    try {
      if (tryLock(member, HEADER.directoryLock)) {
        this.sweep();
        unlock(member, HEADER.directoryLock);
      }
      member.end();
    } catch (error) {
      member.failed(error);
    }
  }

  /** Frees removed objects that nobody has open. Directory lock held. Whoever cannot do it leaves it to the next. */
  sweep(): void {
    // A composite goes after its parts, which have later entries.
    while (this.sweepOnce());
  }

  /** Whether parts were freed. */
  private sweepOnce(): boolean {
    const { member, heap } = this;
    let freedParts = false;
    for (const [entry, base] of this.entries()) {
      const state = this.stateOf(base);
      if (!this.isGarbage(entry, base, state)) continue;
      freedParts ||= state === EntryState.part;
      const page = words.read(member.segment.words, base + ENTRY.page) >>> 0;
      const kind = KINDS[words.read(member.segment.words, base + ENTRY.kind)];
      if (kind !== undefined && kind !== "none") this.emptying(kind, page);
      // An entry that names no block is corrupt, and has none to be freed.
      const hasBlock = heap.isBlock(page, RunState.kept);
      // In this order: a block in the ledger is freed by recovery only if the entry was freed.
      member.reap(entry);
      if (hasBlock) heap.adopt(page, RunState.kept);
      words.store(member.segment.words, base + ENTRY.state, EntryState.free);
      if (hasBlock) {
        if (heap.pagesOf(page) >= PUNCH_PAGES) heap.punch(page);
        heap.free(page);
      }
      member.reap(-1);
    }
    return freedParts;
  }

  /** Whether nobody can find an object, nor has it. */
  private isGarbage(entry: number, base: number, state: number): boolean {
    const { segment, geometry } = this.member;
    if (state === EntryState.part ? this.parts.haveParent(base) : state !== EntryState.removed) return false;
    if (!isEmptySet(segment, base + ENTRY.openers, geometry.setWords)) return false;
    // Whoever has a part looks there whether it was removed.
    return words.read(segment.words, base + ENTRY.kind) !== COMPOSITE || !this.hasParts(entry, base);
  }

  private hasParts(entry: number, base: number): boolean {
    const page = words.read(this.member.segment.words, base + ENTRY.page) >>> 0;
    return this.heap.isBlock(page) && this.parts.remain(entry, page);
  }

  /** Pages that named objects and the directory itself take for good: no message will ever have them. */
  permanentPages(): number {
    let pages = 0;
    for (let k = 0; k < DIRECTORY_SEGMENTS; k++) {
      const page = words.load(this.member.segment.words, HEADER.directorySegments + k) >>> 0;
      if (this.heap.isBlock(page)) pages += this.heap.pagesOf(page);
    }
    for (const [, base] of this.entries()) {
      const page = words.read(this.member.segment.words, base + ENTRY.page) >>> 0;
      if (this.isThere(base) && this.heap.isBlock(page)) pages += this.heap.pagesOf(page);
    }
    return pages;
  }

  /**
   * For recovery: the objects there are, also those that were removed and parts, whatever else of them is damaged; or those
   * that the member of a slot has open.
   */
  *objects(slot?: number): Generator<{ entry: number; base: number; kind: Kind; page: number }> {
    const { segment } = this.member;
    const shared = segment.words;
    for (const [entry, base] of this.entries()) {
      if (this.stateOf(base) === EntryState.free) continue;
      if (slot !== undefined && !inSet(segment, base + ENTRY.openers, slot)) continue;
      const kind = KINDS[words.read(shared, base + ENTRY.kind)];
      const page = words.read(shared, base + ENTRY.page) >>> 0;
      if (kind !== undefined && kind !== "none" && this.heap.isBlock(page)) yield { entry, base, kind, page };
    }
  }

  /** For recovery, last of all: takes the dead member out of an entry's openers. */
  forget(base: number, slot: number): void {
    leaveSet(this.member.segment, base + ENTRY.openers, slot);
  }
}
