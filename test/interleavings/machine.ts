/**
 * A machine with one memory and a few members, all in one thread. A member runs by record and replay: its script starts
 * from the beginning each time, the accesses it made before are answered from its log and have no effect, and from there
 * on they are real. So it can go on from any of its accesses after others have changed the memory in between, and a
 * whole tree of schedules is walked by taking changes back instead of starting over.
 */
import type { Synchronising, WordsDouble } from "../instruments/words.js";
import { bulkEntry, covers, doubleEntry, wordEntry, type Entry } from "./store-buffer.js";

/** What a member's code throws when the machine wants it back. */
const UNWIND = new Error("the machine wants the member back");

/** Why a member came back from a run. */
export type Outcome = "done" | "asleep" | "cut";

/** A member as the machine knows it. */
export class Thread {
  /** Answers to the accesses it has made; `length` of them count. */
  readonly log: unknown[] = [];
  /** Words that were accessed: a script that does not do the same again is noticed. */
  private readonly places: number[] = [];
  length = 0;
  /** Position in the run that is going on, and where that run became real. */
  cursor = 0;
  realFrom = 0;
  /** Hash of what it has read. */
  hash = 0;
  hash2 = 0;
  isDone = false;
  isDead = false;
  /** What it has returned, call by call. */
  results: unknown[] = [];
  /** Milliseconds of its own clock: only a deadline that passes moves it. */
  clock = 0;
  /** The next sleep to end does so by its deadline. */
  expires = false;
  /** The last call that began is not in the history yet: it begins with its first access. */
  pendingCall = -1;
  /** Stores that others cannot see yet, oldest first; never changed in place. */
  buffer: readonly Entry[] = [];
  /** Changes of the memory before this one are known to its plain reads, since it synchronised after them. */
  knows = 0;
  /** Those that its sequentially consistent loads know: more, since a read-modify-write is one of two halves for plain reads. */
  knowsInOrder = 0;
  /** Of single words it may know more: what it has read. */
  knowsOf: readonly (readonly [index: number, change: number])[] = [];
  /** Changes before which its next read takes place, chosen by the explorer. */
  forced: number | undefined;

  constructor(
    readonly id: number,
    readonly name: string,
    readonly script: () => void,
    /** Starts when so many members have died. */
    readonly afterDeaths: number,
  ) {}

  /** Whether the next access was made before; then it must be the same one. */
  isReplayed(index: number): boolean {
    if (this.cursor >= this.length) {
      this.places[this.cursor] = index;
      return false;
    }
    if (this.places[this.cursor] !== index)
      throw new Error(`${this.name} does not repeat itself: something outside its own state and the memory decides`);
    return true;
  }
}

/** One call begun or returned. */
export interface HistoryEvent {
  readonly thread: number;
  readonly call: number;
  readonly isReturn: boolean;
}

/** Looks at every real access before it happens. */
export interface Observer {
  /** `isBarrier`: stores of the member that wait become visible with it. */
  access(thread: Thread, index: number, isWrite: boolean, isBarrier: boolean): void;
  /** A read that may answer what was there at one of these times, as numbers of changes, instead of now. */
  staleRead(thread: Thread, times: readonly number[]): void;
}

/** Words beyond the region: what the kernel keeps. */
const KERNEL_WORDS = 64;
const LIVENESS = 0;
const SLEEPS = 16;
/** Stands for all that is done to sleepers: falling asleep and waking others are one after the other. */
const FUTEX = KERNEL_WORDS - 1;

const doubleScratch = new Float64Array(1);
const longScratch = new BigInt64Array(doubleScratch.buffer);
const halves = new Int32Array(doubleScratch.buffer);

const GARBAGE = 0xa5;
const NEVER: readonly number[] = [];

export class Machine {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly floats: Float64Array;
  readonly longs: BigInt64Array;
  readonly threads: Thread[] = [];
  current: Thread | undefined;
  observer: Observer | undefined;
  /** Stores wait in buffers, and plain reads may be stale. */
  isWeak = false;
  /** Called for every access that happens, for traces. */
  trace: ((thread: Thread, text: string) => void) | undefined;
  readonly history: HistoryEvent[] = [];
  historyHash = 0;
  deaths = 0;
  /** Calls that the run which is going on has begun. */
  callsMade = 0;
  hash = 0;
  hash2 = 0;
  /** Changes since the start, so that they can be taken back: word, value before, who. */
  private readonly changedWord: number[] = [];
  private readonly changedFrom: number[] = [];
  private readonly changedBy: number[] = [];
  /** Hashes of all changes before one, so that those of any stretch can be told: polynomials, with the powers of their base. */
  private readonly hashBefore: number[] = [0];
  private readonly powers: number[] = [1];
  changes = 0;
  private isUnwinding = false;
  private readonly kernel: number;

