import { formatBytes } from "../../base/sizes.js";
import { Region, type MemberInfo, type RegionInfo } from "../../index.js";
import type { Command, Invocation } from "../command.js";
import { formatDuration } from "../durations.js";
import { CommandError } from "../exit-codes.js";
import { formatCount, table } from "../figures.js";
import { toJson } from "../json.js";
import type { Colours } from "../terminal.js";

export const command: Command = {
  name: "inspect",
  summary: "show a region's members, objects and memory",
  usage: ["REGION"],
  about:
    "Shows a region from outside, without joining it: who is attached and what they do, the objects, where the memory goes.",
  options: { json: { type: "boolean", short: "j", about: "as JSON" } },
  exitCodes: [1, 4, 5, 141],
  arguments: [1, 1],
  run: inspect,
};

async function inspect({ terminal, positionals: [name], ...given }: Invocation): Promise<void> {
  const region = Region.inspect(name);
  if (region === undefined) throw new CommandError("ERR_NOT_FOUND", `there is no region ${name}`, 4);
  await terminal.write(
    given.flag("json") ? `${toJson(region, 2)}\n` : `${regionLines(region, terminal.colours).join("\n")}\n`,
  );
}

function regionLines(region: RegionInfo, colours: Colours): string[] {
  const { heap } = region;
  const title = (text: string): string => colours.bold(text);
  return [
    ...table([
      [title("region"), region.name],
      [title("path"), region.path],
      [title("made"), `${region.createdAt.toISOString()}, epoch ${region.epoch}`],
      [title("lifetime"), region.lifetime],
      [title("owner"), `uid ${region.uid}, mode 0${(region.mode & 0o777).toString(8)}`],
      [title("memory"), `${formatBytes(region.sizeBytes)} now, at most ${formatBytes(region.maxSizeBytes)}`],
      ...Object.entries(heap).map(([key, value]) => [colours.dim(`  ${key}`), figure(key, value as number)]),
    ]),
    "",
    title("members"),
    ...memberLines(region.members, colours),
    "",
    title("objects"),
    ...region.objects.flatMap(({ kind, name, createdAt, value, ownerSlot, pipe }) => [
      `  ${kind} ${name}, made ${formatDuration(Date.now() - createdAt.getTime())} ago`,
      ...(value === undefined ? [] : [`    value ${formatCount(value)}`]),
      ...(ownerSlot === undefined ? [] : [`    held by member ${ownerSlot}`]),
      ...(pipe === undefined
        ? []
        : table(Object.entries(pipe).map(([key, of]) => [`    ${key}`, figure(key, of as number | boolean)]))),
    ]),
  ];
}

function memberLines(members: readonly MemberInfo[], colours: Colours): string[] {
  const heading = ["  slot", "pid", "thread", "label", "alive", "joined", "last operation"];
  const rows = members.map(({ slot, pid, threadId, label, alive, joinedAt, operation }) => [
    `  ${slot}`,
    String(pid),
    String(threadId),
    label,
    alive ? "yes" : colours.red("no"),
    `${formatDuration(Date.now() - joinedAt.getTime())} ago`,
    operation,
  ]);
  return table([heading, ...rows], [1, 2]).map((line, at) => (at === 0 ? colours.dim(line) : line));
}

function figure(key: string, value: number | boolean): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return key.endsWith("Bytes") ? `${formatBytes(value)}` : formatCount(value);
}
