/** Explores operations, one test each, and says how many points there were. */
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { DEPTH, exploreOperation, type CrashOperation, type Tally } from "./crash-explore.js";
import { endWorlds } from "./crash-scene.js";

/** No operation has fewer: the first step, and the end. */
const FEWEST_STEPS = 2;

/** Declares the tests of some operations; `fewest` points in all make sure that they explored anything. */
export function crashSuite(title: string, operations: readonly CrashOperation[], fewest: Tally): void {
  describe(title, () => {
    after(endWorlds);
    const total: Tally = { steps: 0, recoverySteps: 0, deeperSteps: 0, cuts: 0, losses: 0 };
    for (const operation of operations)
      test(operation.name, () => {
        const tally = exploreOperation(operation, DEPTH);
        for (const kind of Object.keys(total) as (keyof Tally)[]) total[kind] += tally[kind];
        assert.ok(tally.steps >= FEWEST_STEPS && tally.recoverySteps >= FEWEST_STEPS, `${operation.name} was explored`);
      });
    test("enough was explored", (t) => {
      const { steps, recoverySteps, deeperSteps, cuts, losses } = total;
      t.diagnostic(
        `${operations.length} operations: ${steps} steps, ${recoverySteps} steps of recoveries, ${deeperSteps} of their recoveries, ${cuts} cuts, ${losses} losses`,
      );
      for (const kind of Object.keys(total) as (keyof Tally)[])
        assert.ok(total[kind] >= fewest[kind], `${total[kind]} ${kind}, at least ${fewest[kind]}`);
    });
  });
}
