import { EventEmitter } from "node:events";
import { INSPECTED, shown } from "../base/inspection.js";
import { ShmkitError } from "../base/errors.js";
import { onlyWaitOptions, type WaitOptions } from "../base/deadline.js";
import type { Pipe } from "../channels/pipe.js";
import type { PipeHandleOptions, PipeOptions } from "../channels/pipe-options.js";
import type { ObjectRef } from "../heap/object-plan.js";
import type { NamedObject, ObjectContext } from "../heap/named-object.js";
import type { MemberDeath } from "../members/deaths.js";
import { BLOCKED } from "../members/member.js";
import type { Waitable } from "../members/waits.js";
import type { Barrier, BarrierOptions } from "../sync/barrier.js";
import type { Condition } from "../sync/condition.js";
import type { EventOptions, SharedEvent } from "../sync/event.js";
import type { Flag } from "../sync/flag.js";
import type { Latch, LatchOptions } from "../sync/latch.js";
import { LockManager, type LockTableSource } from "../sync/lock-manager.js";
import { LOCKS_NAME, locksPlan, LockTable } from "../sync/lock-table.js";
import type { Mutex, MutexOptions } from "../sync/mutex.js";
import type { Once } from "../sync/once.js";
import type { RateLimiter, RateLimiterOptions } from "../sync/rate-limiter.js";
import type { RwLock } from "../sync/rwlock.js";
import type { Semaphore, SemaphoreOptions } from "../sync/semaphore.js";
import type { Counter } from "../values/counter.js";
import type { SegmentPool, SegmentPoolOptions } from "../values/segment-pool.js";
import { Collection, type CollectionHost } from "./collection.js";
import { COMPOSITE_FACE, type Composite, type CompositeCollection } from "./composite.js";
import {
  FACES,
  type ConditionOptions,
  type CounterOptions,
  type FlagOptions,
  type KindFace,
  type OnceOptions,
  type RwLockOptions,
} from "./kind-faces.js";
import type { Membership } from "./membership.js";
import type { PartPlans } from "./part.js";
import type { PipeCollection } from "./pipe-collection.js";

/** Events of a region, with the arguments of their listeners. */
export interface RegionEvents {
  /** A member died and was recovered: who, what it was doing, and whether that took effect. Once for each death. */
  memberDied: [death: MemberDeath];
}

/** Names of the collections of a region. */
export const COLLECTIONS = [
  "pipes",
  "counters",
  "mutexes",
  "semaphores",
  "conditions",
  "rwlocks",
  "locks",
  "events",
  "barriers",
  "latches",
  "onces",
  "flags",
  "rateLimiters",
  "segmentPools",
  "composites",
] as const satisfies readonly (keyof RegionObjects)[];

/** What is in an attached region: a collection for each kind of object, and the short forms of opening one. */
export class RegionObjects extends EventEmitter<RegionEvents> {
  /** Its name, as given to `open`. */
  readonly name: string;
  /** Named pipes: `create`, `open`, `openOrCreate`, `remove`, `list`. */
  readonly pipes: PipeCollection;
  /** Named counters. */
  readonly counters: Collection<CounterOptions, Counter>;
  /** Named mutexes. */
  readonly mutexes: Collection<MutexOptions, Mutex>;
  /** Named semaphores. */
  readonly semaphores: Collection<SemaphoreOptions, Semaphore>;
  /** Named conditions. */
  readonly conditions: Collection<ConditionOptions, Condition>;
  /** Named readers–writer locks. */
  readonly rwlocks: Collection<RwLockOptions, RwLock>;
  /**
   * The named locks of the region, with the interface of Web Locks: what `navigator.locks` is to a page. Made at the first
   * request.
   */
  readonly locks: LockManager;
  /** Named events. */
  readonly events: Collection<EventOptions, SharedEvent>;
  /** Named barriers. */
  readonly barriers: Collection<BarrierOptions, Barrier>;
  /** Named latches. */
  readonly latches: Collection<LatchOptions, Latch>;
  /** Named things that are done once. */
  readonly onces: Collection<OnceOptions, Once>;
  /** Named flags. */
  readonly flags: Collection<FlagOptions, Flag>;
  /** Named rate limiters. */
  readonly rateLimiters: Collection<RateLimiterOptions, RateLimiter>;
  /** Named segment pools. */
  readonly segmentPools: Collection<SegmentPoolOptions, SegmentPool>;
  /** Composites: several objects under one name. */
  readonly composites: CompositeCollection;
  private readonly lockTables: LockTableSource;
  protected readonly membership: Membership;
  private readonly handles = new Map<string, NamedObject>();

