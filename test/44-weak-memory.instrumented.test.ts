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
/** Of each scenario that does not say otherwise; `npm run crash` explores as many as it has time for. */
const SCHEDULES = 300;

describe("weak memory", () => {
  for (const { name, weakSchedules: schedules = SCHEDULES } of SCENARIOS)
    test(name, (t) => {
      const { explored, violations, perAlgorithm } = weakMemory({ seconds: AGES, only: name, schedules });
      assert.deepEqual(violations, []);
      const [{ bounds }] = Object.values(perAlgorithm);
      assert.ok(explored >= schedules || bounds[name] === "all");
      t.diagnostic(`${explored} schedules; all with as many preemptions: ${bounds[name]}`);
    });

  const finds = (what: string, only: string, plant: Plant): void =>
    void test(`finds ${what}`, () => {
      const { violations } = weakMemory({ seconds: AGES, only, preemptions: 2, plant });
      assert.equal(violations.length, 1);
      assert.equal(replaySeed(violations[0].seed, plant).violation?.split("\n")[0], violations[0].message);
    });

  /** What is told of call sites whose barriers are left out one by one. */
  const weakened = (sites: string, scenarios: string, schedules: number): string => {
    const main = fileURLToPath(new URL("interleavings/main.js", import.meta.url));
    const what = ["--only", sites, "--scenario", scenarios, "--schedules", `${schedules}`, "--seconds", `${AGES}`];
    return execFileSync(process.execPath, [...process.execArgv, main, "--weaken", ...what], { encoding: "utf8" });
  };

  test("finds each barrier of the lock that is left out", () => {
    const output = weakened("robust-lock.*SYNC POINT", "mutex", 500);
    assert.match(output, /^found .*compareExchange SYNC POINT/m);
    assert.match(output, /^found .*store SYNC POINT/m);
    assert.match(output, /^3 sites, 0 survive$/m);
  });

  test("finds the second look at figures that is left out, with the schedules that it looks at anyway", () => {
    const { weakSchedules } = SCENARIOS.find(({ name }) => name === "statistics-received")!;
    assert.match(
      weakened("pipe-statistics.*loadBehind SYNC POINT", "statistics", weakSchedules!),
      /^1 sites, 0 survive$/m,
    );
  });

  finds("an unlocking that waits", "pipe-2-1", unlockWeakly);
  finds("a message published by a plain store", "pipe-1-1", publishWeakly);
  finds("a place that is free before it was read", "pipe-tight", freeWeakly);
});
