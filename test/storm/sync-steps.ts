/** Steps on what members synchronise by, of which the model says in `sync-model.ts` what must be true. */
import { ShmkitError, type MutexGuard, type Region } from "shmkit";
import type { Random } from "../helpers/process-random.js";
import {
  now,
  PARTIES,
  PROMISED,
  SHARE,
  TOKENS,
  UNTIL_MISSED_MS,
  type ObjectName,
  type Step,
  type SyncObjects,
} from "./plan.js";

/** What a step turned out to concern; undefined: it returned, and nothing happened. */
export type Told = { readonly sequence?: number; readonly value?: number; readonly sender?: number } | undefined;
type Wait = { readonly timeoutMs: number };

/** Where steps are written down. */
export interface Steps {
  step(step: Step, object: ObjectName, told: object, act: () => Told | Promise<Told>): Promise<Told>;
  /** Something else to do, while one has something in hand. */
  between(): Promise<void>;
  note(note: "did" | "missed", step: Step, object: ObjectName, sequence: number, value: number): void;
  readonly wait: Wait;
}

/** Somebody else's answer in time is none. */
const isLate = (error: unknown): boolean => error instanceof DOMException && error.name === "TimeoutError";

/** Gives back what is held; when it answers a promise, it is given back once that is settled. */
type GiveBack = () => unknown;

export class SyncSteps {
  private owes = PROMISED;

  constructor(
    private readonly number: number,
    private readonly region: Region,
    private readonly objects: SyncObjects,
    private readonly random: Random,
    private readonly steps: Steps,
  ) {}

  async next(): Promise<void> {
    const { random } = this;
    switch (random.below(14)) {
      case 0:
      case 1:
        return this.readOrWrite();
      case 2:
        return this.upgrade();
      case 3:
        return this.lease();
      case 4:
        return this.pass();
      case 5:
        return this.takeTokens();
      case 6:
      case 7:
        return this.lockByName();
      case 8:
        return this.doOnce();
      case 9:
        return this.meet();
      case 10:
        return this.countDown();
      case 11:
        return this.signal();
      case 12:
        return this.turn();
      default:
        return random.below(8) === 0 ? this.cross() : this.useMail();
    }
  }

  /** Holds something for a moment: `take` answers how to give it back, or undefined. */
  private async hold(
    object: ObjectName,
    share: number,
    take: () => GiveBack | undefined | Promise<GiveBack | undefined>,
  ): Promise<void> {
    let giveBack: GiveBack | undefined;
    const held = await this.steps.step("hold", object, { value: share }, async () => {
      giveBack = await take();
      return giveBack && { value: share };
    });
    if (held === undefined) return;
    if (this.random.below(3) === 0) await this.steps.between();
    await this.giveBack(object, giveBack!);
  }

  private async giveBack(object: ObjectName, act: GiveBack): Promise<void> {
    await this.steps.step("release", object, {}, async () => {
      await act();
      return {};
    });
  }

  private readOrWrite(): Promise<void> {
    const { gate } = this.objects;
    const { random } = this;
    const isReader = random.below(3) > 0;
    return this.hold("gate", isReader ? SHARE.one : SHARE.all, async () => {
      const { wait } = this.steps;
      const how = random.below(3);
      const guard = isReader
        ? how === 0
          ? await gate.lockShared(wait)
          : how === 1
            ? gate.lockSharedSync(wait)
            : gate.tryLockShared()
        : how === 0
          ? await gate.lock(wait)
          : how === 1
            ? gate.lockSync(wait)
            : gate.tryLock();
      return guard && (() => guard.release());
    });
  }

  private async upgrade(): Promise<void> {
    const { gate } = this.objects;
    const { random, steps } = this;
    let guard: Awaited<ReturnType<typeof gate.lockUpgradable>> | undefined;
    const held = await steps.step("hold", "gate", { value: SHARE.half }, async () => {
      guard = random.below(2) === 0 ? await gate.lockUpgradable(steps.wait) : gate.tryLockUpgradable();
      return guard && { value: SHARE.half };
    });
    if (held === undefined) return;
    await steps.step("hold", "gate", { value: SHARE.all }, async () => {
      if (random.below(2) === 0) await guard!.upgrade(steps.wait);
      else if (!guard!.tryUpgrade()) return undefined;
      return { value: SHARE.all };
    });
    if (guard!.mode === "exclusive" && random.below(2) === 0)
      await steps.step("downgrade", "gate", { value: SHARE.one }, () => {
        guard!.downgrade();
        return { value: SHARE.one };
      });
    await this.giveBack("gate", () => guard!.release());
  }

