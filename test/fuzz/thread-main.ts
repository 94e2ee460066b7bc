/** The threads beside the one that runs a case: a member that does everything, and somebody who writes into its memory. */
import { closeSync, openSync, writeSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { parentPort } from "node:worker_threads";
import { watchAllocations } from "./allocation-watch.js";
import type { ScribbledHit } from "./cases.js";

watchAllocations();
const { Region } = await import("shmkit");
const { Random } = await import("../helpers/process-random.js");
const { callsOf, takeInHands } = await import("./calls.js");
const { Judge } = await import("./judge.js");

/** What a thread is told. */
export type ToThread =
  | { readonly use: string; readonly seed: number }
  | { readonly scribble: string; readonly hits: readonly ScribbledHit[]; readonly seed: number }
  | { readonly stop: true };

const port = parentPort!;
let stopping = false;

async function use(name: string, seed: number): Promise<void> {
  const random = new Random(seed);
  const judge = new Judge();
  const region = await Region.open(name);
  const hands = await takeInHands(region);
  port.postMessage({ ready: true });
  while (!stopping) {
    const { label, act, isValid } = random.of(callsOf(hands, random));
    await judge.call(`thread: ${label}`, act, isValid);
    await nextTurn();
  }
  await judge.call("thread: close", () => region.close());
  port.postMessage({ findings: judge.findings });
}

async function scribble(path: string, hits: readonly ScribbledHit[], seed: number): Promise<void> {
  const random = new Random(seed);
  const file = openSync(path, "r+");
  while (!stopping) {
    for (let burst = 0; burst < 50; burst++) {
      const { offset, bytes, before } = random.of(hits);
      writeSync(file, bytes, 0, bytes.length, offset);
      for (let pause = random.below(2000); pause > 0; pause--);
      if (random.below(16) !== 0) writeSync(file, before, 0, before.length, offset);
    }
    await nextTurn();
  }
  closeSync(file);
  port.postMessage({ findings: undefined });
}

port.on("message", (message: ToThread) => {
  if ("stop" in message) {
    stopping = true;
    return;
  }
  stopping = false;
  if ("use" in message) void use(message.use, message.seed);
  else void scribble(message.scribble, message.hits, message.seed);
});
