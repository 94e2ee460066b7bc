import * as words from "#words";
import type { PageHeap } from "../heap/page-heap.js";
import { PAGE_WORDS, pagesFor } from "../heap/page-heap.js";
import {
  FIRST_LOCK_REQUESTS,
  INLINE_NAME_BYTES,
  LOCK_MANAGER,
  LOCK_REQUEST,
  LOCK_REQUEST_BYTES,
  LOCK_SEGMENTS,
  packRequest,
  requestOwner,
  requestShared,
  RequestState,
  requestState,
} from "../layout/lock-manager.js";
import { isFree } from "../locking/robust-lock.js";
import { ringMember } from "../members/doorbell.js";
import type { Member } from "../members/member.js";
import { SLOT, slotWord } from "../members/region-words.js";
import { timeAt } from "../members/wait-times.js";
import { decodeName, LockName } from "./lock-name.js";

const manager = LOCK_MANAGER.at;
/** Word offsets in a lock manager. */
export const MANAGER_WORD = {
  lastOrder: manager.lastOrder >> 2,
  used: manager.used >> 2,
  rover: manager.rover >> 2,
  changes: manager.changes >> 2,
  moves: manager.moves >> 2,
  waiters: manager.waiters >> 2,
  segments: manager.segments >> 2,
  segmentGenerations: manager.segmentGenerations >> 2,
} as const;

const request = LOCK_REQUEST.at;
/** Word offsets in a request. */
export const REQUEST_WORD = {
  state: request.state >> 2,
  order: request.order >> 2,
  nameHash: request.nameHash >> 2,
  nameBytes: request.nameBytes >> 2,
  encoding: request.encoding >> 2,
  namePage: request.namePage >> 2,
  next: request.next >> 2,
  nameGeneration: request.nameGeneration >> 2,
  name: request.name >> 2,
} as const;
/** The same of its times, in units of eight bytes. */
const REQUEST_TIME = { requestedAt: request.requestedAt >> 3, grantedAt: request.grantedAt >> 3 } as const;
const REQUEST_WORDS = LOCK_REQUEST_BYTES / 4;

/** Which of the chains of segment k a hash belongs to; the last bytes of names are in its upper bits. */
const chainOf = (hash: number, k: number): number =>
  Math.imul(hash ^ (hash >>> 16), 0x9e3779b1) >>> (Math.clz32(FIRST_LOCK_REQUESTS << k) + 1);

/** Bytes of a segment: the first of each chain, and requests. */
export const lockSegmentBytes = (segment: number): number =>
  (FIRST_LOCK_REQUESTS << segment) * (4 + LOCK_REQUEST_BYTES);
/** Which segment the request with an index is in. */
export const segmentOf = (index: number): number => 31 - Math.clz32(Math.trunc(index / FIRST_LOCK_REQUESTS) + 1);

/** A held lock, or a request that is pending, as an onlooker sees it. */
export interface LockEntry {
  /** The lock's name. */
  readonly name: string;
  /** Whether others may hold it at the same time. */
  readonly mode: "exclusive" | "shared";
  /** Slot of the member that holds it or waits for it. */
  readonly slot: number;
  /** When it was requested, by the system's clock. */
  readonly requestedAt: Date;
  /** Since when it is held; of one that waits, since when it does. */
  readonly since: Date;
}

/** The locks of a region's lock manager. */
export interface LocksStatistics {
  /** Locks that are held, in the order in which they were requested. */
  readonly held: readonly LockEntry[];
  /** Requests that wait, in the order in which they were made. */
  readonly pending: readonly LockEntry[];
}

/** What {@link LockRequests.survey} finds out about a name. */
export interface Survey {
  readonly heldShared: boolean;
  readonly heldExclusive: boolean;
  /** Word indexes of the requests that have waited longest, 0 for none: of all, and of the exclusive ones. */
  readonly first: number;
  readonly firstExclusive: number;
}

/** The requests of the lock manager at a word index, read and changed by whoever may. */
export class LockRequests {
  constructor(
    private readonly member: Member,
    private readonly heap: PageHeap,
    readonly base: number,
  ) {}

  private get shared(): words.Words {
    return this.member.segment.words;
  }

  /** Those found so far: they never move. */
  private readonly segments: number[] = [];

  /** Word index of a segment, 0 when there is none. */
  private segment(k: number): number {
    return this.segments[k] ?? this.findSegment(k);
  }

