/** For how long members have waited, and have had what others wait for: as onlookers see it, and never longer than it is. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { Region, type ObjectInfo, type Waiter } from "shmkit";
import { PAGE_WORDS } from "#src/heap/page-heap.js";
import type { NamedObject, ObjectContext } from "#src/heap/named-object.js";
import { leasePoint, readPoint, writePoint } from "#src/sync/wait-points.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until } from "./helpers/process-member.js";
import { joinRegion, testRegion } from "./helpers/process-regions.js";

const code = (expected: string) => ({ code: expected });
const pause = (ms = 3): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A moment later than any before it. */
async function aMoment(): Promise<number> {
  await pause();
  return Date.now();
}

/** Two members of one region. */
async function two(t: TestContext, what: string): Promise<[Region, Region]> {
  const name = uniqueRegionName(`since-${what}`);
  return [await joinRegion(t, name), await joinRegion(t, name)];
}

const contextOf = (object: unknown): ObjectContext => (object as { context: ObjectContext }).context;
const slots = (waiting: readonly Waiter[]): number[] => waiting.map(({ slot }) => slot);

function isBetween(since: Date | undefined, from: number, to = Date.now()): void {
  assert.ok(since !== undefined && +since >= from && +since <= to, `${+since!} is between ${from} and ${to}`);
}

/** Who waits for an object of a kind, as statistics and the view from outside say it. */
const WAITING: Readonly<Record<string, (object: ObjectInfo) => readonly Waiter[]>> = {
  mutex: ({ mutex }) => mutex!.waiting,
  semaphore: ({ semaphore }) => semaphore!.waiting,
  "to read": ({ rwlock }) => rwlock!.waitingReaders,
  "to write": ({ rwlock }) => rwlock!.waitingWriters,
  condition: ({ condition }) => condition!.waiting,
  event: ({ event }) => event!.waiting,
  barrier: ({ barrier }) => barrier!.waiting,
  latch: ({ latch }) => latch!.waiting,
  once: ({ once }) => once!.waiting,
  limiter: ({ rateLimiter }) => rateLimiter!.waiting,
  pool: ({ segmentPool }) => segmentPool!.waiting,
  "to take back": ({ segmentPool }) => segmentPool!.takingBack,
  flag: ({ flag }) => flag!.waiting,
  counter: ({ counter }) => counter!.waiting,
  "/locks": ({ locks }) => locks!.pending,
};

