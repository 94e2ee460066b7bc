import { formatBytes } from "../../base/sizes.js";
import type { Facility, FacilityName, SystemReport } from "#shmkit";
import { formatCount } from "../figures.js";
import type { ContainerKind, MachineFacts } from "./machine.js";

/** `problem`: something does not work, or will not; `note`: it works, and this is worth knowing; `ok`: as it should be. */
export type Level = "ok" | "note" | "problem";

export interface Finding {
  /** Stable name of what was looked at. */
  readonly about: string;
  readonly level: Level;
  readonly text: string;
  /** What to do about it. */
  readonly advice?: string;
}

/** A file in /dev/shm that nobody uses, or that is no region. */
export interface Leftover {
  readonly name: string;
  readonly why: string;
}

/** Everything that was found out. */
export interface Facts {
  readonly machine: MachineFacts;
  readonly system: SystemReport | undefined;
  /** Why the library did not load, or nothing could be tried. */
  readonly failure: string | undefined;
  /** Regions nobody uses. */
  readonly unused: readonly Leftover[];
  /** Names that are no regions, or none that can be looked at. */
  readonly unreadable: readonly Leftover[];
}

/** What a region of the usual size backs at first, with its tables. */
const USUAL_REGION_BYTES = 17 * 2 ** 20;
/** Address space that a region of the usual maximum reserves. */
const USUAL_RESERVED_BYTES = 2 ** 30;
const DOCKER_DEFAULT_BYTES = 64 * 2 ** 20;
const FEW_FILES = 256;
const FEW_INSTANCES = 16;

/** What the facts mean, and what to do. */
export function findingsOf(facts: Facts): Finding[] {
  const { machine } = facts;
  return [
    addon(facts),
    ...(facts.system?.facilities ?? []).map(facility),
    sharedMemory(machine),
    ...limits(machine),
    inotify(machine),
    systemV(machine),
    ...container(machine),
    ...leftovers(facts),
  ];
}

function addon({ system, failure, machine }: Facts): Finding {
  const about = "addon";
  if (system === undefined)
    return {
      about,
      level: "problem",
      text: failure ?? "the library did not load",
      advice: "do what the message says; without this no region can be made or opened",
    };
  const { path, abi, libc } = system.addon;
  const text = `${path}, contract ${abi}, for ${libc}; Node ${machine.node}, ${machine.platform}, Linux ${machine.kernel}`;
  return { about, level: "ok", text };
}

const WITHOUT: Readonly<Partial<Record<FacilityName, string>>> = {
  O_TMPFILE:
    "regions are made under a temporary name, which stays if the process is killed just then; a newer kernel has it",
  "punch hole": "the memory of big objects that were removed stays with the region until that ends",
  "link through /proc": "mount /proc, as every container has it; without O_TMPFILE it is not needed",
  inotify: "deaths are noticed by looking every 50 ms while waiting; raise fs.inotify.max_user_instances",
  "SharedArrayBuffer of foreign memory":
    "{ shared: true } does not work with this runtime; leave it out, or use Node 22.23, 24.21, 26.10 or newer",
  fallocate: "use a tmpfs at /dev/shm, and free some of it: shmkit clean",
  "reopen through /proc": "mount /proc, and raise ulimit -n",
  "OFD locks":
    "Linux 3.15 or newer has them; a sandbox (gVisor, old seccomp profiles) may not: use another runtime class",
  "shared mapping": "use a tmpfs at /dev/shm, and raise ulimit -v",
  "pinned lock":
    "locks must live as long as a mapping of their file: not all sandboxes keep to that; use another runtime class",
  futex: "allow futex(2) in the sandbox's profile",
  thread: "raise the limit of threads (ulimit -u, pids.max)",
};

function facility({ name, works, needed, failure }: Facility): Finding {
  if (works) return { about: name, level: "ok", text: "works" };
  const advice = WITHOUT[name];
  return {
    about: name,
    level: needed ? "problem" : "note",
    text: `does not work: ${failure}`,
    ...(advice === undefined ? {} : { advice }),
  };
}

function sharedMemory({ sharedMemory: memory, container: inside }: MachineFacts): Finding {
  const about = "/dev/shm";
  if (memory === undefined)
    return { about, level: "problem", text: "there is none", advice: "mount a tmpfs at /dev/shm" };
  const { sizeBytes, freeBytes, isTmpfs } = memory;
  const text = `${formatBytes(sizeBytes)}, ${formatBytes(freeBytes)} free`;
  const larger =
    inside === undefined ? "enlarge it: mount -o remount,size=1G /dev/shm" : `enlarge it: ${ENLARGE[inside.kind]}`;
  if (freeBytes < USUAL_REGION_BYTES)
    return {
      about,
      level: "problem",
      text: `${text}: not enough for a region of the usual 16 MiB`,
      advice: `free some (shmkit clean), open regions with a smaller size, or ${larger}`,
    };
  if (!isTmpfs)
    return {
      about,
      level: "note",
      text: `${text}, but no tmpfs`,
      advice: "mount a tmpfs at /dev/shm: on a disk, regions are slow and survive a reboot",
    };
  if (sizeBytes <= DOCKER_DEFAULT_BYTES)
    return { about, level: "note", text: `${text}: little`, advice: `if ERR_NO_SPACE comes up, ${larger}` };
  return { about, level: "ok", text };
}

