import * as words from "#words";
import { ArgumentError, ArgumentRangeError, ShmkitError } from "../base/errors.js";
import { show } from "../base/arguments.js";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import { ONCE, ONCE_BYTES, ONCE_RESULT_BYTES } from "../layout/once.js";
import { Op } from "../layout/member-slot.js";
import type { ObjectPlan } from "../heap/object-plan.js";
import { NamedObject } from "../heap/named-object.js";
import { WAIT_TIME_BYTES } from "../layout/wait-time.js";
import {
  blockedOnLock,
  holderOf,
  isAbandoned,
  isFree,
  lockWaiters,
  ownerOf,
  takeovers,
  toldAbandoned,
  tryLock,
  unlock,
} from "../locking/robust-lock.js";
import { ringAll } from "../members/doorbell.js";
import { BLOCKED, type Blocked, type Member } from "../members/member.js";
import { timeAt, timeIndex, timesBehind, waitersIn, type TimesBySlot, type Waiter } from "../members/wait-times.js";
import { LocalQueue, type Waitable } from "../members/waits.js";
import { noPromise } from "./while-held.js";

/** @internal Word offset of the outcome. */
export const OUTCOME = ONCE.at.outcome >> 2;
const RUNS = ONCE.at.runs >> 2;
const STARTED_AT = ONCE.at.startedAt >> 3;
const timesAt = (base: number): TimesBySlot => timesBehind(base, ONCE_BYTES);

/** @internal Says whether somebody is doing it, and startedAt since when: by the owner of the lock, or on its behalf. May be repeated. */
export function noteRun({ segment }: Member, base: number, isRunning: boolean): void {
  const runs = words.read(segment.words, base + RUNS);
  if ((runs & 1) === Number(isRunning)) return;
  if (isRunning) words.writeFloat(segment.floats, base / 2 + STARTED_AT, Date.now());
  // SYNC POINT: since when is visible before it is told; pairs with onceStatistics
  words.storeRelease(segment.words, base + RUNS, runs + 1);
}

/** What an initialiser answers: bytes that all get, up to 4,000, or nothing. */
export type OnceResult = Uint8Array | undefined;

/** What {@link Once.tryRun} finds done, or did. */
export interface OnceTried {
  /** What it came to. */
  readonly done: OnceResult;
}

/** How a once is now. */
export interface OnceStatistics {
  /** Whether it has been done. */
  readonly isDone: boolean;
  /** Slot of the member that is doing it; absent if nobody is. */
  readonly runner?: number;
  /** Since when that one is doing it, by the system's clock; absent if nobody is. */
  readonly since?: Date;
  /** The members that wait until it is done. */
  readonly waiting: readonly Waiter[];
  /** How many have died while they did it. */
  readonly takeovers: number;
}

/** @internal */
export const oncePlan = ({ geometry }: Member): ObjectPlan => ({
  kind: "once",
  sizeBytes: ONCE_BYTES + geometry.maxMembers * WAIT_TIME_BYTES,
  options: [],
  given: [],
  optionNames: [],
  init: () => undefined,
});

/** @internal How the once at a word index is. */
export function onceStatistics(member: Member, base: number): OnceStatistics {
  const runner = ownerOf(member, base);
  // Of one that has begun since, it is later.
  const isTold = runner >= 0 && (words.load(member.segment.words, base + RUNS) & 1) === 1;
  return {
    isDone: words.load(member.segment.words, base + OUTCOME) !== 0,
    ...(runner < 0 ? {} : { runner }),
    ...(isTold ? { since: timeAt(member.segment, base / 2 + STARTED_AT) } : {}),
    waiting: waitersIn(member, lockWaiters(base), timesAt(base)),
    takeovers: takeovers(member, base),
  };
}

/** This call is the one that is to do it. */
interface Turn {
  readonly abandoned: boolean;
}
const isTurn = (value: Turn | OnceTried): value is Turn => "abandoned" in value;

/**
 * Something that is done once, by whichever member comes first; the others wait until it is done, and get what it came to.
 * If it fails, its error is thrown where it was done, and the next one does it; so it is when its doer dies.
 * @see pthread_once(3); [Once](../../docs/guide/synchronisation.md#once)
 * @example
 * ```ts
 * import { open } from "shmkit";
 *
 * const app = await open("api-once");
 * const schema = await app.doOnce("schema");
 * const made = await schema.run(() => new TextEncoder().encode("version 7"));
 * console.log(new TextDecoder().decode(made), schema.isDone); // version 7 true
 * await app.close();
 * ```
 */
export class Once extends NamedObject {
  private readonly queue = new LocalQueue();
  private readonly syncQueue = new LocalQueue();
  private readonly sinceAt = timeIndex(timesAt(this.base), this.member.slot);
  /** Whether a call of this handle is doing it. */
  private runs = false;

  /** Whether it has been done. @throws ERR_CLOSED, ERR_REGION_LOST */
  get isDone(): boolean {
    return this.statistics().isDone;
  }

  /**
   * Does it unless it was done, and resolves to what it came to. `initialise` is told whether somebody died in the middle of
   * it before, however many have failed since. Its error is thrown here. The options are for waiting, not for doing. Whoever
   * awaits it inside `initialise` waits for ever.
   * @throws ERR_TIMEOUT (its `owner` says who is doing it), the signal's reason, ERR_INVALID_ARGUMENT (also when `initialise`
   * answers something else than bytes or undefined), ERR_OUT_OF_RANGE (of the length), ERR_CLOSED, ERR_REGION_LOST
   */
  async run(
    initialise: (abandoned: boolean) => OnceResult | Promise<OnceResult>,
    options?: WaitOptions,
  ): Promise<OnceResult> {
    checkFunction(initialise);
    const turn = await this.context.waits.async(this.beginning(this.queue), onlyWaitOptions(options, "once run"));
    if (!isTurn(turn)) return turn.done;
    try {
      return this.finish(await initialise(turn.abandoned));
    } finally {
      this.giveUp();
    }
  }
  /** {@link run}, blocking the thread. @throws ERR_DEADLOCK also when this thread is doing it */
  runSync(initialise: (abandoned: boolean) => OnceResult, options?: WaitOptions): OnceResult {
    checkFunction(initialise);
    const turn = this.context.waits.sync(this.beginning(this.syncQueue), onlyWaitOptions(options, "once runSync"));
    return isTurn(turn) ? this.doNow(turn, initialise) : turn.done;
  }

