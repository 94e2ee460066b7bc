/** Mutexes: re-entrance, release by others, `run`, statistics. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ShmkitError, type Mutex, type MutexGuard } from "shmkit";
import { joinRegion } from "./helpers/process-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

const code = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;

async function waitingFor(mutex: Mutex, count: number): Promise<void> {
  while (mutex.statistics().waiting.length !== count) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe("a re-entrant mutex", () => {
  test("counts how often its thread has it, in any order of the guards", async (t) => {
    const name = uniqueRegionName("mutex-reentrant");
    const app = await joinRegion(t, name);
    const other = await joinRegion(t, name);
    const mutex = await app.mutex("m", { reentrant: true, words: 1 });
    const theirs = await other.mutex("m");
    const guards = [mutex.lockSync(), await mutex.lock(), mutex.tryLock()!, mutex.lockSync({ timeoutMs: 0 })];
    guards[1].set(0, 5);
    for (const which of [1, 3, 0]) {
      guards[which].release();
      assert.throws(() => guards[which].release(), code("ERR_NOT_HELD"));
      assert.throws(() => guards[which].get(0), code("ERR_NOT_HELD"));
      assert.equal(theirs.tryLock(), undefined);
    }
    assert.equal(guards[2].get(0), 5);
    guards[2].rollback();
    guards[2][Symbol.dispose]();
    guards[2][Symbol.dispose]();
    const next = theirs.tryLock()!;
    assert.equal(next.get(0), 0, "one level does not commit what another undoes");
    next.release();
    assert.throws(() => guards[2].release(), code("ERR_NOT_HELD"));
    assert.equal(mutex.statistics().acquisitions, 2);
  });

  test("expected by one who opens it and not by another is an error", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("mutex-options"));
    await app.mutex("again", { reentrant: true });
    await app.mutex("once");
    await app.mutex("again");
    await assert.rejects(app.mutex("again", { reentrant: false }), code("ERR_OPTIONS_DIFFER"));
    await assert.rejects(app.mutex("once", { reentrant: true }), code("ERR_OPTIONS_DIFFER"));
    await assert.rejects(app.mutex("m", { reentrant: 1 as never }), code("ERR_INVALID_ARGUMENT"));
  });

  test("passes on when its owner is killed with several guards, and tells it once", async (t) => {
    const name = uniqueRegionName("mutex-reentrant-killed");
    const app = await joinRegion(t, name);
    const mutex = await app.mutex("m", { reentrant: true });
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region, kept }) => {
      const mutex = await region.mutex("m");
      kept.set("guards", [await mutex.lock(), await mutex.lock()]);
    }, []);
    const waiting = mutex.lock();
    await waitingFor(mutex, 1);
    await other.kill();
    const guard = await waiting;
    assert.equal(guard.abandoned, true);
    const again = await mutex.lock();
    assert.equal(again.abandoned, false);
    again.release();
    guard.release();
    assert.equal(mutex.ownerSlot, undefined);
  });

  test("is released as a whole when its handle is given up", async (t) => {
    const name = uniqueRegionName("mutex-reentrant-detached");
    const app = await joinRegion(t, name);
    const other = await joinRegion(t, name);
    const mutex = await app.mutex("m", { reentrant: true });
    const guards = [mutex.lockSync(), mutex.lockSync()];
    mutex.detach();
    const next = await (await other.mutex("m")).lock();
    assert.equal(next.abandoned, false);
    for (const guard of guards) guard[Symbol.dispose]();
    assert.throws(() => guards[0].release(), code("ERR_CLOSED"));
    next.release();
  });
});

test("a mutex that was removed can be released by who has it, and what its words are cannot be asked", async (t) => {
  const app = await joinRegion(t, uniqueRegionName("mutex-removed"));
  const mutex = await app.mutex("m");
  const reentrant = await app.mutex("again", { reentrant: true });
  const [guard, again] = [await mutex.lock(), await reentrant.lock()];
  const result = await reentrant.run(async () => {
    await Promise.all(["m", "again"].map((name) => app.mutexes.remove(name)));
    return "done";
  });
  assert.equal(result, "done");
  assert.throws(() => guard.get(0), code("ERR_CLOSED"));
  for (const held of [guard, again]) held.release();
  assert.throws(() => guard.release(), code("ERR_NOT_HELD"));
  await assert.rejects(mutex.lock(), code("ERR_CLOSED"));
});

describe("a mutex that is not re-entrant", () => {
  test("refuses to block the thread that holds it, and excludes its other tasks", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("mutex-once"));
    const mutex = await app.mutex("m");
    const guard = await mutex.lock();
    assert.throws(() => mutex.lockSync(), code("ERR_DEADLOCK"));
    assert.throws(() => mutex.runSync(() => 0), code("ERR_DEADLOCK"));
    assert.equal(mutex.tryLock(), undefined);
    await assert.rejects(mutex.lock({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    const task = mutex.lock();
    guard.release();
    (await task).release();
    assert.throws(() => guard.release(), code("ERR_NOT_HELD"));
  });

  test("does not take the guard of an earlier possession", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("mutex-old"));
    const mutex = await app.mutex("m");
    const old = mutex.lockSync();
    old.release();
    const guard = mutex.lockSync();
    assert.throws(() => old.release(), code("ERR_NOT_HELD"));
    assert.throws(() => old.set(0, 1), code("ERR_NOT_HELD"));
    old[Symbol.dispose]();
    assert.equal(mutex.ownerSlot, app.slot);
    guard.release();
  });
});

describe("who has waited for long", () => {
  /** One member waits, and another one has had the mutex twice since; the first one's wait, and its signal. */
  async function longWait(t: TestContext, label: string) {
    const name = uniqueRegionName(label);
    const [mine, theirs] = [await joinRegion(t, name), await joinRegion(t, name)];
    const mutex = await mine.mutex("m");
    const guard = mutex.lockSync();
    const controller = new AbortController();
    const waiting = (await theirs.mutex("m")).lock({ signal: controller.signal });
    await pause(20);
    guard.release();
    const again = mutex.tryLock()!;
    assert.ok(again, "waiters compete");
    again.release();
    return { mutex, waiting, controller };
  }

  test("goes first", async (t) => {
    const { mutex, waiting } = await longWait(t, "mutex-patience");
    assert.equal(mutex.ownerSlot, undefined);
    assert.equal(mutex.tryLock(), undefined);
    (await waiting).release();
    mutex.tryLock()!.release();
  });

  test("keeps nobody waiting who has given up", async (t) => {
    const { mutex, waiting, controller } = await longWait(t, "mutex-patience-aborted");
    controller.abort(new Error("enough"));
    mutex.tryLock()!.release();
    await assert.rejects(waiting, /enough/);
  });

  test("loses its turn when it does not come", async (t) => {
    const { mutex, waiting } = await longWait(t, "mutex-patience-busy");
    assert.equal(mutex.tryLock(), undefined);
    // The thread of the other one is this one, which blocks.
    mutex.lockSync().release();
    mutex.tryLock()!.release();
    (await waiting).release();
  });
});

