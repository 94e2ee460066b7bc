import { type BenchmarkResult, type Figures, isAbsence } from "./results.js";
import { show } from "./table.js";

const WIDTH = 760;
const LABEL_WIDTH = 200;
const VALUE_WIDTH = 90;
const ROW = 24;
const BAR = 14;
const TOP = 52;
const BOTTOM = 34;

/** Readable on a light and on a dark page: the colours follow what the reader's system prefers. */
const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 14px }
  .note, .tick { fill: #57606a }
  .grid { stroke: #d0d7de }
  .bar { fill: #8c959f }
  .own { fill: #0969da }
  .whisker { stroke: #24292f; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note, .tick { fill: #9198a1 }
    .grid { stroke: #3d444d }
    .bar { fill: #656c76 }
    .own { fill: #4493f8 }
    .whisker { stroke: #e6edf3 }
  }`;

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function text(x: number, y: number, content: string, kind: string, anchor = "start"): string {
  return `<text x="${x}" y="${y}" class="${kind}" text-anchor="${anchor}">${escaped(content)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, kind: string): string {
  const [from, to] = [x1, x2].map((x) => x.toFixed(1));
  return `<line x1="${from}" y1="${y1}" x2="${to}" y2="${y2}" class="${kind}"/>`;
}

/** A bar for each contender's median on a logarithmic scale, with whiskers from its least to its greatest round. */
export function plotOf(result: BenchmarkResult): string {
  const rows = Object.entries(result.contenders).filter((row): row is [string, Figures] => !isAbsence(row[1]));
  const least = Math.floor(Math.log10(Math.min(...rows.map(([, { min }]) => min))));
  const most = Math.max(least + 1, Math.ceil(Math.log10(Math.max(...rows.map(([, { max }]) => max)))));
  const right = WIDTH - VALUE_WIDTH;
  const place = (value: number): number =>
    LABEL_WIDTH + ((Math.log10(value) - least) / (most - least)) * (right - LABEL_WIDTH);
  const height = TOP + rows.length * ROW + BOTTOM;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    `<title>${escaped(`${result.name}: ${result.call}`)}</title>`,
    `<style>${STYLE}\n</style>`,
    text(8, 20, `${result.name}: ${result.call}`, "title"),
    text(8, 38, `${result.better} is better; median, least and greatest of ${result.rounds} rounds`, "note"),
  ];
  for (let decade = least; decade <= most; decade++) {
    const x = place(10 ** decade);
    parts.push(line(x, TOP, x, height - BOTTOM, "grid"));
    parts.push(text(x, height - BOTTOM + 16, show(10 ** decade, result.unit), "tick", "middle"));
  }
  for (const [at, [name, { min, median, max }]] of rows.entries()) {
    const middle = TOP + at * ROW + ROW / 2;
    const kind = name.startsWith("shmkit") ? "own" : "bar";
    const width = place(median) - LABEL_WIDTH;
    parts.push(text(LABEL_WIDTH - 8, middle + 4, name, "name", "end"));
    parts.push(
      `<rect x="${LABEL_WIDTH}" y="${middle - BAR / 2}" width="${width.toFixed(1)}" height="${BAR}" class="${kind}"/>`,
    );
    parts.push(line(place(min), middle, place(max), middle, "whisker"));
    for (const end of [min, max]) parts.push(line(place(end), middle - 4, place(end), middle + 4, "whisker"));
    parts.push(text(Math.max(place(max), place(median)) + 8, middle + 4, show(median, result.unit), "value"));
  }
  return `${parts.join("\n")}\n</svg>\n`;
}
