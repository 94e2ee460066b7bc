import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { open, Region } from "shmkit";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import { endMembers, ProcessMember, processState, takeLeftovers, until } from "./helpers/process-member.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

/** The helpers of the process tests themselves: what they promise is what the other tests rest on. */

for (const kind of ["start", "startWorker"] as const) {
  describe(`a member by ${kind}`, () => {
    test("runs scripts and answers values that only structured clone carries", async () => {
      const member = await ProcessMember[kind]();
      const answer = await member.run(
        (_scope, argument) => ({ back: argument, big: 2n ** 70n, bytes: new Uint8Array(2) }),
        {
          nothing: undefined,
        },
      );
      assert.deepEqual(answer, { back: { nothing: undefined }, big: 2n ** 70n, bytes: new Uint8Array(2) });
      assert.equal(await member.run(({ shmkit }) => typeof shmkit.open), "function");
      assert.equal((await member.finish()).code, 0);
    });

    test("opens its region first, keeps things, and says things in order", async (t) => {
      const region = await testRegion(t, "helper");
      const member = await ProcessMember[kind]({ region: region.name, options: { label: "helped" } });
      assert.deepEqual(
        region
          .members()
          .map((info) => info.label)
          .slice(1),
        ["helped"],
      );
      await member.run(({ kept, region: own }) => void kept.set("name", own.name));
      const [first, second] = [member.next(), member.next()];
      await member.run(({ kept, say }) => {
        say(kept.get("name"));
        say(2);
        say(3);
      });
      assert.deepEqual([await first, await second, await member.next()], [region.name, 2, 3]);
      assert.equal((await member.finish()).code, 0);
    });

    test("passes on errors with their fields", async (t) => {
      const region = await testRegion(t, "helper");
      const member = await ProcessMember[kind]({ region: region.name });
      await assert.rejects(
        member.run(({ region: own }) => own.pipes.open("missing")),
        { name: "ShmkitError", code: "ERR_NOT_FOUND", typed: true, path: `${region.name}/missing` },
      );
      await assert.rejects(
        member.run(() => {
          throw new RangeError("plain");
        }),
        { name: "RangeError", message: "plain", typed: false },
      );
      await member.kill();
    });

    test("fails to start when its region cannot be opened", async () => {
      await assert.rejects(ProcessMember[kind]({ region: "no/name" }), { code: "ERR_INVALID_NAME" });
      await endMembers();
    });

    test("rejects calls and listeners when it ends, and later ones too", async () => {
      const member = await ProcessMember[kind]();
      const call = member.run(() => new Promise<never>(() => undefined));
      const said = member.next();
      await member.kill();
      for (const promise of [call, said, member.run(() => 1), member.next()])
        await assert.rejects(promise, { code: "ENDED" });
    });
  });
}

test("stop and continue take effect", async () => {
  const member = await ProcessMember.start();
  await member.stop();
  assert.equal(processState(member.pid), "T");
  const answer = member.run(() => 7);
  member.continue();
  assert.equal(await answer, 7);
  const ending = await member.kill();
  assert.deepEqual([ending.code, ending.signal], [null, "SIGKILL"]);
});

test("a stopped member can be killed, and every member is ended", async () => {
  const members = await Promise.all([ProcessMember.start(), ProcessMember.start(), ProcessMember.startWorker()]);
  await members[0].stop();
  await endMembers();
  for (const member of members) await member.ended;
  assert.throws(() => process.kill(members[1].pid, 0), { code: "ESRCH" });
});

test("standard streams and the exit code are reported", async () => {
  const member = await ProcessMember.start();
  void member.run(() => {
    console.error("on purpose");
    process.exit(3);
  });
  const { code, output } = await member.ended;
  assert.equal(code, 3);
  assert.match(output, /on purpose/);
});

test("a command can stand in front of the process", async () => {
  const member = await ProcessMember.start({
    through: ["env", "SHMKIT_TEST_THROUGH=1"],
    environment: { SHMKIT_TEST_ALSO: "2" },
  });
  assert.deepEqual(await member.run(() => [process.env["SHMKIT_TEST_THROUGH"], process.env["SHMKIT_TEST_ALSO"]]), [
    "1",
    "2",
  ]);
  await member.finish();
  await assert.rejects(ProcessMember.start({ through: ["false"] }), { code: "ENDED" });
  await assert.rejects(ProcessMember.start({ through: ["./missing-command"] }), { code: "ENDED" });
});

test("what is left in shared memory is found and taken away", async () => {
  const name = uniqueRegionName("left");
  await (await open(name, { ...SMALL, lifetime: "kernel" })).close();
  mkdirSync(`/dev/shm/shmkit.${name}-folder`);
  assert.deepEqual(leftovers().sort(), [`shmkit.${name}`, `shmkit.${name}-folder`]);
  assert.equal(takeLeftovers().length, 2);
  assert.deepEqual(leftovers(), []);
  assert.equal(readdirSync("/dev/shm").includes(`shmkit.${name}`), false);
});

test("a region of a test is gone after it", async (t) => {
  let path = "";
  await t.test("inner", async (inner) => {
    const region = await testRegion(inner, "inner");
    const second = await joinRegion(inner, region.name);
    path = region.path;
    assert.equal(second.epoch, region.epoch);
    assert.ok(existsSync(path));
  });
  assert.equal(existsSync(path), false);
});

test("until waits for plain and promised conditions", async () => {
  let looks = 0;
  await until(() => ++looks === 3);
  await until(async () => ++looks === 6);
  assert.equal(looks, 6);
  assert.equal(Region.inspect(uniqueRegionName("never")), undefined);
});
