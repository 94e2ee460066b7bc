import { existsSync, readFileSync, statfsSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";

/** A file system as statfs(2) tells it. */
export interface FileSystemFacts {
  readonly path: string;
  readonly isTmpfs: boolean;
  readonly sizeBytes: number;
  readonly freeBytes: number;
}

export type ContainerKind = "kubernetes" | "docker" | "podman" | "other";

/** What this machine allows; `null` means no limit, undefined that the system does not say. */
export interface MachineFacts {
  readonly kernel: string;
  readonly node: string;
  readonly platform: string;
  readonly sharedMemory: FileSystemFacts | undefined;
  /** Soft limits of this process (getrlimit(2)). */
  readonly limits: {
    readonly addressSpaceBytes: number | null | undefined;
    readonly dataBytes: number | null | undefined;
    readonly openFiles: number | null | undefined;
  };
  readonly inotify: { readonly maxUserInstances: number | undefined; readonly maxUserWatches: number | undefined };
  /** Of System V shared memory, which shmkit does not use: as text, since they may exceed what a number can say. */
  readonly systemV: { readonly [name in "shmmax" | "shmall" | "shmmni"]: string | undefined };
  /** vm.overcommit_memory: 2 refuses what could not be backed. */
  readonly overcommit: number | undefined;
  /** Limit of the control group's memory, which shared memory counts against. */
  readonly memoryLimitBytes: number | null | undefined;
  readonly container: { readonly kind: ContainerKind; readonly evidence: string } | undefined;
}

const TMPFS_MAGIC = 0x01021994;

/** Reads what the system says. @param root where `/` is, for tests */
export function machineFacts(root = "/", environment: NodeJS.ProcessEnv = process.env): MachineFacts {
  const read = (path: string): string | undefined => {
    try {
      return readFileSync(join(root, path), "utf8").trim();
    } catch {
      return undefined;
    }
  };
  const setting = (path: string): number | undefined => wholeNumber(read(`proc/sys/${path}`));
  const limits = read("proc/self/limits");
  const limit = (name: string): number | null | undefined => limitOf(limits, name);
  return {
    kernel: release(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    sharedMemory: fileSystem(join(root, "dev/shm")),
    limits: {
      addressSpaceBytes: limit("Max address space"),
      dataBytes: limit("Max data size"),
      openFiles: limit("Max open files"),
    },
    inotify: {
      maxUserInstances: setting("fs/inotify/max_user_instances"),
      maxUserWatches: setting("fs/inotify/max_user_watches"),
    },
    systemV: {
      shmmax: read("proc/sys/kernel/shmmax"),
      shmall: read("proc/sys/kernel/shmall"),
      shmmni: read("proc/sys/kernel/shmmni"),
    },
    overcommit: setting("vm/overcommit_memory"),
    memoryLimitBytes: memoryLimit(
      read("sys/fs/cgroup/memory.max") ?? read("sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ),
    container: containerOf((path) => existsSync(join(root, path)), read, environment),
  };
}

function fileSystem(path: string): FileSystemFacts | undefined {
  try {
    const { type, bsize, blocks, bavail } = statfsSync(path);
    return { path, isTmpfs: type === TMPFS_MAGIC, sizeBytes: blocks * bsize, freeBytes: bavail * bsize };
  } catch {
    return undefined;
  }
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The soft limit of a line of /proc/self/limits (proc_pid_limits(5)). */
function limitOf(limits: string | undefined, name: string): number | null | undefined {
  const soft = limits === undefined ? undefined : new RegExp(`^${name} +(\\S+)`, "m").exec(limits)?.[1];
  return soft === "unlimited" ? null : wholeNumber(soft);
}

/** Control groups of version 2 say "max", those of version 1 a number that no machine has. */
function memoryLimit(text: string | undefined): number | null | undefined {
  const bytes = wholeNumber(text);
  return text === "max" || (bytes !== undefined && bytes >= 2 ** 62) ? null : bytes;
}

/** Whether this is a container: by what the engines put into theirs. The most telling first. */
function containerOf(
  exists: (path: string) => boolean,
  read: (path: string) => string | undefined,
  environment: NodeJS.ProcessEnv,
): MachineFacts["container"] {
  if (environment["KUBERNETES_SERVICE_HOST"] !== undefined)
    return { kind: "kubernetes", evidence: "KUBERNETES_SERVICE_HOST is set" };
  if (exists("run/.containerenv")) return { kind: "podman", evidence: "/run/.containerenv exists" };
  if (exists(".dockerenv")) return { kind: "docker", evidence: "/.dockerenv exists" };
  const groups = read("proc/1/cgroup") ?? "";
  const [named] = /kubepods|docker|libpod|containerd|lxc/.exec(groups) ?? [];
  const kinds: Readonly<Record<string, ContainerKind>> = { kubepods: "kubernetes", docker: "docker", libpod: "podman" };
  if (named !== undefined) return { kind: kinds[named] ?? "other", evidence: `/proc/1/cgroup names ${named}` };
  if (environment["container"] !== undefined) return { kind: "other", evidence: "container is set" };
  return undefined;
}
