/** Composite objects: several under one name, all or none. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Composite, part, Region, type Counter, type Mutex, type ShmkitError } from "shmkit";
import { DIRECTORY_ENTRY, ENTRY_BYTES, EntryState, RunState } from "#src/layout/heap.js";
import { FIRST_SEGMENT_ENTRIES, PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { COMPOSITE, MAX_PARTS } from "#src/layout/composite.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { joinRegion, testRegion } from "./helpers/process-regions.js";

const parts = { lock: part.mutex({ words: 2 }), full: part.condition(), lines: part.counter() };
/** Blocks in use; that of the directory, which is made with the first object and stays, always among them. */
const used = (region: Region): number => Math.max(1, region.statistics().usedBlocks);

const cutOff = (): never => {
  throw new Error("cut off");
};

/** Page of the part that the first segment of the directory has, if there is one, whether its parent is there or not. */
function pageOfStray({ buffer }: Region): number | undefined {
  const words = new Int32Array(buffer);
  const { at } = DIRECTORY_ENTRY;
  const directory = words[REGION_HEADER.at.directorySegments >> 2] * PAGE_BYTES;
  for (let entry = directory; entry < directory + FIRST_SEGMENT_ENTRIES * ENTRY_BYTES; entry += ENTRY_BYTES)
    if (words[(entry + at.state) >> 2] === EntryState.part) return words[(entry + at.page) >> 2];
  return undefined;
}

