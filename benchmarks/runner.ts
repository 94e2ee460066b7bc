import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Benchmark, Contender, Site } from "./catalogue.js";
import { runPrograms } from "./processes.js";
import { type BenchmarkResult, figuresOf, type Report, ratiosOf } from "./results.js";

const SHARED_MEMORY = "/dev/shm";
/** Time for a contender to start and to end, besides its measuring. */
const GRACE_MS = 30_000;

export type Place = Omit<Site, "name" | "scratch">;

/** Runs a contender once. @throws when it fails, hangs, verified nothing, or leaves a name in shared memory */
async function runOnce(benchmark: Benchmark, contender: Contender, place: Place): Promise<Report> {
  const name = `bench-${randomBytes(5).toString("hex")}`;
  const scratch = mkdtempSync(join(tmpdir(), "shmkit-bench-"));
  try {
    const site = { ...place, name, scratch };
    const programs = contender.programs(benchmark.name, site);
    const reports = await runPrograms(place.c, programs, place.warmMs + place.measureMs + GRACE_MS);
    const [report] = reports;
    if (report === undefined || reports.length > 1) throw new Error(`there are ${reports.length} reports`);
    return report;
  } catch (error) {
    throw new Error(`${benchmark.name}, ${contender.name}: ${(error as Error).message}`, { cause: error });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    const left = readdirSync(SHARED_MEMORY).filter((entry) => entry.includes(name));
    for (const entry of left) rmSync(join(SHARED_MEMORY, entry), { force: true });
    if (left.length > 0) process.stderr.write(`${benchmark.name}, ${contender.name}: left ${left.join(", ")}\n`);
  }
}

/** Runs a benchmark: in each round every contender once, beginning with another one each time. */
export async function runBenchmark(benchmark: Benchmark, rounds: number, place: Place): Promise<BenchmarkResult> {
  const { name, call, unit, better, contenders } = benchmark;
  const reports = new Map<string, Report[]>(contenders.map((contender) => [contender.name, []]));
  for (let round = 0; round < rounds; round++)
    for (let at = 0; at < contenders.length; at++) {
      const contender = contenders[(round + at) % contenders.length];
      reports.get(contender.name)!.push(await runOnce(benchmark, contender, place));
    }
  const figures = Object.fromEntries([...reports].map(([contender, list]) => [contender, figuresOf(list)]));
  return { name, call, unit, better, rounds, contenders: figures, ratios: ratiosOf(figures) };
}
