/** Segment pools: acquired in turn, handed over by ticket, given back by whoever dies; and transfers in rounds through them. */
import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  fetchTransfer,
  open,
  serveTransfers,
  ShmkitError,
  type PooledSegment,
  type Region,
  type SegmentPool,
  type SegmentTicket,
  type TransferProgress,
  type TransferRequest,
  type TransferSource,
} from "shmkit";
import { SEGMENT_POOL } from "#src/layout/segment-pool.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until } from "./helpers/process-member.js";
import { joinRegion } from "./helpers/process-regions.js";

const code = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;

describe("a segment pool", () => {
  test("gives each segment to one at a time, and takes it back once", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("pool"));
    const pool = await app.segmentPool("p", { segments: 2, segmentBytes: 100 });
    const one = await pool.acquire();
    const two = pool.acquireSync();
    assert.notEqual(one.id, two.id);
    assert.equal(one.bytes.length, 100);
    one.bytes.fill(1);
    two.bytes.fill(2);
    assert.ok(one.bytes.every((byte) => byte === 1));
    assert.equal(pool.tryAcquire(), undefined);
    await assert.rejects(pool.acquire({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    assert.throws(() => pool.acquireSync({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    await assert.rejects(pool.acquire({ signal: AbortSignal.abort(new Error("enough")) }), /enough/);
    const { held, free, waiting, acquired } = pool.statistics();
    assert.deepEqual(
      { held: held.map(({ slot, segments }) => ({ slot, segments })), free, waiting, acquired },
      { held: [{ slot: app.slot, segments: [0, 1] }], free: 0, waiting: [], acquired: 2 },
    );
    one.release();
    assert.throws(() => one.release(), code("ERR_NOT_HELD"));
    assert.throws(() => one.bytes, code("ERR_NOT_HELD"));
    {
      using again = pool.tryAcquire();
      assert.equal(again?.bytes[0], 1, "as the last holder left it");
    }
    two.release();
    two[Symbol.dispose]();
    assert.equal(pool.statistics().free, 2);
  });

  test("has the dimensions that it was made with", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("pool-options"));
    const byDefault = await app.segmentPool("default");
    assert.deepEqual([byDefault.segments, byDefault.segmentBytes], [8, 65_536]);
    assert.equal(await app.segmentPool("default", { segmentBytes: "64KiB" }), byDefault);
    await assert.rejects(app.segmentPool("default", { segments: 9 }), code("ERR_OPTIONS_DIFFER"));
    await assert.rejects(app.segmentPool("other", { segments: 0 }), code("ERR_OUT_OF_RANGE"));
    await assert.rejects(app.segmentPool("other", { segmentBytes: 0 }), code("ERR_INVALID_SIZE"));
    await assert.rejects(app.segmentPool("other", { segmentBytes: "2GiB" }), code("ERR_INVALID_SIZE"));
    const odd = app.segmentPoolSync("odd", { segments: 3, segmentBytes: 8803 });
    const held = [odd.acquireSync(), odd.acquireSync(), odd.acquireSync()];
    held.forEach(({ bytes, id }) => bytes.fill(id + 1));
    assert.ok(held.every(({ bytes, id }) => bytes.length === 8803 && bytes.every((byte) => byte === id + 1)));
    assert.deepEqual(app.segmentPools.list().sort(), ["default", "odd"]);
    // As somebody's stray write would leave it.
    odd.detach();
    const words = new Int32Array(app.buffer);
    words[((odd.ref.page * 4096) >> 2) + (SEGMENT_POOL.at.segments >> 2)] = 1000;
    await assert.rejects(app.segmentPool("odd"), code("ERR_CORRUPT"));
    await app.segmentPools.remove("odd");
  });

  test("is whole where something else was before it, of which its segments may still hold bytes", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("pool-reused"), { size: "1MiB", maxSize: "1MiB" });
    const before = await app.segmentPool("before", { segments: 1, segmentBytes: 200_000 });
    before.acquireSync().bytes.fill(0xff);
    const { page } = before.ref;
    await app.segmentPools.remove("before");
    before.detach();
    // The search for room begins where the last one ended.
    const kept: SegmentPool[] = [];
    while (kept.at(-1)?.ref.page !== page)
      kept.push(await app.segmentPool(`p${kept.length}`, { segments: 2, segmentBytes: 90_000 }));
    const { free, held, waiting, acquired, recovered } = kept.at(-1)!.statistics();
    assert.deepEqual([free, held, waiting, acquired, recovered], [2, [], [], 0, 0]);
  });

  test("hands a segment over to whoever gets the ticket, once", async (t) => {
    const name = uniqueRegionName("pool-tickets");
    const [app, other] = [await joinRegion(t, name), await joinRegion(t, name)];
    const [mine, theirs] = [await app.segmentPool("p"), await other.segmentPool("p")];
    const segment = await mine.acquire();
    segment.bytes[0] = 7;
    const ticket = segment.handOver();
    assert.deepEqual(mine.statistics().handedOver, [segment.id]);
    for (const use of [() => segment.bytes, () => segment.release(), () => segment.handOver()])
      assert.throws(use, code("ERR_NOT_HELD"));
    const taken = theirs.takeOver(ticket);
    assert.equal(taken.bytes[0], 7);
    assert.throws(() => theirs.takeOver(ticket), code("ERR_NOT_HELD"));
    assert.throws(() => mine.takeOver(ticket), code("ERR_NOT_HELD"));
    assert.deepEqual(mine.statistics().held, [{ slot: other.slot, segments: [segment.id] }]);

    const back = mine.takeBack(ticket);
    await sleep(5);
    taken.bytes[0] = 8;
    const answer = taken.handOver();
    using returned = await back;
    assert.equal(returned.bytes[0], 8);
    assert.throws(() => theirs.takeOver(answer), code("ERR_NOT_HELD"));
    const again = returned.handOver();
    const revoked = mine.takeOver(again);
    assert.throws(() => theirs.takeOver(again), code("ERR_NOT_HELD"));
    const last = revoked.handOver();
    theirs.takeOver(last).release();
    assert.throws(() => mine.takeBackSync(last), code("ERR_NOT_HELD"), "it was released and not handed back");
    const { pool } = last;
    for (const wrong of [
      undefined,
      {},
      { pool },
      { pool, id: 0 },
      { pool, id: "0", generation: 1 },
      { id: 0, generation: 1 },
    ])
      assert.throws(() => mine.takeOver(wrong as unknown as SegmentTicket), code("ERR_INVALID_ARGUMENT"));
    assert.throws(() => mine.takeOver({ pool, id: 8, generation: 0 }), code("ERR_OUT_OF_RANGE"));
    assert.equal(mine.statistics().free, 8);
  });

  test("refuses the tickets of another pool, also of one of its name that was removed", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("pool-anew"));
    const other = await app.segmentPool("other");
    const foreign = other.acquireSync().handOver();
    // The directory's entry is used again, and with a handle on the removed pool it is another one.
    for (const isOpenStill of [false, true, false]) {
      const old = await app.segmentPool("p");
      const late = old.acquireSync().handOver();
      await app.segmentPools.remove("p");
      if (!isOpenStill) old.detach();
      const pool = await app.segmentPool("p");
      assert.notEqual(pool, old);
      const current = pool.acquireSync().handOver();
      for (const ticket of [late, foreign]) {
        assert.deepEqual([ticket.id, ticket.generation], [current.id, current.generation]);
        assert.throws(() => pool.takeOver(ticket), code("ERR_NOT_HELD"));
        await assert.rejects(pool.takeBack(ticket), code("ERR_NOT_HELD"));
        assert.throws(() => pool.abandon(ticket), code("ERR_NOT_HELD"));
      }
      pool.takeOver(current).release();
      await app.segmentPools.remove("p");
      pool.detach();
    }
    other.abandon(foreign);
  });

  test("frees what was handed over and is wanted no more, at once or when it is handed back", async (t) => {
    const name = uniqueRegionName("pool-abandoned");
    const [app, other] = [await joinRegion(t, name), await joinRegion(t, name)];
    const [mine, theirs] = [await app.segmentPool("p"), await other.segmentPool("p")];
    const ticket = (await mine.acquire()).handOver();
    mine.abandon(ticket);
    assert.throws(() => theirs.takeOver(ticket), code("ERR_NOT_HELD"));
    const next = (await mine.acquire()).handOver();
    const taken = theirs.takeOver(next);
    await assert.rejects(mine.takeBack(next, { timeoutMs: 5 }), code("ERR_TIMEOUT"));
    mine.abandon(next);
    await assert.rejects(theirs.takeBack(taken.handOver()), code("ERR_NOT_HELD"));
    await until(() => mine.statistics().free === 8);
  });

  test("a partner learns that a handle was given up, although its member has opened the pool again", async (t) => {
    const name = uniqueRegionName("pool-reopened");
    const [app, other] = [await joinRegion(t, name), await joinRegion(t, name)];
    const theirs = await other.segmentPool("p", { segments: 1 });
    const round = async (
      what: string,
      isAwaited: boolean,
      leave: (pool: SegmentPool, ticket: SegmentTicket) => void,
    ) => {
      const mine = await app.segmentPool("p");
      const ticket = (await mine.acquire()).handOver();
      const taken = theirs.takeOver(ticket);
      // The deadline is for a failure alone: then it is ERR_TIMEOUT.
      const back = (): Promise<void> =>
        assert.rejects(theirs.takeBack(taken.handOver(), { timeoutMs: 20_000 }), code("ERR_NOT_HELD"), what);
      const early = isAwaited ? back() : undefined;
      leave(mine, ticket);
      mine.detach();
      const again = app.segmentPools.openSync("p");
      await (early ?? back());
      assert.throws(() => again.takeOver(ticket), code("ERR_NOT_HELD"));
      assert.equal(again.statistics().free, 1);
      again.detach();
    };
    await round("abandoned", false, (pool, ticket) => pool.abandon(ticket));
    await round("waited for", false, (pool, ticket) => void assert.rejects(pool.takeBack(ticket), code("ERR_CLOSED")));
    await round("forgotten", false, () => undefined);
    await round("forgotten, and somebody waits already", true, () => undefined);
  });

  test("gives back everything with its handle, and its waits end", async (t) => {
    const name = uniqueRegionName("pool-detached");
    const [app, other] = [await joinRegion(t, name), await joinRegion(t, name)];
    const [mine, theirs] = [await app.segmentPool("p", { segments: 2 }), await other.segmentPool("p")];
    const [held, handed] = [await theirs.acquire(), (await theirs.acquire()).handOver()];
    const waiting = mine.acquire();
    theirs.detach();
    (await waiting).release();
    assert.throws(() => held.bytes, code("ERR_CLOSED"));
    assert.throws(() => mine.takeOver(handed), code("ERR_NOT_HELD"));
    assert.equal(mine.statistics().free, 2);

    // Whoever waits to have it back learns that the other one has left.
    const again = await other.segmentPool("p");
    const sent = (await again.acquire()).handOver();
    const reply = mine.takeOver(sent).handOver();
    const back = mine.takeBack(reply);
    again.detach();
    await assert.rejects(back, code("ERR_NOT_HELD"));
    const last = await mine.acquire();
    await app.segmentPools.remove("p");
    last.release();
    await assert.rejects(mine.acquire(), code("ERR_CLOSED"));
  });
});

