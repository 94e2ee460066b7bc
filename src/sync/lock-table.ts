import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import type { ObjectPlan, ObjectRef } from "../heap/object-plan.js";
import { NamedObject, type ObjectContext } from "../heap/named-object.js";
import { HeapAnswer, pagesFor } from "../heap/page-heap.js";
import { RunState } from "../layout/heap.js";
import {
  INLINE_NAME_BYTES,
  LOCK_MANAGER_BYTES,
  LOCK_SEGMENTS,
  packRequest,
  RequestState,
  requestOwner,
  requestState,
} from "../layout/lock-manager.js";
import { Op } from "../layout/member-slot.js";
import { HEADER } from "../members/region-words.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { blockedOnLock, isFree, lockWaiters, tryLock, unlock } from "../locking/robust-lock.js";
import { ringMember } from "../members/doorbell.js";
import { BLOCKED, type Blocked } from "../members/member.js";
import { memberNames } from "../members/member-info.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import type { LockName } from "./lock-name.js";
import {
  LockRequests,
  lockSegmentBytes,
  MANAGER_WORD,
  REQUEST_WORD,
  segmentOf,
  type LocksStatistics,
} from "./lock-requests.js";

/** Where the lock manager is in the directory: no object of a user can have a name with a slash. */
export const LOCKS_NAME = "/locks";

/** @internal */
export const locksPlan = (): ObjectPlan => ({
  kind: "locks",
  sizeBytes: LOCK_MANAGER_BYTES,
  options: [],
  given: [],
  optionNames: [],
  init: () => undefined,
});

/** Which step an operation of code `locks.request` was in: entering the request, or taking what it waited for. */
export const RequestStep = { enter: 0, take: 1 } as const;

/** One request of this member, as the table knows it. What it is told, it only notes: nobody's code runs in the table. */
export interface Claim {
  readonly name: LockName;
  readonly shared: boolean;
  /** Wait for the lock, have it at once or not at all, or take it from whoever has it. */
  readonly manner: "wait" | "ifAvailable" | "steal";
  /** Word index of its request in the region, 0 for none, and its number in the table: set by the table. */
  at: number;
  index: number;
  granted(): void;
  unavailable(): void;
  /** Its lock was stolen. */
  broken(): void;
  /** The region was closed, or lost, while it held its lock. */
  closed(error: unknown): void;
  failed(error: unknown): void;
}

/** This member's requests that wait for one name, in order. They share one wait: only the first of them can go on. */
class Line {
  readonly queue = new LocalQueue();
  readonly claims: Claim[] = [];
}

/**
 * The requests of this member in the region's lock manager. A request enters under the manager's lock, with a number; its
 * member takes the lock by itself when the numbers say that it may, and frees it by one store.
 */
