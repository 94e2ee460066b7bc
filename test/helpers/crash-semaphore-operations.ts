/** Operations on semaphores. */
import assert from "node:assert/strict";
import type { Semaphore, SemaphoreLease } from "shmkit";
import { MONITOR } from "#src/layout/monitor.js";
import { SEMAPHORE } from "#src/layout/semaphore.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { whileParked } from "../instruments/system.js";
import { handSignal, ignore, refuses } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

const SMALL: WorldKind = { options: { size: "128KiB", maxSize: "128KiB" } };
const GATE = "permits";
const PERMITS = 3;

/** A semaphore of three permits, of which the victim may have leased some. */
class Stage {
  readonly mine: Semaphore;
  readonly others: Semaphore;
  private readonly base: number;

  constructor(readonly world: World) {
    const { other } = this;
    const { victim } = world;
    this.others = other.do(() => other.region.semaphores.createSync(GATE, { permits: PERMITS }));
    this.mine = victim.do(() => victim.region.semaphores.openSync(GATE));
    this.base = this.others.ref.page * PAGE_BYTES;
  }

  /** Who lives to the end. */
  get other(): Actor {
    return this.world.actors.at(-1)!;
  }

  /** Somebody is in the middle of something. */
  hold(): () => void {
    return this.world.hold((this.base + MONITOR.at.lock) >> 2);
  }

  /** Somebody who goes on has all permits. */
  taken(): SemaphoreLease {
    return this.other.do(() => this.others.tryAcquire({ permits: PERMITS })!);
  }

  held(permits = 1): SemaphoreLease {
    return this.world.victim.do(() => this.mine.tryAcquire({ permits })!);
  }

  /** The next turn is the one before 0. */
  nearTheEnd(): this {
    this.world.words[(this.base + MONITOR.at.lastTurn) >> 2] = -2;
    return this;
  }

  wordOf(field: "held" | "turns" | "posted"): number {
    return this.world.words[(this.base + SEMAPHORE.at[field]) / 4 + this.world.victim.slot];
  }

  settled(witness: Actor): Semaphore {
    const semaphore = witness.region.semaphores.openSync(GATE);
    const { waiting, held, available } = semaphore.statistics();
    const { slot } = this.world.victim;
    if (!witness.isAlive(slot)) {
      assert.ok(!waiting.some((one) => one.slot === slot), "the turn of the dead is given back");
      assert.ok(!held.some((lease) => lease.slot === slot), "the permits of the dead are given back");
    }
    assert.ok(available >= 0, `${available} permits are there`);
    return semaphore;
  }
}

const on = (name: string, covers: readonly string[], prepare: (stage: Stage) => Scene): CrashOperation =>
  operation(`semaphore ${name}`, covers, SMALL, (world) => prepare(new Stage(world)));

/** What an acquisition notes of itself is noted when its last change has been made. */
const cutEverywhere = (name: string, prepare: (stage: Stage) => Scene): CrashOperation => ({
  ...on(name, ["Semaphore.tryAcquire"], prepare),
  isCutEverywhere: true,
});

/** Leases: those of the dead go back, and those of whoever gives up the handle. */
function leases(stage: Stage, act: () => unknown, more: Partial<Scene> = {}): Scene {
  return {
    act: () => void act(),
    claims: ["semaphore.acquire"],
    object: GATE,
    effect: (witness) => {
      assert.equal(stage.settled(witness).available, PERMITS);
      return undefined;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      stage.mine.detach();
    },
    ...more,
  };
}

/** Changes what is available, for good: from `before` to `after`. */
function changes(
  stage: Stage,
  claim: Scene["claims"][number],
  before: number,
  after: number,
  act: () => unknown,
  more: Partial<Scene> = {},
): Scene {
  return {
    act: () => void act(),
    claims: [claim],
    object: GATE,
    effect: (witness) => {
      const { available } = stage.settled(witness);
      assert.ok(available === before || available === after, `${available} permits, neither ${before} nor ${after}`);
      return available === after;
    },
    ...more,
  };
}
const takes = (stage: Stage, permits: number, act: () => unknown, more: Partial<Scene> = {}): Scene =>
  changes(stage, "semaphore.wait", PERMITS, PERMITS - permits, act, more);

