import { LOCK_OPERATIONS } from "./helpers/crash-lock-operations.js";
import { crashSuite } from "./helpers/crash-suite.js";

/** A member dies at any step of an operation on the lock manager. */
crashSuite("death in an operation on locks", LOCK_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
