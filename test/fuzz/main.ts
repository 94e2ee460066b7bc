/** `npm run fuzz`: damaged regions, hostile messages, and sequences of system calls. */
import { randomBytes } from "node:crypto";
import { abortAtSignals, progressLine, readCommandLine, wholeNumber, writeReport } from "../helpers/command-line.js";

const HELP = `npm run fuzz -- [--only regions|system] [--seconds N] [--seed S] [--json FILE] [--replay SEED]

regions: damages regions (flipped bits, hostile values, random bytes, truncation) at rest and under readers and writers, and feeds
hostile messages to the decoder. Each call must end in a typed error or a valid value, soon, and without asking for much
memory; nothing may crash or hang.
system: random sequences of calls of shmkit/posix, shmkit/sysv, mapped files, SharedMemory and SystemSemaphore, on memory that was
unmapped, files that were cut, objects that were removed, beside threads that are terminated. Left out is what the guide
says can end the process: who writes over a mutex or a condition, or cuts its file, during a call of another thread on it.

  --only WHAT    one of the two; without it, half of the time goes to each
  --seconds N    how long; 60 if not given
  --seed S       where the cases begin; chosen if not given
  --json FILE    writes the report there
  --replay SEED  one case of the one that --only names (regions if none), with everything it does; a few times if threads
                 take part in it

Ends with 1 when there was a fault.`;

const DEFAULT_SECONDS = 60;
const REPLAYS = 5;

const line = readCommandLine(HELP, ["only", "replay"]);
process.env["SHMKIT_TEST_TOKEN"] ??= `fuzz${randomBytes(4).toString("hex")}`;
const { REGIONS, runCampaign, SYSTEM } = await import("./campaign.js");
const SUBJECTS = { regions: REGIONS, system: SYSTEM };

const signal = abortAtSignals();
const { replay } = line.values;
const only = line.values["only"] ?? (replay === undefined ? undefined : "regions");
if (only !== undefined && !Object.hasOwn(SUBJECTS, only)) {
  console.error(`--only must be ${Object.keys(SUBJECTS).join(" or ")}, not ${JSON.stringify(only)}`);
  process.exit(2);
}
const replayed = replay === undefined ? undefined : wholeNumber(replay, "replay", 0);
const seed = replayed ?? line.seed;
const chosen = Object.entries(SUBJECTS).filter(([name]) => only === undefined || name === only);
const milliseconds = ((line.seconds ?? DEFAULT_SECONDS) * 1000) / chosen.length;

const table = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `  ${String(count).padStart(8)}  ${name}`)
    .join("\n");

console.log(`seed ${seed}`);
const all: Record<string, object> = {};
let count = 0;
for (const [name, subject] of chosen) {
  const end = Date.now() + milliseconds;
  const reports = [];
  for (let round = 0; round < (replayed === undefined ? 1 : REPLAYS) && !signal.aborted; round++) {
    const goesOn: Parameters<typeof runCampaign>[1] = ({ cases, calls, faults }) => {
      progressLine(`${name}: ${cases} cases, ${calls} calls, ${faults.length} faults`);
      return replayed === undefined ? Date.now() < end : cases === 0;
    };
    reports.push(await runCampaign(seed, goesOn, signal, subject));
  }
  progressLine("");
  const report = reports.at(0);
  if (report === undefined) break;
  const faults = reports.flatMap((one) => one.faults);
  count += faults.length;
  for (const fault of faults) {
    const again = `npm run fuzz -- --only ${name} --replay ${fault.seed}`;
    console.log(`FAULT with seed ${fault.seed} (${again}): ${fault.what}`);
    if (replayed !== undefined) console.log(fault.hits.map((text) => `    ${text}`).join("\n"));
  }
  console.log(`${name}: ${report.cases} cases, ${report.calls} calls, ${faults.length} faults`);
  console.log(`calls ended in\n${table(report.endings)}`);
  console.log(`${name === "regions" ? "damage was done to" : "calls were made of"}\n${table(report.structures)}`);
  all[name] = { ...report, faults };
}
writeReport(line, all);
process.exitCode = signal.aborted ? 130 : count > 0 ? 1 : 0;
