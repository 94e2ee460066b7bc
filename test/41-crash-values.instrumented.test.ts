import { crashSuite } from "./helpers/crash-suite.js";
import { VALUE_OPERATIONS } from "./helpers/crash-value-operations.js";

/** A member dies at any step of an operation on values. */
crashSuite("death in an operation on values", VALUE_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
