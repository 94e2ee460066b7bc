/** Operations on counters and mutexes. */
import assert from "node:assert/strict";
import type { Counter, Mutex, MutexGuard } from "shmkit";
import { COUNTER, LOCK, MUTEX } from "#src/layout/lock.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { passTime, whileParked } from "../instruments/system.js";
import { handSignal, ignore, refuses } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

const SMALL: WorldKind = { options: { size: "128KiB", maxSize: "128KiB" } };

// Counters.

const TALLY = "tally";

class CounterStage {
  readonly mine: Counter;
  readonly others: Counter;
  private readonly base: number;

  constructor(
    readonly world: World,
    readonly value: bigint,
  ) {
    const { first, victim } = world;
    this.others = first.do(() => first.region.counters.createSync(TALLY));
    first.do(() => this.others.setSync(value));
    this.mine = victim.do(() => victim.region.counters.openSync(TALLY));
    this.base = this.others.ref.page * PAGE_BYTES;
  }

  hold(): () => void {
    return this.world.hold((this.base + COUNTER.at.lock) >> 2);
  }

  /** Old or new, nothing else. */
  effect(witness: Actor, after: bigint): boolean | undefined {
    const { value } = witness.region.counters.openSync(TALLY);
    assert.ok(value === this.value || value === after, `${value} is neither ${this.value} nor ${after}`);
    return this.value === after ? undefined : value === after;
  }
}

function onCounter(
  name: string,
  covers: readonly string[],
  value: bigint,
  prepare: (stage: CounterStage) => Scene,
): CrashOperation {
  return operation(`counter ${name}`, covers, SMALL, (world) => prepare(new CounterStage(world, value)));
}

const updates = (stage: CounterStage, after: bigint, act: () => unknown, more: Partial<Scene> = {}): Scene => ({
  act: () => void act(),
  claims: ["counter.update"],
  object: TALLY,
  effect: (witness) => stage.effect(witness, after),
  ...more,
});

const untouched = (stage: CounterStage, act: () => unknown, more: Partial<Scene> = {}): Scene => ({
  ...updates(stage, stage.value, act, more),
  claims: [],
});

