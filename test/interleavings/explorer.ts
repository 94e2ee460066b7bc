/**
 * All schedules of a scenario with at most so many preemptions.
 *
 * A member runs until it is done or sleeps. Then, backwards from there, each of its accesses is taken back, and at each
 * the others are let run instead (a preemption), or the member dies. So every schedule costs only what is new in it.
 *
 * What is left out, and why nothing is lost by that:
 * - Preemptions before accesses to words that only one living member ever touches (or it and, after its death,
 *   its recoverer), or that nobody changes: what the others
 *   do there is the same if it is done before the next access that matters. Which words matter is learned, and everything
 *   is explored again when one more turns up.
 * - Deaths before accesses that change nothing, and make nothing visible: they are the same as deaths before the next
 *   one that does.
 * - States that were explored before with as many preemptions left. A state is the memory, everything each member has
 *   read (which, its script being fixed, is all it can know), who runs, and the history of calls; by hash.
 */
import { Stage } from "./stage.js";
import type { Machine, Observer, Thread } from "./machine.js";
import { flushSets, type Entry } from "./store-buffer.js";
import { StateSet } from "./state-set.js";

/** A point in a run at which something else could happen. */
interface Point {
  readonly length: number;
  readonly hash: number;
  readonly hash2: number;
  readonly changes: number;
  readonly historyLength: number;
  readonly historyHash: number;
  readonly buffer: readonly Entry[];
  readonly knows: number;
  readonly knowsInOrder: number;
  readonly knowsOf: Thread["knowsOf"];
  readonly expires: boolean;
  readonly mayPreempt: boolean;
  readonly mayDie: boolean;
  /** Earlier times at which the read at this point may take place. */
  readonly stale: readonly number[];
}

export interface Limits {
  readonly preemptions: number;
  readonly deaths: number;
  /** Stores wait in buffers, and plain reads may be stale. */
  readonly isWeak: boolean;
  /** Schedules after which to give up. */
  readonly schedules: number;
  /** Time of the process at which to give up, in milliseconds. */
  readonly until: number;
}

export interface Violation {
  readonly seed: string;
  readonly message: string;
}

export interface Exploration {
  /** Schedules that were run to their end, and those that led to a state that had been explored. */
  schedules: number;
  merged: number;
  states: number;
  /** Everything within the limits was explored, or there is nothing beyond them. */
  exhausted: boolean;
  complete: boolean;
  violation: Violation | undefined;
}

/** Enough. */
class OutOfTime extends Error {}
class Found extends Error {}

/** How a member is called in a seed. */
export const letterOf = (thread: Thread): string => String.fromCharCode(97 + thread.id);

export class Explorer implements Observer {
  private readonly machine: Machine;
  private states = new StateSet();
  private points: Point[] = [];
  private preemptions = 0;
  private deathsLeft = 0;
  private expiriesLeft = 1;
  private readonly expired: Thread[] = [];
  private runStart = 0;
  /** Who touched a word: a bit each; who changed it: a bit each. */
  private readonly touched: Uint16Array;
  private readonly changed: Uint16Array;
  private hasLearned = false;
  /** Another preemption would have led to more. */
  private isBounded = false;
  private readonly path: string[] = [];
  private limits!: Limits;
  private result!: Exploration;
  private untilLook = 0;

  constructor(private readonly stage: Stage) {
    this.machine = stage.world.machine;
    this.touched = new Uint16Array(this.machine.words.length);
    this.changed = new Uint16Array(this.machine.words.length);
  }

  explore(limits: Limits): Exploration {
    this.limits = limits;
    this.stage.world.enter();
    this.machine.observer = this;
    this.machine.isWeak = limits.isWeak;
    this.result = { schedules: 0, merged: 0, states: 0, exhausted: false, complete: false, violation: undefined };
    try {
      do {
        this.hasLearned = this.isBounded = false;
        this.states = new StateSet();
        this.preemptions = limits.preemptions;
        this.deathsLeft = limits.deaths;
        this.next(undefined);
        this.result.states = this.states.size;
      } while (this.hasLearned);
      this.result.exhausted = true;
      this.result.complete = !this.isBounded;
    } catch (error) {
      if (!(error instanceof OutOfTime) && !(error instanceof Found)) throw error;
      this.result.states = this.states.size;
    } finally {
      this.machine.observer = undefined;
    }
    return this.result;
  }

