/**
 * `node build/benchmarks/documents.js ROOT [--check]`: writes the figures of README.md and docs/guide/benchmarks.md, and
 * the plots beside it, from the committed results. `--check` writes nothing and names what differs.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BENCHMARKS } from "./catalogue.js";
import { blocksIn, tableLines, writeOrCompare } from "./generated-documents.js";
import { describe } from "./machine.js";
import { plotOf } from "./plot.js";
import { type BenchmarkResult, type Figures, isAbsence, type Results, wasBusy } from "./results.js";
import { comparison, extremes, show } from "./table.js";

const RESULTS = "benchmarks/results/linux-x64.json";
/** What `npm run crash -- --only storm --json` wrote. */
const STORM = "benchmarks/results/storm-linux-x64.json";
const PLOTS = "docs/guide/benchmarks";

/** The part of a storm's report that is shown. */
interface StormReport {
  readonly storm: { readonly kills: number; readonly stallMs: Record<"p50" | "p99" | "max", number> };
}

/** The generated blocks of each document, by the name in their marks. */
const DOCUMENTS: Readonly<Record<string, Readonly<Record<string, (results: Results, storm: StormReport) => string>>>> =
  {
    "README.md": { headline: headlineOf, benchmarks: summaryOf },
    "docs/guide/benchmarks.md": { benchmarks: tablesOf },
  };

function figuresFor(result: BenchmarkResult, contender: string): Figures | undefined {
  const outcome = result.contenders[contender];
  return outcome === undefined || isAbsence(outcome) ? undefined : outcome;
}

function machineLine({ machine, startedAt, quick }: Results): string {
  const notes = [
    quick ? " A quick run, not for comparison." : "",
    wasBusy(machine) ? " **The machine was busy with other work: these figures are to be measured again.**" : "",
  ];
  return `${describe(machine)}; ${startedAt.slice(0, 10)}.${notes.join("")}`;
}

/** Four figures for who reads no further, each with the command that makes it. */
function headlineOf(results: Results, { storm }: StormReport): string {
  const row = (name: string, what: string): string[] => {
    const result = results.results.find((candidate) => candidate.name === name);
    const own = result === undefined ? undefined : figuresFor(result, "shmkit");
    if (result === undefined || own === undefined) throw new Error(`${RESULTS} has no figure of ${name}`);
    return [what, show(own.median, result.unit), `\`npm run bench -- --only ${name}\``];
  };
  const { p50, p99, max } = storm.stallMs;
  const [median, late, longest] = [p50, p99, max].map((ms) => show(ms * 1e6, "ns"));
  const idle = results.results.find(({ name }) => name === "idle");
  const waiting = idle === undefined ? undefined : figuresFor(idle, "shmkit-waiting");
  if (idle === undefined || waiting === undefined) throw new Error(`${RESULTS} has no figure of a process that waits`);
  const table = tableLines([
    ["", "median", "measured by"],
    row("spin-round-trip", "64 bytes to another process and back, both spinning"),
    row("spsc-64B", "messages of 64 bytes from one process to another"),
    [
      `how long a \`kill -9\` holds up those who need what the dead one held (${storm.kills} kills; 99 of 100 at most ${late}, all ${longest})`,
      median,
      "`npm run crash -- --only storm`",
    ],
    row(
      "idle",
      `a process with 1,000 open pipes and nothing to do, of one core (${show(waiting.median, idle.unit)} while it waits on all)`,
    ),
  ]);
  return `${table}\n\nThe benchmarks were measured on ${machineLine(results)} The storm is a run of its own on the same machine.`;
}

/** The contenders that the summary has a column for. */
const COLUMNS = {
  "c-limit": "C",
  "c-pthread": "C's pthreads",
  "unix-socket": "Unix socket",
  "process.send-json": "`process.send`",
};

