import { formatBytes } from "../../base/sizes.js";
import { Region, ShmkitError, type MemberInfo, type MemoryRange, type ObjectInfo, type RegionInfo } from "#shmkit";
import { anyAddress } from "../address.js";
import { printable, type Colours } from "../colours.js";
import type { Command, Invocation } from "../command.js";
import { formatAge, formatDuration } from "../durations.js";
import { CommandError } from "../exit-codes.js";
import { formatCount, table } from "../figures.js";
import { ageMs, holdersOf, isDead, partyName, type Party } from "../holders.js";
import { byteRange, formatOffset, HexDump, type ByteRange } from "../hex-dump.js";
import { toJson } from "../json.js";
import { pathOfRegion } from "../listing.js";
import { stateRows } from "../object-state.js";
import { bytesOfFile } from "../region-bytes.js";
import type { Terminal } from "../terminal.js";
import { treeLines, type Branch } from "../tree.js";

/** Ranges of memory that are shown to people; JSON has them all. */
const SHOWN_RANGES = 100;

export const command: Command = {
  name: "inspect",
  summary: "show a region's members, objects and memory, or one object",
  usage: ["REGION[/NAME] [--json]", "REGION[/NAME] --hex OFFSET:LENGTH [--json]"],
  about: `Shows a region from outside, without joining it: who is attached and what they do, the objects, what every page is for.
With --hex its bytes, those of the file or of the object's own block; also of a region that is damaged.`,
  options: {
    json: { type: "boolean", short: "j", about: "as JSON" },
    hex: {
      type: "string",
      short: "x",
      value: "OFFSET:LENGTH",
      about: "bytes as they lie in the file, or in the object's own block; decimal or 0x…; without LENGTH to the end",
    },
  },
  exitCodes: [1, 4, 5, 141],
  examples: ["shmkit inspect my-app", "shmkit inspect my-app/jobs", "shmkit inspect my-app --hex 0x0:0x100"],
  completes: "addresses",
  arguments: [1, 1],
  run: inspect,
};

async function inspect({ terminal, positionals: [address], ...given }: Invocation): Promise<void> {
  const { region: regionName, name } = anyAddress(address);
  const hex = given.text("hex");
  const json = given.flag("json");
  if (hex !== undefined) {
    await showBytes(terminal, blockOf(regionName, name), byteRange(hex, "--hex"), json);
    return;
  }
  const region = found(regionName, { memory: name === undefined });
  const shown = name === undefined ? region : { region: regionName, ...objectOf(region, name) };
  if (json) await terminal.line(toJson(shown, 2));
  else {
    const tree =
      name === undefined
        ? regionTree(region, terminal.colours)
        : objectTree(objectOf(region, name), region, terminal.colours);
    await terminal.write(`${treeLines(tree).join("\n")}\n`);
  }
}

function found(name: string, options: { memory: boolean }): RegionInfo {
  const region = Region.inspect(name, options);
  if (region === undefined)
    throw new CommandError("ERR_NOT_FOUND", `there is no region ${name}; shmkit ls shows those there are`, 4);
  return region;
}

function objectOf({ name: region, objects }: RegionInfo, name: string): ObjectInfo {
  const object = objects.find((candidate) => candidate.name === name);
  if (object === undefined)
    throw new CommandError(
      "ERR_NOT_FOUND",
      `there is no ${region}/${name}; shmkit inspect ${region} shows what there is`,
      4,
    );
  return object;
}

/** Where bytes are looked at. */
interface Block {
  readonly path: string;
  readonly offset: number;
  readonly end: number;
}

/** A damaged region's bytes are as good as any: only an object in it cannot be found. */
function blockOf(regionName: string, name: string | undefined): Block {
  const whole = { path: pathOfRegion(regionName), offset: 0, end: Number.POSITIVE_INFINITY };
  try {
    const region = found(regionName, { memory: false });
    if (name === undefined) return whole;
    const { offsetBytes, lengthBytes } = objectOf(region, name);
    return { path: region.path, offset: offsetBytes, end: offsetBytes + lengthBytes };
  } catch (error) {
    const damaged = ["ERR_BAD_REGION", "ERR_VERSION", "ERR_CORRUPT", "ERR_REGION_LOST"];
    if (name === undefined && error instanceof ShmkitError && damaged.includes(error.code)) return whole;
    throw error;
  }
}

async function showBytes(terminal: Terminal, block: Block, range: ByteRange, json: boolean): Promise<void> {
  const { path, end } = block;
  const offset = block.offset + range.offset;
  const pieces = bytesOfFile(path, { offset, length: range.length }, end);
  if (json) {
    const bytes = Buffer.concat(Array.from(pieces, (piece) => Buffer.from(piece)));
    await terminal.line(
      toJson({ path, offsetBytes: offset, lengthBytes: bytes.length, bytes: Uint8Array.from(bytes) }, 2),
    );
    return;
  }
  const dump = new HexDump(offset);
  for (const piece of pieces) {
    const lines = dump.lines(piece);
    if (lines.length > 0) await terminal.write(`${lines.join("\n")}\n`);
  }
  await terminal.line(dump.end());
}

