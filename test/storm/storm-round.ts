/** One region, and the storm over it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Region, ShmkitError, type MemberDeath } from "shmkit";
import { audit } from "../helpers/crash-audit.js";
import { leftovers, uniqueRegionName } from "../helpers/leftovers.js";
import type { Random } from "../helpers/process-random.js";
import { coordinationOf } from "./coordination-steps.js";
import { Journal, readJournal } from "./journal.js";
import { originOf } from "./message.js";
import { emptyVerdict, judge, type Part, type Verdict } from "./model.js";
import {
  COUNTERS,
  MUTEXES,
  now,
  openObjects,
  PIPE_NAMES,
  REGION,
  STEPS,
  WALL_CLOCK_ERROR_MS,
  type Beginning,
  type Objects,
} from "./plan.js";
import { kindOf, Needs } from "./stalls.js";
import { bytesThatStay, takeSyncStock } from "./stock.js";
import { put } from "./sync-steps.js";
import { StormMember, type MemberKind } from "./storm-member.js";

/** Members that are spared, so that somebody is always there who goes on: they are only stopped now and then. */
const SPARED: readonly MemberKind[] = ["plain", "host", "plain"];
/**
 * Members beside them at a time, those that are about to join included, and the longest time between two blows: an emulated
 * process takes ten times as long to start, and would never live to join.
 */
export const PACE = {
  native: { members: 5, calmMs: 120 },
  emulated: { members: 2, calmMs: 500 },
} as const;
const LONGEST_PAUSE_MS = 40;
/** Nobody needs so long, however busy the machine: whoever does hangs. */
const WATCHDOG_MS = 240_000;
/** Deaths are dated in whole milliseconds. */
const NOTICE_RESOLUTION_MS = 1;
/** Of what a step does first, and of what only some do. */
const LATEST_ACCESS = 120;

/** How long others were held up by a member that died with something in its hands. */
export interface Stall {
  readonly ms: number;
  /** What kind of object they waited for. */
  readonly kind: string;
  /** What they waited for, and when the death had been recovered. */
  readonly text: string;
}

/** What a round came to. */
export interface RoundReport extends Verdict {
  kills: number;
  readonly killsBy: Record<"anywhere" | "at a chosen access" | "while stopped" | "by terminate()", number>;
  pauses: number;
  readonly stalls: Stall[];
  leakedBytes: number;
  leakedSlots: number;
}

export class Round {
  private readonly members: StormMember[] = [];
  private readonly deaths = new Map<string, MemberDeath[]>();
  private readonly directory = mkdtempSync(join(tmpdir(), "shmkit-storm-"));
  private readonly own = join(this.directory, "0");
  private readonly journal = new Journal(this.own);
  private readonly name = uniqueRegionName("storm");
  private readonly report: RoundReport = {
    ...emptyVerdict(),
    kills: 0,
    killsBy: { anywhere: 0, "at a chosen access": 0, "while stopped": 0, "by terminate()": 0 },
    pauses: 0,
    stalls: [],
    leakedBytes: 0,
    leakedSlots: 0,
  };
  private started = 0;

  constructor(
    private readonly random: Random,
    private readonly kinds: readonly MemberKind[],
    private readonly signal: AbortSignal | undefined,
    private readonly runtime: readonly string[] | undefined,
    private readonly pace: (typeof PACE)[keyof typeof PACE],
  ) {}

  get kills(): number {
    return this.members.filter(({ hasEnded }) => hasEnded).length;
  }

  /** Lets it storm for the given time, and until so many have ended; then looks what is left. */
  async run(seconds: number, fewestEnds: number, onTurn: () => void): Promise<RoundReport> {
    const endAll = (): void => this.members.forEach((member) => member.kill());
    this.signal?.addEventListener("abort", endAll);
    const region = await Region.create(this.name, REGION);
    region.on("memberDied", (death) => this.deaths.set(death.label, [...(this.deaths.get(death.label) ?? []), death]));
    try {
      const objects = await openObjects(region);
      while (this.started < SPARED.length) this.start();
      await this.within("joining", Promise.all(this.members.map(({ joined }) => joined)), this.members);
      const until = now() + seconds * 1000;
      while ((now() < until || this.kills < fewestEnds) && !this.isAborted && this.faults().length === 0) {
        while (this.alive.length < SPARED.length + this.pace.members) this.start();
        await sleep(this.random.below(this.pace.calmMs));
        await this.strike();
        onTurn();
      }
      if (!this.isAborted) await this.settle(region, objects);
    } catch (error) {
      this.violation((error as Error).stack ?? String(error));
    } finally {
      this.signal?.removeEventListener("abort", endAll);
      endAll();
      await Promise.all(this.members.map(({ ended }) => ended));
      await region.close();
      await this.cleanUp();
    }
    return this.report;
  }

