import { join } from "node:path";
import { open, type RegionOptions } from "shmkit";
import type { Program } from "./processes.js";
import type { Unit } from "./results.js";
import type { Tool } from "./tools.js";

/** Where and how long a contender runs. */
export interface Site {
  /** Folder of the compiled benchmarks. */
  readonly folder: string;
  /** Programs by what provides them; those that a contender needs are there. */
  readonly tools: ReadonlyMap<Tool, string>;
  /** Cores of the processes, one after the other; none when they are not bound. */
  readonly cores: readonly number[];
  /** A name that no other run uses. */
  readonly name: string;
  /** A folder of this run's own. */
  readonly scratch: string;
  readonly warmMs: number;
  readonly measureMs: number;
}

export interface Contender {
  readonly name: string;
  /** Without it, the contender is absent. */
  readonly needs?: Tool;
  programs(benchmark: string, site: Site): Program[];
  /** What must be there before the programs start; answers how it is taken back. */
  prepare?(site: Site): Promise<() => Promise<void>>;
}

export interface Benchmark {
  readonly name: string;
  readonly call: string;
  readonly unit: Unit;
  readonly better: "lower" | "higher";
  /** The first one is what the others are compared with. */
  readonly contenders: readonly Contender[];
  /** How much longer than the others it measures. Default 1. */
  readonly timeFactor?: number;
  /** Takes a minute and is left out of `--quick`: the contenders do nothing, all of them at once, and only once. */
  readonly isIdle?: true;
}

function coreOf(site: Site, side: number): number[] {
  const core = site.cores[side % site.cores.length];
  return core === undefined ? [] : [core];
}

/** The last arguments of every program: times, and the cores of two sides. */
function tail(site: Site): string[] {
  const cores = [0, 1].map((side) => coreOf(site, side)[0] ?? -1);
  return [site.warmMs, site.measureMs, ...cores].map(String);
}

/** A TypeScript program with a process for each role, on cores of their own. */
function node(name: string, file: string, roles: readonly string[], needs?: Tool): Contender {
  return {
    name,
    ...(needs === undefined ? {} : { needs }),
    programs(benchmark, site) {
      const runtime = needs === "node24" ? site.tools.get("node24")! : process.execPath;
      const program = join(site.folder, "contenders", file);
      return roles.map((role, side) => ({
        command: [runtime, program, benchmark, role, site.name, site.scratch, ...tail(site)],
        cores: coreOf(site, side),
      }));
    },
  };
}

/** A part of a C or C++ program, which starts its other sides itself. */
function compiled(name: string, tool: Tool, words: (site: Site) => string[]): Contender {
  return {
    name,
    needs: tool,
    programs: (_, site) => [
      { command: [site.tools.get(tool)!, ...words(site), ...tail(site)], cores: coreOf(site, 0) },
    ],
  };
}

/** The same contender of another benchmark's name: its programs know it by that. */
function as(benchmark: string, name: string, contender: Contender): Contender {
  return { ...contender, name, programs: (_, site) => contender.programs(benchmark, site) };
}

/** Has this process make the region and its objects, and keep them: members in C only open. */
function inRegion(contender: Contender, options: RegionOptions = {}): Contender {
  return {
    ...contender,
    async prepare({ name }) {
      const region = await open(name, options);
      for (const pipe of ["there", "back", "messages"]) await region.pipe(pipe);
      await region.mutex("mutex");
      return () => region.close();
    },
  };
}

const PAIR = ["near", "far"] as const;
const MANY = ["near-0", "near-1", "far-0", "far-1"] as const;

const shmkit = (roles: readonly string[] = PAIR, file = "shmkit.js"): Contender[] => [
  node("shmkit", file, roles),
  node("shmkit-node24", file, roles, "node24"),
];
/** The objects for synchronisation. */
const shmkitSync = (roles: readonly string[]): Contender[] => shmkit(roles, "shmkit-sync.js");
const pthread = (what: string, name = "c-pthread"): Contender => compiled(name, "c", () => ["pthread", what]);
const cLimit = (...words: string[]): Contender => compiled("c-limit", "c", () => words);
const boost = (word: string): Contender => compiled("boost", "boost", ({ name }) => [word, name]);
const cSame = (roles: readonly string[] = PAIR): Contender =>
  inRegion({
    name: "c-same",
    needs: "c",
    programs: (benchmark, site) =>
      roles.map((role, side) => ({
        command: [site.tools.get("c")!, "same", benchmark, role, site.name, ...tail(site)],
        cores: coreOf(site, side),
      })),
  });
const unixSocket = node("unix-socket", "unix-socket.js", PAIR);
const zeromq = node("zeromq", "zeromq.js", PAIR, "zeromq");
const disruptor = node("shared-memory-disruptor", "disruptor.js", PAIR, "shared-memory-disruptor");
const properLockfile = (role: "sync" | "async"): Contender =>
  node("proper-lockfile", "proper-lockfile.js", [role], "proper-lockfile");