describe("who waits", () => {
  test("says since when, whatever for", async (t) => {
    const app = await testRegion(t, "since");
    const guard = await (await app.mutex("mutex")).lock();
    await (await app.semaphore("semaphore")).acquire();
    await (await app.rwlock("to read")).lock();
    await (await app.rwlock("to write")).lockShared();
    await (await app.rateLimiter("limiter", { intervalMs: 2 ** 31 - 1 })).take();
    await (await app.segmentPool("pool", { segments: 1, segmentBytes: 8 })).acquire();
    const onceWaits = new Promise<undefined>((resolve) => void setTimeout(() => resolve(undefined), 2 ** 30).unref());
    void (await app.doOnce("once")).run(() => onceWaits).catch(() => undefined);
    void app.locks.request("lock", () => onceWaits).catch(() => undefined);
    const member = await ProcessMember.start({ region: app.name });
    const before = await aMoment();
    await member.run(async ({ region, kept }) => {
      const waits = [
        (await region.mutex("mutex")).lock(),
        (await region.semaphore("semaphore")).acquire(),
        (await region.rwlock("to read")).lockShared(),
        (await region.rwlock("to write")).lock(),
        (await region.condition("condition")).wait(await (await region.mutex("of condition")).lock()),
        (await region.event("event")).wait(),
        (await region.barrier("barrier")).wait(),
        (await region.latch("latch")).wait(),
        (await region.doOnce("once")).run(() => undefined),
        (await region.rateLimiter("limiter")).take(),
        (await region.segmentPool("pool")).acquire(),
        (await region.flag("flag")).waitFor(true),
        (await region.counter("counter")).waitFor(1),
        region.locks.request("lock", () => undefined),
      ];
      const lent = await region.segmentPool("to take back", { segments: 1, segmentBytes: 8 });
      waits.push(lent.takeBack((await lent.acquire()).handOver()));
      kept.set("waits", Promise.allSettled(waits));
    }, []);
    const facts = (): Map<string, ObjectInfo> =>
      new Map(Region.inspect(app.name)!.objects.map((object) => [object.name, object]));
    await until(() => {
      const found = facts();
      return Object.entries(WAITING).every(([name, waiting]) => waiting(found.get(name)!).length === 1);
    });
    const after = await aMoment();
    const here = facts();
    for (const [name, waiting] of Object.entries(WAITING)) {
      const [{ slot, since }] = waiting(here.get(name)!);
      assert.equal(slot, 1, name);
      isBetween(since, before, after);
    }
    assert.deepEqual((await app.flag("flag")).statistics(), { ...here.get("flag")!.flag, value: false, takeovers: 0 });
    assert.deepEqual((await app.counter("counter")).statistics(), here.get("counter")!.counter);
    await member.kill();
    await until(() => app.members().length === 1);
    for (const [name, waiting] of Object.entries(WAITING)) assert.deepEqual(waiting(facts().get(name)!), [], name);
    guard.release();
  });

  test("blocks its thread since then, too", async (t) => {
    const app = await testRegion(t, "since");
    const member = await ProcessMember.start({ region: app.name });
    const flag = await app.flag("f");
    const before = await aMoment();
    const waiting = member.run(({ region }) => region.flagSync("f").waitForSync(true), []);
    await until(() => flag.statistics().waiting.length === 1);
    const [{ slot, since }] = flag.statistics().waiting;
    assert.equal(slot, 1);
    isBetween(since, before);
    await flag.set();
    await waiting;
    assert.deepEqual(flag.statistics(), { value: true, waiting: [], takeovers: 0 });
  });

  test("has waited since the oldest of its waits began, and then since the next one", async (t) => {
    const app = await testRegion(t, "since");
    const event = await app.event("e");
    const since = (): Date => event.statistics().waiting[0].since;
    const begun: number[] = [];
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const waits = [];
    for (const { signal } of controllers) {
      begun.push(await aMoment());
      waits.push(event.wait({ signal }).catch(() => undefined));
    }
    isBetween(since(), begun[0], begun[1] - 1);
    controllers[1].abort();
    isBetween(since(), begun[0], begun[1] - 1);
    controllers[0].abort();
    isBetween(since(), begun[2]);
    controllers[2].abort();
    await Promise.all(waits);
    assert.deepEqual(event.statistics().waiting, []);
    const again = await aMoment();
    const last = event.wait();
    isBetween(since(), again);
    event.set();
    await last;
  });

  test("keeps its time while it is woken by a condition and waits for the mutex", async (t) => {
    const [app, other] = await two(t, "condition");
    const condition = await app.condition("c");
    const mutex = await app.mutex("m");
    const before = await aMoment();
    const waiting = condition.wait(await mutex.lock());
    const woken = await aMoment();
    const guard = await (await other.mutex("m")).lock();
    condition.notifyOne();
    await until(() => mutex.statistics().waiting.length === 1);
    const [{ since, waits }] = condition.statistics().waiting;
    assert.equal(waits, 1);
    isBetween(since, before, woken);
    isBetween(mutex.statistics().waiting[0].since, woken);
    isBetween(mutex.statistics().heldSince, woken);
    guard.release();
    await waiting;
  });
});

