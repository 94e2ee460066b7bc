import * as words from "#words";
import { onAbort } from "../base/abort.js";
import { ShmkitError } from "../base/errors.js";
import { deadlineOf, now, signalOf, timeoutError, type WaitOptions } from "../base/deadline.js";
import { rejected } from "../base/pause.js";
import { native } from "../native/addon.js";
import { Armed } from "../layout/member-slot.js";
import { BLOCKED, type Blocked, type Member } from "./member.js";
import { waitBegins } from "./diagnostics.js";
import { ringAwake, ringOne } from "./doorbell.js";
import { memberName } from "./member-info.js";
import { enterSet, leaveSet } from "./member-set.js";
import { isOfThisThread } from "./thread-members.js";
import { WaitTimes } from "./wait-times.js";

/** Something that can be tried again and again until it need not wait any more. */
export interface Waitable<T> {
  /** One attempt; BLOCKED after `member.blocked(set)`. */
  attempt(): T | Blocked;
  /** Whether whoever waits in `set` could go on: then a leaver rings the next one. */
  remains(set: number): boolean;
  /**
   * Whether an attempt could succeed now, by a look at plain words; for attempts that cost more than that. Asked once a second
   * when nobody rang, since whoever was to ring may have been stopped before it did. Without it, the attempt is made.
   */
  isDue?(set: number): boolean;
  /** Float index of the word that tells onlookers since when this member waits, where they are told. */
  readonly sinceAt?: number;
  /** For messages: `send to jobs`. */
  readonly what: string;
  /** Waits of one kind on one object of this member go in order. */
  readonly queue: LocalQueue;
  /** What the wait is on: {@link Waits.rejectOf} ends all of one owner, and errors say its address. */
  readonly owner: object & { readonly address?: string };
  /** Who stands in the way, for ERR_TIMEOUT, where no lock that the attempt was blocked on tells. */
  holder?(): string | undefined;
  /** A wait for what may never come and nobody asked for: it does not keep the process alive, and no subscriber is told of it. */
  readonly isBackground?: boolean;
  /** A wait ended without success: gives back what waiting had taken, such as a turn, if nobody here waits on. Repeatable. */
  givenUp?(): void;
  /** It has waited for a while and is the oldest here: notes for onlookers who has what it waits for. */
  lasts?(): void;
  /** The same; what this throws ends the wait. `sync`: its thread sleeps. */
  stalled?(sync: boolean): void;
}

/** The asynchronous waits of one kind on one object, oldest first. Only the head attempts. */
export class LocalQueue {
  readonly waits: PendingWait<unknown>[] = [];
}

interface PendingWait<T> {
  readonly waitable: Waitable<T>;
  /** When it began, where onlookers are told. */
  readonly since: number;
  set: number;
  /** It waits for somebody: the owner of a lock, or who comes first. */
  isBehind: boolean;
  /** Tries again at a moment; Infinity for never. */
  alarm(until: number): void;
  /** Whether its deadline keeps the process alive. */
  hold(referenced: boolean): void;
  /** Its deadline and its signal do not count any more. */
  conclude(): void;
  settle(error: unknown, failed: boolean, value?: T): void;
}

/** A wait that ends. */
interface Ending {
  readonly wait: PendingWait<unknown>;
  /** Without success. */
  readonly failed: boolean;
  /** Its promise, unless that is settled later. */
  readonly settle?: () => void;
}

/** What the wait engine asks of the keeper of deaths. */
export interface DeathWatch {
  /** Looks whether somebody died if there is a hint or `force`; returns milliseconds until it wants to look again. */
  look(force: boolean): number;
  readonly noticed: boolean;
}

/** Longest sleep of a Sync form: a worker can only be terminated between two of them. */
const SYNC_PARK_MS = 50;
/** Longest sleep of the event loop's waits where deaths are noticed, and where they are not. */
const ASYNC_PARK_MS = 1000;
const UNNOTICED_PARK_MS = 50;
/** A sleep that would better have been a longer look. */
const SHORT_PARK_MS = 0.2;
/** Longest time that a timer takes. */
const MAX_TIMER_MS = 2 ** 30;
const MIN_SPINS = 8;
const MAX_SPINS = 1500;

/**
 * The one way to wait: on this member's doorbell. Sample the doorbell, enter the object's set, arm, try again, park on the
 * sample; whoever leaves a set while something remains rings another member.
 */
