import { crashSuite } from "./helpers/crash-suite.js";
import { REGION_OPERATIONS } from "./helpers/crash-region-operations.js";

/** A member dies at any step of an operation on regions. */
crashSuite("death in an operation on regions", REGION_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