/** Processes that several tests share. */
describe("a segment pool of several processes", () => {
  const name = uniqueRegionName("pool-processes");
  let app: Region;
  let pool: SegmentPool;
  before(async () => {
    app = await open(name, { size: "1MiB" });
    pool = await app.segmentPool("p", { segments: 3, segmentBytes: 256 });
  });
  after(() => app.close());

  test("serves in turn, and whoever dies has nothing and waits no more", async () => {
    const [holder, waiter] = await Promise.all([
      ProcessMember.start({ region: name }),
      ProcessMember.start({ region: name }),
    ]);
    await holder.run(async ({ region, kept }) => {
      const pool = await region.segmentPool("p");
      for (const which of ["one", "two", "three"]) kept.set(which, await pool.acquire());
    });
    await waiter.run(async ({ region, kept }) => {
      kept.set("waiting", (await region.segmentPool("p")).acquire());
    });
    await until(() => pool.statistics().waiting.length === 1);
    const mine = pool.acquire();
    const second = pool.acquire();
    await until(() => pool.statistics().waiting.length === 2);
    await waiter.kill();
    await holder.kill();
    const [one, two] = await Promise.all([mine, second]);
    const { recovered, waiting, free } = pool.statistics();
    assert.ok(recovered === 3 || recovered === 4, "the waiter may have got one before it died");
    assert.deepEqual({ waiting, free }, { waiting: [], free: 1 });
    one.release();
    two.release();
  });

  test("what the dead have sent is void, what they had taken does not come back, and nobody answers them", async () => {
    const peer = await ProcessMember.start({ region: name });
    const mine = (await pool.acquire()).handOver();
    const [sent, asked] = await peer.run(async ({ region }, ticket: SegmentTicket) => {
      const pool = await region.segmentPool("p");
      pool.takeOver(ticket);
      return [(await pool.acquire()).handOver(), (await pool.acquire()).handOver()] as const;
    }, mine);
    const answer = pool.takeOver(asked).handOver();
    const back = [mine, answer].map((ticket) => assert.rejects(pool.takeBack(ticket), code("ERR_NOT_HELD")));
    assert.equal(pool.statistics().free, 0);
    await peer.kill();
    await Promise.all(back);
    assert.throws(() => pool.takeOver(sent), code("ERR_NOT_HELD"));
    assert.equal(pool.statistics().free, 3);
  });

  test("transfers are served again by the next server, or end with an error", async () => {
    const requests = await app.pipe<TransferRequest>("requests");
    const file = new Uint8Array(5000).map((_, i) => i);
    const serve = async (): Promise<ProcessMember> => {
      const server = await ProcessMember.start({ region: name });
      await server.run(async ({ region, shmkit }) => {
        const pool = await region.segmentPool("p");
        const file = new Uint8Array(5000).map((_, i) => i);
        const stuck = { length: 5000, read: () => new Promise<number>(() => undefined) };
        const requests = await region.pipe<TransferRequest>("requests");
        void shmkit.serveTransfers(pool, requests, (key) => (key === "stuck" ? stuck : file));
      });
      return server;
    };
    const early = fetchTransfer(pool, requests, "file"); // before there is a server
    const first = await serve();
    assert.deepEqual(await early, { status: "ok", bytes: file, received: 5000, total: 5000, rounds: 22 });
    const stuck = assert.rejects(fetchTransfer(pool, requests, "stuck"), code("ERR_NOT_HELD"));
    await until(() => pool.statistics().held.some(({ slot }) => slot !== app.slot));
    const queued = fetchTransfer(pool, requests, "file");
    await until(() => requests.statistics().depth === 1);
    await first.kill();
    await stuck;
    const second = await serve();
    assert.equal((await queued).status, "ok");

    // Whoever asked is dead: the server goes on, with the segment back in the pool.
    const client = await ProcessMember.start({ region: name });
    await client.run(async ({ region, shmkit, kept }) => {
      const into = (): Promise<void> => new Promise(() => undefined);
      const [pool, requests] = [await region.segmentPool("p"), await region.pipe<TransferRequest>("requests")];
      await new Promise<void>((resolve) => {
        const taking = shmkit.fetchTransfer(pool, requests, "file", { into: () => (resolve(), into()) });
        kept.set("taking", taking);
      });
    });
    assert.equal(pool.statistics().free, 2);
    await client.kill();
    assert.equal((await fetchTransfer(pool, requests, "file")).status, "ok");
    await until(() => pool.statistics().free === 3);
    await second.kill();
  });
});

