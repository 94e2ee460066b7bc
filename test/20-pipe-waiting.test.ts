import assert from "node:assert/strict";
import { getEventListeners, setMaxListeners } from "node:events";
import { describe, test } from "node:test";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { PIPE } from "#src/layout/pipe.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { CLOSED, elsewhere, takeAll, testPipe, TIMEOUT } from "./helpers/process-pipes.js";
import { testRegion } from "./helpers/process-regions.js";

describe("what cannot wait", () => {
  test("trySend answers whether there was room, tryReceive the message or undefined", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 2 });
    assert.equal(pipe.tryReceive(), undefined);
    assert.deepEqual([pipe.trySend(0), pipe.trySend(1), pipe.trySend(2)], [true, true, false]);
    assert.equal(pipe.tryReceive(), 0);
    assert.equal(pipe.trySend(3), true);
    const lease = pipe.tryReceive({ lease: true })!;
    assert.deepEqual([lease.value, lease.sequence, lease.deliveries], [1, 1, 1]);
    lease.ack();
    assert.deepEqual(takeAll(pipe), [3]);
    assert.equal(pipe.tryReceive({ lease: true }), undefined);
  });

  test("on a closed pipe they say so", async (t) => {
    const pipe = await testPipe<number>(t);
    pipe.trySend(1);
    await pipe.close();
    assert.throws(() => pipe.trySend(2), CLOSED);
    assert.equal(pipe.tryReceive(), 1);
    assert.throws(() => pipe.tryReceive(), CLOSED);
    assert.throws(() => pipe.tryReceive({ lease: true }), CLOSED);
  });
});

describe("deadlines", () => {
  test("0 tries without waiting", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 1 });
    const now = { timeoutMs: 0 };
    await assert.rejects(pipe.receive(now), TIMEOUT);
    assert.throws(() => pipe.receiveSync(now), TIMEOUT);
    await pipe.send(1, now);
    await assert.rejects(pipe.send(2, now), { ...TIMEOUT, message: /sending to .*\/p did not finish within 0 ms/ });
    await assert.rejects(pipe.send(2, { timeoutMs: 20.123456789 }), {
      ...TIMEOUT,
      message: /did not finish within 20 ms/,
    });
    assert.throws(() => pipe.sendSync(2, now), TIMEOUT);
    await assert.rejects(pipe.drain(now), TIMEOUT);
    assert.equal(await pipe.receive(now), 1);
    await pipe.drain(now);
    pipe.sendSync(3, now);
    assert.equal(pipe.receiveSync(now), 3);
  });

  test("what timed out was not done", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 1 });
    const theirs = await elsewhere(t, pipe);
    await pipe.send(0);
    const soon = { timeoutMs: 15 };
    await Promise.all([1, 2, 3].map((number) => assert.rejects(pipe.send(number, soon), TIMEOUT)));
    assert.throws(() => theirs.sendSync(4, soon), TIMEOUT);
    assert.deepEqual(takeAll(theirs), [0]);
    await Promise.all([
      assert.rejects(pipe.receive(soon), TIMEOUT),
      assert.rejects(theirs.receive({ ...soon, lease: true }), TIMEOUT),
    ]);
    assert.throws(() => pipe.receiveSync(soon), TIMEOUT);
    await pipe.send(5);
    await sleep(5);
    const { sent, received, depth, waitingReceivers, waitingSenders } = pipe.statistics();
    assert.deepEqual(
      { sent, received, depth, waitingReceivers, waitingSenders },
      { sent: 2, received: 1, depth: 1, waitingReceivers: 0, waitingSenders: 0 },
    );
  });

  test("looks once more at its end: the ring may have gone to somebody who is stopped", async (t) => {
    const region = await testRegion(t, "ring");
    const pipe = await region.pipe<number>("p");
    await pipe.send(1);
    // As another member holds it who is stopped between freeing it and ringing.
    const lock = new Int32Array(region.buffer, pipe.ref.page * PAGE_BYTES + PIPE.at.headLock, 1);
    Atomics.store(lock, 0, region.slot + 2);
    const receiving = pipe.receive({ timeoutMs: 200 });
    // What rang when the region was made is over.
    await sleep(50);
    Atomics.store(lock, 0, 0);
    assert.equal(await receiving, 1);
  });

  test("never ends before its time", async (t) => {
    const pipe = await testPipe<number>(t);
    for (const timeoutMs of [1, 5.5, 20]) {
      let begin = performance.now();
      await assert.rejects(pipe.receive({ timeoutMs }), TIMEOUT);
      assert.ok(performance.now() - begin >= timeoutMs);
      begin = performance.now();
      assert.throws(() => pipe.receiveSync({ timeoutMs }), TIMEOUT);
      assert.ok(performance.now() - begin >= timeoutMs);
    }
  });

  test("Infinity and more than a timer can hold are waited for", async (t) => {
    const pipe = await testPipe<number>(t);
    const waits = [Infinity, 2 ** 31, 2 ** 53, Number.MAX_VALUE].map((timeoutMs) => pipe.receive({ timeoutMs }));
    await sleep(5);
    for (const number of [1, 2, 3, 4]) await pipe.send(number);
    assert.deepEqual(await Promise.all(waits), [1, 2, 3, 4]);
  });

  test("a wait that succeeds leaves no timer behind", async () => {
    const member = await ProcessMember.start();
    await member.run(async ({ shmkit }, name) => {
      const region = await shmkit.open(name, { size: "256KiB", maxSize: "8MiB" });
      const pipe = await region.pipe<number>("p");
      const waiting = pipe.receive({ timeoutMs: 2 ** 40 });
      await pipe.send(1);
      await waiting;
      await region.close();
    }, uniqueRegionName("timer"));
    assert.equal((await member.finish()).code, 0, "the process ends although the time is not over");
  });
});