/** Starts its second side itself. */
const processSend = (serialization: "json" | "advanced"): Contender =>
  node(`process.send-${serialization}`, "process-send.js", [serialization]);
/** One process, whose two threads cannot be bound one by one: it has the cores of both. */
const workerThreads: Contender = {
  name: "worker_threads",
  programs: (benchmark, site) =>
    node("worker_threads", "worker-threads.js", ["near"])
      .programs(benchmark, site)
      .map(({ command }) => ({ command, cores: [...coreOf(site, 0), ...coreOf(site, 1)] })),
};

/** There and back by a mechanism of the system, in both languages by the same calls. */
const CALLS: Readonly<Record<string, string>> = {
  "posix-semaphore": "sem_post/sem_waitSync",
  "posix-queue": "mq_sendSync/mq_receiveSync",
  "sysv-semaphore": "semopSync",
  "sysv-queue": "msgsndSync/msgrcvSync",
};
const systemRoundTrip = (name: string): Benchmark => ({
  name,
  call: CALLS[name],
  unit: "ns",
  better: "lower",
  contenders: [...shmkit(PAIR, "system.js"), cLimit("system", name)],
});

/** A file of some size, read by copying it or where it is mapped. */
const copyOrMap = (size: string): Benchmark => ({
  name: `copy-or-map-${size}`,
  call: "createViewAccessor/bytes",
  unit: "ns",
  better: "lower",
  contenders: [
    ...shmkit(["map"], "copy-or-map.js"),
    node("shmkit-kept", "copy-or-map.js", ["map-kept"]),
    node("read", "copy-or-map.js", ["read"]),
    node("read-fresh", "copy-or-map.js", ["read-fresh"]),
  ],
});

/** Who wants one lock all the time. */
const EIGHT = ["near", ...Array.from({ length: 7 }, (_, i) => `far-${i}`)];
const fairness = (kind: string, call: string): Benchmark => {
  const name = `fairness-${kind}`;
  const awaited = as(`${name}-await`, "shmkit-await", node("shmkit", "fairness.js", EIGHT));
  return {
    name,
    call,
    unit: "ns",
    better: "lower",
    timeFactor: 3,
    contenders: kind === "web-locks" ? shmkit(EIGHT, "fairness.js") : [...shmkit(EIGHT, "fairness.js"), awaited],
  };
};

