import assert from "node:assert/strict";
import { getEventListeners, setMaxListeners } from "node:events";
import { describe, test, type TestContext } from "node:test";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { Region, type Lease, type Pipe, type PipeOptions } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { Random } from "./helpers/process-random.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

const TIMEOUT = { name: "TimeoutError", code: "ERR_TIMEOUT" } as const;
const CLOSED = { name: "ShmkitError", code: "ERR_CLOSED" } as const;

async function testPipe<T>(t: TestContext, options: PipeOptions = {}): Promise<Pipe<T>> {
  return (await testRegion(t, "pipe")).pipe<T>("p", options);
}

/** The same pipe as another member of this process has it. */
async function elsewhere<T>(t: TestContext, pipe: Pipe<T>): Promise<Pipe<T>> {
  const [region, name] = pipe.address.split("/") as [string, string];
  return (await joinRegion(t, region)).pipe<T>(name);
}

function takeAll<T>(pipe: Pipe<T>): T[] {
  const messages: T[] = [];
  for (let message = pipe.tryReceive(); message !== undefined; message = pipe.tryReceive()) messages.push(message);
  return messages;
}

describe("values", () => {
  const SAME: readonly unknown[] = [
    ...[null, true, false, 0, 1, -1, 127, 128, 255, 256, 65535, 65536, -32768, 2 ** 31, -(2 ** 31), 2 ** 32],
    ...[2 ** 53 - 1, -(2 ** 53 - 1), 0.1, 1.5e300, Number.MIN_VALUE, Infinity, -Infinity, NaN],
    ...[0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), 3n ** 500n, -(3n ** 500n)],
    ...["", "a", "ä日本👩‍👩‍👧", "\0", "x".repeat(31), "x".repeat(32), "x".repeat(256), "日".repeat(30_000)],
    ...[[], {}, [[[]]], [null, 1, "x", [2n]], { a: 1, b: { c: [1, { d: null }] } }, { "": 0, 日本: 1, "a b": 2 }],
    ...[new Date(0), new Date(1e12 + 1), new Date(-1), new Set([1, "x"]), /a+/giu],
    ...[new Uint8Array(0), new Uint8Array([1, 2, 255]), { bytes: new Uint8Array([9]) }, new Float64Array([0.1, NaN])],
    [new Int16Array([-1]), new Uint32Array([2 ** 32 - 1]), new BigInt64Array([-5n])],
    Array.from({ length: 1000 }, (_, at) => at),
    Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`key ${at}`, at])),
  ];

  test("arrive as they were sent, by every way of sending and receiving", async (t) => {
    const pipe = await testPipe(t);
    const theirs = await elsewhere(t, pipe);
    for (const value of SAME) {
      await pipe.send(value);
      pipe.sendSync(value);
      assert.equal(pipe.trySend(value), true);
      await pipe.send(value);
      assert.deepEqual(await theirs.receive(), value);
      assert.deepEqual(theirs.receiveSync(), value);
      assert.deepEqual(theirs.tryReceive(), value);
      const lease = await theirs.receive({ lease: true });
      assert.deepEqual(lease.value, value);
      lease.ack();
    }
    assert.equal(theirs.statistics().depth, 0);
  });

  test("some arrive as something else, as documented", async (t) => {
    const pipe = await testPipe(t);
    class Point {
      x = 1;
      get y(): number {
        return 2;
      }
    }
    const changed: readonly (readonly [sent: unknown, received: unknown])[] = [
      [-0, 0],
      [
        new Map<unknown, unknown>([
          ["a", 1],
          ["b", new Map([["c", 2]])],
        ]),
        { a: 1, b: { c: 2 } },
      ],
      [new Point(), { x: 1 }],
      [{ a: undefined }, { a: undefined }],
      [Buffer.from("hi"), new Uint8Array([104, 105])],
      [Object.create(null), {}],
    ];
    for (const [sent, received] of changed) {
      await pipe.send(sent);
      assert.deepEqual(await pipe.receive(), received);
    }
  });

  const circular: unknown[] = [];
  circular.push({ circular });
  let deep: unknown = 1;
  for (let at = 0; at < 100_000; at++) deep = [deep];
  const BAD: Record<string, unknown> = {
    "a function": () => 1,
    "a class": class {},
    "a symbol": Symbol("s"),
    undefined,
    "a circle": circular,
    "too deep a nesting": deep,
    "a function inside": { a: [{ b: () => 1 }] },
    "a symbol inside": [Symbol("s")],
    "a function in a set": new Set([() => 1]),
    "a function in a map": new Map([["k", () => 1]]),
    "a map with an object as key": new Map([[{}, 1]]),
    "a map with an array as key inside": { a: [new Map([[[1], 1]])] },
    "a promise": Promise.resolve(1),
    "a getter that throws": {
      get a(): never {
        throw new Error("on purpose");
      },
    },
  };
  for (const [label, value] of Object.entries(BAD)) {
    test(`${label} is ERR_NOT_ENCODABLE, and nothing is sent`, async (t) => {
      const pipe = await testPipe(t);
      await assert.rejects(pipe.send(value), { name: "ShmkitError", code: "ERR_NOT_ENCODABLE" });
      assert.throws(() => pipe.sendSync(value), { code: "ERR_NOT_ENCODABLE" });
      assert.throws(() => pipe.trySend(value), { code: "ERR_NOT_ENCODABLE" });
      assert.equal(pipe.statistics().sent, 0);
      await pipe.send(["after", label]);
      assert.deepEqual(await pipe.receive(), ["after", label]);
    });
  }

  test("code of the caller that runs while a value is encoded may use the same pipe", async (t) => {
    const pipe = await testPipe(t);
    const value = {
      a: 1,
      get b(): string {
        pipe.sendSync({ inner: [1, 2, 3] });
        return "outer";
      },
    };
    await pipe.send(value);
    assert.deepEqual(takeAll(pipe), [{ inner: [1, 2, 3] }, { a: 1, b: "outer" }]);
  });

  test("bytes are copied, whatever they are a view of", async (t) => {
    const pipe = await testPipe<Uint8Array>(t);
    const big = new Uint8Array(100_000).fill(1);
    const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 4).fill(7);
    const odd = new Uint8Array(new ArrayBuffer(9), 3, 5).fill(5);
    for (const bytes of [big, shared, odd, Buffer.from("text"), new Uint8Array(0)]) {
      const expected = new Uint8Array(bytes);
      await pipe.send(bytes);
      pipe.sendBytesSync(bytes);
      bytes.fill(0);
      const [first, second] = [await pipe.receive(), pipe.receiveSync()];
      assert.deepEqual(first, expected);
      first.fill(9);
      assert.deepEqual(second, expected);
      assert.equal(first.constructor, Uint8Array);
    }
  });

  test("messages of every size in order, around the end of the ring and through blocks", async (t) => {
    const random = new Random(1);
    for (const options of [
      { capacity: 1, maxLeased: 1 },
      { capacity: 3 },
      { capacity: 7, maxLeased: 2 },
      { capacity: 2000 },
    ]) {
      const pipe = await testPipe<Uint8Array>(t, options);
      const waiting: { length: number; first: number }[] = [];
      let number = 0;
      const take = (): void => {
        const message = pipe.receiveSync({ timeoutMs: 0 });
        const { length, first } = waiting.shift()!;
        assert.equal(message.length, length);
        assert.ok(message.every((byte) => byte === first));
      };
      while (number < 3000) {
        const length = random.of([
          0, 1, 7, 8, 9, 100, 111, 112, 119, 120, 121, 500, 503, 504, 505, 511, 512, 4095, 4096, 4097, 20_000,
        ]);
        const message = new Uint8Array(length).fill(number);
        if (pipe.trySend(message)) waiting.push({ length, first: number++ & 0xff });
        else take();
        if (random.below(3) === 0 && waiting.length > 0) take();
      }
      while (waiting.length > 0) take();
      assert.equal(pipe.tryReceive(), undefined);
    }
  });
});

