/** `npm run bench`: measures shmkit beside C and beside what a user would pick instead, in one run. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Benchmark, BENCHMARKS } from "./catalogue.js";
import { allowedCores, canPin, describe, describeMachine } from "./machine.js";
import { type Options, parseOptions, USAGE, UsageError } from "./options.js";
import { killEverybody } from "./processes.js";
import { plotOf } from "./plot.js";
import { type BenchmarkResult, type Machine, type Results, wasBusy } from "./results.js";
import { runBenchmark } from "./runner.js";
import { tableOf } from "./table.js";
import { Missing } from "./packages.js";
import { compileC, provide, type Tool } from "./tools.js";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const TIMES = { warmMs: 200, measureMs: 500 };
const QUICK_TIMES = { warmMs: 60, measureMs: 140 };
/** What an idle member is watched for; with --quick it is only tried. */
const IDLE_MS = 60_000;
const QUICK_IDLE_MS = 2_000;

/** What the contenders of these benchmarks need, and why what is missing is not there. */
function provideAll(benchmarks: readonly Benchmark[]) {
  const tools = new Map<Tool, string>();
  const missing = new Map<Tool, string>();
  for (const { needs } of benchmarks.flatMap(({ contenders }) => contenders)) {
    if (needs === undefined || tools.has(needs) || missing.has(needs)) continue;
    try {
      tools.set(needs, provide(ROOT, needs));
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      missing.set(needs, error.message);
    }
  }
  return { tools, missing };
}

/** The benchmarks and contenders that the options ask for. */
function chosen({ only, contenders, quick }: Options): Benchmark[] {
  return BENCHMARKS.filter(({ name, isIdle }) => (only.length > 0 ? only.includes(name) : !(quick && isIdle))).map(
    (benchmark) => ({
      ...benchmark,
      contenders: benchmark.contenders.filter(({ name }) => contenders.length === 0 || contenders.includes(name)),
    }),
  );
}

function headOf(machine: Machine, quick: boolean): string {
  const notes = [
    quick ? "quick: fewer and shorter rounds, for a look and not for a comparison\n" : "",
    wasBusy(machine) ? "the machine was busy with other work when the run began: measure again when it is quiet\n" : "",
  ];
  return `${describe(machine)}\n${notes.join("")}\n`;
}

/** Shows a result, and plots it if asked to. */
function tell(result: BenchmarkResult, { plot }: Options): void {
  process.stdout.write(`${tableOf(result)}\n`);
  if (plot === undefined) return;
  mkdirSync(plot, { recursive: true });
  writeFileSync(join(plot, `${result.name}.svg`), plotOf(result));
}

async function main(): Promise<void> {
  const everyContender = new Set(BENCHMARKS.flatMap(({ contenders }) => contenders.map(({ name }) => name)));
  const options = parseOptions(
    process.argv.slice(2),
    BENCHMARKS.map(({ name }) => name),
    [...everyContender],
  );
  if (options.help) {
    process.stdout.write(USAGE);
    return;
  }
  if (options.from !== undefined) {
    const { machine, quick, results } = JSON.parse(readFileSync(options.from, "utf8")) as Results;
    process.stdout.write(headOf(machine, quick));
    for (const result of results) tell(result, options);
    return;
  }
  // Needed in any case: it also binds the processes to cores. Contenders that need anything else may be absent.
  const launcher = compileC(ROOT);
  process.env.SHMKIT_BENCH_LAUNCHER = launcher;
  const benchmarks = chosen(options);
  const cores = allowedCores();
  const pinned = canPin(launcher, cores);
  const place = {
    folder: FOLDER,
    launcher,
    ...provideAll(benchmarks),
    cores: pinned ? cores : [],
    ...(options.quick ? QUICK_TIMES : TIMES),
  };
  const head = {
    machine: describeMachine(pinned),
    startedAt: new Date().toISOString(),
    quick: options.quick,
    rounds: options.rounds,
  };
  process.stdout.write(headOf(head.machine, options.quick));
  const results: BenchmarkResult[] = [];
  for (const benchmark of benchmarks) {
    const idleMs = options.quick ? QUICK_IDLE_MS : IDLE_MS;
    const times = benchmark.isIdle ? { measureMs: idleMs } : {};
    const result = await runBenchmark(benchmark, options.rounds, { ...place, ...times });
    results.push(result);
    tell(result, options);
    const document: Results = { ...head, results };
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(document, undefined, 2)}\n`);
  }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => {
    killEverybody();
    process.kill(process.pid, signal);
  });

try {
  await main();
} catch (error) {
  process.stderr.write(
    error instanceof UsageError ? `${error.message}\n\n${USAGE}` : `npm run bench: ${(error as Error).message}\n`,
  );
  process.exitCode = 1;
}
