import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { Region, type MemberDeath } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { canPlayUsers } from "./helpers/other-users.js";
import { ProcessMember } from "./helpers/process-member.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";

/** Regions of several users, who are in one group. Other users are played by processes that give up being root. */

/** Users and groups of numbers that nobody need have. */
const GROUP = 54_321;
const MEMBER = 54_001;
const STRANGER = 54_002;

/** A process of another user, who is in some groups; the first is the own one. */
async function processOf(uid: number, groups: readonly number[]): Promise<ProcessMember> {
  const member = await ProcessMember.start();
  await member.run(
    (_, [user, ...all]) => {
      process.setgroups!(all);
      process.setgid!(all[0]);
      process.setuid!(user);
    },
    [uid, ...groups],
  );
  return member;
}

const groupRegion = (t: TestContext, mode: number): Promise<Region> =>
  testRegion(t, "group", { ...SMALL, mode, group: GROUP });

describe("a region of a group", { skip: canPlayUsers ? false : "only root can play other users" }, () => {
  test("is open to its members: they send, and recover each other when one is killed", async (t) => {
    const region = await groupRegion(t, 0o660);
    const { gid, mode } = statSync(region.path);
    assert.deepEqual([gid, mode & 0o777], [GROUP, 0o660]);
    const member = await processOf(MEMBER, [MEMBER, GROUP]);
    await assert.rejects(
      member.run(({ shmkit }, name) => void shmkit.Region.openSync(name), region.name),
      { code: "ERR_NOT_OWNER", owner: 0 },
    );
    await member.run(async ({ shmkit, kept }, name) => {
      const own = await shmkit.open(name, { allowOtherUser: true, label: "other user" });
      kept.set("region", own);
      const pipe = await own.pipe("p");
      await pipe.send("from another user");
      await pipe.send("leased");
      (await (await own.mutex("m")).lock()).set(0, 1);
    }, region.name);
    const pipe = await region.pipe("p");
    assert.equal(await pipe.receive(), "from another user");
    await member.run(async ({ kept }) => {
      await (await (kept.get("region") as Region).pipe("p")).receive({ lease: true });
    });
    assert.deepEqual(
      region.members().map(({ alive }) => alive),
      [true, true],
    );
    const died = new Promise<MemberDeath>((resolve) => region.once("memberDied", resolve));
    const receiving = pipe.receive();
    await member.kill();
    assert.equal((await died).label, "other user");
    assert.equal(await receiving, "leased");
    const guard = await (await region.mutex("m")).lock();
    assert.deepEqual([guard.abandoned, guard.get(0)], [true, 0]);
    guard.release();
  });

  test("the other user recovers the one who made it", async () => {
    const name = uniqueRegionName();
    const maker = await ProcessMember.start({ region: name, options: { ...SMALL, mode: 0o660, group: GROUP } });
    const member = await processOf(MEMBER, [MEMBER, GROUP]);
    await maker.run(async ({ region }) => {
      await (await region.pipe("p")).send("kept");
      await (await region.mutex("m")).lock();
    });
    await member.run(
      async ({ shmkit, kept }, theirs) => void kept.set("region", await shmkit.open(theirs, { allowOtherUser: true })),
      name,
    );
    await maker.kill();
    const seen = await member.run(async ({ kept }) => {
      const own = kept.get("region") as Region;
      const guard = await (await own.mutex("m")).lock({ timeoutMs: 20_000 });
      return [guard.abandoned, await (await own.pipe("p")).receive(), own.members().length];
    });
    assert.deepEqual(seen, [true, "kept", 1]);
    await member.finish();
    await Region.remove(name);
  });

  test("somebody outside of it gets ERR_PERMISSION, which says whose it is and what would be needed", async (t) => {
    const region = await groupRegion(t, 0o660);
    const stranger = await processOf(STRANGER, [STRANGER]);
    const refused = { code: "ERR_PERMISSION", path: region.path, owner: 0, actual: 0o660, syscall: "open" };
    await assert.rejects(
      stranger.run(async ({ shmkit }, name) => void (await shmkit.Region.open(name)), region.name),
      { ...refused, message: /user 0 and group 54321, mode 0660: you \(user 54002\) may not read and write it/ },
    );
    await assert.rejects(
      stranger.run(({ shmkit }, name) => void shmkit.Region.inspect(name), region.name),
      { ...refused, message: /may not read it/ },
    );
    await assert.rejects(
      stranger.run(async ({ shmkit }, name) => void (await shmkit.Region.remove(name)), region.name),
      refused,
    );
    await assert.rejects(
      stranger.run(
        async ({ shmkit }, name) => void (await shmkit.Region.open(name, { access: "read", allowOtherUser: true })),
        region.name,
      ),
      refused,
    );
    assert.equal(region.members().length, 1);
  });

  test("members of it may only look where it may only read", async (t) => {
    const region = await groupRegion(t, 0o640);
    const member = await processOf(MEMBER, [MEMBER, GROUP]);
    await (await region.counter("c")).set(5);
    await assert.rejects(
      member.run(async ({ shmkit }, name) => void (await shmkit.open(name, { allowOtherUser: true })), region.name),
      { code: "ERR_PERMISSION" },
    );
    await assert.rejects(
      member.run(async ({ shmkit }, name) => void (await shmkit.Region.open(name, { access: "read" })), region.name),
      { code: "ERR_NOT_OWNER" },
    );
    const value = await member.run(async ({ shmkit }, name) => {
      const reader = await shmkit.Region.open(name, { access: "read", allowOtherUser: true });
      const alive = reader.members().map((one) => one.alive);
      return [reader.object("c")?.value, alive];
    }, region.name);
    assert.deepEqual(value, [5n, [true]]);
  });

  test("a group that the maker is not in is ERR_PERMISSION, and leaves nothing", async () => {
    const name = uniqueRegionName();
    const member = await processOf(MEMBER, [MEMBER]);
    await assert.rejects(
      member.run(async ({ shmkit }, [own, group]) => void (await shmkit.Region.create(own, { group })), [
        name,
        GROUP,
      ] as const),
      { code: "ERR_PERMISSION" },
    );
    assert.equal(Region.inspect(name), undefined);
    assert.equal(
      readdirSync("/dev/shm").some((file) => file.includes(name)),
      false,
    );
  });
});

describe("a group, for anybody", () => {
  test("one's own may be given, and a number that is none is refused", async (t) => {
    const own = process.getegid!();
    const region = await testRegion(t, "own-group", { ...SMALL, mode: 0o660, group: own });
    assert.equal(statSync(region.path).gid, own);
    for (const group of [-1, 1.5, 2 ** 32 - 1])
      await assert.rejects(Region.create(uniqueRegionName(), { group }), { code: "ERR_OUT_OF_RANGE" });
  });
});
