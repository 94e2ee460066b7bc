/** Shared memory, semaphores and message queues of POSIX, which Linux shows as files: shm_overview(7), mq_overview(7). */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { RegionInfo } from "#shmkit";
import { mq_close, mq_getattr, mq_open, O_RDONLY, sem_close, sem_getvalue, sem_open } from "#posix";
import { lookAt, pathOfRegion, regionNames } from "../listing.js";
import { fileKey, type HeldFile } from "./processes.js";

/** An object that is a file, by the name that its calls take. */
export interface PosixObject extends HeldFile {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** When it was made, or its contents or rights were changed by a call; not by who has it mapped. */
  readonly changed: Date;
}

export interface PosixSegment extends PosixObject {
  readonly sizeBytes: number;
}

export interface PosixSemaphore extends PosixObject {
  /** Undefined where this user may not open it, or it is none. */
  readonly value: number | undefined;
}

export interface PosixQueue extends PosixObject {
  /** Undefined where this user may not read it. */
  readonly state:
    | {
        readonly messages: number;
        readonly mostMessages: number;
        readonly mostBytes: number;
        readonly usedBytes: number;
      }
    | undefined;
}

/** A file with a region's name. */
export interface RegionFile extends PosixSegment {
  /** Undefined where it cannot be looked at. */
  readonly lifetime: RegionInfo["lifetime"] | undefined;
  readonly members: { readonly alive: number; readonly dead: number } | undefined;
  /** Why it cannot be looked at. */
  readonly failure: string | undefined;
}

export interface PosixObjects {
  readonly segments: readonly PosixSegment[];
  readonly semaphores: readonly PosixSemaphore[];
  /** Undefined where no file system shows them. */
  readonly queues: readonly PosixQueue[] | undefined;
  readonly regions: readonly RegionFile[];
}

const DIRECTORY = "/dev/shm";
const SEMAPHORE_PREFIX = "sem.";

/** Files in a folder by name, without those that are gone before they are looked at. */
function filesIn(folder: string): { file: string; path: string; object: PosixObject; sizeBytes: number }[] {
  return readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const path = join(folder, file);
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isFile() !== true) return [];
      const { uid, gid, mode, size, mtime, ctime } = stat;
      const changed = new Date(Math.max(mtime.getTime(), ctime.getTime()));
      const object = { path, key: fileKey(stat), name: `/${file}`, uid, gid, mode: mode & 0o7777, changed };
      return [{ file, path, object, sizeBytes: size }];
    });
}

/** What an object says of itself; undefined where the system refuses. */
function ask<T>(question: () => T): T | undefined {
  try {
    return question();
  } catch (error) {
    // A system call says which one it was.
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    return undefined;
  }
}

function valueOf(name: string): number | undefined {
  return ask(() => {
    const semaphore = sem_open(name, 0);
    try {
      return sem_getvalue(semaphore);
    } finally {
      sem_close(semaphore);
    }
  });
}

function stateOf(name: string, path: string): PosixQueue["state"] {
  return ask(() => {
    const queue = mq_open(name, O_RDONLY);
    try {
      const { mq_curmsgs, mq_maxmsg, mq_msgsize } = mq_getattr(queue);
      const usedBytes = Number(/QSIZE:(\d+)/.exec(readFileSync(path, "utf8"))?.[1] ?? 0);
      return { messages: mq_curmsgs, mostMessages: mq_maxmsg, mostBytes: mq_msgsize, usedBytes };
    } finally {
      mq_close(queue);
    }
  });
}

/** Where the file system of message queues is mounted: usually at /dev/mqueue, in containers often nowhere. */
function queueFolder(): string | undefined {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const mount = mounts.map((line) => line.split(" ")).find(([, , type]) => type === "mqueue");
  // proc_pid_mounts(5): blanks and the like are octal.
  return mount?.[1].replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function regionFiles(files: ReturnType<typeof filesIn>): RegionFile[] {
  const names = regionNames();
  const { regions, unreadable } = lookAt(names, "skip");
  return names.flatMap((name) => {
    const found = files.find(({ path }) => path === pathOfRegion(name));
    if (found === undefined) return [];
    const info = regions.find((region) => region.name === name);
    const alive = info?.members.filter((member) => member.alive).length;
    const failure = unreadable.find((region) => region.name === name);
    return {
      ...found.object,
      name,
      sizeBytes: info?.sizeBytes ?? found.sizeBytes,
      lifetime: info?.lifetime,
      members: alive === undefined ? undefined : { alive, dead: info!.members.length - alive },
      failure: failure === undefined ? undefined : `${failure.code}: ${failure.message}`,
    };
  });
}

/** What there is. Regions are told apart by their names, as the library does. */
export function posixObjects(): PosixObjects {
  const files = filesIn(DIRECTORY);
  const regions = regionFiles(files);
  const others = files.filter(({ path }) => !regions.some((region) => region.path === path));
  const folder = queueFolder();
  return {
    segments: others
      .filter(({ file }) => !file.startsWith(SEMAPHORE_PREFIX))
      .map(({ object, sizeBytes }) => ({ ...object, sizeBytes })),
    semaphores: others
      .filter(({ file }) => file.startsWith(SEMAPHORE_PREFIX))
      .map(({ object, file }) => {
        const name = `/${file.slice(SEMAPHORE_PREFIX.length)}`;
        return { ...object, name, value: valueOf(name) };
      }),
    queues:
      folder === undefined
        ? undefined
        : filesIn(folder).map(({ object, path }) => ({ ...object, state: stateOf(object.name, path) })),
    regions,
  };
}
