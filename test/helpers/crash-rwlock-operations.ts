/** Operations on readers–writer locks. */
import assert from "node:assert/strict";
import type { RwLock, RwLockGuard } from "shmkit";
import { LOCK } from "#src/layout/lock.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { whileParked } from "../instruments/system.js";
import { handSignal, ignore, refuses } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

const SMALL: WorldKind = { options: { size: "128KiB", maxSize: "128KiB" } };
const GATE = "gate";

class Stage {
  readonly mine: RwLock;
  readonly others: RwLock;

  constructor(readonly world: World) {
    const { other } = this;
    this.others = other.do(() => other.region.rwlocks.createSync(GATE));
    this.mine = world.victim.do(() => world.victim.region.rwlocks.openSync(GATE));
  }

  /** Who lives to the end. */
  get other(): Actor {
    return this.world.actors.at(-1)!;
  }

  /** As after the death of somebody who wrote. */
  abandon(): this {
    this.world.words[(this.others.ref.page * PAGE_BYTES + LOCK.at.abandoned) >> 2] = 1;
    return this;
  }

  /** Somebody else has it; the result gives it back. */
  taken(how: "tryLock" | "tryLockShared" | "tryLockUpgradable"): () => void {
    const guard = this.other.do(() => this.others[how]()!);
    return () => this.other.do(() => guard[Symbol.dispose]());
  }

  mineIs(how: "tryLock" | "tryLockShared" | "tryLockUpgradable"): RwLockGuard {
    return this.world.victim.do(() => this.mine[how]()!);
  }

  get isVictimStopped(): boolean {
    return this.world.victim.agent.isStopped;
  }
}

const on = (name: string, covers: readonly string[], prepare: (stage: Stage) => Scene): CrashOperation =>
  operation(`rwlock ${name}`, covers, SMALL, (world) => prepare(new Stage(world)));

/** Whatever the victim had is given back: the next one writes, and is told if the victim died doing so. */
function scene(stage: Stage, act: () => unknown, more: Partial<Scene> = {}): Scene {
  return {
    act: () => void act(),
    claims: ["rwlock.lock"],
    object: GATE,
    effect: (witness) => {
      const { slot } = stage.world.victim;
      const isAlive = witness.isAlive(slot);
      const lock = witness.region.rwlocks.openSync(GATE);
      const { readers, writer, owner, waitingReaders, waitingWriters, takeovers } = lock.statistics();
      assert.deepEqual(
        { readers, writer, owner, waitingReaders, waitingWriters },
        {
          readers: [],
          writer: undefined,
          owner: undefined,
          waitingReaders: [],
          waitingWriters: [],
        },
      );
      const guard = lock.tryLock();
      assert.ok(guard !== undefined, "the next one may write");
      guard.release();
      assert.ok(guard.abandoned ? takeovers >= 1 && !isAlive : takeovers === 0, `${takeovers} take-overs`);
      return guard.abandoned ? true : undefined;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      stage.mine.detach();
    },
    ...more,
  };
}

/** Others wait while it gives back: they go on. */
function whileOthersWait(stage: Stage, act: () => unknown, more: Partial<Scene> = {}): Scene {
  const { other } = stage;
  other.do(() => {
    ignore(stage.others.lockShared());
    ignore(stage.others.lock());
  });
  const effect = (witness: Actor): undefined => {
    other.do(() => other.bell());
    const { readers, writer } = witness.region.rwlocks.openSync(GATE).statistics();
    const { slot } = other;
    assert.ok(writer === slot || readers.some((reader) => reader.slot === slot), "who waited has it");
    other.do(() => stage.others.detach());
  };
  return scene(stage, act, { pending: true, effect, claims: ["rwlock.unlock"], ...more });
}

/** Behind the store that frees the lock only its own books change: it is cut off there, too. */
const GIVING_UP: CrashOperation = {
  ...on("abort writing, and give the handle up when cut off", ["RwLock.lock"], (stage) => {
    const settle = stage.taken("tryLockShared");
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.lock({ signal }));
      if (!stage.isVictimStopped) abort();
    };
    // What was given back before the cut is somebody else's by then.
    const goOn = (): void => {
      const next = stage.other.do(() => stage.others.tryLock());
      stage.mine.detach();
      if (next === undefined) return;
      assert.equal(stage.others.statistics().writer, stage.other.slot);
      stage.other.do(() => next.release());
    };
    return scene(stage, act, { settle, refused: true, goOn });
  }),
  isCutEverywhere: true,
};

