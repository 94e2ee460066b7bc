/** Readers–writer locks: many who read, one who writes, upgradable in between. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { ShmkitError, type RwLock } from "shmkit";
import { joinRegion } from "./helpers/process-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

const code = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

async function lockOf(t: TestContext, name = uniqueRegionName("rwlock")): Promise<RwLock> {
  const app = await joinRegion(t, name);
  return app.rwlock("l");
}

describe("a readers–writer lock", () => {
  test("lets many read, or one write", async (t) => {
    const lock = await lockOf(t);
    const readers = [await lock.lockShared(), lock.lockSharedSync(), lock.tryLockShared()!];
    assert.deepEqual(lock.statistics().readers, [{ slot: 0, count: 3 }]);
    assert.equal(lock.tryLock(), undefined);
    await assert.rejects(lock.lock({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    assert.throws(() => lock.lockSync(), code("ERR_DEADLOCK"));
    for (const guard of readers) guard.release();
    assert.throws(() => readers[0].release(), code("ERR_NOT_HELD"));
    const writer = await lock.lock();
    assert.deepEqual([writer.mode, writer.abandoned], ["exclusive", false]);
    assert.equal(lock.statistics().writer, 0);
    assert.equal(lock.tryLockShared(), undefined);
    assert.throws(() => lock.lockSharedSync(), code("ERR_DEADLOCK"));
    assert.throws(() => lock.lockSync(), code("ERR_DEADLOCK"));
    await assert.rejects(lock.lockShared({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    writer.release();
    assert.deepEqual(lock.statistics(), {
      readers: [],
      writer: undefined,
      owner: undefined,
      heldSince: undefined,
      waitingWriters: [],
      waitingReaders: [],
      contended: 1,
      takeovers: 0,
    });
  });

  test("is held while a function runs, and released whatever that does", async (t) => {
    const lock = await lockOf(t);
    const fails = (): never => {
      throw new RangeError("in the function");
    };
    const modes = { run: "exclusive", runShared: "shared", runUpgradable: "upgradable" } as const;
    for (const run of ["run", "runShared", "runUpgradable"] as const) {
      const sync = `${run}Sync` as const;
      assert.equal(await lock[run](async (guard) => Promise.resolve(guard.mode)), modes[run]);
      assert.equal(
        lock[sync](({ mode }) => mode, { timeoutMs: 100 }),
        modes[run],
      );
      await assert.rejects(lock[run](fails), RangeError);
      assert.throws(() => lock[sync](fails), RangeError);
      assert.throws(() => lock[sync](async () => Promise.resolve()), code("ERR_INVALID_ARGUMENT"));
      await lock[run]((guard) => guard.release());
      await assert.rejects(
        lock[run](() => 0, { signal: AbortSignal.abort(new Error("no")) }),
        /no/,
      );
      lock.lockSync().release();
    }
  });

  test("is upgradable by one, beside readers", async (t) => {
    const lock = await lockOf(t);
    const reader = await lock.lockShared();
    const guard = await lock.lockUpgradable();
    assert.equal(lock.tryLockUpgradable(), undefined);
    assert.equal(lock.tryLock(), undefined);
    lock.tryLockShared()!.release();
    assert.equal(guard.tryUpgrade(), false);
    await assert.rejects(guard.upgrade({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    assert.throws(() => guard.upgradeSync(), code("ERR_DEADLOCK"));
    assert.equal(guard.mode, "upgradable");
    lock.tryLockShared()!.release();
    const upgraded = guard.upgrade();
    assert.equal(lock.tryLockShared(), undefined, "new readers wait behind it");
    const late = lock.lockShared();
    reader.release();
    await upgraded;
    assert.equal(guard.mode, "exclusive");
    guard.downgrade("upgradable");
    (await late).release();
    assert.throws(() => reader.downgrade(), code("ERR_NOT_HELD"));
    guard.upgradeSync();
    const next = lock.lock();
    guard.downgrade();
    assert.equal(guard.mode, "shared");
    assert.throws(() => guard.downgrade(), code("ERR_NOT_HELD"));
    await assert.rejects(guard.upgrade(), code("ERR_NOT_HELD"));
    guard.release();
    (await next).release();
  });

  test("keeps its places when waits are aborted", async (t) => {
    const lock = await lockOf(t);
    const reader = await lock.lockShared();
    const { signal, abort } = abortable();
    const writing = lock.lock({ signal });
    const reading = lock.lockShared();
    await turn();
    assert.deepEqual(
      lock.statistics().waitingReaders.map(({ slot }) => slot),
      [0],
    );
    abort(new Error("enough"));
    await assert.rejects(writing, /enough/);
    (await reading).release();
    const second = lock.lock();
    const third = lock.lockUpgradable();
    reader.release();
    (await second).release();
    (await third).release();
    assert.deepEqual(lock.statistics().waitingWriters, []);
  });

  test("a thread that reads may go on reading while somebody waits to write", async (t) => {
    const lock = await lockOf(t);
    const reader = lock.lockSharedSync();
    const writing = lock.lock();
    assert.equal(lock.tryLockShared(), undefined);
    lock.lockSharedSync({ timeoutMs: 1000 }).release();
    reader.release();
    (await writing).release();
  });

  test("a timeout says who is in the way: those that read, never who waits itself", async (t) => {
    const name = uniqueRegionName("rwlock");
    const lock = await lockOf(t, name);
    const [first, second] = [
      await (await joinRegion(t, name)).rwlock("l"),
      await (await joinRegion(t, name)).rwlock("l"),
    ];
    const ownerOf = async (wait: Promise<unknown>): Promise<unknown> => {
      const error = await wait.then(
        () => assert.fail("it should not have got it"),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof ShmkitError && error.code === "ERR_TIMEOUT");
      return (error as { owner?: unknown }).owner;
    };
    const quick = { timeoutMs: 5, detectDeadlock: false };
    const [reads, upgradable] = [await first.lockShared(), await second.lockUpgradable()];
    assert.match(String(await ownerOf(lock.lock(quick))), /^member 2 /);
    assert.match(String(await ownerOf(upgradable.upgrade(quick))), /^member 1 \([^)]*\)$/);
    upgradable.release();
    assert.match(String(await ownerOf(lock.lock(quick))), /^member 1 \([^)]*\)$/);
    reads.release();
    const writes = await first.lock();
    for (const wait of [lock.lock(quick), lock.lockShared(quick), lock.lockUpgradable(quick)])
      assert.match(String(await ownerOf(wait)), /^member 1 \([^)]*\)$/);
    writes.release();
  });

  test("a thousand waits on one lock", async (t) => {
    const lock = await lockOf(t);
    let writers = 0;
    const first = await lock.lock();
    const all = Array.from({ length: 1000 }, async (_, i) => {
      const guard = await (i % 2 === 0 ? lock.lockShared() : lock.lock());
      if (guard.mode === "exclusive") assert.equal(++writers, 1);
      else assert.equal(writers, 0);
      await Promise.resolve();
      if (guard.mode === "exclusive") writers--;
      guard.release();
    });
    first.release();
    await Promise.all(all);
  });

  test("readers that waited when a writer died come before the next one that writes", async (t) => {
    const name = uniqueRegionName("rwlock-favoured");
    const lock = await lockOf(t, name);
    const app = await joinRegion(t, name);
    const next = await app.rwlock("l");
    const writer = await ProcessMember.start({ region: name });
    await writer.run(async ({ region, kept }) => {
      kept.set("guard", await (await region.rwlock("l")).lock());
    }, []);
    const reading = lock.lockShared();
    process.kill(writer.pid, "SIGKILL");
    // The thread is not let go: nobody reads before the next one tries to write.
    while (!app.recoverTheDead());
    assert.equal(next.tryLock(), undefined);
    (await reading).release();
    const guard = await next.lock();
    assert.equal(guard.abandoned, true);
    guard.release();
    await writer.kill();
  });

  test("who gave up letting readers go first lets them go first when it comes again", async (t) => {
    const name = uniqueRegionName("rwlock-favour-again");
    const [lock, readers, writers] = [await lockOf(t, name), await lockOf(t, name), await lockOf(t, name)];
    const passes = clockOf(t);
    const guard = lock.lockSync();
    const reading = readers.lockShared();
    guard.release();
    const { signal, abort } = abortable();
    const writing = writers.lock({ signal });
    abort(new Error("enough"));
    passes(30);
    assert.equal(writers.tryLock(), undefined);
    await assert.rejects(writing, /enough/);
    (await reading).release();
    writers.tryLock()!.release();
  });

  test("who tries again and again comes in at last, though a reader that goes first does not come", async (t) => {
    const name = uniqueRegionName("rwlock-favour-try");
    const [lock, readers, writers] = [await lockOf(t, name), await lockOf(t, name), await lockOf(t, name)];
    const passes = clockOf(t);
    const guard = lock.lockSync();
    const reading = readers.lockShared();
    guard.release();
    for (let i = 0; i < 2; i++) assert.equal(writers.tryLock(), undefined);
    passes(30);
    // The thread is not let go, so that the reader has not come.
    writers.tryLock()!.release();
    (await reading).release();
  });

  test("readers that wait while another one writes go first for as long as those before them", async (t) => {
    const name = uniqueRegionName("rwlock-favour-next");
    const [lock, readers, writers] = [await lockOf(t, name), await lockOf(t, name), await lockOf(t, name)];
    const passes = clockOf(t);
    for (let round = 0; round < 2; round++) {
      const guard = lock.lockSync();
      const reading = readers.lockShared();
      guard.release();
      assert.equal(writers.tryLock(), undefined, `round ${round}`);
      passes(30);
      (await reading).release();
    }
  });

  test("a pending upgrade ends at once when its guard is released or downgraded", async (t) => {
    const name = uniqueRegionName("rwlock-upgrade-released");
    const [lock, other] = [await lockOf(t, name), await lockOf(t, name)];
    const reader = await other.lockShared();
    for (const give of ["release", "downgrade"] as const) {
      const guard = await lock.lockUpgradable();
      let error: unknown;
      guard.upgrade().catch((thrown: unknown) => (error = thrown));
      await turn();
      guard[give]();
      await Promise.resolve();
      await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(code("ERR_NOT_HELD")(error), String(error));
      guard[Symbol.dispose]();
    }
    reader.release();
  });

  test("what is held can be given back after it was removed", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("rwlock-removed"));
    const guard = await (await app.rwlock("l")).lock();
    await app.rwlocks.remove("l");
    guard.downgrade();
    guard.release();
    assert.throws(() => guard.release(), code("ERR_NOT_HELD"));
  });

  test("goes on when readers and writers are killed", async (t) => {
    const name = uniqueRegionName("rwlock-killed");
    const lock = await lockOf(t, name);
    const one = await ProcessMember.start({ region: name });
    const two = await ProcessMember.start({ region: name });
    for (const member of [one, two])
      await member.run(async ({ region, kept }) => {
        kept.set("guard", await (await region.rwlock("l")).lockShared());
      }, []);
    const writing = lock.lock();
    await one.kill();
    await two.kill();
    const writer = await writing;
    assert.equal(writer.abandoned, false, "nobody died writing");
    writer.release();
    const three = await ProcessMember.start({ region: name });
    await three.run(async ({ region, kept }) => {
      kept.set("guard", (await region.rwlock("l")).lockSync());
    }, []);
    const reading = lock.lockShared();
    const upgradable = lock.lockUpgradable();
    await three.kill();
    (await reading).release();
    const guard = await upgradable;
    assert.equal(guard.abandoned, false, "told to who writes");
    await guard.upgrade();
    assert.equal(guard.abandoned, true);
    assert.equal(lock.statistics().takeovers, 1);
    guard.release();
    const again = lock.lockSync();
    assert.equal(again.abandoned, false);
    again.release();
  });

  test("a handle given up gives back what was held, also of a lock that was removed", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("rwlock-detach"));
    const lock = await app.rwlock("l");
    const guard = await lock.lockShared();
    const upgradable = await lock.lockUpgradable();
    await app.rwlocks.remove("l");
    upgradable.release();
    lock.detach();
    assert.throws(() => guard.release(), code("ERR_CLOSED"));
    guard[Symbol.dispose]();
  });
});

function abortable(): { signal: AbortSignal; abort: (reason: Error) => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}

/** A clock that stands still; what this answers lets so many milliseconds pass. */
function clockOf(t: TestContext): (ms: number) => void {
  const { now } = Object.getPrototypeOf(performance) as { now: () => number };
  let at = now.call(performance);
  performance.now = () => at;
  t.after(() => Reflect.deleteProperty(performance, "now"));
  return (ms) => void (at += ms);
}
