/** What nobody uses any more: found, and removed so that nobody who comes meanwhile loses anything. */
import { unlinkSync } from "node:fs";
import { Region } from "#shmkit";
import { close, F_SETLEASE, F_WRLCK, fcntl, mq_open, O_NONBLOCK, O_RDONLY, shm_open } from "#posix";
import { IPC_RMID, IPC_STAT, shmctl } from "#sysv";
import { formatDuration } from "../durations.js";
import { isAlive, type Holder, type Holders } from "./processes.js";
import type { PosixObject, PosixObjects, RegionFile } from "./posix-objects.js";
import { keyOf } from "./system-v-tables.js";
import type { Segment, SystemV } from "./system-v.js";

type Kind = "segment" | "queue" | "semaphores" | "posixSegment" | "posixSemaphore" | "posixQueue" | "region";

/** What was done with an object, or would be, and why. */
export interface Verdict {
  readonly kind: Kind;
  /** Of System V. */
  readonly id?: number;
  readonly name?: string;
  readonly sizeBytes?: number;
  readonly why: string;
}

export interface Outcome {
  readonly removed: readonly Verdict[];
  readonly kept: readonly Verdict[];
}

export interface OrphanOptions {
  readonly dryRun: boolean;
  /** Only what has not been used, as far as the system tells, for so long. */
  readonly idleMs: number;
  /** Whether an object is meant, by any of its names. */
  readonly matches: (names: readonly string[]) => boolean;
}

const UNUSED = "nobody has it mapped or open";
const GONE = "it has gone meanwhile";

const holdersText = (holders: readonly Holder[]): string =>
  holders.map(({ pid, command }) => `${pid} ${command}`).join(", ");

function codeOf(error: unknown): string {
  const { syscall, code } = error as NodeJS.ErrnoException;
  // Whatever is no answer of the system's is a mistake.
  if (syscall === undefined || code === undefined) throw error;
  return code;
}

const REASONS: Readonly<Record<string, string>> = {
  EAGAIN: "somebody has it mapped or open",
  EACCES: "it belongs to another user",
  EPERM: "it belongs to another user",
  ENOENT: GONE,
  EINVAL: GONE,
  EIDRM: GONE,
};

const reasonOf = (error: unknown): string => REASONS[codeOf(error)] ?? `the system says ${codeOf(error)}`;

function tooYoung(times: readonly (Date | undefined)[], idleMs: number): string | undefined {
  const age = Date.now() - Math.max(...times.map((time) => time?.getTime() ?? 0));
  return age < idleMs ? `it was used or changed ${formatDuration(age)} ago` : undefined;
}

/** Who made a segment may be about to attach it, or have a child do so. */
function makerText({ creatorPid, lastPid }: Segment): string | undefined {
  if (creatorPid === 0) return "it was made in another PID namespace, perhaps by a process that lives";
  const [alive] = [creatorPid, lastPid].filter((pid) => pid !== 0 && isAlive(pid));
  return alive === undefined ? undefined : `the process ${alive}, which made it or used it last, is alive`;
}