describe("messages too large", () => {
  const TOO_LARGE = { name: "ShmkitError", code: "ERR_MESSAGE_TOO_LARGE" } as const;

  test("for the region: refused at once by every way of sending, with the limit", async (t) => {
    const pipe = await testPipe<unknown>(t);
    const bytes = new Uint8Array(9 * 2 ** 20);
    await assert.rejects(pipe.send(bytes), {
      ...TOO_LARGE,
      path: pipe.address,
      actual: bytes.length,
      expected: 8 * 2 ** 20,
    });
    await assert.rejects(pipe.send("x".repeat(9 * 2 ** 20)), TOO_LARGE);
    assert.throws(() => pipe.sendSync(bytes), TOO_LARGE);
    assert.throws(() => pipe.trySend(bytes), TOO_LARGE);
    assert.throws(() => pipe.sendBytesSync(bytes), TOO_LARGE);
    assert.deepEqual([pipe.statistics().sent, pipe.statistics().depth], [0, 0]);
    await pipe.send("small");
    assert.equal(await pipe.receive(), "small");
  });

  test("for what the pipe itself leaves of the region: no wait without an end", async (t) => {
    const region = await testRegion(t, "large", { size: "256KiB", maxSize: "1MiB", maxMembers: 4 });
    const pipe = await region.pipe<Uint8Array>("p", { capacity: 64, maxLeased: 8 });
    const room = 2 ** 20 - (region.sizeBytes - region.statistics().freeBytes);
    await assert.rejects(pipe.send(new Uint8Array(room + 1)), TOO_LARGE);
    assert.throws(() => pipe.trySend(new Uint8Array(2 ** 20)), TOO_LARGE);
    for (let round = 0; round < 3; round++) {
      assert.equal(pipe.trySend(new Uint8Array(room).fill(round)), true, "the most that it can take");
      assert.equal(pipe.trySend(new Uint8Array(50_000)), false, "no room while that is in it");
      assert.ok((await pipe.receive()).every((byte) => byte === round));
    }
  });

  test("a sender waits for room that receivers make, also of other pipes", async (t) => {
    const region = await testRegion(t, "large", { size: "1MiB", maxSize: "1MiB", maxMembers: 4 });
    const [one, two] = [
      await region.pipe<Uint8Array>("one", { capacity: 8, maxLeased: 4 }),
      await region.pipe<Uint8Array>("two", { capacity: 8, maxLeased: 4 }),
    ];
    await two.send(new Uint8Array(400_000));
    await one.send(new Uint8Array(400_000));
    const waiting = one.send(new Uint8Array(300_000));
    await assert.rejects(one.send(new Uint8Array(300_000), { timeoutMs: 10 }), TIMEOUT);
    assert.equal((await two.receive()).length, 400_000);
    await waiting;
    assert.deepEqual(
      takeAll(one).map((bytes) => bytes.length),
      [400_000, 300_000],
    );
  });
});

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

