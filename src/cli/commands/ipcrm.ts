import { IPC_RMID, msgctl, semctl, shmctl } from "#sysv";
import { formatBytes } from "../../base/sizes.js";
import { printable } from "../colours.js";
import type { Command, GivenOption, Invocation } from "../command.js";
import { durationMs } from "../durations.js";
import { causeOf, CommandError, errorLine, usageError } from "../exit-codes.js";
import { removeOrphans, type Outcome, type Verdict } from "../ipc/orphans.js";
import { posixObjects } from "../ipc/posix-objects.js";
import { lookAtProcesses } from "../ipc/processes.js";
import { systemV, type SystemV, type SystemVKind } from "../ipc/system-v.js";
import { toJson } from "../json.js";

export const command: Command = {
  name: "ipcrm",
  summary: "remove shared memory, queues and semaphores of System V, as ipcrm(1), or what nobody uses any more",
  usage: [
    "[-v] [-m ID|-M KEY|-q ID|-Q KEY|-s ID|-S KEY]... [-a[shm|msg|sem]] [--json]",
    "shm|msg|sem ID...",
    "--orphans [PATTERN...] [--dry-run] [--older-than TIME] [--json]",
  ],
  about: `Removes objects of System V, as ipcrm(1) of util-linux. With --orphans: memory of System V that nobody has attached and
whose maker has ended; memory, semaphores and queues of POSIX that nobody has mapped or open, which the kernel vouches for;
and regions without living members. It says of everything that is meant what it did and why. A pattern, with * and ?, is
for names without the slash, for keys and for identifiers; without one everything is meant.`,
  options: {
    "shmem-id": { type: "string", short: "m", value: "ID", about: "shared memory, by identifier" },
    "shmem-key": { type: "string", short: "M", value: "KEY", about: "shared memory, by key" },
    "queue-id": { type: "string", short: "q", value: "ID", about: "a message queue, by identifier" },
    "queue-key": { type: "string", short: "Q", value: "KEY", about: "a message queue, by key" },
    "semaphore-id": { type: "string", short: "s", value: "ID", about: "semaphores, by identifier" },
    "semaphore-key": { type: "string", short: "S", value: "KEY", about: "semaphores, by key" },
    all: { type: "string", short: "a", optional: true, value: "shm|msg|sem", about: "all of System V, or of one kind" },
    verbose: { type: "boolean", short: "v", about: "say what is being removed" },
    orphans: { type: "boolean", short: "o", about: "remove what nobody uses any more" },
    "dry-run": { type: "boolean", short: "n", about: "with --orphans: remove nothing, only say what would be" },
    "older-than": {
      type: "string",
      value: "TIME",
      about: "with --orphans: only what was not used or changed for so long (default 1m; 0 for any)",
    },
    json: { type: "boolean", short: "j", about: "as JSON" },
  },
  exitCodes: [1, 141],
  examples: [
    "shmkit ipcrm -m 65536 -M 0x5",
    "shmkit ipcrm --orphans --dry-run",
    "shmkit ipcrm --orphans 'psm_*' --older-than 1h",
  ],
  completes: ["shm", "msg", "sem"],
  arguments: [0, Number.POSITIVE_INFINITY],
  run: ipcrm,
};

interface Family {
  readonly kind: SystemVKind;
  readonly as: Verdict["kind"];
  readonly about: string;
  remove(id: number): void;
}

/** By the words of ipcrm(1). */
const FAMILIES: Readonly<Record<string, Family>> = {
  shm: { kind: "segments", as: "segment", about: "shared memory segment", remove: (id) => shmctl(id, IPC_RMID) },
  msg: { kind: "queues", as: "queue", about: "message queue", remove: (id) => msgctl(id, IPC_RMID) },
  sem: { kind: "semaphoreSets", as: "semaphores", about: "semaphore", remove: (id) => void semctl(id, 0, IPC_RMID) },
};
const OPTIONS: Readonly<Record<string, readonly [family: string, by: "id" | "key"]>> = {
  "shmem-id": ["shm", "id"],
  "shmem-key": ["shm", "key"],
  "queue-id": ["msg", "id"],
  "queue-key": ["msg", "key"],
  "semaphore-id": ["sem", "id"],
  "semaphore-key": ["sem", "key"],
};

async function ipcrm(invocation: Invocation): Promise<number> {
  if (invocation.flag("orphans")) return orphans(invocation);
  for (const name of ["dry-run", "older-than"])
    if (invocation.given.some((option) => option.name === name)) throw usageError(`--${name} needs --orphans`);
  return named(invocation);
}

/** One object that is to go. */
interface Target {
  readonly family: Family;
  readonly by: "id" | "key";
  /** As it was given. */
  readonly text: string;
}

/** A failure of ipcrm(1), which knows one exit code. */
const failure = (code: string, message: string): CommandError => new CommandError(code, message, 1);

function familyOf(word: string): Family {
  if (!Object.hasOwn(FAMILIES, word)) throw failure("ERR_USAGE", `unknown argument: ${word}`);
  return FAMILIES[word];
}

const targetOf = ({ name, value = "" }: GivenOption): Target[] => {
  if (!Object.hasOwn(OPTIONS, name)) return [];
  const [family, by] = OPTIONS[name];
  return [{ family: FAMILIES[family], by, text: value }];
};

/** All there are at this moment; one that is removed already goes by itself. */
function allOf(word: string | undefined, look: SystemV): Target[] {
  if (word === undefined) return [];
  const families = word === "" ? Object.values(FAMILIES) : [familyOf(word)];
  return families.flatMap((family) =>
    look[family.kind]
      .filter((object) => !("removed" in object && object.removed))
      .map(({ id }): Target => ({ family, by: "id", text: String(id) })),
  );
}

