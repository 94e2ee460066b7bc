/** Web Locks within one process: what the specification says of arguments, order, abort, theft and the callback's result. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Lock, LockManager, Region, ShmkitError, type LockEntry, type LockRequestOptions } from "shmkit";
import { SMALL, joinRegion, testRegion } from "./helpers/process-regions.js";

const tagOf = (value: object): string => Object.prototype.toString.call(value);
type Loose = (...args: unknown[]) => Promise<unknown>;

const named = (name: string) => (error: unknown) => error instanceof DOMException && error.name === name;
const plainTypeError = (error: unknown): boolean =>
  error instanceof TypeError && error.constructor === TypeError && error instanceof ShmkitError;
const coded = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;
const unreached = (): never => assert.fail("the callback is not called");

/** Requests a lock and holds it until it is let go. */
async function held(locks: LockManager, name: string, options: LockRequestOptions = {}) {
  let letGo!: (value?: unknown) => void;
  const until = new Promise<unknown>((resolve) => (letGo = resolve));
  let released!: Promise<unknown>;
  const lock = await new Promise<Lock | null>((resolve) => {
    released = locks.request(name, options, (lock) => {
      resolve(lock);
      return until;
    });
    released.catch(() => undefined);
  });
  return { lock, released, letGo };
}

const modes = (entries: readonly { name: string; mode: string }[], name: string): string[] =>
  entries.filter((entry) => entry.name === name).map(({ mode }) => mode);

describe("a request", () => {
  test("calls back with the lock, and ends as the callback does", async (t) => {
    const { locks } = await testRegion(t, "locks-result");
    const result = await locks.request("a", { mode: "shared" }, (lock) => {
      assert.ok(lock instanceof Lock);
      assert.deepEqual([lock.name, lock.mode, tagOf(lock)], ["a", "shared", "[object Lock]"]);
      return Promise.resolve(7);
    });
    assert.equal(result, 7);
    const thrown = { then: () => assert.fail("what is thrown is not looked at") };
    // In a list, since what is caught would be looked at on its way.
    const reasonOf = (promise: Promise<unknown>): Promise<unknown[]> =>
      promise.then(
        () => [],
        (error: unknown) => [error],
      );
    const throwing = (): never => {
      throw thrown as unknown as Error;
    };
    assert.equal((await reasonOf(locks.request("a", throwing)))[0], thrown);
    const rejecting = async (): Promise<never> => throwing();
    assert.equal((await reasonOf(locks.request("a", rejecting)))[0], thrown);
    assert.deepEqual(await locks.query(), { held: [], pending: [] });
  });

  test("calls back in a turn of its own, in the context of the request, and as a plain function", async (t) => {
    const { locks } = await testRegion(t, "locks-turn");
    const order: string[] = [];
    const context = new AsyncLocalStorage<string>();
    const request = context.run("of the request", () =>
      locks.request("a", function (this: unknown) {
        order.push(`callback ${String(this)} ${context.getStore()}`);
      }),
    );
    await Promise.resolve().then(() => order.push("microtask"));
    await request;
    assert.deepEqual(order, ["microtask", "callback undefined of the request"]);
  });

  test("rejects as the platform does for arguments of a wrong type, and never throws", async (t) => {
    const { locks } = await testRegion(t, "locks-types");
    const request = locks.request.bind(locks) as Loose;
    const callback = unreached;
    const wrong: unknown[][] = [
      [],
      ["a"],
      ["a", undefined],
      ["a", {}],
      ["a", callback, undefined],
      ["a", {}, null],
      ["a", 1, callback],
      ["a", "text", callback],
      ["a", { mode: "reading" }, callback],
      ["a", { mode: null }, callback],
      ["a", { signal: null }, callback],
      ["a", { signal: {} }, callback],
      ["a", { signal: callback }, callback],
    ];
    for (const args of wrong) await assert.rejects(request(...args), plainTypeError, String(args.length));
    await assert.rejects(request(Symbol("a"), callback), TypeError);
    await assert.rejects((locks.request as Loose).call({}, "a", callback), TypeError);
    await assert.rejects((locks.query as Loose).call({}), TypeError);
    for (const Interface of [Lock, LockManager] as unknown as (new () => unknown)[])
      assert.throws(() => new Interface(), plainTypeError);
    const broken = {
      toString: (): string => {
        throw new RangeError("as it is");
      },
    };
    await assert.rejects(request(broken, callback), RangeError);
  });

  test("converts arguments as the platform does, members of the options in the order of their names", async (t) => {
    const { locks } = await testRegion(t, "locks-conversions");
    const request = locks.request.bind(locks) as Loose;
    assert.equal(await request(12, undefined, (lock: Lock) => lock.name), "12");
    assert.equal(await request(undefined, null, (lock: Lock) => lock.name), "undefined");
    assert.equal(await request("a", { mode: { toString: () => "shared" } }, (lock: Lock) => lock.mode), "shared");
    assert.equal(await request("a", { ifAvailable: "yes", unknown: 1 }, (lock: Lock) => lock.mode), "exclusive");
    const read: string[] = [];
    const options = new Proxy({}, { get: (_, key) => void read.push(String(key)) });
    await request("a", options, () => undefined);
    assert.deepEqual(read, ["ifAvailable", "mode", "signal", "steal", "timeoutMs"]);
    assert.deepEqual([locks.request.length, locks.query.length, LockManager.length, Lock.length], [2, 0, 0, 0]);
    assert.deepEqual(Object.keys(LockManager.prototype).sort(), ["query", "request"]);
    assert.deepEqual(Object.keys(Lock.prototype).sort(), ["mode", "name"]);
    assert.equal(tagOf(locks), "[object LockManager]");
  });

  test("refuses reserved names and options that contradict each other", async (t) => {
    const { locks } = await testRegion(t, "locks-unsupported");
    const { signal } = new AbortController();
    const refused: [string, LockRequestOptions][] = [
      ["-", {}],
      ["-a", {}],
      ["a", { steal: true, ifAvailable: true }],
      ["a", { steal: true, mode: "shared" }],
      ["a", { steal: true, signal }],
      ["a", { ifAvailable: true, signal }],
      // What is said first counts.
      ["a", { ifAvailable: true, signal: AbortSignal.abort() }],
    ];
    for (const [name, options] of refused)
      await assert.rejects(locks.request(name, options, unreached), named("NotSupportedError"));
    assert.equal(await locks.request("a-", () => 1), 1);
  });

  test("takes any text for a name, and tells all of them apart", async (t) => {
    const { locks } = await testRegion(t, "locks-names");
    const long = "x".repeat(5000);
    const names = ["", "a\0b", "\ud800", "\udc00", "\udc00\ud800", "\uffff", "\ufffd", "é", "\u00e9\u0301", "🐘"];
    names.push(long, `${long}\ud800`, `${long.slice(1)}\ud800`, "x".repeat(208), "x".repeat(209), "y".repeat(209));
    const all = await Promise.all(names.map((name) => held(locks, name)));
    assert.deepEqual(
      all.map(({ lock }) => lock!.name),
      names,
    );
    assert.deepEqual(
      (await locks.query()).held.map(({ name }) => name),
      names,
    );
    for (const name of names)
      assert.equal(await locks.request(name, { ifAvailable: true }, (lock) => lock), null, name.slice(0, 9));
    for (const { letGo } of all) letGo();
    await Promise.all(all.map(({ released }) => released));
    assert.deepEqual(await locks.query(), { held: [], pending: [] });
  });
});