describe("receiveInto", () => {
  const TOO_SMALL = { name: "RangeError", code: "ERR_OUT_OF_RANGE" } as const;

  test("answers the length, and fills no more than that", async (t) => {
    const pipe = await testPipe<Uint8Array>(t);
    for (const length of [0, 1, 100, 4096, 50_000]) {
      const target = new Uint8Array(length + 3).fill(0xee);
      await pipe.send(new Uint8Array(length).fill(5));
      await pipe.send(new Uint8Array(length).fill(6));
      assert.equal(await pipe.receiveInto(target), length);
      assert.ok(target.subarray(0, length).every((byte) => byte === 5));
      assert.equal(pipe.receiveIntoSync(target.subarray(0, length)), length);
      assert.ok(target.subarray(0, length).every((byte) => byte === 6));
      assert.deepEqual([...target.subarray(length)], [0xee, 0xee, 0xee]);
    }
  });

  test("a target that is too small leaves the message where it is", async (t) => {
    const pipe = await testPipe<Uint8Array>(t);
    for (const length of [100, 50_000]) {
      await pipe.send(new Uint8Array(length).fill(1));
      await pipe.send(new Uint8Array(1).fill(2));
      const small = new Uint8Array(length - 1);
      await assert.rejects(pipe.receiveInto(small), {
        ...TOO_SMALL,
        expected: length,
        actual: length - 1,
        path: pipe.address,
      });
      assert.throws(() => pipe.receiveIntoSync(small), TOO_SMALL);
      assert.ok(small.every((byte) => byte === 0));
      assert.equal(pipe.statistics().depth, 2);
      assert.equal(await pipe.receiveInto(new Uint8Array(length)), length);
      assert.equal((await pipe.receive())[0], 2);
    }
  });

  test("the same for one that waits, and for one that came back from a lease", async (t) => {
    const pipe = await testPipe<Uint8Array>(t);
    const theirs = await elsewhere(t, pipe);
    const waiting = assert.rejects(pipe.receiveInto(new Uint8Array(4)), TOO_SMALL);
    const next = pipe.receiveInto(new Uint8Array(5));
    await theirs.send(new Uint8Array(5));
    await waiting;
    assert.equal(await next, 5);
    for (const length of [9, 40_000]) {
      await theirs.send(new Uint8Array(length).fill(3));
      (await pipe.receive({ lease: true })).nack();
      await assert.rejects(pipe.receiveInto(new Uint8Array(length - 1)), TOO_SMALL);
      assert.throws(() => theirs.receiveIntoSync(new Uint8Array(2)), TOO_SMALL);
      const target = new Uint8Array(length);
      assert.equal(await theirs.receiveInto(target), length);
      assert.ok(target.every((byte) => byte === 3));
      assert.equal(pipe.tryReceive(), undefined);
    }
  });

  test("of a value gives its encoding", async (t) => {
    const pipe = await testPipe<unknown>(t);
    await pipe.send([1, null]);
    const target = new Uint8Array(16);
    assert.equal(await pipe.receiveInto(target), 3);
    assert.deepEqual([...target.subarray(0, 3)], [0x92, 0x01, 0xc0]);
  });
});