describe("a composite", () => {
  test("gives the parts that were asked for, with their types, to whoever opens it", async (t) => {
    const app = await testRegion(t, "composite");
    const trace = await app.composite("trace", parts);
    const lock: Mutex = trace.parts.lock;
    const lines: Counter = trace.parts.lines;
    assert.deepEqual(Object.keys(trace.parts), ["lock", "full", "lines"]);
    // @ts-expect-error there is no such part
    assert.equal(trace.parts.empty, undefined);
    assert.equal(lock.wordCount, 2);
    assert.equal(lock.address, `${app.name}/trace.lock`);
    assert.equal(trace.address, `${app.name}/trace`);
    const other = await joinRegion(t, app.name);
    const same = await other.composites.open("trace", { parts });
    await same.parts.lines.add(3);
    assert.equal(lines.value, 3n);
    assert.equal(await app.composite("trace", parts), trace);
    assert.equal(app.compositeSync("trace", parts), trace);
    const unknown = await other.composites.open("trace");
    assert.deepEqual(Object.keys(unknown.parts), ["lock", "full", "lines"]);
    assert.ok(unknown instanceof Composite);
    assert.ok(Object.isFrozen(trace.parts));
  });

  test("can have one part of each kind, and names that mean something to JavaScript", async (t) => {
    const app = await testRegion(t, "composite-kinds");
    const one = {
      mutex: part.mutex({ reentrant: true }),
      semaphore: part.semaphore({ permits: 3 }),
      condition: part.condition(),
      rwlock: part.rwlock(),
      event: part.event({ manualReset: true, set: true }),
      barrier: part.barrier({ parties: 2 }),
      latch: part.latch({ count: 2 }),
      once: part.once(),
      flag: part.flag(),
      counter: part.counter(),
      rateLimiter: part.rateLimiter({ tokens: 5 }),
      ["__proto__"]: part.counter(),
      constructor: part.flag(),
    };
    const all = (await app.composites.create("all", { parts: one })).parts;
    assert.deepEqual(Object.keys(all), Object.keys(one));
    assert.equal(all.semaphore.available, 3);
    assert.equal(all.event.isSet, true);
    assert.equal(all.latch.statistics().remaining, 2);
    assert.equal(await all.flag.testAndSet(), false);
    await all.once.run(() => undefined);
    assert.equal(all.once.isDone, true);
    assert.equal(all.rateLimiter.tryTake(5), true);
    const guard = await all.mutex.lock();
    all.mutex.lockSync().release();
    guard.release();
    all.rwlock.tryLockShared()!.release();
    const objects = Region.inspect(app.name)!.objects;
    const [whole, ...rest] = objects;
    assert.deepEqual(
      [whole.name, whole.kind, whole.parts],
      ["all", "composite", Object.keys(one).map((name) => `all.${name}`)],
    );
    assert.deepEqual(
      rest.map(({ name }) => name),
      whole.parts,
    );
  });

  test("create, open and remove treat it as one name", async (t) => {
    const app = await testRegion(t, "composite-verbs");
    await assert.rejects(app.composites.open("trace"), { code: "ERR_NOT_FOUND" });
    const before = used(app);
    const waiting = app.counters.open("trace.lines", { wait: true });
    const trace = await app.composites.create("trace", { parts });
    assert.equal(await waiting, trace.parts.lines);
    await assert.rejects(app.composites.create("trace", { parts }), { code: "ERR_EXISTS" });
    await assert.rejects(app.mutex("trace"), { code: "ERR_WRONG_KIND" });
    assert.deepEqual([app.composites.list(), app.mutexes.list()], [["trace"], ["trace.lock"]]);
    await assert.rejects(app.mutexes.remove("trace.lock"), {
      code: "ERR_WRONG_KIND",
      message: /trace.lock is a part of .*trace, which can only be removed as a whole/,
    });
    assert.equal(await app.composites.remove("trace"), true);
    assert.equal(await app.composites.remove("trace"), false);
    assert.throws(() => trace.parts.lines.value, { code: "ERR_CLOSED", message: /trace.lines was removed/ });
    await assert.rejects(trace.parts.lock.lock(), { code: "ERR_CLOSED" });
    assert.deepEqual([app.composites.list(), app.mutexes.list(), app.counters.list()], [[], [], []]);
    assert.notEqual(used(app), before, "who has it open keeps its memory");
    const next = await app.composite("trace", parts);
    assert.equal(next.parts.lines.value, 0n);
    trace.detach();
    assert.equal(next.parts.lines.value, 0n);
    app.composites.removeSync("trace");
    next.detach();
    assert.equal(used(app), before);
  });

  test("what differs is named: a part, its kind, its options", async (t) => {
    const app = await testRegion(t, "composite-differs");
    await app.composite("trace", parts);
    const path = `${app.name}/trace`;
    const opening = (others: Parameters<typeof app.composite>[1]): Promise<unknown> => app.composite("trace", others);
    const { lines: _lines, ...fewer } = parts;
    const blocks = used(app);
    await assert.rejects(opening(fewer), {
      code: "ERR_OPTIONS_DIFFER",
      path,
      message: /trace exists and has a part more, lines: its parts are lock, full, lines;/,
      expected: ["lock", "full"],
      actual: ["lock", "full", "lines"],
    });
    await assert.rejects(opening({ ...parts, empty: part.condition() }), {
      code: "ERR_OPTIONS_DIFFER",
      message: /has no part empty/,
    });
    await assert.rejects(opening({ ...parts, lines: part.flag() }), {
      code: "ERR_WRONG_KIND",
      path: `${path}.lines`,
      expected: "flag",
      actual: "counter",
    });
    await assert.rejects(opening({ ...parts, lock: part.mutex({ words: 3 }) }), {
      code: "ERR_OPTIONS_DIFFER",
      path: `${path}.lock`,
      message: /trace.lock exists with words 2, not 3; leave the option out or remove the composite/,
    });
    await opening({ lines: part.counter(), lock: part.mutex(), full: part.condition() });
    await assert.rejects(app.composites.open("trace", { parts: fewer }), { code: "ERR_OPTIONS_DIFFER" });
    assert.equal(used(app), blocks);
  });

  test("parts share the names of the region: the one who is there stays", async (t) => {
    const app = await testRegion(t, "composite-names");
    await app.mutex("trace.lock", { words: 2 });
    const before = used(app);
    await assert.rejects(app.composite("trace", parts), {
      code: "ERR_EXISTS",
      path: `${app.name}/trace.lock`,
      message: /trace cannot have a part lock: .*trace.lock exists already/,
    });
    assert.equal(used(app), before, "nothing is left half made");
    assert.deepEqual(app.counters.list(), []);
    app.mutexes.removeSync("trace.lock");
    const trace = await app.composite("trace", parts);
    assert.equal(await app.mutex("trace.lock"), trace.parts.lock);
    await assert.rejects(app.counters.create("trace.lines"), { code: "ERR_EXISTS" });
    const dotted = await app.composite("a.b", { "c d": part.flag() });
    assert.equal(dotted.parts["c d"].address, `${app.name}/a.b.c d`);
  });

  test("refuses what are no parts before it makes any", async (t) => {
    const app = await testRegion(t, "composite-arguments");
    const before = used(app);
    const refused = async (given: unknown, code: string): Promise<void> => {
      await assert.rejects(app.composite("x", given as typeof parts), { code });
      assert.throws(() => app.compositeSync("x", given as typeof parts), { code });
    };
    for (const given of [undefined, null, 5, [part.flag()], "mutex"]) await refused(given, "ERR_INVALID_ARGUMENT");
    await assert.rejects(app.composites.create("x"), { code: "ERR_INVALID_ARGUMENT", message: /parts must be given/ });
    await refused({ a: "mutex" }, "ERR_INVALID_ARGUMENT");
    await refused({ a: part }, "ERR_INVALID_ARGUMENT");
    await refused({}, "ERR_OUT_OF_RANGE");
    const many = (count: number): Record<string, typeof parts.lines> =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${i}`, part.counter()]));
    await refused(many(MAX_PARTS + 1), "ERR_OUT_OF_RANGE");
    for (const name of ["", "a.b", "a/b", "x".repeat(119)]) await refused({ [name]: part.flag() }, "ERR_INVALID_NAME");
    await refused({ a: part.semaphore({ permits: -1 }) }, "ERR_OUT_OF_RANGE");
    assert.throws(() => part.mutex({ wrods: 3 } as object), {
      code: "ERR_UNKNOWN_OPTION",
      message: /did you mean "words"/,
    });
    assert.equal(used(app), before);
    assert.equal(Object.keys((await app.composite("most", many(MAX_PARTS))).parts).length, MAX_PARTS);
  });

  test("keeps the options that a part was made with", async (t) => {
    const app = await testRegion(t, "composite-kept");
    const options = { permits: 2 };
    const plan = part.semaphore(options);
    options.permits = 7;
    assert.equal((await app.composite("x", { s: plan })).parts.s.available, 2);
  });

  test("a full region leaves nothing half made, and has room for what fits", async (t) => {
    const app = await Region.create(uniqueRegionName("composite-full"), { size: "128KiB", maxSize: "128KiB" });
    t.after(() => app.close());
    await app.counters.create("first");
    for (let made = 0; ; made++) {
      const before = app.statistics();
      try {
        await app.composite(`c${made}`, parts);
      } catch (error) {
        assert.equal((error as { code?: string }).code, "ERR_REGION_FULL");
        const { freeBytes, usedBlocks } = app.statistics();
        assert.deepEqual({ freeBytes, usedBlocks }, { freeBytes: before.freeBytes, usedBlocks: before.usedBlocks });
        assert.ok(made > 0 && !app.composites.list().includes(`c${made}`));
        if (freeBytes > 0) await app.counters.create("last");
        return;
      }
    }
  });

  test("cut off between parts, what was made keeps its memory until it is swept", async (t) => {
    const app = await testRegion(t, "composite-cut");
    await app.counter("first");
    const before = used(app);
    const { heap } = app["membership"];
    const cuts: Record<string, () => void> = {
      "before the block leaves the ledger": () => t.mock.method(heap, "clearLedger", cutOff, { times: 1 }),
      "before the block of the next part": () => {
        const allocate = heap.allocateLocked.bind(heap);
        let blocks = 0;
        t.mock.method(heap, "allocateLocked", (pages: number, state: number) =>
          ++blocks === 2 ? cutOff() : allocate(pages, state),
        );
      },
    };
    for (const [where, cut] of Object.entries(cuts)) {
      cut();
      assert.throws(() => app.compositeSync("trace", parts), { message: "cut off" }, where);
      t.mock.restoreAll();
      const page = pageOfStray(app);
      assert.ok(page !== undefined && heap.isBlock(page, RunState.kept), where);
      assert.deepEqual([app.composites.list(), app.mutexes.list()], [[], []]);
      assert.equal(await app.counters.remove("nothing"), false);
      assert.equal(pageOfStray(app), undefined, where);
      assert.equal(used(app), before, where);
    }
  });

  test("a part that was given up by itself comes back when the composite is opened again", async (t) => {
    const app = await testRegion(t, "composite-given-up");
    const trace = await app.composite("trace", parts);
    const { lines } = trace.parts;
    lines.detach();
    assert.throws(() => trace.parts.lines.value, { code: "ERR_CLOSED" });
    assert.equal(await app.composite("trace", parts), trace);
    assert.equal(trace.parts.lines.value, 0n);
    trace.detach();
    trace.detach();
    assert.throws(() => trace.parts.lines.value, { code: "ERR_CLOSED" });
    assert.notEqual(await app.composite("trace", parts), trace);
  });

  test("a damaged table of parts is found", async (t) => {
    const app = await testRegion(t, "composite-damaged");
    const trace = await app.composite("trace", parts);
    const words = new Int32Array(app.buffer);
    const base = (trace.ref.page * PAGE_BYTES) / 4;
    const at = { count: base + (COMPOSITE.at.parts >> 2), first: base + (COMPOSITE.at.entries >> 2) };
    for (const [word, value] of [
      [at.count, 0],
      [at.count, MAX_PARTS + 1],
      [at.count, 4],
      [at.first, trace.ref.entry],
      [at.first, -1],
    ]) {
      const sound = words[word];
      words[word] = value;
      await assert.rejects(app.composites.open("trace"), { code: "ERR_CORRUPT" });
      await assert.rejects(app.composites.remove("trace"), { code: "ERR_CORRUPT" });
      assert.throws(() => app.composites.list(), { code: "ERR_CORRUPT" });
      words[word] = sound;
    }
    assert.equal(await app.composites.remove("trace"), true);
  });

  test("a part whose entry names another parent is there for nobody", async (t) => {
    const app = await testRegion(t, "composite-strays");
    const trace = await app.composite("trace", parts);
    const words = new Int32Array(app.buffer);
    const { at } = DIRECTORY_ENTRY;
    const directory = words[REGION_HEADER.at.directorySegments >> 2] * PAGE_BYTES;
    const entry = directory + trace.parts.lines.ref.entry * ENTRY_BYTES;
    for (const [field, value] of [
      [at.parentGeneration, trace.ref.generation + 1],
      [at.parent, trace.ref.entry + 5],
      [at.parent, -1],
    ]) {
      const sound = words[(entry + field) >> 2];
      words[(entry + field) >> 2] = value;
      assert.deepEqual(app.counters.list(), []);
      await assert.rejects(app.counters.open("trace.lines"), { code: "ERR_NOT_FOUND" });
      await assert.rejects(app.composites.open("trace"), { code: "ERR_CORRUPT" });
      words[(entry + field) >> 2] = sound;
    }
    assert.equal((await app.counters.open("trace.lines")).value, 0n);
  });
});

describe("a composite between processes", () => {
  test("a killed owner's lock passes on as that of any mutex, and its memory comes back", async (t) => {
    const app = await testRegion(t, "composite-killed");
    const blocks = used(app);
    const trace = await app.composite("trace", parts);
    const other = await ProcessMember.start({ region: app.name });
    await other.run(async ({ region, kept }) => {
      const { parts } = await region.composites.open("trace");
      const guard = await (parts.lock as Mutex).lock();
      guard.set(0, 5);
      kept.set("guard", guard);
    }, []);
    const died = new Promise<string | undefined>((resolve) => {
      app.once("memberDied", ({ object }) => resolve(object));
    });
    const waiting = trace.parts.lock.lock();
    await other.kill();
    const guard = await waiting;
    assert.deepEqual([guard.abandoned, guard.get(0)], [true, 0]);
    assert.equal(await died, "trace.lock");
    guard.release();
    await app.composites.remove("trace");
    trace.detach();
    assert.equal(used(app), blocks);
  });

  test("members that wait for each other's parts are told which, by their addresses", async (t) => {
    const app = await testRegion(t, "composite-deadlock");
    const { left, right } = (await app.composite("pair", { left: part.mutex(), right: part.mutex() })).parts;
    const mine = await left.lock();
    const other = await ProcessMember.start({ region: app.name });
    const crossing = other.run(async ({ region }) => {
      const { left, right } = (await region.composites.open("pair")).parts as Record<string, Mutex>;
      const guard = right.lockSync();
      left.lockSync().release();
      guard.release();
    }, []);
    while (left.statistics().waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.throws(
      () => right.lockSync(),
      (error: ShmkitError) => {
        assert.equal(error.code, "ERR_DEADLOCK");
        const met = error.cycle!.map(({ mutex, waitsFor }) => [mutex, waitsFor]);
        assert.deepEqual(met, [
          [left.address, right.address],
          [right.address, left.address],
        ]);
        return true;
      },
    );
    mine.release();
    await crossing;
  });

  test("a waiter learns that the composite was removed", async (t) => {
    const app = await testRegion(t, "composite-removed");
    const trace = await app.composite("trace", parts);
    const guard = await trace.parts.lock.lock();
    const other = await ProcessMember.start({ region: app.name });
    const waiting = other.run(async ({ region }) => {
      const { parts } = await region.composites.open("trace");
      return (parts.lock as Mutex).lock().then(
        () => "locked",
        (error: { code: string; message: string }) => error.message,
      );
    }, []);
    while (trace.parts.lock.statistics().waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await app.composites.remove("trace");
    assert.match(await waiting, /trace.lock was removed/);
    guard.release();
  });

  test("one that is stopped while it has the parts keeps nobody from removing and making them anew", async (t) => {
    const app = await testRegion(t, "composite-stopped");
    await app.composite("trace", parts);
    const other = await ProcessMember.start({ region: app.name });
    await other.run(async ({ region, kept }) => {
      const { parts } = await region.composites.open("trace");
      kept.set("guard", await (parts.lock as Mutex).lock());
    }, []);
    await other.stop();
    await app.composites.remove("trace");
    const { lock } = (await app.composite("trace", parts)).parts;
    (await lock.lock()).release();
    other.continue();
  });
});
