/** Operations that are stopped at every step, as they look for mutations. */
import { exploreOperation, type Depth } from "../helpers/crash-explore.js";
import { CRASH_OPERATIONS } from "../helpers/crash-operations.js";
import { endWorlds } from "../helpers/crash-scene.js";
import { messageOf, type Probe } from "./killers.js";
import { notePassed } from "./switch.js";

/** At every change, with hardly any stops of the recovery. */
const SURVEY: Depth = { steps: 1000, recoverySteps: 40, deeperSteps: 10_000, cuts: 20, losses: 20 };

export const STEPS: readonly Probe[] = CRASH_OPERATIONS.map((operation) => ({
  name: `steps ${operation.name}`,
  run: ({ recoverySteps }) => {
    try {
      exploreOperation(operation, {
        steps: 2 * recoverySteps,
        recoverySteps,
        deeperSteps: 100 * recoverySteps,
        cuts: 10,
        losses: 10,
      });
      return undefined;
    } catch (error) {
      return messageOf(error);
    } finally {
      // Made while something was wrong.
      endWorlds();
    }
  },
  survey: () => {
    const acting = new Set<string>();
    notePassed(acting);
    exploreOperation(operation, SURVEY);
    notePassed(undefined);
    // What furnishes a world is passed by the first operation in it.
    return { furnishing: new Set(), acting };
  },
}));