export class Waits {
  private readonly sets = new Map<number, number>();
  private readonly queues = new Set<LocalQueue>();
  private readonly withdrawn: PendingWait<unknown>[] = [];
  private readonly times: WaitTimes;
  private pending = 0;
  /** Those of the pending waits that keep the process alive. */
  private holding = 0;
  private referenced = true;
  private spins = 64;
  private timer: NodeJS.Timeout | undefined;
  /** Set a Sync wait is in; found set when nobody waits, that wait was cut off by a vm timeout. */
  private syncSet = 0;
  private syncWait: Waitable<unknown> | undefined;
  /** Found when something else begins, its end was cut off by a vm timeout, perhaps in the hands of another task. */
  private ending: Ending | undefined;

  constructor(
    private readonly member: Member,
    private readonly deaths: DeathWatch,
  ) {
    this.times = new WaitTimes(member.segment);
  }

  /** For a wait that goes on at another place than it began at: onlookers there are told from when, before they can see it. */
  note(sinceAt: number): void {
    this.times.begin(sinceAt);
  }

  /** Tries without waiting. While earlier asynchronous waits of the same kind are pending, it is not their turn. */
  try<T>(waitable: Waitable<T>): T | Blocked {
    this.clearCutOffWait();
    if (waitable.queue.waits.length > 0) return BLOCKED;
    this.member.queued = false;
    return waitable.attempt();
  }

  /** The same for a thread that blocks: nobody else can serve those that came before. */
  private serve<T>(waitable: Waitable<T>): T | Blocked {
    if (waitable.queue.waits.length > 0) this.pump(waitable.queue);
    if (waitable.queue.waits.length > 0) return BLOCKED;
    this.member.queued = this.syncWait === waitable;
    return waitable.attempt();
  }

  /** Blocks the thread. @throws ERR_TIMEOUT */
  sync<T>(waitable: Waitable<T>, options: WaitOptions | undefined): T {
    if (options?.signal !== undefined) signalOf(options.signal);
    const deadline = deadlineOf(options?.timeoutMs);
    let result = this.serve(waitable);
    if (result !== BLOCKED) return result;
    if (options?.timeoutMs === 0) throw timeoutError(waitable.what, 0, this.holderOf(waitable));
    this.clearCutOffWait();
    if (waitable.sinceAt !== undefined) this.times.beginSync(waitable.sinceAt);
    this.syncWait = waitable;
    // Once at least: what a registered attempt draws to wait its turn must be there before the look behind arming.
    for (let i = this.spins; i >= 0; i--) {
      words.loadFresh(this.member.segment.words, this.member.bell);
      result = this.serve(waitable);
      if (result !== BLOCKED) {
        this.syncWait = undefined;
        this.times.endSync();
        return result;
      }
    }
    const ended = waitBegins(this.member.regionName, waitable.what, true);
    const parkedAt = now();
    let parked: T;
    try {
      parked = this.park(waitable, options, deadline);
    } catch (error) {
      waitable.givenUp?.();
      ended?.(error);
      throw error;
    }
    ended?.();
    // Little more than what going to sleep and waking up take: looking on would have been faster.
    if (now() - parkedAt < SHORT_PARK_MS) this.spins = Math.min(MAX_SPINS, this.spins * 4);
    else this.spins = Math.max(MIN_SPINS, this.spins >> 1);
    return parked;
  }

  private park<T>(waitable: Waitable<T>, options: WaitOptions | undefined, deadline: number): T {
    const { member } = this;
    const shared = member.segment.words;
    let lookAt = 0;
    let isStalled = false;
    member.sleeps();
    try {
      for (;;) {
        const sample = words.loadFresh(shared, member.bell);
        if (this.syncSet !== member.blockedOn) {
          if (this.syncSet !== 0) this.leave(this.syncSet, waitable);
          this.syncSet = member.blockedOn;
          this.enter(this.syncSet);
          member.sleepsIn(this.syncSet);
        }
        // SYNC POINT: pairs with ringMember's look at the armed word, in doorbell.ts
        this.arm(Armed.sync);
        const result = this.serve(waitable);
        if (result !== BLOCKED) return result;
        if (member.blockedOn !== this.syncSet) continue;
        this.refuseOwnThread(waitable);
        const left = deadline - now();
        if (left <= 0) throw timeoutError(waitable.what, options?.timeoutMs, this.holderOf(waitable));
        if (isStalled) {
          waitable.lasts?.();
          waitable.stalled?.(true);
        }
        const due = Math.max(member.blockedUntil - now(), 0);
        const again = this.deaths.look(now() >= lookAt);
        if (now() >= lookAt) lookAt = now() + (this.deaths.noticed ? ASYNC_PARK_MS : 0);
        const limit = Math.min(SYNC_PARK_MS, again, left, due);
        const parked = native.park(member.segment.id, member.bellOffset, sample, limit);
        isStalled = parked < 0;
        if (isStalled) this.ringOwner();
        member.checkUsable();
      }
    } finally {
      words.and(shared, member.armed, ~Armed.sync);
      member.sleepsIn(0);
      this.syncWait = undefined;
      this.times.endSync();
      if (this.syncSet !== 0) this.leave(this.syncSet, waitable);
      this.syncSet = 0;
    }
  }

