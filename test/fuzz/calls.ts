/** Everything that can be done with a region, as calls that end soon whatever is in it. */
import {
  Region,
  type Counter,
  type HeapStatistics,
  type Lease,
  type LockRequestOptions,
  type MemberInfo,
  type Mutex,
  type MutexGuard,
  type Pipe,
  type PipeStatistics,
} from "shmkit";
import type { Random } from "../helpers/process-random.js";
import {
  coordinationCalls,
  endCoordination,
  lookForDeadlock,
  openCoordination,
  soon,
  type Coordination,
} from "./coordination-calls.js";

/** A call, its name for people, and what a valid answer looks like. */
export interface Call {
  readonly label: string;
  readonly act: () => unknown;
  readonly isValid?: (value: never) => boolean;
}

/** Small, so that many fit the shared memory of a small machine, and tables and heap are close together. */
export const REGION = { size: "256KiB", maxSize: "1MiB", maxMembers: 8 } as const;
const PIPE_SHAPE = { capacity: 8, maxLeased: 4 } as const;

/** What a member has open and in its hands when things go wrong. */
export interface Hands {
  readonly region: Region;
  readonly pipe: Pipe;
  readonly counter: Counter;
  readonly mutex: Mutex;
  readonly coordination: Coordination;
  readonly lease?: Lease<unknown> | undefined;
  readonly guard?: MutexGuard | undefined;
}

/** Opens everything. */
export async function takeInHands(region: Region): Promise<Hands> {
  // Listeners look at what the event says.
  region.on("memberDied", ({ label, object, operation }) => void [label, object, operation]);
  const pipe = await region.pipe("pipe", { ...PIPE_SHAPE, ...soon });
  const counter = await region.counter("counter", soon);
  const mutex = await region.mutex("mutex", { words: 8, ...soon });
  return { region, pipe, counter, mutex, coordination: await openCoordination(region) };
}

/** A lock's name that needs memory of its own. */
const LONG_NAME = "a long name ".repeat(100);

/** A request of the lock manager; that somebody steals the lock is an answer, which the Web Locks standard calls AbortError. */
async function request(region: Region, name: string, how: LockRequestOptions): Promise<void> {
  try {
    await region.locks.request(name, { ...soon, ...how }, () => 1);
  } catch (error) {
    if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
  }
}

/** Opens everything as the first member, and fills it: short and long messages, one on lease, a mutex in hand. */
export async function takeAndFill(region: Region, random: Random): Promise<Hands> {
  const hands = await takeInHands(region);
  const { pipe, counter, mutex } = hands;
  const long = random.below(2);
  for (let at = 0; at < 6; at++)
    pipe.sendSync(
      at % 2 === long ? new Uint8Array(1000 + at * 1500) : { at, text: "x".repeat(50), list: [at, 2n ** 70n] },
    );
  const lease = await pipe.receive({ lease: true });
  counter.addSync(5);
  const guard = await mutex.lock();
  guard.set(0, 1);
  // Held to the end.
  for (const name of ["held", LONG_NAME])
    region.locks.request(name, soon, () => new Promise(() => undefined)).catch(() => undefined);
  return { ...hands, lease, guard };
}

const isCount = (value: number): boolean => Number.isFinite(value) && value >= 0;
const isHeap = (heap: HeapStatistics): boolean => Object.values(heap).every((value) => isCount(value as number));
const isPipe = (statistics: PipeStatistics): boolean =>
  Object.values(statistics).every((value) => typeof value === "boolean" || typeof value === "number");
const areNames = (names: string[]): boolean => names.every((name) => typeof name === "string");
const areMembers = (members: MemberInfo[]): boolean =>
  members.every((member) => typeof member.label === "string" && typeof member.operation === "string");