  private findSegment(k: number): number {
    const page = words.load(this.shared, this.base + MANAGER_WORD.segments + k) >>> 0;
    if (!this.heap.isBlock(page) || this.heap.pagesOf(page) < pagesFor(lockSegmentBytes(k))) return 0;
    return (this.segments[k] = page * PAGE_WORDS);
  }

  /** Segment and place in it of the request with an index; word index of that segment, 0 when there is none. */
  private place(index: number): { segment: number; count: number; i: number } {
    const k = segmentOf(index);
    const segment = k < LOCK_SEGMENTS ? this.segment(k) : 0;
    return { segment, count: FIRST_LOCK_REQUESTS << k, i: index - FIRST_LOCK_REQUESTS * (2 ** k - 1) };
  }

  /** Word index of a request, 0 when its segment does not exist. */
  at(index: number): number {
    const { segment, count, i } = this.place(index);
    return segment === 0 ? 0 : segment + count + i * REQUEST_WORDS;
  }

  /** The state word of a request. */
  stateOf(at: number): number {
    return words.load(this.shared, at + REQUEST_WORD.state);
  }

  private isFree(index: number): boolean {
    const at = this.at(index);
    return at !== 0 && requestState(this.stateOf(at)) === RequestState.free;
  }

  /** How many requests may be in use: no more than there is memory for, whatever a damaged word says. */
  private get used(): number {
    const used = words.load(this.shared, this.base + MANAGER_WORD.used) >>> 0;
    let known = 0;
    for (let k = 0; known < used && k < LOCK_SEGMENTS && this.segment(k) !== 0; k++) known += FIRST_LOCK_REQUESTS << k;
    return Math.min(used, known);
  }

  /** Calls `visit` with every request that is not free. */
  visitAll(visit: (at: number, word: number) => void): void {
    let left = this.used;
    for (let k = 0; k < LOCK_SEGMENTS && left > 0; k++) {
      const segment = this.segment(k);
      if (segment === 0) return;
      const count = FIRST_LOCK_REQUESTS << k;
      for (let i = 0; i < Math.min(left, count); i++) this.visitOne(segment + count + i * REQUEST_WORDS, visit);
      left -= count;
    }
  }

  /** The same with those of a name; with some perhaps twice. */
  private visit(visit: (at: number, word: number) => void, name: LockName): void {
    for (let k = 0; k < LOCK_SEGMENTS; k++) {
      const segment = this.segment(k);
      if (segment === 0) return;
      if (this.visitChain(k, segment, visit, name)) continue;
      const count = FIRST_LOCK_REQUESTS << k;
      for (let i = 0; i < count; i++) this.visitOne(segment + count + i * REQUEST_WORDS, visit, name);
    }
  }

  private visitOne(at: number, visit: (at: number, word: number) => void, name?: LockName): void {
    const word = this.stateOf(at);
    if (requestState(word) !== RequestState.free && (name === undefined || this.isNamed(at, name))) visit(at, word);
  }

  /**
   * Visits those of a name in a segment by the chain of its hash. False when the way may have been lost: a free request went
   * to another chain meanwhile, or the chain is damaged. Those that are not free stay where they are.
   */
  private visitChain(k: number, segment: number, visit: (at: number, word: number) => void, name: LockName): boolean {
    const { shared } = this;
    const count = FIRST_LOCK_REQUESTS << k;
    let left = count;
    // SYNC POINT: looked at after what this member stored before; pairs with link
    const moves = words.load(shared, this.base + MANAGER_WORD.moves);
    let link = words.load(shared, segment + chainOf(name.hash, k)) >>> 0;
    while (link !== 0) {
      if (link > count || left-- === 0) return false;
      const at = segment + count + (link - 1) * REQUEST_WORDS;
      this.visitOne(at, visit, name);
      link = words.load(shared, at + REQUEST_WORD.next) >>> 0;
    }
    // SYNC POINT: all links were loaded before; pairs with link
    return (moves & 1) === 0 && words.load(shared, this.base + MANAGER_WORD.moves) === moves;
  }

