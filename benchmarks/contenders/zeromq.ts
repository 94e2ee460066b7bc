/** zeromq over ipc://: a pair of sockets for round trips, push and pull for streams. */
import { join } from "node:path";
import { requireForeign } from "./foreign.js";
import { type Link, type Value, work } from "./link.js";
import type { SmallObject } from "./messages.js";
import { announce, parseRun, receiversReady } from "./run.js";

interface Socket {
  receive(): Promise<Buffer[]>;
  bind(address: string): Promise<void>;
  connect(address: string): void;
  send(message: Uint8Array | string): Promise<void>;
  close(): void;
}
const { Pair, Push, Pull } = requireForeign("zeromq") as Record<"Pair" | "Push" | "Pull", new () => Socket>;

const run = parseRun();
const address = `ipc://${join(run.folder, "zeromq")}`;
const isNear = run.role === "near";
const Kind = run.benchmark.endsWith("round-trip") ? Pair : isNear ? Pull : Push;
const socket = new Kind();
if (isNear) await socket.bind(address);
else socket.connect(address);

const link: Link = {
  keepsBytes: true,
  carriesObjects: false,
  send: (value: Value) => {
    const message = value instanceof Uint8Array ? value : JSON.stringify(value);
    return socket.send(message);
  },
  async receive(take) {
    for (;;) {
      const [message] = await socket.receive();
      if (take(run.benchmark === "object" ? (JSON.parse(message.toString()) as SmallObject) : message)) return;
    }
  },
};

await work(run, link);
// What is on its way when a process ends is lost: who sends the last message stays until the other side has it.
const sendsLast = run.benchmark.endsWith("round-trip") === isNear;
const receiversBefore = run.benchmark.endsWith("round-trip") ? 0 : 1;
if (sendsLast) await receiversReady(run, receiversBefore + 1);
else announce(run);
socket.close();
