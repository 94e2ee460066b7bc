import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { elsewhere, takeAll, testPipe, TIMEOUT } from "./helpers/process-pipes.js";
import { Random } from "./helpers/process-random.js";
import { testRegion } from "./helpers/process-regions.js";

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

  test("a sender waits for room that a removed object still takes", async (t) => {
    const region = await testRegion(t, "large", { size: "1MiB", maxSize: "1MiB", maxMembers: 4 });
    const pipe = await region.pipe<Uint8Array>("p", { capacity: 4 });
    const room = region.statistics().freeBytes;
    const big = await region.pipe("big", { capacity: 1000 });
    const message = new Uint8Array(room - 4096);
    assert.throws(() => pipe.trySend(message), TOO_LARGE);
    await region.pipes.remove("big");
    assert.equal(pipe.trySend(message), false);
    const sending = pipe.send(message);
    big.detach();
    await sending;
    assert.equal((await pipe.receive()).length, message.length);
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
