import assert from "node:assert/strict";
import { createReadStream, openSync, closeSync, write, statSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { deflate, inflateSync } from "node:zlib";
import { Region, open, type Lease, type Pipe } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

describe("regions by name", () => {
  test("create refuses an existing one and leaves it alone", async (t) => {
    const region = await testRegion(t, "existing");
    await (await region.counter("c")).set(5);
    await assert.rejects(Region.create(region.name), { name: "ShmkitError", code: "ERR_EXISTS", path: region.path });
    assert.throws(() => Region.createSync(region.name), { code: "ERR_EXISTS" });
    assert.equal((await (await joinRegion(t, region.name)).counter("c")).value, 5n);
  });

  test("open refuses a missing one and makes none", async () => {
    const name = uniqueRegionName();
    await assert.rejects(Region.open(name), {
      name: "ShmkitError",
      code: "ERR_NOT_FOUND",
      path: `/dev/shm/shmkit.${name}`,
    });
    assert.throws(() => Region.openSync(name), { code: "ERR_NOT_FOUND" });
    assert.equal(Region.inspect(name), undefined);
    assert.equal(await Region.remove(name), false);
    assert.equal(Region.removeSync(name), false);
  });

  test("openOrCreate says who made it; every handle is a member of its own", async (t) => {
    const name = uniqueRegionName();
    const first = await joinRegion(t, name, SMALL);
    const second = await joinRegion(t, name, SMALL);
    const third = Region.openOrCreateSync(name);
    assert.deepEqual([first.created, second.created, third.created], [true, false, false]);
    assert.deepEqual([first.slot, second.slot, third.slot], [0, 1, 2]);
    assert.equal(new Set([first.epoch, second.epoch, third.epoch]).size, 1);
    assert.equal(first.createdAt.getTime(), third.createdAt.getTime());
    third.closeSync();
    assert.deepEqual(
      first.members().map((member) => member.slot),
      [0, 1],
    );
  });

  test("open waits for one to appear when told to", async (t) => {
    const name = uniqueRegionName();
    const waiting = Region.open(name, { wait: true });
    await sleep(30);
    const region = await Region.create(name, SMALL);
    t.after(() => region.close());
    const opened = await waiting;
    t.after(() => opened.close());
    assert.equal(opened.epoch, region.epoch);
  });

  test("openSync waits for one to appear when told to", async (t) => {
    const name = uniqueRegionName();
    const member = await ProcessMember.startWorker();
    const made = member.run(
      async ({ shmkit, say, sleep: pause }, argument) => {
        await pause(30);
        const region = await shmkit.Region.create(argument.name, argument.options);
        say("made");
        return region.epoch;
      },
      { name, options: SMALL },
    );
    const opened = Region.openSync(name, { wait: true });
    t.after(() => opened.close());
    assert.equal(opened.epoch, await made);
    await member.kill();
  });

  test("waiting for one to appear ends with the deadline or the signal", async () => {
    const name = uniqueRegionName();
    await assert.rejects(Region.open(name, { wait: true, timeoutMs: 0 }), {
      name: "TimeoutError",
      code: "ERR_TIMEOUT",
    });
    await assert.rejects(Region.open(name, { wait: true, timeoutMs: 30 }), {
      name: "TimeoutError",
      code: "ERR_TIMEOUT",
    });
    assert.throws(() => Region.openSync(name, { wait: true, timeoutMs: 30 }), {
      name: "TimeoutError",
      code: "ERR_TIMEOUT",
    });
    const controller = new AbortController();
    const waiting = Region.open(name, { wait: true, signal: controller.signal });
    const reason = { any: "thing" };
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(waiting, (thrown) => thrown === reason);
  });

  test("other options than it has are an error that names the difference", async (t) => {
    const region = await testRegion(t, "options", { size: "256KiB", maxSize: "1MiB", maxMembers: 8 });
    const differing = [
      [{ maxSize: "2MiB" }, /maxSize 1048576, not 2097152/, 2 ** 21, 2 ** 20],
      [{ maxMembers: 9 }, /maxMembers 8, not 9/, 9, 8],
      [{ lifetime: "kernel" }, /lifetime process, not kernel/, "kernel", "process"],
    ] as const;
    for (const [options, message, expected, actual] of differing) {
      await assert.rejects(open(region.name, options), {
        code: "ERR_OPTIONS_DIFFER",
        message,
        expected,
        actual,
        path: region.path,
      });
      assert.throws(() => Region.openSync(region.name, options), { code: "ERR_OPTIONS_DIFFER" });
    }
    assert.equal(region.members().length, 1);
    for (const options of [
      { size: "512KiB", maxSize: 2 ** 20, maxMembers: 8, lifetime: "process" },
      { size: 4096, label: "x", mode: 0o640 },
    ] as const) {
      const same = await open(region.name, options);
      assert.equal(same.maxSizeBytes, 2 ** 20);
      await same.close();
    }
    assert.equal(statSync(region.path).mode & 0o777, 0o600, "a joiner changes no mode");
  });

  test("remove takes the name away from those who use it", async (t) => {
    const region = await testRegion(t, "removed");
    const other = await joinRegion(t, region.name);
    await (await region.counter("c")).set(1);
    assert.equal(await Region.remove(region.name), true);
    assert.equal(await Region.remove(region.name), false);
    await assert.rejects(Region.open(region.name), { code: "ERR_NOT_FOUND" });
    assert.equal(await (await other.counter("c")).add(1), 2n, "those attached go on with the memory they share");
    assert.equal((await region.counter("c")).value, 2n);
    const next = await testRegionNamed(t, region.name);
    assert.notEqual(next.epoch, region.epoch);
    await region.close();
    await other.close();
    assert.equal((await joinRegion(t, next.name)).epoch, next.epoch, "they do not take the new one's name with them");
  });

  test("as many members as it has slots", async (t) => {
    const region = await testRegion(t, "crowded", { ...SMALL, maxMembers: 3 });
    const others = [await open(region.name), await open(region.name)];
    await assert.rejects(open(region.name), { code: "ERR_TOO_MANY_MEMBERS", expected: 3 });
    assert.throws(() => Region.openSync(region.name), { code: "ERR_TOO_MANY_MEMBERS" });
    await others[0].close();
    const again = await open(region.name);
    assert.equal(again.slot, 1);
    for (const other of [...others, again]) await other.close();
    assert.equal(region.members().length, 1);
  });
});

async function testRegionNamed(t: TestContext, name: string): Promise<Region> {
  const region = await Region.create(name, SMALL);
  t.after(() => region.close());
  return region;
}

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

describe("giving up a handle", () => {
  test("detach ends this handle's use, its waits and its leases, and nobody else's", async (t) => {
    const region = await testRegion(t, "detach");
    const other = await joinRegion(t, region.name);
    const pipe = await region.pipe<string>("p");
    const theirs = await other.pipe<string>("p");
    await pipe.send("a");
    const lease = await pipe.receive({ lease: true });
    const waiting = pipe.receive();
    pipe.detach();
    pipe.detach();
    await assert.rejects(waiting, { code: "ERR_CLOSED" });
    assert.throws(() => lease.ack(), { code: "ERR_CLOSED" });
    await assert.rejects(pipe.send("b"), { code: "ERR_CLOSED", message: /closed here; open it again/ });
    const back = await theirs.receive({ lease: true });
    assert.deepEqual([back.value, back.deliveries], ["a", 2]);
    back.ack();
    const again = await region.pipe<string>("p");
    assert.notEqual(again, pipe);
    await again.send("c");
    assert.equal(await theirs.receive(), "c");
  });

  test("a detached mutex is released, as if its guard had been", async (t) => {
    const region = await testRegion(t, "detach");
    const other = await joinRegion(t, region.name);
    const mutex = await region.mutex("m");
    const guard = await mutex.lock();
    guard.set(0, 9);
    const next = (await other.mutex("m")).lock();
    mutex.detach();
    const theirs = await next;
    assert.deepEqual([theirs.get(0), theirs.abandoned], [9, false]);
    assert.throws(() => guard.release(), { code: /ERR_NOT_HELD|ERR_CLOSED/ });
    theirs.release();
  });

  test("waits on a detached object touch no memory that another one may have by then", async (t) => {
    const region = await testRegion(t, "detach");
    const other = await joinRegion(t, region.name);
    for (let round = 0; round < 20; round++) {
      const pipe = await region.pipe("p");
      const waits = [pipe.receive(), pipe.receive(), (await region.counter("n")).waitFor(1)];
      pipe.detach();
      (await region.counters.open("n")).detach();
      for (const wait of waits) await assert.rejects(wait, { code: "ERR_CLOSED" });
      await other.pipes.remove("p");
      await other.counters.remove("n");
      const bytes = await other.pipe<Uint8Array>("reuses");
      await bytes.send(new Uint8Array(50_000).fill(0xff));
      await sleep(1);
      assert.ok((await bytes.receive()).every((byte) => byte === 0xff));
      await other.pipes.remove("reuses");
    }
  });
});

/** One call of everything that a handle offers. */
function everyCall(
  region: Region,
  pipe: Pipe,
  lease: Lease<unknown>,
  counter: Awaited<ReturnType<Region["counter"]>>,
  mutex: Awaited<ReturnType<Region["mutex"]>>,
  guard: Awaited<ReturnType<typeof mutex.lock>>,
): Record<string, () => unknown> {
  const bytes = new Uint8Array(8);
  return {
    "region.pipe": () => region.pipe("x"),
    "region.pipeSync": () => region.pipeSync("x"),
    "region.counter": () => region.counter("x"),
    "region.counterSync": () => region.counterSync("x"),
    "region.mutex": () => region.mutex("x"),
    "region.mutexSync": () => region.mutexSync("x"),
    "pipes.create": () => region.pipes.create("x"),
    "pipes.createSync": () => region.pipes.createSync("x"),
    "pipes.open": () => region.pipes.open("x", { wait: true }),
    "pipes.openSync": () => region.pipes.openSync("x", { wait: true }),
    "pipes.remove": () => region.pipes.remove("x"),
    "pipes.removeSync": () => region.pipes.removeSync("x"),
    "pipes.list": () => region.pipes.list(),
    "region.statistics": () => region.statistics(),
    "region.members": () => region.members(),
    "region.sizeBytes": () => region.sizeBytes,
    "region.grow": () => region.grow("512KiB"),
    "region.recoverTheDead": () => region.recoverTheDead(),
    "pipe.send": () => pipe.send(1),
    "pipe.trySend": () => pipe.trySend(1),
    "pipe.sendSync": () => pipe.sendSync(1),
    "pipe.sendBytesSync": () => pipe.sendBytesSync(bytes),
    "pipe.receive": () => pipe.receive(),
    "pipe.receive lease": () => pipe.receive({ lease: true }),
    "pipe.tryReceive": () => pipe.tryReceive(),
    "pipe.receiveSync": () => pipe.receiveSync(),
    "pipe.receiveInto": () => pipe.receiveInto(bytes),
    "pipe.receiveIntoSync": () => pipe.receiveIntoSync(bytes),
    "pipe iteration": () => pipe[Symbol.asyncIterator]().next(),
    "pipe.process": () => pipe.process(() => undefined),
    "pipe.drain": () => pipe.drain(),
    "pipe.close": () => pipe.close(),
    "pipe.closeSync": () => pipe.closeSync(),
    "pipe.isClosed": () => pipe.isClosed,
    "pipe.statistics": () => pipe.statistics(),
    "lease.ack": () => lease.ack(),
    "counter.value": () => counter.value,
    "counter.add": () => counter.add(),
    "counter.addSync": () => counter.addSync(),
    "counter.set": () => counter.set(1),
    "counter.setSync": () => counter.setSync(1),
    "counter.waitFor": () => counter.waitFor(1000),
    "counter.waitForSync": () => counter.waitForSync(1000),
    "mutex.lock": () => mutex.lock(),
    "mutex.lockSync": () => mutex.lockSync(),
    "mutex.tryLock": () => mutex.tryLock(),
    "mutex.ownerSlot": () => mutex.ownerSlot,
    "mutex.takeovers": () => mutex.takeovers,
    "guard.get": () => guard.get(0),
    "guard.set": () => guard.set(0, 1),
    "guard.commit": () => guard.commit(),
    "guard.rollback": () => guard.rollback(),
    "guard.release": () => guard.release(),
  };
}

async function everything(region: Region): Promise<Record<string, () => unknown>> {
  const pipe = await region.pipe("pipe");
  const mutex = await region.mutex("mutex");
  await pipe.send("leased");
  await pipe.send("more");
  return everyCall(
    region,
    pipe,
    await pipe.receive({ lease: true }),
    await region.counter("counter"),
    mutex,
    await mutex.lock(),
  );
}

describe("use after the end", () => {
  test("of a region: every call of every object is ERR_CLOSED", async () => {
    const region = await open(uniqueRegionName(), SMALL);
    const calls = await everything(region);
    const before = { size: region.sizeBytes, name: region.name };
    await region.close();
    await region.close();
    region.closeSync();
    for (const [label, call] of Object.entries(calls))
      await assert.rejects(async () => call(), { code: "ERR_CLOSED" }, label);
    assert.equal(region.name, before.name);
    assert.deepEqual([region.slot, region.maxSizeBytes, region.lifetime], [0, 8 * 2 ** 20, "process"]);
  });

  test("of an object that somebody removed: every call is ERR_CLOSED", async (t) => {
    const region = await testRegion(t, "removed");
    const other = await joinRegion(t, region.name);
    const calls = await everything(region);
    for (const [collection, name] of [
      [other.pipes, "pipe"],
      [other.counters, "counter"],
      [other.mutexes, "mutex"],
    ] as const)
      assert.equal(await collection.remove(name), true);
    for (const [label, call] of Object.entries(calls)) {
      if (/^(region|pipes)\b/.test(label)) continue;
      // The message of the lease went with its pipe; that it is over can be said without an error, too.
      if (label === "lease.ack") continue;
      await assert.rejects(async () => call(), { code: "ERR_CLOSED" }, label);
    }
    const again = await region.pipe<string>("pipe");
    await again.send("new");
    assert.equal(await (await other.pipe("pipe")).receive(), "new");
  });

  test("pending waits of every kind reject when the region closes", async () => {
    const region = await open(uniqueRegionName(), SMALL);
    const other = await open(region.name);
    const empty = await region.pipe("empty");
    const full = await region.pipe("full", { capacity: 1 });
    await full.send(1);
    const guard = await (await other.mutex("m")).lock();
    const waits: Record<string, Promise<unknown>> = {
      receive: empty.receive(),
      receiveInto: empty.receiveInto(new Uint8Array(8)),
      "receive lease": empty.receive({ lease: true }),
      iteration: empty[Symbol.asyncIterator]().next(),
      process: empty.process(() => undefined, { concurrency: 3 }),
      send: full.send(2),
      drain: full.drain(),
      lock: (await region.mutex("m")).lock(),
      waitFor: (await region.counter("c")).waitFor(1),
      "open, waiting": region.pipes.open("none", { wait: true }),
    };
    await sleep(5);
    const all = Object.entries(waits).map(([label, wait]) => assert.rejects(wait, { code: "ERR_CLOSED" }, label));
    await region.close();
    await Promise.all(all);
    guard.release();
    assert.equal(other.members().length, 1);
    const stays = await other.pipe("full");
    assert.equal(stays.statistics().depth, 1, "nothing was sent by the one who left");
    assert.equal(stays.statistics().waitingSenders, 0);
    await other.close();
  });

  test("asyncDispose closes", async () => {
    const region = await open(uniqueRegionName(), SMALL);
    await region[Symbol.asyncDispose]();
    assert.throws(() => region.members(), { code: "ERR_CLOSED" });
    assert.equal(Region.inspect(region.name), undefined);
  });

  test("closing inside of work under lease gives the message back", async (t) => {
    const region = await testRegion(t, "closing");
    const worker = await open(region.name);
    const pipe = await region.pipe<string>("p");
    await pipe.send("a");
    const working = (await worker.pipe<string>("p")).process(async () => worker.close());
    await assert.rejects(working, { code: "ERR_CLOSED" });
    assert.equal(await pipe.receive(), "a");
  });
});

describe("raw views after the end", () => {
  test("stay usable and read zeroes; the region of the others is untouched", async (t) => {
    const region = await testRegion(t, "views");
    const other = await open(region.name);
    const bytes = new Uint8Array(other.buffer);
    const words = new Int32Array(other.buffer, 0, 1024);
    assert.equal(bytes[0], 0x53, "the magic number's first byte");
    await other.close();
    assert.equal(bytes.length, other.buffer.byteLength);
    assert.ok(words.every((word) => word === 0));
    bytes.fill(0xff, 0, 65536);
    assert.equal(words[0], -1);
    assert.equal(new Uint8Array(other.buffer)[1], 0xff);
    assert.equal(region.members().length, 1);
    await (await region.pipe("p")).send("x");
  });

  test("while zlib and fs read them on pool threads", async () => {
    const compress = promisify(deflate);
    const path = join(tmpdir(), `${uniqueRegionName("views")}.bin`);
    const file = openSync(path, "w");
    const writeAll = (bytes: Uint8Array): Promise<number> =>
      new Promise((resolve, reject) =>
        write(file, bytes, 0, bytes.length, 0, (error, count) => (error ? reject(error) : resolve(count))),
      );
    try {
      for (let round = 0; round < 12; round++) {
        const region = await open(uniqueRegionName("pool"), { size: "2MiB", maxSize: "4MiB" });
        const view = new Uint8Array(region.buffer, 0, 2 * 2 ** 20);
        for (let at = 2 ** 20; at < view.length; at += 7) view[at] = at;
        const work = [
          compress(view, { level: 9 }),
          writeAll(view),
          compress(view.subarray(4096)),
          writeAll(view),
        ] as const;
        await sleep(round % 4);
        region.closeSync();
        const [deflated, written, part] = await Promise.all(work);
        assert.equal(inflateSync(deflated).length, view.length);
        assert.equal(inflateSync(part).length, view.length - 4096);
        assert.equal(written, view.length);
        assert.ok(view.every((byte) => byte === 0));
      }
      let length = 0;
      for await (const chunk of createReadStream(path)) length += (chunk as Buffer).length;
      assert.equal(length, 2 * 2 ** 20);
    } finally {
      closeSync(file);
      rmSync(path);
    }
  });

  test("when the region object is garbage and only the view is left", async () => {
    const member = await ProcessMember.start({ environment: { NODE_OPTIONS: "--expose-gc" } });
    const sum = await member.run(async ({ shmkit, sleep: pause }, name) => {
      const region = await shmkit.open(name, { size: "256KiB", maxSize: "1MiB" });
      const view = new Uint8Array(region.buffer, 0, 4096);
      await region.close();
      for (let round = 0; round < 5; round++) {
        (globalThis as unknown as { gc: () => void }).gc();
        await pause(1);
      }
      return view.reduce((total, byte) => total + byte, 0);
    }, uniqueRegionName("garbage"));
    assert.equal(sum, 0);
    assert.equal((await member.finish()).code, 0);
  });
});
