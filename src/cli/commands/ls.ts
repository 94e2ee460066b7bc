import { regionsOnly } from "../address.js";
import { printable, type Colours } from "../colours.js";
import type { Command, Invocation } from "../command.js";
import { formatBytes } from "../../base/sizes.js";
import { durationMs, formatAge } from "../durations.js";
import { CommandError, exitCodeOf } from "../exit-codes.js";
import { formatCount, table } from "../figures.js";
import { holdersOf, partyName } from "../holders.js";
import { toJson } from "../json.js";
import { listing, look, type ListedObject, type ListedRegion, type Listing } from "../listing.js";
import { stateText } from "../object-state.js";

export const command: Command = {
  name: "ls",
  summary: "list the regions, who uses them, and what their pipes do",
  usage: ["[REGION...]"],
  about: `Lists the regions on this machine: size now and at most, members alive and dead, objects. Rates of pipes are taken
from two looks. Regions on disk are listed if their paths are given. Without names, regions that nobody uses any more are removed on the way, as the library does.`,
  options: {
    json: { type: "boolean", short: "j", about: "as JSON, with all that is known" },
    names: { type: "boolean", about: "only the addresses, one a line" },
    interval: {
      type: "string",
      short: "i",
      value: "TIME",
      about: "time between the two looks (default 500ms; 0 for one look)",
    },
  },
  exitCodes: [1, 4, 5, 141],
  examples: ["shmkit ls", "shmkit ls --json | jq '.regions[].members[].pid'"],
  completes: "regions",
  arguments: [0, Number.POSITIVE_INFINITY],
  run: ls,
};

async function ls({ terminal, signal, positionals, ...given }: Invocation): Promise<number> {
  const names = regionsOnly(positionals);
  if (given.flag("names")) {
    await terminal.write(addresses(await look(names)));
    return 0;
  }
  const intervalMs = durationMs(given.text("interval") ?? "500ms", "--interval");
  const found = await listing(names, intervalMs, signal);
  if (given.flag("json")) await terminal.line(toJson(found, 2));
  else if (names.length === 0 || found.regions.length + found.unreadable.length > 0)
    await terminal.write(`${listingLines(found, terminal.colours).join("\n")}\n`);
  const known = [...found.regions, ...found.unreadable].map(({ name }) => name);
  const missing = names.filter((name) => !known.includes(name));
  if (missing.length > 0)
    throw new CommandError(
      "ERR_NOT_FOUND",
      `there is no region ${missing.join(", ")}; shmkit ls without names shows those there are`,
      4,
    );
  // Among all regions those of other users are no failure; one that was asked for by name is.
  return names.length === 0 ? 0 : Math.max(0, ...found.unreadable.map(exitCodeOf));
}

function addresses({ regions }: Listing): string {
  const names = regions.flatMap(({ name, objects }) => [
    name,
    ...objects.map((object) => printable(`${name}/${object.name}`)),
  ]);
  return names.map((name) => `${name}\n`).join("");
}

function listingLines({ regions, unreadable }: Listing, colours: Colours): string[] {
  const lines = regions.flatMap((region) => [...regionLines(region, colours), ""]);
  for (const { name, code, message } of unreadable)
    lines.push(`${colours.bold(name)}  ${colours.red(code)}: ${message}`);
  if (lines.length === 0) return ["no regions"];
  return lines.at(-1) === "" ? lines.slice(0, -1) : lines;
}

function regionLines(region: ListedRegion, colours: Colours): string[] {
  const { name, sizeBytes, maxSizeBytes, lifetime, createdAt } = region;
  const facts = [
    `${formatBytes(sizeBytes)} of at most ${formatBytes(maxSizeBytes)}`,
    membersText(region, colours),
    `made ${formatAge(createdAt)}`,
    ...(lifetime === "process" ? [] : [`stays (${lifetime})`]),
    ...(region.disk === "unclean" ? [colours.red("unclean")] : []),
  ];
  const lines = [`${colours.bold(name)}  ${facts.join(", ")}`];
  const pipes = region.objects.filter(({ kind }) => kind === "pipe");
  if (pipes.length > 0) {
    const heading = ["  pipe", "depth", "capacity", "sent", "sent/s", "received", "received/s", "leased", "state"];
    const rows = pipes.map((object) => pipeRow(object));
    lines.push(
      ...table([heading, ...rows], [1, 2, 3, 4, 5, 6, 7]).map((line, at) => (at === 0 ? colours.dim(line) : line)),
    );
  }
  for (const object of region.objects) if (object.kind !== "pipe") lines.push(`  ${otherText(object, region)}`);
  return lines;
}

function membersText({ members }: ListedRegion, colours: Colours): string {
  const alive = members.filter((member) => member.alive).length;
  const dead = members.length - alive;
  const text = `${alive} ${alive === 1 ? "member" : "members"} alive`;
  return dead === 0 ? text : `${text}, ${colours.red(`${dead} dead`)}`;
}

function pipeRow({ name, pipe, rates }: ListedObject): string[] {
  const { depth, capacity, sent, received, leased, closed, waitingReceivers, waitingSenders } = pipe!;
  const state = [
    ...(closed ? ["closed"] : []),
    ...(waitingReceivers > 0 ? [`${waitingReceivers} waiting to receive`] : []),
    ...(waitingSenders > 0 ? [`${waitingSenders} waiting to send`] : []),
  ];
  const rate = (perSecond: number | undefined): string => (perSecond === undefined ? "" : formatCount(perSecond));
  return [
    `  ${printable(name)}`,
    formatCount(depth),
    formatCount(capacity),
    formatCount(sent),
    rate(rates?.sentPerSecond),
    formatCount(received),
    rate(rates?.receivedPerSecond),
    formatCount(leased),
    state.join(", "),
  ];
}

function otherText(object: ListedObject, region: ListedRegion): string {
  const { kind, name, value, flag } = object;
  const shown = value === undefined ? flag?.value : formatCount(value);
  const text = `${kind} ${printable(name)}${shown === undefined ? "" : ` = ${shown}`}`;
  const { holders = [], waiting = [] } = holdersOf(object) ?? {};
  const [holder] = holders;
  const notes = [stateText(object) ?? []].flat();
  if (holder !== undefined) {
    const more = holders.length > 1 ? ` and ${holders.length - 1} more` : "";
    notes.push(`held by ${printable(partyName(region, holder))}${more}`);
  } else if (kind === "mutex" || kind === "rwlock") notes.push("free");
  if (waiting.length > 0) notes.push(`${waiting.length} waiting`);
  return notes.length === 0 ? text : `${text} (${notes.join(", ")})`;
}
