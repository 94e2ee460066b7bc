/** The interleavings again where stores become visible late and out of order; and that a missing barrier is found. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import { replaySeed, weakMemory } from "./interleavings/explore.js";
import { freeWeakly, publishWeakly, unlockWeakly, type Plant } from "./interleavings/planted-faults.js";
import { SCENARIOS } from "./interleavings/scenarios.js";

/** The number of schedules limits what is explored, not the time. */
const AGES = 600;
/** Of each scenario; `npm run crash` explores as many as it has time for. */
const SCHEDULES = 300;

describe("weak memory", () => {
  for (const { name } of SCENARIOS)
    test(name, (t) => {
      const { explored, violations, perAlgorithm } = weakMemory({ seconds: AGES, only: name, schedules: SCHEDULES });
      assert.deepEqual(violations, []);
      const [{ bounds }] = Object.values(perAlgorithm);
      assert.ok(explored >= SCHEDULES || bounds[name] === "all");
      t.diagnostic(`${explored} schedules; all with as many preemptions: ${bounds[name]}`);
    });

  const finds = (what: string, only: string, plant: Plant): void =>
    void test(`finds ${what}`, () => {
      const { violations } = weakMemory({ seconds: AGES, only, preemptions: 2, plant });
      assert.equal(violations.length, 1);
      assert.equal(replaySeed(violations[0].seed, plant).violation?.split("\n")[0], violations[0].message);
    });

  test("finds each barrier of the lock that is left out", () => {
    const main = fileURLToPath(new URL("interleavings/main.js", import.meta.url));
    const only = "robust-lock.*SYNC POINT";
    const output = execFileSync(
      process.execPath,
      [
        ...process.execArgv,
        main,
        "--weaken",
        "--only",
        only,
        "--scenario",
        "mutex",
        "--schedules",
        "500",
        "--seconds",
        String(AGES),
      ],
      { encoding: "utf8" },
    );
    assert.match(output, /^found .*compareExchange SYNC POINT/m);
    assert.match(output, /^found .*store SYNC POINT/m);
    assert.match(output, /^3 sites, 0 survive$/m);
  });

  finds("an unlocking that waits", "pipe-2-1", unlockWeakly);
  finds("a message published by a plain store", "pipe-1-1", publishWeakly);
  finds("a place that is free before it was read", "pipe-tight", freeWeakly);
});
