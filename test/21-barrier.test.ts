/** Barriers and latches: the dead are reported, not waited for. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ShmkitError } from "shmkit";
import { joinRegion } from "./helpers/process-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

const code = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;

describe("a barrier", () => {
  test("opens when all have arrived, again and again, with one leader", async (t) => {
    const name = uniqueRegionName("barrier");
    const regions = [];
    for (let i = 0; i < 3; i++) regions.push(await joinRegion(t, name));
    const barriers = await Promise.all(regions.map((region) => region.barrier("b", { parties: 3 })));
    for (let generation = 0; generation < 5; generation++) {
      const results = await Promise.all(barriers.map((barrier) => barrier.wait({ timeoutMs: 20_000 })));
      assert.deepEqual(
        results.map(({ generation, lost }) => [generation, lost.length]),
        Array.from({ length: 3 }, () => [generation, 0]),
      );
      assert.equal(results.filter(({ leader }) => leader).length, 1);
    }
    const fourth = await (await joinRegion(t, name)).barriers.open("b");
    assert.equal(fourth.parties, 3);
    await assert.rejects(fourth.wait(), code("ERR_OUT_OF_RANGE"));
    assert.throws(() => fourth.enrolSync(), code("ERR_OUT_OF_RANGE"));
    assert.equal(fourth.statistics().generation, 5, "who looks only is no party");
  });

  test("has been arrived at after a deadline, and can be waited for again", async (t) => {
    const name = uniqueRegionName("barrier-deadline");
    const [one, two] = [await joinRegion(t, name), await joinRegion(t, name)];
    const [first, second] = [await one.barrier("b"), await two.barrier("b")];
    const free = { code: "ERR_TIMEOUT", owner: "a party that has not enrolled" };
    assert.throws(() => first.waitSync({ timeoutMs: 5 }), free);
    await second.enrol();
    const missing = {
      code: "ERR_TIMEOUT",
      owner: new RegExp(`^member 1 \\(pid ${process.pid}, 21-barrier.test.js\\)$`),
    };
    await assert.rejects(first.wait({ timeoutMs: 5 }), missing);
    assert.deepEqual(first.statistics().arrived, [one.slot]);
    assert.deepEqual(await second.wait(), { generation: 0, leader: true, lost: [] });
    assert.deepEqual(await first.wait(), { generation: 0, leader: false, lost: [] });
    first.arriveSync();
    await first.arrive();
    await second.arrive();
    assert.equal(first.waitSync().generation, 1);
    assert.equal(second.waitSync().generation, 1);
    for (let i = 0; i < 2; i++) assert.equal(first.tryWait(), undefined);
    assert.deepEqual(first.statistics().arrived, [one.slot]);
    assert.equal(second.tryArrive(), true);
    assert.deepEqual(first.tryWait(), { generation: 2, leader: false, lost: [] });
    assert.equal(second.tryWait()?.generation, 2);
    assert.equal(second.tryWait(), undefined, "of the next opening");
  });

  test("reports who died, does not wait for it, and lets another take the place", async (t) => {
    const name = uniqueRegionName("barrier-killed");
    const app = await joinRegion(t, name);
    const barrier = await app.barrier("b", { parties: 2 });
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region }) => (await region.barrier("b", { parties: 2 })).enrol(), []);
    const waiting = barrier.wait();
    await pause(10);
    assert.deepEqual(barrier.statistics().expected, [1]);
    await other.kill();
    assert.deepEqual(await waiting, { generation: 0, leader: true, lost: [1] });
    assert.deepEqual(barrier.waitSync().lost, [1]);
    const third = await joinRegion(t, name);
    const replacement = await third.barriers.open("b");
    await replacement.enrol();
    assert.deepEqual(barrier.statistics().lost, []);
    const both = await Promise.all([barrier.wait(), replacement.wait()]);
    assert.deepEqual(
      both.map(({ generation, lost }) => [generation, lost.length]),
      [
        [2, 0],
        [2, 0],
      ],
    );
    replacement.detach();
    assert.equal((await barrier.wait()).lost.length, 1, "who leaves is reported as well");
  });
});

describe("a latch", () => {
  test("opens for good after its count-downs", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("latch"));
    const latch = await app.latch("l", { count: 3 });
    const waits = Array.from({ length: 1000 }, () => latch.wait());
    assert.equal(latch.tryWait(), undefined);
    assert.throws(() => latch.waitSync({ timeoutMs: 5 }), code("ERR_TIMEOUT"));
    latch.countDown();
    assert.equal(latch.remaining, 2);
    latch.countDown(5);
    assert.equal(latch.remaining, 0);
    await Promise.all(waits);
    latch.countDown();
    assert.deepEqual(latch.waitSync(), { lost: [] });
    for (const by of [0, -1, 1.5, Number.NaN]) assert.throws(() => latch.countDown(by));
    assert.deepEqual((await app.latch("open", { count: 0 })).tryWait(), { lost: [] });
  });

  test("reports what members owed that died or left, and does not wait for it", async (t) => {
    const name = uniqueRegionName("latch-killed");
    const app = await joinRegion(t, name);
    const latch = await app.latch("l", { count: 5 });
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region }) => {
      const latch = await region.latch("l", { count: 5 });
      latch.countDown();
      latch.enrol(3);
      latch.countDown();
    }, []);
    assert.deepEqual(latch.statistics().promised, [{ slot: 1, count: 2 }]);
    latch.countDown();
    const waiting = latch.wait();
    assert.equal(latch.remaining, 2);
    await other.kill();
    assert.deepEqual(await waiting, { lost: [{ slot: 1, count: 2 }] });
    const third = await joinRegion(t, name);
    const more = await third.latch("more", { count: 2 });
    more.enrol();
    more.enrol();
    const missed = (await app.latch("more", { count: 2 })).wait();
    await third.close();
    assert.deepEqual((await missed).lost, [{ slot: 1, count: 2 }]);
  });

  test("loses nothing once it is open, and no more than was still missing", async (t) => {
    const name = uniqueRegionName("latch-open");
    const [app, two] = [await joinRegion(t, name), await joinRegion(t, name)];
    const latch = await app.latch("l", { count: 3 });
    const theirs = await two.latch("l", { count: 3 });
    theirs.enrol(2);
    latch.countDown(3);
    assert.deepEqual(await latch.wait(), { lost: [] });
    assert.deepEqual(latch.statistics(), { remaining: 0, lost: [], promised: [], waiting: [] });
    theirs.detach();
    assert.deepEqual(await latch.wait(), { lost: [] }, "all was counted down");
    const more = await app.latch("more", { count: 3 });
    (await two.latch("more", { count: 3 })).enrol(3);
    more.countDown(2);
    await two.close();
    assert.deepEqual(await more.wait(), { lost: [{ slot: 1, count: 1 }] });
    // Whoever has the place next owes nothing of it.
    const three = await joinRegion(t, name);
    assert.equal(three.slot, 1);
    const next = await app.latch("next", { count: 5 });
    const third = await three.latch("next", { count: 5 });
    third.enrol(4);
    latch.countDown();
    next.countDown(3);
    await three.close();
    assert.deepEqual(next.statistics(), { remaining: 0, lost: [{ slot: 1, count: 2 }], promised: [], waiting: [] });
  });
});