describe("the order of grants", () => {
  test("is that of the requests; shared ones go together, and not past one that waits for the lock alone", async (t) => {
    const { locks } = await testRegion(t, "locks-order");
    const first = await held(locks, "a");
    const granted: string[] = [];
    const ask = (label: string, options: LockRequestOptions = {}): Promise<unknown> =>
      locks.request("a", options, async () => {
        granted.push(`${label} ${modes((await locks.query()).held, "a").length}`);
        await sleep(1);
      });
    const all = [
      ask("s1", { mode: "shared" }),
      ask("s2", { mode: "shared" }),
      ask("x1"),
      ask("s3", { mode: "shared" }),
      ask("x2"),
    ];
    assert.equal(await locks.request("a", { mode: "shared", ifAvailable: true }, (lock) => lock), null);
    assert.deepEqual(modes((await locks.query()).pending, "a"), [
      "shared",
      "shared",
      "exclusive",
      "shared",
      "exclusive",
    ]);
    first.letGo();
    await Promise.all(all);
    assert.deepEqual(granted, ["s1 2", "s2 2", "x1 1", "s3 1", "x2 1"]);
  });

  test("of other names is not concerned", async (t) => {
    const { locks } = await testRegion(t, "locks-others");
    const a = await held(locks, "a");
    const again = locks.request("a", () => "again");
    assert.equal(await locks.request("b", () => "b"), "b");
    const state = await locks.query();
    assert.deepEqual([modes(state.held, "a"), modes(state.pending, "a")], [["exclusive"], ["exclusive"]]);
    assert.equal(new Set([...state.held, ...state.pending].map(({ clientId }) => clientId)).size, 1);
    a.letGo();
    assert.equal(await again, "again");
  });

  test("holds for thousands, and what they took is free again", async (t) => {
    const app = await testRegion(t, "locks-thousands", { size: "1MiB", maxSize: "32MiB", maxMembers: 4 });
    const { locks } = app;
    const first = await held(locks, "many");
    const granted: number[] = [];
    const many = Array.from({ length: 1000 }, (_, i) => locks.request("many", () => void granted.push(i)));
    const others = Array.from({ length: 1000 }, (_, i) => held(locks, `n${i}`));
    assert.equal((await locks.query()).pending.length, 1000);
    first.letGo();
    await Promise.all(many);
    assert.deepEqual(
      granted,
      Array.from({ length: 1000 }, (_, i) => i),
    );
    const blocks = app.statistics().usedBlocks;
    for (const other of await Promise.all(others)) other.letGo();
    await Promise.all((await Promise.all(others)).map(({ released }) => released));
    assert.deepEqual(await locks.query(), { held: [], pending: [] });
    assert.equal(app.statistics().usedBlocks, blocks);
  });
});

