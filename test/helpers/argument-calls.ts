import {
  open,
  Region,
  type Barrier,
  type Condition,
  type Flag,
  type Latch,
  type Once,
  type SharedEvent,
  type Counter,
  type Mutex,
  type MutexGuard,
  type Pipe,
  SharedMemory,
} from "shmkit";
import { loose, type Loose } from "./argument-failures.js";
import { uniqueRegionName } from "./leftovers.js";

/** One of everything to call. */
export interface Things {
  readonly region: Region;
  readonly pipe: Pipe;
  readonly counter: Counter;
  readonly mutex: Mutex;
  readonly condition: Condition;
  readonly event: SharedEvent;
  readonly barrier: Barrier;
  readonly latch: Latch;
  readonly once: Once;
  readonly flag: Flag;
  /** Without a name. */
  readonly memory: SharedMemory;
  /** Of another mutex. */
  readonly guard: MutexGuard;
}

function nameless(): SharedMemory {
  const memory = SharedMemory.createSync(undefined, { size: 1 });
  memory.unlink();
  return memory;
}

export const makeThings = async (region: Region): Promise<Things> => ({
  region,
  pipe: await region.pipe("pipe"),
  counter: await region.counter("counter"),
  mutex: await region.mutex("mutex"),
  condition: await region.condition("condition"),
  event: await region.event("event", { set: true }),
  barrier: await region.barrier("barrier", { parties: 1 }),
  latch: await region.latch("latch", { count: 0 }),
  once: await region.doOnce("once"),
  flag: await region.flag("flag"),
  memory: nameless(),
  guard: await (await region.mutex("gate")).lock(),
});

/** Every call with options, by the options it knows: what is called, and one that is misspelt with what it should be. */
export const WITH_OPTIONS: Record<
  string,
  { call: (things: Things, options: unknown) => unknown; misspelt: string; meant: string }