  /** Whoever stands in the way is of this thread, which is about to sleep, and could never go on. @throws ERR_DEADLOCK */
  private refuseOwnThread({ what, owner: { address } }: Waitable<unknown>): void {
    const slot = this.inTheWay();
    if (slot < 0 || !isOfThisThread(this.member, slot)) return;
    throw new ShmkitError(
      "ERR_DEADLOCK",
      `${what} would never end: member ${slot}, which it waits for, is of this very thread, where the region is open twice; open it once`,
      address === undefined ? {} : { path: address },
    );
  }

  /** Slot of the member that the last attempt found to have what it needs, or to come first; -1 when it found none. */
  private inTheWay(): number {
    const { blockedLock, blockedBehind, segment } = this.member;
    return (blockedLock === 0 ? blockedBehind : words.load(segment.words, blockedLock)) - 1;
  }

  /** Who stands in the way of a wait that was tried just now, as messages call it; undefined if nobody is known. */
  private holderOf(waitable: Waitable<unknown>): string | undefined {
    const slot = this.inTheWay();
    const name = slot < 0 ? undefined : memberName(this.member, slot);
    return this.member.blockedLock === 0 ? (waitable.holder?.() ?? name) : name;
  }

  /** Waits without blocking the thread. @throws ERR_TIMEOUT, the signal's reason */
  async<T>(waitable: Waitable<T>, options: WaitOptions | undefined): Promise<T> {
    try {
      const signal = options?.signal === undefined ? undefined : signalOf(options.signal);
      const deadline = deadlineOf(options?.timeoutMs);
      const result = this.try(waitable);
      if (result !== BLOCKED) return Promise.resolve(result);
      return new Promise<T>((resolve, reject) => {
        this.begin(waitable, deadline, options?.timeoutMs, signal, resolve, reject);
      });
    } catch (error) {
      return rejected(error);
    }
  }

  private begin<T>(
    waitable: Waitable<T>,
    deadline: number,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
    resolve: (value: T) => void,
    reject: (reason: unknown) => void,
  ): void {
    const isBackground = waitable.isBackground === true;
    const ended = isBackground ? undefined : waitBegins(this.member.regionName, waitable.what, false);
    let timer: NodeJS.Timeout | undefined;
    let alarm: NodeJS.Timeout | undefined;
    const expire = (): void => {
      const left = deadline - now();
      if (left > 0) {
        start(left);
        return;
      }
      // A last look: a ring may have gone to somebody who is stopped.
      this.pump(waitable.queue);
      if (waitable.queue.waits.includes(wait))
        this.giveUp(wait, () => timeoutError(waitable.what, timeoutMs, this.holderOf(waitable)));
    };
    const start = (left: number): void => {
      timer = setTimeout(expire, Math.min(left, MAX_TIMER_MS));
      wait.hold(this.referenced);
    };
    const { sinceAt } = waitable;
    const wait: PendingWait<T> = {
      waitable,
      since: sinceAt === undefined ? 0 : this.times.begin(sinceAt),
      set: 0,
      isBehind: false,
      alarm: (until) => {
        clearTimeout(alarm);
        if (until === Number.POSITIVE_INFINITY) return;
        alarm = setTimeout(() => this.pump(waitable.queue), Math.min(Math.max(until - now(), 0), MAX_TIMER_MS));
        wait.hold(this.referenced);
      },
      hold: (referenced) => {
        for (const one of [timer, alarm])
          if (referenced) one?.ref();
          else one?.unref();
      },
      conclude: () => {
        clearTimeout(timer);
        clearTimeout(alarm);
        forgetSignal();
      },
      settle: (error, failed, value) => {
        if (failed) reject(error);
        else resolve(value as T);
        ended?.(error);
      },
    };
    if (deadline !== Number.POSITIVE_INFINITY) start(Math.max(deadline - now(), 0));
    const forgetSignal = onAbort(signal, () => this.giveUp(wait, () => signal?.reason));
    waitable.queue.waits.push(wait);
    this.queues.add(waitable.queue);
    if (sinceAt !== undefined) this.times.add(sinceAt, wait);
    this.pending++;
    if (!isBackground && this.holding++ === 0 && this.referenced) native.refWaiter(this.member.segment.id);
    this.keepTimer();
    this.pump(waitable.queue);
  }

