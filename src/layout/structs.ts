import type { Struct } from "./descriptor.js";
import { COMPOSITE } from "./composite.js";
import { CONDITION } from "./condition.js";
import { EVENT } from "./event.js";
import { BARRIER } from "./barrier.js";
import { LATCH } from "./latch.js";
import { ONCE } from "./once.js";
import { FLAG } from "./flag.js";
import { DIRECTORY_ENTRY, PAGE_MAP_ENTRY } from "./heap.js";
import { COUNTER, LOCK, MUTEX, MUTEX_WAITER } from "./lock.js";
import { LOCK_MANAGER, LOCK_REQUEST } from "./lock-manager.js";
import { DEATH_RECORD, MEMBER_SLOT } from "./member-slot.js";
import { MONITOR } from "./monitor.js";
import { LEASE_SLOT, PIPE, RECORD } from "./pipe.js";
import { RATE_LIMITER } from "./rate-limiter.js";
import { RWLOCK, RWLOCK_READER } from "./rwlock.js";
import { SEGMENT_POOL } from "./segment-pool.js";
import { SEMAPHORE, SEMAPHORE_MEMBER } from "./semaphore.js";
import { REGION_HEADER } from "./region-header.js";
import { WAIT_TIME } from "./wait-time.js";

/** Every shared structure, in the order of the layout document. */
export const STRUCTS: readonly Struct[] = [
  REGION_HEADER,
  MEMBER_SLOT,
  DEATH_RECORD,
  LOCK,
  WAIT_TIME,
  PAGE_MAP_ENTRY,
  DIRECTORY_ENTRY,
  PIPE,
  LEASE_SLOT,
  RECORD,
  COUNTER,
  MUTEX,
  MUTEX_WAITER,
  MONITOR,
  SEMAPHORE,
  SEMAPHORE_MEMBER,
  CONDITION,
  RWLOCK,
  RWLOCK_READER,
  LOCK_MANAGER,
  LOCK_REQUEST,
  EVENT,
  BARRIER,
  LATCH,
  ONCE,
  FLAG,
  RATE_LIMITER,
  SEGMENT_POOL,
  COMPOSITE,
].map((declared) => declared.struct);