const amount = (bytes: number | null | undefined): string =>
  bytes === undefined ? "unknown" : bytes === null ? "unlimited" : formatBytes(bytes);

function limits({
  limits: { addressSpaceBytes, dataBytes, openFiles },
  overcommit,
  memoryLimitBytes,
  sharedMemory: memory,
}: MachineFacts): Finding[] {
  const isScarce = (bytes: number | null | undefined): boolean =>
    typeof bytes === "number" && bytes < 4 * USUAL_RESERVED_BYTES;
  const countsTooMuch =
    typeof memoryLimitBytes === "number" && memory !== undefined && memoryLimitBytes < memory.sizeBytes;
  return [
    {
      about: "address space (RLIMIT_AS)",
      text: amount(addressSpaceBytes),
      ...(isScarce(addressSpaceBytes)
        ? {
            level: "note",
            advice: "each open region reserves its maxSize (1 GiB): raise ulimit -v, or give a smaller maxSize",
          }
        : { level: "ok" }),
    },
    {
      about: "data (RLIMIT_DATA)",
      text: amount(dataBytes),
      ...(isScarce(dataBytes)
        ? { level: "note", advice: "looking at a region from outside maps its maxSize privately: raise ulimit -d" }
        : { level: "ok" }),
    },
    {
      about: "open files (RLIMIT_NOFILE)",
      text: openFiles === undefined ? "unknown" : openFiles === null ? "unlimited" : formatCount(openFiles),
      ...(typeof openFiles === "number" && openFiles < FEW_FILES
        ? { level: "note", advice: "a region takes a few: raise ulimit -n" }
        : { level: "ok" }),
    },
    ...(overcommit === 2
      ? [
          {
            about: "vm.overcommit_memory",
            level: "note" as const,
            text: "2: memory that could not be backed is refused",
            advice: "open regions with a smaller maxSize if ERR_NO_SPACE comes up, or set it to 0",
          },
        ]
      : []),
    {
      about: "memory of the control group",
      text: amount(memoryLimitBytes),
      ...(countsTooMuch
        ? {
            level: "note",
            advice: "shared memory counts against it, and it is less than /dev/shm: raise the memory limit",
          }
        : { level: "ok" }),
    },
  ] satisfies Finding[];
}

function inotify({ inotify: { maxUserInstances, maxUserWatches } }: MachineFacts): Finding {
  const number = (value: number | undefined): string => (value === undefined ? "unknown" : formatCount(value));
  const about = "inotify limits";
  const text = `${number(maxUserInstances)} instances and ${number(maxUserWatches)} watches per user`;
  if (maxUserInstances !== undefined && maxUserInstances < FEW_INSTANCES)
    return {
      about,
      level: "note",
      text,
      advice: "one instance per process notices deaths at once: sysctl fs.inotify.max_user_instances=128",
    };
  return { about, level: "ok", text };
}

function systemV({ systemV: { shmmax, shmall, shmmni } }: MachineFacts): Finding {
  const text = `kernel.shmmax ${shmmax ?? "unknown"}, shmall ${shmall ?? "unknown"}, shmmni ${shmmni ?? "unknown"}`;
  return { about: "System V limits", level: "ok", text: `${text}: not used, regions are files` };
}

const ENLARGE: Readonly<Record<ContainerKind, string>> = {
  docker: "docker run --shm-size=1g, or shm_size: 1gb in a Compose file",
  podman: "podman run --shm-size=1g",
  kubernetes: "mount an emptyDir with medium: Memory at /dev/shm",
  other: "give the container a larger tmpfs at /dev/shm",
};
const SHARE: Readonly<Record<ContainerKind, string>> = {
  docker:
    "start the first with --ipc=shareable and the others with --ipc=container:FIRST, or all with one volume of type tmpfs at /dev/shm",
  podman: "start them in one pod, or with --ipc=container:FIRST",
  kubernetes: "mount the same emptyDir with medium: Memory at /dev/shm in each container of the pod",
  other: "mount the same tmpfs at /dev/shm in each",
};

function container({ container: inside }: MachineFacts): Finding[] {
  if (inside === undefined) return [{ about: "container", level: "ok", text: "none" }];
  const { kind, evidence } = inside;
  return [
    {
      about: "container",
      level: "note",
      text: `${kind === "other" ? "of some kind" : kind} (${evidence}): /dev/shm is its own unless it was told otherwise`,
      advice: `to share regions between containers, ${SHARE[kind]}; for more room, ${ENLARGE[kind]}`,
    },
  ];
}

function leftovers({ system, unused, unreadable }: Facts): Finding[] {
  if (system === undefined) return [];
  const found = [
    ...unused.map(({ name, why }) => ({
      about: `region ${name}`,
      level: "note" as const,
      text: `left behind: ${why}`,
      advice: "shmkit clean removes it (--kernel, if it was asked to stay)",
    })),
    ...unreadable.map(({ name, why }) => ({
      about: `file ${name}`,
      level: "note" as const,
      text: why,
      advice: `if it is nobody's, remove it: shmkit rm ${name}, or rm /dev/shm/shmkit.${name}`,
    })),
  ];
  return found.length > 0 ? found : [{ about: "leftovers", level: "ok", text: "none" }];
}
