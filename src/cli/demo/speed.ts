import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { Region } from "#shmkit";
import type { Child, Children } from "./children.js";

export type Transport = "shmkit" | "Unix socket" | "process.send";
export type MessageKind = "object" | "bytes";

/** Messages per second of one way to send one kind of message. */
export interface Speed {
  readonly transport: Transport;
  readonly kind: MessageKind;
  readonly messagesPerSecond: number;
}

const OBJECT = { id: 1, name: "resize", url: "https://example.org/images/1.png", tags: ["small", "square"] };
export const MESSAGE_BYTES = 64;
/** Messages between two looks at the clock. */
const BURST = 64;
/** Longest time without a turn of the event loop, so that Ctrl-C works. */
const TURN_MS = 20;

const PROGRAM = "./speed-receiver.js";

/** Measures one way: a process of its own receives and counts, this one sends as fast as it is let. */
export async function measure(
  children: Children,
  transport: Transport,
  kind: MessageKind,
  durationMs: number,
  signal: AbortSignal,
): Promise<Speed> {
  const send = { shmkit: throughRegion, "Unix socket": throughSocket, "process.send": throughProcess }[transport];
  const { received, seconds } = await send(children, kind, durationMs, signal);
  return { transport, kind, messagesPerSecond: received / seconds };
}

interface Count {
  readonly received: number;
  readonly seconds: number;
}

/** Runs bursts until the time is over; `burst` resolves to false when it has let the event loop turn itself. */
async function forTime(durationMs: number, signal: AbortSignal, burst: () => Promise<void> | undefined): Promise<void> {
  const end = performance.now() + durationMs;
  let turnAt = 0;
  for (let now = performance.now(); now < end; now = performance.now()) {
    const waiting = burst();
    if (waiting !== undefined) await waiting;
    if (waiting !== undefined || now >= turnAt) {
      await setImmediate();
      signal.throwIfAborted();
      turnAt = performance.now() + TURN_MS;
    }
  }
}

/** The receiver's count, over the time from the first message to the receiver's word that it has the last. */
async function counted(receiver: Child, startedAt: number): Promise<Count> {
  const received = (await receiver.says()) as number;
  const seconds = (performance.now() - startedAt) / 1000;
  await receiver.succeeds();
  return { received, seconds };
}

async function throughRegion(
  children: Children,
  kind: MessageKind,
  durationMs: number,
  signal: AbortSignal,
): Promise<Count> {
  const name = `demo-${process.pid}-speed`;
  const region = await Region.create(name, { size: "4MiB", maxSize: "16MiB", label: "sender", signal });
  try {
    const pipe = await region.pipe("messages", { capacity: 1024, signal });
    const receiver = children.start(PROGRAM, ["shmkit", kind, name]);
    await receiver.says();
    const bytes = new Uint8Array(MESSAGE_BYTES);
    const startedAt = performance.now();
    await forTime(durationMs, signal, () => {
      for (let i = 0; i < BURST; i++) {
        if (kind === "bytes") pipe.sendBytesSync(bytes, { timeoutMs: 5000 });
        else pipe.sendSync(OBJECT, { timeoutMs: 5000 });
      }
      return undefined;
    });
    await pipe.close({ signal });
    return await counted(receiver, startedAt);
  } finally {
    await children.end();
    await region.close();
  }
}

async function throughSocket(
  children: Children,
  kind: MessageKind,
  durationMs: number,
  signal: AbortSignal,
): Promise<Count> {
  // A name in Linux's abstract namespace leaves no file behind.
  const path = `\0shmkit-demo-${process.pid}`;
  const server: Server = createServer().listen(path);
  try {
    await once(server, "listening", { signal });
    const receiver = children.start(PROGRAM, ["socket", kind, path.slice(1)]);
    const [socket] = (await once(server, "connection", { signal })) as [Socket];
    const bytes = new Uint8Array(MESSAGE_BYTES);
    const startedAt = performance.now();
    await forTime(durationMs, signal, () => {
      for (let i = 0; i < BURST; i++) {
        const goOn = socket.write(kind === "bytes" ? bytes : `${JSON.stringify(OBJECT)}\n`);
        if (!goOn) return once(socket, "drain", { signal }).then(() => undefined);
      }
      return undefined;
    });
    socket.end();
    return await counted(receiver, startedAt);
  } finally {
    await children.end();
    server.close();
  }
}

async function throughProcess(
  children: Children,
  kind: MessageKind,
  durationMs: number,
  signal: AbortSignal,
): Promise<Count> {
  // Node's channel carries bytes as such only in its "advanced" form.
  const receiver = children.start(PROGRAM, ["channel", kind], kind === "bytes" ? "advanced" : "json");
  try {
    await receiver.says();
    const bytes = new Uint8Array(MESSAGE_BYTES);
    const message = kind === "bytes" ? bytes : OBJECT;
    const startedAt = performance.now();
    await forTime(durationMs, signal, () => {
      for (let i = 1; i < BURST; i++) receiver.tell(message);
      return new Promise((told) => {
        if (receiver.tell(message, () => told())) told();
      });
    });
    receiver.tell("end");
    return await counted(receiver, startedAt);
  } finally {
    await children.end();
  }
}