const LOCKING: CrashOperation[] = [
  on("read", ["RwLock.tryLockShared"], (stage) => scene(stage, () => assert.ok(stage.mine.tryLockShared()))),
  on("read blocking", ["RwLock.lockSharedSync"], (stage) => scene(stage, () => stage.mine.lockSharedSync())),
  on("read asynchronously", ["RwLock.lockShared"], (stage) => scene(stage, () => ignore(stage.mine.lockShared()))),
  on("read what is written", ["RwLock.tryLockShared"], (stage) => {
    const settle = stage.taken("tryLock");
    return scene(stage, () => assert.equal(stage.mine.tryLockShared(), undefined), { settle, refused: true });
  }),
  on("read when the writer has gone", ["RwLock.lockSharedSync"], (stage) => {
    const settle = stage.taken("tryLock");
    const act = (): void => {
      whileParked(settle);
      stage.mine.lockSharedSync();
    };
    return scene(stage, act, { settle, pending: true });
  }),
  on("read asynchronously when the writer has gone", ["RwLock.lockShared"], (stage) => {
    const settle = stage.taken("tryLock");
    const act = (): void => {
      ignore(stage.mine.lockShared());
      ignore(stage.mine.lockShared());
      if (!stage.isVictimStopped) settle();
      stage.world.victim.bell();
    };
    return scene(stage, act, { settle, pending: true });
  }),
  on("write", ["RwLock.tryLock"], (stage) => scene(stage, () => assert.ok(stage.mine.tryLock()))),
  on("write what was abandoned", ["RwLock.tryLock"], (stage) => {
    let isTold = false;
    const act = (): void => {
      isTold = stage.abandon().mine.tryLock()!.abandoned;
      assert.ok(isTold);
    };
    const effect = (witness: Actor): undefined => {
      const guard = witness.region.rwlocks.openSync(GATE).tryLock()!;
      guard.release();
      assert.ok(guard.abandoned || (isTold && witness.isAlive(stage.world.victim.slot)), "somebody is told");
    };
    return scene(stage, act, { effect });
  }),
  on("upgrade to what was abandoned", ["RwLockGuard.tryUpgrade"], (stage) => {
    const guard = stage.abandon().mineIs("tryLockUpgradable");
    let isTold = false;
    const act = (): void => {
      assert.equal(guard.tryUpgrade(), true);
      isTold = guard.abandoned;
      assert.ok(isTold);
    };
    const effect = (witness: Actor): undefined => {
      const next = witness.region.rwlocks.openSync(GATE).tryLock()!;
      next.release();
      assert.ok(next.abandoned || (isTold && witness.isAlive(stage.world.victim.slot)), "somebody is told");
    };
    return scene(stage, act, { effect });
  }),
  on("write blocking", ["RwLock.lockSync"], (stage) => scene(stage, () => stage.mine.lockSync())),
  on("write asynchronously", ["RwLock.lock"], (stage) => scene(stage, () => ignore(stage.mine.lock()))),
  on("write what is read", ["RwLock.tryLock"], (stage) => {
    const settle = stage.taken("tryLockShared");
    return scene(stage, () => assert.equal(stage.mine.tryLock(), undefined), { settle, refused: true });
  }),
  on("write when the reader has gone", ["RwLock.lockSync"], (stage) => {
    const settle = stage.taken("tryLockShared");
    const act = (): void => {
      whileParked(settle);
      stage.mine.lockSync();
    };
    return scene(stage, act, { settle, pending: true });
  }),
  on("write until the deadline", ["RwLock.lockSync"], (stage) => {
    const settle = stage.taken("tryLockShared");
    const act = (): void => refuses("ERR_TIMEOUT", () => stage.mine.lockSync({ timeoutMs: 20 }));
    return scene(stage, act, { settle, refused: true, pending: true });
  }),
  on("abort writing", ["RwLock.lock"], (stage) => {
    const settle = stage.taken("tryLockShared");
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.lock({ signal }));
      abort();
    };
    return scene(stage, act, { settle, pending: true, refused: true });
  }),
  GIVING_UP,
  on("abort writing behind a writer", ["RwLock.lock"], (stage) => {
    const settle = stage.taken("tryLock");
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.lock({ signal }));
      abort();
    };
    return scene(stage, act, { settle, pending: true, refused: true });
  }),
  on("hold upgradable", ["RwLock.tryLockUpgradable"], (stage) =>
    scene(stage, () => assert.ok(stage.mine.tryLockUpgradable())),
  ),
  on("hold upgradable blocking", ["RwLock.lockUpgradableSync"], (stage) =>
    scene(stage, () => stage.mine.lockUpgradableSync()),
  ),
  on("hold upgradable asynchronously", ["RwLock.lockUpgradable"], (stage) =>
    scene(stage, () => ignore(stage.mine.lockUpgradable())),
  ),
];