  constructor(readonly regionBytes: number) {
    const buffer = new ArrayBuffer(regionBytes + KERNEL_WORDS * 4);
    this.words = new Int32Array(buffer);
    this.bytes = new Uint8Array(buffer);
    this.floats = new Float64Array(buffer);
    this.longs = new BigInt64Array(buffer);
    this.kernel = regionBytes >> 2;
  }

  // Memory that remembers.

  private mix(index: number, value: number): void {
    let a = Math.imul(Math.imul(index, 0x9e3779b1) ^ value, 0x85ebca6b);
    a ^= a >>> 15;
    this.hash ^= Math.imul(a ^ index, 0x2c1b3c6d);
    let b = Math.imul(Math.imul(value, 0x27d4eb2f) ^ Math.imul(index, 0x165667b1), 0xc2b2ae3d);
    b ^= b >>> 13;
    this.hash2 ^= Math.imul(b ^ value, 0x297a2d39);
  }

  private set(index: number, value: number, by: number): void {
    const old = this.words[index];
    if (old === value) return;
    this.words[index] = value;
    this.noteChange(index, old, value, by);
  }

  private noteChange(index: number, old: number, value: number, by: number): void {
    const at = this.changes++;
    this.changedWord[at] = index;
    this.changedFrom[at] = old;
    this.changedBy[at] = by;
    let change = Math.imul(Math.imul(index, 0xc2b2ae35) ^ old, 0x85ebca6b);
    change ^= change >>> 15;
    this.hashBefore[at + 1] = (Math.imul(this.hashBefore[at], 0x9e3779b1) + Math.imul(change, 0x27d4eb2f)) | 0;
    this.mix(index, old);
    this.mix(index, value);
  }

  /** Takes changes back until only the first so many are left. */
  takeBack(changes: number): void {
    const { words } = this;
    while (this.changes > changes) {
      const at = --this.changes;
      const index = this.changedWord[at];
      this.mix(index, words[index]);
      words[index] = this.changedFrom[at];
      this.mix(index, words[index]);
    }
  }

  /** Hash of the changes from one on, in their order. */
  hashSince(change: number): number {
    const { powers, hashBefore, changes } = this;
    while (powers.length <= changes - change) powers.push(Math.imul(powers[powers.length - 1], 0x9e3779b1));
    return (hashBefore[changes] - Math.imul(hashBefore[change], powers[changes - change])) | 0;
  }

  /** From now on this is the beginning. */
  settle(): void {
    this.changes = 0;
    this.hash = this.hash2 = 0;
  }

  // Members.

  /** Runs a member until it is done, asleep, or cut by the observer. */
  run(thread: Thread): Outcome {
    this.current = thread;
    thread.cursor = 0;
    thread.realFrom = thread.length;
    thread.clock = 0;
    thread.pendingCall = -1;
    this.callsMade = 0;
    thread.results = [];
    this.isUnwinding = false;
    let outcome: Outcome = "done";
    try {
      thread.script();
    } catch (error) {
      if (error !== UNWIND) throw error;
      outcome = this.outcome;
    } finally {
      this.current = undefined;
    }
    if (this.isUnwinding) outcome = this.outcome;
    this.isUnwinding = false;
    if (outcome === "done") thread.isDone = true;
    return outcome;
  }
  private outcome: Outcome = "done";

  /** Ends the run that is going on, before the access it is about to make. */
  unwind(outcome: Outcome): never {
    this.outcome = outcome;
    this.isUnwinding = true;
    throw UNWIND;
  }

  /** Whether it can go on. A sleeper goes on when it was woken. */
  isReady(thread: Thread): boolean {
    return !thread.isDone && !thread.isDead && this.deaths >= thread.afterDeaths && !this.isAsleep(thread);
  }

  isAsleep(thread: Thread): boolean {
    return this.words[this.kernel + SLEEPS + thread.id] !== 0;
  }