const COUNTERS: CrashOperation[] = [
  onCounter("add", ["Counter.addSync"], 41n, (stage) =>
    updates(stage, 42n, () => assert.equal(stage.mine.addSync(), 42n)),
  ),
  onCounter("add asynchronously", ["Counter.add"], 41n, (stage) =>
    updates(stage, 31n, () => ignore(stage.mine.add(-10))),
  ),
  onCounter("add across the half and the end", ["Counter.addSync"], 2n ** 63n - 1n, (stage) =>
    updates(stage, -(2n ** 63n), () => stage.mine.addSync(1)),
  ),
  onCounter("add nothing", ["Counter.addSync"], 41n, (stage) => updates(stage, 41n, () => stage.mine.addSync(0))),
  onCounter("subtract", ["Counter.subSync", "Counter.sub"], 41n, (stage) =>
    updates(stage, 40n, () => assert.equal(stage.mine.subSync(), 40n)),
  ),
  onCounter("exchange", ["Counter.exchangeSync", "Counter.exchange"], 41n, (stage) =>
    updates(stage, 7n, () => assert.equal(stage.mine.exchangeSync(7), 41n)),
  ),
  onCounter("compare and exchange", ["Counter.compareExchangeSync", "Counter.compareExchange"], 41n, (stage) =>
    updates(stage, 7n, () => assert.equal(stage.mine.compareExchangeSync(41, 7), 41n)),
  ),
  onCounter("set", ["Counter.setSync"], -1n, (stage) => updates(stage, 2n ** 40n, () => stage.mine.setSync(2n ** 40n))),
  onCounter("set asynchronously", ["Counter.set"], 7n, (stage) =>
    updates(stage, -7n, () => ignore(stage.mine.set(-7))),
  ),
  onCounter("add while another adds", ["Counter.addSync"], 41n, (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      whileParked(settle);
      stage.mine.addSync();
    };
    return updates(stage, 42n, act, { settle });
  }),
  onCounter("add until the deadline", ["Counter.addSync"], 41n, (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      const adds = (): void => refuses("ERR_TIMEOUT", () => stage.mine.addSync(1, { timeoutMs: 20 }));
      assert.ok(stage.world.ringsHolder(adds), "whoever holds it is asked to look after it");
    };
    return updates(stage, 42n, act, { settle, refused: true });
  }),
  onCounter("add asynchronously while another holds it for long", ["Counter.add"], 41n, (stage) => {
    const settle = stage.hold();
    const { victim } = stage.world;
    const act = (): void => {
      ignore(stage.mine.add());
      assert.ok(
        stage.world.ringsHolder(() => victim.membership.waits.drain(true)),
        "whoever holds it is asked to look after it",
      );
      settle();
      victim.bell();
    };
    return updates(stage, 42n, act, { settle, pending: true });
  }),
  onCounter("add blocking behind an asynchronous add", ["Counter.addSync"], 41n, (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      ignore(stage.mine.add());
      whileParked(settle);
      assert.equal(stage.mine.addSync(1, { timeoutMs: 500 }), 43n);
    };
    const effect = (witness: Actor): undefined => {
      const { value } = witness.region.counters.openSync(TALLY);
      assert.ok(value >= 41n && value <= 43n, `${value} after 41 and two additions of 1`);
    };
    return updates(stage, 43n, act, { settle, pending: true, effect });
  }),
  onCounter("add asynchronously while another adds", ["Counter.add"], 41n, (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      ignore(stage.mine.add());
      settle();
      stage.world.victim.bell();
    };
    return updates(stage, 42n, act, { settle, pending: true });
  }),
  onCounter("abort an add", ["Counter.add"], 41n, (stage) => {
    const settle = stage.hold();
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.add(1, { signal }));
      abort();
    };
    return updates(stage, 42n, act, { settle, pending: true, refused: true });
  }),
  onCounter("wait for a value", ["Counter.waitForSync"], 41n, (stage) => {
    const act = (): void => {
      whileParked(() => void stage.world.first.do(() => stage.others.setSync(41)));
      refuses("ERR_TIMEOUT", () => stage.mine.waitForSync(42, { timeoutMs: 120 }));
    };
    return untouched(stage, act);
  }),
  onCounter("wait asynchronously for a value", ["Counter.waitFor"], 41n, (stage) => {
    const act = (): void => {
      ignore(stage.mine.waitFor(50));
      ignore(stage.mine.waitFor(60, { timeoutMs: 5 }));
      if (!stage.world.victim.agent.isStopped) stage.world.first.do(() => stage.others.setSync(41));
      passTime(10);
      stage.world.victim.bell();
    };
    return untouched(stage, act, { pending: true });
  }),
];

// Mutexes.

const GATE = "gate";
const BEFORE = [1, -2, 3, 4];

/** A mutex whose words were committed once. */
class MutexStage {
  readonly mine: Mutex;
  readonly others: Mutex;
  private readonly base: number;

  constructor(
    readonly world: World,
    reentrant = false,
  ) {
    const { first, victim } = world;
    this.others = first.do(() => first.region.mutexes.createSync(GATE, { words: BEFORE.length, reentrant }));
    first.do(() => {
      const guard = this.others.tryLock()!;
      BEFORE.forEach((value, i) => guard.set(i, value));
      guard.release();
    });
    this.mine = victim.do(() => victim.region.mutexes.openSync(GATE));
    this.base = this.others.ref.page * PAGE_BYTES;
  }

  hold(): () => void {
    return this.world.hold((this.base + MUTEX.at.lock) >> 2);
  }

  /** As after the death of somebody who held it. */
  abandon(): this {
    this.world.words[(this.base + MUTEX.at.lock + LOCK.at.abandoned) >> 2] = 1;
    return this;
  }

  /** The victim has it. */
  held(): MutexGuard {
    return this.world.victim.do(() => this.mine.tryLock()!);
  }

  /** What the next owner finds. */
  next(witness: Actor): { words: number[]; abandoned: boolean; takeovers: number } {
    const mutex = witness.region.mutexes.openSync(GATE);
    const guard = mutex.tryLock();
    assert.ok(guard !== undefined, "the next one gets the mutex");
    const words = BEFORE.map((_, i) => guard.get(i));
    guard.release();
    return { words, abandoned: guard.abandoned, takeovers: mutex.takeovers };
  }
}

function onMutex(name: string, covers: readonly string[], prepare: (stage: MutexStage) => Scene): CrashOperation {
  return operation(`mutex ${name}`, covers, SMALL, (world) => prepare(new MutexStage(world)));
}

