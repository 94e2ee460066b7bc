import { RATE_LIMITER_OPERATIONS } from "./helpers/crash-rate-limiter-operations.js";
import { crashSuite } from "./helpers/crash-suite.js";

/** A member dies at any step of an operation on rate limiters. */
crashSuite("death in an operation on rate limiters", RATE_LIMITER_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