  /**
   * {@link runSync}, without waiting for others: undefined while another member or task is doing it, which is not waited for.
   * Otherwise `done` is what it came to, now or before. @throws as {@link runSync}, but not ERR_TIMEOUT or ERR_DEADLOCK
   */
  tryRun(initialise: (abandoned: boolean) => OnceResult): OnceTried | undefined {
    checkFunction(initialise);
    const turn = this.context.waits.try(this.beginning(this.queue));
    if (turn === BLOCKED) return undefined;
    return isTurn(turn) ? { done: this.doNow(turn, initialise) } : turn;
  }

  private doNow({ abandoned }: Turn, initialise: (abandoned: boolean) => OnceResult): OnceResult {
    try {
      return this.finish(noPromise(initialise(abandoned), "runSync or tryRun", "run"));
    } finally {
      this.giveUp();
    }
  }

  /** How it is now; looks without locking. */
  statistics(): OnceStatistics {
    this.check();
    const statistics = onceStatistics(this.member, this.base);
    this.member.segment.checkNotLost();
    return statistics;
  }

  private beginning(queue: LocalQueue): Waitable<Turn | OnceTried> {
    const { member, base } = this;
    return {
      sinceAt: this.sinceAt,
      what: `waiting for ${this.address}`,
      queue,
      owner: this,
      attempt: () => {
        this.check();
        this.finishInterrupted();
        if (words.load(this.words, base + OUTCOME) !== 0) return { done: this.result() };
        if (this.runs && queue === this.syncQueue)
          throw new ShmkitError("ERR_DEADLOCK", `this thread is doing ${this.address}, and would wait for itself`, {
            path: this.address,
          });
        return this.runs ? member.waiting(lockWaiters(base)) : this.begin();
      },
      remains: () => isFree(member, base),
      holder: () => holderOf(member, base),
    };
  }

  private begin(): Turn | OnceTried | Blocked {
    const { member, base } = this;
    member.begin(Op["once.begin"], this.entry);
    try {
      if (!tryLock(member, base)) return blockedOnLock(member, base);
      // Done by somebody since the look at it.
      const isDone = words.load(this.words, base + OUTCOME) !== 0;
      const abandoned = isAbandoned(member, base);
      if (isDone) {
        member.withdrawn();
        unlock(member, base);
      } else {
        this.runs = true;
        noteRun(member, base, true);
        member.committed();
      }
      member.end();
      return isDone ? { done: this.result() } : { abandoned };
    } catch (error) {
      return member.failed(error);
    }
  }

  private result(): OnceResult {
    const length = (words.load(this.words, this.base + OUTCOME) >>> 0) - 1;
    if (length === 0) return undefined;
    const bytes = words.copy(this.member.segment, this.baseBytes + ONCE.at.result, Math.min(length, ONCE_RESULT_BYTES));
    this.member.segment.checkNotLost();
    return bytes;
  }

  /** Publishes what it came to. */
  private finish(result: OnceResult): OnceResult {
    if (result !== undefined && !(result instanceof Uint8Array))
      throw new ArgumentError(
        "ERR_INVALID_ARGUMENT",
        `what is done once answers bytes or nothing, not ${show(result)}`,
      );
    if (result !== undefined && result.length > ONCE_RESULT_BYTES)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `what is done once answers up to ${ONCE_RESULT_BYTES} bytes, not ${result.length}`,
        { expected: ONCE_RESULT_BYTES, actual: result.length },
      );
    this.checkAttached();
    const { member, base } = this;
    const length = result?.length ?? 0;
    member.begin(Op["once.finish"], this.entry);
    try {
      if (result !== undefined) words.copyIn(member.segment, this.baseBytes + ONCE.at.result, result, 0, length);
      member.critical(0);
      // SYNC POINT: done with this store; the result is visible with it
      words.store(this.words, base + OUTCOME, length + 1);
      member.committed();
      // Not before: what the dead one had begun is still there for whoever comes after one that failed.
      toldAbandoned(member, base);
      noteRun(member, base, false);
      unlock(member, base);
      this.runs = false;
      ringAll(member, lockWaiters(base));
      member.end();
    } catch (error) {
      return member.failed(error);
    }
    return result;
  }

  /** Lets the next one do it, if it was not done. */
  private giveUp(): void {
    if (!this.runs || !this.isAttached) return;
    const { member, base } = this;
    member.begin(Op["once.finish"], this.entry);
    try {
      // What was cut off before may have let the next one do it already.
      if (this.runs) {
        noteRun(member, base, false);
        unlock(member, base);
      }
      this.runs = false;
      member.withdrawn();
      member.end();
    } catch (error) {
      member.failed(error);
    }
  }

  /** @internal Nobody will ever do what a call that was cut off had begun. */
  override forgetHeld(): void {
    this.runs = false;
  }

  protected override beforeDetach(): void {
    this.giveUp();
  }
}

function checkFunction(initialise: unknown): void {
  if (typeof initialise !== "function")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `initialise must be a function, not ${show(initialise)}`);
}
