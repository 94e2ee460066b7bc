/** What there is in the region that the storm goes over, and how members are started. */
import type { OperationName } from "#src/layout/member-slot.js";
import type { Region, RegionOptions } from "shmkit";

export const REGION: RegionOptions = { size: "512KiB", maxSize: "24MiB", maxMembers: 48 };

/** Objects that the model follows, by index. */
export const OBJECTS = [
  "marker",
  "bytes",
  "values",
  "large",
  "jobs",
  "count-0",
  "count-1",
  "record-0",
  "record-1",
  "gate",
  "places",
  "tickets",
  "tokens",
  "web-0",
  "web-1",
  "once",
  "meeting",
  "countdown",
  "pulse",
  "lamp",
  "mail",
  "crossing",
] as const;
export type ObjectName = (typeof OBJECTS)[number];

const PIPES = {
  bytes: { capacity: 32, maxLeased: 2 },
  values: { capacity: 12, maxLeased: 2 },
  large: { capacity: 6, maxLeased: 2 },
  jobs: { capacity: 24, maxLeased: 12 },
} as const;
export type PipeName = keyof typeof PIPES;
export const PIPE_NAMES = Object.keys(PIPES) as PipeName[];
export const COUNTERS = ["marker", "count-0", "count-1"] as const;
export const MUTEXES = ["record-0", "record-1"] as const;
export const RECORD_WORDS = 6;
/** Messages of one member that can be in work at a time. */
export const CONCURRENCY = 3;

/** How much of something one has: part of a lock is for one reader, half of it for who may go on to write. */
export const SHARE = { one: 1, half: 501, all: 1000 } as const;
/** Of what more than one can have a part, in all. */
export const CAPACITY: Readonly<Partial<Record<ObjectName, number>>> = {
  gate: SHARE.all,
  "web-0": SHARE.all,
  "web-1": SHARE.all,
  places: 3,
};
/** What is taken after it was given, and how much there is at first. */
export const FLOWS = { tickets: 4, pulse: 0, lamp: 1 } as const;
export const TOKENS = { tokens: 2, intervalMs: 5, burst: 4 } as const;
export const PARTIES = 3;
/** What each member promises to count down. */
export const PROMISED = 5;
/** Of the latch: never reached. */
export const COUNT = 2 ** 31 - 1;
/** Nobody who could go on is not woken for so long, but by mistake. */
export const UNTIL_MISSED_MS = 4000;

/** Opens what members synchronise by. */
async function openSyncObjects(region: Region) {
  return {
    gate: await region.rwlock("gate"),
    places: await region.semaphore("places", { permits: CAPACITY.places! }),
    tickets: await region.semaphore("tickets", { permits: FLOWS.tickets }),
    tokens: await region.rateLimiter("tokens", TOKENS),
    meeting: await region.barrier("meeting", { parties: PARTIES }),
    countdown: await region.latch("countdown", { count: COUNT }),
    pulse: await region.event("pulse", { manualReset: false }),
    lamp: await region.flag("lamp"),
    box: await region.mutex("box", { words: 2 }),
    mail: await region.condition("mail"),
    crossings: [await region.mutex("crossing-0"), await region.mutex("crossing-1")] as const,
  };
}
export type SyncObjects = Awaited<ReturnType<typeof openSyncObjects>>;

/** Opens the objects. */
export async function openObjects(region: Region) {
  const pipe = (name: PipeName) => region.pipe(name, PIPES[name]);
  const record = (name: string) => region.mutex(name, { words: RECORD_WORDS });
  return {
    pipes: {
      bytes: await pipe("bytes"),
      values: await pipe("values"),
      large: await pipe("large"),
      jobs: await pipe("jobs"),
    },
    counters: {
      marker: await region.counter("marker"),
      "count-0": await region.counter("count-0"),
      "count-1": await region.counter("count-1"),
    },
    mutexes: { "record-0": await record("record-0"), "record-1": await record("record-1") },
    sync: await openSyncObjects(region),
  };
}
export type Objects = Awaited<ReturnType<typeof openObjects>>;

/** What a member does, one step after the other. */
export const STEPS = [
  "join",
  "send",
  "receive",
  "lease",
  "ack",
  "nack",
  "work",
  "add",
  "lock",
  "commit",
  "unlock",
  "other",
  "hold",
  "downgrade",
  "release",
  "take",
  "give",
  "once",
  "meet",
  "enrol",
  "down",
  "mail",
  "cross",
] as const;
export type Step = (typeof STEPS)[number];

/** What `memberDied` calls a step whose effect matters. */
export const CALLED: Readonly<Partial<Record<Step, readonly OperationName[]>>> = {
  send: ["pipe.send"],
  receive: ["pipe.receive", "pipe.receive-returned"],
  ack: ["pipe.ack"],
  add: ["counter.update"],
  lock: ["mutex.lock"],
  unlock: ["mutex.unlock"],
  take: ["semaphore.wait", "rate-limiter.take"],
  give: ["semaphore.post"],
  enrol: ["latch.enrol"],
};

/** Where a member kills itself: at an access counted from the beginning of a step, the n-th of its kind. */
export interface Fuse {
  readonly step: Step;
  readonly occurrence: number;
  readonly access: number;
}

/** How a member begins. */
export interface Beginning {
  readonly region: string;
  readonly journal: string;
  readonly number: number;
  readonly label: string;
  readonly seed: number;
  /** The instrumented build kills itself there. */
  readonly fuse?: Fuse | undefined;
  readonly wallClock?: boolean;
  /** Starts workers, and terminates them. */
  readonly hosts?: boolean;
}

/** A member of its host, by the host's number. */
export const workerNumber = (host: number, worker: number): number => host * 1000 + worker;

const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
let clock = monotonicMs;

const [FEWEST_LOOKS, LEAST_MS] = [1000, 5];
/**
 * The wall clock when `performance.now()` is 0. What a runtime says of that, its `timeOrigin`, is off by as long as the process
 * had to wait between two looks at clocks: 160 ms have been seen on a busy machine. `Date.now()` says whole milliseconds, so
 * of many looks the one closest behind a tick is taken.
 */
function wallOrigin(): number {
  const from = performance.now();
  let origin = Number.NEGATIVE_INFINITY;
  for (let looks = 0; looks < FEWEST_LOOKS || performance.now() - from < LEAST_MS; looks++) {
    const wall = Date.now();
    origin = Math.max(origin, wall - performance.now());
  }
  return origin;
}

/** How far the wall clocks of two processes may still be apart: 0.3 ms have been seen. */
export const WALL_CLOCK_ERROR_MS = 5;

/** For storms in other runtimes, some of which count hrtime from the start of the process. The wall clock may be set. */
export function useWallClock(): void {
  const origin = wallOrigin();
  clock = () => origin + performance.now();
}

/** Milliseconds on the clock that all processes of the storm share. */
export const now = (): number => clock();
