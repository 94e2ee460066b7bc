import { RWLOCK_OPERATIONS } from "./helpers/crash-rwlock-operations.js";
import { crashSuite } from "./helpers/crash-suite.js";

/** A member dies at any step of an operation on readers–writer locks. */
crashSuite("death in an operation on readers–writer locks", RWLOCK_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
