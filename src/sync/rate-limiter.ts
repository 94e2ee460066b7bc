import * as words from "#words";
import { wholeNumber } from "../base/arguments.js";
import { now, onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { systemNow } from "../base/system-clock.js";
import type { ObjectPlan, ObjectRef } from "../heap/object-plan.js";
import type { ObjectContext } from "../heap/named-object.js";
import { Op } from "../layout/member-slot.js";
import { RATE_LIMITER, RATE_LIMITER_BYTES } from "../layout/rate-limiter.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { WAIT_TIME_BYTES } from "../layout/wait-time.js";
import { BLOCKED, type Member } from "../members/member.js";
import { timesBehind, waitersOf, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import type { LocalQueue, Waitable } from "../members/waits.js";
import { ServedInTurn } from "./served-in-turn.js";
import { Turns } from "./turns.js";

const { at } = RATE_LIMITER;
/** @internal Word offsets inside a rate limiter. */
export const RATE_LIMITER_WORD = {
  fullAt: at.fullAt >> 2,
  tokens: at.tokens >> 2,
  intervalMs: at.intervalMs >> 2,
  burst: at.burst >> 2,
  taken: at.taken >> 2,
  waiters: at.waiters >> 2,
  turns: at.turns >> 2,
} as const;
const W = RATE_LIMITER_WORD;
const MAX = 2 ** 31 - 1;
const timesAt = (base: number): TimesBySlot => timesBehind(base, RATE_LIMITER_BYTES);

/** Options of a rate limiter. */
export interface RateLimiterOptions {
  /** Tokens that come in each interval, 1 to 2^31 - 1. Default 1. */
  tokens?: number;
  /** Length of an interval in milliseconds, 1 to 2^31 - 1. Default 1000. */
  intervalMs?: number;
  /** Tokens that are kept while nobody takes any, 1 to 2^31 - 1: as many can be taken at once. Default: `tokens`. */
  burst?: number;
}

/** How a rate limiter is now. */
export interface RateLimiterStatistics {
  /** Whole tokens that are there. */
  readonly available: number;
  /** Tokens that come in each interval. */
  readonly tokens: number;
  /** Length of an interval in milliseconds. */
  readonly intervalMs: number;
  /** Tokens that fit. */
  readonly burst: number;
  /** Tokens taken so far (wraps at 2^32). */
  readonly taken: number;
  /** The members that wait, the one whose turn it is first. */
  readonly waiting: readonly Waiter[];
}

/** @internal */
export function rateLimiterPlan(member: Member, options: RateLimiterOptions): ObjectPlan {
  const tokens = options.tokens === undefined ? 1 : wholeNumber(options.tokens, "tokens", 1, MAX);
  const intervalMs = options.intervalMs === undefined ? 1000 : wholeNumber(options.intervalMs, "intervalMs", 1, MAX);
  const burst = options.burst === undefined ? tokens : wholeNumber(options.burst, "burst", 1, MAX);
  return {
    kind: "rate-limiter",
    sizeBytes: RATE_LIMITER_BYTES + member.geometry.maxMembers * WAIT_TIME_BYTES,
    options: [tokens, intervalMs, burst],
    given: [options.tokens !== undefined, options.intervalMs !== undefined, options.burst !== undefined],
    optionNames: ["tokens", "intervalMs", "burst"],
    init: (page) => {
      const base = (page * PAGE_BYTES) / 4;
      words.write(member.segment.words, base + W.tokens, tokens);
      words.write(member.segment.words, base + W.intervalMs, intervalMs);
      words.write(member.segment.words, base + W.burst, burst);
    },
  };
}

const float = new Float64Array(1);
const halves = new Int32Array(float.buffer);

/** The bucket, as its words say. */
class Bucket {
  /** Milliseconds for which a token stands. */
  readonly tokenMs: number;
  readonly burst: number;
  /** How far ahead of now it is full, in milliseconds. */
  readonly emptyMs: number;
  /** It would be full later than is possible: its words are of another clock, such as that before the system was started anew. */
  readonly isOfOtherClock: boolean;

  constructor({ segment }: Member, base: number, nowMs: number) {
    const shared = segment.words;
    this.burst = words.read(shared, base + W.burst);
    this.tokenMs = words.read(shared, base + W.intervalMs) / words.read(shared, base + W.tokens);
    halves[0] = words.read(shared, base + W.fullAt);
    halves[1] = words.read(shared, base + W.fullAt + 1);
    const ahead = float[0] - nowMs;
    const most = this.burst * this.tokenMs;
    this.isOfOtherClock = !(ahead <= most);
    this.emptyMs = this.isOfOtherClock ? most : Math.max(ahead, 0);
  }

  get available(): number {
    // What is taken and comes back is a sum of fractions.
    return Math.floor(this.burst - this.emptyMs / this.tokenMs + 1e-6);
  }

  /** Milliseconds until so many tokens are there. */
  until(count: number): number {
    return this.emptyMs + (count - this.burst) * this.tokenMs;
  }
}

/** @internal How the rate limiter at a word index is. */
export function rateLimiterStatistics(member: Member, base: number): RateLimiterStatistics {
  const word = (index: number): number => words.read(member.segment.words, base + index) >>> 0;
  return {
    available: new Bucket(member, base, systemNow()).available,
    tokens: word(W.tokens),
    intervalMs: word(W.intervalMs),
    burst: word(W.burst),
    taken: word(W.taken),
    waiting: waitersOf(member, new Turns(member, base, base + W.turns).inOrder(), timesAt(base)),
  };
}

/**
 * A named token bucket: so many tokens come in each interval, for all processes together, and up to `burst` are kept. Who
 * takes some goes on when they are there; members are served in the order in which they began to wait. A wait that ends
 * before its tokens were there takes none, and neither does a member that dies waiting: what comes goes to the next.
 *
 * Time is the system's monotonic clock, which all processes share and nobody sets; it does not go on while the system is
 * suspended. In a region that outlives a restart of the system, the bucket begins empty then.
 * @see Generic cell rate algorithm, ITU-T I.371
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-rate-limiter");
 * const calls = await app.rateLimiter("calls", { tokens: 50, intervalMs: 1000, burst: 2 });
 * await calls.take(2); // at once: the bucket is full at first
 * console.log(calls.tryTake()); // false
 * await calls.take(); // after 20 ms
 * await app.close();
 * ```
 */
export class RateLimiter extends ServedInTurn {
  /** @internal */
  constructor(context: ObjectContext, ref: ObjectRef) {
    super(context, ref, { sizeBytes: RATE_LIMITER_BYTES, waiters: W.waiters, turns: W.turns, timesAt });
  }

  /**
   * Takes tokens, 1 to `burst`, by default 1; resolves when they are there and all who came earlier have been served.
   * @throws ERR_TIMEOUT, the signal's reason, ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_CLOSED, ERR_REGION_LOST
   */
  async take(count = 1, options?: WaitOptions): Promise<void> {
    return this.context.waits.async(this.taking(count, this.queue), onlyWaitOptions(options, "take"));
  }
  /** {@link take}, blocking the thread. */
  takeSync(count = 1, options?: WaitOptions): void {
    this.context.waits.sync(this.taking(count, this.syncQueue), onlyWaitOptions(options, "takeSync"));
  }
  /** Whether the tokens were there and were taken; not while others wait. Never waits. */
  tryTake(count = 1): boolean {
    return this.context.waits.try(this.taking(count, this.queue)) !== BLOCKED;
  }

  /** How it is now; looks without locking. */
  statistics(): RateLimiterStatistics {
    this.check();
    const statistics = rateLimiterStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  private taking(count: number, queue: LocalQueue): Waitable<void> {
    wholeNumber(count, "count", 1, this.ref.options[2]);
    return this.waitable("tokens", queue, () => {
      const taken = this.attempt(
        Op["rate-limiter.take"],
        () => {
          const before = this.before();
          const nowMs = systemNow();
          const bucket = new Bucket(this.member, this.base, nowMs);
          const untilMs = bucket.until(count);
          // Below the resolution of timers and of sums of fractions.
          const mustWait = before >= 0 || untilMs > 1e-6;
          if (!mustWait || bucket.isOfOtherClock)
            this.fillAt(nowMs + bucket.emptyMs + (mustWait ? 0 : count * bucket.tokenMs));
          if (mustWait) return this.waitMyTurn(before, before >= 0 ? undefined : now() + untilMs);
          this.write(W.taken, this.read(W.taken) + count);
          this.served(queue);
          return count;
        },
        () => this.turns.ringFirst(),
      );
      return taken === BLOCKED ? BLOCKED : undefined;
    });
  }

  private fillAt(atMs: number): void {
    float[0] = atMs;
    this.write(W.fullAt, halves[0]);
    this.write(W.fullAt + 1, halves[1]);
  }
}
