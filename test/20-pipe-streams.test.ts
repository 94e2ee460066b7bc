import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { describe, test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { Pipe, PipeOptions, PipeReadableOptions, PipeWritableOptions } from "shmkit";
import { until } from "./helpers/process-member.js";
import { joinRegion, testRegion } from "./helpers/process-regions.js";

/** A pipe as two members of this process have it. */
async function twice<T>(t: TestContext, options: PipeOptions = {}): Promise<[Pipe<T>, Pipe<T>]> {
  const region = await testRegion(t, "streams");
  const there = await joinRegion(t, region.name);
  return [await region.pipe<T>("p", options), await there.pipe<T>("p")];
}

function takeAll<T>(pipe: Pipe<T>): T[] {
  const messages: T[] = [];
  for (let message = pipe.tryReceive(); message !== undefined; message = pipe.tryReceive()) messages.push(message);
  return messages;
}

/** Lets everything happen that is going to without anybody else. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn();
}

const numbers = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i);

/** What both kinds of streams have, under one name. */
interface Face {
  readonly name: string;
  readonly open: <T>(
    pipe: Pipe<T>,
    options?: PipeReadableOptions,
  ) => { next(): Promise<T | undefined>; end(): Promise<void> };
  readonly write: <T>(
    pipe: Pipe<T>,
    options?: PipeWritableOptions,
  ) => { write(chunk: T): Promise<void>; close(): Promise<void>; abort(): Promise<void> };
}

const FACES: readonly Face[] = [
  {
    name: "a Web stream",
    open(pipe, options) {
      const reader = pipe.readable(options).getReader();
      return {
        next: async () => (await reader.read()).value,
        end: () => reader.cancel(),
      };
    },
    write(pipe, options) {
      const writer = pipe.writable(options).getWriter();
      writer.closed.catch(() => undefined);
      writer.ready.catch(() => undefined);
      return {
        write: (chunk) => writer.write(chunk),
        close: () => writer.close(),
        abort: () => writer.abort(new Error("stopped")),
      };
    },
  },
  {
    name: "a Node stream",
    open<T>(pipe: Pipe<T>, options?: PipeReadableOptions) {
      const stream = pipe.nodeReadable(options);
      const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<T, undefined>;
      return {
        next: async () => (await iterator.next()).value,
        end: async () => {
          stream.on("error", () => undefined).destroy();
          await settle();
        },
      };
    },
    write(pipe, options) {
      const stream = pipe.nodeWritable(options).on("error", () => undefined);
      const done = (resolve: () => void, reject: (error: Error) => void) => (error?: Error | null) =>
        error ? reject(error) : resolve();
      return {
        write: (chunk) => new Promise((resolve, reject) => void stream.write(chunk, done(resolve, reject))),
        close: () => new Promise((resolve, reject) => void stream.end(done(resolve, reject))),
        abort: async () => {
          stream.destroy(new Error("stopped"));
          await settle();
        },
      };
    },
  },
];

for (const { name, open, write } of FACES)
  describe(name, () => {
    test("receives what was sent, in order, and ends with the pipe", async (t) => {
      const [mine, theirs] = await twice<unknown>(t);
      const values = [1, "two", { three: [3n] }, new Uint8Array([4]), false, ""];
      const sink = write(theirs);
      for (const value of values) await sink.write(value);
      await sink.close();
      assert.equal(mine.isClosed, false, "closing the stream leaves the pipe open");
      const source = open(mine);
      for (const value of values) assert.deepEqual(await source.next(), value);
      const last = source.next();
      await theirs.close();
      assert.equal(await last, undefined);
      assert.equal(await source.next(), undefined);
    });

    test("takes no message that nobody reads", async (t) => {
      const [mine, theirs] = await twice<number>(t);
      for (const n of numbers(5)) await theirs.send(n);
      const source = open(mine);
      await settle();
      assert.equal(mine.statistics().received, 0, "before the first read");
      assert.equal(await source.next(), 0);
      await settle();
      const { received, leased } = mine.statistics();
      assert.deepEqual({ received, leased }, { received: 1, leased: 0 }, "after it");
      await source.end();
      assert.deepEqual(takeAll(theirs), [1, 2, 3, 4]);
    });

    test("takes as many ahead as highWaterMark says, on lease; ended early, they go back in their order", async (t) => {
      const [mine, theirs] = await twice<number>(t);
      for (const n of numbers(10)) await theirs.send(n);
      const source = open(mine, { highWaterMark: 3 });
      await settle();
      assert.equal(mine.statistics().received, 0, "before the first read");
      assert.deepEqual([await source.next(), await source.next()], [0, 1]);
      await settle();
      const { received, leased } = mine.statistics();
      assert.deepEqual({ received, leased }, { received: 5, leased: 3 });
      await source.end();
      await settle();
      assert.equal(mine.statistics().leased, 0);
      assert.deepEqual(takeAll(theirs), numbers(8, 2));
    });

    test("gives everything in order when it reads ahead", async (t) => {
      const [mine, theirs] = await twice<number>(t, { capacity: 16 });
      const source = open(mine, { highWaterMark: 8 });
      const sending = (async () => {
        for (const n of numbers(500)) await theirs.send(n);
        await theirs.close();
      })();
      const received: number[] = [];
      for (let n = await source.next(); n !== undefined; n = await source.next()) received.push(n);
      await sending;
      assert.deepEqual(received, numbers(500));
    });

    test("ended while it waits, it waits no more", async (t) => {
      const [mine, theirs] = await twice<number>(t);
      const source = open(mine);
      const pending = source.next().catch(() => undefined);
      await until(() => theirs.statistics().waitingReceivers === 1);
      await source.end();
      await pending;
      assert.equal(theirs.statistics().waitingReceivers, 0);
      await theirs.send(1);
      assert.deepEqual(takeAll(theirs), [1]);
    });

    for (const highWaterMark of [0, 2])
      test(`ended at any moment after a message was taken, it loses none (highWaterMark ${highWaterMark})`, async (t) => {
        const [mine, theirs] = await twice<number>(t);
        let delivered = 0;
        let back = 0;
        for (let moment = 0; moment < 24; moment++) {
          const source = open(mine, { highWaterMark });
          const read: number[] = [];
          const pending = source.next().then(
            (value) => value !== undefined && read.push(value),
            () => undefined,
          );
          await until(() => theirs.statistics().waitingReceivers === 1);
          const sent = numbers(highWaterMark + 2, 10 * moment);
          for (const n of sent) await theirs.send(n);
          // A Sync call serves those that wait before it: the message has been taken when it returns.
          const other = mine.receiveSync({ lease: true, timeoutMs: 1000 });
          for (let i = 0; i < moment; i++) await (i < 20 ? Promise.resolve() : turn());
          await source.end();
          await pending;
          other.nack();
          await settle();
          assert.deepEqual([...read, ...takeAll(theirs)], sent);
          if (read.length > 0) delivered++;
          else back++;
        }
        assert.ok(delivered > 0 && back > 0, `both happened: ${delivered} delivered, ${back} put back`);
      });

    test("an abort ends it with an error, and the messages ahead go back", async (t) => {
      const [mine, theirs] = await twice<number>(t);
      for (const n of numbers(4)) await theirs.send(n);
      const controller = new AbortController();
      const source = open(mine, { signal: controller.signal, highWaterMark: 2 });
      assert.equal(await source.next(), 0);
      await settle();
      const reason = Object.assign(new Error("enough"), { name: "AbortError" });
      controller.abort(reason);
      await assert.rejects(source.next(), (error: Error) => error === reason || error.cause === reason);
      await settle();
      assert.deepEqual(takeAll(theirs), [1, 2, 3]);
      await assert.rejects(open(mine, { signal: controller.signal }).next(), { name: "AbortError" }, "aborted before");
    });

    test("fails when the region closes under it", async (t) => {
      const region = await testRegion(t, "closing");
      const pipe = await region.pipe("p");
      const source = open(pipe);
      const pending = assert.rejects(source.next(), { code: "ERR_CLOSED" });
      await settle();
      await region.close();
      await pending;
    });

    test("writes wait while the pipe is full; aborted, what waits is not sent", async (t) => {
      const [mine, theirs] = await twice<number>(t, { capacity: 2 });
      const sink = write(theirs);
      await sink.write(0);
      await sink.write(1);
      let isDone = false;
      const third = sink.write(2).then(() => (isDone = true));
      await settle();
      assert.equal(isDone, false);
      assert.equal(await mine.receive(), 0);
      await third;
      const fourth = assert.rejects(sink.write(3));
      await until(() => mine.statistics().waitingSenders === 1);
      await sink.abort();
      await fourth;
      assert.deepEqual(takeAll(mine), [1, 2]);
      assert.equal(mine.statistics().waitingSenders, 0);
      assert.equal(mine.isClosed, false);
    });

    test("a signal stops a write that waits", async (t) => {
      const [mine, theirs] = await twice<number>(t, { capacity: 1 });
      const controller = new AbortController();
      const sink = write(theirs, { signal: controller.signal, closePipe: true });
      await sink.write(0);
      const second = assert.rejects(sink.write(1));
      await until(() => mine.statistics().waitingSenders === 1);
      controller.abort();
      await second;
      await assert.rejects(sink.write(2));
      assert.deepEqual(takeAll(mine), [0]);
      assert.equal(mine.isClosed, false, "only an end closes the pipe");
    });

    test("closePipe closes the pipe at the end, after what was written", async (t) => {
      const [mine, theirs] = await twice<number>(t, { capacity: 2 });
      const sink = write(theirs, { closePipe: true, highWaterMark: 4 });
      const writes = numbers(4).map((n) => sink.write(n));
      const closing = sink.close();
      const received: number[] = [];
      for await (const n of mine) received.push(n);
      await Promise.all([...writes, closing]);
      assert.deepEqual(received, numbers(4));
    });

    test("what cannot be sent fails the stream, and other receivers go on", async (t) => {
      const [mine, theirs] = await twice<unknown>(t);
      const sink = write(theirs);
      await assert.rejects(
        sink.write(() => undefined),
        { code: "ERR_NOT_ENCODABLE" },
      );
      await assert.rejects(sink.write(1));
      assert.deepEqual(takeAll(mine), []);
    });

    test("in the mode bytes, long chunks become several messages, and none an empty one", async (t) => {
      const [mine, theirs] = await twice<Uint8Array>(t);
      const sink = write(theirs, { mode: "bytes", maxMessageBytes: 4 });
      for (const text of ["", "0123456789", "ab", ""]) await sink.write(Buffer.from(text));
      await sink.close();
      const messages = takeAll(mine).map((message) => Buffer.from(message).toString());
      assert.deepEqual(messages, ["0123", "4567", "89", "ab"]);
    });

    test("in the mode bytes, a value is an error and stays, an empty message is none", async (t) => {
      const [mine, theirs] = await twice<unknown>(t);
      for (const message of [new Uint8Array(0), new Uint8Array([1, 2]), "text"]) await theirs.send(message);
      const source = open(mine, { mode: "bytes" });
      assert.deepEqual([...((await source.next()) as Uint8Array)], [1, 2]);
      await assert.rejects(source.next(), { code: "ERR_INVALID_ARGUMENT", message: /"text", not bytes/ });
      assert.deepEqual(takeAll(theirs), ["text"]);
    });

    test("refuses options that make no sense", async (t) => {
      const [mine] = await twice(t);
      const refused = { code: "ERR_INVALID_ARGUMENT" };
      assert.throws(() => open(mine, { mode: "lines" } as never), { ...refused, message: /"values" or "bytes"/ });
      assert.throws(() => open(mine, { signal: 1 } as never), refused);
      assert.throws(() => open(mine, { highWaterMark: -1 }), { code: "ERR_OUT_OF_RANGE" });
      assert.throws(() => open(mine, { closePipe: true } as never), { code: "ERR_UNKNOWN_OPTION" });
      assert.throws(() => write(mine, { maxMessageBytes: 0 }), { code: "ERR_OUT_OF_RANGE" });
      assert.throws(() => write(mine, { closePipe: 1 } as never), refused);
    });
  });

describe("Web streams", () => {
  test("a message for a reader that has gone is for the next one", async (t) => {
    const [mine, theirs] = await twice<number>(t);
    const stream = mine.readable();
    const reader = stream.getReader();
    const pending = reader.read().catch((error: Error) => error);
    await until(() => theirs.statistics().waitingReceivers === 1);
    reader.releaseLock();
    assert.ok((await pending) instanceof TypeError);
    await theirs.send(1);
    await theirs.send(2);
    await until(() => theirs.statistics().received === 1);
    const next = stream.getReader();
    assert.deepEqual(await next.read(), { done: false, value: 1 });
    await next.cancel();
    assert.deepEqual(takeAll(theirs), [2]);

    const another = mine.readable();
    const gone = another.getReader();
    gone.read().catch(() => undefined);
    await until(() => theirs.statistics().waitingReceivers === 1);
    gone.releaseLock();
    await theirs.send(3);
    await until(() => theirs.statistics().leased === 1);
    await another.cancel();
    await settle();
    assert.deepEqual(takeAll(theirs), [3], "or goes back when nobody comes");
  });

  test("pass through pipes and transforms, with backpressure", async (t) => {
    const [mine, theirs] = await twice<number>(t, { capacity: 4 });
    const region = await testRegion(t, "second");
    const doubled = await region.pipe<number>("doubled", { capacity: 4 });
    const twofold = new TransformStream<number, number>({ transform: (n, out) => out.enqueue(2 * n) });
    const passing = mine
      .readable()
      .pipeThrough(twofold)
      .pipeTo(doubled.writable({ closePipe: true }));
    const sending = (async () => {
      for (const n of numbers(100)) await theirs.send(n);
      await theirs.close();
    })();
    await until(() => doubled.statistics().depth === 4);
    await settle();
    assert.ok(mine.statistics().sent < 20, "what nobody receives holds the sender back");
    const received: number[] = [];
    for await (const n of doubled.readable()) received.push(n);
    await Promise.all([passing, sending]);
    assert.deepEqual(
      received,
      numbers(100).map((n) => 2 * n),
    );
  });

  test("a loop over one that is left puts nothing at risk", async (t) => {
    const [mine, theirs] = await twice<number>(t);
    for (const n of numbers(4)) await theirs.send(n);
    for await (const n of mine.readable({ highWaterMark: 2 })) if (n === 1) break;
    await settle();
    assert.deepEqual(takeAll(theirs), [2, 3]);
  });

  test("of bytes fill the reader's own buffers", async (t) => {
    const [mine, theirs] = await twice<Uint8Array>(t);
    await theirs.send(Buffer.from("abcdef"));
    await theirs.send(Buffer.from("g"));
    await theirs.close();
    const reader = mine.readable({ mode: "bytes" }).getReader({ mode: "byob" });
    let read = "";
    for (let view = new Uint8Array(4); ;) {
      const { done, value } = await reader.read(view);
      if (done) break;
      read += `${Buffer.from(value).toString()},`;
      view = new Uint8Array(value.buffer, 0, 4);
    }
    assert.equal(read, "abcd,ef,g,");
  });

  test("of bytes take whatever is a view of bytes, and refuse text", async (t) => {
    const [mine, theirs] = await twice<Uint8Array>(t);
    const writer = theirs.writable({ mode: "bytes" }).getWriter();
    await writer.write(new Uint16Array([0x6261]));
    await writer.write(new DataView(new Uint8Array([0, 99, 0]).buffer, 1, 1));
    await writer.write(new Uint8Array([100]).buffer);
    assert.equal(Buffer.concat(takeAll(mine)).toString(), "abcd");
    await assert.rejects(writer.write("text" as never), { code: "ERR_INVALID_ARGUMENT" });
    await assert.rejects(writer.closed);
  });
});

describe("Node streams", () => {
  test("carry bytes through a pipeline as they are", async (t) => {
    const [mine, theirs] = await twice<Uint8Array>(t, { capacity: 4 });
    const bytes = randomBytes(700_000);
    const [received] = await Promise.all([
      buffer(mine.nodeReadable({ mode: "bytes", highWaterMark: 2 }).pipe(createGunzip())),
      pipeline(Readable.from([bytes]), createGzip(), theirs.nodeWritable({ mode: "bytes", closePipe: true })),
    ]);
    const hash = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
    assert.equal(hash(received), hash(bytes));
  });

  test("ask their writer to wait at the highWaterMark", async (t) => {
    const [mine, theirs] = await twice<number>(t, { capacity: 1 });
    const stream = theirs.nodeWritable({ highWaterMark: 3 });
    await theirs.send(0);
    assert.deepEqual(
      [1, 2, 3].map((n) => stream.write(n)),
      [true, true, false],
    );
    const drained = new Promise((resolve) => stream.once("drain", resolve));
    const received = [];
    for (let i = 0; i < 4; i++) received.push(await mine.receive());
    await drained;
    assert.deepEqual(received, numbers(4));
    stream.destroy();
  });

  test("what was pushed and not read goes back when they are destroyed", async (t) => {
    const [mine, theirs] = await twice<string>(t);
    for (const text of ["a", "b"]) await theirs.send(text);
    const stream = mine.nodeReadable();
    const readable = new Promise((resolve) => stream.once("readable", resolve));
    await readable;
    assert.deepEqual([stream.readableLength, mine.statistics().leased], [1, 1]);
    stream.destroy();
    assert.deepEqual(takeAll(theirs), ["a", "b"]);
  });

  for (const [encoding, size, expected, rest] of [
    [undefined, 6, "äbcde", ["ijkl"]],
    ["utf8", undefined, "äbcd", ["efgh", "ijkl"]],
  ] as const)
    test(`a message of bytes counts as received with its first byte (encoding ${encoding})`, async (t) => {
      const [mine, theirs] = await twice<Uint8Array>(t);
      for (const text of ["äbcd", "efgh", "ijkl"]) await theirs.send(Buffer.from(text));
      const stream = mine.nodeReadable({ mode: "bytes" });
      if (encoding !== undefined) stream.setEncoding(encoding);
      let read: string | Buffer | null = null;
      while (read === null) {
        await turn();
        read = stream.read(size) as string | Buffer | null;
      }
      assert.equal(String(read), expected);
      stream.destroy();
      await settle();
      assert.deepEqual(
        takeAll(theirs).map((message) => Buffer.from(message).toString()),
        rest,
      );
    });

  test("flowing streams have nothing out on lease", async (t) => {
    const [mine, theirs] = await twice<number>(t);
    const seen: [number, number][] = [];
    const stream = mine.nodeReadable().on("data", (n: number) => seen.push([n, mine.statistics().received]));
    for (const n of numbers(3)) {
      await theirs.send(n);
      await until(() => seen.length === n + 1);
      await settle();
      assert.equal(mine.statistics().leased, 0);
    }
    stream.destroy();
    assert.deepEqual(seen, [
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
  });

  test("null is no chunk: the stream fails and the message stays", async (t) => {
    const [mine, theirs] = await twice<unknown>(t);
    for (const message of [1, null, 2]) await theirs.send(message);
    const received: unknown[] = [];
    await assert.rejects(
      async () => {
        for await (const message of mine.nodeReadable({ highWaterMark: 1 })) received.push(message);
      },
      { code: "ERR_INVALID_ARGUMENT", message: /null/ },
    );
    assert.deepEqual(received, [1]);
    assert.deepEqual(takeAll(theirs), [null, 2]);
  });

  test("are Node's own classes", async (t) => {
    const [mine] = await twice(t);
    const readable = mine.nodeReadable();
    assert.ok(readable instanceof Readable && mine.nodeWritable().destroy() instanceof Writable);
    readable.destroy();
  });
});

describe("iteration", () => {
  test("takes deadlines, signals and leases", async (t) => {
    const [mine, theirs] = await twice<number>(t);
    for (const n of numbers(4)) await theirs.send(n);
    const controller = new AbortController();
    const received: number[] = [];
    await assert.rejects(
      async () => {
        for await (const n of mine.messages({ signal: controller.signal })) {
          received.push(n);
          if (n === 1) controller.abort();
        }
      },
      { name: "AbortError" },
    );
    assert.deepEqual(received, [0, 1]);
    for await (const lease of mine.messages({ lease: true })) {
      if (lease.deliveries === 2) {
        lease.ack();
        break;
      }
      lease.nack();
    }
    await assert.rejects(
      async () => {
        for await (const n of mine.messages({ timeoutMs: 10 })) received.push(n);
      },
      { code: "ERR_TIMEOUT" },
    );
    assert.deepEqual(received, [0, 1, 3]);
  });
});
