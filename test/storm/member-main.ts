/**
 * A member in the storm, a process or a worker thread: does one step after the other, whatever the seed says, and writes
 * down what it is about to do and what came of it.
 */
import { readlinkSync } from "node:fs";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { open } from "shmkit";
import { Random } from "../helpers/process-random.js";
import { LitFuse } from "./fuse.js";
import { Journal } from "./journal.js";
import { MemberSteps } from "./member-steps.js";
import { WorkerHost } from "./worker-host.js";
import { openObjects, useWallClock, type Beginning } from "./plan.js";

/** What a member tells the controller. */
export type FromMember =
  /** It has joined; the process id as the whole machine knows it, also from inside a namespace. */
  { readonly joined: number } | { readonly stopped: true } | { readonly fault: string };
export type ToMember = "stop" | "leave";

const beginning = (isMainThread ? JSON.parse(process.argv[2]) : workerData) as Beginning;
if (beginning.wallClock === true) useWallClock();
const journal = new Journal(beginning.journal);
const fuse = beginning.fuse && new LitFuse(beginning.fuse, () => journal.write("dying"));

function tell(message: FromMember): void {
  if (isMainThread) process.send!(message);
  else parentPort!.postMessage(message);
}

function hostProcessId(): number {
  // In another PID namespace, where /proc is still that of the machine.
  return Number(readlinkSync("/proc/self"));
}

let stop: () => void = () => undefined;
let leave: () => void = () => undefined;
const stopping = new Promise<void>((resolve) => (stop = resolve));
const leaving = new Promise<void>((resolve) => (leave = resolve));
if (isMainThread) {
  process.on("message", (message: ToMember) => (message === "stop" ? stop() : leave()));
  // Whoever directs the storm is gone.
  process.on("disconnect", () => process.exit(1));
}

try {
  journal.write("begin", "join");
  fuse?.begin("join");
  const region = await open(beginning.region, { label: beginning.label });
  const objects = await openObjects(region);
  journal.write("joined");
  tell({ joined: isMainThread ? hostProcessId() : 0 });
  const random = new Random(beginning.seed);
  const host = beginning.hosts === true ? new WorkerHost(beginning, random) : undefined;
  const steps = new MemberSteps(beginning.number, region, objects, journal, random, (step) => fuse?.begin(step));
  let isStopping = false;
  void stopping.then(() => (isStopping = true));
  while (!isStopping) {
    await steps.next();
    host?.turn();
    // What the controller says comes through the event loop, which Sync calls alone would never reach.
    if (random.below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await host?.end();
  tell({ stopped: true });
  await leaving;
  journal.write("leaving");
  fuse?.begin("other");
  await region.close();
  journal.write("left");
} catch (error) {
  tell({ fault: `${beginning.label}: ${(error as Error).stack ?? String(error)}` });
}
if (isMainThread) {
  process.removeAllListeners("disconnect");
  process.disconnect();
} else parentPort!.close();
