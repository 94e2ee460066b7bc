import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chownSync, rmSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Region } from "shmkit";
import { CLI, run, start, until } from "./helpers/cli-process.js";
import { joined, regionName } from "./helpers/cli-regions.js";
import { leftovers } from "./helpers/leftovers.js";
import { canPlayUsers } from "./helpers/other-users.js";
import { turnAmongTheDead } from "./helpers/turns.js";

const CLI_COMMAND = `"${process.execPath}" "${CLI}"`;

interface Cleaned {
  readonly dryRun: boolean;
  readonly removed: readonly { name: string; why: string; sizeBytes?: number }[];
  readonly kept: readonly { name: string; why: string }[];
}

async function cleaned(...args: string[]): Promise<Cleaned> {
  const { code, text, errors } = await run(["clean", "--json", ...args]);
  assert.equal(errors, "");
  assert.equal(code, 0);
  return JSON.parse(text) as Cleaned;
}

/** A region whose only process was killed. */
async function killedRegion(): Promise<string> {
  const name = regionName("killed");
  const waiting = start(["send", `${name}/x`], { input: "line\n" });
  await until(() => Region.inspect(name)?.objects.some((object) => object.pipe?.closed === true) === true);
  waiting.kill("SIGKILL");
  await waiting.ended;
  return name;
}

describe("clean", () => {
  test("says what it would remove, then removes it and says why; kernel regions only when told to", async (t) => {
    await turnAmongTheDead(t);
    const used = await joined("used");
    const killed = await killedRegion();
    const kept = await Region.create(regionName("kept"), { size: "1MiB", lifetime: "kernel" });
    await kept.close();
    const would = await cleaned("--dry-run");
    assert.equal(would.dryRun, true);
    const [verdict] = would.removed.filter(({ name }) => name === killed);
    assert.match(verdict.why, /no living process uses it \(a member died\)/);
    assert.equal(verdict.sizeBytes, 16 * 2 ** 20);
    assert.match(would.kept.find(({ name }) => name === kept.name)!.why, /--kernel/);
    assert.ok(![...would.removed, ...would.kept].some(({ name }) => name === used.name));
    assert.equal(leftovers().length, 3, "nothing was removed");

    const text = await run(["clean", "-n"]);
    assert.match(text.text, new RegExp(`^${killed}  would be removed: no living process uses it .*, 16 MiB$`, "m"));
    const removing = await run(["clean"]);
    assert.match(removing.text, new RegExp(`^${killed}  removed: no living process uses it .*, 16 MiB$`, "m"));
    assert.match(removing.text, new RegExp(`^${kept.name}  kept: it was asked to stay; shmkit clean --kernel`, "m"));
    assert.deepEqual(leftovers().sort(), [`shmkit.${kept.name}`, `shmkit.${used.name}`].sort());
    await Region.remove(kept.name);
  });

  test("leaves what is no region, and says how to remove it", async () => {
    const broken = regionName("broken");
    writeFileSync(`/dev/shm/shmkit.${broken}`, "no region");
    const { kept } = await cleaned();
    assert.match(kept.find(({ name }) => name === broken)!.why, /^ERR_BAD_REGION: .*shmkit rm/);
    rmSync(`/dev/shm/shmkit.${broken}`);
  });

  test("says of another user's region whose it is, or removes it as root", async () => {
    const region = await Region.create(regionName("foreign"), { size: "1MiB", mode: 0o666, lifetime: "kernel" });
    await region.close();
    // In a user namespace of its own, root may be the only user there is.
    if (canPlayUsers) chownSync(region.path, 12345, 12345);
    const { removed } = await cleaned("--kernel", "--dry-run");
    assert.ok(removed.some(({ name }) => name === region.name));
    if (canPlayUsers) {
      const asOther = spawnSync(process.execPath, [CLI, "clean", "--kernel", "--dry-run"], {
        encoding: "utf8",
        uid: 54321,
        gid: 54321,
      });
      // Only where another user can read this checkout.
      if (asOther.status === 0)
        assert.match(asOther.stdout, new RegExp(`^${region.name}  kept: it belongs to the user 12345`, "m"));
    }
    await Region.remove(region.name);
  });

  test("--kernel removes what was asked to stay", async () => {
    const region = regionName("kernel");
    const commands = `echo line | ${CLI_COMMAND} send --keep ${region}/x && ${CLI_COMMAND} clean && ${CLI_COMMAND} clean --kernel && ${CLI_COMMAND} clean`;
    // Where possible in a /dev/shm of its own: other test files may have such regions at this moment.
    const own = ["-Urm", "sh", "-c", `mount -t tmpfs none /dev/shm && ${commands}`];
    const { status, stdout } = spawnSync("unshare", own, { encoding: "utf8" });
    const why = "no living process uses it, and --kernel was given, 16 MiB";
    if (status === 0)
      assert.equal(
        stdout,
        `${region}  kept: it was asked to stay; shmkit clean --kernel removes it\n${region}  removed: ${why}\nnothing to remove\n`,
      );
    else
      assert.ok(
        spawnSync("sh", ["-c", commands], { encoding: "utf8" }).stdout.includes(`${region}  removed: ${why}\n`),
      );
  });
});
