/** `npm run crash`: proof that no death can hurt. */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { abortAtSignals, progressLine, readCommandLine, writeReport } from "../helpers/command-line.js";
import type { FromPart } from "./instrumented-main.js";
import type { Outcome, PartOptions } from "./part.js";

const HELP = `npm run crash -- [--seconds N] [--seed S] [--json FILE] [--only PART]

Kills members of regions at every step and at random, and looks whether what is promised holds. Parts:

  steps          every operation is stopped at each of its accesses to shared memory, and so is the recovery
  interleavings  two or three members take turns at every access, in every way up to a number of preemptions
  weakMemory     the same while stores wait in buffers and reads may be stale, as processors allow
  mutations      the library is made wrong at one place after the other, and the parts before this have to notice
  storm          processes do everything, and are killed, stopped, and terminated; a model judges the survivors

  --seconds N  how long in all, about; 300 if not given. Each part has its share, and the first look of
               steps at all operations is always whole
  --seed S     what is chosen by chance; chosen if not given
  --json FILE  writes the report there
  --only PART  this part alone

Ends with 1 when something did not hold. docs/guide/crash-safety.md says how to read the report.`;

const DEFAULT_SECONDS = 300;

type Run = (options: PartOptions, signal: AbortSignal) => Promise<Outcome>;

/** Parts in the order in which they run, with their shares of the time. */
const PARTS: readonly { readonly name: string; readonly share: number; readonly run: Run }[] = [
  { name: "steps", share: 2, run: instrumented("steps") },
  { name: "interleavings", share: 1, run: instrumented("interleavings") },
  { name: "weakMemory", share: 1, run: instrumented("weakMemory") },
  {
    name: "mutations",
    share: 2,
    run: async (options, signal) => (await import("./mutations-part.js")).mutationsPart({ ...options, signal }),
  },
  {
    name: "storm",
    share: 2,
    run: async (options, signal) => (await import("./storm-part.js")).stormPart({ ...options, signal }),
  },
];

/** A part in a process of its own, whose library is the instrumented one. */
function instrumented(name: string): Run {
  return ({ seconds, seed, onProgress }, signal) =>
    new Promise((resolve, reject) => {
      const child = fork(
        fileURLToPath(new URL("instrumented-main.js", import.meta.url)),
        [name, `${seconds}`, `${seed}`],
        { execArgv: ["--conditions=shmkit-instrumented", "--enable-source-maps"] },
      );
      const stop = (): void => void child.kill("SIGKILL");
      signal.addEventListener("abort", stop);
      let outcome: Outcome | undefined;
      child.on("message", (message: FromPart) => {
        if ("progress" in message) onProgress(message.progress);
        else outcome = message.outcome;
      });
      child.on("close", (code, how) => {
        signal.removeEventListener("abort", stop);
        if (outcome !== undefined) resolve(outcome);
        else reject(new Error(`the part ${name} ended by ${how ?? `code ${code}`}`));
      });
    });
}

const line = readCommandLine(HELP, ["only"]);
const { only } = line.values;
const chosen = PARTS.filter(({ name }) => only === undefined || name === only);
if (chosen.length === 0) {
  console.error(`there is no part ${only}; there are ${PARTS.map(({ name }) => name).join(", ")}`);
  process.exit(2);
}
process.env["SHMKIT_TEST_TOKEN"] ??= `crash${randomBytes(4).toString("hex")}`;
const { leftovers } = await import("../helpers/leftovers.js");

const signal = abortAtSignals();
const { seed } = line;
const shares = chosen.reduce((sum, { share }) => sum + share, 0);
const report: Record<string, unknown> = {};
let violations = 0;
console.log(`seed ${seed}`);
for (const { name, share, run } of chosen) {
  const seconds = ((line.seconds ?? DEFAULT_SECONDS) * share) / shares;
  const onProgress = (text: string): void => progressLine(`${name}: ${text}`);
  let outcome: Outcome;
  try {
    outcome = await run({ seconds, seed, onProgress }, signal);
  } catch (error) {
    if (signal.aborted) break;
    outcome = { json: {}, summary: [], violations: [`${name}: ${(error as Error).message}`] };
  }
  progressLine("");
  if (signal.aborted) break;
  for (const text of outcome.summary) console.log(text);
  for (const text of outcome.violations) console.log(`VIOLATION (${name}, --seed ${seed}): ${text}`);
  violations += outcome.violations.length;
  Object.assign(report, outcome.json);
}
for (const name of leftovers()) rmSync(`/dev/shm/${name}`, { force: true });
if (signal.aborted) {
  console.log("ended before it was done");
  process.exitCode = 130;
} else {
  console.log(`${violations} violations`);
  writeReport(line, report);
  process.exitCode = violations > 0 ? 1 : 0;
}
