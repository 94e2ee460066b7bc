import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import {
  float64,
  int16,
  select,
  selectSync,
  ShmkitError,
  string,
  struct,
  trySelect,
  type MessageCodec,
  type Pipe,
  type StructOf,
} from "shmkit";
import { joinRegion, testRegion } from "./helpers/process-regions.js";

const Reading = struct({ sensor: string(8), value: float64, quality: int16 }, { name: "Reading" });
type Reading = StructOf<typeof Reading>;

const READINGS: Reading[] = [
  { sensor: "boiler", value: 71.5, quality: 3 },
  { sensor: "", value: -0, quality: -32768 },
  { sensor: "outside", value: Number.NaN, quality: 0 },
];
const [boiler] = READINGS;

/** Longer than what fits the ring. */
const LONG = struct({ text: string(100_000) });

/** A pipe with a codec, and the same one as another member has it, without. */
async function both<T>(t: TestContext, codec: MessageCodec<T>): Promise<{ coded: Pipe<T>; plain: Pipe<unknown> }> {
  const region = await testRegion(t, "codecs");
  const coded = await region.pipe("coded", { codec });
  return { coded, plain: await (await joinRegion(t, region.name)).pipe("coded") };
}

type Send = (pipe: Pipe<Reading>, message: Reading) => unknown;
const SENDS: Record<string, Send> = {
  send: (pipe, message) => pipe.send(message),
  trySend: (pipe, message) => assert.ok(pipe.trySend(message)),
  sendSync: (pipe, message) => pipe.sendSync(message),
  writable: async (pipe, message) => {
    const writer = pipe.writable().getWriter();
    await writer.write(message);
    await writer.close();
  },
  nodeWritable: (pipe, message) => new Promise<void>((resolve) => pipe.nodeWritable().end(message, resolve)),
};

type Receive = (pipe: Pipe<Reading>) => Promise<Reading> | Reading;
const RECEIVES: Record<string, Receive> = {
  receive: (pipe) => pipe.receive(),
  tryReceive: (pipe) => pipe.tryReceive()!,
  receiveSync: (pipe) => pipe.receiveSync(),
  "receive under lease": async (pipe) => settled(await pipe.receive({ lease: true })),
  "tryReceive under lease": (pipe) => settled(pipe.tryReceive({ lease: true })!),
  "receiveSync under lease": (pipe) => settled(pipe.receiveSync({ lease: true })),
  "a lease that came back": async (pipe) => {
    (await pipe.receive({ lease: true })).nack();
    return pipe.receive();
  },
  messages: async (pipe) => {
    for await (const message of pipe) return message;
    throw new Error("there was none");
  },
  process: async (pipe) => {
    const taken: Reading[] = [];
    const stop = new AbortController();
    const done = await pipe.process(
      (message) => {
        taken.push(message);
        stop.abort();
      },
      { signal: stop.signal },
    );
    assert.deepEqual([done, taken.length], [1, 1]);
    return taken[0];
  },
  readable: async (pipe) => {
    const reader = pipe.readable().getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return value!;
  },
  nodeReadable: async (pipe) => {
    for await (const message of pipe.nodeReadable()) return message as Reading;
    throw new Error("there was none");
  },
  select: async (pipe) => (await select([pipe])).value,
  trySelect: (pipe) => trySelect([pipe])!.value,
  selectSync: (pipe) => selectSync([pipe]).value,
  "select under lease": async (pipe) => settled((await select([pipe], { lease: true })).value),
};

function settled<T>(lease: { value: T; ack(): void }): T {
  lease.ack();
  return lease.value;
}

function thrown(what: unknown): never {
  throw what;
}

const isBadMessage =
  (bytes: Uint8Array, why: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof ShmkitError);
    assert.equal(error.code, "ERR_BAD_MESSAGE");
    assert.match(error.message, why);
    assert.deepEqual([...error.bytes!], [...bytes]);
    return true;
  };

