/** `npm run matrix`: shmkit on every runtime, and each runtime with each through one pipe. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Missing } from "../../benchmarks/packages.js";
import { endMembers, takeLeftovers } from "../helpers/driven-member.js";
import { countsOf } from "./results.js";
import { provide, RUNTIMES } from "./runtimes.js";
import { runMatrix } from "./run.js";
import type { Consumers } from "./smoke.js";
import { terminalTable } from "./table.js";
import { provideWindows, runWindows, WINDOWS } from "./windows.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** The whole run has ended by then, however much of it hangs. */
const LONGEST_MS = 60 * 60_000;
const NAMES = [...RUNTIMES, ...WINDOWS].map(({ name }) => name);

const USAGE = `usage: npm run matrix -- [options]

The smoke tests and a storm of kills on every runtime, and each runtime with each through one pipe, in which the second
one is killed; regions and shmkit/win32 on Windows' own runtimes, which Wine runs. Fails when a runtime is missing, and says what to install.

  --only NAME   this runtime, and pairs of those given; may be repeated, or hold several names with commas:
                ${NAMES.join(", ")}
  --json FILE   writes the results there as well
  --help        says this
`;

class UsageError extends Error {}

function parse(args: readonly string[]): { only: string[]; json: string | undefined; help: boolean } {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string", multiple: true, default: [] },
        json: { type: "string" },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const only = values.only.flatMap((value) => value.split(","));
  const unknown = only.filter((name) => !NAMES.includes(name));
  if (unknown.length > 0)
    throw new UsageError(`--only: there is no ${unknown.join(", ")}; there are ${NAMES.join(", ")}`);
  return { only, json: values.json, help: values.help };
}

/** All that are wanted; what is missing goes to a list. */
async function provideAll<R extends { readonly title: string }, P>(
  wanted: readonly R[],
  provideOne: (root: string, runtime: R) => Promise<P>,
  missing: Set<string>,
): Promise<P[]> {
  const provided: P[] = [];
  for (const runtime of wanted)
    try {
      provided.push(await provideOne(ROOT, runtime));
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      missing.add(`${runtime.title}: ${error.message}`);
    }
  return provided;
}

interface PackageScripts {
  readonly withPackage: <T>(root: string, use: (folder: string, archive: string) => Promise<T>) => Promise<T>;
  readonly installConsumers: (
    root: string,
    folder: string,
    archive: string,
  ) => {
    project: string;
    programs: string[];
    typeScript: string;
    steps: Readonly<Record<string, { status: number | null; output: string }>>;
  };
}

/** Packs the package, has npm install it into a project, and calls with the programs there. */
async function withConsumers<T>(use: (consumers: Consumers) => Promise<T>): Promise<T> {
  const load = async (name: string): Promise<PackageScripts> =>
    (await import(pathToFileURL(join(ROOT, "scripts/checks", name)).href)) as PackageScripts;
  const { withPackage } = await load("pack.mjs");
  const { installConsumers } = await load("package-use.mjs");
  return withPackage(ROOT, (folder, archive) => {
    const { project, programs, typeScript, steps } = installConsumers(ROOT, folder, archive);
    for (const [title, { status, output }] of Object.entries(steps))
      if (status !== 0) throw new Error(`${title}: ${output}`);
    return use({ programs: programs.map((name) => join(project, name)), typeScript: join(project, typeScript) });
  });
}

async function main(): Promise<void> {
  const { only, json, help } = parse(process.argv.slice(2));
  if (help) {
    process.stdout.write(USAGE);
    return;
  }
  const isWanted = ({ name }: { readonly name: string }): boolean => only.length === 0 || only.includes(name);
  const missing = new Set<string>();
  const provided = await provideAll(RUNTIMES.filter(isWanted), provide, missing);
  const windows = await provideAll(WINDOWS.filter(isWanted), provideWindows, missing);
  // It is said of all before anything runs.
  if (missing.size > 0) throw new Missing([...missing].join("\n"));
  const progress = (line: string): boolean => process.stderr.write(`${line}\n`);
  const results = await withConsumers((consumers) =>
    runMatrix(
      provided,
      consumers,
      progress,
      windows.map((runtime) => () => runWindows(ROOT, runtime, progress)),
    ),
  );
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, undefined, 2)}\n`);
  process.stdout.write(terminalTable(results));
  const left = takeLeftovers();
  if (left.length > 0) process.stdout.write(`left behind in /dev/shm: ${left.join(", ")}\n`);
  const { passed, failed } = countsOf(results);
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
  if (failed > 0 || left.length > 0 || passed === 0) process.exitCode = 1;
}

async function endEverybody(): Promise<void> {
  await endMembers();
  takeLeftovers();
}

setTimeout(() => {
  process.stderr.write(`still running after ${LONGEST_MS / 60_000} minutes\n`);
  void endEverybody().then(() => process.exit(1));
}, LONGEST_MS).unref();

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => {
    void endEverybody().then(() => process.kill(process.pid, signal));
  });

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError) && !(error instanceof Missing)) throw error;
  process.stderr.write(error instanceof UsageError ? `${error.message}\n\n${USAGE}` : `${error.message}\n`);
  process.exitCode = 1;
}