  /** Ends a sleep by its deadline. */
  expire(thread: Thread): void {
    this.set(this.kernel + SLEEPS + thread.id, 0, thread.id);
    thread.expires = true;
  }

  /**
   * What the kernel does when a member dies: its locks and its sleep are gone. So are stores that still waited: a compiler
   * may have moved them behind the place of its death.
   */
  kill(thread: Thread): void {
    thread.buffer = [];
    thread.isDead = true;
    this.deaths++;
    for (let i = 0; i < SLEEPS; i++) {
      const word = this.kernel + LIVENESS + i;
      if (this.words[word] >> 1 === thread.id + 1) this.set(word, 0, thread.id);
    }
    this.set(this.kernel + SLEEPS + thread.id, 0, thread.id);
  }

  isAlive(slot: number): boolean {
    return this.words[this.kernel + LIVENESS + slot] !== 0;
  }

  /** One call of a script: in the history from its first access to its last. */
  call<T>(number: number, act: () => T): T {
    const thread = this.current!;
    // In the replayed part of a run it has begun already.
    if (thread.cursor === thread.length) thread.pendingCall = number;
    const result = act();
    if (this.isUnwinding) throw UNWIND;
    if (thread.buffer.length > 0) this.completeReads(thread);
    thread.results[number] = result;
    if (thread.cursor > thread.realFrom) {
      this.enter(thread, number, true);
      this.trace?.(thread, `returns ${String(result)}`);
    }
    return result;
  }

  private enter(thread: Thread, call: number, isReturn: boolean): void {
    this.history.push({ thread: thread.id, call, isReturn });
    this.historyHash =
      Math.imul(this.historyHash ^ (thread.id * 64 + call * 2 + (isReturn ? 1 : 0) + 1), 0x9e3779b1) + 1;
  }

  // Accesses.

  /** Before a real access. */
  private before(thread: Thread, index: number, isWrite: boolean, isBarrier = false): void {
    if (this.isUnwinding) throw UNWIND;
    this.observer?.access(thread, index, isWrite, isBarrier);
    if (thread.pendingCall >= 0) {
      this.enter(thread, thread.pendingCall, false);
      thread.pendingCall = -1;
    }
  }

  private answer<T>(thread: Thread, value: T): T {
    thread.log[thread.cursor++] = value;
    thread.length = thread.cursor;
    return value;
  }

  private learned(thread: Thread, value: number): void {
    thread.hash = Math.imul(thread.hash ^ value, 0x9e3779b1) + 0x7f4a7c15;
    thread.hash ^= thread.hash >>> 15;
    thread.hash2 = (Math.imul(thread.hash2, 0x85ebca6b) ^ Math.imul(value, 0xc2b2ae35)) + 0x165667b1;
  }

  private say(thread: Thread, what: string, index: number, value: unknown): void {
    this.trace?.(thread, `${what} ${this.nameOf(index)} ${String(value)}`);
  }
  /** What a word is, for traces. */
  nameOf = (index: number): string => String(index);

  /** The word as the member sees it: its own stores first. */
  private see(thread: Thread, index: number): number {
    const { buffer } = thread;
    for (let i = buffer.length - 1; i >= 0; i--) {
      const entry = buffer[i];
      if (entry.source === undefined && covers(entry, index)) return entry.values[index - entry.index];
    }
    return this.words[index];
  }

  /** A member that synchronises knows every change so far. */
  private synchronise(thread: Thread): void {
    thread.knows = thread.knowsInOrder = this.changes;
    if (thread.knowsOf.length > 0) thread.knowsOf = [];
  }

  // Stores that wait.

  /** Makes some of the waiting stores visible, in order; the others stay. */
  flush(thread: Thread, which: (entry: Entry, position: number) => boolean): void {
    const left: Entry[] = [];
    thread.buffer.forEach((entry, position) => {
      if (!which(entry, position)) left.push(entry);
      else if (entry.source !== undefined) this.completeRead(thread, entry);
      else {
        entry.values.forEach((value, i) => this.set(entry.index + i, value, thread.id));
        if (entry.isSequential) thread.knowsInOrder = this.changes;
        if (this.trace !== undefined) this.say(thread, "  visible", entry.index, entry.values.slice(0, 2).join());
      }
    });
    thread.buffer = left;
  }

  private drain(thread: Thread): void {
    if (thread.buffer.length > 0) this.flush(thread, () => true);
  }