describe("a pipe with a codec", () => {
  for (const [name, send] of Object.entries(SENDS))
    test(`${name} sends the bytes it makes`, async (t) => {
      const { coded, plain } = await both(t, Reading);
      for (const message of READINGS) {
        await send(coded, message);
        assert.deepEqual(await plain.receive(), Reading.encode(message));
      }
    });

  for (const [name, receive] of Object.entries(RECEIVES))
    test(`${name} answers what it makes of the bytes`, async (t) => {
      const { coded, plain } = await both(t, Reading);
      for (const message of READINGS) {
        await plain.send(Reading.encode(message));
        assert.deepEqual(await receive(coded), message);
      }
      await coded.drain();
    });

  test("waits for room and for messages as any other", async (t) => {
    const region = await testRegion(t, "codecs");
    const coded = await region.pipe("coded", { codec: Reading, capacity: 1 });
    const receiving = [coded.receive(), select([coded]).then(({ value }) => value), coded.receive()];
    for (const message of READINGS) await coded.send(message);
    assert.deepEqual(await Promise.all(receiving), READINGS);
    const leasing = coded.receive({ lease: true });
    await coded.send(boiler);
    assert.deepEqual(settled(await leasing), boiler);
  });

  test("passes bytes on as they are where the call is one for bytes", async (t) => {
    const { coded, plain } = await both(t, Reading);
    coded.sendBytesSync(Reading.encode(boiler));
    assert.deepEqual(await coded.receive(), boiler);
    await plain.send(Reading.encode(boiler));
    const target = new Uint8Array(100);
    assert.equal(await coded.receiveInto(target), Reading.size);
    assert.deepEqual(Reading.decode(target.subarray(0, Reading.size)), boiler);
  });

  test("takes messages that need a block of their own", async (t) => {
    const { coded, plain } = await both(t, LONG);
    await coded.send({ text: "x".repeat(50_000) });
    assert.equal(((await plain.receive({ lease: true })).value as Uint8Array).length, 100_000);
    plain.detach();
    assert.equal((await coded.receive()).text.length, 50_000);
  });

  test("may be of bytes: what it compresses is what is sent", async (t) => {
    const inverted: MessageCodec<Uint8Array> = {
      encode: (bytes) => bytes.map((byte) => ~byte),
      decode: (bytes) => bytes.map((byte) => ~byte),
    };
    const { coded, plain } = await both(t, inverted);
    await coded.send(Uint8Array.of(1, 2));
    assert.deepEqual(await plain.receive(), Uint8Array.of(254, 253));
    await plain.send(Uint8Array.of(255));
    const reader = coded.readable({ mode: "bytes" }).getReader();
    assert.deepEqual((await reader.read()).value, Uint8Array.of(0));
    await reader.cancel();
  });

  test("keeps the codec in its handle: opened again it may be left out, and not be another", async (t) => {
    const region = await testRegion(t, "codecs");
    const coded = await region.pipe("coded", { codec: Reading });
    const other = struct({ a: int16 });
    assert.equal(await region.pipes.open("coded", { codec: Reading }), coded);
    assert.equal(await region.pipe("coded"), coded);
    for (const again of [
      () => region.pipe("coded", { codec: other }),
      async () => region.pipes.openSync("coded", { codec: other }),
    ])
      await assert.rejects(again, {
        code: "ERR_OPTIONS_DIFFER",
        path: coded.address,
        expected: other,
        actual: Reading,
      });
    await region.pipe("plain");
    await assert.rejects(region.pipe("plain", { codec: other }), { code: "ERR_OPTIONS_DIFFER", actual: undefined });
    coded.detach();
    const fresh = await region.pipe("coded", { codec: other });
    await fresh.send({ a: 7 });
    assert.deepEqual(await fresh.receive(), { a: 7 });
  });

  test("needs both methods", async (t) => {
    const region = await testRegion(t, "codecs");
    const encode = (): Uint8Array => new Uint8Array(1);
    for (const codec of [null, 1, "", {}, { encode }, { decode: encode }, { encode, decode: 1 }])
      for (const open of [
        () => region.pipe("coded", { codec: codec as unknown as MessageCodec }),
        () => region.pipes.open("coded", { codec: codec as unknown as MessageCodec }),
      ])
        await assert.rejects(open, { name: "TypeError", code: "ERR_INVALID_ARGUMENT" });
    assert.deepEqual(region.pipes.list(), []);
  });
});

