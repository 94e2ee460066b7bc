/** The steps of a member, each written down before and after, so that a death in between leaves exactly one open. */
import { Region, ShmkitError, type Lease, type MutexGuard, type Pipe } from "shmkit";
import type { Random } from "../helpers/process-random.js";
import { coordinate } from "./coordination-steps.js";
import type { Journal, Note } from "./journal.js";
import { bytesOf, originOf, SHORTEST_BYTES, valueOf } from "./message.js";
import {
  CALLED,
  CONCURRENCY,
  COUNTERS,
  MUTEXES,
  PIPE_NAMES,
  RECORD_WORDS,
  type ObjectName,
  type Objects,
  type PipeName,
  type Step,
} from "./plan.js";
import { SyncSteps, type Steps } from "./sync-steps.js";

const LONGEST_BYTES: Readonly<Record<PipeName, number>> = { bytes: 900, values: 300, large: 150_000, jobs: 3000 };
const TORN = 0xffffffff;
/** Answers that are no faults: others close, remove and hold things, too. */
const HARMLESS = new Set([
  "ERR_TIMEOUT",
  "ERR_CLOSED",
  "ERR_EXISTS",
  "ERR_NOT_FOUND",
  "ERR_OPTIONS_DIFFER",
  "ERR_WRONG_KIND",
  "ERR_REGION_FULL",
  "ERR_NO_SPACE",
  "ERR_TOO_MANY_MEMBERS",
]);

/** What a step turned out to concern. */
interface Outcome {
  readonly sender?: number;
  readonly sequence?: number;
  readonly value?: number;
  readonly isTorn?: boolean;
}
/** It returned, and nothing happened. */
const NOTHING = undefined;

export class MemberSteps implements Steps {
  private readonly sent: Record<PipeName, number> = { bytes: 0, values: 0, large: 0, jobs: 0 };
  private readonly into = new Uint8Array(256 * 1024);
  /** What the operation record may show now: the next step that is judged by it must be another. */
  private readonly shown = new Set<string>();

  private readonly sync: SyncSteps;

  constructor(
    private readonly number: number,
    private readonly region: Region,
    private readonly objects: Objects,
    private readonly journal: Journal,
    private readonly random: Random,
    private readonly onBegin: (step: Step) => void,
  ) {
    this.sync = new SyncSteps(number, region, objects.sync, random, this);
  }

  get wait(): { timeoutMs: number } {
    return { timeoutMs: this.random.of([0, 1, 1, 2, 5, 25]) };
  }

  /** One step, or a few that belong together. */
  async next(): Promise<void> {
    const { random } = this;
    const kind = random.below(25);
    if (kind < 7) await this.send(random.of(PIPE_NAMES));
    else if (kind < 12) await this.receive(random.of(PIPE_NAMES));
    else if (kind < 14) await this.takeLease();
    else if (kind < 16) await this.change();
    else if (kind < 18) await this.add(random.of(COUNTERS));
    else if (kind < 19) await this.other();
    else if (kind < 24) await this.sync.next();
    else await this.work();
  }

  /**
   * Makes a step. When the one before would look the same in the operation record, another comes in between, so that the
   * record of a member that died says which of the two it was.
   */
  async step(
    step: Step,
    object: ObjectName,
    told: Outcome,
    act: () => Outcome | undefined | Promise<Outcome | undefined>,
  ): Promise<Outcome | undefined> {
    const { journal, shown } = this;
    const called = shownAs(step, object);
    if (shown.has(called)) await this.add(COUNTERS.find((name) => !shown.has(shownAs("add", name)))!);
    const { sender = 0, sequence = 0, value = 0 } = told;
    journal.write("begin", step, object, sender, sequence, value);
    this.onBegin(step);
    let outcome: Outcome | undefined;
    let isHeldUp = false;
    try {
      outcome = await act();
    } catch (error) {
      if (!(error instanceof ShmkitError) || !HARMLESS.has(error.code)) throw error;
      isHeldUp = error.owner !== undefined;
    }
    if (outcome === NOTHING) {
      // It may have got as far as its record, or not.
      shown.add(called);
      journal.write("failed", step, object, sender, sequence, Number(isHeldUp));
      return NOTHING;
    }
    if (RECORDED.has(step)) shown.clear();
    if (CALLED[step] !== undefined) shown.add(called);
    if (step === "work") shown.add(shownAs("ack", object));
    if (outcome.isTorn === true) journal.write("torn", step, object);
    journal.write("end", step, object, outcome.sender ?? sender, outcome.sequence ?? sequence, outcome.value ?? value);
    return outcome;
  }