describe("transfers in rounds", () => {
  let app: Region;
  let pool: SegmentPool;
  let requests: Awaited<ReturnType<typeof ask>>;
  const ask = () => app.pipe<TransferRequest>("requests");
  let serving: Promise<number>;
  const files = new Map([
    ["none", new Uint8Array(0)],
    ["one round", new Uint8Array(232).fill(1)],
    ["rounds", new Uint8Array(1000).map((_, i) => i)],
  ]);
  const closed: string[] = [];
  before(async () => {
    app = await open(uniqueRegionName("transfers"), { size: "1MiB" });
    pool = await app.segmentPool("p", { segments: 2, segmentBytes: 256 });
    requests = await ask();
    serving = serveTransfers(
      pool,
      requests,
      (key) => {
        const source = (length: number, read: (target: Uint8Array, offset: number) => number) => ({
          length,
          read,
          close: () => void closed.push(key),
        });
        if (key === "short") return source(500, (_, offset) => (offset === 0 ? 100 : 0));
        if (key === "broken")
          return source(500, () => {
            throw new Error("the disk is on fire");
          });
        if (key === "bad") throw new Error("no such folder");
        return files.get(key);
      },
      { concurrency: 3 },
    );
  });
  after(async () => {
    await requests.close();
    await serving;
    await app.close();
  });

  test("bring what is empty, what fits and what does not", async () => {
    for (const [key, file] of files) {
      const told: TransferProgress[] = [];
      const { status, bytes, rounds } = await fetchTransfer(pool, requests, key, {
        onProgress: (progress) => told.push(progress),
      });
      assert.deepEqual({ status, bytes }, { status: "ok", bytes: file });
      assert.equal(rounds, Math.max(1, Math.ceil(file.length / 232)));
      assert.deepEqual(
        told.map(({ received }) => received),
        Array.from({ length: rounds }, (_, i) => Math.min(file.length, (i + 1) * 232)),
      );
    }
    assert.equal(pool.statistics().free, 2);
  });

  test("hand out chunks in shared memory", async () => {
    const target = new Uint8Array(1000);
    const into = async (chunk: Uint8Array, offset: number): Promise<void> => {
      assert.equal(chunk.buffer, app.buffer);
      await sleep(1);
      target.set(chunk, offset);
    };
    const { bytes, received } = await fetchTransfer(pool, requests, "rounds", { into });
    assert.deepEqual([bytes.length, received, target], [0, 1000, files.get("rounds")]);
    const thrown = fetchTransfer(pool, requests, "rounds", { into: () => Promise.reject(new Error("no room")) });
    await assert.rejects(thrown, /no room/);
    await until(() => pool.statistics().free === 2);
  });

  test("say what is not found, and why one failed", async () => {
    const { status, bytes, total } = await fetchTransfer(pool, requests, "nothing");
    assert.deepEqual([status, bytes.length, total], ["not-found", 0, 0]);
    for (const [key, reason] of [
      ["broken", /on fire/],
      ["short", /100 bytes and not 500/],
      ["bad", /no such folder/],
    ] as const) {
      const failed = await fetchTransfer(pool, requests, key);
      assert.equal(failed.status, "failed");
      assert.match(failed.reason!, reason);
    }
    await until(() => closed.length === 2);
    assert.equal(pool.statistics().free, 2);
  });

  test("of more clients than segments come in turn, all of them", async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => fetchTransfer(pool, requests, "rounds")));
    assert.ok(all.every(({ bytes }) => Buffer.compare(bytes, files.get("rounds")!) === 0));
    assert.equal(pool.statistics().free, 2);
  });

  test("given up leave nothing, whoever has the segment", async () => {
    const quiet = await app.pipe<TransferRequest>("nobody serves");
    const taken: PooledSegment[] = [];
    await assert.rejects(fetchTransfer(pool, quiet, "x", { timeoutMs: 5 }), code("ERR_TIMEOUT"));
    assert.equal(pool.statistics().free, 2);
    const abort = new AbortController();
    const given = fetchTransfer(pool, quiet, "x", { signal: abort.signal });
    await quiet.receive(); // of the one that was given up
    const { segment } = await quiet.receive();
    taken.push(pool.takeOver(segment));
    abort.abort(new Error("enough"));
    await assert.rejects(given, /enough/);
    assert.equal(pool.statistics().free, 1);
    await assert.rejects(pool.takeBack(taken[0].handOver()), code("ERR_NOT_HELD"));
    await until(() => pool.statistics().free === 2);
    // What is no request stops no server, and what is no chunk no client.
    await (await ask()).send({ key: "x" } as TransferRequest);
    assert.equal((await fetchTransfer(pool, requests, "rounds")).status, "ok");
    const damaged = fetchTransfer(pool, quiet, "x");
    const asked = pool.takeOver((await quiet.receive()).segment);
    asked.bytes.fill(0xff);
    asked.handOver();
    await assert.rejects(damaged, code("ERR_BAD_MESSAGE"));
    await until(() => pool.statistics().free === 2);
    const tiny = await app.segmentPool("tiny", { segmentBytes: 24 });
    await assert.rejects(fetchTransfer(tiny, quiet, "x"), code("ERR_OUT_OF_RANGE"));
  });
});

