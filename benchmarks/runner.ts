import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Benchmark, Contender, Site } from "./catalogue.js";
import { runPrograms } from "./processes.js";
import {
  type Absence,
  type BenchmarkResult,
  type Figures,
  figuresOf,
  joined,
  ratiosOf,
  type Report,
} from "./results.js";
import type { Tool } from "./tools.js";

const SHARED_MEMORY = "/dev/shm";
/** Time for a contender to start and to end, besides its measuring. */
const GRACE_MS = 60_000;

export interface Place extends Omit<Site, "name" | "scratch"> {
  /** The program that binds others to cores. */
  readonly launcher: string;
  /** Why tools are not there. */
  readonly missing: ReadonlyMap<Tool, string>;
}

/** Removes what a run left in shared memory and says so. */
function takeLeftovers(name: string): string[] {
  const left = readdirSync(SHARED_MEMORY).filter((entry) => entry.includes(name));
  for (const entry of left) rmSync(join(SHARED_MEMORY, entry), { force: true });
  return left;
}

/** Runs a contender once. @throws when it fails, hangs, verified nothing, or leaves a name in shared memory */
async function runOnce(benchmark: Benchmark, contender: Contender, place: Place): Promise<Report> {
  const name = `bench-${randomBytes(5).toString("hex")}`;
  const scratch = mkdtempSync(join(tmpdir(), "shmkit-bench-"));
  const measureMs = place.measureMs * (benchmark.timeFactor ?? 1);
  const site = { ...place, name, scratch, measureMs };
  try {
    const takeBack = await contender.prepare?.(site);
    let reports;
    try {
      const programs = contender.programs(benchmark.name, site);
      reports = await runPrograms(place.launcher, programs, place.warmMs + measureMs + GRACE_MS);
    } finally {
      await takeBack?.();
    }
    const left = takeLeftovers(name);
    if (left.length > 0) throw new Error(`left in ${SHARED_MEMORY}: ${left.join(", ")}`);
    return joined(reports);
  } catch (error) {
    throw new Error(`${benchmark.name}, ${contender.name}: ${(error as Error).message}`, { cause: error });
  } finally {
    takeLeftovers(name);
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** In each round every contender once, beginning with another one each time. */
async function takeTurns(benchmark: Benchmark, contenders: readonly Contender[], rounds: number, place: Place) {
  const reports = new Map<Contender, Report[]>(contenders.map((contender) => [contender, []]));
  for (let round = 0; round < rounds; round++)
    for (let at = 0; at < contenders.length; at++) {
      const contender = contenders[(round + at) % contenders.length];
      reports.get(contender)?.push(await runOnce(benchmark, contender, place));
    }
  return reports;
}

async function allAtOnce(benchmark: Benchmark, contenders: readonly Contender[], place: Place) {
  const runs = contenders.map(async (contender) => [contender, [await runOnce(benchmark, contender, place)]] as const);
  return new Map(await Promise.all(runs));
}

/** Runs a benchmark with those of its contenders whose tools are there. */
export async function runBenchmark(benchmark: Benchmark, rounds: number, place: Place): Promise<BenchmarkResult> {
  const { name, call, unit, better, contenders, isIdle } = benchmark;
  const present = contenders.filter(({ needs }) => needs === undefined || place.tools.has(needs));
  const reports = isIdle
    ? await allAtOnce(benchmark, present, place)
    : await takeTurns(benchmark, present, rounds, place);
  const outcomes: Record<string, Figures | Absence> = {};
  for (const contender of contenders) {
    const list = reports.get(contender);
    outcomes[contender.name] =
      list === undefined ? { absent: place.missing.get(contender.needs!) ?? "" } : figuresOf(list);
  }
  return { name, call, unit, better, rounds: isIdle ? 1 : rounds, contenders: outcomes, ratios: ratiosOf(outcomes) };
}