describe("the end of a pipe", () => {
  test("iterations end after what was sent has been received", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    const received: number[] = [];
    const reading = (async () => {
      for await (const number of pipe) received.push(number);
    })();
    for (let number = 0; number < 10; number++) await theirs.send(number);
    await theirs.close();
    await reading;
    assert.deepEqual(
      received,
      Array.from({ length: 10 }, (_, at) => at),
    );
    for await (const number of theirs) assert.fail(`${number}`);
  });

  test("two iterations share the messages; leaving one early loses none", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    for (let number = 0; number < 100; number++) await pipe.send(number);
    const received: number[] = [];
    for await (const number of theirs) if (received.push(number) === 5) break;
    await pipe.close();
    const read = async (from: Pipe<number>): Promise<void> => {
      for await (const number of from) received.push(number);
    };
    await Promise.all([read(pipe), read(theirs), read(pipe)]);
    assert.deepEqual(
      received.sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, at) => at),
    );
  });

  test("is told at once, also when somebody died who could have had something to give back", async (t) => {
    const region = await testRegion(t, "pipe");
    const pipe = await region.pipe("p");
    const member = await ProcessMember.start({ region: region.name });
    await member.run(async ({ region: own }) => void (await own.pipe("p")));
    await member.kill();
    while (region.members().length > 1) {
      region.recoverTheDead();
      await sleep(1);
    }
    await pipe.close();
    assert.throws(() => pipe.tryReceive(), CLOSED);
  });

  test("an iteration throws when the region closes under it", async () => {
    const region = await Region.create(uniqueRegionName(), SMALL);
    const pipe = await region.pipe("p");
    const reading = (async () => {
      for await (const message of pipe) assert.fail(String(message));
    })();
    const rejected = assert.rejects(reading, CLOSED);
    await turn();
    await region.close();
    await rejected;
  });

  test("who waits to send is told, who waits to receive as well, in every member", async (t) => {
    const full = await testPipe<number>(t, { capacity: 1 });
    const theirs = await elsewhere(t, full);
    await full.send(0);
    const sends = [theirs.send(1), theirs.send(2)].map((wait) =>
      assert.rejects(wait, { ...CLOSED, message: /nothing more can be sent/ }),
    );
    await turn();
    await full.close();
    await full.close();
    theirs.closeSync();
    await Promise.all(sends);
    assert.ok(theirs.isClosed);
    assert.equal(await theirs.receive(), 0);
    await assert.rejects(theirs.receive(), { ...CLOSED, message: /everything in it has been received/ });

    const empty = await testPipe<number>(t);
    const others = await elsewhere(t, empty);
    const receives = [others.receive(), others.receive({ lease: true }), empty.receiveInto(new Uint8Array(1))].map(
      (wait) => assert.rejects(wait, CLOSED),
    );
    await turn();
    await empty.close();
    await Promise.all(receives);
    assert.throws(() => others.receiveSync(), CLOSED);
    await assert.rejects(others.send(1), CLOSED);
  });

  test("what is out on lease may come back: receivers wait for it", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    await pipe.send(1);
    await pipe.send(2);
    const [first, second] = [await pipe.receive({ lease: true }), await pipe.receive({ lease: true })];
    await pipe.close();
    const waiting = [theirs.receive(), theirs.receive()];
    const ended = assert.rejects(waiting[1], CLOSED);
    await turn();
    first.ack();
    second.nack();
    assert.equal(await waiting[0], 2);
    await ended;
  });
});

