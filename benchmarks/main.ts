/** `npm run bench`: measures shmkit beside C and beside what a user would pick instead, in one run. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BENCHMARKS } from "./catalogue.js";
import { compileC } from "./compile.js";
import { allowedCores, canPin, describeMachine } from "./machine.js";
import { parseOptions, USAGE, UsageError } from "./options.js";
import { killEverybody } from "./processes.js";
import type { BenchmarkResult, Results } from "./results.js";
import { runBenchmark } from "./runner.js";
import { tableOf } from "./table.js";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const TIMES = { warmMs: 200, measureMs: 500 };
const QUICK_TIMES = { warmMs: 60, measureMs: 140 };

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
  const c = compileC(ROOT);
  const cores = allowedCores();
  process.env.SHMKIT_BENCH_LAUNCHER = c;
  const pinned = canPin(c, cores);
  const place = {
    folder: FOLDER,
    c,
    cores: pinned ? cores : [],
    ...(options.quick ? QUICK_TIMES : TIMES),
  };
  const head = {
    machine: describeMachine(pinned),
    startedAt: new Date().toISOString(),
    quick: options.quick,
    rounds: options.rounds,
  };
  const { machine } = head;
  process.stdout.write(
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}, Node ${machine.node}, ` +
      `${pinned ? "pinned" : "not pinned"}, load ${machine.loadAverage.join(" ")}\n` +
      `${options.quick ? "quick: fewer and shorter rounds, for a look and not for a comparison\n" : ""}\n`,
  );
  const results: BenchmarkResult[] = [];
  for (const benchmark of BENCHMARKS) {
    if (options.only.length > 0 && !options.only.includes(benchmark.name)) continue;
    const contenders = benchmark.contenders.filter(
      ({ name }) => options.contenders.length === 0 || options.contenders.includes(name),
    );
    const result = await runBenchmark({ ...benchmark, contenders }, options.rounds, place);
    results.push(result);
    process.stdout.write(`${tableOf(result)}\n`);
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