  private look(): void {
    if (this.result.schedules + this.result.merged > this.limits.schedules) throw new OutOfTime();
    if (--this.untilLook > 0) return;
    this.untilLook = 64;
    if (realNow() > this.limits.until) throw new OutOfTime();
  }

  // While a member runs.

  private matters(index: number): boolean {
    const touched = this.touched[index];
    return (touched & (touched - 1)) !== 0 && this.changed[index] !== 0;
  }

  private touch(thread: Thread, index: number, isWrite: boolean): void {
    const bit = 1 << this.stage.identityOf(thread);
    if ((this.touched[index] & bit) !== 0 && (!isWrite || (this.changed[index] & bit) !== 0)) return;
    const before = this.matters(index);
    this.touched[index] |= bit;
    if (isWrite) this.changed[index] |= bit;
    if (!before && this.matters(index)) this.hasLearned = true;
  }

  access(thread: Thread, index: number, isWrite: boolean, isBarrier: boolean): void {
    this.touch(thread, index, isWrite);
    if (thread.length === this.runStart || thread.forced !== undefined) return;
    const mayPreempt = this.matters(index) || (isBarrier && this.hasNews(thread));
    const changes = isWrite || (isBarrier && thread.buffer.some(({ isSequential }) => isSequential));
    const mayDie = changes && this.deathsLeft > 0 && this.stage.mayDie(thread);
    if (!mayPreempt && !mayDie) return;
    if (mayPreempt && !this.isNew(thread)) {
      this.result.merged++;
      this.machine.unwind("cut");
    }
    this.points.push(this.pointOf(thread, mayPreempt, mayDie, []));
  }

  staleRead(thread: Thread, times: readonly number[]): void {
    this.points.push(this.pointOf(thread, false, false, times));
  }

  private pointOf(thread: Thread, mayPreempt: boolean, mayDie: boolean, stale: readonly number[]): Point {
    const { machine } = this;
    return {
      length: thread.length,
      hash: thread.hash,
      hash2: thread.hash2,
      changes: machine.changes,
      historyLength: machine.history.length,
      historyHash: machine.historyHash,
      buffer: thread.buffer,
      knows: thread.knows,
      knowsInOrder: thread.knowsInOrder,
      knowsOf: thread.knowsOf,
      expires: thread.expires,
      mayPreempt,
      mayDie,
      stale,
    };
  }

  /** Whether this state, with this member running (-1: anybody may), was not explored yet. */
  private isNew(running: Thread | undefined): boolean {
    const { machine } = this;
    let low = machine.hash ^ machine.historyHash;
    let high = machine.hash2 + Math.imul(machine.historyHash, 0x2545f491);
    for (const thread of machine.threads) {
      const flags = (thread.isDone ? 1 : 0) | (thread.isDead ? 2 : 0) | (thread.expires ? 4 : 0);
      const where = Math.imul(thread.length, 64) + thread.id * 8 + flags;
      low = Math.imul(low ^ thread.hash, 0x9e3779b1) + where;
      high = Math.imul(high ^ thread.hash2, 0x85ebca6b) ^ Math.imul(where, 0xc2b2ae35);
      high ^= low >>> 15;
      if (this.limits.isWeak) {
        const weak = this.weakHash(thread);
        low ^= Math.imul(weak, 0x27d4eb2f);
        high = Math.imul(high, 0x165667b1) + weak;
      }
    }
    const rest = (running === undefined ? 15 : running.id) * 64 + this.deathsLeft * 8 + this.expiriesLeft;
    low = Math.imul(low ^ rest, 0x2c1b3c6d);
    high = Math.imul(high, 0x297a2d39) + rest;
    return this.states.add(low ^ (low >>> 16), high ^ (high >>> 13), this.preemptions);
  }

