import { CLOSE_SCENARIOS } from "./close-scenarios.js";
import { HEAP_SCENARIOS } from "./heap-scenarios.js";
import { LEASE_SCENARIOS } from "./lease-scenarios.js";
import { MEMBER_SCENARIOS } from "./member-scenarios.js";
import { PIPE_SCENARIOS } from "./pipe-scenarios.js";
import type { Scenario } from "./scenario.js";
import { SYNC_SCENARIOS } from "./sync-scenarios.js";
import { WAIT_SCENARIOS } from "./wait-scenarios.js";

/** Every scenario. */
export const SCENARIOS: readonly Scenario[] = [
  ...SYNC_SCENARIOS,
  ...PIPE_SCENARIOS,
  ...CLOSE_SCENARIOS,
  ...LEASE_SCENARIOS,
  ...HEAP_SCENARIOS,
  ...MEMBER_SCENARIOS,
  ...WAIT_SCENARIOS,
];
