/**
 * A thousand waits on each object, of two processes and a thread. Some end by their deadline, some by a signal that many
 * share; then one of the processes is killed. All others go on, each once.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { MutexGuard, Region } from "shmkit";
import { open } from "shmkit";
import { RATE_LIMITER_WORD } from "#src/sync/rate-limiter.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until, type Script } from "./helpers/process-member.js";

/** Waits of each member on each object: every fifth one has a deadline, and another fifth is aborted. */
const WAITS = 335;
const SETTLED = { "in time": (WAITS * 3) / 5, ERR_TIMEOUT: WAITS / 5, enough: WAITS / 5 };
/** Of the two members that live. */
const IN_TIME = 2 * SETTLED["in time"];
/** Members that wait for the barrier, and who keeps it closed. */
const PARTIES = 4;

interface Asked {
  readonly waits: number;
  readonly parties: number;
}
/** How a member's waits on one object ended: how often in which way. */
type Endings = Record<string, number>;

/** Begins all waits; answers when those with a deadline are over. */
const wait: Script<Asked, undefined> = async ({ region, kept }, { waits, parties }) => {
  const [mutex, stock] = [await region.mutex("mutex"), await region.mutex("stock")];
  const semaphore = await region.semaphore("semaphore", { permits: 0 });
  const limiter = await region.rateLimiter("limiter");
  const barrier = await region.barrier("barrier", { parties });
  const rwlock = await region.rwlock("rwlock");
  const condition = await region.condition("condition");
  const event = await region.event("event", { manualReset: false });
  const [latch, once] = [await region.latch("latch"), await region.doOnce("once")];
  const [flag, counter] = [await region.flag("flag"), await region.counter("counter")];
  const warnings: string[] = [];
  process.on("warning", ({ name }) => warnings.push(name));
  const [never, enough] = [new AbortController(), new AbortController()];
  type Options = { signal?: AbortSignal; timeoutMs?: number };
  const count = (guard: MutexGuard): void => {
    guard.set(0, guard.get(0) + 1);
    guard.release();
  };
  const kinds: Record<string, (options: Options, i: number) => Promise<unknown>> = {
    mutex: async (options) => count(await mutex.lock(options)),
    semaphore: (options) => semaphore.wait(options),
    "rate limiter": (options) => limiter.take(1, options),
    barrier: (options) => barrier.wait(options),
    "readers–writer lock": async (options, i) =>
      (await (i % 2 === 0 ? rwlock.lock(options) : rwlock.lockShared(options))).release(),
    "Web Locks": (options) => region.locks.request("name", options, () => undefined),
    condition: async (options) => {
      const guard = await stock.lock();
      try {
        await condition.wait(guard, options);
      } finally {
        count(guard);
      }
    },
    event: (options) => event.wait(options),
    latch: (options) => latch.wait(options),
    once: (options) => once.run(() => undefined, options),
    flag: (options) => flag.waitFor(true, options),
    counter: (options) => counter.waitFor(1n, options),
  };
  const late: Promise<unknown>[] = [];
  for (const [kind, begin] of Object.entries(kinds)) {
    const all = Array.from({ length: waits }, async (_, i) => {
      const isLate = i % 5 === 0;
      const ending = begin(isLate ? { timeoutMs: 20 } : { signal: i % 5 === 1 ? enough.signal : never.signal }, i).then(
        () => "in time",
        (error: Error & { code?: string }) => error.code ?? error.message,
      );
      if (isLate) late.push(ending);
      return ending;
    });
    kept.set(kind, Promise.all(all));
  }
  kept.set("warnings", warnings);
  kept.set("abort", () => enough.abort(Object.assign(new Error("enough"), { code: undefined })));
  await Promise.all(late);
};

const abort: Script<undefined, void> = ({ kept }) => (kept.get("abort") as () => void)();

const endings: Script<string, Endings> = async ({ kept }, kind) => {
  const counts: Record<string, number> = {};
  for (const ending of await (kept.get(kind) as Promise<string[]>)) counts[ending] = (counts[ending] ?? 0) + 1;
  return counts;
};

const warned: Script<undefined, string[]> = ({ kept }) => kept.get("warnings") as string[];