/** Gives back what it has; the dead give back anyway. */
function givesBack(stage: Stage, act: (lease: SemaphoreLease) => unknown, more: Partial<Scene> = {}): Scene {
  const lease = stage.held(2);
  return {
    act: () => void act(lease),
    claims: ["semaphore.release"],
    object: GATE,
    effect: (witness) => {
      const { available } = stage.settled(witness);
      const isAlive = witness.isAlive(stage.world.victim.slot);
      assert.ok(available === PERMITS || (isAlive && available === PERMITS - 2), `${available} permits`);
      return undefined;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      const { available } = stage.mine;
      assert.equal(available, stage.mine.isHeldBy(lease) ? PERMITS - 2 : PERMITS, "the lease is held as its word says");
      lease[Symbol.dispose]();
      assert.equal(stage.mine.available, PERMITS);
    },
    ...more,
  };
}

const ACQUIRING: CrashOperation[] = [
  on("acquire", ["Semaphore.tryAcquire"], (stage) => ({
    ...leases(stage, () => assert.ok(stage.mine.tryAcquire({ permits: 2 }))),
    goOn: () => {
      touchMarker(stage.world.victim);
      assert.deepEqual(stage.mine.statistics().held, [], "what its caller never got went back");
    },
  })),
  cutEverywhere("acquire, and once more when cut off", (stage) => ({
    ...leases(stage, () => assert.ok(stage.mine.tryAcquire({ permits: 2 }))),
    goOn: () => {
      stage.mine.tryAcquire()?.release();
      assert.deepEqual(stage.mine.statistics().held, [], "what its caller never got went back");
    },
  })),
  cutEverywhere("acquire, and release another when cut off", (stage) => {
    const before = stage.held();
    return {
      ...leases(stage, () => assert.ok(stage.mine.tryAcquire())),
      goOn: () => {
        before.release();
        assert.equal(stage.mine.available, PERMITS, "what its caller never got went back");
      },
    };
  }),
  on("acquire blocking", ["Semaphore.acquireSync"], (stage) =>
    leases(stage, () => stage.mine.acquireSync({ permits: 3 })),
  ),
  on("acquire asynchronously", ["Semaphore.acquire"], (stage) => leases(stage, () => ignore(stage.mine.acquire()))),
  on("acquire more than there is", ["Semaphore.tryAcquire"], (stage) =>
    leases(stage, () => assert.equal(stage.mine.tryAcquire({ permits: 4 }), undefined), { refused: true }),
  ),
  on("acquire while another is at it", ["Semaphore.acquireSync"], (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      whileParked(settle);
      stage.mine.acquireSync();
    };
    return leases(stage, act, { settle });
  }),
  on("acquire when permits come back", ["Semaphore.acquireSync"], (stage) => {
    const lease = stage.nearTheEnd().taken();
    const settle = (): void => stage.other.do(() => lease[Symbol.dispose]());
    const act = (): void => {
      whileParked(() => {
        if (stage.wordOf("turns") !== 0) settle();
      });
      stage.mine.acquireSync();
    };
    return leases(stage, act, { settle, pending: true });
  }),
  on("acquire until the deadline", ["Semaphore.acquireSync"], (stage) => {
    const lease = stage.taken();
    const settle = (): void => stage.other.do(() => lease[Symbol.dispose]());
    const act = (): void => refuses("ERR_TIMEOUT", () => stage.mine.acquireSync({ timeoutMs: 20 }));
    return leases(stage, act, { settle, refused: true });
  }),
  on("acquire asynchronously when permits come back", ["Semaphore.acquire"], (stage) => {
    const lease = stage.taken();
    const settle = (): void => stage.other.do(() => lease[Symbol.dispose]());
    const act = (): void => {
      ignore(stage.mine.acquire({ permits: 2 }));
      ignore(stage.mine.acquire());
      if (!stage.world.victim.agent.isStopped) settle();
      stage.world.victim.bell();
    };
    return leases(stage, act, { settle, pending: true });
  }),
  on("abort an acquisition", ["Semaphore.acquire"], (stage) => {
    const lease = stage.taken();
    const settle = (): void => stage.other.do(() => lease[Symbol.dispose]());
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.acquire({ signal }));
      abort();
    };
    return leases(stage, act, { settle, pending: true, refused: true });
  }),
  on("acquire blocking before an asynchronous acquisition", ["Semaphore.acquireSync"], (stage) => {
    const lease = stage.taken();
    const settle = (): void => stage.other.do(() => lease[Symbol.dispose]());
    const act = (): void => {
      ignore(stage.mine.acquire());
      whileParked(() => {
        if (!stage.world.victim.agent.isStopped) settle();
      });
      stage.mine.acquireSync({ permits: 2, timeoutMs: 500 });
      if (!stage.world.victim.agent.isStopped)
        assert.notEqual(stage.wordOf("turns"), 0, "the other one waits its turn");
      stage.world.victim.bell();
    };
    return leases(stage, act, { settle, pending: true });
  }),
];