describe("drain", () => {
  test("resolves when everything has been received and acknowledged", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    await pipe.drain();
    await pipe.send(1);
    await pipe.send(2);
    let drained = 0;
    const waits = [pipe, theirs, pipe].map((handle) => handle.drain().then(() => drained++));
    assert.equal(await theirs.receive(), 1);
    const lease = await theirs.receive({ lease: true });
    await sleep(5);
    assert.equal(drained, 0, "one is out on lease");
    lease.nack();
    await sleep(5);
    assert.equal(drained, 0, "it has come back");
    (await pipe.receive({ lease: true })).ack();
    await Promise.all(waits);
    assert.equal(drained, 3);
  });

  test("goes on with a closed pipe, ends with the region", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    await pipe.send(1);
    await pipe.close();
    const waiting = theirs.drain();
    assert.equal(await pipe.receive(), 1);
    await waiting;
    await theirs.drain();
  });
});

describe("leases", () => {
  test("ack ends a message, nack puts it back in its place", async (t) => {
    const pipe = await testPipe<string>(t);
    const theirs = await elsewhere(t, pipe);
    for (const text of ["a", "b", "c", "d"]) await pipe.send(text);
    const leases: Lease<string>[] = [];
    for (let at = 0; at < 3; at++) leases.push(await theirs.receive({ lease: true }));
    assert.deepEqual(
      leases.map(({ value, sequence, deliveries }) => [value, sequence, deliveries]),
      [
        ["a", 0, 1],
        ["b", 1, 1],
        ["c", 2, 1],
      ],
    );
    leases[2].nack();
    leases[0].nack();
    leases[1].ack();
    const again = await pipe.receive({ lease: true });
    assert.deepEqual([again.value, again.sequence, again.deliveries], ["a", 0, 2]);
    again.nack();
    assert.deepEqual(takeAll(pipe), ["a", "c", "d"]);
    const { redelivered, received, leased, depth } = pipe.statistics();
    assert.deepEqual({ redelivered, received, leased, depth }, { redelivered: 3, received: 4, leased: 0, depth: 0 });
  });

  test("a lease is settled once", async (t) => {
    const pipe = await testPipe<number>(t);
    for (const [first, second] of [
      ["ack", "ack"],
      ["ack", "nack"],
      ["nack", "ack"],
      ["nack", "nack"],
    ] as const) {
      await pipe.send(1);
      const lease = await pipe.receive({ lease: true });
      lease[first]();
      assert.throws(() => lease[second](), { name: "ShmkitError", code: "ERR_NOT_HELD" });
      lease[Symbol.dispose]();
      assert.equal(takeAll(pipe).length, first === "ack" ? 0 : 1);
    }
    await pipe.send(2);
    (await pipe.receive({ lease: true }))[Symbol.dispose]();
    assert.equal(await pipe.receive(), 2);
  });

  test("no more at a time than maxLeased; who waits for one goes on with the next ack or nack", async (t) => {
    const pipe = await testPipe<number>(t, { maxLeased: 2 });
    const theirs = await elsewhere(t, pipe);
    for (let number = 0; number < 5; number++) await pipe.send(number);
    const [zero, one] = [await pipe.receive({ lease: true }), await theirs.receive({ lease: true })];
    assert.equal(pipe.tryReceive({ lease: true }), undefined);
    await assert.rejects(theirs.receive({ lease: true, timeoutMs: 10 }), TIMEOUT);
    assert.equal(await pipe.receive(), 2, "receiving without a lease goes on");
    const waiting = theirs.receive({ lease: true });
    zero.ack();
    const three = await waiting;
    assert.equal(three.value, 3);
    const back = pipe.receive({ lease: true });
    one.nack();
    assert.equal((await back).value, 1);
    three.ack();
    assert.equal((await theirs.receive({ lease: true })).value, 4);
  });

  test("of every size, and in a region without room for a copy", async (t) => {
    const region = await testRegion(t, "leases", { size: "512KiB", maxSize: "512KiB", maxMembers: 4 });
    const pipe = await region.pipe<Uint8Array>("p", { capacity: 16, maxLeased: 16 });
    const sizes = [0, 1, 100, 207, 208, 209, 503, 504, 505, 3000, 20_000];
    for (const [at, size] of sizes.entries()) await pipe.send(new Uint8Array(size).fill(at));
    for (let at = 0; ; at++)
      if (
        await region.mutex(`m${at}`).then(
          () => false,
          () => true,
        )
      )
        break;
    const leases: Lease<Uint8Array>[] = [];
    for (const _ of sizes) leases.push(await pipe.receive({ lease: true, timeoutMs: 0 }));
    for (const lease of leases.slice(0, 5)) lease.nack();
    for (const lease of leases.slice(5)) lease.ack();
    assert.deepEqual(
      takeAll(pipe).map((bytes) => bytes.length),
      sizes.slice(0, 5),
    );
    assert.deepEqual(
      leases.map(({ value }) => [value.length, value.every((byte) => byte === value[0])]),
      sizes.map((size) => [size, true]),
    );
  });

  test("behave as a model says, whatever the order", async (t) => {
    for (let seed = 1; seed <= 6; seed++) {
      const random = new Random(seed);
      const pipe = await testPipe<number[]>(t, { capacity: 5, maxLeased: 3 });
      const handles = [pipe, await elsewhere(t, pipe)];
      // The model: what waits, in the order of sending, and what is out.
      let waiting: number[] = [];
      let ring: number[] = [];
      let out: { lease: Lease<number[]>; number: number }[] = [];
      let next = 0;
      for (let step = 0; step < 800; step++) {
        const handle = random.of(handles);
        const what = random.below(6);
        if (what <= 1) {
          const message = [next, ...new Array<number>(random.of([0, 100, 3000])).fill(1)];
          assert.equal(handle.trySend(message), ring.length < 5);
          if (ring.length < 5) ring.push(next++);
        } else if (what === 2) {
          const expected = waiting[0] ?? ring[0];
          assert.equal(handle.tryReceive()?.[0], expected);
          if (waiting.length > 0) waiting = waiting.slice(1);
          else ring = ring.slice(1);
        } else if (what === 3) {
          const canTake = waiting.length > 0 || (ring.length > 0 && out.length + waiting.length < 3);
          const lease = handle.tryReceive({ lease: true });
          const expected = canTake ? (waiting[0] ?? ring[0]) : undefined;
          assert.equal(lease?.value[0], expected);
          if (lease === undefined) continue;
          if (waiting.length > 0) waiting = waiting.slice(1);
          else ring = ring.slice(1);
          out.push({ lease, number: lease.value[0] });
        } else if (out.length > 0) {
          const chosen = random.of(out);
          out = out.filter((item) => item !== chosen);
          if (what === 4) chosen.lease.ack();
          else {
            chosen.lease.nack();
            waiting = [...waiting, chosen.number].sort((a, b) => a - b);
          }
        }
        const { depth, leased } = handle.statistics();
        assert.deepEqual([depth, leased], [waiting.length + ring.length, out.length], `seed ${seed} step ${step}`);
      }
    }
  });
});