  /** A sequentially consistent load is later than the member's own sequentially consistent stores. */
  private flushSequential(thread: Thread): void {
    let last = thread.buffer.length - 1;
    while (last >= 0 && !thread.buffer[last].isSequential) last--;
    if (last >= 0) this.flush(thread, (_, position) => position <= last);
  }

  private push(thread: Thread, entry: Entry): void {
    thread.buffer = [...thread.buffer, entry];
  }

  private completeRead(thread: Thread, entry: Entry): void {
    const { source } = entry;
    const bytes = this.bytes.slice(source!.at, source!.at + source!.length);
    source!.target.set(bytes, source!.targetAt);
    thread.log[source!.position] = bytes;
    for (let i = 0; i < entry.values.length; i++) this.learned(thread, this.words[entry.index + i]);
  }

  private completeReads(thread: Thread): void {
    this.flush(thread, (entry) => entry.source !== undefined);
  }

  // What #words is replaced by.

  /** Words of somebody's private memory, such as the addon's status words, or nobody is running: then directly. */
  private threadFor(view: ArrayBufferView): Thread | undefined {
    return view.buffer === this.words.buffer ? this.current : undefined;
  }

  private readonly loadsAs =
    (isBehindReads: boolean) =>
    (view: Int32Array, index: number): number => {
      const thread = view === this.words ? this.current : undefined;
      if (thread === undefined) return view[index];
      if (thread.isReplayed(index)) return thread.log[thread.cursor++] as number;
      this.before(thread, index, false, true);
      let value = this.words[index];
      if (this.isWeak) {
        this.flushSequential(thread);
        if (isBehindReads) {
          this.completeReads(thread);
          this.synchronise(thread);
        }
        value = this.orderedLoad(thread, index, 1)[0];
      }
      this.learned(thread, value);
      if (this.trace !== undefined) this.say(thread, "load", index, value);
      return this.answer(thread, value);
    };

  private readonly reads = (view: Int32Array, index: number): number => {
    const thread = view === this.words ? this.current : undefined;
    if (thread === undefined) return view[index];
    if (thread.isReplayed(index)) return thread.log[thread.cursor++] as number;
    this.before(thread, index, false);
    const value = this.isWeak ? this.weakRead(thread, index, 1)[0] : this.words[index];
    this.learned(thread, value);
    if (this.trace !== undefined) this.say(thread, "read", index, value);
    return this.answer(thread, value);
  };

  /** A plain read of some words: at any time since the member synchronised, but not before what it has seen of them. */
  private weakRead(thread: Thread, index: number, count: number): readonly number[] {
    for (const entry of thread.buffer)
      if (entry.source === undefined && (covers(entry, index) || covers(entry, index + count - 1)))
        return this.seeAll(thread, index, count);
    const time = this.timeOf(thread, index, count, thread.knows, this.changes);
    thread.knowsOf = [...thread.knowsOf, [index, time]];
    return this.valuesAt(index, count, time);
  }

  /**
   * A sequentially consistent load: behind those before it, but plain reads before it may take place after it. That shows
   * when one of them saw a change that came after what the load answers.
   */
  private orderedLoad(thread: Thread, index: number, count: number): readonly number[] {
    let until = 0;
    for (const [read, time] of thread.knowsOf)
      until = Math.max(until, this.lastChange(thread, read, thread.knowsInOrder, time));
    const isOwn = thread.buffer.some((entry) => entry.source === undefined && covers(entry, index));
    const time = isOwn ? this.changes : this.timeOf(thread, index, count, thread.knowsInOrder, until);
    const values = isOwn ? this.seeAll(thread, index, count) : this.valuesAt(index, count, time);
    thread.knows = thread.knowsInOrder = time;
    thread.knowsOf = thread.knowsOf.filter(([, change]) => change > time);
    return values;
  }

  /** When a read takes place: now, unless the explorer chooses one of the times at which something else was there. */
  private timeOf(thread: Thread, index: number, count: number, from: number, until: number): number {
    const { forced } = thread;
    thread.forced = undefined;
    if (forced !== undefined) return forced;
    const times = this.olderTimes(thread, index, count, from, until);
    if (times.length > 0) this.observer?.staleRead(thread, times);
    return this.changes;
  }

  /** The last change of a word by others between two times, -1 when there was none or its last one is the member's. */
  private lastChange(thread: Thread, index: number, from: number, before: number): number {
    for (let at = before - 1; at >= from; at--)
      if (this.changedWord[at] === index) return this.changedBy[at] === thread.id ? -1 : at;
    return -1;
  }

