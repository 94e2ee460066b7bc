import { COMPOSITE_OPERATIONS } from "./helpers/crash-composite-operations.js";
import { crashSuite } from "./helpers/crash-suite.js";

/** A member dies at any step of an operation on composite objects. */
crashSuite("death in an operation on composite objects", COMPOSITE_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
