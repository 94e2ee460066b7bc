import * as words from "#words";
import { ArgumentError, ArgumentRangeError } from "../base/errors.js";
import { show } from "../base/arguments.js";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { COUNTER, COUNTER_BYTES } from "../layout/lock.js";
import { Op } from "../layout/member-slot.js";
import { WAIT_TIME_BYTES } from "../layout/wait-time.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import { NamedObject } from "../heap/named-object.js";
import { ringAll } from "../members/doorbell.js";
import type { Blocked, Member } from "../members/member.js";
import { timeIndex, timesBehind, waitersIn, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { blockedOnLock, isFree, holderOf, takeovers, tryLock, unlock } from "../locking/robust-lock.js";

const at = COUNTER.at;
/** @internal Word offsets inside a counter. */
export const COUNTER_WORD = {
  lock: at.lock >> 2,
  value: at.value >> 3,
  target: at.target >> 3,
  changeWaiters: at.changeWaiters >> 2,
} as const;

const MINIMUM = -(2n ** 63n);
const MAXIMUM = 2n ** 63n - 1n;

/** A whole number that fits 64 bits, given as a number (safe integers only) or bigint. */
export type Integer = number | bigint;

function integer(value: unknown, name: string): bigint {
  if (typeof value !== "bigint" && typeof value !== "number")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${name} must be a whole number or bigint, not ${show(value)}`, {
      actual: value,
    });
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw new ArgumentRangeError("ERR_OUT_OF_RANGE", `${name} must be a safe whole number or a bigint, not ${value}`, {
      actual: value,
    });
  const big = BigInt(value);
  if (big < MINIMUM || big > MAXIMUM)
    throw new ArgumentRangeError("ERR_OUT_OF_RANGE", `${name} must fit a signed 64-bit integer, not ${big}`, {
      actual: value,
    });
  return big;
}

const after = (_old: bigint, value: bigint): bigint => value;
const before = (old: bigint): bigint => old;

const timesAt = (base: number): TimesBySlot => timesBehind(base, COUNTER_BYTES);

/** How a counter is now. */
export interface CounterStatistics {
  /** Its value. */
  readonly value: bigint;
  /** The members that wait for it to reach a value. */
  readonly waiting: readonly Waiter[];
  /** How many members died while they updated it (wraps at 2^32). */
  readonly takeovers: number;
}

/** @internal How the counter at a word index is. */
export const counterStatistics = (member: Member, base: number): CounterStatistics => ({
  value: words.load64(member.segment.longs, base / 2 + COUNTER_WORD.value),
  waiting: waitersIn(member, base + COUNTER_WORD.changeWaiters, timesAt(base)),
  takeovers: takeovers(member, base + COUNTER_WORD.lock),
});

/** @internal */
export const counterPlan = ({ geometry }: Member): ObjectPlan => ({
  kind: "counter",
  sizeBytes: COUNTER_BYTES + geometry.maxMembers * WAIT_TIME_BYTES,
  options: [],
  given: [],
  optionNames: [],
  init: () => undefined,
});

/**
 * A named signed 64-bit integer that every member of the region sees: an AtomicInt64 between processes. Reads take no lock, and
 * are what a try to wait would be; an update waits for nobody but a member that is in the middle of one, as long as `timeoutMs`
 * allows: 0 tries. So there are no `try` forms. A member that dies while it
 * updates either did or did not: never half, and the region's `memberDied` event says which.
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-counter");
 * const done = await app.counter("done");
 * const enough = done.waitFor(3, { timeoutMs: 10_000 });
 * for (let n = 0; n < 3; n++) await done.add();
 * console.log(await enough, done.value); // 3n 3n
 * await app.close();
 * ```
 */
export class Counter extends NamedObject {
  private readonly updates = new LocalQueue();
  private readonly lock = this.base + COUNTER_WORD.lock;
  private readonly sinceAt = timeIndex(timesAt(this.base), this.member.slot);

  /** The value now, from -2^63 to 2^63 - 1. @throws ERR_CLOSED, ERR_REGION_LOST */
  get value(): bigint {
    this.check();
    const value = words.load64(this.member.segment.longs, this.base / 2 + COUNTER_WORD.value);
    this.member.segment.checkNotLost();
    return value;
  }

  /**
   * Adds `delta` (default 1) and resolves to the value after. Wraps around at 64 bits, as `Atomics.add` does
   * (ECMA-262).
   * @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_TIMEOUT while a stopped process holds the counter, ERR_CLOSED, ERR_REGION_LOST
   */
  async add(delta: Integer = 1, options?: WaitOptions): Promise<bigint> {
    const by = integer(delta, "delta");
    return this.context.waits.async(
      this.updating((old) => BigInt.asIntN(64, old + by)),
      onlyWaitOptions(options, "add"),
    );
  }
  /** {@link add}, blocking the thread if it must wait. */
  addSync(delta: Integer = 1, options?: WaitOptions): bigint {
    const by = integer(delta, "delta");
    return this.context.waits.sync(
      this.updating((old) => BigInt.asIntN(64, old + by)),
      onlyWaitOptions(options, "addSync"),
    );
  }

  /** Subtracts `delta` (default 1) and resolves to the value after. Otherwise as {@link add}. */
  async sub(delta: Integer = 1, options?: WaitOptions): Promise<bigint> {
    const by = integer(delta, "delta");
    return this.context.waits.async(
      this.updating((old) => BigInt.asIntN(64, old - by)),
      onlyWaitOptions(options, "sub"),
    );
  }
  /** {@link sub}, blocking the thread if it must wait. */
  subSync(delta: Integer = 1, options?: WaitOptions): bigint {
    const by = integer(delta, "delta");
    return this.context.waits.sync(
      this.updating((old) => BigInt.asIntN(64, old - by)),
      onlyWaitOptions(options, "subSync"),
    );
  }

  /** Stores a value and resolves to the one before. Errors as {@link add}. */
  async exchange(value: Integer, options?: WaitOptions): Promise<bigint> {
    const to = integer(value, "value");
    return this.context.waits.async(
      this.updating(() => to, before),
      onlyWaitOptions(options, "exchange"),
    );
  }
  /** {@link exchange}, blocking the thread if it must wait. */
  exchangeSync(value: Integer, options?: WaitOptions): bigint {
    const to = integer(value, "value");
    return this.context.waits.sync(
      this.updating(() => to, before),
      onlyWaitOptions(options, "exchangeSync"),
    );
  }

  /** Stores a value if the counter is `expected`; resolves to what it was, as `Atomics.compareExchange`. Errors as {@link add}. */
  async compareExchange(expected: Integer, value: Integer, options?: WaitOptions): Promise<bigint> {
    const [from, to] = [integer(expected, "expected"), integer(value, "value")];
    return this.context.waits.async(
      this.updating((old) => (old === from ? to : old), before),
      onlyWaitOptions(options, "compareExchange"),
    );
  }
  /** {@link compareExchange}, blocking the thread if it must wait. */
  compareExchangeSync(expected: Integer, value: Integer, options?: WaitOptions): bigint {
    const [from, to] = [integer(expected, "expected"), integer(value, "value")];
    return this.context.waits.sync(
      this.updating((old) => (old === from ? to : old), before),
      onlyWaitOptions(options, "compareExchangeSync"),
    );
  }

  /** Stores a value and resolves to it. Errors as {@link add}. */
  async set(value: Integer, options?: WaitOptions): Promise<bigint> {
    const to = integer(value, "value");
    return this.context.waits.async(
      this.updating(() => to),
      onlyWaitOptions(options, "set"),
    );
  }
  /** {@link set}, blocking the thread if it must wait. */
  setSync(value: Integer, options?: WaitOptions): bigint {
    const to = integer(value, "value");
    return this.context.waits.sync(
      this.updating(() => to),
      onlyWaitOptions(options, "setSync"),
    );
  }

  /**
   * Resolves to the value as soon as it is at least `minimum`.
   * @throws ERR_TIMEOUT, the signal's reason, ERR_CLOSED, ERR_REGION_LOST
   */
  async waitFor(minimum: Integer, options?: WaitOptions): Promise<bigint> {
    return this.context.waits.async(this.reaching(integer(minimum, "minimum")), onlyWaitOptions(options, "waitFor"));
  }
  /** {@link waitFor}, blocking the thread: spins first, then sleeps. */
  waitForSync(minimum: Integer, options?: WaitOptions): bigint {
    return this.context.waits.sync(this.reaching(integer(minimum, "minimum")), onlyWaitOptions(options, "waitForSync"));
  }

  /** How it is now; looks without locking. @throws ERR_CLOSED, ERR_REGION_LOST */
  statistics(): CounterStatistics {
    this.check();
    const statistics = counterStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  /** `next`: the value after; `answer`: what the call says. */
  private updating(next: (old: bigint) => bigint, answer = after): Waitable<bigint> {
    return {
      what: `updating ${this.address}`,
      queue: this.updates,
      owner: this,
      attempt: () => this.attemptUpdate(next, answer),
      remains: () => isFree(this.member, this.lock),
      holder: () => holderOf(this.member, this.lock),
    };
  }

  private attemptUpdate(next: (old: bigint) => bigint, answer: typeof after): bigint | Blocked {
    this.check();
    const { member, lock } = this;
    const { longs } = member.segment;
    const base = this.base;
    member.begin(Op["counter.update"], this.entry);
    try {
      if (!tryLock(member, lock)) return blockedOnLock(member, lock);
      const old = words.load64(longs, base / 2 + COUNTER_WORD.value);
      const value = next(old);
      words.store64(longs, base / 2 + COUNTER_WORD.target, value);
      member.critical(0);
      // SYNC POINT: the update is this store; target and the operation word are visible with it
      words.store64(longs, base / 2 + COUNTER_WORD.value, value);
      member.committed();
      unlock(member, lock);
      ringAll(member, base + COUNTER_WORD.changeWaiters);
      member.end();
      return answer(old, value);
    } catch (error) {
      return member.failed(error);
    }
  }

  private reaching(minimum: bigint): Waitable<bigint> {
    const waiters = this.base + COUNTER_WORD.changeWaiters;
    return {
      sinceAt: this.sinceAt,
      what: `waiting for ${this.address} to reach ${minimum}`,
      queue: new LocalQueue(),
      owner: this,
      attempt: () => {
        const value = this.value;
        if (value >= minimum) return value;
        return this.member.waiting(waiters);
      },
      remains: () => false,
    };
  }
}