  /** Whether pending waits keep the process alive, those to come included. */
  get isReferenced(): boolean {
    return this.referenced;
  }

  reference(referenced: boolean): void {
    this.referenced = referenced;
    for (const queue of this.queues) for (const wait of queue.waits) wait.hold(referenced);
    if (this.holding === 0) return;
    if (referenced) native.refWaiter(this.member.segment.id);
    else native.unrefWaiter(this.member.segment.id);
  }

  /** Attempts the oldest waits of a queue until one has to wait; that one is in its set, armed and re-checked. */
  pump(queue: LocalQueue, nudge = false): void {
    const { member } = this;
    while (queue.waits.length > 0) {
      const wait = queue.waits[0];
      let result: unknown;
      try {
        for (;;) {
          // SYNC POINT: pairs with ringMember's look at the armed word, in doorbell.ts
          if (wait.set !== 0) this.arm(Armed.eventLoop);
          member.queued = true;
          result = wait.waitable.attempt();
          if (result !== BLOCKED || member.blockedOn === wait.set) break;
          this.release(wait);
          wait.set = member.blockedOn;
          this.enter(wait.set);
        }
        if (result === BLOCKED && nudge) {
          wait.waitable.lasts?.();
          wait.waitable.stalled?.(false);
        }
      } catch (error) {
        this.end({ wait, failed: true, settle: () => wait.settle(error, true) });
        continue;
      }
      if (result === BLOCKED) {
        wait.alarm(member.blockedUntil);
        wait.isBehind = member.blockedLock !== 0 || member.blockedBehind !== 0;
        if (nudge) this.ringOwner();
        return;
      }
      this.end({ wait, failed: false, settle: () => wait.settle(undefined, false, result) });
    }
  }

  private giveUp<T>(wait: PendingWait<T>, reason: () => unknown): void {
    const error = reason();
    const { queue } = wait.waitable;
    this.end({ wait, failed: true, settle: () => wait.settle(error, true) });
    this.pump(queue);
  }

  private end(ending: Ending): void {
    const { wait } = ending;
    this.ending = ending;
    this.unqueue(wait);
    this.release(wait);
    wait.conclude();
    this.forget(this.pending - 1, this.holding - (wait.waitable.isBackground === true ? 0 : 1));
    this.complete(ending);
  }

  private unqueue(wait: PendingWait<unknown>): void {
    const { queue } = wait.waitable;
    const index = queue.waits.indexOf(wait);
    if (index >= 0) queue.waits.splice(index, 1);
    if (queue.waits.length === 0) this.queues.delete(queue);
    if (wait.waitable.sinceAt !== undefined) this.times.end(wait.waitable.sinceAt, wait);
  }

  private complete({ wait, failed, settle }: Ending): void {
    try {
      if (failed) wait.waitable.givenUp?.();
      settle?.();
    } finally {
      // A vm timeout passes this by.
      this.ending = undefined;
    }
  }

  /** The end of a wait was cut off, nobody knows where: what is counted is counted anew. */
  private endAgain(ending: Ending): void {
    const { wait } = ending;
    this.unqueue(wait);
    if (wait.set !== 0) this.leaveAnew(wait.set);
    wait.set = 0;
    wait.conclude();
    const waits = [...this.queues].flatMap((queue) => queue.waits);
    this.forget(waits.length, waits.filter(({ waitable }) => waitable.isBackground !== true).length);
    this.complete(ending);
  }

  private release(wait: PendingWait<unknown>): void {
    if (wait.set !== 0) this.leave(wait.set, wait.waitable);
    wait.set = 0;
  }

  /** So many waits are left, of which so many keep the process alive. */
  private forget(pending: number, holding: number): void {
    this.pending = pending;
    this.holding = holding;
    if (pending === 0) words.and(this.member.segment.words, this.member.armed, ~Armed.eventLoop);
    if (holding === 0) native.unrefWaiter(this.member.segment.id);
  }

