import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { Region, type MemberDeath, type RegionInfo } from "shmkit";
import { CLI } from "./helpers/cli-process.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { OWN_PIDS, OWN_PROC, refusal } from "./helpers/namespaces.js";
import { ProcessMember, until, type Script } from "./helpers/process-member.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";
import { turnAmongTheDead } from "./helpers/turns.js";

/** Members in PID namespaces of their own: every one of them is process 1, and none can see another. */

/** What a member sees: its own process id, who is attached, and who is attached seen from outside. */
const look: Script<undefined, { pid: number; members: unknown[]; inspected: unknown[]; listed: unknown[] }> = async ({
  region,
  shmkit,
}) => {
  const facts = (members: RegionInfo["members"]): unknown[] =>
    members.map(({ label, pid, alive }) => [label, pid, alive]);
  const all = await shmkit.Region.list();
  return {
    pid: process.pid,
    members: facts(region.members()),
    inspected: facts(shmkit.Region.inspect(region.name)!.members),
    listed: facts(all.find(({ name }) => name === region.name)!.members),
  };
};

for (const [label, through] of Object.entries({
  "PID namespaces of their own": OWN_PIDS,
  "PID namespaces and a /proc of their own": OWN_PROC,
})) {
  describe(`members in ${label}`, { skip: refusal(through) }, () => {
    const start = (name: string, who: string): Promise<ProcessMember> =>
      ProcessMember.start({ region: name, options: { label: who, maxMembers: 4 }, through });

    test("share a region: messages, leases, counters and locks, in both directions", async (t) => {
      const region = await testRegion(t, "namespaces", { ...SMALL, maxMembers: 4, label: "outside" });
      const members = await Promise.all([start(region.name, "first"), start(region.name, "second")]);
      const [first, second] = members;
      const count = 1000;
      const echoing = second.run(async ({ region: own }) => {
        const [there, back] = [
          await own.pipe<unknown>("there", { capacity: 10 }),
          await own.pipe("back", { capacity: 10 }),
        ];
        let echoed = 0;
        for await (const message of there) {
          await back.send(message);
          echoed++;
        }
        return echoed;
      });
      const sent = first.run(async ({ region: own }, messages) => {
        const [there, back] = [
          await own.pipe("there", { capacity: 10 }),
          await own.pipe<unknown>("back", { capacity: 10 }),
        ];
        for (let number = 0; number < messages; number++) {
          const message = number % 10 === 0 ? "x".repeat(5000 + number) : number;
          if (number % 2 === 0) await there.send(message);
          else there.sendSync(message);
          const answer = number % 3 === 0 ? await back.receive() : back.receiveSync();
          if (answer !== message) throw new Error(`message ${number} came back as another one`);
        }
        await there.close();
        return messages;
      }, count);
      assert.deepEqual([await sent, await echoing], [count, count]);
      const additions = 500;
      await Promise.all(
        members.map((member) =>
          member.run(async ({ region: own }, rounds) => {
            const [counter, mutex] = [await own.counter("c"), await own.mutex("m", { words: 1 })];
            for (let round = 0; round < rounds; round++) {
              await counter.add(1);
              const guard = await mutex.lock();
              guard.set(0, guard.get(0) + 1);
              guard.release();
            }
          }, additions),
        ),
      );
      const guard = await (await region.mutex("m", { words: 1 })).lock();
      assert.deepEqual([(await region.counter("c")).value, guard.get(0)], [BigInt(2 * additions), 2 * additions]);
      guard.release();
      for (const member of members) {
        await member.run(({ region: own }) => own.close());
        assert.deepEqual(await member.finish(), { code: 0, signal: null, output: "" });
      }
    });

    test("see who is alive, whatever the process ids say", async (t) => {
      await turnAmongTheDead(t);
      const region = await testRegion(t, "namespaces", { ...SMALL, maxMembers: 4, label: "outside" });
      const first = await start(region.name, "first");
      const second = await start(region.name, "second");
      const everybody = (extra: unknown[]): unknown[] => [["outside", process.pid, true], ["first", 1, true], ...extra];
      for (const member of [first, second]) {
        const { pid, members, inspected, listed } = await member.run(look);
        assert.equal(pid, 1);
        for (const seen of [members, inspected, listed]) assert.deepEqual(seen, everybody([["second", 1, true]]));
      }
      // The command line from yet another namespace.
      const seenByTool = (): unknown[] => {
        const { stdout, stderr } = spawnSync(
          through[0],
          [...through.slice(1), process.execPath, CLI, "ls", "--json", "--interval", "0", region.name],
          { encoding: "utf8" },
        );
        assert.equal(stderr, "");
        const [{ members }] = (JSON.parse(stdout) as { regions: RegionInfo[] }).regions;
        return members.map((member) => [member.label, member.pid, member.alive]);
      };
      assert.deepEqual(seenByTool(), everybody([["second", 1, true]]));
      await second.kill();
      await until(() => region.recoverTheDead() || region.members().length === 2);
      assert.deepEqual(seenByTool(), everybody([]));
      assert.deepEqual((await first.run(look)).members, everybody([]));
      await first.kill();
    });

    test("kill -9 of one is noticed by the other, which goes on with what it had", async (t) => {
      const region = await testRegion(t, "namespaces", { ...SMALL, maxMembers: 4, label: "outside" });
      const deaths: MemberDeath[] = [];
      region.on("memberDied", (death) => deaths.push(death));
      const jobs = await region.pipe<string>("jobs");
      const heir = await start(region.name, "heir");
      for (let round = 1; round <= 2; round++) {
        const victim = await start(region.name, `victim ${round}`);
        await jobs.send("work");
        const slot = await victim.run(async ({ region: own, kept }) => {
          kept.set("lease", await (await own.pipe("jobs")).receive({ lease: true }));
          (await (await own.mutex("m")).lock()).set(0, 7);
          return own.slot;
        });
        const inherited = heir.run(async ({ region: own, say }) => {
          const died = new Promise<MemberDeath>((resolve) => own.once("memberDied", resolve));
          say("listens");
          const lease = await (await own.pipe<string>("jobs")).receive({ lease: true });
          const guard = await (await own.mutex("m")).lock();
          const found = [lease.value, lease.deliveries, guard.abandoned, guard.get(0)];
          lease.ack();
          guard.release();
          const { label: whose, pid, slot: whichSlot, interrupted } = await died;
          return { found, death: { whose, pid, whichSlot, interrupted } };
        });
        assert.equal(await heir.next(), "listens");
        await victim.kill();
        assert.deepEqual(await inherited, {
          found: ["work", 2, true, 0],
          death: { whose: `victim ${round}`, pid: 1, whichSlot: slot, interrupted: false },
        });
        await until(() => deaths.length === round);
        assert.deepEqual([deaths[round - 1].pid, deaths[round - 1].slot], [1, slot]);
      }
      // The heir may have recovered the last one: it files the death before it frees the slot.
      await until(() => region.members().length === 2);
      await heir.kill();
    });

    test("when all are killed, nothing of the region is left for whoever looks next", async (t) => {
      await turnAmongTheDead(t);
      const name = uniqueRegionName("namespaces");
      const members = await Promise.all(["first", "second"].map((who) => start(name, who)));
      await Promise.all(members.map((member) => member.kill()));
      assert.equal(existsSync(`/dev/shm/shmkit.${name}`), true);
      // Their streams may close a moment before the kernel releases the rest of them.
      await until(async () => (await Region.list()).every((info) => info.name !== name));
      assert.equal(existsSync(`/dev/shm/shmkit.${name}`), false);
    });
  });
}