describe("process", () => {
  test("resolving acknowledges, throwing gives back, closing ends", async (t) => {
    const pipe = await testPipe<number>(t);
    const theirs = await elsewhere(t, pipe);
    for (let number = 0; number < 20; number++) await pipe.send(number);
    await pipe.close();
    const seen = new Map<number, number>();
    const done = await theirs.process(async (number, lease) => {
      seen.set(number, lease.deliveries);
      if (number % 3 === 0 && lease.deliveries === 1) throw new Error("not now");
      await turn();
      if (number % 5 === 0 && lease.deliveries < 3) return Promise.reject(new Error("later"));
    });
    assert.equal(done, 20);
    for (let number = 0; number < 20; number++)
      assert.equal(seen.get(number), number % 5 === 0 ? 3 : number % 3 === 0 ? 2 : 1, `${number}`);
    const { depth, leased, redelivered } = pipe.statistics();
    assert.deepEqual({ depth, leased, redelivered }, { depth: 0, leased: 0, redelivered: 4 * 2 + 5 });
  });

  test("as many at a time as concurrency says, one without it", async (t) => {
    const warnings: string[] = [];
    const note = (warning: Error): void => void warnings.push(warning.name);
    process.on("warning", note);
    for (const concurrency of [undefined, 1, 4, 20]) {
      const pipe = await testPipe<number>(t);
      for (let number = 0; number < 40; number++) await pipe.send(number);
      await pipe.close();
      let now = 0;
      let most = 0;
      const work = async (): Promise<void> => {
        most = Math.max(most, ++now);
        await sleep(1);
        now--;
      };
      assert.equal(await pipe.process(work, concurrency === undefined ? {} : { concurrency }), 40);
      assert.equal(most, concurrency ?? 1);
    }
    process.off("warning", note);
    assert.deepEqual(warnings, [], "as many waits as it was told to have are no leak");
  });

  test("the signal ends it after running work", async (t) => {
    const pipe = await testPipe<number>(t);
    for (let number = 0; number < 10; number++) await pipe.send(number);
    const controller = new AbortController();
    const finished: number[] = [];
    const done = await pipe.process(
      async (number) => {
        if (number === 3) controller.abort();
        await sleep(5);
        finished.push(number);
      },
      { signal: controller.signal, concurrency: 2 },
    );
    assert.equal(done, finished.length);
    assert.ok(finished.includes(3));
    assert.deepEqual([pipe.statistics().leased, pipe.statistics().depth], [0, 10 - done]);
    assert.equal(await pipe.process(() => assert.fail("already aborted"), { signal: controller.signal }), 0);

    const empty = await testPipe<number>(t);
    const waiting = new AbortController();
    const none = empty.process(() => undefined, { signal: waiting.signal, concurrency: 3 });
    await turn();
    waiting.abort();
    assert.equal(await none, 0);
  });

  test("a message that always fails keeps no other work of the event loop from running", async (t) => {
    const pipe = await testPipe<string>(t);
    await pipe.send("poison");
    let attempts = 0;
    const working = pipe.process(
      () => {
        attempts++;
        throw new Error("always");
      },
      { signal: AbortSignal.timeout(30) },
    );
    assert.equal(await working, 0);
    assert.ok(attempts > 1);
    assert.equal(await pipe.receive(), "poison");
  });

  test("nor does a pipe that is never empty, in any loop over it", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 100 });
    const worker = await ProcessMember.startWorker({ region: pipe.address.split("/")[0] });
    const sending = worker.run(async ({ region }) => {
      const theirs = await region.pipes.open("p");
      for (let number = 0; ; number++) {
        try {
          theirs.sendSync(number);
        } catch (error) {
          return (error as { code: string }).code;
        }
      }
    });
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    let received = 0;
    for await (const _ of pipe) if (++received > 1000 && fired > 2) break;
    fired = 0;
    await pipe.process(() => undefined, { signal: AbortSignal.timeout(20) });
    assert.ok(fired > 0);
    clearInterval(timer);
    await pipe.close();
    assert.equal(await sending, "ERR_CLOSED");
    await worker.finish();
  });

  test("work may settle its lease itself", async (t) => {
    const pipe = await testPipe<number>(t);
    for (const number of [0, 1]) await pipe.send(number);
    await pipe.close();
    const done = await pipe.process((number, lease) => {
      if (number === 0 || lease.deliveries > 1) lease.ack();
      else lease.nack();
    });
    assert.ok(done <= 2);
    assert.equal(pipe.statistics().leased, 0);
  });

  test("several members share the work, each message once", async (t) => {
    const pipe = await testPipe<number>(t, { capacity: 500 });
    const handles = [pipe, await elsewhere(t, pipe), await elsewhere(t, pipe)];
    const seen: number[] = [];
    const working = handles.map((handle) =>
      handle.process(
        async (number) => {
          await turn();
          seen.push(number);
        },
        { concurrency: 3 },
      ),
    );
    for (let number = 0; number < 500; number++) await pipe.send(number);
    await pipe.drain();
    await pipe.close();
    assert.equal(
      (await Promise.all(working)).reduce((sum, done) => sum + done),
      500,
    );
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      Array.from({ length: 500 }, (_, at) => at),
    );
  });
});