  private get isAborted(): boolean {
    return this.signal?.aborted === true;
  }
  private get alive(): StormMember[] {
    return this.members.filter(({ hasEnded, killedAt }) => !hasEnded && killedAt === undefined);
  }

  private violation(text: string): void {
    this.report.violations.push(text);
  }

  private faults(): string[] {
    return this.members.flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
  }

  private start(): void {
    const { random } = this;
    const number = ++this.started;
    const kind = SPARED[number - 1] ?? this.kinds[number % this.kinds.length];
    const fuse = {
      step: random.of(STEPS),
      occurrence: 1 + random.below(random.of([2, 30])),
      access: 1 + random.below(LATEST_ACCESS),
    };
    const beginning: Beginning = {
      region: this.name,
      journal: join(this.directory, `${number}`),
      number,
      label: `m${number}`,
      seed: random.below(2 ** 31),
      hosts: kind === "host",
      fuse: kind === "chosen" ? fuse : undefined,
      wallClock: this.runtime !== undefined,
    };
    this.members.push(new StormMember(beginning, kind, this.runtime));
  }

  /** One blow. */
  private async strike(): Promise<void> {
    const { random } = this;
    // Mostly those who are in the midst of it; now and then somebody who is only about to join.
    const alive = this.alive.filter(({ hasJoined }) => hasJoined || random.below(40) === 0);
    const victims = alive.filter(
      // Those with a fuse are mostly left to it.
      ({ beginning, kind }) => beginning.number > SPARED.length && (kind !== "chosen" || random.below(6) === 0),
    );
    if (victims.length === 0) return;
    const victim = random.of(victims);
    switch (random.below(8)) {
      case 0:
      case 1:
        victim.kill();
        break;
      case 2:
        // Two at once, so that one may have been recovering the other.
        victim.kill();
        random.of(victims).kill();
        break;
      case 3:
        await this.pause(victim);
        break;
      case 4:
        await this.pause(random.of(alive), false);
        break;
      case 5:
        victim.tell("stop");
        victim.tell("leave");
        break;
      default:
      // Those with a fuse kill themselves.
    }
  }

  private async pause(member: StormMember, mayKill = true): Promise<void> {
    this.report.pauses++;
    member.stop();
    await sleep(this.random.below(LONGEST_PAUSE_MS));
    if (mayKill && this.random.below(2) === 0) member.kill();
    member.continue();
  }

