import { crashSuite } from "./helpers/crash-suite.js";
import { PIPE_OPERATIONS } from "./helpers/crash-pipe-operations.js";

/** A member dies at any step of an operation on pipes. */
crashSuite("death in an operation on pipes", PIPE_OPERATIONS, {
  steps: 800,
  recoverySteps: 1000,
  deeperSteps: 60,
  cuts: 700,
  losses: 1,
});
