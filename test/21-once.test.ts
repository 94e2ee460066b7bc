/** What is done once, and flags. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { AtomicInt64, Counter, ShmkitError } from "shmkit";
import { joinRegion } from "./helpers/process-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

const code = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;

const unreached = (): never => assert.fail("it is not done again");

describe("what is done once", () => {
  test("is done by the first, and all get what it came to", async (t) => {
    const name = uniqueRegionName("once");
    const [one, two] = [await joinRegion(t, name), await joinRegion(t, name)];
    const [first, second] = [await one.doOnce("o"), await two.doOnce("o")];
    let times = 0;
    const initialise = async (): Promise<Uint8Array> => {
      await pause(5);
      times++;
      return Uint8Array.of(1, 2, 3);
    };
    const results = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? first : second).run(initialise)),
    );
    assert.equal(times, 1);
    for (const result of results) assert.deepEqual(result, Uint8Array.of(1, 2, 3));
    assert.deepEqual(
      first.runSync(() => undefined),
      Uint8Array.of(1, 2, 3),
    );
    assert.deepEqual(second.statistics(), { isDone: true, waiting: [], takeovers: 0 });
  });

  test("is tried without waiting for who does it", async (t) => {
    const name = uniqueRegionName("once-try");
    const [one, two] = [await joinRegion(t, name), await joinRegion(t, name)];
    const [first, second] = [await one.doOnce("o"), await two.doOnce("o")];
    const doing = first.run(async () => {
      for (const once of [first, second]) assert.equal(once.tryRun(unreached), undefined);
      await pause(1);
      throw new Error("no");
    });
    await assert.rejects(doing, /no/);
    assert.throws(() => second.tryRun(() => "x" as never), code("ERR_INVALID_ARGUMENT"));
    assert.deepEqual(
      second.tryRun((abandoned) => Uint8Array.of(Number(abandoned))),
      { done: Uint8Array.of(0) },
    );
    assert.deepEqual(first.tryRun(unreached), { done: Uint8Array.of(0) });
    assert.throws(() => first.tryRun(1 as never), code("ERR_INVALID_ARGUMENT"));
  });

  test("whose object is removed meanwhile still answers to whoever does it", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("once-removed"));
    const once = await app.doOnce("o");
    const result = await once.run(async () => {
      await app.onces.remove("o");
      return Uint8Array.of(4);
    });
    assert.deepEqual(result, Uint8Array.of(4));
    await assert.rejects(
      once.run(() => undefined),
      code("ERR_CLOSED"),
    );
  });

  test("is handed on when it fails, with the error where it failed", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("once-fails"));
    const once = await app.doOnce("o");
    const fails = once.run(async () => {
      await pause(5);
      throw new Error("no");
    });
    const next = once.run((abandoned) => Uint8Array.of(Number(abandoned)));
    await assert.rejects(fails, /no/);
    assert.deepEqual(await next, Uint8Array.of(0));
    const other = await app.doOnce("p");
    assert.throws(() => other.runSync(() => new Uint8Array(4001)), code("ERR_OUT_OF_RANGE"));
    assert.throws(() => other.runSync(() => 5 as never), code("ERR_INVALID_ARGUMENT"));
    assert.throws(() => other.runSync(5 as never), code("ERR_INVALID_ARGUMENT"));
    for (const run of ["runSync", "tryRun"] as const)
      assert.throws(() => other[run]((() => Promise.resolve()) as never), /returned a promise; use run$/);
    assert.throws(() => other.runSync(() => other.runSync(() => undefined)), code("ERR_DEADLOCK"));
    assert.equal(other.isDone, false);
    await assert.rejects(
      other.run(() => other.run(() => undefined, { timeoutMs: 5 })),
      code("ERR_TIMEOUT"),
    );
    assert.equal(
      other.runSync(() => undefined),
      undefined,
    );
    assert.equal(
      other.runSync(() => Uint8Array.of(1)),
      undefined,
      "it is done",
    );
  });

  test("is done by the next when who does it dies", async (t) => {
    const name = uniqueRegionName("once-killed");
    const app = await joinRegion(t, name);
    const once = await app.doOnce("o");
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region }) => {
      void (await region.doOnce("o")).run(() => new Promise<undefined>(() => undefined));
    }, []);
    assert.equal(once.statistics().runner, 1);
    const next = once.run((abandoned) => Uint8Array.of(Number(abandoned)));
    await other.kill();
    assert.deepEqual(await next, Uint8Array.of(1));
    assert.equal(once.statistics().takeovers, 1);
  });

  test("tells of a death until it has been done, also whoever does it after one that failed", async (t) => {
    const name = uniqueRegionName("once-told");
    const app = await joinRegion(t, name);
    const once = await app.doOnce("o");
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region }) => {
      void (await region.doOnce("o")).run(() => new Promise<undefined>(() => undefined));
    }, []);
    await other.kill();
    const told: boolean[] = [];
    const fails = (abandoned: boolean): never => {
      told.push(abandoned);
      throw new Error("cannot repair it");
    };
    await assert.rejects(once.run(fails), /cannot repair/);
    assert.throws(() => once.runSync(fails), /cannot repair/);
    assert.throws(() => once.tryRun(fails), /cannot repair/);
    await once.run((abandoned) => void told.push(abandoned));
    assert.deepEqual(told, [true, true, true, true]);
  });

  test("is nobody's any more when its region closes in the middle", async (t) => {
    const name = uniqueRegionName("once-closed");
    const [one, two] = [await joinRegion(t, name), await joinRegion(t, name)];
    const running = assert.rejects(
      (await one.doOnce("o")).run(() => pause(30, undefined)),
      code("ERR_CLOSED"),
    );
    const next = (await two.doOnce("o")).run(() => Uint8Array.of(2));
    await one.close();
    assert.deepEqual(await next, Uint8Array.of(2));
    await running;
  });
});

describe("a flag", () => {
  test("is set, cleared, tested and waited for", async (t) => {
    const name = uniqueRegionName("flag");
    const [one, two] = [await joinRegion(t, name), await joinRegion(t, name)];
    const [mine, yours] = [await one.flag("f"), await two.flag("f")];
    assert.equal(mine.value, false);
    const waits = Array.from({ length: 1000 }, () => yours.waitFor(true));
    assert.deepEqual([mine.testAndSetSync(), await yours.testAndSet(), yours.value], [false, true, true]);
    await Promise.all(waits);
    assert.throws(() => mine.waitForSync(false, { timeoutMs: 5 }), code("ERR_TIMEOUT"));
    const cleared = yours.waitFor(false);
    await mine.clear();
    await cleared;
    await mine.set();
    mine.setSync();
    yours.clearSync();
    mine.waitForSync(false);
    for (const value of ["yes", undefined] as never[]) {
      await assert.rejects(mine.waitFor(value), code("ERR_INVALID_ARGUMENT"));
      assert.throws(() => mine.waitForSync(value), code("ERR_INVALID_ARGUMENT"));
    }
  });
});

describe("a counter", () => {
  test("is the shared 64-bit integer: subtracts, exchanges, and exchanges if it is as expected", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("counter"));
    const counter = await app.counter("c");
    assert.equal(AtomicInt64, Counter);
    assert.deepEqual([await counter.sub(5), counter.subSync(), counter.subSync(-6n)], [-5n, -6n, 0n]);
    assert.deepEqual([await counter.exchange(7), counter.exchangeSync(2n ** 62n)], [0n, 7n]);
    assert.deepEqual([await counter.compareExchange(1, 2), counter.value], [2n ** 62n, 2n ** 62n]);
    assert.deepEqual([counter.compareExchangeSync(2n ** 62n, -3), counter.value], [2n ** 62n, -3n]);
    await counter.set(-(2n ** 63n));
    assert.equal(await counter.sub(1), 2n ** 63n - 1n, "it wraps");
    await assert.rejects(counter.compareExchange(0, 2n ** 63n), code("ERR_OUT_OF_RANGE"));
  });
});
