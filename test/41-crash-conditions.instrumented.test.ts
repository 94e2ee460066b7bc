import { CONDITION_OPERATIONS } from "./helpers/crash-condition-operations.js";
import { crashSuite } from "./helpers/crash-suite.js";

/** A member dies at any step of an operation on conditions. */
crashSuite("death in an operation on conditions", CONDITION_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
