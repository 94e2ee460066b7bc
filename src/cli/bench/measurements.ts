import { setImmediate } from "node:timers/promises";
import { Region, type Pipe } from "#shmkit";
import type { Children } from "../demo/children.js";

/** How two processes wait for each other: by Sync calls, which spin first, or on the event loop. */
export type Manner = "blocking" | "async";

/** Times from sending a message to having its echo, in microseconds. */
export interface RoundTrip {
  readonly manner: Manner;
  readonly messageBytes: number;
  readonly rounds: number;
  readonly fastestUs: number;
  readonly medianUs: number;
  readonly p99Us: number;
}

/** Messages of one size, sent as fast as they are taken. */
export interface Throughput {
  readonly messageBytes: number;
  readonly messages: number;
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
}

const PROGRAM = "../bench/echo.js";
/** Memory of the pipes under way, and so the most messages. */
const UNDER_WAY_BYTES = 4 * 2 ** 20;
const CAPACITY = { fewest: 4, most: 1024 } as const;
/** Share of the time that does not count: until the code is compiled and the memory is touched. */
const WARM_UP = 0.1;
/** Longest time without a turn of the event loop, so that Ctrl-C works. */
const TURN_MS = 20;
const patience = { timeoutMs: 10_000 };

interface Pair {
  readonly there: Pipe;
  readonly back: Pipe;
  /** Closes the pipe; resolves to how often the other process did its task. */
  readonly finish: () => Promise<number>;
}

/** Starts the other process, runs `act`, and ends both well. */
async function withPair<T>(
  children: Children,
  task: string,
  messageBytes: number,
  signal: AbortSignal,
  act: (pair: Pair) => Promise<T>,
): Promise<T> {
  const name = `bench-${process.pid}`;
  const region = await Region.create(name, { size: "8MiB", maxSize: "64MiB", label: "bench", signal });
  try {
    const capacity = Math.max(CAPACITY.fewest, Math.min(CAPACITY.most, Math.floor(UNDER_WAY_BYTES / messageBytes)));
    const there = await region.pipe("there", { capacity, signal });
    const back = await region.pipe("back", { capacity, signal });
    const child = children.start(PROGRAM, [task, name, messageBytes]);
    await child.says();
    const finish = async (): Promise<number> => {
      const said = child.says();
      await there.close({ signal });
      const count = (await said) as number;
      await child.succeeds();
      return count;
    };
    return await act({ there, back, finish });
  } finally {
    await children.end();
    await region.close();
  }
}

/** Repeats until the time is over; the event loop has a turn now and then. */
async function forTime(durationMs: number, signal: AbortSignal, act: () => unknown): Promise<void> {
  const end = performance.now() + durationMs;
  for (let now = performance.now(), turnAt = 0; now < end; now = performance.now()) {
    const waiting = act();
    if (waiting instanceof Promise) await waiting;
    if (now < turnAt) continue;
    await setImmediate();
    signal.throwIfAborted();
    turnAt = performance.now() + TURN_MS;
  }
}

export function measureRoundTrip(
  children: Children,
  manner: Manner,
  messageBytes: number,
  durationMs: number,
  signal: AbortSignal,
): Promise<RoundTrip> {
  return withPair(children, `echo ${manner}`, messageBytes, signal, async ({ there, back, finish }) => {
    const bytes = new Uint8Array(messageBytes);
    const times: number[] = [];
    const blocking = (): void => {
      const from = process.hrtime.bigint();
      there.sendBytesSync(bytes, patience);
      back.receiveIntoSync(bytes, patience);
      times.push(Number(process.hrtime.bigint() - from) / 1000);
    };
    const async = async (): Promise<void> => {
      const from = process.hrtime.bigint();
      await there.send(bytes, { ...patience, signal });
      await back.receiveInto(bytes, { ...patience, signal });
      times.push(Number(process.hrtime.bigint() - from) / 1000);
    };
    const act = manner === "blocking" ? blocking : async;
    await forTime(durationMs * WARM_UP, signal, act);
    times.length = 0;
    await forTime(durationMs * (1 - WARM_UP), signal, act);
    await finish();
    times.sort((a, b) => a - b);
    const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))];
    return { manner, messageBytes, rounds: times.length, fastestUs: at(0), medianUs: at(0.5), p99Us: at(0.99) };
  });
}

export function measureThroughput(
  children: Children,
  messageBytes: number,
  durationMs: number,
  signal: AbortSignal,
): Promise<Throughput> {
  return withPair(children, "count", messageBytes, signal, async ({ there, finish }) => {
    const bytes = new Uint8Array(messageBytes);
    let sent = 0;
    const act = (): void => {
      there.sendBytesSync(bytes, patience);
      sent++;
    };
    await forTime(durationMs * WARM_UP, signal, act);
    const before = sent;
    const startedAt = performance.now();
    await forTime(durationMs * (1 - WARM_UP), signal, act);
    // What was under way when the time began stands for what is when it ends: the last one is waited for.
    const messages = (await finish()) - before;
    const seconds = (performance.now() - startedAt) / 1000;
    return {
      messageBytes,
      messages,
      messagesPerSecond: messages / seconds,
      bytesPerSecond: (messages * messageBytes) / seconds,
    };
  });
}
