import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test } from "node:test";
import { Region, open, type Pipe } from "shmkit";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until, type Script as MemberScript } from "./helpers/process-member.js";
import { pathOf, SMALL } from "./helpers/process-regions.js";

type Script = MemberScript<{ name: string; options: object }, void>;

/** What a member is killed in, at its n-th call of the addon. */
interface Scenario {
  /** What it has done before. */
  readonly prepare?: Script;
  readonly script: Script;
  /** What must hold afterwards, with a survivor in the region if there is one. */
  readonly check: (name: string, survivor: { region: Region; pipe: Pipe } | undefined) => Promise<void>;
  readonly survivor: boolean;
}

const leave: Script = ({ kept }) => (kept.get("region") as Region).close();

describe("SIGKILL at every call into the system", () => {
  const scenarios: Record<string, Scenario> = {
    "while making a region": {
      survivor: false,
      script: async ({ shmkit }, { name, options }) => void (await shmkit.Region.create(name, options)),
      check: async (name) => {
        const region = await open(name, SMALL);
        assert.equal(region.created, true);
        await region.close();
      },
    },
    "while joining": {
      survivor: true,
      script: async ({ shmkit }, { name }) => {
        const region = await shmkit.open(name);
        await (await region.pipe("p")).send(new Uint8Array(600_000));
      },
      check: checkSurvivor,
    },
    "while leaving": {
      survivor: true,
      prepare: async ({ shmkit, kept }, { name }) => {
        const region = await shmkit.open(name);
        const pipe = await region.pipe("p");
        await pipe.send("leased");
        await pipe.receive({ lease: true });
        await (await region.mutex("m")).lock();
        kept.set("region", region);
      },
      script: leave,
      check: checkSurvivor,
    },
    "while leaving as the last one": {
      survivor: false,
      prepare: async ({ shmkit, kept }, { name, options }) => {
        const region = await shmkit.open(name, options);
        await (await region.pipe("p")).send(1);
        kept.set("region", region);
      },
      script: leave,
      check: async (name) => {
        await assert.rejects(Region.open(name), { code: "ERR_NOT_FOUND" });
        const region = await Region.create(name, SMALL);
        assert.deepEqual(region.pipes.list(), []);
        await region.close();
      },
    },
    "while taking a name away": {
      survivor: true,
      script: async ({ shmkit }, { name }) => void (await shmkit.Region.remove(name)),
      check: async (name, survivor) => {
        await survivor!.pipe.send("works");
        assert.equal(await survivor!.pipe.receive(), "works");
        // Either the old one is there still, or a new one can be made.
        const region = await open(name, SMALL);
        if (!region.created) assert.equal(region.epoch, survivor!.region.epoch);
        await region.close();
      },
    },
  };

  async function checkSurvivor(name: string, survivor: { region: Region; pipe: Pipe } | undefined): Promise<void> {
    const { region, pipe } = survivor!;
    await until(() => region.members().length === 1 || region.recoverTheDead());
    const guard = await (await region.mutex("m")).lock();
    guard.release();
    for (let message = pipe.tryReceive(); message !== undefined; message = pipe.tryReceive())
      assert.ok(message === "leased" || (message as Uint8Array).length === 600_000);
    await pipe.drain();
    await pipe.send("works");
    assert.equal(await pipe.receive(), "works");
    const other = await Region.open(name);
    assert.equal(other.epoch, region.epoch);
    await other.close();
  }

  for (const [label, { prepare, script, check, survivor }] of Object.entries(scenarios)) {
    test(label, async (t) => {
      const strike = async (at: number): Promise<boolean> => {
        const name = uniqueRegionName("struck");
        let stays: { region: Region; pipe: Pipe } | undefined;
        if (survivor) {
          const region = await Region.create(name, SMALL);
          stays = { region, pipe: await region.pipe("p") };
        }
        const victim = await ProcessMember.start();
        const argument = { name, options: SMALL };
        if (prepare !== undefined) await victim.run(prepare, argument);
        await victim.run(({ beforeNativeCalls }, last) => {
          beforeNativeCalls((_, number) => {
            if (number === last) process.kill(process.pid, "SIGKILL");
          });
        }, at);
        const died = await victim.run(script, argument).then(
          () => false,
          (error: { code?: string }) => {
            if (error.code !== "ENDED") throw error as Error;
            return true;
          },
        );
        if (!died) await victim.finish();
        await check(name, stays);
        await stays?.region.close();
        assert.equal(existsSync(pathOf(name)), false, `at call ${at}`);
        return died;
      };
      let struck = 0;
      for (let at = 1; ; at += 3) {
        const died = await Promise.all([strike(at), strike(at + 1), strike(at + 2)]);
        struck += died.filter(Boolean).length;
        if (died.includes(false)) break;
      }
      t.diagnostic(`${struck} calls`);
      assert.ok(struck >= 3);
      assert.deepEqual(leftovers(), []);
    });
  }
});