describe("run", () => {
  test("releases whatever happens, and undoes what a function that throws has set", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("mutex-run"));
    const mutex = await app.mutex("m", { words: 1 });
    const set = (value: number) => (guard: MutexGuard) => guard.set(0, value);
    const fails = (guard: MutexGuard): never => {
      guard.set(0, 9);
      throw new RangeError("in the function");
    };
    assert.equal(await mutex.run(async (guard) => Promise.resolve(guard.get(0) + 1)), 1);
    await mutex.run(set(3));
    mutex.runSync(set(4), { timeoutMs: 100 });
    await assert.rejects(mutex.run(fails), RangeError);
    await assert.rejects(
      mutex.run(async (guard) => Promise.resolve(guard).then(fails)),
      RangeError,
    );
    assert.throws(() => mutex.runSync(fails), RangeError);
    assert.throws(() => mutex.runSync(async (guard) => Promise.resolve(guard.set(0, 7))), code("ERR_INVALID_ARGUMENT"));
    await mutex.run((guard) => guard.release());
    assert.equal(
      mutex.runSync((guard) => guard.get(0)),
      4,
    );
    assert.equal(mutex.ownerSlot, undefined);
    await assert.rejects(
      mutex.run(() => 0, { timeoutMs: -1 }),
      code("ERR_OUT_OF_RANGE"),
    );
    await assert.rejects(
      mutex.run(() => 0, { signal: AbortSignal.abort(new Error("no")) }),
      /no/,
    );
  });

  test("without words says so, whichever is asked for", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("mutex-wordless"));
    const mutex = await app.mutex("m", { words: 0 });
    const guard = await mutex.lock();
    const refused = {
      code: "ERR_OUT_OF_RANGE",
      message: `${mutex.address} guards no words: it was made with words: 0`,
    };
    assert.throws(() => guard.get(0), refused);
    assert.throws(() => guard.set(0, 1), refused);
    guard.release();
  });

  test("does not disturb who has closed the region meanwhile", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("mutex-run-closed"));
    const mutex = await app.mutex("m");
    assert.equal(await mutex.run(async () => app.close().then(() => "closed")), "closed");
    await assert.rejects(
      mutex.run(() => 0),
      code("ERR_CLOSED"),
    );
  });
});

test("statistics tell who has a mutex and who waits, and since when", async (t) => {
  const name = uniqueRegionName("mutex-statistics");
  const app = await joinRegion(t, name);
  const mutex = await app.mutex("m");
  assert.deepEqual(mutex.statistics(), {
    ownerSlot: undefined,
    heldSince: undefined,
    waiting: [],
    acquisitions: 0,
    contended: 0,
    takeovers: 0,
  });
  const guard = mutex.lockSync();
  assert.equal(mutex.statistics().heldSince, undefined, "nobody has looked at a clock yet");
  const before = Date.now();
  const other = await ProcessMember.start({ region: name });
  await other.run(async ({ region, kept }) => void kept.set("wait", (await region.mutex("m")).lock()), []);
  await waitingFor(mutex, 1);
  const { ownerSlot, heldSince, waiting, contended } = mutex.statistics();
  assert.deepEqual([ownerSlot, waiting[0].slot, contended], [app.slot, 1, 0]);
  for (const since of [heldSince!, waiting[0].since]) assert.ok(+since >= before && +since <= Date.now());
  guard.release();
  await other.run(async ({ kept }) => void kept.set("guard", await (kept.get("wait") as Promise<unknown>)), []);
  const after = mutex.statistics();
  assert.deepEqual([after.ownerSlot, after.waiting, after.acquisitions, after.contended], [1, [], 2, 1]);
  assert.equal(after.heldSince, undefined);
  await assert.rejects(mutex.lock({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
  assert.ok(+mutex.statistics().heldSince! >= +heldSince!);
  await other.kill();
  const taken = await mutex.lock();
  assert.equal(taken.abandoned, true);
  assert.equal(mutex.statistics().takeovers, 1);
  taken.release();
});