  private lease(): Promise<void> {
    const { places } = this.objects;
    const permits = 1 + this.random.below(2);
    return this.hold("places", permits, async () => {
      const options = { ...this.steps.wait, permits };
      const how = this.random.below(3);
      const lease =
        how === 0
          ? await places.acquire(options)
          : how === 1
            ? places.acquireSync(options)
            : places.tryAcquire({ permits });
      return lease && (() => lease.release());
    });
  }

  /** Takes permits for good, or posts some. */
  private async pass(): Promise<void> {
    const { tickets } = this.objects;
    const { random, steps } = this;
    const value = 1 + random.below(2);
    if (random.below(2) === 0)
      await steps.step("give", "tickets", { value }, () => {
        tickets.post(value);
        return { value };
      });
    else
      await steps.step("take", "tickets", { value }, async () => {
        const options = { ...steps.wait, permits: value };
        const how = random.below(3);
        if (how === 0) await tickets.wait(options);
        else if (how === 1) tickets.waitSync(options);
        else if (!tickets.tryWait({ permits: value })) return undefined;
        return { value };
      });
  }

  private async takeTokens(): Promise<void> {
    const { tokens } = this.objects;
    const { random, steps } = this;
    const value = 1 + random.below(TOKENS.burst);
    await steps.step("take", "tokens", { value }, async () => {
      const how = random.below(3);
      if (how === 0) await tokens.take(value, steps.wait);
      else if (how === 1) tokens.takeSync(value, steps.wait);
      else if (!tokens.tryTake(value)) return undefined;
      return { value };
    });
  }

  /** A Web Lock, which is held as long as its callback is at work. */
  private async lockByName(): Promise<void> {
    const { random, steps, region } = this;
    const isShared = random.below(2) === 0;
    const share = isShared ? SHARE.one : SHARE.all;
    const mode = isShared ? "shared" : "exclusive";
    const name = random.of(["web-0", "web-1"] as const);
    let letGo: () => void = () => undefined;
    let ended: Promise<unknown> = Promise.resolve();
    await this.hold(name, share, async () => {
      const signal = AbortSignal.timeout(steps.wait.timeoutMs + 1);
      const options = random.below(3) === 0 ? ({ mode, ifAvailable: true } as const) : ({ mode, signal } as const);
      const isHeld = await new Promise<boolean>((resolve, reject) => {
        ended = region.locks
          .request(name, options, (lock) => {
            resolve(lock !== null);
            return lock === null ? undefined : new Promise<void>((done) => (letGo = done));
          })
          .catch((error: unknown) => {
            // Ended by its signal, it says so like the others do.
            reject(isLate(error) ? new ShmkitError("ERR_TIMEOUT", "not in time", { owner: name }) : (error as Error));
          });
      });
      if (!isHeld) return undefined;
      return () => {
        letGo();
        // Released once the callback's promise has been seen to be settled, which takes some turns.
        return ended;
      };
    });
    await ended;
  }

  private async doOnce(): Promise<void> {
    const { random, steps, region, number } = this;
    const sequence = random.below(24);
    await steps.step("once", "once", { sequence }, async () => {
      const once = await region.doOnce(`once-${sequence}`, steps.wait);
      let did = 0;
      const result = once.runSync(() => {
        if (random.below(3) === 0) throw new ShmkitError("ERR_TIMEOUT", "not this time");
        did = 1;
        const mine = number * 1000 + random.below(1000);
        steps.note("did", "once", "once", sequence, mine);
        return new Uint8Array(Uint32Array.of(mine).buffer);
      }, steps.wait);
      const [value] = new Uint32Array(result!.slice().buffer);
      return { sequence, value, sender: did };
    });
  }

  private async meet(): Promise<void> {
    const { meeting } = this.objects;
    const { random, steps } = this;
    await steps.step("meet", "meeting", {}, async () => {
      try {
        const { generation, leader } =
          random.below(2) === 0 ? meeting.waitSync(steps.wait) : await meeting.wait(steps.wait);
        return { sequence: generation, value: leader ? 1 : 0 };
      } catch (error) {
        // There are enough parties already.
        if (error instanceof ShmkitError && error.code === "ERR_OUT_OF_RANGE" && error.expected === PARTIES)
          return undefined;
        throw error;
      }
    });
  }

