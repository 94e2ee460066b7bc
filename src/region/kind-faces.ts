import { Pipe } from "../channels/pipe.js";
import { pipePlan, type PipeHandleOptions, type PipeOptions } from "../channels/pipe-options.js";
import type { OpenMode } from "../heap/directory.js";
import type { ObjectPlan, ObjectRef } from "../heap/object-plan.js";
import type { NamedObject, ObjectContext } from "../heap/named-object.js";
import type { Kind } from "../layout/heap.js";
import type { Member } from "../members/member.js";
import { Barrier, barrierPlan, type BarrierOptions } from "../sync/barrier.js";
import { Condition, conditionPlan } from "../sync/condition.js";
import { SharedEvent, eventPlan, type EventOptions } from "../sync/event.js";
import { Flag, flagPlan } from "../sync/flag.js";
import { Latch, latchPlan, type LatchOptions } from "../sync/latch.js";
import { Mutex, MUTEX_OPTIONS, mutexPlan, type MutexOptions } from "../sync/mutex.js";
import { Once, oncePlan } from "../sync/once.js";
import { RateLimiter, rateLimiterPlan, type RateLimiterOptions } from "../sync/rate-limiter.js";
import { RwLock, rwlockPlan } from "../sync/rwlock.js";
import { Semaphore, semaphorePlan, type SemaphoreOptions } from "../sync/semaphore.js";
import { Counter, counterPlan } from "../values/counter.js";
import { SegmentPool, segmentPoolPlan, type SegmentPoolOptions } from "../values/segment-pool.js";

/** Options of a {@link Counter}: none yet. */
export type CounterOptions = Record<never, never>;

/** Options of a {@link Condition}: none yet. */
export type ConditionOptions = Record<never, never>;
/** Options of a {@link RwLock}: none yet. */
export type RwLockOptions = Record<never, never>;

/** Options of a {@link Once}: none yet. */
export type OnceOptions = Record<never, never>;

/** Options of a {@link Flag}: none yet. */
export type FlagOptions = Record<never, never>;

/** How one kind of object is planned and made. */
export interface KindFace<Options extends object, O extends NamedObject> {
  readonly kind: Kind;
  readonly optionNames: readonly string[];
  /** Those among them that a handle has and not the object: also for opening what exists. */
  readonly handleOptionNames: readonly string[];
  readonly plan: (member: Member, options: Options, mode: OpenMode) => ObjectPlan;
  readonly make: new (context: ObjectContext, ref: ObjectRef, options: Options) => O;
}

export const face = <Options extends object, O extends NamedObject>(
  kind: Kind,
  make: KindFace<Options, O>["make"],
  plan: KindFace<Options, O>["plan"],
  optionNames: readonly string[] = [],
  handleOptionNames: readonly string[] = [],
): KindFace<Options, O> => ({
  kind,
  optionNames: [...optionNames, ...handleOptionNames],
  handleOptionNames,
  plan,
  make,
});

/** Every kind that users make by name, one collection each; composites are made of these. */
export const FACES = {
  pipe: face<PipeOptions & PipeHandleOptions, Pipe>("pipe", Pipe, pipePlan, ["capacity", "maxLeased"], ["codec"]),
  counter: face<CounterOptions, Counter>("counter", Counter, counterPlan),
  mutex: face<MutexOptions, Mutex>("mutex", Mutex, mutexPlan, MUTEX_OPTIONS),
  semaphore: face<SemaphoreOptions, Semaphore>("semaphore", Semaphore, semaphorePlan, ["permits"]),
  condition: face<ConditionOptions, Condition>("condition", Condition, conditionPlan),
  rwlock: face<RwLockOptions, RwLock>("rwlock", RwLock, rwlockPlan),
  event: face<EventOptions, SharedEvent>("event", SharedEvent, eventPlan, ["manualReset", "set"]),
  barrier: face<BarrierOptions, Barrier>("barrier", Barrier, barrierPlan, ["parties"]),
  latch: face<LatchOptions, Latch>("latch", Latch, latchPlan, ["count"]),
  once: face<OnceOptions, Once>("once", Once, oncePlan),
  flag: face<FlagOptions, Flag>("flag", Flag, flagPlan),
  rateLimiter: face<RateLimiterOptions, RateLimiter>("rate-limiter", RateLimiter, rateLimiterPlan, [
    "tokens",
    "intervalMs",
    "burst",
  ]),
  segmentPool: face<SegmentPoolOptions, SegmentPool>("segment-pool", SegmentPool, segmentPoolPlan, [
    "segments",
    "segmentBytes",
  ]),
};