  private seeAll(thread: Thread, index: number, count: number): readonly number[] {
    return Array.from({ length: count }, (_, i) => this.see(thread, index + i));
  }

  private valuesAt(index: number, count: number, time: number): readonly number[] {
    const values = this.valuesNow(index, count);
    for (let at = this.changes - 1; at >= time; at--) {
      const i = this.changedWord[at] - index;
      if (i >= 0 && i < count) values[i] = this.changedFrom[at];
    }
    return values;
  }

  private valuesNow(index: number, count: number): number[] {
    const { words } = this;
    return count === 1 ? [words[index]] : [...words.subarray(index, index + count)];
  }

  /** Times between two at which words had values that they have not now, as far as the member may still read them. */
  private olderTimes(thread: Thread, index: number, count: number, knows: number, until: number): readonly number[] {
    let from = knows;
    for (const [known, change] of thread.knowsOf) if (known === index) from = Math.max(from, change);
    if (from >= this.changes) return NEVER;
    let times: number[] | undefined;
    let seen: Set<number | string> | undefined;
    let values: number[] | undefined;
    for (let at = this.changes - 1; at >= from; at--) {
      const i = this.changedWord[at] - index;
      if (i < 0 || i >= count) continue;
      if (this.changedBy[at] === thread.id) break;
      values ??= this.valuesNow(index, count);
      seen ??= new Set([count === 1 ? values[0] : values.join()]);
      values[i] = this.changedFrom[at];
      const value = count === 1 ? values[0] : values.join();
      if (at >= until || seen.has(value)) continue;
      seen.add(value);
      (times ??= []).push(at);
    }
    return times ?? NEVER;
  }

  private readonly writesAs =
    (what: string, isRelease: boolean, isSequential: boolean) =>
    (view: Int32Array, index: number, value: number): void => {
      const thread = view === this.words ? this.current : undefined;
      if (thread === undefined) {
        if (view === this.words) this.set(index, value | 0, -1);
        else view[index] = value;
        return;
      }
      if (thread.isReplayed(index)) {
        thread.cursor++;
        return;
      }
      this.before(thread, index, true);
      if (this.isWeak) this.push(thread, wordEntry(index, value | 0, isRelease, isSequential));
      else this.set(index, value | 0, thread.id);
      if (this.trace !== undefined) this.say(thread, what, index, value);
      this.answer(thread, 0);
    };

  private modify(view: Int32Array, index: number, what: string, change: (old: number) => number): number {
    const thread = view === this.words ? this.current : undefined;
    if (thread === undefined) {
      const old = view[index];
      if (view === this.words) this.set(index, change(old) | 0, -1);
      else view[index] = change(old);
      return old;
    }
    if (thread.isReplayed(index)) return thread.log[thread.cursor++] as number;
    this.before(thread, index, true, true);
    if (this.isWeak) {
      this.drain(thread);
      this.knowsFrom(thread, index);
    }
    const old = this.words[index];
    this.set(index, change(old) | 0, thread.id);
    thread.knowsInOrder = this.changes;
    this.learned(thread, old);
    if (this.trace !== undefined) this.say(thread, what, index, `${old} -> ${this.words[index]}`);
    return this.answer(thread, old);
  }

  /**
   * A read-modify-write is a load and a store, and plain reads behind it come after the load alone: that is behind what
   * was sequentially consistent before, and saw the last change of its word.
   */
  private knowsFrom(thread: Thread, index: number): void {
    const { knowsInOrder } = thread;
    const from = Math.max(knowsInOrder, this.lastChange(thread, index, knowsInOrder, this.changes) + 1);
    thread.knows = from;
    thread.knowsOf = thread.knowsOf.filter(([, change]) => change > from);
  }

  private readDouble(view: Float64Array | BigInt64Array, index: number, isSequential: boolean): number {
    const thread = this.threadFor(view)!;
    if (thread.isReplayed(index)) return thread.log[thread.cursor++] as number;
    this.before(thread, 2 * index, false, isSequential);
    if (this.isWeak) {
      if (isSequential) this.flushSequential(thread);
      halves.set(isSequential ? this.orderedLoad(thread, 2 * index, 2) : this.weakRead(thread, 2 * index, 2));
    } else halves.set(this.words.subarray(2 * index, 2 * index + 2));
    this.learned(thread, halves[0]);
    this.learned(thread, halves[1]);
    if (this.trace !== undefined)
      this.say(
        thread,
        isSequential ? "load64" : "readFloat",
        2 * index,
        isSequential ? longScratch[0] : doubleScratch[0],
      );
    // As bits: what is not a number has many.
    return this.answer(thread, doubleScratch[0]);
  }