> = {
  "Region.create": {
    call: (_, o) => loose(Region, "create")(uniqueRegionName(), o),
    misspelt: "maxsize",
    meant: "maxSize",
  },
  "Region.createSync": {
    call: (_, o) => loose(Region, "createSync")(uniqueRegionName(), o),
    misspelt: "lifeTime",
    meant: "lifetime",
  },
  "Region.open": { call: ({ region }, o) => loose(Region, "open")(region.name, o), misspelt: "lable", meant: "label" },
  "Region.openSync": {
    call: ({ region }, o) => loose(Region, "openSync")(region.name, o),
    misspelt: "waits",
    meant: "wait",
  },
  "Region.openOrCreate": {
    call: ({ region }, o) => loose(Region, "openOrCreate")(region.name, o),
    misspelt: "allowOtherUsers",
    meant: "allowOtherUser",
  },
  open: { call: ({ region }, o) => (open as Loose)(region.name, o), misspelt: "maxMember", meant: "maxMembers" },
  "Region.anonymous": { call: (_, o) => loose(Region, "anonymous")(o), misspelt: "sise", meant: "size" },
  "Region.anonymousSync": {
    call: (_, o) => loose(Region, "anonymousSync")(o),
    misspelt: "maxMember",
    meant: "maxMembers",
  },
  "Region.fromDescriptor": {
    call: (_, o) => loose(Region, "fromDescriptor")(0, o),
    misspelt: "labels",
    meant: "label",
  },
  "Region.fromDescriptorSync": {
    call: (_, o) => loose(Region, "fromDescriptorSync")(0, o),
    misspelt: "share",
    meant: "shared",
  },
  "Region.remove": {
    call: (_, o) => loose(Region, "remove")(uniqueRegionName(), o),
    misspelt: "timeout",
    meant: "timeoutMs",
  },
  "Region.removeSync": {
    call: (_, o) => loose(Region, "removeSync")(uniqueRegionName(), o),
    misspelt: "timeoutms",
    meant: "timeoutMs",
  },
  "Region.clean": { call: (_, o) => loose(Region, "clean")(o), misspelt: "kernal", meant: "kernel" },
  grow: { call: ({ region }, o) => loose(region, "grow")("512KiB", o), misspelt: "signals", meant: "signal" },
  pipe: { call: ({ region }, o) => loose(region, "pipe")("made", o), misspelt: "capasity", meant: "capacity" },
  pipeSync: {
    call: ({ region }, o) => loose(region, "pipeSync")("made", o),
    misspelt: "maxLeases",
    meant: "maxLeased",
  },
  counter: { call: ({ region }, o) => loose(region, "counter")("made", o), misspelt: "timeout", meant: "timeoutMs" },
  counterSync: {
    call: ({ region }, o) => loose(region, "counterSync")("made", o),
    misspelt: "timeout",
    meant: "timeoutMs",
  },
  mutex: { call: ({ region }, o) => loose(region, "mutex")("made", o), misspelt: "word", meant: "words" },
  mutexSync: { call: ({ region }, o) => loose(region, "mutexSync")("made", o), misspelt: "word", meant: "words" },
  "pipes.create": {
    call: ({ region }, o) => loose(region.pipes, "create")("made", o),
    misspelt: "capacit",
    meant: "capacity",
  },
  "pipes.createSync": {
    call: ({ region }, o) => loose(region.pipes, "createSync")("made", o),
    misspelt: "capacit",
    meant: "capacity",
  },
  "pipes.open": { call: ({ region }, o) => loose(region.pipes, "open")("pipe", o), misspelt: "wiat", meant: "wait" },
  "pipes.openSync": {
    call: ({ region }, o) => loose(region.pipes, "openSync")("pipe", o),
    misspelt: "wiat",
    meant: "wait",
  },
  "pipes.openOrCreate": {
    call: ({ region }, o) => loose(region.pipes, "openOrCreate")("made", o),
    misspelt: "Capacity",
    meant: "capacity",
  },
  "pipes.remove": {
    call: ({ region }, o) => loose(region.pipes, "remove")("made", o),
    misspelt: "timeOutMs",
    meant: "timeoutMs",
  },
  "pipes.removeSync": {
    call: ({ region }, o) => loose(region.pipes, "removeSync")("made", o),
    misspelt: "timeOutMs",
    meant: "timeoutMs",
  },
  send: { call: ({ pipe }, o) => loose(pipe, "send")(1, o), misspelt: "timeout", meant: "timeoutMs" },
  sendSync: { call: ({ pipe }, o) => loose(pipe, "sendSync")(1, o), misspelt: "timeout", meant: "timeoutMs" },
  sendBytesSync: {
    call: ({ pipe }, o) => loose(pipe, "sendBytesSync")(new Uint8Array(1), o),
    misspelt: "timeout",
    meant: "timeoutMs",
  },
  receive: { call: ({ pipe }, o) => loose(pipe, "receive")(o), misspelt: "leased", meant: "lease" },
  receiveSync: { call: ({ pipe }, o) => loose(pipe, "receiveSync")(o), misspelt: "leased", meant: "lease" },
  tryReceive: { call: ({ pipe }, o) => loose(pipe, "tryReceive")(o), misspelt: "leased", meant: "lease" },
  receiveInto: {
    call: ({ pipe }, o) => loose(pipe, "receiveInto")(new Uint8Array(64), o),
    misspelt: "signl",
    meant: "signal",
  },
  receiveIntoSync: {
    call: ({ pipe }, o) => loose(pipe, "receiveIntoSync")(new Uint8Array(64), o),
    misspelt: "signl",
    meant: "signal",
  },
  process: {
    call: ({ pipe }, o) => loose(pipe, "process")(() => undefined, o),
    misspelt: "concurency",
    meant: "concurrency",
  },
  "pipe.close": { call: ({ pipe }, o) => loose(pipe, "close")(o), misspelt: "timeout", meant: "timeoutMs" },
  "pipe.closeSync": { call: ({ pipe }, o) => loose(pipe, "closeSync")(o), misspelt: "timeout", meant: "timeoutMs" },
  drain: { call: ({ pipe }, o) => loose(pipe, "drain")(o), misspelt: "timeout", meant: "timeoutMs" },
  ...Object.fromEntries(
    ["add", "addSync", "set", "setSync", "waitFor", "waitForSync"].map((verb) => [
      `counter.${verb}`,
      {
        call: ({ counter }: Things, o: unknown) => loose(counter, verb)(0, o),
        misspelt: "timeout",
        meant: "timeoutMs",
      },
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        ["event", "reset"],
        ["event", "resetSync"],
        ["event", "wait"],
        ["event", "waitSync"],
        ["barrier", "enrol"],
        ["barrier", "enrolSync"],
        ["barrier", "arrive"],
        ["barrier", "arriveSync"],
        ["barrier", "wait"],
        ["barrier", "waitSync"],
        ["latch", "wait"],
        ["latch", "waitSync"],
        ["flag", "set"],
        ["flag", "setSync"],
        ["flag", "clear"],
        ["flag", "clearSync"],
        ["flag", "testAndSet"],
        ["flag", "testAndSetSync"],
      ] as const
    ).map(([object, verb]) => [
      `meeting.${object}.${verb}`,
      {
        call: (things: Things, o: unknown) => loose(things[object], verb)(o),
        misspelt: "timeout",
        meant: "timeoutMs",
      },
    ]),
  ),
  ...Object.fromEntries(
    (
      [
        ["counter", "sub", 0],
        ["counter", "subSync", 0],
        ["counter", "exchange", 0],
        ["counter", "exchangeSync", 0],
        ["flag", "waitFor", false],
        ["flag", "waitForSync", false],
        ["once", "run", () => undefined],
        ["once", "runSync", () => undefined],
      ] as const
    ).map(([object, verb, argument]) => [
      `meeting.${object}.${verb}`,
      {
        call: (things: Things, o: unknown) => loose(things[object], verb)(argument, o),
        misspelt: "timeout",
        meant: "timeoutMs",
      },
    ]),
  ),
  "event of a name": {
    call: ({ region }, o) => loose(region, "event")("made", o),
    misspelt: "manualreset",
    meant: "manualReset",
  },
  "barrier of a name": {
    call: ({ region }, o) => loose(region, "barrier")("made", o),
    misspelt: "party",
    meant: "parties",
  },
  "latch of a name": { call: ({ region }, o) => loose(region, "latch")("made", o), misspelt: "counts", meant: "count" },
  ...Object.fromEntries(
    ["wait", "waitSync", "waitFor", "waitForSync"].map((verb) => [
      `condition.${verb}`,
      {
        call: ({ condition, guard }: Things, o: unknown) =>
          loose(condition, verb)(guard, ...(verb.includes("For") ? [() => true, o] : [o])),
        misspelt: "timeout",
        meant: "timeoutMs",
      },
    ]),
  ),
  ...Object.fromEntries(
    ["lock", "lockSync"].map((verb) => [
      `sharedMemory.${verb}`,
      { call: ({ memory }: Things, o: unknown) => loose(memory, verb)(o), misspelt: "timeout", meant: "timeoutMs" },
    ]),
  ),
  lock: { call: ({ mutex }, o) => loose(mutex, "lock")(o), misspelt: "timeout", meant: "timeoutMs" },
  lockSync: { call: ({ mutex }, o) => loose(mutex, "lockSync")(o), misspelt: "timeout", meant: "timeoutMs" },
  run: { call: ({ mutex }, o) => loose(mutex, "run")(() => 0, o), misspelt: "timeout", meant: "timeoutMs" },
  runSync: { call: ({ mutex }, o) => loose(mutex, "runSync")(() => 0, o), misspelt: "timeout", meant: "timeoutMs" },
  rateLimiter: {
    call: ({ region }, o) => loose(region, "rateLimiter")("made", o),
    misspelt: "token",
    meant: "tokens",
  },
  rwlock: { call: ({ region }, o) => loose(region, "rwlock")("made", o), misspelt: "timeout", meant: "timeoutMs" },
  ...Object.fromEntries(
    ["lock", "lockSync", "lockShared", "lockSharedSync", "lockUpgradable", "lockUpgradableSync"].map((verb) => [
      `rwlock.${verb}`,
      {
        call: ({ region }: Things, o: unknown) => loose(region.rwlockSync("rwlock"), verb)(o),
        misspelt: "timeout",
        meant: "timeoutMs",
      },
    ]),
  ),
  ...Object.fromEntries(
    ["take", "takeSync"].map((verb) => [
      `rateLimiter.${verb}`,
      {
        call: ({ region }: Things, o: unknown) => loose(region.rateLimiterSync("rateLimiter"), verb)(1, o),
        misspelt: "timeout",
        meant: "timeoutMs",
      },
    ]),
  ),
  segmentPool: {
    call: ({ region }, o) => loose(region, "segmentPool")("made", o),
    misspelt: "segment",
    meant: "segments",
  },
  ...Object.fromEntries(
    ["acquire", "acquireSync"].map((verb) => [
      `segmentPool.${verb}`,
      {
        call: ({ region }: Things, o: unknown) => loose(region.segmentPoolSync("segmentPool"), verb)(o),
        misspelt: "timeout",
        meant: "timeoutMs",
      },
    ]),
  ),
  semaphore: { call: ({ region }, o) => loose(region, "semaphore")("made", o), misspelt: "permit", meant: "permits" },
  ...Object.fromEntries(
    ["acquire", "acquireSync", "wait", "waitSync"].map((verb) => [
      `semaphore.${verb}`,
      {
        call: ({ region }: Things, o: unknown) => loose(region.semaphoreSync("semaphore"), verb)(o),
        misspelt: "permit",
        meant: "permits",
      },
    ]),
  ),
  ...Object.fromEntries(
    ["run", "runSync"].map((verb) => [
      `semaphore.${verb}`,
      {
        call: ({ region }: Things, o: unknown) => loose(region.semaphoreSync("semaphore"), verb)(() => 0, o),
        misspelt: "permit",
        meant: "permits",
      },
    ]),
  ),
  ...Object.fromEntries(
    ["run", "runSync", "runShared", "runSharedSync", "runUpgradable", "runUpgradableSync"].map((verb) => [
      `rwlock.${verb}`,
      {
        call: ({ region }: Things, o: unknown) => loose(region.rwlockSync("rwlock"), verb)(() => 0, o),
        misspelt: "timeout",
        meant: "timeoutMs",
      },
    ]),
  ),
};