  /** What a member has not made visible, and which old values it may still read. */
  private weakHash(thread: Thread): number {
    let hash = this.machine.hashSince(thread.knows) ^ (this.machine.changes - thread.knowsInOrder);
    for (const [index, change] of thread.knowsOf)
      hash = Math.imul(hash ^ index, 0x9e3779b1) + (this.machine.changes - change);
    for (const { index, values, isRelease, source } of thread.buffer) {
      hash = Math.imul(hash ^ index, 0x85ebca6b) + (isRelease ? 1 : 0) + (source === undefined ? 0 : 2);
      if (source === undefined) for (const value of values) hash = Math.imul(hash ^ value, 0xc2b2ae35) + 1;
    }
    return hash;
  }

  // Between runs.

  /** Nobody runs: anybody may be next, at no cost. */
  private next(last: Thread | undefined): void {
    this.look();
    const { machine } = this;
    const ready = machine.threads.filter((thread) => thread !== last && machine.isReady(thread));
    if (last !== undefined && ready.length + this.sleepersWithDeadline().length > 0 && !this.isNew(undefined)) {
      this.result.merged++;
      return;
    }
    for (const thread of ready) this.go(thread);
    if (this.expiriesLeft > 0 && ready.length > 0)
      for (const thread of this.sleepersWithDeadline()) this.expire(thread, false);
    if (this.limits.isWeak)
      for (const thread of machine.threads)
        if (thread !== last && ready.length > 0) this.becomesVisible(thread, () => this.next(thread));
    if (ready.length > 0) return;
    if (last !== undefined && machine.isReady(last)) this.go(last);
    else this.end();
  }

  private sleepersWithDeadline(): Thread[] {
    const { machine } = this;
    return machine.threads.filter(
      (thread) => !thread.isDone && !thread.isDead && machine.isAsleep(thread) && this.stage.hasDeadline(thread),
    );
  }

  /** Everything that a member stored becomes visible. */
  private becomesVisible(thread: Thread, then: () => void): void {
    if (thread.buffer.length === 0) return;
    const point = this.pointOf(thread, false, false, []);
    this.machine.flush(thread, () => true);
    this.path.push(`${letterOf(thread)}{*}`);
    then();
    this.path.pop();
    this.goBack(thread, point);
  }

  private expire(thread: Thread, isForced: boolean): void {
    const point = this.pointOf(thread, false, false, []);
    this.expiriesLeft--;
    this.machine.expire(thread);
    if (isForced) this.expired.push(thread);
    this.path.push(`${letterOf(thread)}?`);
    this.go(thread);
    this.path.pop();
    if (isForced) this.expired.pop();
    this.expiriesLeft++;
    this.goBack(thread, point);
  }

  /** Nobody can go on. */
  private end(): void {
    const { machine } = this;
    const sleepers = this.sleepersWithDeadline();
    // What ends by its deadline must have had nothing to do.
    if (sleepers.length > 0) {
      this.expire(sleepers[0], true);
      return;
    }
    const buffers = machine.threads.map((thread) => this.pointOf(thread, false, false, []));
    for (const thread of machine.threads) machine.flush(thread, () => true);
    this.result.schedules++;
    try {
      this.stage.judge(this.expired);
    } catch (error) {
      this.fail(error);
    }
    machine.threads.forEach((thread, i) => this.goBack(thread, buffers[i], thread.isDone));
  }

  private fail(error: unknown): never {
    const message = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    this.result.violation = {
      seed: `${this.stage.scenario.name}${this.stage.seed === 0 ? "" : `@${this.stage.seed}`}${this.limits.isWeak ? "~" : ":"}${this.path.join("")}`,
      message,
    };
    throw new Found();
  }