describe("statistics", () => {
  test("tell the truth, from inside and from outside", async (t) => {
    const region = await testRegion(t, "statistics");
    const pipe = await region.pipe<Uint8Array>("p", { capacity: 4, maxLeased: 3 });
    const theirs = await (await joinRegion(t, region.name)).pipe<Uint8Array>("p");
    const outside = (): unknown => Region.inspect(region.name)!.objects[0].pipe;
    const expected = {
      depth: 0,
      capacity: 4,
      sent: 0,
      received: 0,
      sentBytes: 0,
      receivedBytes: 0,
      redelivered: 0,
      leased: 0,
      highWater: 0,
      waitingSenders: 0,
      waitingReceivers: 0,
      closed: false,
    };
    const check = (changed: Partial<typeof expected>): void => {
      Object.assign(expected, changed);
      assert.deepEqual(pipe.statistics(), expected);
      assert.deepEqual(theirs.statistics(), expected);
      assert.deepEqual(outside(), expected);
    };
    check({});
    for (const size of [10, 0, 30_000]) await pipe.send(new Uint8Array(size));
    check({ depth: 3, sent: 3, sentBytes: 30_010, highWater: 3 });
    await theirs.receive();
    check({ depth: 2, received: 1, receivedBytes: 10 });
    const lease = await theirs.receive({ lease: true });
    check({ depth: 1, received: 2, leased: 1 });
    lease.nack();
    check({ depth: 2, leased: 0 });
    const again = await theirs.receive({ lease: true });
    check({ depth: 1, leased: 1, redelivered: 1 });
    again.ack();
    check({ leased: 0 });
    for (const size of [1, 2, 3]) await pipe.send(new Uint8Array(size));
    check({ depth: 4, sent: 6, sentBytes: 30_016, highWater: 4 });
    const waits = [pipe.send(new Uint8Array(4)), pipe.send(new Uint8Array(5)), theirs.send(new Uint8Array(6))];
    check({ waitingSenders: 2 });
    for (let at = 0; at < 7; at++) await theirs.receive();
    await Promise.all(waits);
    check({ depth: 0, sent: 9, received: 9, sentBytes: 30_031, receivedBytes: 30_031, waitingSenders: 0 });
    const receives = [pipe.receive(), theirs.receive()];
    check({ waitingReceivers: 2 });
    await pipe.close();
    await Promise.allSettled(receives);
    check({ waitingReceivers: 0, closed: true });
  });
});
