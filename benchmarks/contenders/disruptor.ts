/** shared-memory-disruptor: a ring in shared memory, which polls. */
import { unlinkSync } from "node:fs";
import { requireForeign } from "./foreign.js";
import { checkBytes, Message } from "./messages.js";
import { announce, Duration, Latencies, parseRun, Rate, receiversReady } from "./run.js";

interface Disruptor {
  produceClaimSync(): Buffer;
  produceCommitSync(): boolean;
  consumeNewSync(): Buffer[];
  consumeCommit(): void;
  release(): void;
}
const { Disruptor: DisruptorRing } = requireForeign("shared-memory-disruptor") as {
  Disruptor: new (
    name: string,
    elements: number,
    elementBytes: number,
    consumers: number,
    consumer: number,
    initialise: boolean,
    spin: boolean,
  ) => Disruptor;
};

const ELEMENTS = 1024;
const BYTES = 64;
const BATCH = 32;
const run = parseRun();
const isNear = run.role === "near";

/** The near side makes every ring, and takes its name away at the end. */
function ring(name: string, consumes: boolean): Disruptor {
  return new DisruptorRing(`/${run.name}-${name}`, ELEMENTS, BYTES, 1, consumes ? 0 : -1, isNear, true);
}

function send(disruptor: Disruptor, message: Uint8Array): void {
  disruptor.produceClaimSync().set(message);
  while (!disruptor.produceCommitSync());
}

/** Hands over each message, until the last one. */
function receive(disruptor: Disruptor, take: (bytes: Uint8Array) => boolean): void {
  for (;;) {
    for (const buffer of disruptor.consumeNewSync())
      for (let at = 0; at < buffer.length; at += BYTES) if (take(buffer.subarray(at, at + BYTES))) return;
    disruptor.consumeCommit();
  }
}

function ping(there: Disruptor, back: Disruptor): void {
  const latencies = new Latencies(run);
  const message = new Message();
  let trips = 0;
  latencies.next();
  send(there, message.fill(0, false));
  receive(back, (bytes) => {
    checkBytes(bytes, trips++);
    let isOver = false;
    if (trips % BATCH === 0) {
      latencies.add(BATCH);
      isOver = !latencies.next();
    }
    send(there, message.fill(trips, isOver));
    return isOver;
  });
  latencies.report(trips);
}

function pong(there: Disruptor, back: Disruptor): void {
  let trips = 0;
  receive(there, (bytes) => {
    if (checkBytes(bytes, trips++)) return true;
    send(back, bytes);
    return false;
  });
}

function receiveAll(messages: Disruptor): void {
  const rate = new Rate(run);
  let number = 0;
  receive(messages, (bytes) => {
    if (checkBytes(bytes, number)) return true;
    rate.count(number++);
    return false;
  });
  rate.report(number);
}

function sendAll(messages: Disruptor): void {
  const duration = new Duration(run);
  const message = new Message();
  for (let number = 0, isLast = false; !isLast; number++) {
    isLast = duration.isOver(number);
    send(messages, message.fill(number, isLast));
  }
}

const names = run.benchmark.endsWith("round-trip") ? ["there", "back"] : ["messages"];
if (!isNear) await receiversReady(run);
const rings = names.map((name) => ring(name, (name === "there") !== isNear));
if (isNear) announce(run);
if (names.length === 2) (isNear ? ping : pong)(rings[0], rings[1]);
else (isNear ? receiveAll : sendAll)(rings[0]);
if (isNear) for (const name of names) unlinkSync(`/dev/shm/${run.name}-${name}`);
for (const disruptor of rings) disruptor.release();