/** What a server, or somebody in its place, puts before a chunk. */
function putChunk({ bytes }: PooledSegment, length: number, total: number, offset: number): void {
  const header = new DataView(new ArrayBuffer(24));
  header.setUint32(4, length, true);
  header.setFloat64(8, total, true);
  header.setFloat64(16, offset, true);
  bytes.set(new Uint8Array(header.buffer));
}

describe("transfers with partners that go wrong", () => {
  const stage = async (t: TestContext, what: string) => {
    const app = await joinRegion(t, uniqueRegionName(what));
    const pool = await app.segmentPool("p", { segments: 2, segmentBytes: 256 });
    return { app, pool, requests: await app.pipe<TransferRequest>("requests") };
  };

  test("serving ends when its pool is given up or removed, and the request stays for others", async (t) => {
    const { app, pool, requests } = await stage(t, "transfers-ended");
    const client = await joinRegion(t, app.name);
    const clients = await client.segmentPool("p");
    const asks = await client.pipe<TransferRequest>("requests");
    const file = new Uint8Array(1000).fill(3);
    const first = serveTransfers(pool, requests, () => file, { concurrency: 3 });
    pool.detach();
    const fetching = fetchTransfer(clients, asks, "x");
    await assert.rejects(first, code("ERR_CLOSED"));
    const again = await app.segmentPool("p");
    const second = serveTransfers(again, requests, () => file);
    assert.deepEqual((await fetching).bytes, file);
    await requests.drain(); // the server has learnt that the client has all of it

    const segment = (await clients.acquire()).handOver();
    await app.segmentPools.remove("p");
    await asks.send({ key: "x", segment });
    await assert.rejects(second, code("ERR_CLOSED"));
    assert.equal(requests.statistics().depth, 1);
  });

  test("serving ends when its pool is removed in the middle of a transfer, whose segment comes back", async (t) => {
    const { app, pool, requests } = await stage(t, "transfers-cut");
    let closings = 0;
    const serving = serveTransfers(pool, requests, () => ({
      length: 1000,
      read: async (target) => (await app.segmentPools.remove("p"), target.length),
      close: () => void closings++,
    }));
    await Promise.all([
      assert.rejects(fetchTransfer(pool, requests, "x"), code("ERR_CLOSED")),
      assert.rejects(serving, code("ERR_CLOSED")),
    ]);
    assert.equal(closings, 1);
  });

  test("whatever is thrown or answered, the client is told", async (t) => {
    const { pool, requests } = await stage(t, "transfers-odd");
    const unspeakable = {
      toString() {
        throw new Error("no");
      },
    };
    const thrown = [
      Object.create(null),
      unspeakable,
      Object.assign(new Error(), { message: unspeakable }),
      Symbol("s"),
      0,
    ];
    const sources = [
      ...[-1, Number.NaN, 0.5, 1000, "5", undefined].map((read) => ({ length: 500, read: () => read })),
      ...[-1, Number.NaN, 1.5, Infinity, "5", undefined].map((length) => ({ length, read: () => 1 })),
      ...["text", null, 5, {}],
    ];
    const serving = serveTransfers(pool, requests, (key) => {
      const [kind, index] = key.split(" ");
      if (kind === "thrown") throw thrown[Number(index)];
      return sources[Number(index)] as TransferSource;
    });
    const keys = [...thrown.map((_, i) => `thrown ${i}`), ...sources.map((_, i) => `source ${i}`)];
    for (const key of keys) {
      const { status, reason } = await fetchTransfer(pool, requests, key);
      assert.equal(status, "failed", key);
      assert.notEqual(reason, "", key);
    }
    await requests.close();
    assert.equal(await serving, keys.length);
    assert.equal(pool.statistics().free, 2);
  });

  test("a source that fails to close has served all the same, and once", async (t) => {
    const { pool, requests } = await stage(t, "transfers-close");
    let closings = 0;
    const close = (): void => {
      closings++;
      throw new Error("no");
    };
    const serving = serveTransfers(pool, requests, () => ({ length: 3, read: () => 3, close }));
    for (const _ of [1, 2]) assert.equal((await fetchTransfer(pool, requests, "x")).status, "ok");
    await requests.close();
    assert.deepEqual([await serving, closings], [2, 2]);
  });

  test("what is no request or cannot be decoded is dropped, with its segment", async (t) => {
    const { app, pool } = await stage(t, "transfers-dropped");
    const codec = {
      encode: (message: TransferRequest) => new TextEncoder().encode(JSON.stringify(message)),
      decode: (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as TransferRequest,
    };
    const requests = await app.pipe<TransferRequest>("json", { codec });
    const serving = serveTransfers(pool, requests, () => new Uint8Array(3));
    requests.sendBytesSync(new TextEncoder().encode("{"));
    const ticket = (await pool.acquire()).handOver();
    for (const wrong of [null, 5, {}, { key: "x", segment: 5 }, { key: 5, segment: ticket }])
      await requests.send(wrong as unknown as TransferRequest);
    await assert.rejects(pool.takeBack(ticket), code("ERR_NOT_HELD"));
    assert.equal((await fetchTransfer(pool, requests, "x")).status, "ok");
    await requests.close();
    assert.equal(await serving, 6);
    assert.equal(pool.statistics().free, 2);
  });

  test("an impossible length, or one that changes, is an error of its own", async (t) => {
    const { pool, requests } = await stage(t, "transfers-lengths");
    const taken = async (): Promise<PooledSegment> => pool.takeOver((await requests.receive()).segment);
    const huge = fetchTransfer(pool, requests, "x");
    const segment = await taken();
    putChunk(segment, 1, Number.MAX_SAFE_INTEGER, 0);
    segment.handOver();
    await assert.rejects(huge, code("ERR_RUNTIME_LIMIT"));
    for (const options of [{}, { into: () => undefined }]) {
      const changing = fetchTransfer(pool, requests, "x", options);
      const one = await taken();
      putChunk(one, 1, 3, 0);
      const two = pool.takeBack(one.handOver()).then((round) => (putChunk(round, 1, 4, 1), round.handOver()));
      await assert.rejects(changing, code("ERR_BAD_MESSAGE"));
      await two;
    }
    assert.equal(pool.statistics().free, 2);
  });

  test("arguments are looked at before a segment is acquired, and errors of the caller's own are left as they are", async (t) => {
    const { pool, requests } = await stage(t, "transfers-arguments");
    const wrong = [[5], [undefined], ["x", { into: 5 }], ["x", { onProgress: "no" }]] as unknown[][];
    for (const [key, options] of wrong)
      await assert.rejects(
        fetchTransfer(pool, requests, key as string, options as object),
        code("ERR_INVALID_ARGUMENT"),
      );
    assert.equal(pool.statistics().acquired, 0);
    const none = (): undefined => undefined;
    for (const roundTimeoutMs of ["1" as unknown as number, Number.NaN])
      await assert.rejects(serveTransfers(pool, requests, none, { roundTimeoutMs }), {
        code: typeof roundTimeoutMs === "number" ? "ERR_OUT_OF_RANGE" : "ERR_INVALID_ARGUMENT",
      });
    const signal = 5 as unknown as AbortSignal;
    await assert.rejects(serveTransfers(pool, requests, none, { signal }), code("ERR_INVALID_ARGUMENT"));

    const serving = serveTransfers(pool, requests, () => new Uint8Array(1000));
    const mine = new ShmkitError("ERR_NOT_HELD", "mine");
    const fail = (): never => {
      throw mine;
    };
    for (const options of [{ into: fail }, { onProgress: fail }])
      await assert.rejects(fetchTransfer(pool, requests, "x", options), (error) => error === mine);
    await requests.close();
    assert.equal(await serving, 2);
  });

  test("a client that does not go on is waited for as long as the server says", async (t) => {
    const { pool, requests } = await stage(t, "transfers-stopped");
    const serving = serveTransfers(pool, requests, () => new Uint8Array(1000), { roundTimeoutMs: 100 });
    const ticket = (await pool.acquire()).handOver();
    await requests.send({ key: "x", segment: ticket });
    const stopped = await pool.takeBack(ticket);
    await requests.close();
    assert.equal(await serving, 1, "it has ended, with the client still at its round");
    await assert.rejects(pool.takeBack(stopped.handOver()), code("ERR_NOT_HELD"));
    assert.equal(pool.statistics().free, 2);
  });
});