describe("who holds", () => {
  test("a readers–writer lock has had it at least since somebody waited for it", async (t) => {
    const [app, other] = await two(t, "rwlock");
    const [mine, theirs] = [await app.rwlock("r"), await other.rwlock("r")];
    const [reader, another] = [await mine.lockShared(), await theirs.lockShared()];
    assert.deepEqual(mine.statistics().readers, [
      { slot: 0, count: 1 },
      { slot: 1, count: 1 },
    ]);
    another.release();
    const before = await aMoment();
    await assert.rejects(theirs.lock({ timeoutMs: 1 }), code("ERR_TIMEOUT"));
    const after = await aMoment();
    isBetween(mine.statistics().readers[0].since, before, after);
    await assert.rejects(theirs.lock({ timeoutMs: 1 }), code("ERR_TIMEOUT"));
    isBetween(mine.statistics().readers[0].since, before, after);
    const writing = theirs.lock();
    assert.deepEqual(slots(mine.statistics().waitingWriters), [1], "it waits for readers alone, as the owner");
    isBetween(mine.statistics().waitingWriters[0].since, after);
    reader.release();
    const writer = await writing;
    assert.deepEqual([mine.statistics().writer, mine.statistics().heldSince], [1, undefined]);
    await assert.rejects(mine.lockShared({ timeoutMs: 1 }), code("ERR_TIMEOUT"));
    const held = mine.statistics().heldSince;
    isBetween(held, after);
    writer.downgrade("upgradable");
    assert.deepEqual([mine.statistics().writer, mine.statistics().heldSince], [undefined, held], "the same guard");
    await assert.rejects(mine.lockUpgradable({ timeoutMs: 1 }), code("ERR_TIMEOUT"));
    assert.deepEqual(mine.statistics().heldSince, held);
    writer.release();
    using _again = await mine.lockShared();
    assert.deepEqual(mine.statistics().readers, [{ slot: 0, count: 1 }], "reads anew");
    using _guard = await theirs.lockUpgradable();
    assert.equal(mine.statistics().heldSince, undefined, "another guard");
  });

  test("permits has had some at least since somebody waited for them", async (t) => {
    const [app, other] = await two(t, "semaphore");
    const [mine, theirs] = [await app.semaphore("s", { permits: 2 }), await other.semaphore("s")];
    const held = (): readonly { slot: number; permits: number; since?: Date }[] => mine.statistics().held;
    const leases = [await mine.acquire(), await mine.acquire()];
    assert.deepEqual(held(), [{ slot: 0, permits: 2 }]);
    const before = await aMoment();
    await assert.rejects(theirs.acquire({ timeoutMs: 1 }), code("ERR_TIMEOUT"));
    const after = await aMoment();
    isBetween(held()[0].since, before, after);
    leases[0].release();
    const theirLease = await theirs.acquire();
    assert.deepEqual(held()[1], { slot: 1, permits: 1 });
    await assert.rejects(theirs.acquire({ timeoutMs: 1 }), code("ERR_TIMEOUT"));
    isBetween(held()[0].since, before, after);
    isBetween(held()[1].since, after);
    leases[1].release();
    const again = mine.tryAcquire()!;
    assert.deepEqual(held()[0], { slot: 0, permits: 1 }, "had none in between");
    again.release();
    theirLease.release();
  });

  test("segments of a pool has had some at least since somebody waited for one", async (t) => {
    const [app, other] = await two(t, "pool");
    const [mine, theirs] = [await app.segmentPool("p", { segments: 2 }), await other.segmentPool("p")];
    const held = (): Date | undefined => mine.statistics().held[0].since;
    const segments = [await mine.acquire(), await mine.acquire()];
    assert.equal(held(), undefined);
    const before = await aMoment();
    await assert.rejects(theirs.acquire({ timeoutMs: 1 }), code("ERR_TIMEOUT"));
    const after = await aMoment();
    await assert.rejects(theirs.acquire({ timeoutMs: 1 }), code("ERR_TIMEOUT"));
    isBetween(held(), before, after);
    const ticket = segments[0].handOver();
    isBetween(held(), before, after);
    mine.takeOver(ticket).release();
    assert.equal(held(), undefined, "it has the other one since nobody knows when");
    segments[1].release();
  });

  test("the turn to do something once, and a named lock, says since when exactly", async (t) => {
    const [app, other] = await two(t, "exact");
    const once = await app.doOnce("o");
    const before = await aMoment();
    let end!: () => void;
    const ended = new Promise<undefined>((resolve) => (end = () => resolve(undefined)));
    const running = once.run(() => ended);
    const holding = app.locks.request("l", () => ended);
    const waiting = other.locks.request("l", () => pause(20));
    const locks = () => Region.inspect(app.name)!.objects.find(({ kind }) => kind === "locks")!.locks!;
    await until(() => locks().pending.length === 1);
    const after = await aMoment();
    isBetween((await other.doOnce("o")).statistics().since, before, after);
    const [[held], [pending]] = [locks().held, locks().pending];
    for (const time of [held.requestedAt, held.since, pending.since]) isBetween(time, before, after);
    assert.deepEqual(pending.since, pending.requestedAt);
    end();
    await holding;
    await until(() => locks().pending.length === 0);
    assert.deepEqual(locks().held[0].requestedAt, pending.requestedAt);
    isBetween(locks().held[0].since, after);
    await Promise.all([running, waiting]);
    assert.equal("since" in once.statistics(), false);
    const { held: left } = locks();
    assert.deepEqual(left, []);
  });

  test("the turn to do something once is told anew after one that failed, and after one that died", async (t) => {
    const app = await testRegion(t, "since-once");
    const once = await app.doOnce("o");
    await assert.rejects(
      once.run(() => {
        throw new Error("no");
      }),
      /no/,
    );
    const failed = await aMoment();
    const member = await ProcessMember.start({ region: app.name });
    await member.run(async ({ region }) => {
      void (await region.doOnce("o")).run(() => new Promise(() => undefined));
    }, []);
    isBetween(once.statistics().since, failed);
    const died = await aMoment();
    await member.kill();
    await once.run(() => {
      isBetween(once.statistics().since, died);
      return undefined;
    });
  });

  test("a mutex is told of by whoever has waited for a while, though it came after that one began", async (t) => {
    const [app, other] = await two(t, "lasting");
    const [mine, theirs] = [await app.mutex("m"), await other.mutex("m")];
    const first = await mine.lock();
    const member = await ProcessMember.start({ region: app.name });
    const waiting = member.run(({ region }) => void region.mutexSync("m").lockSync().release(), []);
    await until(() => mine.statistics().waiting.length === 1);
    isBetween(mine.statistics().heldSince, 0);
    await member.stop();
    first.release();
    const second = theirs.tryLock()!;
    assert.deepEqual([mine.statistics().ownerSlot, mine.statistics().heldSince], [1, undefined]);
    const before = await aMoment();
    process.kill(member.pid, "SIGCONT");
    await until(() => mine.statistics().heldSince !== undefined);
    isBetween(mine.statistics().heldSince, before);
    second.release();
    await waiting;
  });
});

test("whoever looks for deadlocks sees who began to wait last", async (t) => {
  const [app, other] = await two(t, "points");
  const [read, write, permits] = [await app.rwlock("r"), await app.rwlock("w"), await app.semaphore("s")];
  const held = [await read.lock(), await write.lockShared(), await permits.acquire()];
  const waits = [
    (await other.rwlock("r")).lockShared(),
    (await other.rwlock("w")).lock(),
    (await other.semaphore("s")).acquire(),
  ];
  const { member } = contextOf(read);
  const base = ({ ref }: NamedObject): number => ref.page * PAGE_WORDS;
  const seen = [
    readPoint(member, "r", base(read)),
    writePoint(member, "w", base(write)),
    leasePoint(member, "s", base(permits)),
  ].map((point) => Math.floor(point.since(1)));
  const told = [read.statistics().waitingReaders, write.statistics().waitingWriters, permits.statistics().waiting];
  assert.deepEqual(
    seen,
    told.map(([{ since }]) => +since),
  );
  for (const one of held) one.release();
  for (const one of await Promise.all(waits)) one.release();
});