describe("what a codec refuses", () => {
  test("is not sent", async (t) => {
    const { coded, plain } = await both(t, Reading);
    const wrong = { ...boiler, quality: 40_000 };
    for (const send of [() => coded.send(wrong), async () => coded.sendSync(wrong), async () => coded.trySend(wrong)])
      await assert.rejects(send, (error: unknown) => {
        assert.ok(error instanceof ShmkitError && error.cause instanceof ShmkitError);
        assert.deepEqual([error.code, error.path], ["ERR_NOT_ENCODABLE", coded.address]);
        assert.deepEqual([error.cause.code, error.cause.path], ["ERR_OUT_OF_RANGE", "Reading.quality"]);
        return true;
      });
    assert.equal(plain.tryReceive(), undefined);
  });

  test("nor is what is no bytes", async (t) => {
    for (const answer of [undefined, "text", [1], Promise.resolve(new Uint8Array(1)), new ArrayBuffer(1)]) {
      const codec = { encode: () => answer as unknown as Uint8Array, decode: (bytes: Uint8Array) => bytes };
      const { coded, plain } = await both(t, codec);
      await assert.rejects(coded.send(new Uint8Array(1)), { code: "ERR_NOT_ENCODABLE" });
      assert.equal(plain.tryReceive(), undefined);
    }
  });

  for (const [name, receive] of Object.entries(RECEIVES)) {
    if (["process", "a lease that came back"].includes(name)) continue;
    test(`${name} fails with its bytes, and the next message comes`, async (t) => {
      const { coded, plain } = await both(t, Reading);
      const short = Reading.encode(boiler).subarray(1);
      await plain.send(short);
      await plain.send(Reading.encode(boiler));
      await assert.rejects(
        async () => receive(coded),
        isBadMessage(
          short,
          /^a message of 23 bytes from .*coded cannot be decoded by the codec: .*Reading, which has 24$/,
        ),
      );
      // A stream that read ahead has put back what it had.
      assert.deepEqual(await coded.receive(), boiler);
      await coded.drain();
    });
  }

  test("process fails with its bytes as well, and has it acknowledged", async (t) => {
    const { coded, plain } = await both(t, Reading);
    await plain.send(Uint8Array.of(1));
    await assert.rejects(
      coded.process(() => assert.fail()),
      isBadMessage(Uint8Array.of(1), /1 bytes/),
    );
    await coded.drain();
  });

  test("a value sent without it is refused likewise, however long", async (t) => {
    const { coded, plain } = await both(t, Reading);
    for (const value of [1, "x".repeat(20_000)]) {
      await plain.send(value);
      await assert.rejects(coded.receive(), {
        code: "ERR_BAD_MESSAGE",
        message: /was sent as a value, without the codec$/,
      });
      await plain.send(value);
      await assert.rejects(coded.receive({ lease: true }), { code: "ERR_BAD_MESSAGE" });
    }
    await coded.drain();
  });

  test("what it decodes as undefined is no message either", async (t) => {
    const { coded, plain } = await both(t, { encode: () => new Uint8Array(1), decode: () => undefined });
    await plain.send(Uint8Array.of(5));
    assert.throws(() => coded.tryReceive(), isBadMessage(Uint8Array.of(5), /undefined/));
  });

  test("what it throws is the cause, be it no Error", async (t) => {
    const codec: MessageCodec = {
      encode: () => thrown("no"),
      decode: () => thrown(7),
    };
    const { coded, plain } = await both(t, codec);
    await assert.rejects(coded.send(1), { code: "ERR_NOT_ENCODABLE", cause: "no" });
    await plain.send(Uint8Array.of(5));
    await assert.rejects(coded.receive(), { code: "ERR_BAD_MESSAGE", cause: 7 });
  });
});

describe("a codec that uses the pipe itself", () => {
  test("receives amid a receive, and nothing is lost or doubled", async (t) => {
    const taken: number[] = [];
    const codec: MessageCodec<number> = {
      encode: (value) => Uint8Array.of(value),
      decode: ([value]) => {
        taken.push(value);
        // Others wait already, so this one goes behind them.
        if (value < 4) receiving.push(coded.receive());
        return value;
      },
    };
    const { coded } = await both(t, codec);
    const receiving: Promise<number>[] = [coded.receive(), coded.receive()];
    for (let value = 1; value <= 5; value++) await coded.send(value);
    const answers: number[] = [];
    for (const one of receiving) answers.push(await one);
    assert.deepEqual(
      [answers, taken],
      [
        [1, 2, 3, 4, 5],
        [1, 2, 3, 4, 5],
      ],
    );
  });

  test("gives the handle up while a lease is decoded: the message goes back", async (t) => {
    const { coded, plain } = await both(t, {
      encode: () => new Uint8Array(1),
      decode: (): number => {
        coded.detach();
        throw new Error("done with it");
      },
    });
    await plain.send(Uint8Array.of(5));
    await assert.rejects(coded.receive({ lease: true }), { code: "ERR_BAD_MESSAGE" });
    assert.deepEqual(plain.tryReceive(), Uint8Array.of(5));
  });
});