const TAKING: CrashOperation[] = [
  on("wait", ["Semaphore.tryWait"], (stage) => takes(stage, 2, () => assert.ok(stage.mine.tryWait({ permits: 2 })))),
  on("wait blocking", ["Semaphore.waitSync"], (stage) => takes(stage, 3, () => stage.mine.waitSync({ permits: 3 }))),
  on("wait asynchronously", ["Semaphore.wait"], (stage) => takes(stage, 1, () => ignore(stage.mine.wait()))),
  on("wait in vain", ["Semaphore.tryWait"], (stage) =>
    takes(stage, 1, () => assert.equal(stage.mine.tryWait({ permits: 4 }), false), { refused: true }),
  ),
  on("wait until permits are posted", ["Semaphore.waitSync"], (stage) => {
    let isPosted = false;
    const settle = (): void => {
      if (!isPosted) stage.other.do(() => stage.others.post());
      isPosted = true;
    };
    const act = (): void => {
      whileParked(() => {
        if (stage.wordOf("turns") !== 0) settle();
      });
      stage.mine.waitSync({ permits: 4 });
    };
    return changes(stage, "semaphore.wait", PERMITS + 1, 0, act, { settle });
  }),
];

const GIVING: CrashOperation[] = [
  on("post", ["Semaphore.post"], (stage) =>
    changes(stage, "semaphore.post", PERMITS, PERMITS + 2, () => stage.mine.post(2)),
  ),
  on("post for somebody who waits", ["Semaphore.post"], (stage) => {
    const { other } = stage;
    const { signal, abort } = handSignal();
    other.do(() => ignore(stage.others.wait({ permits: 4, signal })));
    const settle = (): void => other.do(() => other.bell());
    const scene = changes(stage, "semaphore.post", PERMITS, 0, () => stage.mine.post(), { settle });
    const effect = (witness: Actor): boolean | undefined => {
      const isPosted = scene.effect(witness);
      other.do(abort);
      return isPosted;
    };
    return { ...scene, effect };
  }),
  on("release", ["SemaphoreLease.release"], (stage) => givesBack(stage, (lease) => lease.release())),
  on("dispose of a lease", ["SemaphoreLease.[Symbol.dispose]"], (stage) =>
    givesBack(stage, (lease) => lease[Symbol.dispose](), { mayBeVoid: true }),
  ),
  on("release, and give the handle up when cut off", ["SemaphoreLease.release"], (stage) =>
    givesBack(stage, (lease) => lease.release(), { goOn: () => stage.mine.detach() }),
  ),
  on("release one of two", ["SemaphoreLease.release"], (stage) => {
    stage.held();
    return {
      ...givesBack(stage, (lease) => lease.release()),
      goOn: () => touchMarker(stage.world.victim),
      effect: (witness) => void stage.settled(witness),
    };
  }),
  on("give up the handle with leases", ["Semaphore.detach"], (stage) => {
    stage.held();
    const goOn = (): void => {
      touchMarker(stage.world.victim);
      stage.mine.detach();
    };
    return { ...givesBack(stage, () => stage.mine.detach()), claims: [], goOn };
  }),
  on("give up the handle of a removed one with leases", ["Semaphore.detach"], (stage) => {
    const scene = givesBack(stage, () => stage.mine.detach());
    stage.other.do(() => stage.other.region.semaphores.removeSync(GATE));
    return { ...scene, claims: [], effect: () => undefined, pending: true };
  }),
];

export const SEMAPHORE_OPERATIONS: readonly CrashOperation[] = [...ACQUIRING, ...TAKING, ...GIVING];