  protected constructor(name: string, membership: Membership) {
    super();
    this.name = name;
    this.membership = membership;
    const { member, heap, directory, waits, recovery } = membership;
    recovery.onOwnLost = (entry) => {
      for (const object of this.handles.values()) if (object.ref.entry === entry) object.forgetHeld();
    };
    const forget = (object: NamedObject): unknown => this.handles.delete(keyOf(object.ref));
    const handle: ObjectContext["handle"] = (ref, make) => this.handle(ref, make);
    const context: ObjectContext = { member, heap, directory, waits, forget, handle };
    const host: CollectionHost = { context, check: () => member.checkUsable() };
    const collection = <Options extends object, O extends NamedObject>(
      face: KindFace<Options, O>,
    ): Collection<Options, O> => new Collection(host, face);
    this.pipes = collection(FACES.pipe) as PipeCollection;
    this.counters = collection(FACES.counter);
    this.mutexes = collection(FACES.mutex);
    this.semaphores = collection(FACES.semaphore);
    this.conditions = collection(FACES.condition);
    this.rwlocks = collection(FACES.rwlock);
    this.events = collection(FACES.event);
    this.barriers = collection(FACES.barrier);
    this.latches = collection(FACES.latch);
    this.onces = collection(FACES.once);
    this.flags = collection(FACES.flag);
    this.rateLimiters = collection(FACES.rateLimiter);
    this.segmentPools = collection(FACES.segmentPool);
    this.composites = collection(COMPOSITE_FACE) as CompositeCollection;
    this.lockTables = lockTableSource(host);
    this.locks = LockManager.over(this.lockTables);
  }

  /** @internal */
  [INSPECTED](): string {
    return shown(this, this.name, this.membership.member.closed ? "closed" : "");
  }

  /** The one handle of an object that this region handle gives. */
  private handle<O extends NamedObject>(ref: ObjectRef, make: () => O): O {
    const known = this.handles.get(keyOf(ref));
    if (known !== undefined) {
      // Otherwise another kind's handle would be taken for one of this.
      if (known.ref.kind === ref.kind) return known as O;
      throw new ShmkitError("ERR_CORRUPT", `${this.name}/${ref.name} has changed its kind; remove the region`, {
        path: this.name,
      });
    }
    const made = make();
    this.handles.set(keyOf(ref), made);
    return made;
  }

  /** The region is left: nothing is known under its name any more. */
  protected forgetHandles(): void {
    this.handles.clear();
  }

  /**
   * Opens a pipe, or makes it: any process may be first. Shorthand for `pipes.openOrCreate`. `T` is what its messages are,
   * which nothing checks at run time; with a `codec` it is what that encodes and decodes.
   * @throws as {@link Collection.openOrCreate}
   * @example
   * ```ts
   * import { float64, open, string, struct } from "shmkit";
   *
   * const Reading = struct({ sensor: string(8), value: float64 });
   * const app = await open("api-codec");
   * const readings = await app.pipe("readings", { codec: Reading });
   * await readings.send({ sensor: "boiler", value: 71.5 }); // 16 bytes, as C and Python have them
   * console.log((await readings.receive()).value); // 71.5
   * await app.close();
   * ```
   */
  pipe<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Promise<Pipe<T>> {
    return this.pipes.openOrCreate<T>(name, options);
  }
  /** {@link pipe}, blocking the thread. */
  pipeSync<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Pipe<T> {
    return this.pipes.openOrCreateSync<T>(name, options);
  }

  /** Opens a counter, or makes it with value 0. Shorthand for `counters.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  counter(name: string, options?: WaitOptions): Promise<Counter> {
    return this.counters.openOrCreate(name, options);
  }
  /** {@link counter}, blocking the thread. */
  counterSync(name: string, options?: WaitOptions): Counter {
    return this.counters.openOrCreateSync(name, options);
  }

  /** Opens a mutex, or makes it. Shorthand for `mutexes.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  mutex(name: string, options?: MutexOptions & WaitOptions): Promise<Mutex> {
    return this.mutexes.openOrCreate(name, options);
  }
  /** {@link mutex}, blocking the thread. */
  mutexSync(name: string, options?: MutexOptions & WaitOptions): Mutex {
    return this.mutexes.openOrCreateSync(name, options);
  }

  /** Opens a semaphore, or makes it. Shorthand for `semaphores.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  semaphore(name: string, options?: SemaphoreOptions & WaitOptions): Promise<Semaphore> {
    return this.semaphores.openOrCreate(name, options);
  }
  /** {@link semaphore}, blocking the thread. */
  semaphoreSync(name: string, options?: SemaphoreOptions & WaitOptions): Semaphore {
    return this.semaphores.openOrCreateSync(name, options);
  }

