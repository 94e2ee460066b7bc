import { readFileSync } from "node:fs";
import { join } from "node:path";

/** System V objects as the kernel tells everybody of them, whatever their rights: /proc/sysvipc, see proc_sysvipc(5). */
interface SystemVObject {
  readonly id: number;
  /** As an unsigned number; 0 for IPC_PRIVATE. */
  readonly key: number;
  /** The nine bits of rights, and flags of the kind above them. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly cuid: number;
  readonly cgid: number;
  readonly changed: Date | undefined;
}

export interface Segment extends SystemVObject {
  readonly sizeBytes: number;
  readonly creatorPid: number;
  readonly lastPid: number;
  /** How many mappings there are. */
  readonly attachments: number;
  readonly attached: Date | undefined;
  readonly detached: Date | undefined;
  readonly residentBytes: number;
  readonly swappedBytes: number;
  /** It goes with its last mapping. */
  readonly removed: boolean;
  readonly locked: boolean;
}

export interface Queue extends SystemVObject {
  readonly usedBytes: number;
  readonly messages: number;
  readonly lastSenderPid: number;
  readonly lastReceiverPid: number;
  readonly sent: Date | undefined;
  readonly received: Date | undefined;
}

export interface SemaphoreSet extends SystemVObject {
  readonly semaphores: number;
  readonly operated: Date | undefined;
}

/** What /proc/sys/kernel says; some of it is more than a number can hold. */
export interface Limits {
  readonly pageBytes: bigint;
  readonly segments: bigint;
  readonly segmentBytes: bigint;
  /** Of all segments together. */
  readonly pages: bigint;
  readonly queues: bigint;
  readonly messageBytes: bigint;
  readonly queueBytes: bigint;
  readonly sets: bigint;
  readonly semaphoresOfSet: bigint;
  readonly semaphores: bigint;
  readonly operations: bigint;
}

export interface SystemV {
  readonly segments: readonly Segment[];
  readonly queues: readonly Queue[];
  readonly semaphoreSets: readonly SemaphoreSet[];
  readonly limits: Limits;
}

export type SystemVKind = Exclude<keyof SystemV, "limits">;

/** include/linux/shm.h: how /proc marks a segment in its mode. */
const SHM_DEST = 0o1000;
const SHM_LOCKED = 0o2000;

/** The number, as text, of a column. */
type Row = (column: string) => string;

/** The kernel's table has a line of headings. Where it is built without System V there is none. */
function rowsOf(path: string): Row[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  const [headings, ...lines] = text
    .trimEnd()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  return lines.map((cells) => (column) => cells[headings.indexOf(column)] ?? "0");
}

const numberIn = (row: Row, column: string): number => Number(row(column));

function timeIn(row: Row, column: string): Date | undefined {
  const seconds = numberIn(row, column);
  return seconds === 0 ? undefined : new Date(seconds * 1000);
}

function objectIn(row: Row, id: string): SystemVObject {
  return {
    id: numberIn(row, id),
    key: numberIn(row, "key") >>> 0,
    mode: Number.parseInt(row("perms"), 8),
    uid: numberIn(row, "uid"),
    gid: numberIn(row, "gid"),
    cuid: numberIn(row, "cuid"),
    cgid: numberIn(row, "cgid"),
    changed: timeIn(row, "ctime"),
  };
}

function segmentIn(row: Row): Segment {
  const object = objectIn(row, "shmid");
  return {
    ...object,
    sizeBytes: numberIn(row, "size"),
    creatorPid: numberIn(row, "cpid"),
    lastPid: numberIn(row, "lpid"),
    attachments: numberIn(row, "nattch"),
    attached: timeIn(row, "atime"),
    detached: timeIn(row, "dtime"),
    residentBytes: numberIn(row, "rss"),
    swappedBytes: numberIn(row, "swap"),
    removed: (object.mode & SHM_DEST) !== 0,
    locked: (object.mode & SHM_LOCKED) !== 0,
  };
}

const queueIn = (row: Row): Queue => ({
  ...objectIn(row, "msqid"),
  usedBytes: numberIn(row, "cbytes"),
  messages: numberIn(row, "qnum"),
  lastSenderPid: numberIn(row, "lspid"),
  lastReceiverPid: numberIn(row, "lrpid"),
  sent: timeIn(row, "stime"),
  received: timeIn(row, "rtime"),
});

const semaphoreSetIn = (row: Row): SemaphoreSet => ({
  ...objectIn(row, "semid"),
  semaphores: numberIn(row, "nsems"),
  operated: timeIn(row, "otime"),
});

/** getauxval(3): what the kernel told this process of itself. */
const AT_PAGESZ = 6n;

function pageBytes(root: string): bigint {
  const vector = readFileSync(join(root, "proc/self/auxv"));
  const words = new BigUint64Array(new Uint8Array(vector).buffer, 0, vector.length >> 3);
  for (let at = 0; at < words.length; at += 2) if (words[at] === AT_PAGESZ) return words[at + 1];
  return 4096n;
}

function limits(root: string): Limits {
  const settings = (name: string): bigint[] =>
    readFileSync(join(root, "proc/sys/kernel", name), "utf8")
      .trim()
      .split(/\s+/)
      .map((text) => BigInt(text));
  const [semaphoresOfSet, semaphores, operations, sets] = settings("sem");
  return {
    pageBytes: pageBytes(root),
    segments: settings("shmmni")[0],
    segmentBytes: settings("shmmax")[0],
    pages: settings("shmall")[0],
    queues: settings("msgmni")[0],
    messageBytes: settings("msgmax")[0],
    queueBytes: settings("msgmnb")[0],
    sets,
    semaphoresOfSet,
    semaphores,
    operations,
  };
}

/** What there is in this IPC namespace. @param root where `/` is, for tests */
export function systemV(root = "/"): SystemV {
  const table = (name: string): Row[] => rowsOf(join(root, "proc/sysvipc", name));
  return {
    segments: table("shm").map(segmentIn),
    queues: table("msg").map(queueIn),
    semaphoreSets: table("sem").map(semaphoreSetIn),
    limits: limits(root),
  };
}
