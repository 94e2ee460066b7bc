/** The interface of Web Locks: shmkit's, between processes, and Node's own, which is for the threads of one process. */
import { open } from "shmkit";
import { Latencies, parseRun, wrong } from "./run.js";

/** What both of them are. */
interface Locks {
  request(name: string, callback: () => void): Promise<unknown>;
  query(): Promise<{ held?: readonly unknown[] }>;
}

const BATCH = 32;
const run = parseRun();
const app = run.role === "shmkit" ? await open(run.name, { size: "1MiB" }) : undefined;
const locks = app?.locks ?? (globalThis as unknown as { navigator: { locks: Locks } }).navigator.locks;

const latencies = new Latencies(run);
let granted = 0;
const grant = (): void => void granted++;
let requests = 0;
while (latencies.next()) {
  for (let i = 0; i < BATCH; i++, requests++) await locks.request("lock", grant);
  latencies.add(BATCH);
}
if (granted !== requests) wrong("grants", granted, requests);
const { held } = await locks.query();
if (held?.length !== 0) wrong("locks held", held?.length, 0);
latencies.report(granted);
await app?.close();
