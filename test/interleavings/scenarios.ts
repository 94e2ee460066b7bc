import { CLOSE_SCENARIOS } from "./close-scenarios.js";
import { COMPOSITE_SCENARIOS } from "./composite-scenarios.js";
import { CONDITION_SCENARIOS } from "./condition-scenarios.js";
import { DEADLOCK_SCENARIOS } from "./deadlock-scenarios.js";
import { DISK_SCENARIOS } from "./disk-scenarios.js";
import { HEAP_SCENARIOS } from "./heap-scenarios.js";
import { LEAVER_SCENARIOS } from "./leaver-scenarios.js";
import { LEASE_SCENARIOS } from "./lease-scenarios.js";
import { LOCK_SCENARIOS } from "./lock-scenarios.js";
import { MEMBER_SCENARIOS } from "./member-scenarios.js";
import { MEETING_SCENARIOS } from "./meeting-scenarios.js";
import { PIPE_SCENARIOS } from "./pipe-scenarios.js";
import type { Scenario } from "./scenario.js";
import { RATE_LIMITER_SCENARIOS } from "./rate-limiter-scenarios.js";
import { RWLOCK_SCENARIOS } from "./rwlock-scenarios.js";
import { SEGMENT_POOL_SCENARIOS } from "./segment-pool-scenarios.js";
import { SEMAPHORE_SCENARIOS } from "./semaphore-scenarios.js";
import { SINCE_SCENARIOS } from "./since-scenarios.js";
import { SYNC_SCENARIOS } from "./sync-scenarios.js";
import { WAIT_SCENARIOS } from "./wait-scenarios.js";
import { WEAK_RECOVERY_SCENARIOS } from "./weak-recovery-scenarios.js";
import { WEAK_SCENARIOS } from "./weak-scenarios.js";

/** Every scenario. */
export const SCENARIOS: readonly Scenario[] = [
  ...SYNC_SCENARIOS,
  ...SEMAPHORE_SCENARIOS,
  ...LOCK_SCENARIOS,
  ...CONDITION_SCENARIOS,
  ...RWLOCK_SCENARIOS,
  ...MEETING_SCENARIOS,
  ...RATE_LIMITER_SCENARIOS,
  ...SEGMENT_POOL_SCENARIOS,
  ...PIPE_SCENARIOS,
  ...CLOSE_SCENARIOS,
  ...LEASE_SCENARIOS,
  ...DEADLOCK_SCENARIOS,
  ...SINCE_SCENARIOS,
  ...HEAP_SCENARIOS,
  ...COMPOSITE_SCENARIOS,
  ...MEMBER_SCENARIOS,
  ...DISK_SCENARIOS,
  ...WAIT_SCENARIOS,
  ...LEAVER_SCENARIOS,
  ...WEAK_SCENARIOS,
  ...WEAK_RECOVERY_SCENARIOS,
];
