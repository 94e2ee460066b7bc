/** Operations on segment pools. */
import assert from "node:assert/strict";
import type { PooledSegment, SegmentPool, SegmentTicket } from "shmkit";
import { MONITOR } from "#src/layout/monitor.js";
import { SEGMENT_POOL } from "#src/layout/segment-pool.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { whileParked } from "../instruments/system.js";
import { handSignal, ignore, refuses } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

const SMALL: WorldKind = { options: { size: "128KiB", maxSize: "128KiB" } };
const NAME = "segments";
const SEGMENTS = 2;

/** A pool of two segments. */
class Stage {
  readonly mine: SegmentPool;
  readonly others: SegmentPool;
  private readonly base: number;

  constructor(readonly world: World) {
    const { other } = this;
    const { victim } = world;
    this.others = other.do(() => other.region.segmentPools.createSync(NAME, { segments: SEGMENTS, segmentBytes: 64 }));
    this.mine = victim.do(() => victim.region.segmentPools.openSync(NAME));
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

  /** Somebody who goes on has all of them; gives them back, once. */
  taken(): () => void {
    const segments = this.other.do(() => Array.from({ length: SEGMENTS }, () => this.others.tryAcquire()!));
    return () => this.other.do(() => segments.forEach((segment) => segment[Symbol.dispose]()));
  }

  held(): PooledSegment {
    return this.world.victim.do(() => this.mine.tryAcquire()!);
  }

  /** Handed over by who goes on. */
  offered(): SegmentTicket {
    return this.other.do(() => this.others.tryAcquire()!.handOver());
  }

  /** What this member has handed over. */
  sent(): SegmentTicket {
    return this.world.victim.do(() => this.held().handOver());
  }

  /** Taken over by who goes on. */
  answered(ticket: SegmentTicket): PooledSegment {
    return this.other.do(() => this.others.takeOver(ticket));
  }

  get turn(): number {
    return this.world.words[(this.base + SEGMENT_POOL.at.turns) / 4 + this.world.victim.slot];
  }

  /** How it is when all is over. */
  settled(witness: Actor): SegmentPool {
    const pool = witness.region.segmentPools.openSync(NAME);
    const { waiting, held } = pool.statistics();
    const { slot } = this.world.victim;
    if (!witness.isAlive(slot)) {
      assert.ok(!waiting.some((one) => one.slot === slot), "the turn of the dead is given back");
      assert.ok(!held.some((one) => one.slot === slot), "the segments of the dead are free");
    }
    return pool;
  }
}

const on = (name: string, covers: readonly string[], prepare: (stage: Stage) => Scene): CrashOperation =>
  operation(`segment pool ${name}`, covers, SMALL, (world) => prepare(new Stage(world)));

/** What one gets goes back with its member, or its handle. */
function gets(stage: Stage, act: () => unknown, more: Partial<Scene> = {}): Scene {
  return {
    act: () => void act(),
    claims: ["segment-pool.acquire"],
    object: NAME,
    effect: (witness) => {
      assert.equal(stage.settled(witness).statistics().free, SEGMENTS);
      return undefined;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      stage.mine.detach();
    },
    ...more,
  };
}

/** Gives away what it has; with its death it is free anyway. */
function gives(
  stage: Stage,
  claim: Scene["claims"][number],
  act: (segment: PooledSegment) => unknown,
  more: Partial<Scene> = {},
): Scene {
  const segment = stage.held();
  return {
    act: () => void act(segment),
    claims: [claim],
    object: NAME,
    effect: (witness) => {
      const { free } = stage.settled(witness).statistics();
      assert.ok(free === SEGMENTS || witness.isAlive(stage.world.victim.slot), `${free} segments are free`);
      return undefined;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      const { free } = stage.mine.statistics();
      assert.equal(free, stage.mine.has(segment) ? SEGMENTS - 1 : SEGMENTS, "it is held as its word says");
      segment[Symbol.dispose]();
      assert.equal(stage.mine.statistics().free, SEGMENTS);
    },
    ...more,
  };
}

/** Takes what somebody has handed over: then that one has it no more. */
function takes(stage: Stage, act: (ticket: SegmentTicket) => unknown, more: Partial<Scene> = {}): Scene {
  const ticket = stage.offered();
  return {
    act: () => void act(ticket),
    claims: ["segment-pool.take-over"],
    object: NAME,
    effect: (witness) => {
      const { free, handedOver } = stage.settled(witness).statistics();
      assert.deepEqual(handedOver, free === SEGMENTS ? [] : [ticket.id], "it is taken, or still to be taken");
      return free === SEGMENTS;
    },
    goOn: () => {
      touchMarker(stage.world.victim);
      stage.mine.detach();
    },
    ...more,
  };
}

const ACQUIRING: CrashOperation[] = [
  on("acquire", ["SegmentPool.tryAcquire"], (stage) => ({
    ...gets(stage, () => assert.ok(stage.mine.tryAcquire())),
    goOn: () => {
      touchMarker(stage.world.victim);
      assert.equal(stage.mine.statistics().free, SEGMENTS, "what its caller never got is free");
    },
  })),
  on("acquire blocking", ["SegmentPool.acquireSync"], (stage) => gets(stage, () => stage.mine.acquireSync())),
  on("acquire asynchronously", ["SegmentPool.acquire"], (stage) => gets(stage, () => ignore(stage.mine.acquire()))),
  on("acquire when there is none", ["SegmentPool.tryAcquire"], (stage) => {
    const settle = stage.taken();
    return gets(stage, () => assert.equal(stage.mine.tryAcquire(), undefined), { settle, refused: true });
  }),
  on("acquire while another is at it", ["SegmentPool.acquireSync"], (stage) => {
    const settle = stage.hold();
    const act = (): void => {
      whileParked(settle);
      stage.mine.acquireSync();
    };
    return gets(stage, act, { settle });
  }),
  on("acquire when some come back", ["SegmentPool.acquireSync"], (stage) => {
    const settle = stage.taken();
    const act = (): void => {
      whileParked(() => {
        if (stage.turn !== 0) settle();
      });
      stage.mine.acquireSync();
    };
    return gets(stage, act, { settle, pending: true });
  }),
  on("acquire until the deadline", ["SegmentPool.acquireSync"], (stage) => {
    const settle = stage.taken();
    const act = (): void => refuses("ERR_TIMEOUT", () => stage.mine.acquireSync({ timeoutMs: 20 }));
    return gets(stage, act, { settle, refused: true });
  }),
  on("abort an acquisition", ["SegmentPool.acquire"], (stage) => {
    const settle = stage.taken();
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.acquire({ signal }));
      abort();
    };
    return gets(stage, act, { settle, pending: true, refused: true });
  }),
];