/** Locking: whoever died as the owner leaves the mutex abandoned, and its words as they were. */
function locks(stage: MutexStage, act: () => unknown, more: Partial<Scene> = {}): Scene {
  return {
    act: () => void act(),
    claims: ["mutex.lock"],
    object: GATE,
    effect: (witness) => {
      const { words, abandoned, takeovers } = stage.next(witness);
      assert.deepEqual(words, BEFORE);
      // A recoverer that died may have counted as well.
      assert.ok(abandoned ? takeovers >= 1 : takeovers === 0, `${takeovers} take-overs`);
      return abandoned;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      stage.mine.detach();
    },
    ...more,
  };
}

/** Acts of the owner: after them the words are as before, or as told. */
function owns(
  stage: MutexStage,
  after: readonly number[],
  act: (guard: MutexGuard) => void,
  more: Partial<Scene> = {},
  guard = stage.held(),
): Scene {
  return {
    act: () => act(guard),
    claims: [],
    object: GATE,
    effect: (witness) => {
      const { words, abandoned } = stage.next(witness);
      const isAfter = words.join() === after.join();
      assert.ok(isAfter || words.join() === BEFORE.join(), `the words are ${words.join()}`);
      const isAlive = witness.isAlive(stage.world.victim.slot);
      if (!isAfter && !isAlive) assert.ok(abandoned, "the next owner is told of what was undone");
      return isAfter && after === BEFORE ? undefined : isAfter;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      if (!stage.mine.isHeldBy(guard)) return;
      guard.rollback();
      guard.release();
    },
    ...more,
  };
}

const AFTER = [100, -2, 300, 4];
const change = (guard: MutexGuard): void => {
  guard.set(0, 100);
  guard.set(2, 200);
  guard.set(2, 300);
};

/** The same after it has changed words. */
function ownsChanged(
  stage: MutexStage,
  after: readonly number[],
  act: (guard: MutexGuard) => void,
  more: Partial<Scene> = {},
): Scene {
  const guard = stage.held();
  stage.world.victim.do(() => change(guard));
  return owns(stage, after, act, more, guard);
}

/** Locks, changes the words and releases, all in one call. */
function runs(stage: MutexStage, act: (change: (guard: MutexGuard) => void) => void): Scene {
  let held: MutexGuard | undefined;
  return {
    act: () =>
      act((guard) => {
        held = guard;
        change(guard);
      }),
    claims: [],
    object: GATE,
    effect: (witness) => {
      const words = stage.next(witness).words.join();
      assert.ok([BEFORE.join(), AFTER.join()].includes(words), `the words are ${words}`);
      return words === AFTER.join() ? true : undefined;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      if (held !== undefined && stage.mine.isHeldBy(held)) held.rollback();
      stage.mine.detach();
    },
  };
}

const RELEASES: Partial<Scene> = { claims: ["mutex.unlock"] };

/** The same of a re-entrant mutex. */
function onReentrant(name: string, covers: readonly string[], prepare: (stage: MutexStage) => Scene): CrashOperation {
  return operation(`re-entrant mutex ${name}`, covers, SMALL, (world) => prepare(new MutexStage(world, true)));
}