describe("a signal", () => {
  test("that was aborted before, or is at once, rejects with its reason", async (t) => {
    const { locks } = await testRegion(t, "locks-aborted");
    const reason = ["mine"];
    const same = (error: unknown): boolean => error === reason;
    await assert.rejects(locks.request("a", { signal: AbortSignal.abort(reason) }, unreached), same);
    await assert.rejects(locks.request("a", { signal: AbortSignal.abort() }, unreached), named("AbortError"));
    const controller = new AbortController();
    const request = locks.request("a", { signal: controller.signal }, unreached);
    const next = locks.request("a", () => "next");
    // Although the lock can be had.
    controller.abort(reason);
    await assert.rejects(request, same);
    assert.equal(await next, "next");
  });

  test("withdraws a request that waits, and whoever is next goes on", async (t) => {
    const { locks } = await testRegion(t, "locks-withdrawn");
    const first = await held(locks, "a", { mode: "shared" });
    const controller = new AbortController();
    // Others that listen cannot keep it from being withdrawn.
    controller.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
    const alone = locks.request("a", { signal: controller.signal }, unreached);
    const shared = locks.request("a", { mode: "shared" }, () => "together");
    assert.equal((await locks.query()).pending.length, 2);
    controller.abort();
    await assert.rejects(alone, named("AbortError"));
    assert.equal(await shared, "together");
    first.letGo();
    await first.released;
    assert.deepEqual(await locks.query(), { held: [], pending: [] });
  });

  test("means nothing once the lock was granted", async (t) => {
    const { locks } = await testRegion(t, "locks-granted");
    const controller = new AbortController();
    const { released, letGo } = await held(locks, "a", { signal: controller.signal });
    controller.abort();
    assert.equal((await locks.query()).held.length, 1);
    letGo("as if nothing had been");
    assert.equal(await released, "as if nothing had been");
  });
});

describe("a theft", () => {
  test("rejects the promise of whoever held it, whose callback goes on, and goes before all who wait", async (t) => {
    const { locks } = await testRegion(t, "locks-stolen");
    const victims = [await held(locks, "a", { mode: "shared" }), await held(locks, "a", { mode: "shared" })];
    const waiting = locks.request("a", () => "later");
    const thief = await held(locks, "a", { steal: true });
    for (const { released } of victims) await assert.rejects(released, named("AbortError"));
    assert.deepEqual(modes((await locks.query()).held, "a"), ["exclusive"]);
    assert.equal((await locks.query()).pending.length, 1);
    // Its end changes nothing any more.
    for (const { letGo } of victims) letGo();
    await sleep(5);
    assert.deepEqual(modes((await locks.query()).held, "a"), ["exclusive"]);
    const second = await held(locks, "a", { steal: true });
    await assert.rejects(thief.released, named("AbortError"));
    second.letGo("kept");
    assert.deepEqual([await second.released, await waiting], ["kept", "later"]);
    assert.equal(await locks.request("nobody's", { steal: true }, (lock) => lock?.name), "nobody's");
  });

  test("of a lock whose callback has not been called yet lets it be called, as the specification has it", async (t) => {
    const { locks } = await testRegion(t, "locks-stolen-early");
    const called: string[] = [];
    const first = locks.request("a", () => void called.push("first"));
    const second = locks.request("a", { steal: true }, () => void called.push("second"));
    await assert.rejects(first, named("AbortError"));
    await second;
    assert.deepEqual(called, ["first", "second"]);
  });
});

