/** Every operation that is explored at every step. */
import type { CrashOperation } from "./crash-explore.js";
import { COMPOSITE_OPERATIONS } from "./crash-composite-operations.js";
import { CONDITION_OPERATIONS } from "./crash-condition-operations.js";
import { LOCK_OPERATIONS } from "./crash-lock-operations.js";
import { MEETING_OPERATIONS } from "./crash-meeting-operations.js";
import { OBJECT_OPERATIONS } from "./crash-object-operations.js";
import { PIPE_OPERATIONS } from "./crash-pipe-operations.js";
import { REGION_OPERATIONS } from "./crash-region-operations.js";
import { RATE_LIMITER_OPERATIONS } from "./crash-rate-limiter-operations.js";
import { RWLOCK_OPERATIONS } from "./crash-rwlock-operations.js";
import { SEGMENT_POOL_OPERATIONS } from "./crash-segment-pool-operations.js";
import { SEMAPHORE_OPERATIONS } from "./crash-semaphore-operations.js";
import { VALUE_OPERATIONS } from "./crash-value-operations.js";

export const CRASH_OPERATIONS: readonly CrashOperation[] = [
  ...PIPE_OPERATIONS,
  ...VALUE_OPERATIONS,
  ...SEMAPHORE_OPERATIONS,
  ...CONDITION_OPERATIONS,
  ...RWLOCK_OPERATIONS,
  ...LOCK_OPERATIONS,
  ...MEETING_OPERATIONS,
  ...RATE_LIMITER_OPERATIONS,
  ...SEGMENT_POOL_OPERATIONS,
  ...OBJECT_OPERATIONS,
  ...COMPOSITE_OPERATIONS,
  ...REGION_OPERATIONS,
];
