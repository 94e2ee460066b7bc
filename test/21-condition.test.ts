/** Conditions: nothing is missed between releasing the mutex and waiting, and nothing lost when a wait ends otherwise. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { ShmkitError, type Condition, type MutexGuard } from "shmkit";
import { joinRegion } from "./helpers/process-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

const code = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;

const waits = (condition: Condition): number =>
  condition.statistics().waiting.reduce((sum, { waits, woken }) => sum + waits - woken, 0);

async function untilWaiting(condition: Condition, count: number): Promise<void> {
  while (waits(condition) !== count) await pause(1);
}

describe("a condition", () => {
  test("releases the mutex while it waits, and has it again with the same guard", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("condition"));
    const mutex = await app.mutex("m");
    const condition = await app.condition("c");
    assert.equal(condition.notifyOne(), false);
    const guard = await mutex.lock();
    guard.set(0, 1);
    const waiting = condition.wait(guard);
    assert.throws(() => guard.get(0), code("ERR_NOT_HELD"));
    const other = mutex.tryLock()!;
    assert.equal(other.get(0), 1, "what was set is there for others");
    other.set(0, 2);
    assert.equal(condition.notifyOne(), true);
    assert.equal(condition.notifyOne(), false, "it is woken already");
    let isBack = false;
    void waiting.then(() => (isBack = true));
    await pause(20);
    assert.equal(isBack, false, "the mutex is held");
    other.release();
    await waiting;
    assert.deepEqual([guard.get(0), guard.abandoned], [2, false]);
    guard.release();
    assert.deepEqual(condition.statistics().waiting, []);
  });

  test("has the mutex again after a deadline, an abort and an error", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("condition-ends"));
    const mutex = await app.mutex("m");
    const condition = await app.condition("c");
    const guard = await mutex.lock();
    await assert.rejects(condition.wait(guard, { timeoutMs: 5 }), code("ERR_TIMEOUT"));
    guard.set(0, 1);
    assert.throws(() => condition.waitSync(guard, { timeoutMs: 5 }), code("ERR_TIMEOUT"));
    assert.throws(() => condition.waitSync(guard, { timeoutMs: 0 }), code("ERR_TIMEOUT"));
    await assert.rejects(condition.wait(guard, { timeoutMs: 0 }), code("ERR_TIMEOUT"));
    await assert.rejects(condition.wait(guard, { signal: AbortSignal.abort(new Error("early")) }), /early/);
    await assert.rejects(condition.wait(guard, { signal: AbortSignal.timeout(5) }), { name: "TimeoutError" });
    await assert.rejects(
      condition.waitFor(guard, () => false, { signal: AbortSignal.timeout(5) }),
      {
        name: "TimeoutError",
      },
    );
    for (const timeoutMs of [-1, Number.NaN]) {
      await assert.rejects(condition.wait(guard, { timeoutMs }), code("ERR_OUT_OF_RANGE"));
      assert.throws(() => condition.waitSync(guard, { timeoutMs }), code("ERR_OUT_OF_RANGE"));
    }
    assert.throws(
      () =>
        condition.waitForSync(guard, () => {
          throw new Error("of the predicate");
        }),
      /of the predicate/,
    );
    assert.equal(guard.get(0), 1);
    const promises = async (): Promise<boolean> => Promise.resolve(false);
    assert.throws(() => condition.waitForSync(guard, promises as never), code("ERR_INVALID_ARGUMENT"));
    assert.equal(guard.get(0), 1);
    guard.release();
    await assert.rejects(condition.wait(guard), code("ERR_NOT_HELD"));
    assert.throws(() => condition.waitForSync(guard, () => true), code("ERR_NOT_HELD"));
    assert.deepEqual(condition.statistics().waiting, []);
  });

  test("gives the mutex up if it cannot be had again within relockTimeoutMs", async (t) => {
    const name = uniqueRegionName("condition-relock");
    const app = await joinRegion(t, name);
    const other = await joinRegion(t, name);
    const mutex = await app.mutex("m");
    const theirs = await other.mutex("m");
    const condition = await app.condition("c");
    for (const wait of ["wait", "waitFor"] as const) {
      const guard = await mutex.lock();
      const options = { timeoutMs: 20, relockTimeoutMs: 10 };
      const waiting = wait === "wait" ? condition.wait(guard, options) : condition.waitFor(guard, () => false, options);
      // In turns of promises alone: it must not have the mutex again by its deadline.
      while (waits(condition) === 0) await Promise.resolve();
      const held = theirs.tryLock()!;
      await assert.rejects(waiting, code("ERR_TIMEOUT"));
      assert.throws(() => guard.get(0), code("ERR_NOT_HELD"));
      held.release();
      (await mutex.lock()).release();
    }
    const guard = await mutex.lock();
    await assert.rejects(condition.wait(guard, { relockTimeoutMs: -1 }), code("ERR_OUT_OF_RANGE"));
    guard.release();
  });

  test("takes guards of its own region only", async (t) => {
    const name = uniqueRegionName("condition-guard");
    const app = await joinRegion(t, name);
    const again = await joinRegion(t, name);
    const condition = await app.condition("c");
    const guard = await (await again.mutex("m")).lock();
    await assert.rejects(condition.wait(guard), code("ERR_INVALID_ARGUMENT"));
    for (const junk of [undefined, null, {}, "guard"])
      await assert.rejects(condition.wait(junk as never), code("ERR_INVALID_ARGUMENT"));
    const own = await (await app.mutex("own")).lock();
    await assert.rejects(condition.waitFor(own, "true" as never), code("ERR_INVALID_ARGUMENT"));
    const twice = await app.mutex("twice", { reentrant: true });
    using outer = twice.lockSync();
    using inner = twice.lockSync();
    await assert.rejects(condition.wait(inner), code("ERR_DEADLOCK"));
    assert.deepEqual([outer.get(0), condition.statistics().waiting], [0, []]);
  });

  test("looks again after each wake-up, and once more past the deadline", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("condition-predicate"));
    const mutex = await app.mutex("m");
    const condition = await app.condition("c");
    const guard = await mutex.lock();
    let looks = 0;
    const waiting = condition.waitFor(guard, async () => {
      looks++;
      await pause(1);
      return guard.get(0) === 3;
    });
    for (let value = 1; value <= 3; value++) {
      await untilWaiting(condition, 1);
      const other = await mutex.lock();
      other.set(0, value);
      other.release();
      condition.notifyAll();
    }
    await waiting;
    assert.equal(looks, 4);
    let calls = 0;
    condition.waitForSync(guard, () => calls++ === 1, { timeoutMs: 5 });
    assert.throws(() => condition.waitForSync(guard, () => false, { timeoutMs: 5 }), code("ERR_TIMEOUT"));
    await assert.rejects(
      condition.waitFor(guard, () => false, { timeoutMs: 0 }),
      code("ERR_TIMEOUT"),
    );
    guard.release();
  });

  test("wakes one of a thousand waits, then all of them", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("condition-thousand"), { maxMembers: 8 });
    const mutex = await app.mutex("m");
    const condition = await app.condition("c");
    let woken = 0;
    const tasks = Array.from({ length: 1000 }, async () => {
      const guard = await mutex.lock();
      await condition.wait(guard);
      woken++;
      guard.release();
    });
    await untilWaiting(condition, 1000);
    for (let n = 1; n <= 3; n++) {
      assert.equal(condition.notifyOne(), true);
      while (woken < n) await pause(1);
    }
    await pause(10);
    assert.equal(woken, 3);
    assert.equal(condition.notifyAll(), 997);
    await Promise.all(tasks);
    assert.equal(woken, 1000);
  });

  test("wakes members in turn, and who blocks leaves the thread's elder waits what woke them", async (t) => {
    const name = uniqueRegionName("condition-turns");
    const app = await joinRegion(t, name);
    const mutex = await app.mutex("m");
    const condition = await app.condition("c");
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region, kept }) => {
      const mutex = await region.mutex("m");
      const condition = await region.condition("c");
      kept.set("woken", 0);
      for (let i = 0; i < 2; i++)
        void (async () => {
          const guard = await mutex.lock();
          await condition.wait(guard);
          kept.set("woken", (kept.get("woken") as number) + 1);
          guard.release();
        })();
    }, []);
    const own = [0, 1].map(async () => {
      const guard = await mutex.lock();
      await condition.wait(guard);
      guard.release();
    });
    await untilWaiting(condition, 4);
    condition.notifyOne();
    condition.notifyOne();
    assert.deepEqual(
      condition.statistics().waiting.map(({ waits, woken }) => waits - woken),
      [1, 1],
    );
    const guard = mutex.lockSync();
    assert.throws(() => condition.waitSync(guard, { timeoutMs: 20 }), code("ERR_TIMEOUT"));
    guard.release();
    await Promise.race(own);
    condition.notifyAll();
    await Promise.all(own);
    while ((await other.run(({ kept }) => kept.get("woken") as number, [])) < 2) await pause(1);
    await other.stop();
  });

  test("passes on the wake-up of a wait that ends otherwise, and of a member that is killed", async (t) => {
    const name = uniqueRegionName("condition-killed");
    const app = await joinRegion(t, name);
    const mutex = await app.mutex("m");
    const condition = await app.condition("c");
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region }) => {
      const guard = await (await region.mutex("m")).lock();
      void (await region.condition("c")).wait(guard);
    }, []);
    await untilWaiting(condition, 1);
    const guard = await mutex.lock();
    const waiting = condition.wait(guard);
    const holder = await mutex.lock();
    // Both are woken, the other one first; it cannot get the mutex.
    condition.notifyOne();
    const woken = condition.statistics().waiting.find(({ woken }) => woken === 1);
    assert.ok(woken !== undefined);
    if (woken.slot === app.slot) condition.notifyOne();
    await other.kill();
    holder.release();
    await waiting;
    guard.release();
    assert.deepEqual(condition.statistics().waiting, []);
  });

  test("passes the wake-up of a wait that gives up on to another member's", async (t) => {
    const name = uniqueRegionName("condition-gives-up");
    const app = await joinRegion(t, name);
    const again = await joinRegion(t, name);
    const [mutex, condition] = [await app.mutex("m"), await app.condition("c")];
    const [theirMutex, theirCondition] = [await again.mutex("m"), await again.condition("c")];
    const guard = await mutex.lock();
    const abort = new AbortController();
    const givesUp = condition.wait(guard, { signal: abort.signal });
    const theirGuard = await theirMutex.lock();
    const waits = theirCondition.wait(theirGuard);
    const blocker = await mutex.lock();
    assert.equal(condition.notifyOne(), true);
    const found = (): object[] =>
      condition.statistics().waiting.map(({ slot, waits, woken }) => ({ slot, waits, woken }));
    assert.deepEqual(found(), [
      { slot: app.slot, waits: 1, woken: 1 },
      { slot: again.slot, waits: 1, woken: 0 },
    ]);
    abort.abort(new Error("enough"));
    assert.deepEqual(found(), [{ slot: again.slot, waits: 1, woken: 1 }]);
    blocker.release();
    await assert.rejects(givesUp, /enough/);
    guard.release();
    await waits;
    theirGuard.release();
    assert.deepEqual(condition.statistics().waiting, []);
  });

  test("tells who has the mutex after a wait that its owner died meanwhile", async (t) => {
    const name = uniqueRegionName("condition-abandoned");
    const app = await joinRegion(t, name);
    const mutex = await app.mutex("m");
    const condition = await app.condition("c");
    const other = await ProcessMember.start({ region: name });
    const guard = await mutex.lock();
    const waiting = condition.wait(guard);
    await other.run(async ({ region, kept }) => {
      const guard = await (await region.mutex("m")).lock();
      guard.set(0, 9);
      kept.set("guard", guard);
      (await region.condition("c")).notifyAll();
    }, []);
    await other.kill();
    await waiting;
    assert.deepEqual([guard.abandoned, guard.get(0)], [true, 0]);
    guard.release();
  });

  test("ends its waits with the handle, with the mutex, and with the region", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("condition-closed"));
    const mutex = await app.mutex("m");
    const condition = await app.condition("c");
    const guard = await mutex.lock();
    const waiting = condition.wait(guard);
    condition.detach();
    await assert.rejects(waiting, code("ERR_CLOSED"));
    guard.release();
    const again = await app.condition("c");
    const closing = again.wait(await mutex.lock());
    await Promise.all([assert.rejects(closing, code("ERR_CLOSED")), app.close()]);
  });

  test("is as it was when a vm timeout cuts a wait off", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("condition-cut"));
    const mutex = await app.mutex("m");
    const condition = await app.condition("c");
    const guard = await mutex.lock();
    let other: MutexGuard | undefined;
    // Where it is cut off before the wait has begun, the guard has the mutex as before.
    for (let timeout = 20; other === undefined; timeout *= 2) {
      assert.throws(() => runInNewContext("condition.waitSync(guard)", { condition, guard }, { timeout }), /timed out/);
      other = mutex.tryLock();
    }
    other.release();
    assert.deepEqual(condition.statistics().waiting, []);
  });

  test("of two processes that wait for each other misses nothing", async (t) => {
    const name = uniqueRegionName("condition-ping-pong");
    const app = await joinRegion(t, name);
    const mutex = await app.mutex("m", { words: 1 });
    const condition = await app.condition("c");
    const other = await ProcessMember.start({ region: name });
    const ROUNDS = 100;
    const pong = other.run(
      async ({ region }, [rounds]) => {
        const mutex = await region.mutex("m");
        const condition = await region.condition("c");
        for (let i = 0; i < rounds; i++) {
          const guard = mutex.lockSync();
          condition.waitForSync(guard, () => guard.get(0) === 2 * i + 1);
          guard.set(0, 2 * i + 2);
          guard.release();
          condition.notifyOne();
        }
      },
      [ROUNDS],
    );
    for (let i = 0; i < ROUNDS; i++) {
      const guard = await mutex.lock();
      guard.set(0, 2 * i + 1);
      guard.release();
      condition.notifyOne();
      const back = await mutex.lock();
      await condition.waitFor(back, () => back.get(0) === 2 * i + 2);
      back.release();
    }
    await pong;
    await other.stop();
  });
});
