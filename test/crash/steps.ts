/** Every step: every operation with its member stopped at its steps, the recovery at its steps, and that one's recovery. */
import { exploreOperation, type Depth, type Tally } from "../helpers/crash-explore.js";
import { CRASH_OPERATIONS as OPERATIONS } from "../helpers/crash-operations.js";
import { endWorlds } from "../helpers/crash-scene.js";
import { Random } from "../helpers/process-random.js";
import type { Outcome, PartOptions } from "./part.js";

/** All operations are explored to the first depth; then, as long as there is time, one after the other deeper. */
const DEPTHS: readonly Depth[] = [
  { steps: 4, recoverySteps: 8, deeperSteps: 500, cuts: 10, losses: 10 },
  { steps: 1, recoverySteps: 1, deeperSteps: 50, cuts: 1, losses: 1 },
  { steps: 1, recoverySteps: 1, deeperSteps: 5, cuts: 1, losses: 1 },
];

/** How deep a violation lies, by the stops in the point that its message names. */
const isInRecovery = (message: string): boolean => /^at [^:]*(?::(?:\d+|end)){2}/.test(message);

/** Explores until time is up; the first depth is done in any case. */
export function exploreSteps({ seconds, seed, onProgress }: PartOptions): Outcome {
  // The world of the members has a clock of its own.
  const clock = (): number => Number(process.hrtime.bigint()) / 1e9;
  const end = clock() + seconds;
  const random = new Random(seed);
  const tallies = new Map<string, Tally>();
  const violations = new Map<string, string>();
  let deep = 0;
  for (const [level, depth] of DEPTHS.entries()) {
    const due = [...OPERATIONS];
    while (due.length > 0 && (level === 0 || clock() < end)) {
      const [operation] = due.splice(random.below(due.length), 1);
      if (violations.has(operation.name)) continue;
      onProgress(
        `${OPERATIONS.length - due.length} of ${OPERATIONS.length} operations, depth ${level + 1}: ${operation.name}`,
      );
      try {
        tallies.set(operation.name, exploreOperation(operation, depth));
        if (level === 1) deep++;
      } catch (error) {
        violations.set(operation.name, (error as Error).message);
      }
    }
  }
  endWorlds();
  const sum = (kind: keyof Tally): number => [...tallies.values()].reduce((total, tally) => total + tally[kind], 0);
  const found = [...violations.values()];
  const inRecovery = found.filter(isInRecovery).length;
  const points = { steps: sum("steps"), recoverySteps: sum("recoverySteps") + sum("deeperSteps") };
  return {
    json: {
      operations: OPERATIONS.map(({ name }) => name),
      steps: { points: points.steps, violations: found.length - inRecovery },
      recoverySteps: { points: points.recoverySteps, violations: inRecovery },
    },
    summary: [
      `every step: ${OPERATIONS.length} operations, ${deep} of them at every step; ${points.steps} deaths, ` +
        `${points.recoverySteps} deaths of those who recovered them, ${sum("cuts")} members cut off alive, ${sum("losses")} whose memory went away`,
    ],
    violations: found,
  };
}