const MUTEXES: CrashOperation[] = [
  onMutex("lock", ["Mutex.tryLock"], (stage) => locks(stage, () => stage.mine.tryLock())),
  onMutex("lock, and once more when cut off", ["Mutex.lockSync"], (stage) => ({
    ...locks(stage, () => stage.mine.lockSync()),
    goOn: () => stage.mine.lockSync().release(),
  })),
  onMutex("lock blocking", ["Mutex.lockSync"], (stage) => locks(stage, () => stage.mine.lockSync())),
  onMutex("lock asynchronously", ["Mutex.lock"], (stage) => locks(stage, () => ignore(stage.mine.lock()))),
  onMutex("lock what was abandoned", ["Mutex.tryLock"], (stage) => {
    let isTold = false;
    const act = (): void => {
      isTold = stage.mine.tryLock()!.abandoned;
      assert.ok(isTold);
    };
    return {
      ...locks(stage.abandon(), act),
      effect: (witness) => {
        const { words, abandoned, takeovers } = stage.next(witness);
        assert.deepEqual(words, BEFORE);
        assert.ok(abandoned || (isTold && witness.isAlive(stage.world.victim.slot)), "somebody is told");
        return takeovers > 0;
      },
    };
  }),
  onMutex("lock while another holds it", ["Mutex.lockSync"], (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      whileParked(settle);
      stage.mine.lockSync();
    };
    return locks(stage, act, { settle });
  }),
  onMutex("lock until the deadline", ["Mutex.lockSync"], (stage) => {
    const settle = stage.hold();
    const act = (): void => refuses("ERR_TIMEOUT", () => stage.mine.lockSync({ timeoutMs: 20 }));
    return locks(stage, act, { settle, refused: true });
  }),
  onMutex("lock asynchronously while another holds it", ["Mutex.lock"], (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      ignore(stage.mine.lock());
      ignore(stage.mine.lock());
      settle();
      stage.world.victim.bell();
    };
    return locks(stage, act, { settle, pending: true });
  }),
  onMutex("abort a lock", ["Mutex.lock"], (stage) => {
    const settle = stage.hold();
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.lock({ signal }));
      abort();
    };
    return locks(stage, act, { settle, pending: true, refused: true });
  }),
  onMutex("set words", ["MutexGuard.set"], (stage) => owns(stage, BEFORE, change)),
  onMutex("commit", ["MutexGuard.commit"], (stage) => ownsChanged(stage, AFTER, (guard) => guard.commit())),
  onMutex("change after a commit", ["MutexGuard.set", "MutexGuard.commit"], (stage) =>
    ownsChanged(stage, AFTER, (guard) => {
      guard.commit();
      guard.set(1, 5);
      guard.set(0, 6);
    }),
  ),
  onMutex("roll back", ["MutexGuard.rollback"], (stage) => ownsChanged(stage, BEFORE, (guard) => guard.rollback())),
  onMutex("release", ["MutexGuard.release"], (stage) =>
    ownsChanged(stage, AFTER, (guard) => guard.release(), RELEASES),
  ),
  onMutex("release, and once more when cut off", ["MutexGuard.[Symbol.dispose]"], (stage) => {
    const guard = stage.held();
    const { first, victim } = stage.world;
    victim.do(() => change(guard));
    const goOn = (): void => {
      const { member, deaths } = victim.membership;
      let taken: MutexGuard | undefined;
      // Who is rung when the release is finished has the mutex before the second one goes on.
      member.onInterrupted = () => {
        deaths.recoverSelf();
        taken = first.do(() => stage.others.tryLock());
      };
      guard[Symbol.dispose]();
      member.onInterrupted = () => deaths.recoverSelf();
      touchMarker(victim);
      if (taken === undefined) return;
      assert.ok(stage.others.isHeldBy(taken), "it is the next one's");
      first.do(() => taken!.release());
    };
    return owns(stage, AFTER, () => guard[Symbol.dispose](), { ...RELEASES, mayBeVoid: true, goOn }, guard);
  }),
  onMutex("release unchanged", ["MutexGuard.release"], (stage) => owns(stage, BEFORE, (guard) => guard.release())),
  onMutex("dispose of a guard", ["MutexGuard.[Symbol.dispose]"], (stage) =>
    ownsChanged(stage, AFTER, (guard) => guard[Symbol.dispose](), { ...RELEASES, mayBeVoid: true }),
  ),
  onMutex("run", ["Mutex.runSync"], (stage) =>
    runs(stage, (change) => {
      stage.mine.runSync(change);
    }),
  ),
  onMutex("run asynchronously", ["Mutex.run"], (stage) => ({
    ...runs(stage, (change) => ignore(stage.mine.run(change))),
    pending: true,
    effect: (witness) => void stage.next(witness),
  })),
  onReentrant("lock again and release", ["Mutex.tryLock"], (stage) =>
    owns(stage, BEFORE, () => stage.mine.tryLock()!.release()),
  ),
  onReentrant("release all guards", ["MutexGuard.release"], (stage) => {
    const outer = stage.held();
    const inner = stage.held();
    stage.world.victim.do(() => change(inner));
    const act = (): void => {
      outer.release();
      inner.release();
    };
    const goOn = (): void => {
      touchMarker(stage.world.victim);
      if (stage.mine.isHeldBy(inner)) inner.rollback();
      for (const guard of [inner, outer]) if (stage.mine.isHeldBy(guard)) guard.release();
    };
    return owns(stage, AFTER, act, { ...RELEASES, goOn }, inner);
  }),
  onMutex("give up the handle of what is held", ["Mutex.detach"], (stage) => ({
    ...ownsChanged(stage, AFTER, () => stage.mine.detach(), RELEASES),
    claims: [],
  })),
];

export const VALUE_OPERATIONS: readonly CrashOperation[] = [...COUNTERS, ...MUTEXES];