async function named({ terminal, positionals: [word, ...ids], given, ...options }: Invocation): Promise<number> {
  const look = systemV();
  const old = word === undefined ? [] : ids.map((text): Target => ({ family: familyOf(word), by: "id", text }));
  if (word !== undefined && old.length === 0) {
    familyOf(word);
    throw failure("ERR_USAGE", `not enough arguments: shmkit ipcrm ${word} ID...`);
  }
  const all = allOf(options.text("all"), look);
  const targets = [...old, ...given.flatMap(targetOf), ...all];
  if (targets.length === 0 && options.text("all") === undefined)
    throw usageError("say what is to be removed; see shmkit ipcrm --help");
  const json = options.flag("json");
  const removed: Verdict[] = [];
  const failed: { argument: string; code: string; message: string }[] = [];
  for (const target of targets) {
    const { family, by, text } = target;
    try {
      const id = by === "id" ? idIn(text) : idOfKey(text, look[family.kind]);
      if (options.flag("verbose") && !json) await terminal.line(`removing ${family.about} ${by} \`${text}'`);
      removeOne(target, id);
      removed.push({ kind: family.as, id, why: "it was named" });
    } catch (error) {
      if (all.includes(target) && (error as CommandError).code === "ERR_NOT_FOUND") continue;
      if (!(error instanceof CommandError)) throw error;
      if (!json) terminal.error(errorLine(error));
      failed.push({ argument: text, ...causeOf(error) });
    }
  }
  if (json) await terminal.line(toJson({ dryRun: false, removed, kept: [], failed }, 2));
  return failed.length === 0 ? 0 : 1;
}

const MOST_ID = 2 ** 31 - 1;

function idIn(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) > MOST_ID) throw failure("ERR_USAGE", `failed to parse argument: '${text}'`);
  return Number(text);
}

/** A key as strtoul(3) reads it: `0x1f`, `017`, `15`. */
function idOfKey(text: string, objects: SystemV[SystemVKind]): number {
  if (!/^(?:0x[0-9a-f]+|\d+)$/i.test(text)) throw failure("ERR_USAGE", `failed to parse argument: '${text}'`);
  const key = /^0[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number(text);
  if (key === 0) throw failure("ERR_USAGE", `illegal key (${text})`);
  const object = objects.find((candidate) => candidate.key === key);
  if (object === undefined) throw failure("ERR_NOT_FOUND", `invalid key (${text})`);
  return object.id;
}

function removeOne({ family, by, text }: Target, id: number): void {
  try {
    family.remove(id);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EINVAL" || code === "EIDRM") throw failure("ERR_NOT_FOUND", `invalid ${by} (${text})`);
    if (code === "EPERM" || code === "EACCES") throw failure(code, `permission denied for ${by} (${text})`);
    throw error;
  }
}

/** Whether a name is meant by `*` for any characters and `?` for one. */
function matcher(patterns: readonly string[]): (names: readonly string[]) => boolean {
  if (patterns.length === 0) return () => true;
  const expressions = patterns.map((pattern) => {
    const parts = pattern
      .split(/([*?])/)
      .map((part) => (part === "*" ? ".*" : part === "?" ? "." : part.replace(/[\\^$.+()[\]{}|]/g, "\\$&")));
    return new RegExp(`^${parts.join("")}$`, "su");
  });
  return (names) => names.some((name) => expressions.some((expression) => expression.test(name)));
}

async function orphans({ terminal, positionals, given, ...options }: Invocation): Promise<number> {
  const others = given.filter(({ name }) => Object.hasOwn(OPTIONS, name) || name === "all");
  if (others.length > 0) throw usageError(`--orphans goes without --${others[0].name}`);
  const dryRun = options.flag("dry-run");
  const idleMs = durationMs(options.text("older-than") ?? "1m", "--older-than");
  const posix = posixObjects();
  const files = [...posix.segments, ...posix.semaphores, ...(posix.queues ?? [])];
  const outcome = await removeOrphans(systemV(), posix, lookAtProcesses(files), {
    dryRun,
    idleMs,
    matches: matcher(positionals),
  });
  if (options.flag("json")) await terminal.line(toJson({ dryRun, ...outcome, failed: [] }, 2));
  else for (const line of outcomeLines(outcome, dryRun, terminal.colours)) await terminal.line(line);
  return 0;
}

function outcomeLines(
  { removed, kept }: Outcome,
  dryRun: boolean,
  { bold, yellow }: Invocation["terminal"]["colours"],
): string[] {
  const label = ({ kind, id, name }: Verdict): string => bold(printable(`${LABELS[kind]} ${name ?? id}`));
  const lines = [
    ...removed.map((verdict) => {
      const size = verdict.sizeBytes === undefined ? "" : `, ${formatBytes(verdict.sizeBytes)}`;
      return `${label(verdict)}  ${dryRun ? "would be removed" : "removed"}: ${verdict.why}${size}`;
    }),
    ...kept.map((verdict) => `${label(verdict)}  ${yellow("kept")}: ${printable(verdict.why)}`),
  ];
  return lines.length === 0 ? ["nothing to remove"] : lines;
}

const LABELS: Readonly<Record<Verdict["kind"], string>> = {
  segment: "System V shared memory",
  queue: "System V queue",
  semaphores: "System V semaphores",
  posixSegment: "POSIX shared memory",
  posixSemaphore: "POSIX semaphore",
  posixQueue: "POSIX queue",
  region: "region",
};
