import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Region } from "shmkit";
import { ProcessMember } from "./helpers/process-member.js";
import { joinRegion, testRegion } from "./helpers/process-regions.js";

describe("objects by name", () => {
  test("create refuses an existing name, of whatever kind", async (t) => {
    const region = await testRegion(t, "objects");
    await region.pipe("x");
    for (const collection of [region.pipes, region.counters, region.mutexes]) {
      await assert.rejects(collection.create("x"), {
        name: "ShmkitError",
        code: "ERR_EXISTS",
        path: `${region.name}/x`,
      });
      assert.throws(() => collection.createSync("x"), { code: "ERR_EXISTS" });
    }
  });

  test("open refuses a missing name", async (t) => {
    const region = await testRegion(t, "objects");
    for (const [collection, kind] of [
      [region.pipes, "pipe"],
      [region.counters, "counter"],
      [region.mutexes, "mutex"],
    ] as const) {
      await assert.rejects(collection.open("x"), {
        code: "ERR_NOT_FOUND",
        message: new RegExp(`no ${kind} `),
        path: `${region.name}/x`,
      });
      assert.throws(() => collection.openSync("x"), { code: "ERR_NOT_FOUND" });
      assert.equal(await collection.remove("x"), false);
      assert.equal(collection.removeSync("x"), false);
    }
    assert.deepEqual(Region.inspect(region.name)!.objects, []);
  });

  test("the wrong kind is an error that names both", async (t) => {
    const region = await testRegion(t, "objects");
    await region.pipe("x");
    const wrong = { code: "ERR_WRONG_KIND", expected: "counter", actual: "pipe", path: `${region.name}/x` };
    await assert.rejects(region.counters.open("x"), wrong);
    await assert.rejects(region.counters.open("x", { wait: true }), wrong);
    await assert.rejects(region.counter("x"), wrong);
    await assert.rejects(region.counters.remove("x"), wrong);
    assert.throws(() => region.counters.openSync("x"), wrong);
    assert.throws(() => region.counterSync("x"), wrong);
    assert.throws(() => region.counters.removeSync("x"), wrong);
    assert.deepEqual(region.pipes.list(), ["x"]);
  });

  test("other options on an existing object are an error that names the difference", async (t) => {
    const region = await testRegion(t, "objects");
    await region.pipes.create("p", { capacity: 8, maxLeased: 4 });
    await region.mutexes.create("m", { words: 3 });
    await assert.rejects(region.pipe("p", { capacity: 9 }), {
      code: "ERR_OPTIONS_DIFFER",
      message: /capacity 8, not 9/,
      expected: 9,
      actual: 8,
      path: `${region.name}/p`,
    });
    assert.throws(() => region.pipeSync("p", { maxLeased: 5 }), {
      code: "ERR_OPTIONS_DIFFER",
      message: /maxLeased 4, not 5/,
    });
    await assert.rejects(region.mutex("m", { words: 4 }), { code: "ERR_OPTIONS_DIFFER", message: /words 3, not 4/ });
    assert.equal((await region.pipe("p")).capacity, 8);
    assert.equal((await region.pipe("p", { capacity: 8, maxLeased: 4 })).capacity, 8);
    assert.equal((await region.mutex("m")).wordCount, 3);
    await region.pipes.create("default");
    await assert.rejects(region.pipe("default", { capacity: 8 }), { code: "ERR_OPTIONS_DIFFER", actual: 1024 });
  });

  test("open waits for a name to appear when told to, made by whomever", async (t) => {
    const region = await testRegion(t, "objects");
    const other = await joinRegion(t, region.name);
    const waiting = [
      region.pipes.open("late", { wait: true }),
      other.pipes.open("late", { wait: true }),
      region.pipes.open("late", { wait: true }),
    ];
    await sleep(20);
    await region.counter("else");
    await other.pipe("late");
    for (const pipe of await Promise.all(waiting)) assert.equal(pipe.name, "late");

    const own = region.pipes.open("own", { wait: true });
    await region.pipe("own");
    assert.equal((await own).name, "own");
  });

  test("openSync waits for a name that a worker makes", async (t) => {
    const region = await testRegion(t, "objects");
    const member = await ProcessMember.startWorker({ region: region.name });
    const made = member.run(async ({ region: own, sleep: pause }) => {
      await pause(30);
      await own.counters.create("late");
    });
    assert.equal(region.counters.openSync("late", { wait: true }).value, 0n);
    await made;
    await member.finish();
  });

  test("waiting for a name ends with the deadline or the signal, or with the wrong kind", async (t) => {
    const region = await testRegion(t, "objects");
    for (const timeoutMs of [0, 20]) {
      await assert.rejects(region.pipes.open("x", { wait: true, timeoutMs }), {
        name: "TimeoutError",
        code: "ERR_TIMEOUT",
      });
      assert.throws(() => region.pipes.openSync("x", { wait: true, timeoutMs }), {
        name: "TimeoutError",
        code: "ERR_TIMEOUT",
      });
    }
    const controller = new AbortController();
    const aborted = region.pipes.open("x", { wait: true, signal: controller.signal });
    controller.abort();
    await assert.rejects(aborted, { name: "AbortError" });
    const wrong = region.pipes.open("x", { wait: true });
    await region.counter("x");
    await assert.rejects(wrong, { code: "ERR_WRONG_KIND" });
  });

  test("opened twice it is one handle; removed and made again it is another object", async (t) => {
    const region = await testRegion(t, "objects");
    const counter = await region.counter("c");
    assert.equal(await region.counters.open("c"), counter);
    await counter.set(7);
    assert.equal(await region.counters.remove("c"), true);
    assert.throws(() => counter.value, { code: "ERR_CLOSED", message: /was removed/ });
    const next = await region.counter("c");
    assert.notEqual(next, counter);
    assert.equal(next.value, 0n);
    await assert.rejects(counter.add(), { code: "ERR_CLOSED" });
    counter.detach();
    assert.equal(await next.add(3), 3n);
  });

  test("names and memory of removed objects come back, with the messages in them", async (t) => {
    const region = await testRegion(t, "objects", { size: "1MiB", maxSize: "1MiB", maxMembers: 4 });
    const other = await joinRegion(t, region.name);
    const before = region.statistics();
    for (let round = 0; round < 50; round++) {
      const name = `p${round % 3}`;
      const pipe = await region.pipe(name, { capacity: 16, maxLeased: 4 });
      const theirs = await other.pipe(name);
      for (let at = 0; at < 3; at++) await pipe.send(new Uint8Array(20_000), { timeoutMs: 0 });
      const lease = await theirs.receive({ lease: true });
      if (round % 3 === 0) lease.nack();
      assert.equal(await other.pipes.remove(name), true);
      await assert.rejects(pipe.receive(), { code: "ERR_CLOSED" });
      if (round % 2 === 0) pipe.detach();
      theirs.detach();
      pipe.detach();
    }
    const after = region.statistics();
    assert.equal(after.usedBlocks, before.usedBlocks + 1, "the directory's first block");
  });

  test("hundreds of objects", async (t) => {
    const region = await testRegion(t, "objects");
    const names = Array.from({ length: 300 }, (_, at) => `object ${at}`);
    for (const name of names) await region.counter(name);
    assert.deepEqual(region.counters.list(), names);
    for (const name of names.filter((_, at) => at % 2 === 0)) assert.equal(region.counters.removeSync(name), true);
    assert.deepEqual(
      region.counters.list(),
      names.filter((_, at) => at % 2 === 1),
    );
    assert.equal((await joinRegion(t, region.name)).counters.list().length, 150);
  });

  test("an object that does not fit says how much it needs, and leaves room for smaller ones", async (t) => {
    const region = await testRegion(t, "objects", { size: "256KiB", maxSize: "256KiB" });
    await assert.rejects(region.pipe("big", { capacity: 2 ** 24 }), {
      code: "ERR_REGION_FULL",
      path: `${region.name}/big`,
    });
    for (let at = 0; ; at++) {
      const made = await region
        .pipe(`p${at}`, { capacity: 64, maxLeased: 4 })
        .catch((error: unknown) => error as { code: string });
      if (!("code" in made)) continue;
      assert.equal(made.code, "ERR_REGION_FULL");
      break;
    }
    assert.equal(await region.pipes.remove("p0"), true);
    (await region.pipe("p1")).detach();
    await region.counter("small");
  });
});