/** The calls of one member. */
export function callsOf(hands: Hands, random: Random): Call[] {
  const { region, pipe, counter, mutex, coordination, lease, guard } = hands;
  const bytes = new Uint8Array(5000);
  const call = <T>(label: string, act: () => T | Promise<T>, isValid?: (value: Awaited<T>) => boolean): Call => ({
    label,
    act,
    ...(isValid && { isValid }),
  });
  const isLength = (length: number): boolean => Number.isInteger(length) && length <= bytes.length;
  return [
    call("send", () => pipe.send(1, soon)),
    call("send bytes", () => pipe.send(bytes, soon)),
    call("sendSync", () => pipe.sendSync("x".repeat(random.below(600)), soon)),
    call("sendBytesSync", () => pipe.sendBytesSync(bytes.subarray(0, random.below(600)), soon)),
    call(
      "trySend",
      () => pipe.trySend(2),
      (sent) => typeof sent === "boolean",
    ),
    call("send large", () => pipe.send(new Uint8Array(200_000), soon)),
    call("receive", () => pipe.receive(soon)),
    call("receiveSync", () => pipe.receiveSync(soon)),
    call("tryReceive", () => pipe.tryReceive()),
    call("receiveInto", () => pipe.receiveInto(bytes, soon), isLength),
    call("receiveIntoSync", () => pipe.receiveIntoSync(bytes, soon), isLength),
    call("lease", async () => (await pipe.receive({ ...soon, lease: true })).ack()),
    call("lease and nack", () => pipe.tryReceive({ lease: true })?.nack()),
    call("process", () => pipe.process(() => undefined, { concurrency: 2, signal: AbortSignal.timeout(3) }), isCount),
    call("drain", () => pipe.drain(soon)),
    call("statistics", () => pipe.statistics(), isPipe),
    call(
      "isClosed",
      () => pipe.isClosed,
      (closed) => typeof closed === "boolean",
    ),
    call(
      "add",
      () => counter.add(1, soon),
      (value) => typeof value === "bigint",
    ),
    call(
      "setSync",
      () => counter.setSync(-7n, soon),
      (value) => typeof value === "bigint",
    ),
    call(
      "value",
      () => counter.value,
      (value) => typeof value === "bigint",
    ),
    call(
      "counter's statistics",
      () => counter.statistics(),
      ({ value, waiting }) => typeof value === "bigint" && waiting.every(({ slot }) => slot < 256),
    ),
    call(
      "waitFor",
      () => counter.waitFor(2n ** 62n, soon),
      (value) => typeof value === "bigint",
    ),
    call(
      "waitForSync",
      () => counter.waitForSync(2n ** 62n, soon),
      (value) => typeof value === "bigint",
    ),
    call("lock", async () => (await mutex.lock(soon)).release()),
    call("lockSync", () => mutex.lockSync(soon).release()),
    call("owner", () => [mutex.ownerSlot, mutex.takeovers, mutex.statistics()]),
    call("look for a deadlock", () => lookForDeadlock(mutex)),
    call("run", () => mutex.run((held) => held.set(1, 3), soon)),
    call("lock, set and roll back", () => {
      const held = mutex.tryLock();
      if (held === undefined) return;
      held.set(0, held.get(7));
      held.set(7, 5);
      if (random.below(2) === 0) held.rollback();
      held.release();
    }),
    call("request a lock", () => request(region, random.of(["held", "free", LONG_NAME]), {})),
    call("request a lock if available", () =>
      request(region, random.of(["held", "free", LONG_NAME]), { ifAvailable: true }),
    ),
    call("steal a lock", () => request(region, "free", { steal: true })),
    call("list pipes", () => region.pipes.list(), areNames),
    call("list counters", () => region.counters.list(), areNames),
    call("make a counter", () => region.counter(`made ${random.below(3)}`, soon)),
    call("make a pipe", () => region.pipe(`made ${3 + random.below(3)}`, { ...soon, capacity: 4 })),
    call("open", () => region.pipes.open("pipe", soon)),
    call("open what is another kind", () => region.mutexes.open("counter", soon)),
    call("remove", () => region.counters.remove(`made ${random.below(3)}`, soon)),
    call("grow", () => region.grow("600KiB", soon)),
    call("members", () => region.members(), areMembers),
    call("heap", () => region.statistics(), isHeap),
    call("sizes", () => region.sizeBytes + region.maxSizeBytes, isCount),
    call(
      "recover",
      () => region.recoverTheDead(),
      (found) => typeof found === "boolean",
    ),
    call(
      "inspect",
      () => Region.inspect(region.name),
      (info) => info === undefined || areMembers([...info.members]),
    ),
    call(
      "inspect with memory",
      () => Region.inspect(region.name, { memory: true }),
      (info) => info === undefined || info.memory!.every(({ lengthBytes }) => isCount(lengthBytes)),
    ),
    call("join", async () => {
      const third = await Region.open(region.name, soon);
      try {
        await (await third.pipe("pipe", soon)).send(3, soon);
        third.members();
      } finally {
        await third.close();
      }
    }),
    ...Object.entries(coordinationCalls(coordination)).map(([label, act]) => call(label, act)),
    call("turn", () => new Promise((resolve) => setImmediate(resolve))),
    ...(lease === undefined ? [] : [call("ack", () => lease.ack())]),
    ...(guard === undefined
      ? []
      : [
          call("guard", () => [guard.get(0), guard.set(1, 5), guard.commit(), guard.rollback()]),
          call("release", () => guard.release()),
        ]),
  ];
}

/** What ends the use of objects, after everything else. */
export function lastCallsOf({ region, pipe, counter, mutex, coordination }: Hands): Call[] {
  return [
    { label: "remove the pipe", act: () => region.pipes.remove("pipe", soon) },
    { label: "close the pipe", act: () => pipe.close(soon) },
    {
      label: "detach",
      act: () => [pipe.detach(), counter.detach(), mutex.detach(), endCoordination(coordination)],
    },
  ];
}
