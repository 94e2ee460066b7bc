/** System V objects as lines, byte for byte what ipcs(1) of util-linux 2.38 prints in the C locale, so that scripts go on. */
import type { Queue, Segment, SemaphoreSet, SystemV, SystemVKind } from "./system-v.js";
import type { UserNames } from "./user-names.js";

export type Output = "list" | "time" | "pid" | "creator" | "limits" | "summary";
/** As people read them, all in bytes, or each in the unit that is usual for it. */
export type Units = "human" | "bytes" | "usual";

export interface Manner {
  readonly output: Output;
  readonly units: Units;
  readonly names: UserNames;
  /** Lines below that of an object. */
  readonly below?: (object: SystemVObject) => readonly string[];
}

/** One semaphore of a set. */
export interface SemaphoreState {
  readonly value: number;
  readonly waitingForMore: number;
  readonly waitingForZero: number;
  readonly lastPid: number;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const NEVER = "Not set";

const two = (number: number): string => String(number).padStart(2, "0");

function shortTime(time: Date | undefined): string {
  if (time === undefined) return NEVER;
  const day = String(time.getDate()).padStart(2);
  return `${MONTHS[time.getMonth()]} ${day} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

const longTime = (time: Date | undefined): string =>
  time === undefined ? NEVER : `${DAYS[time.getDay()]} ${shortTime(time)} ${time.getFullYear()}`;

/** `4.9K`: one decimal at most, and one letter. */
export function humanSize(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(6, Math.floor(Math.log2(bytes) / 10));
  return `${Math.round((bytes / 1024 ** power) * 10) / 10}${"BKMGTPE"[power]}`;
}

/** A column's heading, how wide it is, and what is in it; some cells are wider or narrower than their heading. */
type Column<T> = readonly [
  heading: string,
  width: number,
  cell: (object: T, manner: Manner) => string | number,
  cellWidth?: number,
];

export type SystemVObject = Segment | Queue | SemaphoreSet;

export const title = (text: string): string => `------ ${text} --------`;
export const keyOf = ({ key }: Pick<SystemVObject, "key">): string => `0x${key.toString(16).padStart(8, "0")}`;
const idOf = ({ id }: SystemVObject): number => id;
const rightsOf = ({ mode }: SystemVObject): string => (mode & 0o777).toString(8);
const ownerOf = ({ uid }: SystemVObject, { names }: Manner): string => names.user(uid).slice(0, 10);
const sizeIn = (bytes: number, { units }: Manner): string | number =>
  units === "human" ? humanSize(bytes).padStart(6) : bytes;
const pidOf = (pid: number): string => String(pid).padStart(5);

function table<T extends SystemVObject>(
  heading: string,
  columns: readonly Column<T>[],
  objects: readonly T[],
  manner: Manner,
): string[] {
  const rows = objects.flatMap((object) => [
    columns.map(([, width, cell, cellWidth = width]) => String(cell(object, manner)).padEnd(cellWidth)).join(" "),
    ...(manner.below?.(object) ?? []),
  ]);
  return [title(heading), columns.map(([name, width]) => name.padEnd(width)).join(" "), ...rows];
}

const creatorColumns = (id: string): Column<SystemVObject>[] => [
  [id, 10, idOf],
  ["perms", 10, rightsOf],
  ["cuid", 10, ({ cuid }, { names }) => names.user(cuid)],
  ["cgid", 10, ({ cgid }, { names }) => names.group(cgid)],
  ["uid", 10, ({ uid }, { names }) => names.user(uid)],
  ["gid", 10, ({ gid }, { names }) => names.group(gid)],
];

function sum<T>(objects: readonly T[], figure: (object: T) => number): number {
  return objects.reduce((total, object) => total + figure(object), 0);
}

/** A line about so many bytes, in the unit that is asked for. */
function sizeLine(label: string, bytes: bigint | number, { units }: Manner): string {
  return units === "human" ? `${label} = ${humanSize(Number(bytes))}` : `${label} (bytes) = ${bytes}`;
}

/** What 64 bits of the kernel's cannot hold is cut to the most whole pages they can. */
function product(factor: bigint, unit: bigint): bigint {
  const most = 2n ** 64n - 1n;
  return factor > most / unit ? most - (most % unit) : factor * unit;
}

function queueLines({ queues, limits }: SystemV, manner: Manner): string[] {
  const { output, units } = manner;
  switch (output) {
    case "list": {
      const columns: Column<Queue>[] = [
        ["key", 10, keyOf],
        ["msqid", 10, idOf],
        ["owner", 10, ownerOf],
        ["perms", 10, rightsOf],
        [units === "human" ? "size" : "used-bytes", 12, ({ usedBytes }) => sizeIn(usedBytes, manner)],
        ["messages", 12, ({ messages }) => messages],
      ];
      return table("Message Queues", columns, queues, manner);
    }
    case "time": {
      const columns: Column<Queue>[] = [
        ["msqid", 8, idOf],
        ["owner", 10, ownerOf],
        ["send", 20, ({ sent }) => shortTime(sent)],
        ["recv", 20, ({ received }) => shortTime(received)],
        ["change", 20, ({ changed }) => shortTime(changed)],
      ];
      return table("Message Queues Send/Recv/Change Times", columns, queues, manner);
    }
    case "pid": {
      const columns: Column<Queue>[] = [
        ["msqid", 10, idOf, 8],
        ["owner", 10, ownerOf],
        ["lspid", 10, ({ lastSenderPid }) => ` ${pidOf(lastSenderPid)}`, 0],
        ["lrpid", 10, ({ lastReceiverPid }) => `    ${pidOf(lastReceiverPid)}`, 0],
      ];
      return table("Message Queues PIDs", columns, queues, manner);
    }
    case "creator":
      return table("Message Queues Creators/Owners", creatorColumns("msqid"), queues, manner);
    case "limits":
      return [
        title("Messages Limits"),
        `max queues system wide = ${limits.queues}`,
        sizeLine("max size of message", limits.messageBytes, manner),
        sizeLine("default max size of queue", limits.queueBytes, manner),
      ];
    case "summary": {
      const usedBytes = sum(queues, (queue) => queue.usedBytes);
      return [
        title("Messages Status"),
        `allocated queues = ${queues.length}`,
        `used headers = ${sum(queues, ({ messages }) => messages)}`,
        units === "usual" ? `used space = ${usedBytes} bytes` : sizeLine("used space", usedBytes, manner),
      ];
    }
  }
}

function segmentLines({ segments, limits }: SystemV, manner: Manner): string[] {
  const { output, units } = manner;
  switch (output) {
    case "list": {
      const status = ({ removed, locked }: Segment): string =>
        `${(removed ? "dest" : "").padEnd(6)} ${(locked ? "locked" : "").padEnd(6)}`;
      const columns: Column<Segment>[] = [
        ["key", 10, keyOf],
        ["shmid", 10, idOf],
        ["owner", 10, ownerOf],
        ["perms", 10, rightsOf],
        [units === "human" ? "size" : "bytes", 10, ({ sizeBytes }) => sizeIn(sizeBytes, manner)],
        ["nattch", 10, ({ attachments }) => attachments],
        ["status", 12, status],
      ];
      return table("Shared Memory Segments", columns, segments, manner);
    }
    case "time": {
      const columns: Column<Segment>[] = [
        ["shmid", 10, idOf],
        ["owner", 10, ownerOf],
        ["attached", 20, ({ attached }) => shortTime(attached)],
        ["detached", 20, ({ detached }) => shortTime(detached)],
        ["changed", 20, ({ changed }) => shortTime(changed)],
      ];
      return table("Shared Memory Attach/Detach/Change Times", columns, segments, manner);
    }
    case "pid": {
      const columns: Column<Segment>[] = [
        ["shmid", 10, idOf],
        ["owner", 10, ownerOf],
        ["cpid", 10, ({ creatorPid }) => creatorPid],
        ["lpid", 10, ({ lastPid }) => lastPid],
      ];
      return table("Shared Memory Creator/Last-op PIDs", columns, segments, manner);
    }
    case "creator":
      return table("Shared Memory Segment Creators/Owners", creatorColumns("shmid"), segments, manner);
    case "limits": {
      const { segmentBytes, pages, pageBytes } = limits;
      const sizes =
        units === "usual"
          ? [
              `max seg size (kbytes) = ${segmentBytes / 1024n}`,
              `max total shared memory (kbytes) = ${product(pages, pageBytes / 1024n)}`,
            ]
          : [
              sizeLine("max seg size", segmentBytes, manner),
              sizeLine("max total shared memory", product(pages, pageBytes), manner),
            ];
      return [
        title("Shared Memory Limits"),
        `max number of segments = ${limits.segments}`,
        ...sizes,
        sizeLine("min seg size", 1, manner),
      ];
    }
    case "summary": {
      const pages = (figure: (segment: Segment) => number): number =>
        sum(segments, (segment) => Math.ceil(figure(segment) / Number(limits.pageBytes)));
      return [
        title("Shared Memory Status"),
        `segments allocated ${segments.length}`,
        `pages allocated ${pages(({ sizeBytes }) => sizeBytes)}`,
        `pages resident  ${pages(({ residentBytes }) => residentBytes)}`,
        `pages swapped   ${pages(({ swappedBytes }) => swappedBytes)}`,
        // shmctl(2): unused since Linux 2.4.
        "Swap performance: 0 attempts\t 0 successes",
      ];
    }
  }
}

/** SEMVMX of semctl(2): a constant of the kernel. */
const MOST_OF_A_SEMAPHORE = 32767;

function semaphoreLines({ semaphoreSets, limits }: SystemV, manner: Manner): string[] {
  switch (manner.output) {
    case "list": {
      const columns: Column<SemaphoreSet>[] = [
        ["key", 10, keyOf],
        ["semid", 10, idOf],
        ["owner", 10, ownerOf],
        ["perms", 10, rightsOf],
        ["nsems", 10, ({ semaphores }) => semaphores],
      ];
      return table("Semaphore Arrays", columns, semaphoreSets, manner);
    }
    case "time": {
      const columns: Column<SemaphoreSet>[] = [
        ["semid", 8, idOf],
        ["owner", 10, ownerOf, 11],
        ["last-op", 26, ({ operated }) => longTime(operated)],
        ["last-changed", 26, ({ changed }) => longTime(changed)],
      ];
      return table("Semaphore Operation/Change Times", columns, semaphoreSets, manner);
    }
    case "pid":
      // Each semaphore has one: see `semaphoreSetDetails`.
      return [];
    case "creator":
      return table("Semaphore Arrays Creators/Owners", creatorColumns("semid"), semaphoreSets, manner);
    case "limits":
      return [
        title("Semaphore Limits"),
        `max number of arrays = ${limits.sets}`,
        `max semaphores per array = ${limits.semaphoresOfSet}`,
        `max semaphores system wide = ${limits.semaphores}`,
        `max ops per semop call = ${limits.operations}`,
        `semaphore max value = ${MOST_OF_A_SEMAPHORE}`,
      ];
    case "summary":
      return [
        title("Semaphore Status"),
        `used arrays = ${semaphoreSets.length}`,
        `allocated semaphores = ${sum(semaphoreSets, ({ semaphores }) => semaphores)}`,
      ];
  }
}

const LINES: Readonly<Record<SystemVKind, (look: SystemV, manner: Manner) => string[]>> = {
  queues: queueLines,
  segments: segmentLines,
  semaphoreSets: semaphoreLines,
};

/** A section for each of these kinds, always in the same order. */
export function systemVText(look: SystemV, kinds: readonly SystemVKind[], manner: Manner): string {
  const sections = (Object.keys(LINES) as SystemVKind[])
    .filter((kind) => kinds.includes(kind))
    .map((kind) => LINES[kind](look, manner));
  return `${sections.map((lines) => `\n${lines.map((line) => `${line}\n`).join("")}`).join("")}\n`;
}

const octal = (mode: number): string => `0${mode.toString(8)}`;
const accessOf = ({ mode }: SystemVObject): string => `access_perms=${octal(mode & 0o777)}`;
const timeLine = (name: string, time: Date | undefined): string => `${name}${longTime(time).padEnd(26)}`;

const detailsText = (lines: readonly string[]): string => `\n${lines.join("\n")}\n\n`;

/** All that is known of one. */
export function segmentDetails(segment: Segment, { units }: Manner): string {
  const { id, uid, gid, cuid, cgid, mode, sizeBytes, lastPid, creatorPid, attachments } = segment;
  const size = units === "human" ? `size=${humanSize(sizeBytes)}` : `bytes=${sizeBytes}`;
  return detailsText([
    `Shared memory Segment shmid=${id}`,
    `uid=${uid}\tgid=${gid}\tcuid=${cuid}\tcgid=${cgid}`,
    `mode=${octal(mode)}\t${accessOf(segment)}`,
    `${size}\tlpid=${lastPid}\tcpid=${creatorPid}\tnattch=${attachments}`,
    timeLine("att_time=", segment.attached),
    timeLine("det_time=", segment.detached),
    timeLine("change_time=", segment.changed),
  ]);
}

/** @param mostBytes what it may hold, which only who may read it learns */
export function queueDetails(queue: Queue, mostBytes: number, { units }: Manner): string {
  const { id, uid, gid, cuid, cgid, mode, usedBytes, messages, lastSenderPid, lastReceiverPid } = queue;
  const size =
    units === "human"
      ? `csize=${humanSize(usedBytes)}\tqsize=${humanSize(mostBytes)}`
      : `cbytes=${usedBytes}\tqbytes=${mostBytes}`;
  return detailsText([
    `Message Queue msqid=${id}`,
    `uid=${uid}\tgid=${gid}\tcuid=${cuid}\tcgid=${cgid}\tmode=${octal(mode)}`,
    `${size}\tqnum=${messages}\tlspid=${lastSenderPid}\tlrpid=${lastReceiverPid}`,
    timeLine("send_time=", queue.sent),
    timeLine("rcv_time=", queue.received),
    timeLine("change_time=", queue.changed),
  ]);
}

export function semaphoreSetDetails(set: SemaphoreSet, states: readonly SemaphoreState[]): string {
  const { id, uid, gid, cuid, cgid, mode, semaphores } = set;
  const cells = (...texts: (string | number)[]): string => texts.map((text) => String(text).padEnd(10)).join(" ");
  return detailsText([
    `Semaphore Array semid=${id}`,
    `uid=${uid}\t gid=${gid}\t cuid=${cuid}\t cgid=${cgid}`,
    `mode=${octal(mode)}, ${accessOf(set)}`,
    `nsems = ${semaphores}`,
    timeLine("otime = ", set.operated),
    timeLine("ctime = ", set.changed),
    cells("semnum", "value", "ncount", "zcount", "pid"),
    ...states.map(({ value, waitingForMore, waitingForZero, lastPid }, at) =>
      cells(at, value, waitingForMore, waitingForZero, lastPid),
    ),
  ]);
}