function regionTree(region: RegionInfo, colours: Colours): Branch {
  const { name, heap, members, objects, memory = [] } = region;
  const { bold } = colours;
  const used = heap.committedBytes - heap.freeBytes;
  return {
    text: bold(name),
    branches: [
      ...lines([
        ["path", region.path],
        ["made", `${formatAge(region.createdAt)}, epoch ${region.epoch}`],
        ["lifetime", region.lifetime],
        ...(region.disk === undefined ? [] : [["on disk", DISK_STATES[region.disk]]]),
        ["owner", `uid ${region.uid}, mode 0${(region.mode & 0o777).toString(8)}`],
        [
          "memory",
          `${formatBytes(used)} used of ${formatBytes(region.sizeBytes)}, at most ${formatBytes(region.maxSizeBytes)}`,
        ],
        ["blocks", `${formatCount(heap.usedBlocks)} used; largest free piece ${formatBytes(heap.largestFreeBytes)}`],
      ]),
      { text: bold(`members (${members.length})`), branches: memberLines(members, colours) },
      {
        text: bold(`objects (${objects.length})`),
        branches: objects.map((object) => objectTree(object, region, colours)),
      },
      { text: bold("memory map"), branches: memoryLines(memory, region, colours) },
    ],
  };
}

const DISK_STATES: Readonly<Record<NonNullable<RegionInfo["disk"]>, string>> = {
  inOrder: "all of it",
  inUse: "what was flushed, and perhaps more: it is in use",
  unclean: "perhaps a mixture of old and new: the machine went down while it was in use",
};

const lines = (rows: readonly (readonly string[])[], right: readonly number[] = []): Branch[] =>
  table(rows, right).map((text) => ({ text }));

function memberLines(members: readonly MemberInfo[], colours: Colours): Branch[] {
  const heading = ["slot", "pid", "thread", "label", "alive", "joined", "last operation"];
  const rows = members.map(({ slot, pid, threadId, label, alive, joinedAt, operation }) => [
    String(slot),
    String(pid),
    String(threadId),
    printable(label),
    alive ? colours.green("yes") : colours.red("no"),
    formatAge(joinedAt),
    operation,
  ]);
  return rows.length === 0 ? [] : lines([heading, ...rows], [0, 1, 2]).map(dimFirst(colours));
}

const dimFirst =
  ({ dim }: Colours) =>
  (line: Branch, at: number): Branch =>
    at === 0 ? { text: dim(line.text) } : line;

function objectTree(object: ObjectInfo, region: RegionInfo, { bold }: Colours): Branch {
  const { kind, name, createdAt, offsetBytes, lengthBytes, pipe, parts } = object;
  const facts: string[][] = [
    ["made", formatAge(createdAt)],
    ["block", `${formatOffset(offsetBytes)}, ${formatBytes(lengthBytes)}`],
  ];
  for (const row of stateRows(object, (slot) => memberName(region, { slot }))) facts.push([...row]);
  if (parts !== undefined) facts.push(["parts", parts.map(printable).join(", ")]);
  const state = holdersOf(object);
  if (state !== undefined) {
    if (state.holders !== undefined) facts.push(...partyRows("held", "no", state.holders, region));
    facts.push(...partyRows("waiting", "nobody", state.waiting, region));
    if (state.takeovers !== undefined) facts.push(["takeovers", formatCount(state.takeovers)]);
  }
  for (const [key, of] of Object.entries(pipe ?? {})) facts.push([key, figure(key, of as number | boolean)]);
  return { text: `${kind} ${bold(printable(name))}`, branches: lines(facts) };
}

/** One row for each: who it is, how, and for how long at least, where the object notes it. */
function partyRows(what: string, nobody: string, parties: readonly Party[], region: RegionInfo): string[][] {
  if (parties.length === 0) return [[what, nobody]];
  return parties.map((party, i) => {
    const { how } = party;
    const name = `${what === "held" ? "by " : ""}${memberName(region, party)}`;
    const known = ageMs(party);
    const age = known === undefined ? [] : [`for at least ${formatDuration(known)}`];
    return [i === 0 ? what : "", [name, ...(how === undefined ? [] : [how]), ...age].join(", ")];
  });
}

const memberName = (region: RegionInfo, party: Party): string =>
  `member ${party.slot}, ${printable(partyName(region, party))}${isDead(region, party) ? " (dead)" : ""}`;

const USES: Readonly<Record<MemoryRange["use"], string>> = {
  header: "header",
  members: "table of members",
  deaths: "table of deaths",
  pageMap: "map of pages",
  directory: "directory of names",
  object: "object",
  block: "block",
  free: "free",
  reserved: "not backed yet",
};

function memoryLines(memory: readonly MemoryRange[], { members }: RegionInfo, colours: Colours): Branch[] {
  const rows = memory.slice(0, SHOWN_RANGES).map(({ offsetBytes, lengthBytes, use, runs, object, ownerSlot }) => {
    const owner = members.find(({ slot }) => slot === ownerSlot);
    const notes = [
      ...(object === undefined ? [] : [printable(object)]),
      ...(use === "block" && runs > 1 ? [`${formatCount(runs)} of them`] : []),
      ...(ownerSlot === undefined ? [] : [`of member ${ownerSlot}${owner === undefined ? "" : ` (pid ${owner.pid})`}`]),
    ];
    return [formatOffset(offsetBytes), formatBytes(lengthBytes), [USES[use], ...notes].join(" ")];
  });
  const left = memory.length - SHOWN_RANGES;
  const more = left > 0 ? [{ text: colours.dim(`… ${formatCount(left)} more ranges: --json shows them all`) }] : [];
  return [...lines(rows, [1]), ...more];
}

function figure(key: string, value: number | boolean): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return key.endsWith("Bytes") ? formatBytes(value) : formatCount(value);
}
