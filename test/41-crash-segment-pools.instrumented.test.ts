import { SEGMENT_POOL_OPERATIONS } from "./helpers/crash-segment-pool-operations.js";
import { crashSuite } from "./helpers/crash-suite.js";

/** A member dies at any step of an operation on segment pools. */
crashSuite("death in an operation on segment pools", SEGMENT_POOL_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