  async between(): Promise<void> {
    await this.add("count-0");
  }

  note(note: Note, step: Step, object: ObjectName, sequence: number, value: number): void {
    this.journal.write(note, step, object, 0, sequence, value);
  }

  private async send(name: PipeName): Promise<void> {
    const { random, number } = this;
    const origin = { sender: number, sequence: this.sent[name]++ };
    const length = SHORTEST_BYTES + random.below(random.below(4) === 0 ? LONGEST_BYTES[name] : 60);
    const isValue = name === "values" || (name === "jobs" && random.below(2) === 0);
    const message = isValue ? valueOf(origin, length) : bytesOf(origin, length);
    const pipe: Pipe = this.objects.pipes[name];
    await this.step("send", name, origin, async () => {
      switch (random.below(4)) {
        case 0:
          await pipe.send(message, this.wait);
          break;
        case 1:
          pipe.sendSync(message, this.wait);
          break;
        case 2:
          if (message instanceof Uint8Array) pipe.sendBytesSync(message, this.wait);
          else pipe.sendSync(message, this.wait);
          break;
        default:
          if (!pipe.trySend(message)) return NOTHING;
      }
      return origin;
    });
  }

  private told(message: unknown, value = 0): Outcome {
    const origin = originOf(message);
    return origin === undefined ? { sender: TORN, sequence: TORN, isTorn: true } : { ...origin, value };
  }

  private async receive(name: PipeName): Promise<void> {
    const { random, into } = this;
    const pipe: Pipe = this.objects.pipes[name];
    await this.step("receive", name, {}, async () => {
      // Into a target come the bytes of a value as they were encoded, which this model does not know.
      const how = random.below(name === "bytes" || name === "large" ? 5 : 3);
      if (how === 0) return this.told(await pipe.receive(this.wait));
      if (how === 1) return this.told(pipe.receiveSync(this.wait));
      if (how === 2) {
        const message = pipe.tryReceive();
        return message === undefined ? NOTHING : this.told(message);
      }
      const length = how === 3 ? await pipe.receiveInto(into, this.wait) : pipe.receiveIntoSync(into, this.wait);
      return this.told(into.subarray(0, length));
    });
  }

  /** Takes a message on lease, and settles it. */
  private async takeLease(): Promise<void> {
    const { random } = this;
    const pipe: Pipe = this.objects.pipes.jobs;
    let lease: Lease<unknown> | undefined;
    const taken = await this.step("lease", "jobs", {}, async () => {
      lease =
        random.below(2) === 0 ? await pipe.receive({ ...this.wait, lease: true }) : pipe.tryReceive({ lease: true });
      return lease === undefined ? NOTHING : this.told(lease.value, lease.deliveries);
    });
    if (taken === NOTHING) return;
    if (random.below(3) === 0) await this.add("count-1");
    const isDone = random.below(5) !== 0;
    await this.step(isDone ? "ack" : "nack", "jobs", taken, () => {
      if (isDone) lease!.ack();
      else lease!.nack();
      return taken;
    });
  }