  private storeDouble(view: Float64Array | BigInt64Array, index: number, isSequential: boolean): void {
    const thread = this.threadFor(view);
    if (thread !== undefined) {
      if (thread.isReplayed(index)) {
        thread.cursor++;
        return;
      }
      const low = halves[0];
      const high = halves[1];
      this.before(thread, 2 * index, true);
      if (this.isWeak) this.push(thread, doubleEntry(2 * index, low, high, isSequential));
      else {
        this.set(2 * index, low, thread.id);
        this.set(2 * index + 1, high, thread.id);
      }
      if (this.trace !== undefined) this.say(thread, isSequential ? "store64" : "writeFloat", 2 * index, low);
      this.answer(thread, 0);
      return;
    }
    this.set(2 * index, halves[0], -1);
    this.set(2 * index + 1, halves[1], -1);
  }

  /** Fills or copies bytes, noting what changed. */
  private setBytes(at: number, length: number, write: () => void, by: number): void {
    if (length === 0) return;
    const first = at >> 2;
    const old = this.words.slice(first, (at + length + 3) >> 2);
    write();
    for (let i = 0; i < old.length; i++)
      if (old[i] !== this.words[first + i]) this.noteChange(first + i, old[i], this.words[first + i], by);
  }

  /** A bulk write is two accesses: after the first, the whole destination is garbage. */
  private bulkWrite(at: number, length: number, write: (bytes: Uint8Array, at: number) => void, what: string): void {
    const thread = this.current;
    if (thread === undefined) {
      this.setBytes(at, length, () => write(this.bytes, at), -1);
      return;
    }
    for (let half = 0; half < 2; half++) {
      if (thread.isReplayed(at)) {
        thread.cursor++;
        continue;
      }
      this.before(thread, at >> 2, true);
      if (half === 1 && this.trace !== undefined) this.say(thread, what, at >> 2, `${length} bytes`);
      if (this.isWeak) {
        if (half === 1 && length > 0) this.push(thread, this.bulkOf(thread, at, length, write));
      } else if (half === 0) this.setBytes(at, length, () => this.bytes.fill(GARBAGE, at, at + length), thread.id);
      else this.setBytes(at, length, () => write(this.bytes, at), thread.id);
      this.answer(thread, 0);
    }
  }

  private bulkOf(thread: Thread, at: number, length: number, write: (bytes: Uint8Array, at: number) => void): Entry {
    const first = at >> 2;
    const values = Int32Array.from({ length: ((at + length + 3) >> 2) - first }, (_, i) => this.see(thread, first + i));
    write(new Uint8Array(values.buffer), at - first * 4);
    return bulkEntry(first, [...values]);
  }

  /** Addresses from which copies may be completed late: nothing looks at the bytes before the call returns. */
  isBody = (_at: number): boolean => false;

  /** A bulk read is two accesses, too: half of it at each. */
  private bulkRead(at: number, length: number, target: Uint8Array, targetAt: number): void {
    const thread = this.current;
    if (thread === undefined) {
      target.set(this.bytes.subarray(at, at + length), targetAt);
      return;
    }
    if (this.isWeak) {
      this.weakCopy(thread, at, length, target, targetAt);
      return;
    }
    const middle = length >> 1;
    for (let half = 0; half < 2; half++) {
      const from = half === 0 ? 0 : middle;
      const to = half === 0 ? middle : length;
      if (thread.isReplayed(at)) {
        target.set(thread.log[thread.cursor++] as Uint8Array, targetAt + from);
        continue;
      }
      this.before(thread, (at + from) >> 2, false);
      const part = this.bytes.slice(at + from, at + to);
      for (const byte of part) this.learned(thread, byte);
      target.set(part, targetAt + from);
      if (half === 1 && this.trace !== undefined)
        this.say(
          thread,
          "copy",
          at >> 2,
          Buffer.from(target.subarray(targetAt, targetAt + length))
            .toString("hex")
            .slice(0, 32),
        );
      this.answer(thread, part);
    }
  }