  /** Opens a condition, or makes it. Shorthand for `conditions.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  condition(name: string, options?: WaitOptions): Promise<Condition> {
    return this.conditions.openOrCreate(name, options);
  }
  /** {@link condition}, blocking the thread. */
  conditionSync(name: string, options?: WaitOptions): Condition {
    return this.conditions.openOrCreateSync(name, options);
  }
  /** Opens a rate limiter, or makes it. Shorthand for `rateLimiters.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  rateLimiter(name: string, options?: RateLimiterOptions & WaitOptions): Promise<RateLimiter> {
    return this.rateLimiters.openOrCreate(name, options);
  }
  /** {@link rateLimiter}, blocking the thread. */
  rateLimiterSync(name: string, options?: RateLimiterOptions & WaitOptions): RateLimiter {
    return this.rateLimiters.openOrCreateSync(name, options);
  }

  /** Opens a segment pool, or makes it. Shorthand for `segmentPools.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  segmentPool(name: string, options?: SegmentPoolOptions & WaitOptions): Promise<SegmentPool> {
    return this.segmentPools.openOrCreate(name, options);
  }
  /** {@link segmentPool}, blocking the thread. */
  segmentPoolSync(name: string, options?: SegmentPoolOptions & WaitOptions): SegmentPool {
    return this.segmentPools.openOrCreateSync(name, options);
  }

  /** Opens a readers–writer lock, or makes it. Shorthand for `rwlocks.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  rwlock(name: string, options?: WaitOptions): Promise<RwLock> {
    return this.rwlocks.openOrCreate(name, options);
  }
  /** {@link rwlock}, blocking the thread. */
  rwlockSync(name: string, options?: WaitOptions): RwLock {
    return this.rwlocks.openOrCreateSync(name, options);
  }

  /** Opens an event, or makes it. Shorthand for `events.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  event(name: string, options?: EventOptions & WaitOptions): Promise<SharedEvent> {
    return this.events.openOrCreate(name, options);
  }
  /** {@link event}, blocking the thread. */
  eventSync(name: string, options?: EventOptions & WaitOptions): SharedEvent {
    return this.events.openOrCreateSync(name, options);
  }

  /** Opens a barrier, or makes it. Shorthand for `barriers.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  barrier(name: string, options?: BarrierOptions & WaitOptions): Promise<Barrier> {
    return this.barriers.openOrCreate(name, options);
  }
  /** {@link barrier}, blocking the thread. */
  barrierSync(name: string, options?: BarrierOptions & WaitOptions): Barrier {
    return this.barriers.openOrCreateSync(name, options);
  }

  /** Opens a latch, or makes it. Shorthand for `latches.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  latch(name: string, options?: LatchOptions & WaitOptions): Promise<Latch> {
    return this.latches.openOrCreate(name, options);
  }
  /** {@link latch}, blocking the thread. */
  latchSync(name: string, options?: LatchOptions & WaitOptions): Latch {
    return this.latches.openOrCreateSync(name, options);
  }

  /** Opens something to be done once, or makes it. Shorthand for `onces.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  doOnce(name: string, options?: WaitOptions): Promise<Once> {
    return this.onces.openOrCreate(name, options);
  }
  /** {@link doOnce}, blocking the thread. */
  doOnceSync(name: string, options?: WaitOptions): Once {
    return this.onces.openOrCreateSync(name, options);
  }

  /** Opens a flag, or makes it. Shorthand for `flags.openOrCreate`. @throws as {@link Collection.openOrCreate} */
  flag(name: string, options?: WaitOptions): Promise<Flag> {
    return this.flags.openOrCreate(name, options);
  }
  /** {@link flag}, blocking the thread. */
  flagSync(name: string, options?: WaitOptions): Flag {
    return this.flags.openOrCreateSync(name, options);
  }

  /**
   * Opens several objects as one, or makes them: all or none. Shorthand for `composites.openOrCreate`. What parts it has is
   * compared. @throws as {@link Collection.openOrCreate}, and ERR_EXISTS (an object has the name of a part)
   */
  async composite<P extends PartPlans>(name: string, parts: P, options?: WaitOptions): Promise<Composite<P>> {
    return this.composites.openOrCreate<P>(name, { ...onlyWaitOptions(options, "composite"), parts });
  }
  /** {@link composite}, blocking the thread. */
  compositeSync<P extends PartPlans>(name: string, parts: P, options?: WaitOptions): Composite<P> {
    return this.composites.openOrCreateSync<P>(name, { ...onlyWaitOptions(options, "compositeSync"), parts });
  }
}

const keyOf = (ref: ObjectRef): string => `${ref.entry}:${ref.generation}`;

function lockTableSource(host: CollectionHost): LockTableSource {
  const { directory, waits } = host.context;
  const make = (ref: ObjectRef): LockTable => host.context.handle(ref, () => new LockTable(host.context, ref));
  const opening = (): Waitable<LockTable> => {
    host.check();
    return directory.opening(LOCKS_NAME, locksPlan(), "openOrCreate", false, make);
  };
  return {
    tryOpen: () => {
      const table = waits.try(opening());
      return table === BLOCKED ? undefined : table;
    },
    open: async () => waits.async(opening(), undefined),
  };
}