  /** Has a free request in the chain of its new name, where it comes first. The lock is held. Cut off, it is in none. */
  private link(k: number, segment: number, i: number, hash: number): void {
    const { shared } = this;
    const count = FIRST_LOCK_REQUESTS << k;
    const at = segment + count + i * REQUEST_WORDS;
    const old = chainOf(words.read(shared, at + REQUEST_WORD.nameHash), k);
    const chain = chainOf(hash, k);
    let link = segment + old;
    for (let left = count; left > 0 && words.read(shared, link) !== i + 1; left--) {
      const next = words.read(shared, link) >>> 0;
      if (next === 0 || next > count) break;
      link = segment + count + (next - 1) * REQUEST_WORDS + REQUEST_WORD.next;
    }
    const isLinked = words.read(shared, link) === i + 1;
    if (isLinked && old === chain) {
      words.write(shared, at + REQUEST_WORD.nameHash, hash);
      return;
    }
    const moves = words.read(shared, this.base + MANAGER_WORD.moves) | 1;
    // SYNC POINT: odd before a link changes, another number behind the last one; pairs with visitChain
    words.store(shared, this.base + MANAGER_WORD.moves, moves);
    if (isLinked) words.store(shared, link, words.read(shared, at + REQUEST_WORD.next));
    // Says which chain it belongs to before it is in that.
    words.storeRelease(shared, at + REQUEST_WORD.nameHash, hash);
    words.store(shared, at + REQUEST_WORD.next, words.read(shared, segment + chain));
    words.store(shared, segment + chain, i + 1);
    words.store(shared, this.base + MANAGER_WORD.moves, moves + 1);
  }

  /** The search for a free request is to begin with this one. */
  noteFree(index: number): void {
    words.write(this.shared, this.base + MANAGER_WORD.rover, index);
  }

  /** Index of a free request, perhaps one behind all that there are. Says which are in use at most. The lock is held. */
  findFree(): number {
    const { shared, base } = this;
    let { used } = this;
    while (used > 0 && this.isFree(used - 1)) used--;
    words.store(shared, base + MANAGER_WORD.used, used);
    for (let i = Math.min(words.read(shared, base + MANAGER_WORD.rover) >>> 0, used); i < used; i++)
      if (this.isFree(i)) return i;
    if (this.at(used) !== 0) return used;
    for (let i = 0; i < used; i++) if (this.isFree(i)) return i;
    return used;
  }

  private isNamed(at: number, name: LockName): boolean {
    const { shared } = this;
    if (words.read(shared, at + REQUEST_WORD.nameHash) !== name.hash) return false;
    if (words.read(shared, at + REQUEST_WORD.nameBytes) !== name.bytes) return false;
    if (words.read(shared, at + REQUEST_WORD.encoding) !== name.encoding) return false;
    const text = this.textOf(at, name.bytes);
    if (text === 0) return false;
    for (let i = 0; i < name.words.length; i++) if (words.read(shared, text + i) !== name.words[i]) return false;
    return true;
  }

  /** Word index of a request's name, 0 when it names no block that could have it. */
  private textOf(at: number, bytes: number): number {
    const page = words.read(this.shared, at + REQUEST_WORD.namePage) >>> 0;
    if (page === 0) return bytes <= INLINE_NAME_BYTES ? at + REQUEST_WORD.name : 0;
    return this.heap.isMessage(page, this.nameGenerationOf(at), bytes) ? page * PAGE_WORDS : 0;
  }

  /** Whether a request was made before another. Numbers wrap; what lives at one time is never half of them apart. */
  private isOlder(at: number, than: number): boolean {
    return ((this.orderOf(at) - this.orderOf(than)) | 0) < 0;
  }

  private orderOf(at: number): number {
    return words.load(this.shared, at + REQUEST_WORD.order);
  }

  /** What is held under a name, and who has waited longest for it. */
  survey(name: LockName): Survey {
    let heldShared = false;
    let heldExclusive = false;
    let first = 0;
    let firstExclusive = 0;
    this.visit((at, word) => {
      const state = requestState(word);
      if (state === RequestState.held || state === RequestState.stealing) {
        if (requestShared(word)) heldShared = true;
        else heldExclusive = true;
      } else if (state === RequestState.waiting) {
        if (first === 0 || this.isOlder(at, first)) first = at;
        if (!requestShared(word) && (firstExclusive === 0 || this.isOlder(at, firstExclusive))) firstExclusive = at;
      }
    }, name);
    return { heldShared, heldExclusive, first, firstExclusive };
  }