const TAKING: CrashOperation[] = [
  on("take over", ["SegmentPool.takeOver"], (stage) =>
    takes(stage, (ticket) => stage.mine.takeOver(ticket), {
      goOn: () => {
        touchMarker(stage.world.victim);
        const { held } = stage.mine.statistics();
        assert.ok(!held.some(({ slot }) => slot === stage.world.victim.slot), "what its caller never got is free");
      },
    }),
  ),
  on("take over what is gone", ["SegmentPool.takeOver"], (stage) =>
    takes(
      stage,
      (ticket) => refuses("ERR_NOT_HELD", () => stage.mine.takeOver({ ...ticket, generation: ticket.generation + 1 })),
      { refused: true },
    ),
  ),
  on("revoke", ["SegmentPool.takeOver"], (stage) => {
    const ticket = stage.sent();
    return gets(stage, () => stage.mine.takeOver(ticket), { claims: ["segment-pool.take-over"] });
  }),
  on("take back", ["SegmentPool.takeBackSync"], (stage) => {
    const ticket = stage.sent();
    const answer = stage.answered(ticket);
    const settle = (): void => stage.other.do(() => void (stage.others.has(answer) && answer.handOver()));
    const finish = (): void => {
      settle();
      stage.other.do(() => stage.others.detach());
    };
    const act = (): void => {
      whileParked(settle);
      stage.mine.takeBackSync(ticket);
    };
    return gets(stage, act, { claims: ["segment-pool.take-over"], settle: finish, pending: true });
  }),
  on("take back asynchronously", ["SegmentPool.takeBack"], (stage) => {
    const ticket = stage.sent();
    const answer = stage.answered(ticket);
    const settle = (): void => stage.other.do(() => stage.others.detach());
    const act = (): void => {
      ignore(stage.mine.takeBack(ticket));
      if (!stage.world.victim.agent.isStopped) stage.other.do(() => answer.handOver());
      stage.world.victim.bell();
    };
    return gets(stage, act, { claims: ["segment-pool.take-over"], settle, pending: true });
  }),
  on("take back from one that has left", ["SegmentPool.takeBackSync"], (stage) => {
    const answer = stage.world.victim.do(() => stage.mine.takeOver(stage.offered()).handOver());
    stage.other.do(() => stage.others.detach());
    const act = (): void => refuses("ERR_NOT_HELD", () => stage.mine.takeBackSync(answer));
    return gets(stage, act, { claims: [] });
  }),
  on("abandon what nobody has taken", ["SegmentPool.abandon"], (stage) => {
    const ticket = stage.sent();
    return gets(stage, () => stage.mine.abandon(ticket), { claims: [] });
  }),
  on("abandon what somebody has taken", ["SegmentPool.abandon"], (stage) => {
    const ticket = stage.sent();
    const answer = stage.answered(ticket);
    const settle = (): void => stage.other.do(() => stage.others.detach());
    const act = (): void => {
      stage.mine.abandon(ticket);
      if (!stage.world.victim.agent.isStopped) stage.other.do(() => answer.handOver());
      stage.world.victim.bell();
    };
    return gets(stage, act, { claims: [], settle, pending: true });
  }),
];

