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

/** Has the lock while `use` runs; `waits` is called first when it was not available at once. */
type Turn = (use: () => void, waits: () => void) => Promise<void>;

interface Held {
  release(): void;
}

/** Tries, then waits. */
const turnOf =
  (attempt: () => Held | undefined, lock: () => Promise<Held> | Held): Turn =>
  async (use, waits) => {
    let held = attempt();
    if (held === undefined) {
      waits();
      held = await lock();
    }
    use();
    held.release();
  };

/** What one process has seen; its number of locks, and of each wait the time in ns and how often others went first. */
interface Seen {
  readonly own: number;
  readonly waits: [ns: number, passes: number][];
}

const TURNS: Record<string, (app: Region) => Promise<Turn>> = {
  async mutex(app) {
    const mutex = await app.mutex("lock");
    return turnOf(
      () => mutex.tryLock(),
      () => (isAwaited ? mutex.lock() : mutex.lockSync()),
    );
  },
  async rwlock(app) {
    const rwlock = await app.rwlock("lock");
    return turnOf(
      () => rwlock.tryLock(),
      () => (isAwaited ? rwlock.lock() : rwlock.lockSync()),
    );
  },
  async semaphore(app) {
    const semaphore = await app.semaphore("lock", { permits: 1 });
    return turnOf(
      () => semaphore.tryAcquire(),
      () => (isAwaited ? semaphore.acquire() : semaphore.acquireSync()),
    );
  },
  async "web-locks"(app) {
    return Promise.resolve(async (use, waits) => {
      const isTaken = await app.locks.request("lock", { ifAvailable: true }, (lock) => {
        if (lock !== null) use();
        return lock === null;
      });
      if (!isTaken) return;
      waits();
      await app.locks.request("lock", use);
    });
  },
};

/** Wants the lock all the time, one turn after the other; answers how many. */
async function want(
  turn: Turn,
  seen: Seen["waits"],
  passes: { value: bigint; addSync(by?: bigint | number): bigint },
): Promise<number> {
  const begun = performance.now();
  const countsFrom = begun + run.warmMs;
  const until = countsFrom + run.measureMs;
  let own = 0;
  for (let at = begun; at < until; at = performance.now()) {
    let wait: { readonly from: number; readonly before: number } | undefined;
    const use = (): void => {
      if (wait !== undefined && at >= countsFrom) seen.push([now() - wait.from, Number(passes.value) - wait.before]);
      passes.addSync();
      own++;
      const since = now();
      while (now() - since < HOLD_NS);
    };
    await turn(use, () => {
      wait = { before: Number(passes.value), from: now() };
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
announce(run);
await receiversReady(run, PROCESSES);
const waits: Seen["waits"] = [];
const own = await want(await TURNS[kind](app), waits, passes);
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