export class LockTable extends NamedObject {
  /** Requests enter in the order in which they were made. */
  private readonly queue = new LocalQueue();
  private readonly lines = new Map<string, Line>();
  /** By index: this member's requests that wait or hold. An array: a Map of thousands takes 15 µs for each that comes and goes. */
  private readonly claims: (Claim | undefined)[] = [];
  private readonly requests: LockRequests;
  private readonly watchQueue = new LocalQueue();

  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef) {
    super(context, ref);
    this.requests = new LockRequests(context.member, context.heap, this.base);
  }

  /** Whether what is held here is held: not after the region was closed. */
  get isOpen(): boolean {
    return this.isAttached;
  }

  /** Makes a request. What comes of it is told to the claim, now or later. */
  request(claim: Claim): void {
    const { waits } = this.context;
    const entering = this.waitable(`requesting a lock of ${this.address}`, this.queue, claim, () => this.enter(claim));
    try {
      if (waits.try(entering) !== BLOCKED) return;
    } catch (error) {
      claim.failed(error);
      return;
    }
    waits.async(entering, undefined).catch((error: unknown) => claim.failed(error));
  }

  /** Withdraws a request or releases its lock; whether it was still there, and had not been stolen. */
  leave(claim: Claim): boolean {
    if (!this.isAttached) return true;
    // Not entered yet: then it never will be.
    if (claim.at === 0) {
      this.context.waits.rejectOf(claim, () => undefined);
      return true;
    }
    // Found stolen before: it has been told, and its request is somebody else's by now.
    if (this.claims[claim.index] !== claim) return false;
    const wasThere = this.free(claim);
    this.leaveLine(claim);
    this.ringNext(claim.name);
    return wasThere;
  }

  /** Who holds locks of a name, as messages call them; undefined if nobody is known. */
  holderOf(name: LockName): string | undefined {
    return this.isAttached ? memberNames(this.member, this.requests.holdersOf(name)) : undefined;
  }

  /** What is held and what waits, all of one moment; behind the requests of this member that have not entered yet. */
  async list(): Promise<LocksStatistics> {
    const looking = this.waitable(`looking at the locks of ${this.address}`, this.queue, this, () => this.lookLocked());
    return this.context.waits.async(looking, undefined);
  }

  private waitable<T>(what: string, queue: LocalQueue, owner: object, attempt: () => T | Blocked): Waitable<T> {
    return { what, queue, owner, attempt, remains: (set) => this.isUnblocked(set) };
  }

  /** Who waits for a name is rung by whoever changes that, one by one. */
  private isUnblocked(set: number): boolean {
    if (set === this.context.heap.lockSet) return this.context.heap.lockIsFree;
    return set === lockWaiters(this.base) && isFree(this.member, this.base);
  }

  // Entering.

  private enter(claim: Claim): undefined | Blocked {
    this.check();
    const { member, base, requests } = this;
    const robbed = new Set<number>();
    let isGranted: boolean;
    member.begin(Op["locks.request"], this.entry);
    try {
      if (!tryLock(member, base)) return blockedOnLock(member, base);
      const survey = requests.survey(claim.name);
      isGranted = claim.manner === "steal" || requests.isGrantable(survey, claim.shared, 0);
      if (isGranted || claim.manner === "wait") {
        const index = requests.findFree();
        const at = this.room(index);
        const page = at < 0 ? at : this.roomForName(claim.name);
        if (page < 0) return this.full(page);
        this.publish(claim, index, at, page, isGranted);
        if (claim.manner === "steal") this.rob(claim, at, robbed);
        member.committed();
        this.context.heap.clearLedger();
        claim.at = at;
        claim.index = index;
        this.claims[index] = claim;
      } else member.withdrawn();
      unlock(member, base);
      for (const slot of robbed) if (slot !== member.slot) ringMember(member, slot);
      member.end();
    } catch (error) {
      return member.failed(error);
    }
    if (robbed.has(member.slot)) this.lookForThefts();
    if (isGranted) this.hold(claim);
    else if (claim.manner === "wait") this.queueUp(claim);
    else claim.unavailable();
    return undefined;
  }

  /** Word index of a free request, making a segment if need be; negative: what the heap answered. */
  private room(index: number): number {
    const { base, requests, member } = this;
    const known = requests.at(index);
    if (known !== 0) return known;
    const { heap } = this.context;
    const k = segmentOf(index);
    if (k >= LOCK_SEGMENTS) return HeapAnswer.full;
    const page = heap.allocate(pagesFor(lockSegmentBytes(k)), RunState.kept);
    if (page < 0) return page;
    words.zero(member.segment, page * PAGE_BYTES, lockSegmentBytes(k));
    words.write(this.words, base + MANAGER_WORD.segmentGenerations + k, heap.generationOf(page));
    // SYNC POINT: zeroes are visible before the segment is; pairs with segment
    words.store(this.words, base + MANAGER_WORD.segments + k, page);
    heap.clearLedger();
    return requests.at(index);
  }

  /** Page of a block for a long name, 0 when none is needed; negative: what the heap answered. */
  private roomForName(name: LockName): number {
    return name.bytes <= INLINE_NAME_BYTES ? 0 : this.context.heap.allocate(pagesFor(4 * name.words.length));
  }

  private full(answer: number): Blocked {
    const { member, base } = this;
    const { heap } = this.context;
    if (answer === HeapAnswer.lockBusy) {
      unlock(member, base);
      const blocked: Blocked = member.blocked(heap.lockSet);
      member.blockedLock = HEADER.heapLock;
      return blocked;
    }
    if (answer === HeapAnswer.noSpace) throw heap.noSpaceError();
    throw new ShmkitError(
      "ERR_REGION_FULL",
      `there is no room for another request of a lock: the region has reached its maxSize; remove objects or give it a larger one`,
      { path: this.address },
    );
  }

  private publish(claim: Claim, index: number, at: number, page: number, isGranted: boolean): void {
    const { member, base, requests, words: shared } = this;
    const order = words.read(shared, base + MANAGER_WORD.lastOrder) + 1;
    words.write(shared, base + MANAGER_WORD.lastOrder, order);
    requests.fill(index, at, order, claim.name, page);
    requests.noteRequested(at, isGranted);
    this.countChange();
    words.write(shared, member.argument, at);
    member.critical(RequestStep.enter);
    const granted = claim.manner === "steal" ? RequestState.stealing : RequestState.held;
    const word = packRequest(isGranted ? granted : RequestState.waiting, claim.shared, member.me);
    // SYNC POINT: what the request says is visible before it counts; pairs with stateOf
    words.store(shared, at + REQUEST_WORD.state, word);
  }

  private rob(claim: Claim, at: number, robbed: Set<number>): void {
    const { requests } = this;
    requests.steal(at, claim.name, (slot) => robbed.add(slot));
    const held = packRequest(RequestState.held, claim.shared, this.member.me);
    words.store(this.words, at + REQUEST_WORD.state, held);
  }

  private countChange(): void {
    const word = this.base + MANAGER_WORD.changes;
    // SYNC POINT: counted before it happens; pairs with look
    words.store(this.words, word, words.read(this.words, word) + 1);
  }

  private hold(claim: Claim): void {
    // In this order: watching may find at once that it has been stolen since.
    claim.granted();
    this.watch();
  }

  // Waiting for a name.

  private queueUp(claim: Claim): void {
    let line = this.lines.get(claim.name.text);
    if (line === undefined) {
      line = new Line();
      this.lines.set(claim.name.text, line);
    }
    line.claims.push(claim);
    if (line.claims.length === 1) this.wait(line, claim.name);
  }

  private wait(line: Line, name: LockName): void {
    const what = `waiting for locks of ${this.address}`;
    const taking: Waitable<undefined> = {
      ...this.waitable(what, line.queue, line, () => this.take(line, name)),
      isDue: () => !this.isLive || this.mayTake(line, name),
    };
    this.context.waits.async(taking, undefined).catch((error: unknown) => this.giveUp(line, name, error));
  }

  /** Whether the first request of a line can be granted. */
  private mayTake(line: Line, name: LockName): boolean {
    const [claim] = line.claims;
    return claim === undefined || this.requests.isGrantable(this.requests.survey(name), claim.shared, claim.at);
  }

  /** Takes what the requests of a line may have. */
  private take(line: Line, name: LockName): undefined | Blocked {
    this.check();
    const { member, base, requests } = this;
    const granted: Claim[] = [];
    member.begin(Op["locks.request"], this.entry);
    try {
      if (!tryLock(member, base)) return blockedOnLock(member, base);
      const survey = requests.survey(name);
      for (const claim of line.claims) {
        const { at, shared } = claim;
        // Cut off when it had just been taken, it is found so.
        if (requestState(requests.stateOf(at)) === RequestState.waiting) {
          if (!requests.isGrantable(survey, shared, at)) break;
          this.countChange();
          requests.noteGranted(at);
          words.write(this.words, member.argument, at);
          member.critical(RequestStep.take);
          // SYNC POINT: the lock is held; pairs with survey
          words.store(this.words, at + REQUEST_WORD.state, packRequest(RequestState.held, shared, member.me));
        }
        granted.push(claim);
        if (!shared) break;
      }
      if (granted.length > 0) member.committed();
      else member.withdrawn();
      unlock(member, base);
      member.end();
    } catch (error) {
      return member.failed(error);
    }
    line.claims.splice(0, granted.length);
    for (const claim of granted) this.hold(claim);
    if (line.claims.length > 0) return member.waiting(base + MANAGER_WORD.waiters);
    this.lines.delete(name.text);
    return undefined;
  }

  /** Takes a request that waits out of its line. */
  private leaveLine(claim: Claim): void {
    const line = this.lines.get(claim.name.text);
    const index = line?.claims.indexOf(claim) ?? -1;
    if (line === undefined || index < 0) return;
    line.claims.splice(index, 1);
    if (line.claims.length > 0) return;
    this.lines.delete(claim.name.text);
    this.context.waits.rejectOf(line, () => undefined);
  }

  /** The wait of a line failed, or was ended because the line is empty. */
  private giveUp(line: Line, name: LockName, error: unknown): void {
    if (this.lines.get(name.text) === line) this.lines.delete(name.text);
    for (const claim of line.claims.splice(0)) {
      try {
        if (this.isAttached) this.free(claim);
      } catch {
        // The claim is told of the first error.
      }
      claim.failed(error);
    }
  }

  // Leaving.

  /** Frees a request that this member has; whether it had not been stolen. */
  private free(claim: Claim): boolean {
    const { member, words: shared } = this;
    const { heap } = this.context;
    const { at, index } = claim;
    this.checkReleasable(at);
    const word = this.requests.stateOf(at);
    const page = this.requests.namePageOf(at);
    member.begin(Op["locks.release"], this.entry);
    try {
      this.claims[index] = undefined;
      words.write(shared, member.argument, at);
      if (page !== 0) heap.adopt(page);
      member.critical(0);
      // SYNC POINT: free, or stolen a moment before; pairs with survey, and with steal
      const found = words.compareExchange(shared, at + REQUEST_WORD.state, word, RequestState.free);
      if (found !== word) words.store(shared, at + REQUEST_WORD.state, RequestState.free);
      this.requests.noteFree(index);
      member.committed();
      if (page !== 0) heap.free(page);
      member.end();
      return requestState(found) !== RequestState.stolen;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** @throws ERR_CORRUPT when the request is not this member's any more, or its name's block is another one */
  private checkReleasable(at: number): void {
    const word = this.requests.stateOf(at);
    const isOwn = requestState(word) !== RequestState.free && requestOwner(word) === this.member.me;
    if (isOwn && this.requests.ownsName(at)) return;
    this.member.checkUsable();
    throw new ShmkitError("ERR_CORRUPT", `the lock manager ${this.address} is corrupt; remove the region`, {
      path: this.address,
      actual: isOwn ? this.requests.namePageOf(at) : word >>> 0,
    });
  }

  private ringNext(name: LockName): void {
    const line = this.lines.get(name.text);
    if (this.requests.ringGrantable(name) && line !== undefined) this.context.waits.pump(line.queue);
  }

  // Thefts.

  /** Waits for thefts as long as something is held. */
  private watch(): void {
    if (this.watchQueue.waits.length > 0) return;
    const watching = {
      ...this.waitable("", this.watchQueue, this, () => this.lookForThefts()),
      isBackground: true,
    };
    // Ends when nothing is held, or with the region.
    this.context.waits.async(watching, undefined).catch((error: unknown) => {
      for (const claim of this.claims) claim?.closed(error);
    });
  }

  private lookForThefts(): undefined | Blocked {
    let held = 0;
    for (const claim of this.claims) {
      if (claim === undefined) continue;
      const state = requestState(this.requests.stateOf(claim.at));
      if (state === RequestState.held) held++;
      if (state !== RequestState.stolen) continue;
      this.free(claim);
      claim.broken();
    }
    return held === 0 ? undefined : this.member.waiting(this.base + MANAGER_WORD.waiters);
  }

  // Looking.

  private lookLocked(): LocksStatistics | Blocked {
    this.check();
    const { member, base } = this;
    member.beginAside();
    try {
      if (!tryLock(member, base)) {
        member.end();
        const blocked: Blocked = member.waiting(lockWaiters(base));
        member.blockedLock = base;
        return blocked;
      }
      const list = this.requests.list();
      unlock(member, base);
      member.end();
      return list;
    } catch (error) {
      return member.failed(error);
    }
  }

  /** What tells a member of the region from every other there ever is. */
  clientId(slot: number): string {
    return `${slot}.${this.requests.generationOf(slot)}`;
  }

  /** @internal Cut off inside an operation: what the region has of this member and nobody here knows is given back. */
  override forgetHeld(): void {
    const known = new Set(this.claims.map((claim) => claim?.at));
    this.requests.visitAll((at, word) => {
      if (requestOwner(word) !== this.member.me || known.has(at)) return;
      this.requests.freeName(at);
      words.store(this.words, at + REQUEST_WORD.state, RequestState.free);
    });
  }

  protected override beforeDetach(): void {
    for (const claim of [...this.claims]) if (claim !== undefined) this.leave(claim);
  }
}
