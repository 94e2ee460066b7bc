import { crashSuite } from "./helpers/crash-suite.js";
import { OBJECT_OPERATIONS } from "./helpers/crash-object-operations.js";

/** A member dies at any step of an operation on objects. */
crashSuite("death in an operation on objects", OBJECT_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
