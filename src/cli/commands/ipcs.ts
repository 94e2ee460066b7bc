import { GETNCNT, GETPID, GETVAL, GETZCNT, IPC_STAT, msgctl, semctl } from "#sysv";
import { printable } from "../colours.js";
import type { Command, Invocation } from "../command.js";
import { CommandError, usageError } from "../exit-codes.js";
import { posixJson, systemVJson } from "../ipc/ipc-json.js";
import { posixObjects, type PosixObjects } from "../ipc/posix-objects.js";
import { posixText } from "../ipc/posix-tables.js";
import { lookAtProcesses, type Holder, type Holders } from "../ipc/processes.js";
import {
  queueDetails,
  segmentDetails,
  semaphoreSetDetails,
  systemVText,
  type Manner,
  type Output,
  type SemaphoreState,
  type SystemVObject,
  type Units,
} from "../ipc/system-v-tables.js";
import { systemV, type SemaphoreSet, type SystemV, type SystemVKind } from "../ipc/system-v.js";
import { UserNames } from "../ipc/user-names.js";
import { toJson } from "../json.js";

export const command: Command = {
  name: "ipcs",
  summary: "list shared memory, semaphores and message queues of every kind, as ipcs(1)",
  usage: ["[-mqsaPR] [-t|-p|-c|-l|-u] [--human|-b] [--who] [--json]", "-m|-q|-s -i ID [--human|-b] [--json]"],
  about: `Lists what System V has, in the lines of ipcs(1) of util-linux; and what that does not know: shared memory, semaphores and
message queues of POSIX, regions, and with --who the processes that have memory mapped or open. -t, -p, -c, -l and -u are
about System V, and the last one counts. Without -m, -q, -s, -a, -P, -R: everything.`,
  options: {
    shmems: { type: "boolean", short: "m", about: "shared memory of System V" },
    queues: { type: "boolean", short: "q", about: "message queues of System V" },
    semaphores: { type: "boolean", short: "s", about: "semaphores of System V" },
    all: { type: "boolean", short: "a", about: "all of System V" },
    posix: { type: "boolean", short: "P", about: "shared memory, semaphores and message queues of POSIX" },
    regions: { type: "boolean", short: "R", about: "regions" },
    time: { type: "boolean", short: "t", about: "when it was last used and changed" },
    pid: { type: "boolean", short: "p", about: "processes that made it and used it last" },
    creator: { type: "boolean", short: "c", about: "who made it and who owns it" },
    limits: { type: "boolean", short: "l", about: "what the kernel allows" },
    summary: { type: "boolean", short: "u", about: "how much there is" },
    id: { type: "string", short: "i", value: "ID", about: "all about one object, with -m, -q or -s" },
    human: { type: "boolean", about: "sizes as people read them" },
    bytes: { type: "boolean", short: "b", about: "sizes in bytes, also of limits" },
    who: { type: "boolean", short: "w", about: "below each, the processes that have it mapped or open" },
    json: { type: "boolean", short: "j", about: "as JSON, with all that is known" },
  },
  exitCodes: [1, 4, 5, 141],
  examples: [
    "shmkit ipcs",
    "shmkit ipcs --posix --who",
    "shmkit ipcs -m --json | jq '.segments[] | select(.attachments == 0) | .id'",
  ],
  completes: [],
  arguments: [0, 0],
  run: ipcs,
};

const SYSTEM_V: Readonly<Record<string, SystemVKind>> = {
  shmems: "segments",
  queues: "queues",
  semaphores: "semaphoreSets",
};
const OUTPUTS = ["time", "pid", "creator", "limits", "summary"] as const satisfies readonly Output[];

/** What is to be listed. */
interface Choice {
  readonly systemV: readonly SystemVKind[];
  readonly posix: boolean;
  readonly regions: boolean;
}

async function ipcs({ terminal, given, ...options }: Invocation): Promise<void> {
  const lastOf = <Name extends string>(...names: readonly Name[]): Name | undefined =>
    given
      .map(({ name }) => name as Name)
      .filter((name) => names.includes(name))
      .at(-1);
  const output = lastOf(...OUTPUTS);
  const units: Units = lastOf("human", "bytes") ?? "usual";
  const manner: Manner = { output: output ?? "list", units, names: new UserNames() };
  const id = options.text("id");
  const json = options.flag("json");
  if (id !== undefined) {
    const kinds = options.flag("all") ? [] : given.flatMap(({ name }) => SYSTEM_V[name] ?? []);
    if (new Set(kinds).size !== 1) throw usageError("with --id, say of which kind it is: one of -m, -q, -s");
    await terminal.write(one(kinds[0], idIn(id), manner, json));
    return;
  }
  const choice = choose(
    given.map(({ name }) => name),
    output,
  );
  const look = systemV();
  const posix = choice.posix || choice.regions ? posixObjects() : undefined;
  const files = [
    ...(posix?.segments ?? []),
    ...(posix?.semaphores ?? []),
    ...(posix?.queues ?? []),
    ...(posix?.regions ?? []),
  ];
  const holders = json || options.flag("who") ? lookAtProcesses(files) : undefined;
  if (json) await terminal.line(toJson(everything(look, posix, choice, manner.names, holders!), 2));
  else await terminal.write(everyLine(look, posix, choice, manner, holders));
}