  private weakCopy(thread: Thread, at: number, length: number, target: Uint8Array, targetAt: number): void {
    if (thread.isReplayed(at)) {
      const position = thread.cursor++;
      const waiting = thread.buffer.find((entry) => entry.source?.position === position);
      if (waiting === undefined) target.set(thread.log[position] as Uint8Array, targetAt);
      else Object.assign(waiting.source!, { target, targetAt });
      return;
    }
    this.before(thread, at >> 2, false);
    const first = at >> 2;
    const wholeWords = Array.from({ length: ((at + length + 3) >> 2) - first }, (_, i) => this.see(thread, first + i));
    const bytes = new Uint8Array(Int32Array.from(wholeWords).buffer).slice(at - first * 4, at - first * 4 + length);
    target.set(bytes, targetAt);
    if (this.trace !== undefined) this.say(thread, "copy", first, Buffer.from(bytes).toString("hex").slice(0, 32));
    if (this.isBody(at) && length > 0)
      this.push(thread, {
        ...bulkEntry(first, wholeWords),
        source: { at, length, target, targetAt, position: thread.cursor },
      });
    else for (const word of wholeWords) this.learned(thread, word);
    this.answer(thread, bytes);
  }

  /** A copy whose bytes are needed now. */
  private completeFor(source: Uint8Array): void {
    const thread = this.current;
    if (thread === undefined || !this.isWeak || thread.cursor < thread.length) return;
    if (thread.buffer.some((entry) => entry.source?.target === source))
      this.flush(thread, (entry) => entry.source?.target === source);
  }

  /** What the code under test uses instead of `src/memory/words.ts`. */
  readonly double: WordsDouble = {
    load: this.loadsAs(false),
    loadFresh: this.loadsAs(false),
    loadBehind: this.loadsAs(true),
    read: this.reads,
    store: this.writesAs("store", true, true),
    storeRelease: this.writesAs("storeRelease", true, false),
    write: this.writesAs("write", false, false),
    compareExchange: (words, index, expected, replacement) =>
      this.modify(words, index, "compareExchange", (old) => (old === (expected | 0) ? replacement : old)),
    add: (words, index, delta) => this.modify(words, index, "add", (old) => old + delta),
    or: (words, index, bits) => this.modify(words, index, "or", (old) => old | bits),
    and: (words, index, bits) => this.modify(words, index, "and", (old) => old & bits),
    readFloat: (floats, index) =>
      this.threadFor(floats) === undefined ? floats[index] : this.readDouble(floats, index, false),
    writeFloat: (floats, index, value) => {
      doubleScratch[0] = value;
      this.storeDouble(floats, index, false);
    },
    load64: (longs, index) => {
      if (this.threadFor(longs) === undefined) return longs[index];
      doubleScratch[0] = this.readDouble(longs, index, true);
      return longScratch[0];
    },
    store64: (longs, index, value) => {
      longScratch[0] = value;
      this.storeDouble(longs, index, true);
    },
    copyIn: (_memory, at, source, from, length) => {
      this.completeFor(source);
      const part = source.subarray(from, from + length);
      this.bulkWrite(at, length, (target, targetAt) => target.set(part, targetAt), "copyIn");
    },
    zero: (_memory, at, length) =>
      this.bulkWrite(at, length, (target, targetAt) => target.fill(0, targetAt, targetAt + length), "zero"),
    copyOut: (_memory, at, length, target) => this.bulkRead(at, length, target, 0),
    copy: (_memory, at, length) => {
      const target = new Uint8Array(length);
      this.bulkRead(at, length, target, 0);
      return target;
    },
  };

  /** The same for a call site whose barrier is left out: plain accesses, and an exchange is a read and a write. */
  readonly weakened: Synchronising = {
    load: this.reads,
    loadFresh: this.reads,
    loadBehind: this.reads,
    store: this.double.write,
    storeRelease: this.double.write,
    compareExchange: (words, index, expected, replacement) => {
      const found = this.reads(words, index);
      if (found === (expected | 0)) this.double.write(words, index, replacement);
      return found;
    },
    add: (words, index, delta) => this.modifyPlainly(words, index, (old) => old + delta),
    or: (words, index, bits) => this.modifyPlainly(words, index, (old) => old | bits),
    and: (words, index, bits) => this.modifyPlainly(words, index, (old) => old & bits),
    load64: (longs, index) => {
      if (this.threadFor(longs) === undefined) return longs[index];
      doubleScratch[0] = this.readDouble(longs, index, false);
      return longScratch[0];
    },
    store64: (longs, index, value) => {
      longScratch[0] = value;
      this.storeDouble(longs, index, false);
    },
  };