describe("a thousand waits", { timeout: 120_000 }, () => {
  const name = uniqueRegionName("thousand");
  let region: Region;
  let living: ProcessMember[];
  const letGo = new Map<string, () => unknown>();
  const then = new Map<string, () => unknown>();

  /** What keeps them waiting, how they are let go, and what must be so afterwards. */
  async function keepWaiting(): Promise<void> {
    const guard = await (await region.mutex("mutex")).lock();
    letGo.set("mutex", () => guard.release());
    const taken = async (mutex: string, count: number): Promise<void> => {
      using guard = await (await region.mutex(mutex)).lock();
      assert.equal(guard.get(0), count);
    };
    then.set("mutex", () => taken("mutex", IN_TIME));

    const semaphore = await region.semaphore("semaphore", { permits: 0 });
    letGo.set("semaphore", () => semaphore.post(IN_TIME));
    then.set("semaphore", () => assert.equal(semaphore.available, 0));

    const limiter = await region.rateLimiter("limiter", { tokens: 1, intervalMs: 2 ** 31 - 1, burst: 2 * IN_TIME });
    await limiter.take(2 * IN_TIME);
    letGo.set("rate limiter", () => {
      // As if all that time had passed.
      new Float64Array(limiter["words"].buffer)[(limiter["base"] + RATE_LIMITER_WORD.fullAt) / 2] = 0;
      limiter["turns"].ringFirst();
    });
    then.set("rate limiter", () => {
      const { taken, available, waiting } = limiter.statistics();
      assert.deepEqual({ taken, available, waiting }, { taken: 3 * IN_TIME, available: IN_TIME, waiting: [] });
    });

    const barrier = await region.barrier("barrier", { parties: PARTIES });
    await barrier.enrol();
    letGo.set("barrier", async () => {
      const { generation, leader, lost } = await barrier.wait();
      assert.deepEqual({ generation, leader, lost: lost.length }, { generation: 0, leader: true, lost: 1 });
    });

    const rwlock = await region.rwlock("rwlock");
    const writing = await rwlock.lock();
    letGo.set("readers–writer lock", () => writing.release());
    then.set("readers–writer lock", () => rwlock.tryLock()!.release());

    let release = (): void => undefined;
    const isHeld = new Promise<void>((resolve) => {
      void region.locks.request("name", () => {
        resolve();
        return new Promise<void>((done) => (release = done));
      });
    });
    await isHeld;
    letGo.set("Web Locks", () => release());
    then.set("Web Locks", async () => assert.deepEqual(await region.locks.query(), { held: [], pending: [] }));

    const condition = await region.condition("condition");
    letGo.set("condition", () => assert.equal(condition.notifyAll(), IN_TIME));
    // Who was not woken has the mutex when its wait ends, too.
    then.set("condition", () => assert.deepEqual(condition.statistics().waiting, []));

    const event = await region.event("event", { manualReset: false });
    letGo.set("event", () => {
      for (let i = 0; i < IN_TIME; i++) event.set();
    });
    then.set("event", () => assert.deepEqual([event.isSet, event.statistics().waits], [false, 0]));

    const latch = await region.latch("latch");
    letGo.set("latch", () => latch.countDown());
    let isDone = (): void => undefined;
    const once = await region.doOnce("once");
    void once.run(() => new Promise<undefined>((resolve) => (isDone = () => resolve(undefined))));
    letGo.set("once", () => isDone());
    const flag = await region.flag("flag");
    letGo.set("flag", () => flag.set());
    const counter = await region.counter("counter");
    letGo.set("counter", () => counter.add(1n));
  }

  before(async () => {
    region = await open(name, { size: "2MiB", maxSize: "16MiB", maxMembers: 8 });
    await keepWaiting();
    const [doomed, ...others] = await Promise.all([
      ProcessMember.start({ region: name }),
      ProcessMember.start({ region: name }),
      ProcessMember.startWorker({ region: name }),
    ]);
    living = others;
    await Promise.all([doomed, ...living].map((member) => member.run(wait, { waits: WAITS, parties: PARTIES })));
    await Promise.all(living.map((member) => member.run(abort)));
    await doomed.kill();
    await until(() => region.members().length === PARTIES - 1);
  });
  after(() => region.close());

  for (const kind of [
    "mutex",
    "semaphore",
    "rate limiter",
    "barrier",
    "readers–writer lock",
    "Web Locks",
    "condition",
    "event",
    "latch",
    "once",
    "flag",
    "counter",
  ])
    test(`on one ${kind}`, async () => {
      await letGo.get(kind)!();
      for (const member of living) assert.deepEqual(await member.run(endings, kind), SETTLED);
      await then.get(kind)?.();
    });

  test("warn of nothing, such as many listeners of one signal", async () => {
    for (const member of living) assert.deepEqual(await member.run(warned), []);
  });
});
