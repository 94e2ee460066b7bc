/** The interleavings again where stores become visible late and out of order; and that a missing barrier is found. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { replaySeed, weakMemory } from "./interleavings/explore.js";
import { freeWeakly, publishWeakly, unlockWeakly, type Plant } from "./interleavings/planted-faults.js";
import { SCENARIOS } from "./interleavings/scenarios.js";

/** The number of schedules limits what is explored, not the time. */
const AGES = 600;

describe("weak memory", () => {
  for (const { name, deaths } of SCENARIOS)
    if (deaths === 0)
      test(name, (t) => {
        const { explored, violations, perAlgorithm } = weakMemory({ seconds: AGES, only: name, schedules: 1000 });
        assert.deepEqual(violations, []);
        const [{ bounds }] = Object.values(perAlgorithm);
        assert.ok(explored >= 1000 || bounds[name] === "all");
        t.diagnostic(`${explored} schedules; all with as many preemptions: ${bounds[name]}`);
      });

  const finds = (what: string, only: string, plant: Plant): void =>
    void test(`finds ${what}`, () => {
      const { violations } = weakMemory({ seconds: AGES, only, preemptions: 2, plant });
      assert.equal(violations.length, 1);
      assert.equal(replaySeed(violations[0].seed, plant).violation?.split("\n")[0], violations[0].message);
    });

  finds("an unlocking that waits", "pipe-2-1", unlockWeakly);
  finds("a message published by a plain store", "pipe-1-1", publishWeakly);
  finds("a place that is free before it was read", "pipe-tight", freeWeakly);
});
