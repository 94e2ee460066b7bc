import assert from "node:assert/strict";
import { chmodSync, existsSync, statSync } from "node:fs";
import { describe, test } from "node:test";
import { Region, open } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

describe("rights", () => {
  test("the mode is as asked for, whatever the umask", async (t) => {
    const before = process.umask(0o077);
    t.after(() => process.umask(before));
    for (const mode of [0o600, 0o640, 0o666, 0o660]) {
      const region = await Region.create(uniqueRegionName("mode"), { ...SMALL, mode });
      const { mode: given, uid } = statSync(region.path);
      assert.deepEqual([given & 0o7777, uid], [mode, process.geteuid!()]);
      await region.close();
    }
    process.umask(0);
    const region = await open(uniqueRegionName("mode"), SMALL);
    assert.equal(statSync(region.path).mode & 0o7777, 0o600, "private unless told otherwise");
    await region.close();
  });

  /** Opens as somebody else; where that cannot be, the part of it that can. */
  test("a region of another user is refused unless told otherwise", async (t) => {
    const region = await testRegion(t, "theirs", { ...SMALL, mode: 0o666 });
    const hidden = await testRegion(t, "hidden");
    const member = await ProcessMember.start();
    const uid = await member.run(async ({ load }) => {
      try {
        process.setgroups!([]);
        process.setgid!(65534);
        process.setuid!(65534);
      } catch {
        // An ordinary user, or one of a namespace that maps no other: somebody else is only played, to reach the check.
        const addon = ((await load("#src/native/addon.js")) as { native: { effectiveUid: () => number } }).native;
        const own = addon.effectiveUid();
        addon.effectiveUid = () => own + 1;
      }
      return process.geteuid!();
    });
    const isOther = uid !== process.geteuid!();
    const foreign = { code: "ERR_NOT_OWNER", owner: process.geteuid!(), path: region.path };
    for (const verb of ["open", "openOrCreate"] as const)
      await assert.rejects(
        member.run(async ({ shmkit }, { name, how }) => void (await shmkit.Region[how](name)), {
          name: region.name,
          how: verb,
        }),
        foreign,
      );
    await assert.rejects(
      member.run(({ shmkit }, name) => void shmkit.Region.openSync(name), region.name),
      foreign,
    );
    assert.equal(region.members().length, 1);

    const sum = await member.run(async ({ shmkit, kept }, name) => {
      const own = await shmkit.open(name, { allowOtherUser: true });
      kept.set("region", own);
      return (await own.counter("c")).add(5);
    }, region.name);
    assert.equal(sum, 5n);
    assert.equal(await (await region.counter("c")).add(1), 6n);

    if (isOther) {
      const denied = { code: "ERR_PERMISSION", path: hidden.path };
      await assert.rejects(
        member.run(async ({ shmkit }, name) => void (await shmkit.open(name)), hidden.name),
        denied,
      );
      await assert.rejects(
        member.run(({ shmkit }, name) => void shmkit.Region.inspect(name), hidden.name),
        denied,
      );
      await assert.rejects(
        member.run(({ shmkit }, name) => shmkit.Region.remove(name), hidden.name),
        denied,
      );
      const [listed, cleaned] = await member.run(async ({ shmkit }) => [
        (await shmkit.Region.list()).map((info) => info.name),
        await shmkit.Region.clean(),
      ]);
      assert.ok(listed.includes(region.name));
      assert.equal(listed.includes(hidden.name) || cleaned.includes(hidden.name), false);
      await assert.rejects(
        member.run(({ shmkit }, name) => shmkit.Region.remove(name), region.name),
        { code: "ERR_NOT_OWNER" },
      );
      assert.equal((await joinRegion(t, region.name)).epoch, region.epoch, "and what failed has done nothing");
    }
    await member.run(async ({ kept }) => (kept.get("region") as Region).close());
    assert.equal((await member.finish()).code, 0);
  });

  test("a member of another user may be the last one to leave", async (t) => {
    const name = uniqueRegionName();
    const region = await Region.create(name, { ...SMALL, mode: 0o666 });
    const member = await ProcessMember.start();
    await member.run(() => {
      try {
        process.setgid!(65534);
        process.setuid!(65534);
      } catch {
        // The same user then: what follows holds all the same.
      }
    });
    await member.run(
      async ({ shmkit, kept }, theirs) => void kept.set("region", await shmkit.open(theirs, { allowOtherUser: true })),
      name,
    );
    await region.close();
    await member.run(async ({ kept }) => (kept.get("region") as Region).close());
    assert.equal((await member.finish()).code, 0);
    await assert.rejects(Region.open(name), { code: "ERR_NOT_FOUND" }, "the owner's next call takes the name away");
    const next = await open(name, SMALL);
    t.after(() => next.close());
    assert.equal(next.created, true);
  });

  test("a file that may not be opened is ERR_PERMISSION", async () => {
    const name = uniqueRegionName();
    const region = await open(name, SMALL);
    chmodSync(region.path, 0);
    const isRoot = process.geteuid!() === 0;
    // To root, rights mean nothing: give them up.
    const through = isRoot ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] : [];
    const member = await ProcessMember.start({ through });
    await assert.rejects(
      member.run(async ({ shmkit }, own) => void (await shmkit.open(own)), name),
      { code: "ERR_PERMISSION", path: region.path, syscall: "open" },
    );
    await assert.rejects(
      member.run(({ shmkit }, own) => void shmkit.Region.inspect(own), name),
      { code: "ERR_PERMISSION" },
    );
    await assert.rejects(
      member.run(async ({ shmkit }, own) => void (await shmkit.Region.create(own)), name),
      { code: "ERR_PERMISSION" },
    );
    await member.finish();
    await region.close();
    assert.equal(existsSync(region.path), false);
  });
});
