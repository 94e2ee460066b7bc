/** A worker thread of the same process. The main thread is the near side. Both are free to use the cores of the run. */
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type MessagePort, parentPort, Worker } from "node:worker_threads";
import { type Link, type Value, work } from "./link.js";
import { parseRun } from "./run.js";

const run = { ...parseRun(), role: parentPort === null ? "near" : "far" };

/** A sender waits while more messages than this are on their way: without that, they would pile up. */
const isBulk = run.benchmark.startsWith("bulk");
const WINDOW = isBulk ? 16 : 1024;
const CREDIT = isBulk ? 4 : 256;
/** What the receiver says when it has received that many more. */
const ACKNOWLEDGED = "acknowledged";

function linkOver(port: MessagePort | Worker): Link {
  const emitter: NodeJS.EventEmitter = port;
  const post = port.postMessage.bind(port);
  const isStream = !run.benchmark.endsWith("round-trip");
  let open = 0;
  let received = 0;
  let goOn: (() => void) | undefined;
  if (run.role === "far" && isStream)
    emitter.on("message", (value) => {
      if (value !== ACKNOWLEDGED) throw new Error("the far side of a stream receives nothing");
      open -= CREDIT;
      goOn?.();
      goOn = undefined;
    });
  return {
    keepsBytes: false,
    carriesObjects: false,
    send(value) {
      post(value);
      if (!isStream || ++open < WINDOW) return undefined;
      return new Promise<void>((resolve) => (goOn = resolve));
    },
    receive: (take) =>
      new Promise((resolve) => {
        emitter.on("message", (value: Value) => {
          if (isStream && ++received % CREDIT === 0) post(ACKNOWLEDGED);
          if (take(value)) resolve();
        });
      }),
  };
}

if (parentPort === null) {
  const worker = new Worker(fileURLToPath(import.meta.url), { argv: process.argv.slice(2) });
  const ended = once(worker, "exit");
  await work(run, linkOver(worker));
  await Promise.race([worker.terminate(), ended]);
} else {
  await work(run, linkOver(parentPort));
}
