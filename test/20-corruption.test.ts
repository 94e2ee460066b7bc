import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readSync, truncateSync, writeSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Region, open, type RegionOptions } from "shmkit";
import { DIRECTORY_ENTRY, EntryState, PAGE_MAP_BYTES, runPages, RunState, runState } from "#src/layout/heap.js";
import { LOCK_REQUEST } from "#src/layout/lock-manager.js";
import { LEASE_SLOT } from "#src/layout/pipe.js";
import { LAYOUT_VERSION, PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { findPlaces } from "./fuzz/places.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { lockTable, TestClaim } from "./helpers/lock-claims.js";
import { ProcessMember } from "./helpers/process-member.js";
import { pathOf, SMALL, testRegion } from "./helpers/process-regions.js";
import { turnAmongTheDead } from "./helpers/turns.js";

/** A region that nobody has open. */
async function lyingRegion(): Promise<string> {
  const name = uniqueRegionName("lying");
  const region = await Region.create(name, { ...SMALL, lifetime: "kernel" });
  await (await region.pipe("p")).send("x");
  await region.close();
  return name;
}

function writeWord(path: string, offset: number, value: number): void {
  const file = openSync(path, "r+");
  writeSync(file, new Uint8Array(new Uint32Array([value]).buffer), 0, 4, offset);
  closeSync(file);
}

/** Page of a block that a record says is its own, but not of that one. */
function blockOfMessage(bytes: DataView, except: number): number {
  const header = (offset: number): number => bytes.getUint32(offset, true);
  const { at } = REGION_HEADER;
  for (let page = header(at.heapPage); page < header(at.committedPages);) {
    const run = header(header(at.pageMapPage) * PAGE_BYTES + page * PAGE_MAP_BYTES);
    if (runState(run) === RunState.used && page !== except) return page;
    page += runPages(run);
  }
  throw new Error("there is none");
}

describe("a file that cannot be attached", () => {
  const calls = (name: string): Record<string, () => unknown> => ({
    open: () => open(name),
    "Region.open": () => Region.open(name, { wait: true, timeoutMs: 1000 }),
    "Region.create": () => Region.create(name),
    "Region.openSync": () => Region.openSync(name),
    "Region.inspect": () => Region.inspect(name),
  });

  test("is of another layout version: ERR_VERSION names both", async (t) => {
    await turnAmongTheDead(t);
    const name = await lyingRegion();
    for (const version of [0, LAYOUT_VERSION + 1, 0xffffffff]) {
      writeWord(pathOf(name), REGION_HEADER.at.layoutVersion, version);
      for (const [label, call] of Object.entries(calls(name)))
        await assert.rejects(
          async () => call(),
          { name: "ShmkitError", code: "ERR_VERSION", expected: LAYOUT_VERSION, actual: version, path: pathOf(name) },
          label,
        );
      assert.equal(
        (await Region.list()).some((info) => info.name === name),
        false,
      );
      assert.equal((await Region.clean()).includes(name), false);
    }
    writeWord(pathOf(name), REGION_HEADER.at.layoutVersion, LAYOUT_VERSION);
    assert.equal(Region.inspect(name)!.objects.length, 1, "and nothing was done to it");
    assert.equal(await Region.remove(name), true);
  });

  test("has a header that makes no sense: ERR_BAD_REGION, field by field", async () => {
    const name = await lyingRegion();
    const fields = [
      "magic0",
      "magic1",
      "byteOrder",
      "headerBytes",
      "pageBytes",
      "maxMembers",
      "maxPages",
      "lifetime",
      "memberTablePage",
      "deathTablePage",
      "pageMapPage",
      "heapPage",
      "lockBase",
      "committedPages",
    ] as const;
    for (const field of fields) {
      const offset = REGION_HEADER.at[field];
      const file = openSync(pathOf(name), "r");
      const before = new Uint32Array(1);
      readSync(file, new Uint8Array(before.buffer), 0, 4, offset);
      closeSync(file);
      for (const value of field === "lockBase" ? [1] : [0, 0xffffffff]) {
        writeWord(pathOf(name), offset, value);
        for (const [label, call] of Object.entries(calls(name)))
          await assert.rejects(
            async () => call(),
            { name: "ShmkitError", code: "ERR_BAD_REGION", path: pathOf(name) },
            `${field} ${value} ${label}`,
          );
      }
      writeWord(pathOf(name), offset, before[0]);
    }
    assert.equal(Region.inspect(name)!.objects.length, 1);
    assert.equal(await Region.remove(name), true);
    assert.equal(existsSync(pathOf(name)), false);
  });
});

describe("a region that is truncated while attached", () => {
  const LOST = { name: "ShmkitError", code: "ERR_REGION_LOST" } as const;

  for (const kind of ["start", "startWorker"] as const) {
    test(`pending waits reject although nobody touches it, and the member goes on with others (${kind})`, async (t) => {
      const region = await testRegion(t, "lost");
      const member = await ProcessMember[kind]({ region: region.name });
      const codes = member.run(async ({ region: own, say, shmkit }, next) => {
        const empty = await own.pipe("empty");
        const full = await own.pipe("full", { capacity: 1 });
        await full.send(1);
        const mutex = await own.mutex("m");
        await mutex.lock();
        const waits = [
          empty.receive(),
          empty.receive({ lease: true }),
          empty.receiveInto(new Uint8Array(1)),
          empty.process(() => undefined),
          full.send(2),
          full.drain(),
          mutex.lock(),
          (await own.counter("c")).waitFor(1),
          own.pipes.open("none", { wait: true }),
          empty[Symbol.asyncIterator]().next(),
        ];
        say("waiting");
        const settled = await Promise.allSettled(waits);
        await own.close();
        const fresh = await shmkit.open(next, { size: "256KiB", maxSize: "1MiB" });
        await (await fresh.pipe("p")).send("works");
        const answer = await (await fresh.pipe("p")).receive();
        await fresh.close();
        return [
          ...settled.map((outcome) =>
            outcome.status === "rejected" ? (outcome.reason as { code: string }).code : outcome.status,
          ),
          answer,
        ];
      }, uniqueRegionName("fresh"));
      assert.equal(await member.next(), "waiting");
      truncateSync(region.path, 0);
      assert.deepEqual(await codes, [...new Array<string>(10).fill("ERR_REGION_LOST"), "works"]);
      assert.equal((await member.finish()).code, 0);
      await region.close();
    });

    test(`a Sync call that sleeps is told (${kind})`, async (t) => {
      const region = await testRegion(t, "lost");
      const member = await ProcessMember[kind]({ region: region.name });
      const asleep = member.run(({ region: own, say }) => {
        const pipe = own.pipeSync("p");
        say("sleeping");
        pipe.receiveSync();
      });
      assert.equal(await member.next(), "sleeping");
      await sleep(30);
      truncateSync(region.path, 0);
      await assert.rejects(asleep, LOST);
      await member.kill();
    });
  }

  test("every call says so, whichever is the first, and whatever is left of the file", async () => {
    const member = await ProcessMember.start();
    const wrong = await member.run(
      async ({ shmkit, load }, { name, small }) => {
        const fs = (await load("node:fs")) as typeof import("node:fs");
        const failures: string[] = [];
        const bytes = new Uint8Array(100_000);
        const everything = async (own: Region): Promise<Record<string, () => unknown>> => {
          const pipe = await own.pipe("pipe");
          const counter = await own.counter("counter");
          const mutex = await own.mutex("mutex");
          for (let at = 0; at < 3; at++) await pipe.send(new Uint8Array(3000));
          const lease = await pipe.receive({ lease: true });
          const guard = await mutex.lock();
          return {
            pipe: () => own.pipe("new"),
            "pipe there": () => own.pipe("pipe"),
            counter: () => own.counterSync("new"),
            "open missing": () => own.pipes.open("none"),
            "open kind": () => own.counters.open("pipe"),
            create: () => own.pipes.create("pipe"),
            remove: () => own.pipes.remove("pipe"),
            list: () => own.pipes.list(),
            statistics: () => own.statistics(),
            members: () => own.members(),
            sizeBytes: () => own.sizeBytes,
            grow: () => own.grow("512KiB"),
            recover: () => own.recoverTheDead(),
            send: () => pipe.send(1),
            "send large": () => pipe.send(bytes),
            trySend: () => pipe.trySend(bytes),
            sendSync: () => pipe.sendSync("x", { timeoutMs: 0 }),
            sendBytesSync: () => pipe.sendBytesSync(bytes),
            receive: () => pipe.receive(),
            lease: () => pipe.receive({ lease: true }),
            tryReceive: () => pipe.tryReceive(),
            receiveSync: () => pipe.receiveSync(),
            receiveInto: () => pipe.receiveInto(bytes),
            "receiveInto small": () => pipe.receiveIntoSync(bytes.subarray(0, 1)),
            drain: () => pipe.drain(),
            close: () => pipe.close(),
            isClosed: () => pipe.isClosed,
            "pipe statistics": () => pipe.statistics(),
            ack: () => lease.ack(),
            nack: () => lease.nack(),
            value: () => counter.value,
            add: () => counter.add(),
            setSync: () => counter.setSync(3),
            waitFor: () => counter.waitFor(9),
            lock: () => mutex.lock(),
            tryLock: () => mutex.tryLock(),
            owner: () => mutex.ownerSlot,
            takeovers: () => mutex.takeovers,
            get: () => guard.get(0),
            set: () => guard.set(0, 1),
            commit: () => guard.commit(),
            release: () => guard.release(),
          };
        };
        const probe = await shmkit.open(name, small);
        const labels = Object.keys(await everything(probe));
        const heapOffset = fs.statSync(probe.path).size - probe.sizeBytes;
        await probe.close();
        // Without anything; with the header; with everything but the heap. Who touches none of what is missing may go on.
        for (const left of [0, 4096, heapOffset]) {
          for (const [at, label] of [...labels, ...labels].entries()) {
            const region = await shmkit.open(name, small);
            const calls = await everything(region);
            const file = fs.openSync(region.path, "r+");
            fs.ftruncateSync(file, left);
            // Closing it wakes the thread that waits in the region, which may then be the first to touch it.
            const wakes = at < labels.length;
            if (wakes) fs.closeSync(file);
            for (const next of [label, "send", "value", label]) {
              try {
                await calls[next]();
                if (left === 0 || next === "send" || next === "value")
                  failures.push(`${next} as the first, ${left} bytes: no error`);
              } catch (error) {
                const { code } = error as { code?: string };
                if (code !== "ERR_REGION_LOST" && !(code === "ERR_NOT_HELD" && /ack|nack/.test(next)))
                  failures.push(`${next} after ${label}, ${left} bytes: ${String(error)}`);
              }
            }
            const view = new Uint8Array(region.buffer);
            view[heapOffset] = 1;
            await region.close();
            if (!wakes) fs.closeSync(file);
            if (view[heapOffset] !== 0) failures.push(`${label}: a view that does not read zeroes after close`);
            await shmkit.Region.remove(name);
          }
        }
        return failures;
      },
      { name: uniqueRegionName("truncated"), small: SMALL },
    );
    assert.deepEqual(wrong, []);
    assert.deepEqual(await member.finish(), { code: 0, signal: null, output: "" });
  });

  test("a pool thread that reads a view of it goes on reading", async () => {
    const member = await ProcessMember.start();
    const lengths = await member.run(async ({ shmkit, load }, name) => {
      const fs = (await load("node:fs")) as typeof import("node:fs");
      const zlib = (await load("node:zlib")) as typeof import("node:zlib");
      const answers: number[] = [];
      for (let round = 0; round < 6; round++) {
        const region = await shmkit.open(name, { size: "2MiB", maxSize: "2MiB" });
        const view = new Uint8Array(region.buffer, 0, 2 ** 21);
        for (let at = 2 ** 20; at < view.length; at += 3) view[at] = at * at;
        const work = [1, 9].map(
          (level) =>
            new Promise<Buffer>((resolve, reject) =>
              zlib.deflate(view, { level }, (error, bytes) => (error ? reject(error) : resolve(bytes))),
            ),
        );
        await new Promise((resolve) => setTimeout(resolve, round % 3));
        fs.truncateSync(region.path, 0);
        for (const bytes of await Promise.all(work)) answers.push(zlib.inflateSync(bytes).length);
        await region.close();
        await shmkit.Region.remove(name);
      }
      return answers;
    }, uniqueRegionName("pool"));
    assert.deepEqual(lengths, new Array<number>(12).fill(2 ** 21));
    assert.deepEqual(await member.finish(), { code: 0, signal: null, output: "" });
  });
});

/** What is done to the bytes of a region, and whether new members are to be expected to refuse it. */
interface Campaign {
  readonly name: string;
  readonly rounds: number;
  readonly seed: number;
  readonly how: "random" | "zeroed" | "hostile";
  readonly options: RegionOptions;
}

/**
 * Runs in a member, so that a crash shows: makes a region with everything in it, damages it under its users, and calls
 * everything. Answers what was neither a value nor a typed error.
 */
async function damage(
  { shmkit, say, load }: Parameters<Parameters<ProcessMember["run"]>[0]>[0],
  { name, rounds, seed, how, options }: Campaign,
): Promise<{ wrong: string[]; codes: Record<string, number> }> {
  const { Random } = (await load("../helpers/process-random.js")) as typeof import("./helpers/process-random.js");
  const wrong: string[] = [];
  const codes: Record<string, number> = {};
  const attempt = async (label: string, call: () => unknown): Promise<void> => {
    try {
      await call();
      codes["value"] = (codes["value"] ?? 0) + 1;
    } catch (error) {
      const { code } = error as { code?: string };
      if (error instanceof shmkit.ShmkitError && code !== undefined && code in shmkit.ERROR_CODES)
        codes[code] = (codes[code] ?? 0) + 1;
      else wrong.push(`${label}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  };
  const soon = { timeoutMs: 3 };
  const bytes = new Uint8Array(5000);
  for (let round = 0; round < rounds; round++) {
    say({ round });
    const random = new Random(seed + round);
    const region = await shmkit.Region.create(name, options);
    const other = await shmkit.open(name);
    for (const handle of [region, other]) handle.on("memberDied", ({ label, object }) => void [label, object]);
    const pipe = await region.pipe<unknown>("pipe", { capacity: 8, maxLeased: 4 });
    const theirs = await other.pipe<unknown>("pipe");
    const counter = await region.counter("counter");
    const mutex = await region.mutex("mutex");
    for (let at = 0; at < 6; at++)
      pipe.sendSync(at % 2 === 0 ? { at, text: "x".repeat(50) } : new Uint8Array(at * 1500));
    const lease = await theirs.receive({ lease: true });
    const guard = await mutex.lock();
    guard.set(0, 1);
    const pending = [
      theirs.receive().catch(() => 0),
      other.pipes.open("never", { wait: true }).catch(() => 0),
      (await other.mutex("mutex")).lock().catch(() => 0),
    ];

    // Damage: some words here and there, mostly where structures are.
    const all = new Uint8Array(region.buffer);
    const end = all.length - region.maxSizeBytes + region.sizeBytes;
    const heap = all.length - region.maxSizeBytes;
    const view = new DataView(region.buffer as ArrayBuffer);
    const hits = how === "zeroed" ? 1 : 1 + random.below(how === "hostile" ? 400 : 40);
    for (let hit = 0; hit < hits; hit++) {
      const area = random.of([
        [0, 512],
        [4096, 8192],
        [0, heap],
        [heap, Math.min(heap + 65536, end)],
        [heap, end],
      ] as const);
      const at = (area[0] + random.below(area[1] - area[0])) & ~3;
      const value = random.of([
        0,
        1,
        -1,
        2,
        0x7fffffff,
        -0x80000000,
        0xff,
        0x10000,
        random.below(2 ** 32) | 0,
        random.below(1000),
        view.getInt32(at, true) ^ (1 << random.below(32)),
      ]);
      if (how === "zeroed") all.fill(0, round % 3 === 1 ? 4096 : 0, round % 3 === 2 ? heap : end);
      else if (random.below(12) === 0) all.fill(value, at, Math.min(at + random.below(20_000), end));
      else view.setInt32(at, value, true);
    }

    const calls: [string, () => unknown][] = [
      ["send", () => pipe.send(1, soon)],
      ["send bytes", () => theirs.send(bytes, soon)],
      ["sendSync", () => pipe.sendSync("x", soon)],
      ["trySend", () => pipe.trySend(2)],
      ["send large", () => pipe.send(new Uint8Array(200_000), soon)],
      ["receive", () => pipe.receive(soon)],
      ["receiveSync", () => theirs.receiveSync(soon)],
      ["tryReceive", () => theirs.tryReceive()],
      ["receiveInto", () => pipe.receiveInto(bytes, soon)],
      ["lease", async () => (await pipe.receive({ ...soon, lease: true })).ack()],
      ["lease nack", () => theirs.tryReceive({ lease: true })?.nack()],
      ["ack", () => lease.ack()],
      ["drain", () => pipe.drain(soon)],
      ["statistics", () => pipe.statistics()],
      ["counter", () => counter.add(1, soon)],
      ["value", () => counter.value],
      ["waitFor", () => counter.waitForSync(1000, soon)],
      ["guard", () => [guard.get(0), guard.set(1, 5), guard.commit(), guard.rollback()]],
      ["release", () => guard.release()],
      ["lock", async () => (await mutex.lock(soon)).release()],
      ["lockSync", () => mutex.lockSync(soon).release()],
      ["list", () => [region.pipes.list(), other.counters.list()]],
      ["make", () => region.counter("made", soon)],
      ["make pipe", () => other.pipe("made too", { ...soon, capacity: 4 })],
      ["open", () => other.pipes.open("pipe", soon)],
      ["remove", () => other.pipes.remove("pipe", soon)],
      ["grow", () => region.grow("600KiB", soon)],
      ["members", () => region.members()],
      ["heap", () => other.statistics()],
      ["recover", () => region.recoverTheDead()],
      ["inspect", () => shmkit.Region.inspect(name)],
      ["list regions", () => shmkit.Region.list()],
      [
        "join",
        async () => {
          const third = await shmkit.open(name, soon);
          try {
            await (await third.pipe("pipe", soon)).send(3, soon);
            third.members();
          } finally {
            await third.close();
          }
        },
      ],
      ["close pipe", () => theirs.close(soon)],
      ["turn", () => new Promise((resolve) => setTimeout(resolve, round % 10 === 0 ? 20 : 0))],
    ];
    for (let left = calls.length; left > 0; left--) {
      const [label, call] = calls.splice(random.below(left), 1)[0];
      await attempt(`seed ${seed + round} ${label}`, call);
    }
    await attempt(`seed ${seed + round} close`, () => region.close());
    await attempt(`seed ${seed + round} close`, () => other.close());
    await Promise.all(pending);
    await attempt(`seed ${seed + round} remove`, () => shmkit.Region.remove(name));
    await attempt(`seed ${seed + round} clean`, () => shmkit.Region.clean());
  }
  return { wrong, codes };
}

describe("a block that is none", () => {
  test("ends the release of a lock whose name is said to be there in a typed error", async (t) => {
    const region = await testRegion(t, "no-name");
    const pipe = await region.pipe<Uint8Array>("p", { capacity: 4, maxLeased: 1 });
    await pipe.send(new Uint8Array(5000).fill(7));
    const bytes = new DataView(region.buffer);
    const table = lockTable(region);
    const claim = new TestClaim("x".repeat(5000));
    table.request(claim);
    const pageAt = claim.at * 4 + LOCK_REQUEST.at.namePage;
    const page = bytes.getUint32(pageAt, true);
    for (const wrong of [1, page + 1, 0xffffffff, blockOfMessage(bytes, page)]) {
      bytes.setUint32(pageAt, wrong, true);
      assert.throws(() => table.leave(claim), { code: "ERR_CORRUPT", actual: wrong });
    }
    bytes.setUint32(pageAt, page, true);
    assert.equal(table.leave(claim), true);
    assert.deepEqual(await pipe.receive(), new Uint8Array(5000).fill(7));
  });

  test("ends the lease that refers to it, and the sweep of a removed object, in a typed error or well", async (t) => {
    const region = await testRegion(t, "no-block");
    const pipe = await region.pipe("p", { capacity: 4, maxLeased: 1 });
    const bytes = new DataView(region.buffer);
    const places = findPlaces(bytes);
    const leaseAt = places.find(({ struct }) => struct === LEASE_SLOT.struct)!.offset;
    const entryAt = places.find(({ struct }) => struct === DIRECTORY_ENTRY.struct)!.offset;
    const pageAt = leaseAt + LEASE_SLOT.at.page;
    await pipe.send(new Uint8Array(5000));
    const lease = await pipe.receive({ lease: true });
    const page = bytes.getUint32(pageAt, true);
    const other = await region.pipe<Uint8Array>("q", { capacity: 4, maxLeased: 1 });
    await other.send(new Uint8Array(5000).fill(7));
    const message = blockOfMessage(bytes, page);
    for (const wrong of [1, page + 1, 0x7fffffff, 0xffffffff, message]) {
      bytes.setUint32(pageAt, wrong, true);
      // A lease is settled once, so each time by another handle on it.
      const { index, sequence } = lease as unknown as { index: number; sequence: number };
      assert.throws(() => pipe.settleLease(index, sequence, true), {
        name: "ShmkitError",
        code: "ERR_CORRUPT",
        actual: wrong,
      });
    }
    bytes.setUint32(pageAt, page, true);
    lease.ack();
    assert.deepEqual(await other.receive(), new Uint8Array(5000).fill(7));
    await region.pipes.remove("q");
    assert.equal(pipe.trySend(1), true);
    await region.pipes.remove("p");
    for (const wrong of [1, 0xffffffff]) bytes.setUint32(entryAt + DIRECTORY_ENTRY.at.page, wrong, true);
    pipe.detach();
    assert.deepEqual(region.pipes.list(), []);
    assert.equal(bytes.getUint32(entryAt + DIRECTORY_ENTRY.at.state, true), EntryState.free);
  });
});

describe("a region whose bytes are damaged under its users", () => {
  const campaigns: readonly Pick<Campaign, "how" | "rounds" | "seed">[] = [
    { how: "zeroed", rounds: 6, seed: 1 },
    { how: "random", rounds: 60, seed: 1000 },
    { how: "random", rounds: 60, seed: 5000 },
    { how: "hostile", rounds: 30, seed: 9000 },
  ];
  for (const { how, rounds, seed } of campaigns) {
    test(`${how}, from seed ${seed}: every answer is a typed error or a value`, async (t) => {
      await turnAmongTheDead(t);
      const member = await ProcessMember.start();
      const name = uniqueRegionName("damaged");
      const damaged = member.run(damage, {
        name,
        how,
        rounds,
        seed,
        options: { size: "256KiB", maxSize: "1MiB", maxMembers: 8 },
      });
      const watchdog = setTimeout(() => void member.kill(), 90_000);
      let last: unknown;
      void (async () => {
        for (;;) last = await member.next();
      })().catch(() => undefined);
      try {
        const { wrong, codes } = await damaged;
        assert.deepEqual(wrong, []);
        assert.ok((codes["value"] ?? 0) > rounds && Object.keys(codes).length > 3, JSON.stringify(codes));
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        throw new Error(`in round ${JSON.stringify(last)} of seed ${seed}`, { cause: error });
      } finally {
        clearTimeout(watchdog);
      }
      assert.deepEqual(await member.finish(), { code: 0, signal: null, output: "" });
    });
  }
});
