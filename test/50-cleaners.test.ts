import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { open, Region } from "shmkit";
import { CliProcess } from "./helpers/cli-process.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, type Script } from "./helpers/process-member.js";
import { Random } from "./helpers/process-random.js";
import { SMALL } from "./helpers/process-regions.js";
import { turnAmongTheDead } from "./helpers/turns.js";

/** Whoever looks at a region whose members were all killed removes it, and may be killed in the middle of that. */

/** Leaves regions behind whose only member is killed with messages and a lock. */
async function leaveDead(names: readonly string[]): Promise<void> {
  const member = await ProcessMember.start();
  await member.run(
    async ({ shmkit, kept }, { all, options }) => {
      for (const name of all) {
        const region = await shmkit.open(name, options);
        await (await region.pipe("p")).send(new Uint8Array(20_000));
        await (await region.mutex("m")).lock();
        kept.set(name, region);
      }
    },
    { all: names, options: SMALL },
  );
  await member.kill();
}

const isThere = (name: string): boolean => existsSync(`/dev/shm/shmkit.${name}`);

describe("SIGKILL at random moments", () => {
  const works: Record<string, Script<{ names: readonly string[]; options: object }, unknown>> = {
    "Region.clean": async ({ shmkit, say }) => {
      say("going");
      await shmkit.Region.clean();
    },
    "Region.list": async ({ shmkit, say }) => {
      say("going");
      await shmkit.Region.list();
    },
    "Region.create": async ({ shmkit, say }, { names, options }) => {
      say("going");
      for (const name of names) await shmkit.Region.create(name, options);
    },
    open: async ({ shmkit, say }, { names, options }) => {
      say("going");
      await Promise.all(names.map((name) => shmkit.open(name, options)));
    },
    "Region.remove": async ({ shmkit, say }, { names }) => {
      say("going");
      for (const name of names) shmkit.Region.removeSync(name);
    },
  };

  test("of those who clean up, make and remove: in the end nothing is left, or one that works", async (t) => {
    await turnAmongTheDead(t);
    const random = new Random(21);
    let left = 0;
    let cleaned = 0;
    for (let round = 0; round < 2; round++) {
      const names = Array.from({ length: 6 }, () => uniqueRegionName("dead"));
      const cleaners = await Promise.all([ProcessMember.start(), ProcessMember.start()]);
      await leaveDead(names);
      for (const cleaner of cleaners) void cleaner.run(works[random.of(Object.keys(works))], { names, options: SMALL });
      await Promise.race(cleaners.map((cleaner) => cleaner.next()));
      const pause = random.below(4);
      if (pause > 0) await sleep(pause);
      await Promise.all(cleaners.map((cleaner) => cleaner.kill()));
      for (const name of names) {
        if (isThere(name)) left++;
        else cleaned++;
        // Whatever is left is one that can be had anew.
        const region = random.below(2) === 0 ? await open(name, SMALL) : await Region.create(name, SMALL);
        assert.equal(region.created, true, `${name} was nobody's any more`);
        assert.deepEqual([...region.pipes.list(), ...region.mutexes.list()], []);
        const pipe = await region.pipe("p");
        await pipe.send("works");
        assert.equal(await pipe.receive(), "works");
        await region.close();
        assert.equal(isThere(name), false);
      }
    }
    t.diagnostic(`${cleaned} of ${cleaned + left} were gone when the cleaners were killed`);
  });

  test("of shmkit clean and shmkit ls: the next one finishes", async (t) => {
    await turnAmongTheDead(t);
    const random = new Random(22);
    const names = Array.from({ length: 6 }, () => uniqueRegionName("dead"));
    for (let round = 0; round < 2; round++) {
      await leaveDead(names);
      const tool = new CliProcess(round % 2 === 0 ? ["clean"] : ["ls", "--json", "--interval", "0"]);
      // It takes most of this time to start: it is killed while it starts, cleans or has ended.
      await Promise.race([tool.ended, sleep(40 + random.below(80))]);
      tool.kill("SIGKILL");
      await tool.ended;
      const last = await new CliProcess(["clean"]).ended;
      assert.deepEqual([last.code, last.errors], [0, ""]);
      assert.deepEqual(names.filter(isThere), []);
    }
  });

  test("of those who join, leave and clean in turns: never two regions of a name in use", async (t) => {
    await turnAmongTheDead(t);
    const name = uniqueRegionName("one");
    const random = new Random(23);
    /** While it is in a region, the name is that region's. */
    const join: Script<{ name: string; options: object }, void> = async ({ shmkit, say, kept }, task) => {
      say("going");
      for (let rounds = 1; ; rounds++) {
        const region = await shmkit.open(task.name, task.options);
        const named = shmkit.Region.inspect(task.name)?.epoch;
        if (named !== region.epoch) throw new Error(`in the region ${region.epoch}, the name is ${named}'s`);
        if (rounds % 3 === 0) await shmkit.Region.clean();
        if (rounds % 5 === 0) await (await region.counter("c")).add(1);
        await region.close();
        kept.set("rounds", rounds);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const wrong: unknown[] = [];
    let rounds = 0;
    const start = async (): Promise<ProcessMember> => {
      const member = await ProcessMember.start();
      member
        .run(join, { name, options: SMALL })
        .catch((error: { code?: string }) => (error.code === "ENDED" ? undefined : wrong.push(error)));
      await member.next();
      return member;
    };
    const members = await Promise.all([start(), start(), start()]);
    for (let round = 0; round < 4; round++) {
      const next = start();
      await sleep(100 + random.below(60));
      const [victim] = members.splice(random.below(members.length), 1, await next);
      rounds += await victim.run(({ kept }) => (kept.get("rounds") as number | undefined) ?? 0);
      await victim.kill();
    }
    await Promise.all(members.map((member) => member.kill()));
    t.diagnostic(`${rounds} rounds`);
    assert.deepEqual(wrong, []);
    assert.ok(rounds > 20);
    await (await open(name, SMALL)).close();
    assert.equal(isThere(name), false);
  });
});