  /** Slots of the members that hold locks of a name. */
  holdersOf(name: LockName): number[] {
    const slots = new Set<number>();
    this.visit((_at, word) => {
      const state = requestState(word);
      if (state === RequestState.held || state === RequestState.stealing) slots.add(requestOwner(word) - 1);
    }, name);
    return [...slots];
  }

  /**
   * Whether a request can be granted, which waits at a word index or, 0, is to be made: nothing that is held is in its way,
   * and nothing that waits longer and is in the way of what is held or of what waits.
   */
  isGrantable({ heldShared, heldExclusive, first, firstExclusive }: Survey, shared: boolean, at: number): boolean {
    if (heldExclusive) return false;
    if (!shared) return !heldShared && first === at;
    return firstExclusive === 0 || (at !== 0 && this.isOlder(at, firstExclusive));
  }

  /** Rings the members whose requests for a name can be granted now; answers whether one of this member's is among them. */
  ringGrantable(name: LockName): boolean {
    const survey = this.survey(name);
    const { first, firstExclusive, heldExclusive, heldShared } = survey;
    if (first === 0 || heldExclusive) return false;
    if (first === firstExclusive) return !heldShared && this.ring(first);
    let own = false;
    this.visit((at, word) => {
      if (requestState(word) !== RequestState.waiting || !this.isGrantable(survey, requestShared(word), at)) return;
      if (this.ring(at)) own = true;
    }, name);
    return own;
  }

  /** Rings the member of a request; answers whether that is this one, which is not rung. */
  private ring(at: number): boolean {
    const owner = requestOwner(this.stateOf(at));
    if (owner === this.member.me) return true;
    if (owner > 0) ringMember(this.member, owner - 1);
    return false;
  }

  /** Marks the locks that a request for the name at `thief` steals; calls `robbed` with the slot of each. The lock is held. */
  steal(thief: number, name: LockName, robbed: (slot: number) => void): void {
    this.visit((at, word) => {
      if (at === thief || requestState(word) !== RequestState.held) return;
      const stolen = packRequest(RequestState.stolen, requestShared(word), requestOwner(word));
      // SYNC POINT: whoever releases it at the same time has done so before, or finds it stolen; pairs with leave
      if (words.compareExchange(this.shared, at + REQUEST_WORD.state, word, stolen) === word)
        robbed(requestOwner(word) - 1);
    }, name);
  }

  /** Writes what a free request, at the word index where it was found, says before its state does. */
  fill(index: number, at: number, order: number, name: LockName, namePage: number): void {
    const { shared, base } = this;
    const { count, i } = this.place(index);
    const segment = at - count - i * REQUEST_WORDS;
    words.write(shared, base + MANAGER_WORD.rover, index + 1);
    if (index >= this.used) words.store(shared, base + MANAGER_WORD.used, index + 1);
    this.link(segmentOf(index), segment, i, name.hash);
    words.write(shared, at + REQUEST_WORD.order, order);
    words.write(shared, at + REQUEST_WORD.nameBytes, name.bytes);
    words.write(shared, at + REQUEST_WORD.encoding, name.encoding);
    words.write(shared, at + REQUEST_WORD.namePage, namePage);
    if (namePage !== 0) words.write(shared, at + REQUEST_WORD.nameGeneration, this.heap.generationOf(namePage));
    const text = namePage === 0 ? at + REQUEST_WORD.name : namePage * PAGE_WORDS;
    for (let i = 0; i < name.words.length; i++) words.write(shared, text + i, name.words[i]);
  }

  /** Writes when a request was made, and whether it was granted at once: before its state says what it is. */
  noteRequested(at: number, isGranted: boolean): void {
    const { floats } = this.member.segment;
    const time = Date.now();
    words.writeFloat(floats, at / 2 + REQUEST_TIME.requestedAt, time);
    if (isGranted) words.writeFloat(floats, at / 2 + REQUEST_TIME.grantedAt, time);
  }

  /** Writes when a request that waited was granted: before its state says that it holds. */
  noteGranted(at: number): void {
    words.writeFloat(this.member.segment.floats, at / 2 + REQUEST_TIME.grantedAt, Date.now());
  }

  /** Page of the block that has a request's name, 0 when it has none. */
  namePageOf(at: number): number {
    return words.read(this.shared, at + REQUEST_WORD.namePage) >>> 0;
  }

  private nameGenerationOf(at: number): number {
    return words.read(this.shared, at + REQUEST_WORD.nameGeneration);
  }

