import { formatBytes } from "../base/sizes.js";
import { clip, printable, type Colours } from "./colours.js";
import { formatDuration } from "./durations.js";
import { formatCount, table } from "./figures.js";
import { ageMs, holdersOf, isDead, partyName, type Party } from "./holders.js";
import { REMEMBERED, type History } from "./history.js";
import type { ListedObject, ListedRegion, Listing } from "./listing.js";
import { stateText } from "./object-state.js";

const BARS = "▁▂▃▄▅▆▇█";
const GAUGE = 10;

/** Values as bars, the highest of them (or `most`) as the full one. */
export function sparkline(values: readonly number[], most = Math.max(...values, 1)): string {
  return values
    .map((value) => BARS[Math.max(0, Math.min(BARS.length - 1, Math.round((value / most) * (BARS.length - 1))))] ?? " ")
    .join("");
}

/** How much of something is used. */
export function gauge(used: number, size: number): string {
  const full = size > 0 ? Math.max(0, Math.min(GAUGE, Math.round((used / size) * GAUGE))) : 0;
  return "█".repeat(full) + "░".repeat(GAUGE - full);
}

/** What a screen shows besides the listing. */
export interface View {
  readonly listing: Listing;
  readonly history: History;
  /** The clock of the history. */
  readonly nowMs: number;
  readonly colours: Colours;
}

/** All lines there are to show. */
export function topLines({ listing, history, nowMs, colours }: View): string[] {
  const lines = listing.regions.flatMap((region) => [...regionLines(region, history, nowMs, colours), ""]);
  for (const { name, code, message } of listing.unreadable)
    lines.push(`${colours.bold(printable(name))}  ${colours.red(code)}: ${message}`);
  if (lines.length === 0) return ["no regions"];
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

/** The lines that fit, from `first` on; where some are left out, the last line says so. */
export function fit(
  lines: readonly string[],
  first: number,
  { columns, rows }: { readonly columns: number; readonly rows: number },
): string[] {
  const room = Math.max(1, rows);
  const from = Math.max(0, Math.min(first, lines.length - room));
  const shown = lines.slice(from, from + room);
  const left = lines.length - from - shown.length;
  if (left > 0 && room > 1) shown[room - 1] = `… ${left + 1} more lines: ↓`;
  return shown.map((line) => clip(line, columns));
}

function regionLines(region: ListedRegion, history: History, nowMs: number, colours: Colours): string[] {
  const { name, heap, sizeBytes, maxSizeBytes, members, objects } = region;
  const used = heap.committedBytes - heap.freeBytes;
  const alive = members.filter((member) => member.alive).length;
  const dead = members.length - alive;
  const facts = [
    `${gauge(used, sizeBytes)} ${formatBytes(used)} of ${formatBytes(sizeBytes)} used, at most ${formatBytes(maxSizeBytes)}`,
    `${alive} alive${dead === 0 ? "" : `, ${colours.red(`${dead} dead`)}`}`,
  ];
  return [
    `${colours.bold(name)}  ${facts.join("  ")}`,
    ...section(
      ["  slot", "pid", "member", "last operation", ""],
      members.map(({ slot, pid, label, operation, alive: lives }) => [
        `  ${slot}`,
        String(pid),
        printable(label),
        operation,
        lives ? "" : colours.red("dead"),
      ]),
      colours,
      [1],
    ),
    ...section(
      ["  pipe", "depth", "of", "", "in/s", "out/s", "", "leased", "state"],
      objects.filter(({ kind }) => kind === "pipe").map((object) => pipeRow(region, object, history, colours)),
      colours,
      [1, 2, 4, 5, 7],
    ),
    ...section(
      ["  lock", "owner", "at least", "waiting", "longest", "takeovers", "state"],
      objects.flatMap((object) => lockRows(region, object, history, nowMs, colours)),
      colours,
      [2, 3, 4, 5],
    ),
    ...section(
      ["  counter", "value", "waiting", "longest"],
      objects.flatMap((object) => valueRow(object, object.counter, (value) => formatCount(value), colours)),
      colours,
      [1, 2, 3],
    ),
    ...section(
      ["  flag", "value", "waiting", "longest"],
      objects.flatMap((object) => valueRow(object, object.flag, String, colours)),
      colours,
      [1, 2, 3],
    ),
  ];
}

/** A table with a heading; nothing at all where there are no rows. */
function section(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  { dim }: Colours,
  right: readonly number[],
): string[] {
  if (rows.length === 0) return [];
  return table([heading, ...rows], right).map((line, at) => (at === 0 ? dim(line) : line));
}

function pipeRow(region: ListedRegion, object: ListedObject, history: History, { cyan, yellow }: Colours): string[] {
  const { depth, capacity, leased, closed, waitingReceivers, waitingSenders } = object.pipe!;
  const { depths, rates } = history.pipe(region, object);
  const rate = (perSecond: number | undefined): string => (perSecond === undefined ? "" : formatCount(perSecond));
  const state = [
    ...(closed ? ["closed"] : []),
    ...(waitingReceivers > 0 ? [`${waitingReceivers} waiting to receive`] : []),
    ...(waitingSenders > 0 ? [yellow(`${waitingSenders} waiting to send`)] : []),
  ];
  return [
    `  ${printable(object.name)}`,
    formatCount(depth),
    formatCount(capacity),
    cyan(sparkline(depths, capacity).padEnd(REMEMBERED)),
    rate(object.rates?.sentPerSecond),
    rate(object.rates?.receivedPerSecond),
    cyan(sparkline(rates).padEnd(REMEMBERED)),
    formatCount(leased),
    state.join(", "),
  ];
}

/** How many wait, and for how long the one that has waited longest. */
function waitingCells(waiting: readonly Party[], { yellow }: Colours): [string, string] {
  if (waiting.length === 0) return ["0", ""];
  const ages = waiting.flatMap((party) => ageMs(party) ?? []);
  return [yellow(formatCount(waiting.length)), ages.length === 0 ? "" : formatDuration(Math.max(...ages))];
}

/** The row of an object that has a value and that nobody holds. */
function valueRow<T>(
  { name }: ListedObject,
  state: { readonly value: T; readonly waiting: readonly Party[] } | undefined,
  text: (value: T) => string,
  colours: Colours,
): string[][] {
  return state === undefined
    ? []
    : [[`  ${printable(name)}`, text(state.value), ...waitingCells(state.waiting, colours)]];
}

/** A row for each member that has it, or one that says that nobody has. */
function lockRows(
  region: ListedRegion,
  object: ListedObject,
  history: History,
  nowMs: number,
  colours: Colours,
): string[][] {
  const state = holdersOf(object);
  // Those with a value have rows of their own.
  if (state === undefined || object.flag !== undefined || object.counter !== undefined) return [];
  const { holders = [], waiting, takeovers = 0 } = state;
  const common = [...waitingCells(waiting, colours), formatCount(takeovers), stateText(object) ?? ""];
  const name = `  ${printable(object.name)}`;
  if (holders.length === 0) return [[name, "", "", ...common]];
  return holders.map((holder, i) => {
    const known = [printable(partyName(region, holder, "")), ...(holder.how === undefined ? [] : [holder.how])].join(
      " ",
    );
    const heldMs = Math.max(history.heldMs(region, object, holder, nowMs), ageMs(holder) ?? 0);
    const owner = isDead(region, holder) ? colours.red(`${known} (dead)`) : known;
    return [i === 0 ? name : "", owner, formatDuration(heldMs), ...(i === 0 ? common : ["", "", "", ""])];
  });
}
