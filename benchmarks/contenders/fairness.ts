/**
 * Eight processes want one lock all the time and hold it for 20 µs: for how long those wait that find it taken, and how often
 * others get it meanwhile.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { open, type Region } from "shmkit";
import { announce, now, parseRun, receiversReady, reportWaits, wrong } from "./run.js";

const PROCESSES = 8;
const HOLD_NS = 20_000;
const DONE = "done-";

const run = parseRun();
const isAwaited = run.benchmark.endsWith("-await");

interface Held {
  release(): void;
}
/** A lock as all kinds have it. */
interface Lock {
  try(): Held | undefined;
  lock(): Promise<Held> | Held;
}

/** What one process has seen; its number of locks, and of each wait the time in ns and how often others went first. */
interface Seen {
  readonly own: number;
  readonly waits: [ns: number, passes: number][];
}

const LOCKS: Record<string, (app: Region) => Promise<Lock>> = {
  async mutex(app) {
    const mutex = await app.mutex("lock");
    return { try: () => mutex.tryLock(), lock: () => (isAwaited ? mutex.lock() : mutex.lockSync()) };
  },
  async rwlock(app) {
    const rwlock = await app.rwlock("lock");
    return { try: () => rwlock.tryLock(), lock: () => (isAwaited ? rwlock.lock() : rwlock.lockSync()) };
  },
  async semaphore(app) {
    const semaphore = await app.semaphore("lock", { permits: 1 });
    return {
      try: () => semaphore.tryAcquire(),
      lock: () => (isAwaited ? semaphore.acquire() : semaphore.acquireSync()),
    };
  },
};

/** Wants the lock all the time, one after the other. */
async function want(
  lock: Lock,
  seen: Seen,
  passes: { value: bigint; addSync(by?: bigint | number): bigint },
): Promise<number> {
  const begun = performance.now();
  const countsFrom = begun + run.warmMs;
  const until = countsFrom + run.measureMs;
  let own = 0;
  for (let at = begun; at < until; at = performance.now()) {
    let held = lock.try();
    if (held === undefined) {
      const before = Number(passes.value);
      const from = now();
      held = await lock.lock();
      if (at >= countsFrom) seen.waits.push([now() - from, Number(passes.value) - before]);
    }
    passes.addSync();
    own++;
    const since = now();
    while (now() - since < HOLD_NS);
    held.release();
  }
  return own;
}

/** The same by names: what is not available at once is waited for. */
async function wantByName(
  app: Region,
  seen: Seen,
  passes: { value: bigint; addSync(by?: bigint | number): bigint },
): Promise<number> {
  const begun = performance.now();
  const countsFrom = begun + run.warmMs;
  const until = countsFrom + run.measureMs;
  let own = 0;
  const hold = (): void => {
    passes.addSync();
    own++;
    const since = now();
    while (now() - since < HOLD_NS);
  };
  for (let at = begun; at < until; at = performance.now()) {
    const isTaken = await app.locks.request("lock", { ifAvailable: true }, (lock) => {
      if (lock !== null) hold();
      return lock === null;
    });
    if (!isTaken) continue;
    const before = Number(passes.value);
    const from = now();
    await app.locks.request("lock", () => {
      if (at >= countsFrom) seen.waits.push([now() - from, Number(passes.value) - before]);
      hold();
    });
  }
  return own;
}

const app = await open(run.name, { size: "1MiB" });
const passes = await app.counter("passes");
const kind = run.benchmark
  .split("-")
  .slice(1)
  .join("-")
  .replace(/-await$/, "");
const lock = await LOCKS[kind]?.(app);
announce(run);
await receiversReady(run, PROCESSES);
const waits: Seen["waits"] = [];
const mine = { own: 0, waits };
const own = await (lock === undefined ? wantByName(app, mine, passes) : want(lock, mine, passes));
if (run.role !== "near") {
  const file = join(run.folder, `${DONE}${run.role}`);
  writeFileSync(`${file}.part`, JSON.stringify({ own, waits }));
  renameSync(`${file}.part`, file);
} else {
  const names = (): string[] =>
    readdirSync(run.folder).filter((name) => name.startsWith(DONE) && !name.endsWith(".part"));
  while (names().length < PROCESSES - 1) await sleep(5);
  const others = names().map((name) => JSON.parse(readFileSync(join(run.folder, name), "utf8")) as Seen);
  const total = others.reduce((sum, seen) => sum + seen.own, own);
  if (total !== Number(passes.value)) wrong("locks counted", passes.value, total);
  reportWaits([waits, ...others.map((seen) => seen.waits)].flat(), total);
}
await app.close();
