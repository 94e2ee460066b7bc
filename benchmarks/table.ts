import { type BenchmarkResult, type Figures, isAbsence, type Unit } from "./results.js";

function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

const SCALES: Record<Unit, readonly (readonly [number, string])[]> = {
  ns: [
    [1e9, "s"],
    [1e6, "ms"],
    [1e3, "µs"],
    [1, "ns"],
  ],
  "messages/s": [
    [1e6, "M/s"],
    [1e3, "k/s"],
    [1, "/s"],
  ],
  "bytes/s": [
    [1e9, "GB/s"],
    [1e6, "MB/s"],
    [1, "B/s"],
  ],
  "% of a core": [[1, "%"]],
};

/** A value with the unit that suits its size. */
export function show(value: number, unit: Unit): string {
  const scales = SCALES[unit];
  const [factor, name] = scales.find(([least]) => value >= least) ?? scales[scales.length - 1];
  return `${threeDigits(value / factor)} ${name}`;
}

/** How the first contender stands beside another: how many times as good, or what part of it. */
export function comparison(result: BenchmarkResult, name: string): string {
  const ratio = Object.entries(result.ratios).find(([key]) => key.endsWith(`/${name}`))?.[1];
  if (ratio === undefined) return "";
  const times = result.better === "higher" ? ratio : 1 / ratio;
  return times >= 1 ? `${threeDigits(times)} ×` : `1/${threeDigits(1 / times)}`;
}

/** The longest wait, and how many times the median that is; how often others were served meanwhile. */
export function extremes({ longest, median, passedOver }: Figures, unit: Unit): string[] {
  const times = longest === undefined ? "" : `${show(longest, unit)} (${threeDigits(longest / median)} ×)`;
  return [times, passedOver === undefined ? "" : `${passedOver} ×`];
}

function row(result: BenchmarkResult, name: string, figures: Figures): string[] {
  const cells = [figures.median, figures.min, figures.max].map((value) => show(value, result.unit));
  const percentiles = [figures.p99, figures.p999].map((value) => (value === undefined ? "" : show(value, result.unit)));
  const wakeUps = figures.wakeUps === undefined ? "" : threeDigits(figures.wakeUps);
  return [name, ...cells, ...percentiles, ...extremes(figures, result.unit), wakeUps, comparison(result, name)];
}

/** The results of one benchmark for a terminal. */
export function tableOf(result: BenchmarkResult): string {
  const rows = [
    [
      "",
      "median",
      "min",
      "max",
      "p99",
      "p99.9",
      "longest (× median)",
      "passed over",
      "wake-ups/s",
      "shmkit is as good",
    ],
  ];
  const absences: string[] = [];
  for (const [name, outcome] of Object.entries(result.contenders)) {
    if (isAbsence(outcome)) absences.push(`  ${name}: absent, ${outcome.absent}`);
    else rows.push(row(result, name, outcome));
  }
  // Columns that nobody fills are left out.
  const filled = rows[0].map((_, at) => at === 0 || rows.slice(1).some((cells) => cells[at] !== ""));
  const shown = rows.map((cells) => cells.filter((_, at) => filled[at]));
  const widths = shown[0].map((_, at) => Math.max(...shown.map((cells) => cells[at].length)));
  const lines = shown.map((cells) =>
    cells
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at])))
      .join("  ")
      .trimEnd(),
  );
  const title = `${result.name}: ${result.call} (${result.better} is better, ${result.rounds} rounds)`;
  return [title, ...lines.map((line) => `  ${line}`), ...absences, ""].join("\n");
}
