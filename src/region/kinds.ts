import { pipeKind } from "../channels/pipe-kind.js";
import { compositeKind } from "../heap/composite-kind.js";
import type { ObjectKind } from "../heap/object-kind.js";
import type { Kind } from "../layout/heap.js";
import { conditionKind } from "../sync/condition-kind.js";
import { lockTableKind } from "../sync/lock-table-kind.js";
import { eventKind } from "../sync/event-kind.js";
import { barrierKind } from "../sync/barrier-kind.js";
import { latchKind } from "../sync/latch-kind.js";
import { onceKind } from "../sync/once-kind.js";
import { flagKind } from "../sync/flag-kind.js";
import { mutexKind } from "../sync/mutex-kind.js";
import { rateLimiterKind } from "../sync/rate-limiter-kind.js";
import { rwlockKind } from "../sync/rwlock-kind.js";
import { semaphoreKind } from "../sync/semaphore-kind.js";
import { counterKind } from "../values/counter-kind.js";
import { segmentPoolKind } from "../values/segment-pool-kind.js";
import type { ObjectFacts } from "./snapshot.js";

/** Every kind of object that a region can hold. */
export const KIND_TABLE: Readonly<Record<Kind, ObjectKind<ObjectFacts>>> = {
  pipe: pipeKind,
  counter: counterKind,
  mutex: mutexKind,
  semaphore: semaphoreKind,
  condition: conditionKind,
  rwlock: rwlockKind,
  locks: lockTableKind,
  event: eventKind,
  barrier: barrierKind,
  latch: latchKind,
  once: onceKind,
  flag: flagKind,
  "rate-limiter": rateLimiterKind,
  "segment-pool": segmentPoolKind,
  composite: compositeKind,
};
