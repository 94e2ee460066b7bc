/** `npm run fuzz`: damaged regions and hostile messages. */
import { randomBytes } from "node:crypto";
import { abortAtSignals, progressLine, readCommandLine, wholeNumber, writeReport } from "../helpers/command-line.js";

const HELP = `npm run fuzz -- [--seconds N] [--seed S] [--json FILE] [--replay SEED]

Damages regions (flipped bits, hostile values, random bytes, truncation) at rest and under readers and writers, and feeds
hostile messages to the decoder. Each call must end in a typed error or a valid value, soon, and without asking for much
memory; nothing may crash or hang.

  --seconds N    how long; 60 if not given
  --seed S       where the cases begin; chosen if not given
  --json FILE    writes the report there
  --replay SEED  one case, with everything it does to the region; a few times if threads take part in it

Ends with 1 when there was a fault.`;

const DEFAULT_SECONDS = 60;
const REPLAYS = 5;

const line = readCommandLine(HELP, ["replay"]);
process.env["SHMKIT_TEST_TOKEN"] ??= `fuzz${randomBytes(4).toString("hex")}`;
const { runCampaign } = await import("./campaign.js");

const signal = abortAtSignals();
const { replay } = line.values;
const replayed = replay === undefined ? undefined : wholeNumber(replay, "replay", 0);
const seed = replayed ?? line.seed;
const end = Date.now() + (line.seconds ?? DEFAULT_SECONDS) * 1000;

console.log(`seed ${seed}`);
const reports = [];
for (let round = 0; round < (replayed === undefined ? 1 : REPLAYS) && !signal.aborted; round++) {
  const goesOn: Parameters<typeof runCampaign>[1] = ({ cases, calls, faults }) => {
    progressLine(`${cases} cases, ${calls} calls, ${faults.length} faults`);
    return replayed === undefined ? Date.now() < end : cases === 0;
  };
  reports.push(await runCampaign(seed, goesOn, signal));
}
progressLine("");

const report = reports[0];
const faults = reports.flatMap((one) => one.faults);
for (const fault of faults) {
  console.log(`FAULT with seed ${fault.seed} (npm run fuzz -- --replay ${fault.seed}): ${fault.what}`);
  if (replayed !== undefined) console.log(fault.hits.map((text) => `    ${text}`).join("\n"));
}
const table = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([name, count]) => `  ${String(count).padStart(8)}  ${name}`)
    .join("\n");
console.log(`${report.cases} cases, ${report.calls} calls, ${faults.length} faults`);
console.log(`calls ended in\n${table(report.endings)}`);
console.log(`damage was done to\n${table(report.structures)}`);
writeReport(line, { ...report, faults });
process.exitCode = signal.aborted ? 130 : faults.length > 0 ? 1 : 0;