describe("signals", () => {
  test("aborted before: nothing is done, the reason comes through as it is", async (t) => {
    const pipe = await testPipe<number>(t);
    await pipe.send(1);
    for (const reason of [new Error("mine"), "text", 5, null, { any: "thing" }]) {
      const signal = AbortSignal.abort(reason);
      const same = (thrown: unknown): boolean => thrown === reason;
      await assert.rejects(pipe.send(2, { signal }), same);
      await assert.rejects(pipe.receive({ signal }), same);
      await assert.rejects(pipe.receive({ signal, lease: true }), same);
      await assert.rejects(pipe.receiveInto(new Uint8Array(9), { signal }), same);
      await assert.rejects(pipe.drain({ signal }), same);
      assert.throws(() => pipe.sendSync(2, { signal }), same);
      assert.throws(() => pipe.receiveSync({ signal }), same);
    }
    await assert.rejects(pipe.send(2, { signal: AbortSignal.abort() }), { name: "AbortError" });
    assert.deepEqual(takeAll(pipe), [1]);
  });

  test("aborted while waiting: nothing is done, and the next ones go on", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 1 });
    const reason = new Error("mine");
    const same = (thrown: unknown): boolean => thrown === reason;
    const controller = new AbortController();
    const { signal } = controller;
    await pipe.send(0);
    const aborted = [pipe.send(1, { signal }), pipe.drain({ signal })].map((wait) => assert.rejects(wait, same));
    const stays = pipe.send(2);
    await turn();
    controller.abort(reason);
    await Promise.all(aborted);
    assert.equal(await pipe.receive(), 0);
    await stays;
    assert.deepEqual(takeAll(pipe), [2]);
    assert.equal(pipe.isClosed, false);

    const second = new AbortController();
    const receiving = assert.rejects(pipe.receive({ signal: second.signal }), same);
    const receives = pipe.receive();
    second.abort(reason);
    await receiving;
    await pipe.send(3);
    assert.equal(await receives, 3);
  });

  test("aborted after: what was done stays done", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = pipe.receive({ signal });
    const sent = theirs.send(1, { signal });
    await waiting;
    controller.abort();
    assert.equal(await waiting, 1);
    await sent;

    const late = new AbortController();
    const taken = pipe.receive({ signal: late.signal });
    theirs.sendSync(2);
    pipe.statistics();
    const both = Promise.all([taken]);
    assert.deepEqual(await both, [2]);
    late.abort();
    assert.equal(getEventListeners(signal, "abort").length + getEventListeners(late.signal, "abort").length, 0);
  });

  test("AbortSignal.timeout gives its own error", async (t) => {
    const pipe = await testPipe<number>(t);
    const keepAlive = setTimeout(() => undefined, 1000);
    await assert.rejects(
      pipe.receive({ signal: AbortSignal.timeout(10) }),
      (error: unknown) => error instanceof DOMException && error.name === "TimeoutError",
    );
    clearTimeout(keepAlive);
  });

  test("hundreds of waits on one signal leave no listeners behind", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 1000 });
    const controller = new AbortController();
    const { signal } = controller;
    setMaxListeners(0, signal);
    const waits = Array.from({ length: 300 }, () => pipe.receive({ signal }));
    for (let number = 0; number < 200; number++) pipe.sendSync(number);
    assert.deepEqual(
      await Promise.all(waits.slice(0, 200)),
      Array.from({ length: 200 }, (_, at) => at),
    );
    controller.abort();
    for (const wait of waits.slice(200)) await assert.rejects(wait, { name: "AbortError" });
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });
});

describe("order of those who wait", () => {
  test("pending receives get the messages in the order they were asked for", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    const received: number[] = [];
    const waits = Array.from({ length: 20 }, async (_, at) => {
      received[at] = await pipe.receive();
    });
    assert.equal(pipe.tryReceive(), undefined);
    for (let number = 0; number < 10; number++) theirs.sendSync(number);
    assert.equal(pipe.tryReceive(), undefined, "not before those who wait");
    for (let number = 10; number < 20; number++) await theirs.send(number);
    await Promise.all(waits);
    assert.deepEqual(
      received,
      Array.from({ length: 20 }, (_, at) => at),
    );
    assert.equal(pipe.statistics().depth, 0);
  });

  test("pending sends go out in the order they were made, before later tries", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 1 });
    const theirs = await elsewhere(t, pipe);
    const sends = Array.from({ length: 50 }, (_, number) => pipe.send(number));
    assert.equal(pipe.trySend(-1), false, "not before those who wait");
    const received: number[] = [];
    for (let at = 0; at < 50; at++) received.push(await theirs.receive());
    await Promise.all(sends);
    assert.deepEqual(
      received,
      Array.from({ length: 50 }, (_, at) => at),
    );
  });

  test("a Sync call stands behind the asynchronous ones of its thread", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 8 });
    const worker = await ProcessMember.startWorker({ region: pipe.address.split("/")[0] });
    const first = pipe.receive();
    const second = pipe.receive();
    const sent = worker.run(async ({ region, sleep: pause }) => {
      await pause(20);
      const theirs = await region.pipes.open("p");
      for (let number = 0; number < 3; number++) theirs.sendSync(number);
    });
    assert.equal(pipe.receiveSync(), 2);
    assert.deepEqual([await first, await second], [0, 1]);
    await sent;
    await worker.finish();
  });
});