  private modifyPlainly(words: Int32Array, index: number, change: (old: number) => number): number {
    const old = this.reads(words, index);
    this.double.write(words, index, change(old) | 0);
    return old;
  }

  // The kernel's side.

  /** A system call: one access to a word of the kernel, and a barrier. */
  private systemCall(what: string, word: number, act: (thread: Thread | undefined, index: number) => number): number {
    const thread = this.current;
    const index = this.kernel + word;
    if (thread === undefined) return act(undefined, index);
    if (thread.isReplayed(index)) return thread.log[thread.cursor++] as number;
    this.before(thread, index, true, true);
    this.drain(thread);
    this.synchronise(thread);
    const result = act(thread, index);
    this.learned(thread, result);
    if (this.trace !== undefined) this.say(thread, what, index, result);
    return this.answer(thread, result);
  }

  /** Locks a liveness byte: `pin` keeps it for life, which the lowest bit says. */
  lockByte(slot: number, owner: number, isPin: boolean, busy: number): number {
    return this.systemCall("lock", LIVENESS + slot, (_, index) => {
      if (this.words[index] !== 0) return busy;
      this.set(index, ((owner + 1) << 1) | (isPin ? 1 : 0), owner);
      return 0;
    });
  }
  unlockByte(slot: number, owner: number): number {
    return this.systemCall("unlock", LIVENESS + slot, (_, index) => {
      if (this.words[index] >> 1 === owner + 1) this.set(index, 0, owner);
      return 0;
    });
  }
  probeByte(slot: number, owner: number): number {
    return this.systemCall("probe", LIVENESS + slot, (_, index) =>
      // A pinned lock is that of another description than the one by which its owner asks.
      this.words[index] === 0 || this.words[index] === (owner + 1) << 1 ? 0 : 1,
    );
  }
  /** The slot whose byte a member has pinned, -1 for none. */
  pinnedBy(owner: number): number {
    for (let slot = 0; slot < SLEEPS; slot++)
      if (this.words[this.kernel + LIVENESS + slot] === (((owner + 1) << 1) | 1)) return slot;
    return -1;
  }

  /** Sleeps while the word has a value: FUTEX_WAIT_BITSET without a time limit, unless the explorer lets its deadline pass. */
  park(
    word: number,
    expected: number,
    mask: number,
    sleeps: { changed: number; timedOut: number; deadlineMs: number },
  ): number {
    const thread = this.current!;
    const fell = this.systemCall("park", FUTEX, () => {
      if (this.words[word] !== (expected | 0)) return sleeps.changed;
      this.set(this.kernel + SLEEPS + thread.id, (word << 2) | mask, thread.id);
      return 1;
    });
    if (fell !== 1) return fell;
    // The second access is the end of the sleep.
    if (thread.isReplayed(-1)) {
      const ended = thread.log[thread.cursor++] as number;
      if (ended !== 0) thread.clock += sleeps.deadlineMs;
      return ended;
    }
    if (this.isUnwinding) throw UNWIND;
    if (this.isAsleep(thread)) this.unwind("asleep");
    const ended = thread.expires ? sleeps.timedOut : 0;
    thread.expires = false;
    this.before(thread, this.kernel + SLEEPS + thread.id, false);
    this.synchronise(thread);
    if (ended !== 0) thread.clock += sleeps.deadlineMs;
    this.learned(thread, ended);
    this.trace?.(thread, ended === 0 ? "wakes up" : "its deadline passes");
    return this.answer(thread, ended);
  }

  /** FUTEX_WAKE_BITSET: wakes those who sleep on the word with a bit in common. */
  wake(word: number, mask: number): number {
    return this.systemCall("wake", FUTEX, () => {
      let woken = 0;
      for (const sleeper of this.threads) {
        const index = this.kernel + SLEEPS + sleeper.id;
        const sleep = this.words[index];
        if (sleep === 0 || sleep >> 2 !== word || (sleep & mask & 3) === 0) continue;
        this.set(index, 0, -2);
        woken++;
      }
      return woken;
    });
  }
}
