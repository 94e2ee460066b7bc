import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { probeSystem, type FacilityName } from "shmkit";
import { native } from "#src/native/addon.js";
import type { NativeAddon } from "#src/native/contract.js";
import { until } from "./helpers/native-file.js";

const openFiles = (): number => readdirSync("/proc/self/fd").length;
const trialNames = (): string[] => readdirSync("/dev/shm").filter((name) => name.startsWith(".shmkit-trial-"));

describe("what works here", () => {
  test("is tried out, with the addon that was loaded, and leaves nothing", async () => {
    await probeSystem();
    const before = openFiles();
    for (let times = 0; times < 5; times++) await probeSystem();
    const { addon, facilities } = await probeSystem();
    // Threads that end close what is theirs a little later.
    await until(() => openFiles() <= before);
    assert.deepEqual(trialNames(), []);
    assert.ok(existsSync(addon.path));
    assert.match(addon.libc, /^(glibc|musl)$/);
    // This machine makes regions: what they need must be found to work.
    for (const { name, needed, works, failure } of facilities) assert.ok(!needed || works, `${name}: ${failure}`);
    assert.deepEqual(
      facilities.filter(({ needed }) => needed).map(({ name }) => name),
      ["fallocate", "reopen through /proc", "OFD locks", "shared mapping", "pinned lock", "futex", "thread"],
    );
    for (const { works, failure } of facilities) assert.equal(works, failure === undefined);
  });

  const REFUSED = -constants.errno.EPERM;
  const calls: [call: keyof NativeAddon, answer: unknown, name: FacilityName][] = [
    ["openTemporary", -constants.errno.EOPNOTSUPP, "O_TMPFILE"],
    ["allocate", REFUSED, "fallocate"],
    ["punch", REFUSED, "punch hole"],
    ["reopen", REFUSED, "reopen through /proc"],
    ["linkDescriptor", REFUSED, "link through /proc"],
    ["lock", REFUSED, "OFD locks"],
    ["probe", 0, "OFD locks"],
    ["map", REFUSED, "shared mapping"],
    ["pin", REFUSED, "pinned lock"],
    ["park", 0, "futex"],
    ["wake", 0, "thread"],
    ["startWaiter", REFUSED, "thread"],
    ["watchDeaths", REFUSED, "inotify"],
    ["watchDeaths", 0, "inotify"],
  ];
  for (const [call, answer, name] of calls) {
    test(`is told as not working where ${call} answers ${String(answer)}: ${name}`, async (t) => {
      t.mock.method(native, call as "pin", () => answer as number);
      const { facilities } = await probeSystem();
      const found = facilities.find((facility) => facility.name === name)!;
      assert.equal(found.works, false);
      assert.ok(found.failure!.length > 10, found.failure);
      assert.deepEqual(trialNames(), []);
    });
  }

  test("cannot be tried where no file can be made", async (t) => {
    t.mock.method(native, "openTemporary", () => REFUSED);
    await assert.rejects(probeSystem(), { code: "ERR_PERMISSION" });
  });
});