describe("what is beyond Web Locks", () => {
  test("timeoutMs ends the waiting and nothing else", async (t) => {
    const { locks } = await testRegion(t, "locks-timeout");
    const first = await held(locks, "a");
    await assert.rejects(locks.request("a", { timeoutMs: 5 }, unreached), (error: unknown) => {
      assert.ok(error instanceof ShmkitError);
      assert.deepEqual([error.code, error.name], ["ERR_TIMEOUT", "TimeoutError"]);
      return true;
    });
    await locks.request("held", async () => {
      const owner = new RegExp(`^member 0 \\(pid ${process.pid}, `);
      await assert.rejects(locks.request("held", { timeoutMs: 5 }, unreached), { code: "ERR_TIMEOUT", owner });
    });
    await assert.rejects(locks.request("a", { timeoutMs: Number.NaN }, unreached), coded("ERR_OUT_OF_RANGE"));
    await assert.rejects(locks.request("a", { timeoutMs: -1 }, unreached), coded("ERR_OUT_OF_RANGE"));
    first.letGo();
    await first.released;
    // Where it is not granted in time, there was nothing to see yet.
    for (let timeoutMs = 20, isGranted = false; !isGranted; timeoutMs *= 2) {
      const held = locks.request("a", { timeoutMs }, () => {
        isGranted = true;
        return sleep(timeoutMs + 20, "held for longer");
      });
      const result = await held.catch((error: unknown) => error);
      if (isGranted) assert.equal(result, "held for longer");
      else assert.ok(coded("ERR_TIMEOUT")(result));
    }
  });

  test("a region that is closed rejects what waits or was just granted; a callback goes on to its end", async () => {
    const name = `shmkit-locks-closing-${process.pid}`;
    const app = await Region.create(name, SMALL);
    const first = await held(app.locks, "a");
    const waiting = app.locks.request("a", unreached);
    const granted = app.locks.request("b", unreached);
    await app.close();
    await assert.rejects(waiting, coded("ERR_CLOSED"));
    await assert.rejects(granted, coded("ERR_CLOSED"));
    first.letGo("its own result");
    assert.equal(await first.released, "its own result");
    await assert.rejects(app.locks.request("a", unreached), coded("ERR_CLOSED"));
    await assert.rejects(app.locks.query(), coded("ERR_CLOSED"));
  });

  test("a region without room says so, and goes on", async (t) => {
    const { locks } = await testRegion(t, "locks-full", { size: "64KiB", maxSize: "64KiB", maxMembers: 2 });
    const ok = await held(locks, "a");
    await assert.rejects(locks.request("x".repeat(100_000), unreached), coded("ERR_REGION_FULL"));
    ok.letGo();
    await ok.released;
    assert.equal(await locks.request("a", () => 1), 1);
  });

  test("nobody makes, opens or removes the manager as an object; it shows from outside", async (t) => {
    const app = await testRegion(t, "locks-outside");
    assert.deepEqual(Region.inspect(app.name)!.objects, []);
    const a = await held(app.locks, "a");
    const waiting = app.locks.request("a", { mode: "shared" }, () => undefined);
    const [info] = Region.inspect(app.name)!.objects;
    assert.equal(info.kind, "locks");
    const { held: taken, pending } = info.locks!;
    const shown = ({ name, mode, slot }: LockEntry): object => ({ name, mode, slot });
    assert.deepEqual(
      { held: taken.map(shown), pending: pending.map(shown) },
      {
        held: [{ name: "a", mode: "exclusive", slot: app.slot }],
        pending: [{ name: "a", mode: "shared", slot: app.slot }],
      },
    );
    await assert.rejects(app.mutex(info.name), coded("ERR_INVALID_NAME"));
    await assert.rejects(app.mutexes.remove(info.name), coded("ERR_INVALID_NAME"));
    assert.deepEqual(app.mutexes.list(), []);
    a.letGo();
    await waiting;
  });
});

test("thousands of names at a time, whose requests come and go in any order, are told apart", async (t) => {
  const mine = await testRegion(t, "locks-names");
  const theirs = await joinRegion(t, mine.name);
  const holding = new Map<string, { release: () => void; ended: Promise<unknown> }>();
  const hold = async (lock: string): Promise<void> => {
    await new Promise<void>((granted) => {
      let release = (): void => undefined;
      const ended = mine.locks.request(lock, () => {
        granted();
        return new Promise<void>((resolve) => (release = resolve));
      });
      holding.set(lock, { release: () => release(), ended });
    });
  };
  const isFree = (lock: string): Promise<boolean> =>
    theirs.locks.request(lock, { ifAvailable: true }, (got: unknown) => got !== null);
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let i = 0; i < 1000; i++) await hold(`first ${i}`);
  for (let i = 0; i < 1500; i++) {
    const lock = `${["first", "second"][random(2)]} ${random(1500)}`;
    const held = holding.get(lock);
    assert.equal(await isFree(lock), held === undefined, lock);
    if (held === undefined) await hold(lock);
    else {
      // Who waits gets it, although its request was another name's before.
      const next = theirs.locks.request(lock, () => "next");
      held.release();
      assert.equal(await next, "next");
      await held.ended;
      holding.delete(lock);
    }
  }
  assert.equal((await theirs.locks.query()).held.length, holding.size);
  for (const { release } of holding.values()) release();
  await Promise.all([...holding.values()].map(({ ended }) => ended));
});
