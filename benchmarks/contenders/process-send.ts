/** `process.send` between a process and its child: `process-send.js … ROLE`, which is the parent's; the child has the other. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { checkObject, Message, smallObject, type SmallObject } from "./messages.js";
import { Duration, Latencies, parseRun, Rate } from "./run.js";

const run = parseRun();

/** What this contender's environment says: the program that binds to a core, and how messages are serialised. */
const LAUNCHER = process.env.SHMKIT_BENCH_LAUNCHER ?? "";
const SERIALIZATION = run.role.endsWith("advanced") ? "advanced" : "json";

/** Messages on their way before a sender waits: without that, they would pile up in its memory. */
const WINDOW = 256;

const received = new Message();

type Value = SmallObject | Uint8Array;

/** JSON has no bytes: there, objects travel. */
const carriesBytes = run.benchmark !== "object" && SERIALIZATION === "advanced";

function make(number: number, isLast: boolean): Value {
  return carriesBytes ? new Message().fill(number, isLast) : smallObject(number, isLast);
}

function check(value: Value, number: number): boolean {
  return value instanceof Uint8Array ? received.take(value).check(number) : checkObject(value, number);
}

function startChild(): ChildProcess {
  const core = run.cores[1] ?? -1;
  return fork(fileURLToPath(import.meta.url), process.argv.slice(2), {
    execPath: LAUNCHER,
    execArgv: ["pin", core < 0 ? "any" : `${core}`, process.execPath],
    serialization: SERIALIZATION,
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(`the child ended with ${child.signalCode ?? child.exitCode}`);
}

async function receiveAll(child: ChildProcess): Promise<void> {
  const rate = new Rate(run);
  let number = 0;
  await new Promise<void>((resolve) => {
    child.on("message", (value) => {
      if (check(value as Value, number)) resolve();
      else rate.count(number++);
    });
  });
  rate.report(number);
  await endOf(child);
}

async function sendAll(send: (value: Value, sent: () => void) => void): Promise<void> {
  const duration = new Duration(run);
  let open = 0;
  let goOn: (() => void) | undefined;
  const sent = (): void => {
    open--;
    goOn?.();
  };
  const turn = (): Promise<void> => new Promise<void>((resolve) => (goOn = resolve));
  for (let number = 0; ; number++) {
    const isLast = duration.isOver(number);
    open++;
    send(make(number, isLast), sent);
    if (isLast) break;
    while (open >= WINDOW) await turn();
  }
  while (open > 0) await turn();
}

async function ping(child: ChildProcess): Promise<void> {
  const latencies = new Latencies(run);
  let trips = 0;
  const goOn = (): void => {
    child.send(make(trips, !latencies.next()));
  };
  child.on("message", (value) => {
    check(value as Value, trips++);
    latencies.add(1);
    goOn();
  });
  goOn();
  await endOf(child);
  latencies.report(trips);
}

if (process.send === undefined) {
  const child = startChild();
  await (run.benchmark.endsWith("round-trip") ? ping(child) : receiveAll(child));
} else if (run.benchmark.endsWith("round-trip")) {
  let trips = 0;
  process.on("message", (value) => {
    if (check(value as Value, trips++)) process.disconnect();
    else process.send?.(value);
  });
} else {
  await sendAll((value, sent) => process.send?.(value, sent));
  process.disconnect();
}
