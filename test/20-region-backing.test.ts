import assert from "node:assert/strict";
import { describe, mock, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Region } from "shmkit";
import { native } from "#src/native/addon.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";
import { turnAmongTheDead } from "./helpers/turns.js";

/** Backing that takes a while and no memory. */
function slowBacking(t: TestContext): { readonly steps: number } {
  const slow = mock.method(native, "allocateAsync", () => sleep(30, 0));
  t.after(() => slow.mock.restore());
  return {
    get steps() {
      return slow.mock.callCount();
    },
  };
}

const BIG = { size: "1GiB", maxSize: "1GiB" } as const;

describe("backing memory", () => {
  test("create of a name that is taken backs nothing", async (t) => {
    const region = await testRegion(t, "taken", SMALL);
    const backing = slowBacking(t);
    await assert.rejects(Region.create(region.name, BIG), { code: "ERR_EXISTS" });
    assert.throws(() => Region.createSync(region.name, BIG), { code: "ERR_EXISTS" });
    assert.equal(backing.steps, 0);
  });

  test("looks at the deadline between its steps", async (t) => {
    const backing = slowBacking(t);
    await assert.rejects(Region.create(uniqueRegionName("late"), { ...BIG, timeoutMs: 20 }), { code: "ERR_TIMEOUT" });
    assert.ok(backing.steps < 5, `${backing.steps} steps`);
  });

  test("looks at the signal between its steps", async (t) => {
    const backing = slowBacking(t);
    const reason = new Error("enough");
    const stop = new AbortController();
    setTimeout(() => stop.abort(reason), 10);
    const making = Region.create(uniqueRegionName("aborted"), { ...BIG, signal: stop.signal });
    await assert.rejects(making, (error) => error === reason);
    assert.ok(backing.steps < 5, `${backing.steps} steps`);
  });

  test("growth looks at the deadline between its steps", async (t) => {
    const region = await testRegion(t, "growing", { ...SMALL, maxSize: "1GiB" });
    await assert.rejects(region.grow("1GiB", { timeoutMs: 0 }), { code: "ERR_TIMEOUT" });
    assert.throws(() => region.growSync("1GiB", { timeoutMs: 0 }), { code: "ERR_TIMEOUT" });
    assert.ok(region.sizeBytes < 64 * 2 ** 20, `${region.sizeBytes} bytes`);
  });

  test("growth and what lies beside it are one free piece", async (t) => {
    const region = await testRegion(t, "pieces", { ...SMALL, maxSize: "64MiB" });
    region.growSync("40MiB");
    assert.equal(region.statistics().largestFreeBytes, region.statistics().freeBytes);
    const pipe = region.pipeSync<Uint8Array>("p");
    assert.equal(pipe.trySend(new Uint8Array(region.statistics().largestFreeBytes)), true);
    assert.equal(region.sizeBytes, 40 * 2 ** 20);
  });

  test("a small region is made at once", async () => {
    const region = await Region.create(uniqueRegionName("at-once"), { ...SMALL, timeoutMs: 0 });
    await region.close();
  });
});

describe("forms that block", () => {
  test("listSync and cleanSync, as list and clean", async (t) => {
    await turnAmongTheDead(t);
    const region = await testRegion(t, "listed", SMALL);
    const named = (infos: readonly { readonly name: string }[]) => infos.filter(({ name }) => name === region.name);
    assert.deepEqual(named(Region.listSync()), named(await Region.list()));
    assert.equal(named(Region.listSync()).length, 1);
    const kernel = await Region.create(uniqueRegionName("stays"), { ...SMALL, lifetime: "kernel" });
    await kernel.close();
    assert.equal(Region.cleanSync().includes(kernel.name), false);
    assert.equal(Region.removeSync(kernel.name), true);
    assert.throws(() => Region.cleanSync({ kernal: true } as object), { code: "ERR_UNKNOWN_OPTION" });
  });

  test("drainSync waits for what is sent and on lease", async (t) => {
    const region = await testRegion(t, "drained", SMALL);
    const pipe = region.pipeSync("p");
    pipe.sendSync(1);
    assert.throws(() => pipe.drainSync({ timeoutMs: 1 }), { code: "ERR_TIMEOUT" });
    const lease = pipe.receiveSync({ lease: true });
    assert.throws(() => pipe.drainSync({ timeoutMs: 1 }), { code: "ERR_TIMEOUT" });
    lease.ack();
    pipe.drainSync();
  });

  test("wait is an option of open alone", async () => {
    for (const verb of ["create", "openOrCreate"] as const)
      // @ts-expect-error of its type as well
      await assert.rejects(Region[verb](uniqueRegionName(), { wait: true }), { code: "ERR_UNKNOWN_OPTION" });
  });
});

describe("the last close of a file", () => {
  test("frees the memory off the event loop, and is waited for", async (t) => {
    const blocking = mock.method(native, "close");
    t.after(() => blocking.mock.restore());
    const region = await Region.create(uniqueRegionName("freed"), SMALL);
    blocking.mock.resetCalls();
    await region.close();
    assert.equal(blocking.mock.callCount(), 0);
  });

  test("leaves the region open to others while it is pending", async (t) => {
    const region = await testRegion(t, "pending", SMALL);
    const other = await Region.open(region.name);
    const closing = other.close();
    Region.openSync(region.name, { timeoutMs: 1000 }).closeSync();
    await closing;
  });
});