  private async within(what: string, done: Promise<unknown>, who: readonly StormMember[] = []): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        const left = who
          .filter(({ hasEnded }) => !hasEnded)
          .map(({ beginning, kind }) => `${beginning.label} (${kind})`);
        reject(new Error(`stuck: ${what} is not done after ${WATCHDOG_MS / 1000} s; ${left.join(", ")}`));
      }, WATCHDOG_MS);
    });
    try {
      await Promise.race([done, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The storm is over: the survivors come to rest, everything is taken out, and judged. */
  private async settle(region: Region, objects: Objects): Promise<void> {
    const { members } = this;
    await this.within("joining", Promise.all(members.map(({ joined }) => joined)), members);
    for (const member of members) member.tell("stop");
    const resting = Promise.all(members.map(({ stopped }) => stopped));
    await this.within("coming to rest", this.feedUntil(objects, resting), members);
    await this.within("the dead coming to rest", this.waitForTheDead(region));
    await this.within("draining", this.drain(objects));
    const remains = await this.takeStock(objects);
    for (const member of members) member.tell("leave");
    await this.within("leaving", Promise.all(members.map(({ ended }) => ended)), members);
    region.recoverTheDead();
    // Events are told from the event loop.
    await sleep(1);
    for (const fault of this.faults()) this.violation(fault);
    const { sync, problem } = await takeSyncStock(region, objects.sync);
    if (problem !== undefined) this.violation(problem);
    this.judge({ ...remains, sync });
    await this.lookForLeaks(region, objects);
  }

  /** Puts something there for whoever waits until something is. */
  private async feedUntil({ sync: { box, mail } }: Objects, rested: Promise<unknown>): Promise<void> {
    let isOver = false;
    void rested.then(() => (isOver = true));
    while (!isOver) {
      {
        using guard = await box.lock();
        put(guard);
      }
      mail.notifyOne();
      await Promise.race([rested, sleep(10)]);
    }
  }

  /** Deno's `terminate()` is done before the worker's thread is: until that has let go of its slot, it may go on. */
  private async waitForTheDead(region: Region): Promise<void> {
    const living = new Set(this.members.filter(({ hasEnded }) => !hasEnded).map(({ beginning }) => beginning.label));
    for (;;) {
      region.recoverTheDead();
      const others = region.members().filter(({ slot }) => slot !== region.slot);
      if (others.every(({ label }) => living.has(label))) return;
      await sleep(10);
    }
  }

  /** Receives what is still in the pipes, after closing half of them. */
  private async drain({ pipes }: Objects): Promise<void> {
    for (const name of PIPE_NAMES) {
      const pipe = pipes[name];
      const isClosed = this.random.below(2) === 0;
      if (isClosed) await pipe.close();
      for (;;) {
        let message: unknown;
        try {
          message = pipe.tryReceive();
        } catch (error) {
          if (isClosed && error instanceof ShmkitError && error.code === "ERR_CLOSED") break;
          throw error;
        }
        if (message === undefined) {
          if (isClosed) this.violation(`${name} is closed and empty, and does not say so`);
          break;
        }
        const origin = originOf(message);
        if (origin === undefined) this.journal.write("torn", "receive", name);
        else this.journal.write("end", "receive", name, origin.sender, origin.sequence);
      }
      await pipe.drain();
      const { depth, leased } = pipe.statistics();
      if (depth + leased > 0) this.violation(`${name} is drained, and holds ${depth} messages and ${leased} on lease`);
    }
  }

  private async takeStock({ counters, mutexes }: Objects) {
    const words: Record<string, number> = {};
    for (const name of MUTEXES) {
      const guard = await mutexes[name].lock();
      const found = Array.from({ length: mutexes[name].wordCount }, (_, word) => guard.get(word));
      if (new Set(found).size !== 1) {
        this.report.torn++;
        this.violation(`${name} is half-changed: ${found.join(" ")}`);
      }
      words[name] = found[0];
      guard.release();
    }
    return {
      counters: Object.fromEntries(COUNTERS.map((name) => [name, Number(counters[name].value)])),
      mutexes: words,
    };
  }

  private judge(remains: Parameters<typeof judge>[1]): void {
    const numbers = readdirSync(this.directory).map(Number).filter(Number.isInteger);
    const parts = numbers.map((number): Part => ({
      number,
      entries: readJournal(join(this.directory, `${number}`)),
      deaths: this.deaths.get(`m${number}`) ?? [],
    }));
    // The controller's own journal is of somebody who goes on.
    const others = parts.filter(({ number }) => number !== 0);
    const own = parts.filter(({ number }) => number === 0);
    const verdict = judge(
      [...others, ...own.map(({ entries }) => ({ number: 0, deaths: [], entries: [...entries, LEFT] }))],
      remains,
      this.runtime === undefined ? 0 : WALL_CLOCK_ERROR_MS,
    );
    const { report } = this;
    report.violations.push(...verdict.violations);
    report.lost += verdict.lost;
    report.torn += verdict.torn;
    report.messages += verdict.messages;
    report.redelivered += verdict.redelivered;
    report.synchronised += verdict.synchronised;
    report.deaths += verdict.deaths;
    report.interrupted += verdict.interrupted;
    this.countKills(others);
  }

  /** Who was killed how, and how long the others were held up. */
  private countKills(parts: readonly Part[]): void {
    const { report } = this;
    const terminated = this.readTerminated();
    const needs = new Needs(parts);
    const pauses = this.members.flatMap((member) => member.pauses.map((pause) => ({ ...pause, member })));
    const sinceEpoch = Date.now() - now();
    for (const part of parts) {
      if (part.entries.at(-1)?.note === "left") continue;
      const host = this.members[part.number - 1] ?? this.members[Math.floor(part.number / 1000) - 1];
      const dying = part.entries.find(({ note }) => note === "dying");
      const killedAt = dying?.time ?? terminated.get(part.number) ?? host.killedAt;
      if (killedAt === undefined) continue;
      report.kills++;
      const wasStopped = host.pauses.some(({ from, until }) => from <= killedAt && killedAt <= until);
      if (dying !== undefined) report.killsBy["at a chosen access"]++;
      else if (terminated.has(part.number)) report.killsBy["by terminate()"]++;
      else if (wasStopped) report.killsBy["while stopped"]++;
      else report.killsBy.anywhere++;
      const noticedAt = (part.deaths[0]?.noticedAt.getTime() ?? 0) - sinceEpoch;
      const stall = needs.stall(part, killedAt, noticedAt + NOTICE_RESOLUTION_MS);
      // Whoever is stopped with something in its hands holds the others up as well, and should.
      const isOverlaid = pauses.some(
        ({ from, until, member }) => stall !== undefined && member !== host && from <= stall.until && until >= killedAt,
      );
      if (stall === undefined || isOverlaid) continue;
      const noticedAfter = Math.max(0, noticedAt - killedAt).toFixed(0);
      const text = `${stall.side}, after the death of member ${part.number}, recovered after ${noticedAfter} ms`;
      report.stalls.push({ ms: stall.until - stall.from, kind: kindOf(stall.side), text });
    }
  }

  private readTerminated(): Map<number, number> {
    let text = "";
    try {
      text = readFileSync(join(this.directory, "terminated"), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    }
    return new Map(
      text
        .split("\n")
        .filter(Boolean)
        .map((line) => line.split(" ").map(Number) as [number, number]),
    );
  }

  /** With everybody gone and every name removed nothing may be in use. */
  private async lookForLeaks(region: Region, { pipes, counters, mutexes, sync }: Objects): Promise<void> {
    const { report } = this;
    report.leakedSlots += region.members().length - 1;
    if (report.leakedSlots > 0) this.violation(`${report.leakedSlots} slots of dead members are still taken`);
    this.audit(region);
    for (const collection of [
      region.composites,
      region.pipes,
      region.counters,
      region.mutexes,
      ...coordinationOf(region),
    ])
      for (const name of collection.list()) await collection.remove(name);
    const groups: readonly object[] = [pipes, counters, mutexes, sync];
    const objects = groups.flatMap((group) => Object.values(group).flat() as { detach(): void }[]);
    for (const object of objects) object.detach();
    this.audit(region);
    const { committedBytes, freeBytes } = region.statistics();
    report.leakedBytes += committedBytes - freeBytes - bytesThatStay(region);
    if (report.leakedBytes !== 0) this.violation(`${report.leakedBytes} bytes belong to nobody`);
  }

  private audit(region: Region): void {
    try {
      audit(region.buffer, { isAlive: (slot) => slot === region.slot });
    } catch (error) {
      this.violation((error as Error).message);
    }
  }

  private async cleanUp(): Promise<void> {
    rmSync(this.directory, { recursive: true });
    const side = `${this.name}-side`;
    // Whoever opens what the dead have left takes it away.
    await (await Region.openOrCreate(side, { size: "128KiB", maxSize: "256KiB", maxMembers: 8 })).close();
    for (const name of leftovers().filter((found) => found.includes(this.name))) {
      this.violation(`left behind: ${name}`);
      rmSync(`/dev/shm/${name}`, { force: true });
    }
  }
}

const LEFT = { note: "left", step: "other", object: "marker", sender: 0, sequence: 0, value: 0, time: 0 } as const;