const GIVING: CrashOperation[] = [
  on("release", ["PooledSegment.release"], (stage) =>
    gives(stage, "segment-pool.release", (segment) => segment.release()),
  ),
  on("dispose of one", ["PooledSegment.[Symbol.dispose]"], (stage) =>
    gives(stage, "segment-pool.release", (segment) => segment[Symbol.dispose](), { mayBeVoid: true }),
  ),
  on("release for somebody who waits", ["PooledSegment.release"], (stage) => {
    const { other } = stage;
    const kept = stage.held();
    const scene = gives(stage, "segment-pool.release", (segment) => segment.release());
    other.do(() => ignore(stage.others.acquire()));
    const settle = (): void => {
      other.do(() => other.bell());
      other.do(() => stage.others.detach());
    };
    const goOn = (): void => {
      touchMarker(stage.world.victim);
      kept[Symbol.dispose]();
      stage.mine.detach();
    };
    return { ...scene, settle, goOn, pending: true };
  }),
  on("hand over", ["PooledSegment.handOver"], (stage) =>
    gives(stage, "segment-pool.hand-over", (segment) => segment.handOver(), {
      goOn: () => {
        touchMarker(stage.world.victim);
        stage.mine.detach();
      },
    }),
  ),
  on("hand back", ["PooledSegment.handOver"], (stage) => {
    const segment = stage.world.victim.do(() => stage.mine.takeOver(stage.offered()));
    return gets(stage, () => segment.handOver(), { claims: ["segment-pool.hand-over"] });
  }),
  on("give up the handle with segments", ["SegmentPool.detach"], (stage) => {
    stage.sent();
    stage.held();
    return gets(stage, () => stage.mine.detach(), { claims: [] });
  }),
  on("give up the handle while another has one of its segments", ["SegmentPool.detach"], (stage) => {
    const answer = stage.answered(stage.sent());
    const settle = (): void =>
      stage.other.do(() => {
        if (stage.others.has(answer)) answer.handOver();
        stage.others.detach();
      });
    return gets(stage, () => stage.mine.detach(), { claims: [], settle });
  }),
];

export const SEGMENT_POOL_OPERATIONS: readonly CrashOperation[] = [...ACQUIRING, ...TAKING, ...GIVING];