export const BENCHMARKS: readonly Benchmark[] = [
  {
    name: "spin-round-trip",
    call: "sendBytesSync/receiveIntoSync",
    unit: "ns",
    better: "lower",
    contenders: [
      ...shmkit(),
      cLimit("spin"),
      cSame(),
      boost("polls"),
      disruptor,
      unixSocket,
      processSend("json"),
      processSend("advanced"),
      workerThreads,
      zeromq,
    ],
  },
  {
    name: "parked-round-trip",
    call: "send/receive",
    unit: "ns",
    better: "lower",
    contenders: [
      ...shmkit(),
      cLimit("futex", "trips"),
      cSame(),
      boost("trips"),
      unixSocket,
      processSend("json"),
      processSend("advanced"),
      workerThreads,
      zeromq,
    ],
  },
  {
    name: "wake-latency",
    call: "send/receive",
    unit: "ns",
    better: "lower",
    timeFactor: 3,
    contenders: [
      ...shmkit(),
      cLimit("futex", "wakes"),
      boost("wakes"),
      unixSocket,
      processSend("json"),
      processSend("advanced"),
      workerThreads,
      zeromq,
    ],
  },
  {
    name: "spsc-64B",
    call: "sendBytesSync/receiveIntoSync",
    unit: "messages/s",
    better: "higher",
    contenders: [
      ...shmkit(),
      cLimit("ring"),
      cSame(["near", "far-0"]),
      boost("stream"),
      disruptor,
      unixSocket,
      processSend("advanced"),
      workerThreads,
      zeromq,
    ],
  },
  {
    name: "spsc-64B-fresh",
    call: "sendBytesSync/receiveSync",
    unit: "messages/s",
    better: "higher",
    contenders: [...shmkit(), cLimit("ring"), processSend("advanced"), workerThreads, zeromq],
  },
  {
    name: "spsc-64B-await",
    call: "send/receive",
    unit: "messages/s",
    better: "higher",
    contenders: [...shmkit(), cLimit("ring"), unixSocket, processSend("advanced"), workerThreads, zeromq],
  },
  {
    name: "mpmc-64B",
    call: "sendBytesSync/receiveIntoSync",
    unit: "messages/s",
    better: "higher",
    contenders: [...shmkit(MANY), cLimit("queue"), cSame(MANY), boost("many")],
  },
  {
    name: "object",
    call: "sendSync/receiveSync",
    unit: "messages/s",
    better: "higher",
    contenders: [
      ...shmkit(),
      as("object-await", "shmkit-await", node("shmkit", "shmkit.js", PAIR)),
      unixSocket,
      processSend("json"),
      processSend("advanced"),
      workerThreads,
      zeromq,
    ],
  },
  {
    name: "bulk-1MiB",
    call: "sendBytesSync/receiveIntoSync",
    unit: "bytes/s",
    better: "higher",
    contenders: [
      ...shmkit(),
      cLimit("bulk"),
      boost("bulk"),
      unixSocket,
      processSend("advanced"),
      workerThreads,
      zeromq,
    ],
  },
  {
    name: "mutex",
    call: "lockSync/release",
    unit: "ns",
    better: "lower",
    contenders: [
      ...shmkitSync(["near"]),
      cLimit("mutex"),
      cSame(["near"]),
      pthread("mutex"),
      boost("mutex"),
      properLockfile("sync"),
    ],
  },
  {
    name: "mutex-contended",
    call: "lockSync/release",
    unit: "ns",
    better: "lower",
    contenders: [...shmkitSync(PAIR), pthread("contended")],
  },
  {
    name: "lock-handover",
    call: "release/lockSync",
    unit: "ns",
    better: "lower",
    contenders: [
      ...shmkitSync(PAIR),
      cLimit("handover"),
      compiled("c-pthread", "c", () => ["handover", "pthread"]),
      boost("handover"),
    ],
  },
  {
    name: "rwlock-read",
    call: "lockSharedSync/release",
    unit: "ns",
    better: "lower",
    contenders: [
      ...shmkitSync(["alone"]),
      node("shmkit-two-readers", "shmkit-sync.js", PAIR),
      pthread("read"),
      pthread("read-by-two", "c-pthread-two-readers"),
    ],
  },
  {
    name: "semaphore",
    call: "acquireSync/release",
    unit: "ns",
    better: "lower",
    contenders: [...shmkitSync(["near"]), pthread("semaphore")],
  },
  {
    name: "condition",
    call: "waitForSync/notifyOne",
    unit: "ns",
    better: "lower",
    contenders: [...shmkitSync(PAIR), pthread("condition")],
  },
  fairness("mutex", "lockSync"),
  fairness("rwlock", "lockSync"),
  fairness("semaphore", "acquireSync"),
  fairness("web-locks", "locks.request"),
  ...["posix-semaphore", "posix-queue", "sysv-semaphore", "sysv-queue"].map(systemRoundTrip),
  {
    name: "web-locks",
    call: "locks.request",
    unit: "ns",
    better: "lower",
    contenders: [
      ...shmkit(["shmkit"], "web-locks.js"),
      node("navigator.locks-in-process", "web-locks.js", ["navigator"], "node24"),
      properLockfile("async"),
    ],
  },
  {
    name: "struct-fields",
    call: "cursor.at(i).red += 1",
    unit: "ns",
    better: "lower",
    contenders: [...shmkit(["struct"], "memory.js"), node("typed-array", "memory.js", ["array"])],
  },
  {
    name: "mapped-view",
    call: "readInt32",
    unit: "ns",
    better: "lower",
    contenders: [
      ...shmkit(["method"], "memory.js"),
      node("shmkit-bytes", "memory.js", ["bytes"]),
      node("typed-array", "memory.js", ["array"]),
    ],
  },
  ...["4KiB", "64KiB", "1MiB", "16MiB"].map(copyOrMap),
  {
    name: "attach",
    call: "open",
    unit: "ns",
    better: "lower",
    contenders: [
      ...shmkit(["near"]).map((contender) => inRegion(contender)),
      inRegion(node("shmkit-16MiB", "shmkit.js", ["near"]), { maxSize: "16MiB" }),
      inRegion(compiled("c-limit", "c", ({ name }) => ["attach", `/dev/shm/shmkit.${name}`])),
      unixSocket,
    ],
  },
  {
    name: "import",
    call: 'import("shmkit")',
    unit: "ns",
    better: "lower",
    contenders: [
      node("shmkit", "import.js", ["shmkit"]),
      node("shmkit-node24", "import.js", ["shmkit"], "node24"),
      node("zeromq", "import.js", ["zeromq"], "zeromq"),
      node("shared-memory-disruptor", "import.js", ["shared-memory-disruptor"], "shared-memory-disruptor"),
    ],
  },
  {
    name: "idle",
    call: "pipe × 1000",
    unit: "% of a core",
    better: "lower",
    isIdle: true,
    contenders: [
      node("shmkit", "idle.js", ["open"]),
      node("shmkit-waiting", "idle.js", ["waiting"]),
      node("node", "idle.js", ["node"]),
    ],
  },
];
