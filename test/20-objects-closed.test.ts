import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Region, open, type Lease, type Pipe } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

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

  test("a handle of a block that uses it is given up at its end", async (t) => {
    const region = await testRegion(t, "dispose");
    let kept: Pipe;
    {
      using pipe = await region.pipe("p");
      kept = pipe;
      await pipe.send("stays");
    }
    await assert.rejects(kept.receive(), { code: "ERR_CLOSED", message: /closed here; open it again/ });
    using again = await region.pipe("p");
    assert.equal(await again.receive(), "stays");
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
    "mutex.run": () => mutex.run(() => 0),
    "mutex.runSync": () => mutex.runSync(() => 0),
    "mutex.statistics": () => mutex.statistics(),
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
      // What is held can be given back: a lease whose message went with its pipe, a guard.
      if (label === "lease.ack" || label === "guard.release") continue;
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
