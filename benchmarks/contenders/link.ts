import { setTimeout as sleep } from "node:timers/promises";
import { checkBytes, checkObject, Message, messageBytes, smallObject, type SmallObject } from "./messages.js";
import { announce, Duration, Latencies, now, Rate, receiversReady, type Run } from "./run.js";

export type Value = Uint8Array | SmallObject;

/** One end of a connection between two sides that work asynchronously. */
export interface Link {
  /** Sends; answers a promise if whoever sends a stream is to wait for it first. */
  send(value: Value): void | Promise<void>;
  /** Hands over what comes, until `take` answers that it was the last. */
  receive(take: (value: Value) => boolean): Promise<void>;
  /** Whether bytes must stay as they are after `send` has settled. */
  readonly keepsBytes: boolean;
  /** Whether it carries objects where a benchmark does not say. */
  readonly carriesObjects: boolean;
}

/** Time between two wake-ups: the other side is asleep again. */
const WAKE_INTERVAL_MS = 1;

/** Makes the values of a run and checks them. */
class Values {
  private readonly asObjects: boolean;
  private readonly message: Message;
  private readonly renews: boolean;
  private readonly sizeBytes: number;

  constructor(run: Run, link: Link) {
    this.asObjects = link.carriesObjects || run.benchmark.startsWith("object");
    this.sizeBytes = messageBytes(run);
    this.renews = link.keepsBytes;
    this.message = new Message(this.sizeBytes);
  }

  make(number: number, isLast: boolean, time?: number): Value {
    if (this.asObjects) return smallObject(number, isLast, time);
    const message = this.renews ? new Message(this.sizeBytes) : this.message;
    if (time !== undefined) message.time = time;
    return message.fill(number, isLast);
  }

  check(value: Value, number: number): boolean {
    return value instanceof Uint8Array ? checkBytes(value, number) : checkObject(value, number);
  }

  time(value: Value): number {
    if (!(value instanceof Uint8Array)) return value.t;
    return new DataView(value.buffer, value.byteOffset, value.length).getFloat64(16, true);
  }
}

async function ping(run: Run, link: Link, values: Values): Promise<void> {
  const latencies = new Latencies(run);
  let trips = 0;
  latencies.next();
  const received = link.receive((value) => {
    values.check(value, trips++);
    latencies.add(1);
    const isOver = !latencies.next();
    void link.send(values.make(trips, isOver));
    return isOver;
  });
  void link.send(values.make(0, false));
  await received;
  latencies.report(trips);
}

async function pong(link: Link, values: Values): Promise<void> {
  let trips = 0;
  await link.receive((value) => {
    const isLast = values.check(value, trips++);
    if (!isLast) void link.send(value);
    return isLast;
  });
}

async function receiveAll(run: Run, link: Link, values: Values): Promise<void> {
  const rate = new Rate(run);
  let number = 0;
  announce(run);
  await link.receive((value) => {
    if (values.check(value, number)) return true;
    rate.count(number++);
    return false;
  });
  rate.report(number);
}

async function sendAll(run: Run, link: Link, values: Values): Promise<void> {
  await receiversReady(run);
  const duration = new Duration(run);
  for (let number = 0; ; number++) {
    const isLast = duration.isOver(number);
    const sent = link.send(values.make(number, isLast));
    if (sent !== undefined) await sent;
    if (isLast) return;
  }
}

async function beWoken(run: Run, link: Link, values: Values): Promise<void> {
  const latencies = new Latencies(run);
  let number = 0;
  announce(run);
  await link.receive((value) => {
    const woken = now();
    const isLast = values.check(value, number++);
    if (!isLast) latencies.put(woken - values.time(value));
    return isLast;
  });
  latencies.report(number);
}

async function wake(run: Run, link: Link, values: Values): Promise<void> {
  await receiversReady(run);
  const until = performance.now() + run.warmMs + run.measureMs;
  for (let number = 0; ; number++) {
    await sleep(WAKE_INTERVAL_MS);
    const isLast = performance.now() >= until;
    await link.send(values.make(number, isLast, now()));
    if (isLast) return;
  }
}

/** Does what one side does: the near one measures and reports, the far one answers or sends. */
export async function work(run: Run, link: Link): Promise<void> {
  const isNear = run.role === "near";
  const values = new Values(run, link);
  if (run.benchmark.endsWith("round-trip")) await (isNear ? ping(run, link, values) : pong(link, values));
  else if (run.benchmark === "wake-latency") await (isNear ? beWoken(run, link, values) : wake(run, link, values));
  else await (isNear ? receiveAll(run, link, values) : sendAll(run, link, values));
}
