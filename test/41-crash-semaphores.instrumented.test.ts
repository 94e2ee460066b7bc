import { SEMAPHORE_OPERATIONS } from "./helpers/crash-semaphore-operations.js";
import { crashSuite } from "./helpers/crash-suite.js";

/** A member dies at any step of an operation on semaphores. */
crashSuite("death in an operation on semaphores", SEMAPHORE_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
