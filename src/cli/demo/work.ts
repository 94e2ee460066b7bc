import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { formatBytes } from "../../base/sizes.js";
import { Region, type MemberDeath, type Pipe, type PipeStatistics } from "#shmkit";
import { formatCount, formatMicroseconds } from "../figures.js";
import type { Screen } from "./screen.js";
import type { Child, Children } from "./children.js";
import { pieces, type FileList } from "./text-files.js";
import { addMessage, countWords, type Tally, type TallyMessage } from "./word-tally.js";

/** What the reading process is told to read. */
export interface ReaderOrder {
  readonly files: readonly string[];
  readonly batchBytes: number;
}

export interface WorkResult {
  readonly tally: Tally;
  readonly seconds: number;
  readonly batches: number;
  readonly redelivered: number;
  /** Tallies that came again, since their worker died between sending and acknowledging. */
  readonly repeated: number;
  readonly killed: boolean;
}

const BATCH_BYTES = { smallest: 1024, largest: 64 * 1024 } as const;
/**
 * Shares of the text after which the workers hold the batch they have: the second one early, to be killed with it; the
 * first one late, so that enough is left for the second however the system treats the two.
 */
const HOLD_AFTER = { first: 0.6, second: 0.2 } as const;
/** Batches that a worker has on lease at a time. */
export const LEASES_PER_WORKER = 2;
const LOOK_MS = 5;
const DRAW_MS = 100;

/** Everything was received and acknowledged, and nothing more can come. */
export function isDone({ closed, depth, leased }: PipeStatistics): boolean {
  return closed && depth === 0 && leased === 0;
}

const isMember = (region: Region, { pid }: Child): boolean => region.members().some((member) => member.pid === pid);

/** Counts the words of files in three processes that share memory, and kills one of them on the way. */
export class Work {
  private readonly children: Children;
  private readonly screen: Screen;
  private readonly list: FileList;
  private readonly signal: AbortSignal;
  private readonly tally: Tally = new Map();
  private readonly seen = new Set<number>();
  private repeated = 0;
  private deaths: MemberDeath[] = [];
  private diedAt = 0;

  constructor(children: Children, screen: Screen, list: FileList, signal: AbortSignal) {
    this.children = children;
    this.screen = screen;
    this.list = list;
    this.signal = signal;
  }

  async run(): Promise<WorkResult> {
    const { signal, children } = this;
    const name = `demo-${process.pid}-work`;
    const region = await Region.create(name, { size: "8MiB", maxSize: "40MiB", label: "collector", signal });
    try {
      const batches = await region.pipe<Uint8Array>("batches", { capacity: 64, signal });
      const tallies = await region.pipe<TallyMessage>("tallies", { capacity: 64, signal });
      region.on("memberDied", (death) => {
        this.diedAt = performance.now();
        this.deaths.push(death);
      });
      const reader = children.start("./work-reader.js", [name]);
      const { first, second } = HOLD_AFTER;
      const workers = [this.startWorker(name, 1, first), this.startWorker(name, 2, second)] as const;
      await reader.says();
      // All begin together: a worker that is still starting has no part in the middle.
      while (!workers.every((worker) => isMember(region, worker))) await sleep(LOOK_MS, undefined, { signal });
      const startedAt = performance.now();
      const smaller = Math.max(BATCH_BYTES.smallest, Math.floor(this.list.bytes / 200));
      reader.tell({
        files: this.list.files.map(({ path }) => path),
        batchBytes: Math.min(BATCH_BYTES.largest, smaller),
      });
      const collected = this.collect(tallies);
      const directed = this.direct(region, batches, workers);
      // Every batch was acknowledged, so its tally is in the pipe: the last ones can be collected.
      const finished = Promise.all([reader.succeeds(), directed]).then(() => tallies.close());
      await Promise.all([finished, collected]);
      const { sent, redelivered } = batches.statistics();
      const seconds = (performance.now() - startedAt) / 1000;
      const killed = this.deaths.length > 0;
      return { tally: this.tally, seconds, batches: sent, redelivered, repeated: this.repeated, killed };
    } finally {
      this.screen.clearStatus();
      await children.end();
      await region.close();
    }
  }

  private startWorker(name: string, number: number, holdAfter: number): Child {
    const bytes = Math.floor(this.list.bytes * holdAfter);
    return this.children.start("./work-worker.js", [name, `worker ${number}`, bytes]);
  }

  /** Adds up the tallies until their pipe is closed and empty. */
  private async collect(tallies: Pipe<TallyMessage>): Promise<void> {
    for await (const message of tallies) {
      if (this.seen.has(message.batch)) this.repeated++;
      else addMessage(message, this.tally);
      this.seen.add(message.batch);
      // As long as messages are there, iterating gives timers no turn.
      await setImmediate();
      this.signal.throwIfAborted();
    }
  }

