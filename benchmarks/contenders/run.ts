/**
 * What the contenders written in TypeScript share. Each is a program of its own:
 * `node NAME.js BENCHMARK ROLE NAME FOLDER WARM_MS MEASURE_MS CORE CORE`.
 */

import { mkdtempSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { messageBytes } from "./messages.js";

const READY = "ready-";

export interface Run {
  readonly benchmark: string;
  readonly role: string;
  /** A name that no other run uses. */
  readonly name: string;
  /** A folder of this run's own. */
  readonly folder: string;
  readonly warmMs: number;
  readonly measureMs: number;
  /** Cores of the two sides, for contenders that start the second one themselves; -1 for none. */
  readonly cores: readonly number[];
}

export function parseRun(): Run {
  const [benchmark, role, name, folder, ...numbers] = process.argv.slice(2);
  const [warmMs, measureMs, ...cores] = numbers.map(Number);
  if (benchmark === undefined || role === undefined || name === undefined || folder === undefined || cores.length < 2)
    throw new Error("arguments: BENCHMARK ROLE NAME FOLDER WARM_MS MEASURE_MS CORE CORE");
  return { benchmark, role, name, folder, warmMs: warmMs ?? 0, measureMs: measureMs ?? 0, cores };
}

/** Says that a receiver is there: senders wait for it, so that their time is not spent before anybody listens. */
export function announce({ folder }: Run): void {
  mkdtempSync(join(folder, READY));
}

/** Waits until so many receivers are there. */
export async function receiversReady({ folder }: Run, count = 1): Promise<void> {
  while (readdirSync(folder).filter((name) => name.startsWith(READY)).length < count) await sleep(2);
}

/** Throws: what was moved is not what was sent. */
export function wrong(what: string, found: unknown, expected: unknown): never {
  throw new Error(`${what}: found ${String(found)} instead of ${String(expected)}`);
}

function print(report: object): void {
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** Nanoseconds of the clock that all processes of the machine share. */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e9 + nanoseconds;
}

/** Steps between two looks at the clock, less one. */
const LOOK_MASK = 255;
/** The same where a step takes long. */
const BULK_LOOK_MASK = 3;

function lookMask({ benchmark }: Run): number {
  return benchmark.startsWith("bulk") ? BULK_LOOK_MASK : LOOK_MASK;
}

/** The rate of a receiver, from the end of its warm-up, which begins with the first message, to its last message. */
export class Rate {
  private readonly warmMs: number;
  private readonly mask: number;
  private readonly weight: number;
  private first = 0;
  private begun = 0;
  private begunCount = 0;

  constructor(run: Run) {
    this.warmMs = run.warmMs;
    this.mask = lookMask(run);
    this.weight = run.benchmark.startsWith("bulk") ? messageBytes(run) : 1;
  }

  /** To be called for each message with its number, from 0. */
  count(number: number): void {
    if ((number & this.mask) === 0) this.look(number);
  }

  private look(number: number): void {
    const now = performance.now();
    if (this.first === 0) this.first = now;
    if (this.begun !== 0 || now - this.first < this.warmMs) return;
    this.begun = now;
    this.begunCount = number;
  }

  /** All messages were received and verified; bulk ones count by their bytes. */
  report(count: number): void {
    // A run that was held up may end in its warm-up: then all of it counts.
    const seconds = (performance.now() - (this.begun || this.first)) / 1000;
    print({ value: ((count - this.begunCount) * this.weight) / seconds, checked: count });
  }
}

/** How long a sender goes on. */
export class Duration {
  private readonly until: number;
  private readonly mask: number;

  constructor(run: Run) {
    this.until = performance.now() + run.warmMs + run.measureMs;
    this.mask = lookMask(run);
  }

  /** Whether message `number`, from 0, is the last one. */
  isOver(number: number): boolean {
    return (number & this.mask) === 0 && number > 0 && performance.now() >= this.until;
  }
}

/** Latencies of batches of steps, in ns. The warm-up begins when the first batch has ended: the other side has come. */
export class Latencies {
  private readonly values: number[] = [];
  private readonly run: Run;
  private countsFrom = Number.POSITIVE_INFINITY;
  private begun = 0;

  constructor(run: Run) {
    this.run = run;
  }

  /** Whether there is time for another batch, which begins now; at least one counts. */
  next(): boolean {
    this.begun = performance.now();
    return this.values.length === 0 || this.begun < this.countsFrom + this.run.measureMs;
  }

  /** The batch has ended. */
  add(steps: number): void {
    const now = performance.now();
    if (this.begun >= this.countsFrom) this.values.push(((now - this.begun) * 1e6) / steps);
    else if (this.countsFrom === Number.POSITIVE_INFINITY) this.countsFrom = now + this.run.warmMs;
  }

  /** A latency that was measured otherwise. */
  put(latencyNs: number): void {
    const at = performance.now();
    if (at >= this.countsFrom) this.values.push(latencyNs);
    else if (this.countsFrom === Number.POSITIVE_INFINITY) this.countsFrom = at + this.run.warmMs;
  }

  report(checked: number): void {
    const sorted = Float64Array.from(this.values).sort();
    if (sorted.length === 0) throw new Error("nothing was measured");
    const percentile = (share: number): number => sorted[Math.floor(sorted.length * share)];
    const p50 = percentile(0.5);
    print({ value: p50, p50, p99: percentile(0.99), p999: percentile(0.999), checked });
  }
}

/** Of all waits for a lock: the time in ns, and how often others got it meanwhile. */
export function reportWaits(waits: readonly (readonly [ns: number, passes: number])[], checked: number): void {
  if (waits.length === 0) throw new Error("nobody waited");
  const times = Float64Array.from(waits, ([ns]) => ns).sort();
  const percentile = (share: number): number => times[Math.floor(times.length * share)];
  const p50 = percentile(0.5);
  const passedOver = waits.reduce((most, [, passes]) => Math.max(most, passes), 0);
  const longest = times[times.length - 1];
  print({ value: p50, p50, p99: percentile(0.99), p999: percentile(0.999), longest, passedOver, checked });
}