function choose(given: readonly string[], output: Output | undefined): Choice {
  const kinds = given.includes("all") ? Object.values(SYSTEM_V) : given.flatMap((name) => SYSTEM_V[name] ?? []);
  const [posix, regions] = [given.includes("posix"), given.includes("regions")];
  if ((posix || regions) && output !== undefined)
    throw usageError(`--${output} is about System V: with -m, -q, -s or -a, not with --posix or --regions`);
  if (kinds.length > 0 || posix || regions) return { systemV: kinds, posix, regions };
  return { systemV: Object.values(SYSTEM_V), posix: output === undefined, regions: output === undefined };
}

function everyLine(
  look: SystemV,
  posix: PosixObjects | undefined,
  choice: Choice,
  manner: Manner,
  holders: Holders | undefined,
): string {
  const below =
    holders === undefined ? manner : { ...manner, below: (object: SystemVObject) => segmentHolders(object, holders) };
  const text = choice.systemV.length === 0 ? "\n" : systemVText(look, choice.systemV, below);
  const more =
    posix === undefined
      ? ""
      : posixText(posix, choice, manner, (object) =>
          holders === undefined ? [] : holderLines(holders.ofFile(object)),
        );
  const note = holders === undefined || holders.unreadable === 0 ? "" : `${unreadableText(holders.unreadable)}\n`;
  return text + more + note;
}

/** Of semaphores and queues of System V nobody knows who uses them. */
const segmentHolders = (object: SystemVObject, holders: Holders): string[] =>
  "attachments" in object ? holderLines(holders.ofSegment(object.id)) : [];

const holderLines = (holders: readonly Holder[]): string[] =>
  holders.map(({ pid, command: name, mapped }) => `  ${pid} ${printable(name)}${mapped ? "" : " (open)"}`);

const unreadableText = (count: number): string =>
  `${count === 1 ? "1 process" : `${count} processes`} could not be looked into, and may have some of it`;

function everything(
  look: SystemV,
  posix: PosixObjects | undefined,
  { systemV: kinds, ...choice }: Choice,
  names: UserNames,
  holders: Holders,
): object {
  const file = (object: PosixObjects["segments"][number] | PosixObjects["semaphores"][number]): object =>
    posixJson(object, names, holders.ofFile(object));
  const parts: Record<string, unknown> = {};
  if (kinds.includes("queues")) parts["queues"] = look.queues.map((queue) => systemVJson(queue, names, {}));
  if (kinds.includes("segments"))
    parts["segments"] = look.segments.map((segment) =>
      systemVJson(segment, names, { processes: holders.ofSegment(segment.id) }),
    );
  if (kinds.includes("semaphoreSets"))
    parts["semaphoreSets"] = look.semaphoreSets.map((set) => systemVJson(set, names, {}));
  if (kinds.length > 0) parts["limits"] = look.limits;
  if (choice.posix && posix !== undefined)
    parts["posix"] = {
      segments: posix.segments.map(file),
      semaphores: posix.semaphores.map(file),
      queues: posix.queues?.map((queue) => posixJson(queue, names, holders.ofFile(queue))) ?? null,
    };
  if (choice.regions && posix !== undefined) parts["regions"] = posix.regions.map(file);
  return { ...parts, unreadableProcesses: holders.unreadable };
}

function idIn(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw usageError(`failed to parse id argument: '${text}'`);
  return Number(text);
}

function found<T extends SystemVObject>(objects: readonly T[], id: number): T {
  const object = objects.find((candidate) => candidate.id === id);
  if (object === undefined) throw new CommandError("ERR_NOT_FOUND", `id ${id} not found`, 4);
  return object;
}

/** All about one object: as lines, or as JSON. */
function one(kind: SystemVKind, id: number, manner: Manner, json: boolean): string {
  const look = systemV();
  const { names } = manner;
  const text = (object: object): string => `${toJson(object, 2)}\n`;
  if (kind === "segments") {
    const segment = found(look.segments, id);
    if (!json) return segmentDetails(segment, manner);
    const holders = lookAtProcesses([]);
    const segments = [systemVJson(segment, names, { processes: holders.ofSegment(id) })];
    return text({ segments, unreadableProcesses: holders.unreadable });
  }
  if (kind === "queues") {
    const queue = found(look.queues, id);
    const mostBytes = msgctl(id, IPC_STAT).msg_qbytes;
    return json ? text({ queues: [systemVJson(queue, names, { mostBytes })] }) : queueDetails(queue, mostBytes, manner);
  }
  const set = found(look.semaphoreSets, id);
  const states = statesOf(set);
  return json ? text({ semaphoreSets: [systemVJson(set, names, { states })] }) : semaphoreSetDetails(set, states);
}

function statesOf({ id, semaphores }: SemaphoreSet): SemaphoreState[] {
  return Array.from({ length: semaphores }, (_, at) => ({
    value: semctl(id, at, GETVAL),
    waitingForMore: semctl(id, at, GETNCNT),
    waitingForZero: semctl(id, at, GETZCNT),
    lastPid: semctl(id, at, GETPID),
  }));
}