/** Why a segment stays, or undefined when it went, or would. */
function judgeSegment(segment: Segment, holders: Holders, { dryRun, idleMs }: OrphanOptions): string | undefined {
  if (segment.attachments > 0) {
    const known = holdersText(holders.ofSegment(segment.id));
    return `it is attached by ${known === "" ? "processes that cannot be looked into" : known}`;
  }
  const obstacle = makerText(segment) ?? tooYoung([segment.attached, segment.detached, segment.changed], idleMs);
  if (obstacle !== undefined || dryRun) return obstacle;
  try {
    // Whoever attaches it in this very moment keeps the memory: the system then removes it with the last attachment.
    if (shmctl(segment.id, IPC_STAT).shm_nattch > 0) return "somebody has attached it meanwhile";
    shmctl(segment.id, IPC_RMID);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/**
 * The same of a file. A lease is what the kernel gives only while nobody else has the file open or mapped, in whatever
 * container, and whoever opens it meanwhile waits: what /proc shows may not be all.
 */
function judgeFile(
  file: PosixObject,
  open: () => number,
  holders: Holders,
  options: OrphanOptions,
): string | undefined {
  const known = holders.ofFile(file);
  const obstacle = known.length > 0 ? `used by ${holdersText(known)}` : tooYoung([file.changed], options.idleMs);
  if (obstacle !== undefined) return obstacle;
  try {
    const descriptor = open();
    try {
      fcntl(descriptor, F_SETLEASE, F_WRLCK);
      if (!options.dryRun) unlinkSync(file.path);
    } finally {
      close(descriptor);
    }
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** The library knows best who uses a region: by locks of the kernel's, not by what is mapped. */
async function judgeRegions(
  regions: readonly RegionFile[],
  options: OrphanOptions,
): Promise<Map<RegionFile, string | undefined>> {
  const judged = new Map<RegionFile, string | undefined>();
  for (const region of regions) judged.set(region, obstacleOfRegion(region, options));
  const removable = [...judged].filter(([, obstacle]) => obstacle === undefined).map(([region]) => region);
  if (options.dryRun || removable.length === 0) return judged;
  for (const region of removable)
    if ((await Region.clean({ name: region.name })).length === 0)
      judged.set(region, "somebody has joined or removed it meanwhile");
  return judged;
}

function obstacleOfRegion(
  { members, lifetime, failure, changed }: RegionFile,
  { idleMs }: OrphanOptions,
): string | undefined {
  if (failure !== undefined) return failure;
  if (members === undefined || lifetime === undefined) return GONE;
  if (members.alive > 0) return members.alive === 1 ? "a member is alive" : `${members.alive} members are alive`;
  if (lifetime !== "process") return "it was asked to stay; shmkit clean --kernel removes it";
  return tooYoung([changed], idleMs);
}

/** Goes through everything that is meant; in the order of the list. */
export async function removeOrphans(
  { segments, queues, semaphoreSets }: SystemV,
  posix: PosixObjects,
  holders: Holders,
  options: OrphanOptions,
): Promise<Outcome> {
  const removed: Verdict[] = [];
  const kept: Verdict[] = [];
  const file = (verdict: Omit<Verdict, "why">, obstacle: string | undefined): void => {
    if (obstacle === undefined) removed.push({ ...verdict, why: UNUSED });
    else kept.push({ ...verdict, why: obstacle });
  };
  const { matches } = options;
  const bare = (name: string): string[] => [name, name.slice(1)];
  for (const segment of segments)
    if (!segment.removed && matches([String(segment.id), keyOf(segment)])) {
      const { id, sizeBytes } = segment;
      file({ kind: "segment", id, sizeBytes }, judgeSegment(segment, holders, options));
    }
  for (const [kind, objects, short] of [
    ["queue", queues, "q"],
    ["semaphores", semaphoreSets, "s"],
  ] as const)
    for (const object of objects)
      if (matches([String(object.id), keyOf(object)])) {
        const { id } = object;
        file({ kind, id }, `System V does not say who uses it; shmkit ipcrm -${short} ${id} removes it`);
      }
  for (const segment of posix.segments)
    if (matches(bare(segment.name))) {
      const { name, sizeBytes } = segment;
      file(
        { kind: "posixSegment", name, sizeBytes },
        judgeFile(segment, () => shm_open(name, O_RDONLY), holders, options),
      );
    }
  for (const semaphore of posix.semaphores)
    if (matches(bare(semaphore.name))) {
      const { name } = semaphore;
      const open = (): number => shm_open(`/sem.${name.slice(1)}`, O_RDONLY);
      file({ kind: "posixSemaphore", name }, judgeFile(semaphore, open, holders, options));
    }
  for (const queue of posix.queues ?? [])
    if (matches(bare(queue.name))) {
      const open = (): number => mq_open(queue.name, O_RDONLY | O_NONBLOCK);
      file({ kind: "posixQueue", name: queue.name }, judgeFile(queue, open, holders, options));
    }
  const regions = posix.regions.filter(({ name }) => matches([name]));
  for (const [{ name, sizeBytes }, obstacle] of await judgeRegions(regions, options))
    file({ kind: "region", name, sizeBytes }, obstacle);
  return { removed, kept };
}