  /** Promises once, and keeps a part of it at a time. */
  private async countDown(): Promise<void> {
    const { countdown } = this.objects;
    if (this.owes === PROMISED) {
      await this.steps.step("enrol", "countdown", { value: PROMISED }, () => {
        countdown.enrol(PROMISED);
        return { value: PROMISED };
      });
    }
    if (this.owes === 0) return;
    this.owes--;
    await this.steps.step("down", "countdown", { value: 1 }, () => {
      countdown.countDown();
      return { value: 1 };
    });
  }

  /** An event that resets by itself. */
  private async signal(): Promise<void> {
    const { pulse } = this.objects;
    const { random, steps } = this;
    if (random.below(2) === 0)
      await steps.step("give", "pulse", { value: 1 }, () => {
        pulse.set();
        return { value: 1 };
      });
    else
      await steps.step("take", "pulse", { value: 1 }, async () => {
        const how = random.below(3);
        if (how === 0) await pulse.wait(steps.wait);
        else if (how === 1) pulse.waitSync(steps.wait);
        else if (!pulse.tryWait()) return undefined;
        return { value: 1 };
      });
  }

  /** A flag: set by whoever found it clear. */
  private async turn(): Promise<void> {
    const { lamp } = this.objects;
    const { random, steps } = this;
    if (random.below(2) === 0)
      await steps.step("give", "lamp", { value: 1 }, async () => {
        await lamp.clear(steps.wait);
        return { value: 1 };
      });
    else
      await steps.step("take", "lamp", { value: 1 }, async () => {
        const wasSet = random.below(2) === 0 ? await lamp.testAndSet(steps.wait) : lamp.testAndSetSync(steps.wait);
        return wasSet ? undefined : { value: 1 };
      });
  }

  /** Puts something under a mutex and says so, or waits until something is there. */
  private async useMail(): Promise<void> {
    const { random, steps } = this;
    const { box, mail } = this.objects;
    await steps.step("mail", "mail", {}, async () => {
      using guard = random.below(2) === 0 ? box.lockSync(steps.wait) : await box.lock(steps.wait);
      if (random.below(3) > 0) {
        put(guard);
        guard.release();
        mail.notifyOne();
        return {};
      }
      const isBlocking = random.below(2) === 0;
      const options = { timeoutMs: UNTIL_MISSED_MS };
      while (guard.get(0) === 0)
        try {
          if (isBlocking) mail.waitSync(guard, options);
          else await mail.wait(guard, options);
        } catch (error) {
          if (!(error instanceof ShmkitError) || error.code !== "ERR_TIMEOUT") throw error;
          // Something was there for most of the time, and nobody woke this wait for it.
          const sinceMs = (millis() - guard.get(1)) & MILLIS;
          if (guard.get(0) > 0 && sinceMs > UNTIL_MISSED_MS / 2) steps.note("missed", "mail", "mail", 0, sinceMs);
          break;
        }
      if (guard.get(0) === 0) return undefined;
      guard.set(0, guard.get(0) - 1);
      return {};
    });
  }

  /** Locks two mutexes in either order: of those who wait for each other one is told. */
  private async cross(): Promise<void> {
    const { random, steps } = this;
    const { crossings } = this.objects;
    const [first, second] = random.below(2) === 0 ? crossings : [crossings[1], crossings[0]];
    const isBlocking = random.below(2) === 0;
    await steps.step("cross", "crossing", {}, async () => {
      using _one = isBlocking ? first.lockSync(steps.wait) : await first.lock(steps.wait);
      await new Promise((resolve) => setImmediate(resolve));
      const options = { timeoutMs: 400 };
      try {
        using _other = isBlocking ? second.lockSync(options) : await second.lock(options);
      } catch (error) {
        if (!(error instanceof ShmkitError) || error.code !== "ERR_DEADLOCK") throw error;
        const number = /^m(\d+)$/.exec(error.cycle![1].label)?.[1];
        if (number === undefined) throw new Error(`a deadlock with somebody else: ${error.message}`, { cause: error });
        return { value: 1, sender: Number(number) };
      }
      return {};
    });
  }
}

/** Fit a word. */
const MILLIS = 0x3fffffff;
const millis = (): number => Math.floor(now()) & MILLIS;

/** One thing more; since when something is there stands beside it. */
export function put(guard: MutexGuard): void {
  if (guard.get(0) === 0) guard.set(1, millis());
  guard.set(0, guard.get(0) + 1);
}