  /** Works on a few messages at a time. */
  private async work(): Promise<void> {
    const { random, journal } = this;
    await this.step("work", "jobs", {}, async () => {
      const pipe: Pipe = this.objects.pipes.jobs;
      const handle = async (message: unknown, lease: Lease<unknown>): Promise<void> => {
        const { sender = TORN, sequence = TORN, isTorn } = this.told(message);
        if (isTorn === true) journal.write("torn", "work", "jobs");
        if (random.below(4) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(3)));
        const isRefused = random.below(6) === 0;
        journal.write(isRefused ? "refused" : "handled", "work", "jobs", sender, sequence, lease.deliveries);
        if (isRefused) throw new Error("not this time");
      };
      await pipe.process(handle, { concurrency: CONCURRENCY, signal: AbortSignal.timeout(1 + random.below(20)) });
      return {};
    });
  }

  private async add(name: (typeof COUNTERS)[number]): Promise<void> {
    const { random } = this;
    const counter = this.objects.counters[name];
    const value = 1 + random.below(1000);
    await this.step("add", name, { value }, async () => {
      if (random.below(2) === 0) await counter.add(value, this.wait);
      else counter.addSync(value, this.wait);
      return { value };
    });
  }

  /** Raises all words of a record by one, once or twice. */
  private async change(): Promise<void> {
    const { random } = this;
    const name = random.of(MUTEXES);
    const mutex = this.objects.mutexes[name];
    let guard: MutexGuard | undefined;
    const locked = await this.step("lock", name, {}, async () => {
      const how = random.below(3);
      if (how === 0) guard = await mutex.lock(this.wait);
      else guard = how === 1 ? mutex.lockSync(this.wait) : mutex.tryLock();
      return guard === undefined ? NOTHING : { value: guard.abandoned ? 1 : 0, isTorn: !isWhole(guard) };
    });
    if (locked === NOTHING) return;
    if (random.below(4) === 0) await this.add("count-0");
    raise(guard!);
    if (random.below(3) === 0) {
      await this.step("commit", name, { value: 1 }, () => {
        guard!.commit();
        return { value: 1 };
      });
      raise(guard!);
    }
    const isRolledBack = random.below(5) === 0;
    if (isRolledBack) guard!.rollback();
    const value = isRolledBack ? 0 : 1;
    await this.step("unlock", name, { value }, () => {
      guard!.release();
      return { value };
    });
  }

  /** What the model does not follow, and what must not leak or tear anything either. */
  private async other(): Promise<void> {
    const { random, region } = this;
    const name = `passing-${random.below(3)}`;
    // With a value that says what it is, so that a torn one shows.
    const message = bytesOf({ sender: this.number, sequence: 0 }, random.of([40, 9000]));
    await this.step("other", "marker", {}, async () => {
      switch (random.below(12)) {
        case 0:
        case 1: {
          const pipe = await region.pipe(name, { capacity: 4, maxLeased: 1, ...this.wait });
          pipe.trySend(message);
          if (random.below(3) === 0) await pipe.close(this.wait);
          const lease = pipe.tryReceive({ lease: random.below(2) === 0 } as { lease: true });
          const value: unknown = lease !== undefined && "value" in lease ? lease.value : lease;
          if (random.below(2) === 0) pipe.detach();
          return { isTorn: value !== undefined && originOf(value) === undefined };
        }
        case 2:
          return { value: Number(await region.pipes.remove(name, this.wait)) };
        case 3: {
          const counter = await region.counter(`${name}-count`, this.wait);
          counter.addSync(1, this.wait);
          if (random.below(2) === 0) await region.counters.remove(`${name}-count`, this.wait);
          counter.detach();
          return {};
        }
        case 4: {
          const mutex = await region.mutex(`${name}-lock`, { words: 2, ...this.wait });
          mutex.tryLock()?.set(1, random.below(9));
          if (random.below(2) === 0) mutex.detach();
          return {};
        }
        case 5:
          await region.grow(`${1 + random.below(3)}MiB`, this.wait);
          return {};
        case 6:
          region.recoverTheDead();
          return { value: region.members().length };
        case 7:
          return { value: region.statistics().usedBlocks + region.pipes.list().length };
        case 8:
          return { value: Region.inspect(region.name)?.members.length ?? 0 };
        case 10:
          await coordinate(region, random, this.wait);
          return {};
        case 9:
          return { value: Number(await Region.remove(`${region.name}-side`, { timeoutMs: 100 })) };
        default: {
          const side = await Region.openOrCreate(`${region.name}-side`, {
            size: "128KiB",
            maxSize: "256KiB",
            maxMembers: 8,
            timeoutMs: 100,
          });
          try {
            (await side.counter("visits", this.wait)).addSync(1, this.wait);
          } finally {
            await side.close();
          }
          return {};
        }
      }
    });
  }
}

/** How the operation record shows a step. */
const shownAs = (step: Step, object: ObjectName): string => `${(CALLED[step] ?? [step]).join()} ${object}`;
/** Steps after which the record shows them and nothing else. */
const RECORDED: ReadonlySet<Step> = new Set([
  "send",
  "receive",
  "lease",
  "ack",
  "nack",
  "add",
  "lock",
  "unlock",
  "take",
  "give",
  "enrol",
]);

function isWhole(guard: MutexGuard): boolean {
  for (let word = 1; word < RECORD_WORDS; word++) if (guard.get(word) !== guard.get(0)) return false;
  return true;
}

function raise(guard: MutexGuard): void {
  for (let word = 0; word < RECORD_WORDS; word++) guard.set(word, guard.get(word) + 1);
}