const CHANGING: CrashOperation[] = [
  on("upgrade", ["RwLockGuard.tryUpgrade"], (stage) => {
    const guard = stage.mineIs("tryLockUpgradable");
    return scene(stage, () => assert.equal(guard.tryUpgrade(), true));
  }),
  on("upgrade beside readers", ["RwLockGuard.tryUpgrade"], (stage) => {
    const guard = stage.mineIs("tryLockUpgradable");
    const settle = stage.taken("tryLockShared");
    return scene(stage, () => assert.equal(guard.tryUpgrade(), false), { settle, refused: true });
  }),
  on("upgrade when the reader has gone", ["RwLockGuard.upgradeSync"], (stage) => {
    const guard = stage.mineIs("tryLockUpgradable");
    const settle = stage.taken("tryLockShared");
    const act = (): void => {
      whileParked(settle);
      guard.upgradeSync();
    };
    return scene(stage, act, { settle, pending: true });
  }),
  on("abort an upgrade", ["RwLockGuard.upgrade"], (stage) => {
    const guard = stage.mineIs("tryLockUpgradable");
    const settle = stage.taken("tryLockShared");
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(guard.upgrade({ signal }));
      abort();
    };
    return scene(stage, act, { settle, pending: true, refused: true });
  }),
  on("downgrade", ["RwLockGuard.downgrade"], (stage) => {
    const guard = stage.mineIs("tryLock");
    return scene(stage, () => guard.downgrade(), { claims: ["rwlock.unlock"], effect: () => undefined });
  }),
  on("downgrade to upgradable while others wait", ["RwLockGuard.downgrade"], (stage) => {
    const guard = stage.mineIs("tryLock");
    return whileOthersWait(stage, () => guard.downgrade("upgradable"));
  }),
];

const GIVING: CrashOperation[] = [
  on("end reading", ["RwLockGuard.release"], (stage) => {
    const guard = stage.mineIs("tryLockShared");
    return scene(stage, () => guard.release(), { claims: ["rwlock.unlock"] });
  }),
  on("end reading while others wait", ["RwLockGuard.release"], (stage) => {
    const guard = stage.mineIs("tryLockShared");
    return whileOthersWait(stage, () => guard.release());
  }),
  on("end writing", ["RwLockGuard.release"], (stage) => {
    const guard = stage.mineIs("tryLock");
    const effect = scene(stage, () => undefined).effect;
    return scene(stage, () => guard.release(), {
      claims: ["rwlock.unlock"],
      effect: (witness) => (effect(witness) === true ? false : undefined),
    });
  }),
  on("end reading, and give the handle up when cut off", ["RwLockGuard.release"], (stage) => {
    const guard = stage.mineIs("tryLockShared");
    return scene(stage, () => guard.release(), { claims: ["rwlock.unlock"], goOn: () => stage.mine.detach() });
  }),
  on("end writing while others wait", ["RwLockGuard.release"], (stage) => {
    const guard = stage.mineIs("tryLock");
    return whileOthersWait(stage, () => guard.release());
  }),
  on("dispose of a guard", ["RwLockGuard.[Symbol.dispose]"], (stage) => {
    const guard = stage.mineIs("tryLockUpgradable");
    return scene(stage, () => guard[Symbol.dispose](), { claims: ["rwlock.unlock"], mayBeVoid: true });
  }),
  on("give up the handle of what is held", ["RwLock.detach"], (stage) => {
    stage.mineIs("tryLockShared");
    stage.mineIs("tryLockUpgradable");
    return scene(stage, () => stage.mine.detach(), { claims: [] });
  }),
];

export const RWLOCK_OPERATIONS: readonly CrashOperation[] = [...LOCKING, ...CHANGING, ...GIVING];
