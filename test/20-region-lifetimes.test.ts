import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { Region, open } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { pathOf, SMALL } from "./helpers/process-regions.js";
import { turnAmongTheDead } from "./helpers/turns.js";

describe("lifetimes", () => {
  test("process: gone with the last member, whoever that is", async () => {
    const name = uniqueRegionName();
    const [first, second, third] = [await open(name, SMALL), await open(name), await open(name)];
    await first.close();
    await third.close();
    assert.ok(existsSync(pathOf(name)));
    await second.close();
    assert.equal(existsSync(pathOf(name)), false);
    const next = await open(name, SMALL);
    assert.notEqual(next.epoch, first.epoch);
    await next.close();
  });

  test("kernel: stays with everything in it until it is removed", async () => {
    const name = uniqueRegionName();
    const first = await Region.create(name, { ...SMALL, lifetime: "kernel" });
    await (await first.counter("c")).set(42);
    await (await first.pipe("p")).send(["kept", 1n]);
    await first.close();
    assert.equal(Region.inspect(name)!.members.length, 0);
    assert.equal((await Region.clean()).includes(name), false);
    assert.ok((await Region.list()).some((info) => info.name === name));
    await assert.rejects(Region.create(name), { code: "ERR_EXISTS" });
    const second = await Region.open(name);
    assert.deepEqual([second.lifetime, second.epoch, second.created], ["kernel", first.epoch, false]);
    assert.equal((await second.counter("c")).value, 42n);
    assert.deepEqual(await (await second.pipe("p")).receive(), ["kept", 1n]);
    await second.close();
    assert.equal(await Region.remove(name), true);
    assert.equal(existsSync(pathOf(name)), false);
  });

  test("kernel: outlives members that are killed, with what they had committed", async () => {
    const name = uniqueRegionName();
    const member = await ProcessMember.start({ region: name, options: { ...SMALL, lifetime: "kernel" } });
    await member.run(async ({ region }) => {
      const pipe = await region.pipe("p");
      await pipe.send("first");
      await pipe.send("second");
      await pipe.receive({ lease: true });
      await (await region.mutex("m")).lock();
    });
    await member.kill();
    assert.deepEqual(
      Region.inspect(name)!.members.map((info) => info.alive),
      [false],
    );
    const region = await Region.open(name);
    const pipe = await region.pipe("p");
    assert.deepEqual([await pipe.receive(), await pipe.receive()], ["first", "second"]);
    assert.equal((await (await region.mutex("m")).lock()).abandoned, true);
    await region.close();
    assert.equal(await Region.remove(name), true);
  });

  test("when all members were killed, the next open, create, list or clean finds none", async (t) => {
    await turnAmongTheDead(t);
    const nexts: Record<string, (name: string) => unknown> = {
      open: async (name) => {
        const region = await open(name, SMALL);
        assert.equal(region.created, true);
        assert.deepEqual(region.pipes.list(), []);
        await region.close();
      },
      create: async (name) => (await Region.create(name, SMALL)).close(),
      "open, must exist": (name) => assert.rejects(Region.open(name), { code: "ERR_NOT_FOUND" }),
      list: async (name) =>
        assert.equal(
          (await Region.list()).some((info) => info.name === name),
          false,
        ),
      clean: () => Region.clean(),
      remove: (name) => Region.remove(name),
    };
    for (const [label, next] of Object.entries(nexts)) {
      const name = uniqueRegionName();
      const members = await Promise.all([
        ProcessMember.start({ region: name, options: SMALL }),
        ProcessMember.start({ region: name, options: SMALL }),
      ]);
      await members[0].run(async ({ region }) => (await region.pipe("p")).send("lost"));
      await Promise.all(members.map((member) => member.kill()));
      await next(name);
      assert.equal(existsSync(pathOf(name)), false, label);
    }
  });
});