  /** Says that a sleeper wants the doorbell, and that what follows is a new look at the object. */
  private arm(sleeper: number): void {
    const { segment, armed } = this.member;
    words.or(segment.words, armed, sleeper);
    words.add(segment.words, armed, Armed.once);
  }

  private enter(set: number): void {
    const count = this.sets.get(set) ?? 0;
    this.sets.set(set, count + 1);
    if (count === 0) enterSet(this.member.segment, set, this.member.slot);
  }

  private leave(set: number, waitable: Waitable<unknown>): void {
    const count = this.sets.get(set) ?? 1;
    if (count > 1) this.sets.set(set, count - 1);
    else {
      this.sets.delete(set);
      leaveSet(this.member.segment, set, this.member.slot);
    }
    if (waitable.remains(set)) ringOne(this.member, set);
  }

  /** The doorbell rang, or it is time to look: re-arm first, then try every pending wait. Runs on the event loop. */
  drain(nudge = false): void {
    this.clearCutOffWait();
    if (this.member.segment.lost) {
      this.rejectAll(this.member.segment.lostError());
      return;
    }
    try {
      if (this.member.inOperation) this.member.onInterrupted();
    } catch (error) {
      this.rejectAll(error);
    }
    for (const queue of [...this.queues]) if (!nudge || this.isWorthALook(queue)) this.pump(queue, nudge);
  }

  /** Whether a queue is to be tried although nobody rang: a thousand idle ones would cost time. */
  private isWorthALook(queue: LocalQueue): boolean {
    const wait = queue.waits.at(0);
    return wait === undefined || wait.isBehind || wait.waitable.isDue?.(wait.set) !== false;
  }

  /** Rejects the pending waits on an object whose handle is given up: its memory may go next. */
  rejectOf(owner: object, error: () => unknown): void {
    this.clearCutOffWait();
    this.withdraw((wait) => wait.waitable.owner === owner);
    if (this.withdrawn.length > 0) this.rejectWithdrawn(error());
  }

  private withdraw(which: (wait: PendingWait<unknown>) => boolean): void {
    for (const queue of [...this.queues])
      for (const wait of queue.waits.filter(which)) {
        this.withdrawn.push(wait);
        this.end({ wait, failed: true });
      }
  }

  /** Ends every pending wait: the region is closing. Their promises stay pending until {@link rejectWithdrawn}. */
  withdrawAll(): void {
    this.clearCutOffWait();
    this.withdraw(() => true);
    clearInterval(this.timer);
    this.timer = undefined;
  }

  rejectWithdrawn(error: unknown): void {
    for (const wait of this.withdrawn.splice(0)) wait.settle(error, true);
  }

  /** Rejects every pending wait: the region is lost. */
  rejectAll(error: unknown): void {
    this.withdrawAll();
    this.rejectWithdrawn(error);
  }

  private keepTimer(): void {
    if (this.timer !== undefined) return;
    let idle = false;
    this.timer = setInterval(
      () => {
        if (this.pending === 0) {
          if (idle) {
            clearInterval(this.timer);
            this.timer = undefined;
          }
          idle = true;
          return;
        }
        idle = false;
        this.deaths.look(true);
        this.drain(true);
      },
      this.deaths.noticed ? ASYNC_PARK_MS : UNNOTICED_PARK_MS,
    );
    this.timer.unref();
  }

  /** Somebody alive holds the lock, or keeps its turn, for long: it may have been cut off, so have its event loop look. */
  private ringOwner(): void {
    const slot = this.inTheWay();
    if (slot >= 0 && slot !== this.member.slot) ringAwake(this.member, slot);
  }

  /** A vm timeout cut off the end of a wait, or a Sync wait past its `finally`: leave its set, since a ring may have been spent on it. */
  private clearCutOffWait(): void {
    const { ending, syncWait } = this;
    if (ending !== undefined) this.endAgain(ending);
    if (syncWait === undefined) return;
    words.and(this.member.segment.words, this.member.armed, ~Armed.sync);
    this.member.sleepsIn(0);
    if (this.syncSet !== 0) this.leaveAnew(this.syncSet);
    this.syncSet = 0;
    this.syncWait = undefined;
    this.times.endSync();
    syncWait.givenUp?.();
  }

  /** Leaves a set that may have been left by half, unless others wait in it. */
  private leaveAnew(set: number): void {
    this.sets.delete(set);
    leaveSet(this.member.segment, set, this.member.slot);
    for (const queue of this.queues) for (const wait of queue.waits) if (wait.set === set) this.enter(set);
    ringOne(this.member, set);
  }
}
