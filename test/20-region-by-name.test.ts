import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Region, open } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { joinRegion, pathOf, SMALL, testRegion } from "./helpers/process-regions.js";

describe("regions by name", () => {
  test("create refuses an existing one and leaves it alone", async (t) => {
    const region = await testRegion(t, "existing");
    await (await region.counter("c")).set(5);
    await assert.rejects(Region.create(region.name), { name: "ShmkitError", code: "ERR_EXISTS", path: region.path });
    assert.throws(() => Region.createSync(region.name), { code: "ERR_EXISTS" });
    assert.equal((await (await joinRegion(t, region.name)).counter("c")).value, 5n);
  });

  test("open refuses a missing one and makes none", async () => {
    const name = uniqueRegionName();
    await assert.rejects(Region.open(name), {
      name: "ShmkitError",
      code: "ERR_NOT_FOUND",
      path: pathOf(name),
    });
    assert.throws(() => Region.openSync(name), { code: "ERR_NOT_FOUND" });
    assert.equal(Region.inspect(name), undefined);
    assert.equal(await Region.remove(name), false);
    assert.equal(Region.removeSync(name), false);
  });

  test("openOrCreate says who made it; every handle is a member of its own", async (t) => {
    const name = uniqueRegionName();
    const first = await joinRegion(t, name, SMALL);
    const second = await joinRegion(t, name, SMALL);
    const third = Region.openOrCreateSync(name);
    assert.deepEqual([first.created, second.created, third.created], [true, false, false]);
    assert.deepEqual([first.slot, second.slot, third.slot], [0, 1, 2]);
    assert.equal(new Set([first.epoch, second.epoch, third.epoch]).size, 1);
    assert.equal(first.createdAt.getTime(), third.createdAt.getTime());
    third.closeSync();
    assert.deepEqual(
      first.members().map((member) => member.slot),
      [0, 1],
    );
  });

  test("many openers of one name make one region", async (t) => {
    const name = uniqueRegionName();
    const worker = await ProcessMember.startWorker();
    const theirs = worker.run(async ({ shmkit, kept }, own) => {
      const regions = await Promise.all(
        Array.from({ length: 8 }, () => shmkit.open(own, { size: "256KiB", maxSize: "8MiB", maxMembers: 32 })),
      );
      kept.set("regions", regions);
      return regions.map((region) => [region.epoch, region.created] as const);
    }, name);
    const options = { ...SMALL, maxMembers: 32 };
    const regions = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        at % 2 === 0 ? open(name, options) : Promise.resolve(Region.openOrCreateSync(name, options)),
      ),
    );
    for (const region of regions) t.after(() => region.close());
    const all = [...regions.map((region) => [region.epoch, region.created] as const), ...(await theirs)];
    assert.equal(new Set(all.map(([epoch]) => epoch)).size, 1);
    assert.equal(all.filter(([, created]) => created).length, 1);
    await worker.run(({ kept }) => (kept.get("regions") as Region[]).forEach((region) => region.closeSync()));
    await worker.finish();
  });

  test("open waits for one to appear when told to", async (t) => {
    const name = uniqueRegionName();
    const waiting = Region.open(name, { wait: true });
    await sleep(30);
    const region = await Region.create(name, SMALL);
    t.after(() => region.close());
    const opened = await waiting;
    t.after(() => opened.close());
    assert.equal(opened.epoch, region.epoch);
  });

  test("openSync waits for one to appear when told to", async (t) => {
    const name = uniqueRegionName();
    const member = await ProcessMember.startWorker();
    const made = member.run(
      async ({ shmkit, say, sleep: pause }, argument) => {
        await pause(30);
        const region = await shmkit.Region.create(argument.name, argument.options);
        say("made");
        return region.epoch;
      },
      { name, options: SMALL },
    );
    const opened = Region.openSync(name, { wait: true });
    t.after(() => opened.close());
    assert.equal(opened.epoch, await made);
    await member.kill();
  });

  test("waiting for one to appear ends with the deadline or the signal", async () => {
    const name = uniqueRegionName();
    await assert.rejects(Region.open(name, { wait: true, timeoutMs: 0 }), {
      name: "TimeoutError",
      code: "ERR_TIMEOUT",
    });
    await assert.rejects(Region.open(name, { wait: true, timeoutMs: 30 }), {
      name: "TimeoutError",
      code: "ERR_TIMEOUT",
    });
    assert.throws(() => Region.openSync(name, { wait: true, timeoutMs: 30 }), {
      name: "TimeoutError",
      code: "ERR_TIMEOUT",
    });
    const controller = new AbortController();
    const waiting = Region.open(name, { wait: true, signal: controller.signal });
    const reason = { any: "thing" };
    setTimeout(() => controller.abort(reason), 20);
    await assert.rejects(waiting, (thrown) => thrown === reason);
  });

  test("other options than it has are an error that names the difference", async (t) => {
    const region = await testRegion(t, "options", { size: "256KiB", maxSize: "1MiB", maxMembers: 8 });
    const differing = [
      [{ maxSize: "2MiB" }, /maxSize 1048576, not 2097152/, 2 ** 21, 2 ** 20],
      [{ maxMembers: 9 }, /maxMembers 8, not 9/, 9, 8],
      [{ lifetime: "kernel" }, /lifetime process, not kernel/, "kernel", "process"],
    ] as const;
    for (const [options, message, expected, actual] of differing) {
      await assert.rejects(open(region.name, options), {
        code: "ERR_OPTIONS_DIFFER",
        message,
        expected,
        actual,
        path: region.path,
      });
      assert.throws(() => Region.openSync(region.name, options), { code: "ERR_OPTIONS_DIFFER" });
    }
    assert.equal(region.members().length, 1);
    for (const options of [
      { size: "512KiB", maxSize: 2 ** 20, maxMembers: 8, lifetime: "process" },
      { size: 4096, label: "x", mode: 0o640 },
    ] as const) {
      const same = await open(region.name, options);
      assert.equal(same.maxSizeBytes, 2 ** 20);
      await same.close();
    }
    assert.equal(statSync(region.path).mode & 0o777, 0o600, "a joiner changes no mode");
  });

  test("remove takes the name away from those who use it", async (t) => {
    const region = await testRegion(t, "removed");
    const other = await joinRegion(t, region.name);
    await (await region.counter("c")).set(1);
    assert.equal(await Region.remove(region.name), true);
    assert.equal(await Region.remove(region.name), false);
    await assert.rejects(Region.open(region.name), { code: "ERR_NOT_FOUND" });
    assert.equal(await (await other.counter("c")).add(1), 2n, "those attached go on with the memory they share");
    assert.equal((await region.counter("c")).value, 2n);
    const next = await Region.create(region.name, SMALL);
    t.after(() => next.close());
    assert.notEqual(next.epoch, region.epoch);
    await region.close();
    await other.close();
    assert.equal((await joinRegion(t, next.name)).epoch, next.epoch, "they do not take the new one's name with them");
  });

  test("as many members as it has slots", async (t) => {
    const region = await testRegion(t, "crowded", { ...SMALL, maxMembers: 3 });
    const others = [await open(region.name), await open(region.name)];
    await assert.rejects(open(region.name), { code: "ERR_TOO_MANY_MEMBERS", expected: 3 });
    assert.throws(() => Region.openSync(region.name), { code: "ERR_TOO_MANY_MEMBERS" });
    await others[0].close();
    const again = await open(region.name);
    assert.equal(again.slot, 1);
    for (const other of [...others, again]) await other.close();
    assert.equal(region.members().length, 1);
  });
});