/** For each benchmark what shmkit reached, and how many times as good that is as some others: those that were measured. */
function summaryOf(results: Results): string {
  const columns = Object.entries(COLUMNS).filter(([name]) =>
    results.results.some((result) => figuresFor(result, name) !== undefined),
  );
  const rows = [["", "shmkit", ...columns.map(([, title]) => `beside ${title}`)]];
  for (const result of results.results) {
    const own = figuresFor(result, "shmkit");
    if (own === undefined) continue;
    const cells = columns.map(([name]) =>
      comparison(result, figuresFor(result, name) === undefined ? name.replace("-json", "-advanced") : name),
    );
    rows.push([`\`${result.name}\``, show(own.median, result.unit), ...cells]);
  }
  return `${tableLines(rows)}\n\n${machineLine(results)}`;
}

function tableOfResult(result: BenchmarkResult): string {
  const all = Object.entries(result.contenders);
  const present = all.filter((entry): entry is [string, Figures] => !isAbsence(entry[1]));
  const hasTails = present.some(([, { p99 }]) => p99 !== undefined);
  const hasExtremes = present.some(([, { longest }]) => longest !== undefined);
  const hasWakeUps = present.some(([, { wakeUps }]) => wakeUps !== undefined);
  const value = (number: number | undefined): string => (number === undefined ? "" : show(number, result.unit));
  const columns = [
    ...(hasTails ? ["p99", "p99.9"] : []),
    ...(hasExtremes ? ["longest (× median)", "passed over"] : []),
    ...(hasWakeUps ? ["wake-ups/s"] : []),
  ];
  const rows = [["", "median", "least", "greatest", ...columns, "shmkit is as good"]];
  for (const [name, figures] of present)
    rows.push([
      name,
      ...[figures.median, figures.min, figures.max].map(value),
      ...(hasTails ? [value(figures.p99), value(figures.p999)] : []),
      ...(hasExtremes ? extremes(figures, result.unit) : []),
      ...(hasWakeUps ? [figures.wakeUps?.toFixed(2) ?? ""] : []),
      comparison(result, name),
    ]);
  const absences = all.flatMap(([name, outcome]) =>
    isAbsence(outcome) ? [`${name} is absent: ${outcome.absent.split("\n")[0]}.`] : [],
  );
  const title = `### ${result.name}\n\n\`${result.call}\`; ${result.better} is better; ${result.rounds} rounds.`;
  const plot = `![${result.name}](benchmarks/${result.name}.svg)`;
  return [title, tableLines(rows), ...absences, plot].join("\n\n");
}

function tablesOf(results: Results): string {
  const measured = new Set(results.results.map(({ name }) => name));
  const missing = BENCHMARKS.filter(({ name }) => !measured.has(name)).map(({ name }) => `\`${name}\``);
  const later = missing.length === 0 ? [] : [`Added since, and not in these figures: ${missing.join(", ")}.`];
  return [machineLine(results), ...later, ...results.results.map(tableOfResult)].join("\n\n");
}

/** What each file must be: path, relative to the root, and text. */
function wanted(root: string): Map<string, string> {
  const results = JSON.parse(readFileSync(join(root, RESULTS), "utf8")) as Results;
  const files = new Map<string, string>();
  const storm = JSON.parse(readFileSync(join(root, STORM), "utf8")) as StormReport;
  for (const [path, blocks] of Object.entries(DOCUMENTS)) {
    const texts = Object.entries(blocks).map(([name, render]) => [name, render(results, storm)] as const);
    files.set(path, blocksIn(root, path, Object.fromEntries(texts)));
  }
  for (const result of results.results) files.set(`${PLOTS}/${result.name}.svg`, plotOf(result));
  return files;
}

const [root, option] = process.argv.slice(2);
if (root === undefined || (option !== undefined && option !== "--check"))
  throw new Error("usage: documents.js ROOT [--check]");
const files = wanted(root);
const plots = existsSync(join(root, PLOTS)) ? readdirSync(join(root, PLOTS)).map((name) => `${PLOTS}/${name}`) : [];
const problems = plots.filter((path) => !files.has(path)).map((path) => `${path} is of no benchmark in ${RESULTS}`);
problems.push(
  ...writeOrCompare(
    root,
    files,
    option === "--check",
    `differs from ${RESULTS}; npm run check -- benchmark-figures --fix`,
  ),
);
for (const problem of problems) console.log(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
