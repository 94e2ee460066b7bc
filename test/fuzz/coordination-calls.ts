/** Calls on the objects by which members wait for each other. */
import {
  part,
  ShmkitError,
  type Barrier,
  type Composite,
  type Condition,
  type Flag,
  type Latch,
  type Mutex,
  type Once,
  type RateLimiter,
  type Region,
  type RwLock,
  type SegmentPool,
  type Semaphore,
  type SharedEvent,
} from "shmkit";

/** Every call that may wait: what is damaged may never come about. */
export const soon = { timeoutMs: 3 } as const;

/** What a member has open of them. */
export interface Coordination {
  readonly condition: Condition;
  /** Of the condition. */
  readonly gate: Mutex;
  readonly semaphore: Semaphore;
  readonly event: SharedEvent;
  readonly pulse: SharedEvent;
  readonly barrier: Barrier;
  readonly latch: Latch;
  readonly once: Once;
  readonly flag: Flag;
  readonly composite: Composite<typeof PARTS>;
  readonly rwlock: RwLock;
  readonly limiter: RateLimiter;
  readonly pool: SegmentPool;
}

const PARTS = { lock: part.mutex({ words: 1 }), changed: part.condition(), times: part.counter() };

export async function openCoordination(region: Region): Promise<Coordination> {
  return {
    condition: await region.condition("condition", soon),
    gate: await region.mutex("gate", soon),
    semaphore: await region.semaphore("semaphore", { permits: 3, ...soon }),
    event: await region.event("event", soon),
    pulse: await region.event("pulse", { manualReset: false, ...soon }),
    barrier: await region.barrier("barrier", { parties: 2, ...soon }),
    latch: await region.latch("latch", { count: 1000, ...soon }),
    once: await region.doOnce("once", soon),
    flag: await region.flag("flag", soon),
    composite: await region.composite("composite", PARTS, soon),
    rwlock: await region.rwlock("rwlock", soon),
    limiter: await region.rateLimiter("limiter", { tokens: 1000, intervalMs: 1000, ...soon }),
    pool: await region.segmentPool("pool", { segments: 4, segmentBytes: 64, ...soon }),
  };
}

/** What a wait for the mutex does after a while, twice: it walks from owner to owner through what may be damaged. */
export function lookForDeadlock(mutex: Mutex): void {
  for (let i = 0; i < 2; i++) {
    Object.assign(mutex["watch"], { nextLook: 0 });
    mutex["watch"].look(true);
  }
}

/** Each by its name for people. */
export function coordinationCalls(coordination: Coordination): Record<string, () => unknown> {
  const { condition, gate, semaphore, event, pulse, barrier, latch, once, flag, rwlock, limiter, pool } = coordination;
  const { parts } = coordination.composite;
  return {
    "lease a permit": async () => (await semaphore.acquire(soon)).release(),
    "post and wait": () => [semaphore.post(2), semaphore.waitSync(soon)],
    "semaphore's statistics": () => semaphore.statistics(),
    "set events": () => [event.set(), pulse.set(), event.isSet],
    "wait for an event": () => event.wait(soon),
    "wait for a pulse": () => pulse.wait(soon),
    "wait for a pulse blocking": () => pulse.waitSync(soon),
    "reset events": async () => [event.resetSync(soon), await pulse.reset(soon), pulse.tryWait()],
    "events' statistics": () => [event.statistics(), pulse.statistics()],
    "enrol at a barrier": () => barrier.enrol(soon),
    "wait at a barrier": () => barrier.wait(soon),
    "wait at a barrier blocking": () => [barrier.arriveSync(soon), barrier.waitSync(soon)],
    "barrier's statistics": () => barrier.statistics(),
    "count down": () => [latch.enrol(2), latch.countDown(), latch.remaining],
    "wait for a latch": () => latch.wait(soon),
    "wait for a latch blocking": () => [latch.tryWait(), latch.waitSync(soon)],
    "latch's statistics": () => latch.statistics(),
    "do once": () => once.run(async () => new Uint8Array(300), soon),
    "do once blocking": () =>
      once.runSync(() => {
        throw new ShmkitError("ERR_TIMEOUT", "not yet");
      }, soon),
    "once's statistics": () => once.statistics(),
    "flag's statistics": () => flag.statistics(),
    "set a flag": async () => [await flag.set(soon), flag.testAndSetSync(soon), flag.value],
    "clear a flag": async () => [await flag.clear(soon), await flag.testAndSet(soon), flag.clearSync(soon)],
    "wait for a flag": () => flag.waitFor(true, soon),
    "wait for a flag blocking": () => flag.waitForSync(true, soon),
    "use the parts of a composite": async () => {
      using guard = await parts.lock.lock(soon);
      guard.set(0, 1);
      parts.changed.notifyAll();
      parts.times.addSync(1, soon);
    },
    "lock for reading": async () => (await rwlock.lockShared(soon)).release(),
    "lock for reading blocking": () => [rwlock.lockSharedSync(soon), rwlock.tryLockShared()?.release()],
    "lock for writing": async () => (await rwlock.lock(soon)).release(),
    "lock, upgrade and downgrade": () => {
      using guard = rwlock.lockUpgradableSync(soon);
      guard.upgradeSync(soon);
      guard.downgrade("shared");
    },
    "rwlock's statistics": () => rwlock.statistics(),
    "take tokens": () => limiter.take(3, soon),
    "take tokens blocking": () => [limiter.tryTake(), limiter.takeSync(2, soon)],
    "acquire a segment": async () => {
      using segment = await pool.acquire(soon);
      segment.bytes.fill(1);
    },
    "hand a segment over": () => {
      const ticket = pool.acquireSync(soon).handOver();
      pool.takeOver(ticket).release();
    },
    "wait for a segment to come back": async () => {
      const ticket = (await pool.acquire(soon)).handOver();
      await pool.takeBack(ticket, soon).finally(() => pool.abandon(ticket));
    },
    "pool's statistics": () => pool.statistics(),
    "limiter's statistics": () => limiter.statistics(),
    "wait for a condition": async () => {
      using guard = await gate.lock(soon);
      await condition.wait(guard, { ...soon, relockTimeoutMs: 3 });
    },
    "wait for a condition blocking": () => {
      using guard = gate.lockSync(soon);
      condition.waitForSync(guard, () => false, { ...soon, relockTimeoutMs: 3 });
    },
    "look for a deadlock": () => lookForDeadlock(gate),
    "notify one": () => condition.notifyOne(),
    "notify all": () => condition.notifyAll(),
    "condition's statistics": () => condition.statistics(),
  };
}

/** Gives everything up. */
export function endCoordination(coordination: Coordination): void {
  for (const object of Object.values(coordination) as Mutex[]) object.detach();
}
