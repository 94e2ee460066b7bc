/** A process that only is there: with 1,000 pipes open, and waiting on all of them, or with nothing of the library. */
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { open } from "shmkit";
import { parseRun } from "./run.js";

const PIPES = 1000;
/** What a process does once after its start (compiling, collecting) is not what it does when idle. */
const SETTLE_MS = 10_000;

const run = parseRun();

interface Usage {
  readonly cpuMs: number;
  /** Voluntary context switches by thread: how often each went to sleep. */
  readonly sleeps: ReadonlyMap<string, number>;
}

/** Processor time is in ticks of 10 ms in /proc; schedstat has it in nanoseconds. */
function usage(): Usage {
  const sleeps = new Map<string, number>();
  let cpuMs = 0;
  for (const thread of readdirSync("/proc/self/task")) {
    const folder = `/proc/self/task/${thread}`;
    const status = readFileSync(`${folder}/status`, "utf8");
    sleeps.set(thread, Number(/^voluntary_ctxt_switches:\s+(\d+)$/m.exec(status)?.[1] ?? NaN));
    cpuMs += Number(readFileSync(`${folder}/schedstat`, "utf8").split(" ")[0]) / 1e6;
  }
  return { cpuMs, sleeps };
}

async function measure(): Promise<void> {
  await sleep(SETTLE_MS);
  const begun = performance.now();
  const before = usage();
  await sleep(run.measureMs);
  const after = usage();
  const seconds = (performance.now() - begun) / 1000;
  const perThread = [...after.sleeps].map(([thread, count]) => (count - (before.sleeps.get(thread) ?? 0)) / seconds);
  const wakeUps = perThread.reduce((sum, each) => sum + each, 0);
  const value = (after.cpuMs - before.cpuMs) / seconds / 10;
  process.stdout.write(`${JSON.stringify({ value, wakeUps, checked: after.sleeps.size })}\n`);
}

if (run.role === "node") await measure();
else {
  const app = await open(run.name, { size: "64MiB" });
  const pipes = [];
  for (let i = 0; i < PIPES; i++) pipes.push(await app.pipe<string>(`pipe ${i}`, { capacity: 16, maxLeased: 1 }));
  const waits = run.role === "waiting" ? pipes.map((pipe) => pipe.receive()) : [];
  await measure();
  // Each of them must have been open, and waited on.
  for (const [i, pipe] of pipes.entries()) await pipe.send(`to ${i}`);
  const received = waits.length > 0 ? await Promise.all(waits) : await Promise.all(pipes.map((pipe) => pipe.receive()));
  for (const [i, text] of received.entries()) if (text !== `to ${i}`) throw new Error(`pipe ${i} gave ${text}`);
  await app.close();
}
