/** Making, opening and removing named objects, and the memory behind them. */
import assert from "node:assert/strict";
import { PAGE_MAP_BYTES, runPunched } from "#src/layout/heap.js";
import { PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { HEADER } from "#src/members/region-words.js";
import { passTime, whileParked } from "../instruments/system.js";
import { handSignal, ignore, refuses } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { bytes, object, PipeStage, type Message } from "./crash-messages.js";
import { loose } from "./argument-failures.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

const SMALL: WorldKind = { options: { size: "128KiB", maxSize: "128KiB" } };
/** With room for blocks so large that their pages go back to the system. */
const ROOMY: WorldKind = { options: { size: "640KiB", maxSize: "640KiB" } };
/** The first segment of the directory is full. */
const CROWDED: WorldKind = {
  options: { size: "384KiB", maxSize: "384KiB" },
  furnish: ({ first }) => {
    for (let i = 1; i < 32; i++) first.do(() => first.region.counters.createSync(`c${i}`).detach());
  },
};
const GROWING: WorldKind = { options: { size: "64KiB", maxSize: "1MiB" } };
/** Room for what is backed in steps of 16 MiB. */
const LARGE: WorldKind = { options: { size: "64KiB", maxSize: "20MiB" } };

const NAME = "née 🐘";
/** Kinds on whose life everything is tried; what else there is to a kind is tried in the operations of that kind. */
const collections = {
  pipe: "pipes",
  counter: "counters",
  mutex: "mutexes",
  semaphore: "semaphores",
  rwlock: "rwlocks",
  "rate-limiter": "rateLimiters",
  "segment-pool": "segmentPools",
} as const;
type ObjectKind = keyof typeof collections;

const names = ({ region }: Actor): string[] => Object.values(collections).flatMap((kind) => region[kind].list());

/** Opens an object and tries whether it is as it was made. */
function examine({ region }: Actor, kind: ObjectKind): void {
  if (kind === "counter") assert.equal(region.counters.openSync(NAME).value, 0n);
  else if (kind === "mutex") {
    const guard = region.mutexes.openSync(NAME, {}).tryLock();
    assert.deepEqual([guard?.abandoned, guard?.get(0), guard?.get(1)], [false, 0, 0]);
    guard!.release();
  } else if (kind === "rwlock") region.rwlocks.openSync(NAME).tryLock()!.release();
  else if (kind === "rate-limiter") assert.equal(region.rateLimiters.openSync(NAME).statistics().available, 2);
  else if (kind === "segment-pool") assert.equal(region.segmentPools.openSync(NAME).statistics().free, 2);
  else if (kind === "semaphore") assert.equal(region.semaphores.openSync(NAME).available, 2);
  else {
    const { capacity, depth, sent, received, leased, highWater } = region.pipes.openSync(NAME).statistics();
    assert.deepEqual(
      { capacity, depth, sent, received, leased, highWater },
      { capacity: 2, depth: 0, sent: 0, received: 0, leased: 0, highWater: 0 },
    );
  }
}

const OPTIONS = {
  pipe: { capacity: 2, maxLeased: 1 },
  counter: {},
  mutex: { words: 2 },
  semaphore: { permits: 2 },
  rwlock: {},
  "rate-limiter": { tokens: 2 },
  "segment-pool": { segments: 2, segmentBytes: 64 },
} as const;

function create({ region }: Actor, kind: ObjectKind, mode: "createSync" | "openOrCreateSync" = "createSync"): void {
  if (kind === "pipe") region.pipes[mode](NAME, OPTIONS.pipe);
  else if (kind === "counter") region.counters[mode](NAME);
  else if (kind === "rwlock") region.rwlocks[mode](NAME);
  else if (kind === "rate-limiter") region.rateLimiters[mode](NAME, OPTIONS[kind]);
  else if (kind === "segment-pool") region.segmentPools[mode](NAME, OPTIONS[kind]);
  else if (kind === "semaphore") region.semaphores[mode](NAME, OPTIONS.semaphore);
  else region.mutexes[mode](NAME, OPTIONS.mutex);
}

function creates(world: World, kind: ObjectKind, act: () => void, more: Partial<Scene> = {}): Scene {
  return {
    act,
    claims: ["object.create"],
    object: NAME,
    effect: (witness) => {
      const exists = witness.region[collections[kind]].list().includes(NAME);
      if (exists) examine(witness, kind);
      return exists;
    },
    goOn: () => {
      touchMarker(world.victim);
      if (world.victim.region[collections[kind]].list().includes(NAME))
        world.victim.region[collections[kind]].openSync(NAME).detach();
    },
    ...more,
  };
}

/** Nothing of it can be seen afterwards, but for what every operation must leave in order. */
const unseen = (act: () => void, more: Partial<Scene> = {}): Scene => ({
  act,
  claims: [],
  effect: () => undefined,
  ...more,
});

/**
 * Cut off while it gives up a handle, a member may go on without the handle but among the openers, until it leaves; then
 * a removed object keeps its memory until then.
 */
const CUT_LEAKS: Partial<Scene> = { pending: true };

const opens: Partial<Scene> = { claims: ["object.open"], object: NAME };

const held = (world: World, lock: number, scene: () => Scene): Scene => {
  const settle = world.hold(lock);
  const { act, ...rest } = scene();
  return {
    ...rest,
    act: () => {
      whileParked(settle);
      act();
    },
    settle,
  };
};

const SHORTHANDS = [
  "pipeSync",
  "counterSync",
  "mutexSync",
  "semaphoreSync",
  "rwlockSync",
  "rateLimiterSync",
  "segmentPoolSync",
] as const;

const CREATING: CrashOperation[] = [
  ...(["pipe", "counter", "mutex", "semaphore", "rwlock", "rate-limiter", "segment-pool"] as const).map((kind) =>
    operation(`object create a ${kind}`, ["Collection.createSync"], SMALL, (world) =>
      creates(world, kind, () => create(world.victim, kind)),
    ),
  ),
  operation("object create asynchronously", ["Collection.create"], SMALL, (world) =>
    creates(world, "counter", () => ignore(world.victim.region.counters.create(NAME))),
  ),
  operation(
    "object open or create what is not there",
    ["Collection.openOrCreateSync", "Collection.openOrCreate"],
    SMALL,
    (world) => creates(world, "mutex", () => create(world.victim, "mutex", "openOrCreateSync")),
  ),
  ...SHORTHANDS.map((method) =>
    operation(`object by ${method}`, [`Region.${method}`, `Region.${method.slice(0, -4)}`], SMALL, (world) => {
      const kind = method.slice(0, -4).replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`) as ObjectKind;
      return creates(world, kind, () => void loose(world.victim.region, method)(NAME, OPTIONS[kind]));
    }),
  ),
  operation("object create with a new segment of the directory", ["Collection.createSync"], CROWDED, (world) =>
    creates(world, "counter", () => create(world.victim, "counter")),
  ),
  operation("object create while another has the directory", ["Collection.createSync"], SMALL, (world) =>
    held(world, HEADER.directoryLock, () => creates(world, "counter", () => create(world.victim, "counter"))),
  ),
  operation("object create while another allocates", ["Collection.createSync"], SMALL, (world) =>
    held(world, HEADER.heapLock, () => creates(world, "counter", () => create(world.victim, "counter"))),
  ),
  operation("object create where a removed one was", ["Collection.createSync"], SMALL, (world) => {
    world.first.do(() => world.first.region.counters.createSync(NAME));
    world.first.do(() => world.first.region.counters.removeSync(NAME));
    return creates(world, "mutex", () => create(world.victim, "mutex"));
  }),
  operation("object create where it exists", ["Collection.createSync"], SMALL, (world) => {
    create(world.first, "counter");
    return unseen(() => refuses("ERR_EXISTS", () => create(world.victim, "counter")));
  }),
  operation("object create what does not fit", ["Collection.createSync"], SMALL, (world) => {
    new PipeStage(world, { capacity: 1, maxLeased: 1 }).fill(bytes(1, 100_000));
    const act = (): void =>
      refuses("ERR_REGION_FULL", () => world.victim.region.pipes.createSync(NAME, { capacity: 100 }));
    return creates(world, "pipe", act, { refused: true });
  }),
  operation("object create until the deadline", ["Collection.createSync"], SMALL, (world) => {
    const settle = world.hold(HEADER.directoryLock);
    const act = (): void =>
      refuses("ERR_TIMEOUT", () => world.victim.region.counters.createSync(NAME, { timeoutMs: 20 }));
    return creates(world, "counter", act, { refused: true, settle });
  }),
];

const OPENING: CrashOperation[] = [
  operation("object open", ["Collection.openSync"], SMALL, (world) => {
    create(world.first, "pipe");
    return unseen(() => void world.victim.region.pipes.openSync(NAME), opens);
  }),
  operation("object open asynchronously", ["Collection.open"], SMALL, (world) => {
    create(world.first, "counter");
    return unseen(() => ignore(world.victim.region.counters.open(NAME)), opens);
  }),
  operation("object open or create what is there", ["Collection.openOrCreateSync"], SMALL, (world) => {
    create(world.first, "mutex");
    return unseen(() => create(world.victim, "mutex", "openOrCreateSync"), { claims: ["object.create"], object: NAME });
  }),
  operation("object open with other options", ["Collection.openOrCreateSync"], SMALL, (world) => {
    create(world.first, "mutex");
    return unseen(() =>
      refuses("ERR_OPTIONS_DIFFER", () => world.victim.region.mutexes.openOrCreateSync(NAME, { words: 5 })),
    );
  }),
  operation("object open what is of another kind", ["Collection.openSync"], SMALL, (world) => {
    create(world.first, "mutex");
    return unseen(() => refuses("ERR_WRONG_KIND", () => world.victim.region.pipes.openSync(NAME)));
  }),
  operation("object open what is not there", ["Collection.openSync"], SMALL, (world) =>
    unseen(() => refuses("ERR_NOT_FOUND", () => world.victim.region.pipes.openSync(NAME))),
  ),
  operation("object wait for a name", ["Collection.openSync"], SMALL, (world) =>
    unseen(() => {
      whileParked(() => {
        if (world.first.region.counters.list().length < 2) world.first.do(() => create(world.first, "counter"));
      });
      world.victim.region.counters.openSync(NAME, { wait: true });
    }),
  ),
  operation("object wait asynchronously for a name", ["Collection.open"], SMALL, (world) =>
    unseen(
      () => {
        const { signal, abort } = handSignal();
        ignore(world.victim.region.counters.open(NAME, { wait: true }));
        ignore(world.victim.region.counters.open("never", { wait: true, signal }));
        abort();
        // Stopped with the directory, it would keep others waiting until somebody notices.
        if (!world.victim.agent.isStopped) world.first.do(() => create(world.first, "counter"));
        passTime(1);
        world.victim.bell();
      },
      { pending: true },
    ),
  ),
  operation("object give up a handle", ["Pipe.detach"], SMALL, (world) => {
    create(world.first, "pipe");
    const pipe = world.victim.do(() => world.victim.region.pipes.openSync(NAME));
    return unseen(() => pipe.detach(), { claims: ["object.detach"], object: NAME });
  }),
  operation("object give up the last handle of a removed one", ["Counter.detach"], SMALL, (world) => {
    const counter = world.victim.do(() => world.victim.region.counters.createSync(NAME));
    world.first.do(() => world.first.region.counters.removeSync(NAME));
    return unseen(() => counter.detach(), CUT_LEAKS);
  }),
  operation("object die with the last handle of a removed one", ["Counter.detach"], SMALL, (world) => {
    world.victim.do(() => create(world.victim, "counter"));
    world.first.do(() => world.first.region.counters.removeSync(NAME));
    const effect = (witness: Actor): undefined => {
      assert.equal(world.audit(witness).objects, 1, "its memory is free");
    };
    return unseen(() => touchMarker(world.victim), { effect, ...CUT_LEAKS });
  }),
  operation("object give up a handle while another has the directory", ["Mutex.detach"], SMALL, (world) => {
    const mutex = world.victim.do(() => world.victim.region.mutexes.createSync(NAME));
    world.first.do(() => world.first.region.mutexes.removeSync(NAME));
    const settle = world.hold(HEADER.directoryLock);
    return unseen(() => mutex.detach(), { settle, ...CUT_LEAKS });
  }),
];

function removes(kind: ObjectKind, act: () => void, more: Partial<Scene> = {}): Scene {
  return {
    act,
    claims: ["object.remove"],
    object: NAME,
    effect: (witness) => {
      const isGone = !names(witness).includes(NAME);
      if (!isGone && kind !== "pipe") examine(witness, kind);
      return isGone;
    },
    ...more,
  };
}

/** A pipe with messages of every sort in it, some on lease by whom it says. */
function busyPipe(world: World, holder: "first" | "victim" | undefined): void {
  const stage = new PipeStage(world, { capacity: 8, maxLeased: 4 }, NAME);
  stage.fill(bytes(1, 9000), bytes(2, 100), bytes(3, 5000), object(4), bytes(5, 5000), bytes(6, 7000)).giveBack(2);
  const pipe = holder === "first" ? stage.others : stage.mine;
  if (holder !== undefined)
    for (let i = 0; i < 3; i++) assert.ok(world[holder].do(() => pipe.tryReceive({ lease: true })));
}

const REMOVING: CrashOperation[] = [
  operation("object remove what others have open", ["Collection.removeSync"], SMALL, (world) => {
    world.first.do(() => create(world.first, "counter"));
    return removes("counter", () => assert.equal(world.victim.region.counters.removeSync(NAME), true));
  }),
  operation("object remove what nobody has open", ["Collection.removeSync"], SMALL, (world) => {
    world.first.do(() => world.first.region.mutexes.createSync(NAME, OPTIONS.mutex).detach());
    return removes("mutex", () => assert.equal(world.victim.region.mutexes.removeSync(NAME), true));
  }),
  operation("object remove what it has open itself", ["Collection.removeSync"], SMALL, (world) => {
    world.victim.do(() => create(world.victim, "counter"));
    return removes("counter", () => assert.equal(world.victim.region.counters.removeSync(NAME), true));
  }),
  operation("object remove asynchronously", ["Collection.remove"], SMALL, (world) => {
    world.first.do(() => world.first.region.counters.createSync(NAME).detach());
    return removes("counter", () => ignore(world.victim.region.counters.remove(NAME)));
  }),
  operation("object remove a big one", ["Collection.removeSync"], ROOMY, (world) => {
    const { page } = world.first.do(() => {
      const pipe = world.first.region.pipes.createSync(NAME, { capacity: 600, maxLeased: 1 });
      pipe.detach();
      return pipe.ref;
    });
    return removes("pipe", () => {
      assert.equal(world.victim.region.pipes.removeSync(NAME), true);
      const map = world.words[REGION_HEADER.at.pageMapPage >> 2] * PAGE_BYTES;
      assert.ok(runPunched(world.words[(map + page * PAGE_MAP_BYTES) >> 2]), "its pages are marked as given back");
    });
  }),
  operation("object remove a pipe with messages", ["Collection.removeSync"], SMALL, (world) => {
    world.first.do(() => busyPipe(world, "first"));
    return removes("pipe", () => assert.equal(world.victim.region.pipes.removeSync(NAME), true));
  }),
  operation("object remove a pipe of which it has messages on lease", ["Collection.removeSync"], SMALL, (world) => {
    busyPipe(world, "victim");
    return removes("pipe", () => assert.equal(world.victim.region.pipes.removeSync(NAME), true));
  }),
  operation("object remove a pipe that nobody has open, with messages", ["Collection.removeSync"], SMALL, (world) => {
    world.first.do(() => busyPipe(world, undefined));
    for (const actor of [world.first, world.victim]) actor.do(() => actor.region.pipes.openSync(NAME).detach());
    return removes("pipe", () => assert.equal(world.victim.region.pipes.removeSync(NAME), true));
  }),
  operation("object remove while another has the directory", ["Collection.removeSync"], SMALL, (world) => {
    world.first.do(() => world.first.region.counters.createSync(NAME).detach());
    return held(world, HEADER.directoryLock, () =>
      removes("counter", () => void world.victim.region.counters.removeSync(NAME)),
    );
  }),
  operation("object remove what is not there", ["Collection.removeSync"], SMALL, (world) =>
    unseen(() => assert.equal(world.victim.region.counters.removeSync(NAME), false)),
  ),
  operation("object remove what is of another kind", ["Collection.removeSync"], SMALL, (world) => {
    world.first.do(() => create(world.first, "mutex"));
    return unseen(() => refuses("ERR_WRONG_KIND", () => world.victim.region.counters.removeSync(NAME)));
  }),
];

/** Growth by a message, which is there or not like any other. */
function sendsGrowing(world: World, message: Message): Scene {
  const stage = new PipeStage(world).fill(object(1), bytes(2, 9000));
  return {
    act: () => assert.equal(stage.mine.trySend(message.value), true),
    claims: ["pipe.send"],
    object: stage.name,
    effect: (witness) => stage.outcome(witness, stage.pending, [...stage.pending, message]),
  };
}

const TARGET = 512 * 1024;

const GROWTH: CrashOperation[] = [
  operation("region grow", ["Region.grow"], GROWING, (world) => ({
    act: () => ignore(world.victim.region.grow(TARGET)),
    claims: ["heap.allocate"],
    effect: (witness) => witness.region.sizeBytes >= TARGET,
  })),
  operation("region grow, blocking", ["Region.growSync"], GROWING, (world) => ({
    act: () => world.victim.region.growSync(TARGET),
    claims: ["heap.allocate"],
    effect: (witness) => witness.region.sizeBytes >= TARGET,
  })),
  operation("region grow while another allocates", ["Region.grow"], GROWING, (world) => {
    const settle = world.hold(HEADER.heapLock);
    const act = (): void => {
      ignore(world.victim.region.grow(TARGET));
      settle();
      world.victim.bell();
    };
    return {
      act,
      settle,
      pending: true,
      claims: ["heap.allocate"],
      effect: (witness) => witness.region.sizeBytes >= TARGET,
    };
  }),
  operation("region grow by a message", ["Pipe.trySend"], GROWING, (world) => sendsGrowing(world, bytes(3, 100_000))),
  operation("region grow to its end by a message", ["Pipe.trySend"], GROWING, (world) =>
    sendsGrowing(world, bytes(3, 900_000)),
  ),
  operation("region grow by an object", ["Collection.createSync"], GROWING, (world) =>
    creates(world, "pipe", () => void world.victim.region.pipes.createSync(NAME, { capacity: 2, maxLeased: 300 }), {
      effect: (witness) => witness.region.pipes.list().includes(NAME),
    }),
  ),
  operation("region grow by a large object, in steps", ["Collection.createSync"], LARGE, (world) => ({
    act: () => void world.victim.region.segmentPools.createSync(NAME, { segments: 1, segmentBytes: "17MiB" }),
    claims: ["heap.allocate", "object.create"],
    effect: (witness) => {
      const { segmentPools } = witness.region;
      if (segmentPools.list().includes(NAME)) assert.equal(segmentPools.openSync(NAME).statistics().free, 1);
      return undefined;
    },
  })),
];

export const OBJECT_OPERATIONS: readonly CrashOperation[] = [...CREATING, ...OPENING, ...REMOVING, ...GROWTH];