  /** Lets a member run as far as it gets, then everything that could have happened on the way. */
  private go(thread: Thread): void {
    const { machine, points } = this;
    const base = points.length;
    const start = this.pointOf(thread, false, false, []);
    const { results } = thread;
    this.runStart = thread.forced === undefined ? thread.length : -1;
    let outcome;
    try {
      outcome = machine.run(thread);
    } catch (error) {
      this.path.push(letterOf(thread));
      this.fail(error);
    }
    if (outcome !== "cut") {
      this.path.push(letterOf(thread));
      this.withFlushes(thread, () => this.next(thread));
      this.path.pop();
    }
    while (points.length > base) {
      const point = points.pop()!;
      this.goBack(thread, point);
      this.others(thread, point);
    }
    this.goBack(thread, start);
    thread.results = results;
  }

  /** At a point that a member has been taken back to. */
  private others(thread: Thread, point: Point): void {
    const { machine } = this;
    const at = `${letterOf(thread)}${point.length}`;
    for (const time of this.preemptions > 0 ? point.stale : []) {
      this.preemptions--;
      thread.forced = time;
      this.path.push(`${at}=${time}`);
      this.go(thread);
      this.path.pop();
      thread.forced = undefined;
      this.preemptions++;
    }
    if (this.preemptions === 0 && (point.mayPreempt || point.stale.length > 0)) this.isBounded = true;
    if (point.mayPreempt && this.preemptions > 0) {
      this.preemptions--;
      this.path.push(at);
      this.withFlushes(thread, () => {
        for (const other of machine.threads) if (other !== thread && machine.isReady(other)) this.go(other);
      });
      this.path.pop();
      if (this.limits.isWeak)
        for (const other of machine.threads)
          if (other !== thread) {
            this.path.push(at);
            this.becomesVisible(other, () => this.go(thread));
            this.path.pop();
          }
      this.preemptions++;
    }
    if (point.mayDie) this.dies(thread, point);
  }

  /** At its death any of its stores that wait may have been made, and the others not. */
  private dies(thread: Thread, point: Point): void {
    const { machine } = this;
    this.deathsLeft--;
    this.path.push(`${letterOf(thread)}${point.length}`);
    this.withFlushes(
      thread,
      () => {
        const before = this.pointOf(thread, false, false, []);
        machine.kill(thread);
        this.path.push(`${letterOf(thread)}!`);
        this.next(thread);
        this.path.pop();
        thread.isDead = false;
        machine.deaths--;
        this.goBack(thread, before);
      },
      true,
    );
    this.path.pop();
    this.deathsLeft++;
    this.goBack(thread, point);
  }

  /** What the member stored becomes visible in one way or another before the others go on. */
  private withFlushes(thread: Thread, then: () => void, isLast = false): void {
    if (!this.hasNews(thread) && !(isLast && thread.buffer.length > 0)) {
      then();
      return;
    }
    const point = this.pointOf(thread, false, false, []);
    const { isDone } = thread;
    for (const set of flushSets(thread.buffer)) {
      this.machine.flush(thread, (_, position) => set.has(position));
      this.path.push(`{${[...set].join()}}`);
      then();
      this.path.pop();
      this.goBack(thread, point, isDone);
    }
  }

  /** Whether stores of the member wait that others could see. */
  private hasNews({ buffer }: Thread): boolean {
    return buffer.some(({ index, values }) => values.some((_, i) => this.matters(index + i)));
  }

  private goBack(thread: Thread, point: Point, isDone = false): void {
    const { machine } = this;
    machine.takeBack(point.changes);
    machine.history.length = point.historyLength;
    machine.historyHash = point.historyHash;
    thread.length = point.length;
    thread.hash = point.hash;
    thread.hash2 = point.hash2;
    thread.buffer = point.buffer;
    thread.knows = point.knows;
    thread.knowsInOrder = point.knowsInOrder;
    thread.knowsOf = point.knowsOf;
    thread.expires = point.expires;
    thread.isDone = isDone;
  }
}

/** The clock itself: what the members see is the machine's. */
const realNow = performance.now.bind(performance);
