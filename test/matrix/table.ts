/** The results as tables, for terminals and documents. */
import { tableLines } from "../../benchmarks/generated-documents.js";
import {
  type CrowdResult,
  crowdOutcome,
  OK,
  type Outcome,
  passed,
  type Results,
  type RuntimeResult,
} from "./results.js";

const share = (outcomes: Readonly<Record<string, Outcome>>): string =>
  `${passed(outcomes)} of ${Object.keys(outcomes).length}`;

/** What comes out when this runtime is the one that is killed. */
function asKilled({ pairs }: Results, name: string): Record<string, Outcome> {
  return Object.fromEntries(Object.entries(pairs).map(([staying, outcomes]) => [staying, outcomes[name]]));
}

const sizeOf = ({ largestRegionGiB: gib }: RuntimeResult): string => (gib === undefined ? "?" : `${gib} GiB`);
const sharedOf = ({ sharedArrayBuffer: can }: RuntimeResult): string => (can === undefined ? "?" : can ? "yes" : "no");

function overview(results: Results): string[][] {
  const head = ["", "version", "checks", "pairs, it stays", "pairs, it is killed", "largest region", "`shared: true`"];
  const rows = results.runtimes.map((runtime) => [
    runtime.title,
    runtime.version,
    share(runtime.checks),
    share(results.pairs[runtime.name]),
    share(asKilled(results, runtime.name)),
    sizeOf(runtime),
    sharedOf(runtime),
  ]);
  return [head, ...rows];
}

function runLine({ startedAt, seconds, machine: { kernel }, loadAverage }: Results): string {
  const load = loadAverage.map((value) => value.toFixed(2)).join(" ");
  return `Linux ${kernel}, ${startedAt.slice(0, 10)}, in ${seconds} s; load average ${load} when it began.`;
}

/** What README.md shows. */
export const summaryOf = (results: Results): string => `${tableLines(overview(results))}\n\n${runLine(results)}`;

const mark = (outcome: Outcome | undefined): string => (outcome === undefined ? "" : outcome === OK ? "✓" : "✗");

const crowdLine = ({ outcome, processes, killed, messages }: CrowdResult): string =>
  `${processes ?? "?"} processes, two of each but the emulated one, send and receive through one pipe, and ${killed ?? "?"}, ` +
  `one of each, are killed: ${mark(outcome)} (${messages ?? "?"} messages)`;

const titlesOf = (runtimes: readonly RuntimeResult[]): string[] => runtimes.map(({ title }) => title);

/** A row for each check, a column for each runtime. */
function checkRows(runtimes: readonly RuntimeResult[]): string[][] {
  const checks = new Set(runtimes.flatMap((runtime) => Object.keys(runtime.checks)));
  return [...checks].map((check) => [check, ...runtimes.map((runtime) => mark(runtime.checks[check]))]);
}

const windowsTable = (windows: readonly RuntimeResult[]): string =>
  tableLines([["on Windows", ...titlesOf(windows)], ...checkRows(windows)]);

/** What the guide shows: every check on every runtime, and every pair. */
export function detailsOf(results: Results): string {
  const { runtimes, pairs, crowd, windows } = results;
  const titles = titlesOf(runtimes);
  const rows = checkRows(runtimes);
  const kills = ["members killed in it", ...runtimes.map((runtime) => `${runtime.kills ?? ""}`)];
  const grid = runtimes.map(({ name, title }) => [title, ...runtimes.map((other) => mark(pairs[name][other.name]))]);
  return [
    summaryOf(results),
    tableLines([["", ...titles], ...rows, kills]),
    "The runtimes at the left stay, those at the top are killed:",
    tableLines([["", ...titles], ...grid]),
    ...(crowd === undefined ? [] : [crowdLine(crowd)]),
    ...(windows === undefined ? [] : [windowsTable(windows)]),
  ].join("\n\n");
}

/** For people at a terminal: the overview, and what went wrong. */
export function terminalTable(results: Results): string {
  const rows = overview(results);
  const widths = rows[0].map((_, at) => Math.max(...rows.map((cells) => cells[at].length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at]))
      .join("  ")
      .trimEnd(),
  );
  const { windows = [] } = results;
  const failures = [
    ...[...results.runtimes, ...windows].flatMap(({ title, checks }) => failuresIn(title, checks)),
    ...Object.entries(results.pairs).flatMap(([name, outcomes]) => failuresIn(name, outcomes)),
    ...failuresIn("one pipe", crowdOutcome(results.crowd)),
  ];
  const onWindows = windows.map((runtime) => `${runtime.title}  ${runtime.version}  ${share(runtime.checks)}`);
  return `${[...lines, ...onWindows, ...failures, runLine(results)].join("\n")}\n`;
}

function failuresIn(title: string, outcomes: Readonly<Record<string, Outcome>>): string[] {
  return Object.entries(outcomes).flatMap(([name, outcome]) =>
    outcome === OK ? [] : [`FAIL ${title}: ${name}: ${outcome}`],
  );
}
