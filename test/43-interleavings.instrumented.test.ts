/** Every interleaving of a few members up to a number of preemptions, with deaths; and that what is wrong is found. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explore, replaySeed } from "./interleavings/explore.js";
import { dropRings, keepGeneration, publishFirst, type Plant } from "./interleavings/planted-faults.js";
import { SCENARIOS } from "./interleavings/scenarios.js";

/** The number of schedules limits what is explored, not the time. */
const AGES = 600;
/** Of each scenario; `npm run crash` explores as many as it has time for. */
const SCHEDULES = 200;

describe("interleavings", () => {
  for (const { name } of SCENARIOS)
    test(name, (t) => {
      const { explored, violations, perAlgorithm } = explore({ seconds: AGES, only: name, schedules: SCHEDULES });
      assert.deepEqual(violations, []);
      const [{ bounds }] = Object.values(perAlgorithm);
      assert.ok(explored >= SCHEDULES || bounds[name] === "all");
      t.diagnostic(`${explored} schedules; all with as many preemptions: ${bounds[name]}`);
    });

  const finds = (what: string, only: string, plant: Plant, message: RegExp): void =>
    void test(`finds ${what}`, () => {
      const { violations } = explore({ seconds: AGES, only, preemptions: 2, plant });
      assert.equal(violations.length, 1);
      const [{ seed }] = violations;
      assert.match(violations[0].message, message);
      // The seed leads there again, with every access.
      const { trace, violation } = replaySeed(seed, plant);
      assert.match(violation ?? "", message);
      assert.ok(trace.length > 10);
      // Without the fault the same schedule is fine, as far as it can be followed.
      assert.equal(replaySeed(seed.replace(/:.*/, ":")).trace.length, 0);
    });

  finds("a dropped ring", "pipe-1-1", dropRings, /sleeps for ever/);
  finds("a message that is published before it is there", "pipe-1-1", publishFirst, /no order explains|torn/);
  finds("a generation that is not counted", "name-again", keepGeneration, /no order explains|lives/);
});