  /** Shows how it goes, kills one worker in the middle and puts another in its place; resolves when all batches are done. */
  private async direct(region: Region, batches: Pipe<Uint8Array>, workers: readonly [Child, Child]): Promise<void> {
    const steady = workers[0].succeeds();
    let other: Promise<void> | undefined;
    let killed = false;
    const busy = workers[1].succeeds().catch((error: unknown) => {
      if (!killed) throw error;
    });
    const failed = new Promise<never>((_, reject) => {
      void steady.catch(reject);
      void busy.catch(reject);
    });
    void failed.catch(() => undefined);
    let holding = false;
    let released = false;
    void workers[1].says().then(
      () => (holding = true),
      () => undefined,
    );
    let drawnAt = performance.now();
    let drawnBytes = 0;
    for (let statistics = batches.statistics(); !isDone(statistics); statistics = batches.statistics()) {
      await Promise.race([sleep(LOOK_MS, undefined, { signal: this.signal }), failed]);
      if (holding && other === undefined) {
        killed = true;
        await this.killWorker(region, batches, workers[1]);
        const replacement = this.startWorker(region.name, 3, Number.POSITIVE_INFINITY);
        other = replacement.succeeds();
        void other.catch(() => undefined);
        await this.screen.line(`   worker 3 (pid ${replacement.pid}) takes its place`);
      }
      const nothingLeft = statistics.closed && statistics.depth === 0;
      if (!released && (other !== undefined || nothingLeft)) {
        released = true;
        workers[0].tell("go on", () => undefined);
      }
      const now = performance.now();
      if (now - drawnAt < DRAW_MS) continue;
      this.draw(region, statistics, ((statistics.receivedBytes - drawnBytes) / (now - drawnAt)) * 1000);
      drawnAt = now;
      drawnBytes = statistics.receivedBytes;
    }
    await Promise.all([steady, other ?? busy]);
  }

  private async killWorker(region: Region, batches: Pipe<Uint8Array>, victim: Child): Promise<void> {
    const leased = batches.statistics().leased;
    const before = batches.statistics().redelivered;
    const killedAt = performance.now();
    victim.kill();
    await victim.ended;
    // Its death is told soon, unless it had finished and left at the very moment.
    for (let round = 0; this.deaths.length === 0 && (round < 100 || isMember(region, victim)); round++) {
      await sleep(1, undefined, { signal: this.signal });
      region.recoverTheDead();
    }
    const death = this.deaths.at(0);
    if (death === undefined) return;
    const noticed = formatMicroseconds(Math.max(0, this.diedAt - killedAt) * 1000);
    const { dim, red } = this.screen.colours;
    await this.screen.line(
      `   ${red("kill -9")} ${death.label} (pid ${death.pid}) with ${leased} ${leased === 1 ? "batch" : "batches"} on lease in all: noticed and cleaned up within ${noticed}`,
    );
    const did = death.interrupted
      ? `inside ${death.operation}, which ${death.committed ? "took" : "did not take"} effect`
      : `after ${death.operation}`;
    await this.screen.line(
      dim(`   it died ${did}; what it had not acknowledged is delivered again (${before} so far)`),
    );
  }

  private draw(region: Region, statistics: PipeStatistics, bytesPerSecond: number): void {
    const { green, red, dim } = this.screen.colours;
    const alive = region.members().filter((member) => member.alive);
    const names = alive.map(({ label }) => `${green("●")} ${label}`);
    const dead = this.deaths.map(({ label }) => `${red("✗")} ${label}`);
    const share = Math.min(100, Math.round((statistics.receivedBytes / Math.max(1, this.list.bytes)) * 100));
    const { depth, capacity, leased } = statistics;
    const figures = `${share} % of ${formatBytes(this.list.bytes)}, ${formatBytes(bytesPerSecond)}/s, ${depth}/${capacity} waiting, ${leased} on lease, ${formatCount(this.seen.size)} tallied`;
    this.screen.status(`   ${[...names, ...dead].join(" ")}  ${dim("|")} ${figures}`, process.stdout);
  }
}

/** The same count by this process alone. Lets the event loop turn now and then. */
export async function countAlone(list: FileList, signal: AbortSignal): Promise<{ tally: Tally; seconds: number }> {
  const tally: Tally = new Map();
  const startedAt = performance.now();
  let turnAt = startedAt + 50;
  for (const { path } of list.files) {
    for (const piece of pieces(path)) {
      countWords(piece, tally);
      if (performance.now() < turnAt) continue;
      await sleep(0, undefined, { signal });
      turnAt = performance.now() + 50;
    }
  }
  return { tally, seconds: (performance.now() - startedAt) / 1000 };
}
