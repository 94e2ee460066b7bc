import { MEETING_OPERATIONS } from "./helpers/crash-meeting-operations.js";
import { crashSuite } from "./helpers/crash-suite.js";

/** A member dies at any step of an operation on events, barriers, latches, what is done once, and flags. */
crashSuite("death in an operation where members meet", MEETING_OPERATIONS, {
  steps: 1,
  recoverySteps: 1,
  deeperSteps: 1,
  cuts: 1,
  losses: 1,
});