  /** Whether the block that a request says has its name is that, if it names one. */
  ownsName(at: number): boolean {
    return (
      this.namePageOf(at) === 0 || this.textOf(at, words.read(this.shared, at + REQUEST_WORD.nameBytes) >>> 0) !== 0
    );
  }

  /** Frees the block that has the name of a request, if there is one. May be repeated. */
  freeName(at: number): void {
    const page = this.namePageOf(at);
    if (page !== 0) this.heap.freeIfSame(page, this.nameGenerationOf(at));
  }

  /** The name of a request; undefined when what says it is damaged, or changed meanwhile. */
  nameOf(at: number): LockName | undefined {
    const { member, shared } = this;
    const bytes = words.read(shared, at + REQUEST_WORD.nameBytes) >>> 0;
    const text = this.textOf(at, bytes);
    if (text === 0) return undefined;
    const name = LockName.of(
      decodeName(words.copy(member.segment, text * 4, bytes), words.read(shared, at + REQUEST_WORD.encoding)),
    );
    return this.isNamed(at, name) ? name : undefined;
  }

  /** Gives back every request of a member that is gone, after completing the theft that it was in the middle of. May be repeated. */
  releaseAll(slot: number): void {
    this.visitAll((at, word) => {
      if (requestOwner(word) !== slot + 1) return;
      this.finishTheft(at, word);
      this.freeName(at);
      // SYNC POINT: the lock is free, or the request gone; pairs with the survey of whoever waits
      words.store(this.shared, at + REQUEST_WORD.state, RequestState.free);
    });
  }

  /** Completes a theft that its member was cut off in; it owns the manager's lock as long as it says stealing. */
  finishTheft(at: number, word: number): void {
    if (requestState(word) !== RequestState.stealing) return;
    const name = this.nameOf(at);
    if (name !== undefined) this.steal(at, name, () => undefined);
    const held = packRequest(RequestState.held, requestShared(word), requestOwner(word));
    words.store(this.shared, at + REQUEST_WORD.state, held);
  }

  /** What is held and what waits, by the order of the requests; consistent if the lock is held, otherwise perhaps not. */
  list(): LocksStatistics {
    const found: { order: number; at: number; isHeld: boolean; entry: LockEntry }[] = [];
    this.visitAll((at, word) => {
      const state = requestState(word);
      const name = this.nameOf(at);
      if (name === undefined || state >= RequestState.stolen) return;
      const mode = requestShared(word) ? "shared" : "exclusive";
      const isHeld = state !== RequestState.waiting;
      const timeOf = (time: keyof typeof REQUEST_TIME): Date =>
        timeAt(this.member.segment, at / 2 + REQUEST_TIME[time]);
      const requestedAt = timeOf("requestedAt");
      // Read behind the state: of a request that has come to this place since they are later, not earlier.
      const since = isHeld ? timeOf("grantedAt") : requestedAt;
      const entry = { name: name.text, mode, slot: requestOwner(word) - 1, requestedAt, since } as const;
      found.push({ order: this.orderOf(at), at, isHeld, entry });
    });
    const newest = words.read(this.shared, this.base + MANAGER_WORD.lastOrder);
    found.sort((a, b) => ((newest - b.order) >>> 0) - ((newest - a.order) >>> 0));
    const entries = (isHeld: boolean): LockEntry[] =>
      found.filter((one) => one.isHeld === isHeld).map(({ entry }) => entry);
    return { held: entries(true), pending: entries(false) };
  }

  /** {@link list} for somebody who takes no lock: of one moment, unless something happened at every look. */
  look(): LocksStatistics {
    for (let tries = 1; ; tries++) {
      const changes = words.load(this.shared, this.base + MANAGER_WORD.changes);
      const wasFree = isFree(this.member, this.base);
      const list = this.list();
      // SYNC POINT: the requests were read before; pairs with whoever counts a change before it makes it
      const same = words.loadBehind(this.shared, this.base + MANAGER_WORD.changes) === changes;
      if ((wasFree && same) || tries === LOOKS) return list;
    }
  }

  /** Generation of the member in a slot. */
  generationOf(slot: number): number {
    return words.load(this.shared, slotWord(this.member.geometry, slot) + SLOT.generation) >>> 0;
  }
}

/** How often an onlooker looks for a moment in which nothing happens. */
const LOOKS = 8;
