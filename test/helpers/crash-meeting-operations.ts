/** Operations on events, barriers, latches, what is done once, and flags. */
import assert from "node:assert/strict";
import type { Barrier, Flag, Latch, Once, Region, SharedEvent } from "shmkit";
import { BARRIER } from "#src/layout/barrier.js";
import { EVENT } from "#src/layout/event.js";
import { FLAG } from "#src/layout/flag.js";
import { LOCK } from "#src/layout/lock.js";
import { ONCE } from "#src/layout/once.js";
import type { OperationName } from "#src/layout/member-slot.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { passTime, whileParked } from "../instruments/system.js";
import { handSignal, ignore, refuses } from "./crash-calls.js";
import type { CrashOperation } from "./crash-explore.js";
import { operation, touchMarker, type Scene, type WorldKind } from "./crash-scene.js";
import type { Actor, World } from "./crash-world.js";

const SMALL: WorldKind = { options: { size: "128KiB", maxSize: "128KiB" } };
const NAME = "meeting";

/** An object that the victim has open, and somebody who lives to the end. */
class Stage<O extends { readonly ref: { readonly page: number }; detach(): void }> {
  readonly mine: O;
  readonly others: O;
  readonly other: Actor;
  readonly victim: Actor;

  constructor(
    readonly world: World,
    open: (region: Region) => O,
  ) {
    this.other = world.actors.at(-1)!;
    this.victim = world.victim;
    this.others = this.other.do(() => open(this.other.region));
    this.mine = this.victim.do(() => open(this.victim.region));
  }

  get isStopped(): boolean {
    return this.victim.agent.isStopped;
  }

  /** Somebody is in the middle of something. */
  hold(lock: number): () => void {
    return this.world.hold((this.mine.ref.page * PAGE_BYTES + lock) >> 2);
  }

  /** What the victim does next when it was cut off. */
  readonly goOn = (): void => {
    touchMarker(this.victim);
    this.mine.detach();
  };
}

const does = (
  claims: readonly OperationName[],
  act: () => unknown,
  effect: Scene["effect"],
  more: Partial<Scene> = {},
): Scene => ({ act: () => void act(), claims, object: NAME, effect, ...more });

/** What nobody can tell afterwards. */
const unseen = (act: () => unknown, more: Partial<Scene> = {}): Scene => ({
  act: () => void act(),
  claims: [],
  effect: () => undefined,
  ...more,
});

/** Calls of the victim while it sleeps in its own. */
const during = (act: () => void, call: () => void): void => {
  whileParked(act);
  call();
};

// Events.

type EventStage = Stage<SharedEvent>;
const onEvent = (
  name: string,
  covers: readonly string[],
  options: { manualReset: boolean; set?: boolean },
  prepare: (stage: EventStage) => Scene,
): CrashOperation =>
  operation(`event ${name}`, covers, SMALL, (world) =>
    prepare(new Stage(world, ({ events }) => events.openOrCreateSync(NAME, options))),
  );
const isSet = ({ region }: Actor): boolean => region.events.openSync(NAME).isSet;
const AUTO = { manualReset: false } as const;
const GATE = { manualReset: true } as const;

const EVENTS: CrashOperation[] = [
  ...[AUTO, GATE].map((options) =>
    onEvent(`set, manual reset: ${options.manualReset}`, ["SharedEvent.set"], options, ({ mine }) =>
      does(["event.set"], () => mine.set(), isSet),
    ),
  ),
  onEvent("set what is set", ["SharedEvent.set"], { ...AUTO, set: true }, ({ mine }) => unseen(() => mine.set())),
  onEvent("reset", ["SharedEvent.resetSync"], { ...GATE, set: true }, ({ mine }) =>
    does(
      ["event.reset"],
      () => mine.resetSync(),
      (witness) => !isSet(witness),
    ),
  ),
  onEvent("try to reset", ["SharedEvent.tryReset"], { ...GATE, set: true }, ({ mine }) =>
    does(
      ["event.reset"],
      () => assert.equal(mine.tryReset(), true),
      (witness) => !isSet(witness),
    ),
  ),
  onEvent("reset asynchronously while another is at it", ["SharedEvent.reset"], { ...GATE, set: true }, (stage) => {
    const settle = stage.hold(EVENT.at.lock);
    const act = (): void => {
      ignore(stage.mine.reset());
      settle();
      stage.victim.bell();
    };
    return does(["event.reset"], act, (witness) => !isSet(witness), { settle, pending: true });
  }),
  onEvent("take a setting", ["SharedEvent.tryWait"], { ...AUTO, set: true }, ({ mine }) =>
    does(
      ["event.wait"],
      () => assert.equal(mine.tryWait(), true),
      (witness) => !isSet(witness),
    ),
  ),
  onEvent("go on for a setting to come", ["SharedEvent.waitSync"], AUTO, (stage) => {
    const settle = (): void => {
      if (stage.others.statistics().waits > 0) stage.other.do(() => stage.others.set());
    };
    return unseen(() => during(settle, () => stage.mine.waitSync()), { goOn: stage.goOn });
  }),
  onEvent("give up on a setting", ["SharedEvent.waitSync"], AUTO, (stage) =>
    unseen(() => refuses("ERR_TIMEOUT", () => stage.mine.waitSync({ timeoutMs: 20 })), { goOn: stage.goOn }),
  ),
  onEvent("wait asynchronously, and abort", ["SharedEvent.wait"], AUTO, (stage) => {
    const { signal, abort } = handSignal();
    const act = (): void => {
      ignore(stage.mine.wait());
      ignore(stage.mine.wait({ signal }));
      if (!stage.isStopped) stage.other.do(() => stage.others.set());
      abort();
      stage.victim.bell();
    };
    return unseen(act, { pending: true });
  }),
  onEvent("die with a setting on its way", ["SharedEvent.wait"], AUTO, (stage) => {
    stage.victim.do(() => ignore(stage.mine.wait()));
    stage.other.do(() => stage.others.set());
    const effect = (witness: Actor): undefined => {
      if (!witness.isAlive(stage.victim.slot)) assert.equal(isSet(witness), true, "the setting is not lost");
    };
    return unseen(() => touchMarker(stage.victim), { effect, pending: true });
  }),
  onEvent("wait for a gate", ["SharedEvent.waitSync"], GATE, (stage) =>
    unseen(
      () =>
        during(
          () => stage.other.do(() => stage.others.set()),
          () => stage.mine.waitSync(),
        ),
      {
        goOn: stage.goOn,
      },
    ),
  ),
  onEvent("give up the handle with waits", ["SharedEvent.detach"], AUTO, (stage) => {
    stage.victim.do(() => ignore(stage.mine.wait()));
    return unseen(() => stage.mine.detach(), { pending: true });
  }),
];

// Barriers.

type BarrierStage = Stage<Barrier>;
const onBarrier = (
  name: string,
  covers: readonly string[],
  prepare: (stage: BarrierStage) => Scene,
  parties = 2,
): CrashOperation =>
  operation(`barrier ${name}`, covers, SMALL, (world) =>
    prepare(new Stage(world, ({ barriers }) => barriers.openOrCreateSync(NAME, { parties }))),
  );

/** Whether the party of the other one would wait for the victim: it never does when that is dead. */
function meets(stage: BarrierStage, witness: Actor): undefined {
  const { slot } = stage.victim;
  const { arrived, expected, lost } = witness.region.barriers.openSync(NAME).statistics();
  if (witness.isAlive(slot)) return;
  assert.ok(![...arrived, ...expected].includes(slot), "the dead are no party");
  if (lost.includes(slot)) assert.deepEqual(stage.other.do(() => stage.others.waitSync({ timeoutMs: 0 })).lost, [slot]);
}

const BARRIERS: CrashOperation[] = [
  onBarrier("enrol", ["Barrier.enrolSync"], (stage) =>
    does(
      ["barrier.enrol"],
      () => stage.mine.enrolSync(),
      (witness) => {
        const { free, lost, expected } = witness.region.barriers.openSync(NAME).statistics();
        assert.equal(free + lost.length + expected.length, 2);
        meets(stage, witness);
        return free === 1;
      },
      { goOn: stage.goOn },
    ),
  ),
  onBarrier("enrol asynchronously while another is at it", ["Barrier.enrol"], (stage) => {
    const settle = stage.hold(BARRIER.at.monitor);
    const act = (): void => {
      ignore(stage.mine.enrol());
      settle();
      stage.victim.bell();
    };
    return unseen(act, { settle, pending: true, effect: (witness) => meets(stage, witness) });
  }),
  ...(
    [
      ["arrive first", ["Barrier.arriveSync", "Barrier.arrive"], (mine) => mine.arriveSync()],
      ["try to arrive", ["Barrier.tryArrive"], (mine) => assert.equal(mine.tryArrive(), true)],
    ] as const satisfies readonly [string, readonly string[], (mine: Barrier) => void][]
  ).map(([name, covers, arrive]) =>
    onBarrier(name, covers, (stage) =>
      does(
        ["barrier.arrive"],
        () => arrive(stage.mine),
        (witness) => {
          const { free } = witness.region.barriers.openSync(NAME).statistics();
          meets(stage, witness);
          return free === 1;
        },
        { goOn: stage.goOn },
      ),
    ),
  ),
  onBarrier("arrive last", ["Barrier.tryWait"], (stage) => {
    stage.victim.do(() => stage.mine.enrolSync());
    stage.other.do(() => stage.others.arriveSync());
    const act = (): void => {
      const { generation, leader, lost } = stage.mine.tryWait()!;
      assert.deepEqual({ generation, leader, lost }, { generation: 0, leader: true, lost: [] });
    };
    return does(
      ["barrier.arrive"],
      act,
      (witness) => {
        const { lost, generation } = stage.other.do(() => stage.others.waitSync({ timeoutMs: 0 }));
        assert.equal(generation, 0);
        if (!witness.isAlive(stage.victim.slot)) return lost.length === 0;
        return undefined;
      },
      {
        goOn: () => {
          touchMarker(stage.victim);
          stage.mine.arriveSync();
        },
      },
    );
  }),
  onBarrier("wait for who comes", ["Barrier.waitSync"], (stage) => {
    const comes = (): void => {
      if (stage.others.statistics().arrived.length > 0) stage.other.do(() => stage.others.arriveSync());
    };
    return unseen(() => during(comes, () => stage.mine.waitSync()), { goOn: stage.goOn });
  }),
  onBarrier("wait asynchronously past the deadline", ["Barrier.wait"], (stage) => {
    const act = (): void => {
      ignore(stage.mine.wait({ timeoutMs: 5 }));
      passTime(10);
      stage.victim.bell();
    };
    return unseen(act, { pending: true, effect: (witness) => meets(stage, witness) });
  }),
  onBarrier(
    "take a lost place",
    ["Barrier.tryEnrol"],
    (stage) => {
      stage.world.words[(stage.mine.ref.page * PAGE_BYTES + BARRIER.at.places) >> 2] = 0x10000 | 3;
      return unseen(() => assert.equal(stage.mine.tryEnrol(), true), { goOn: stage.goOn });
    },
    1,
  ),
  onBarrier("give up the handle", ["Barrier.detach"], (stage) => {
    stage.victim.do(() => stage.mine.enrolSync());
    return unseen(() => stage.mine.detach(), { pending: true, effect: (witness) => meets(stage, witness) });
  }),
];

// Latches.

type LatchStage = Stage<Latch>;
const onLatch = (name: string, covers: readonly string[], prepare: (stage: LatchStage) => Scene): CrashOperation =>
  operation(`latch ${name}`, covers, SMALL, (world) =>
    prepare(new Stage(world, ({ latches }) => latches.openOrCreateSync(NAME, { count: 5 }))),
  );
const remaining = ({ region }: Actor): number => region.latches.openSync(NAME).remaining;

const LATCHES: CrashOperation[] = [
  onLatch("count down", ["Latch.countDown"], (stage) =>
    does(
      ["latch.count-down"],
      () => stage.mine.countDown(2),
      (witness) => {
        const left = remaining(witness);
        assert.ok(left === 5 || left === 3, `${left} are left`);
        return left === 3;
      },
    ),
  ),
  onLatch("count down what was promised", ["Latch.countDown"], (stage) => {
    stage.victim.do(() => stage.mine.enrol(3));
    return does(
      ["latch.count-down"],
      () => stage.mine.countDown(2),
      (witness) => {
        const { lost, remaining } = witness.region.latches.openSync(NAME).statistics();
        const missing = lost[0]?.count ?? 0;
        if (witness.isAlive(stage.victim.slot)) return remaining === 3;
        assert.equal(remaining, 2, "what was promised is not waited for");
        assert.ok(missing === 1 || missing === 3, `${missing} are missing`);
        return missing === 1;
      },
      { goOn: () => touchMarker(stage.victim) },
    );
  }),
  onLatch("enrol", ["Latch.enrol"], (stage) =>
    does(
      ["latch.enrol"],
      () => stage.mine.enrol(2),
      (witness) => {
        const { lost, promised, remaining } = witness.region.latches.openSync(NAME).statistics();
        if (witness.isAlive(stage.victim.slot)) return promised.length > 0;
        assert.equal(remaining, lost.length > 0 ? 3 : 5);
        return lost.length > 0;
      },
      { goOn: () => touchMarker(stage.victim) },
    ),
  ),
  onLatch("wait", ["Latch.waitSync"], (stage) =>
    unseen(
      () =>
        during(
          () => stage.other.do(() => stage.others.countDown()),
          () => stage.mine.waitSync(),
        ),
      {
        goOn: stage.goOn,
      },
    ),
  ),
  onLatch("wait asynchronously", ["Latch.wait"], (stage) => {
    const act = (): void => {
      ignore(stage.mine.wait());
      ignore(stage.mine.wait({ timeoutMs: 5 }));
      passTime(10);
      stage.victim.bell();
    };
    return unseen(act, { pending: true });
  }),
  onLatch("give up the handle with a promise", ["Latch.detach"], (stage) => {
    stage.victim.do(() => stage.mine.enrol(3));
    const effect = (witness: Actor): undefined => {
      if (!witness.isAlive(stage.victim.slot)) assert.equal(remaining(witness), 2);
    };
    return unseen(() => stage.mine.detach(), { pending: true, effect });
  }),
  ...([4, 5] as const).map((others) =>
    onLatch(`give up the handle with a promise, of which ${5 - others} is missing`, ["Latch.detach"], (stage) => {
      stage.victim.do(() => stage.mine.enrol(3));
      stage.other.do(() => stage.others.countDown(others));
      const effect = (witness: Actor): undefined => {
        const { lost, remaining } = witness.region.latches.openSync(NAME).statistics();
        const missing = lost.reduce((sum, { count }) => sum + count, 0);
        assert.equal(missing + remaining, 5 - others, "no more is lost than was missing");
        if (!witness.isAlive(stage.victim.slot)) assert.equal(remaining, 0);
      };
      return unseen(() => stage.mine.detach(), { pending: true, effect });
    }),
  ),
];

// What is done once.

type OnceStage = Stage<Once>;
const onOnce = (name: string, covers: readonly string[], prepare: (stage: OnceStage) => Scene): CrashOperation =>
  operation(`once ${name}`, covers, SMALL, (world) =>
    prepare(new Stage(world, ({ onces }) => onces.openOrCreateSync(NAME))),
  );
const RESULT = Uint8Array.of(1, 2, 3);

/** What it came to is whole, and the next one does it if it was not done. */
function outcome(witness: Actor): boolean {
  const once = witness.region.onces.openSync(NAME);
  const { isDone } = once.statistics();
  assert.deepEqual(
    once.runSync(() => RESULT, { timeoutMs: 0 }),
    RESULT,
  );
  return isDone;
}

const ONCES: CrashOperation[] = [
  onOnce("do", ["Once.runSync"], (stage) =>
    does(["once.begin", "once.finish"], () => stage.mine.runSync(() => RESULT), outcome, {
      claims: [],
      goOn: stage.goOn,
    }),
  ),
  onOnce("do if nobody does", ["Once.tryRun"], (stage) =>
    does(["once.begin", "once.finish"], () => stage.mine.tryRun(() => RESULT), outcome, {
      claims: [],
      goOn: stage.goOn,
    }),
  ),
  onOnce("do what somebody died in", ["Once.runSync"], (stage) => {
    stage.world.words[(stage.mine.ref.page * PAGE_BYTES + ONCE.at.lock + LOCK.at.abandoned) >> 2] = 1;
    let isTold = false;
    const initialise = (abandoned: boolean): Uint8Array => {
      isTold ||= abandoned;
      return RESULT;
    };
    const effect = (witness: Actor): boolean => {
      const once = witness.region.onces.openSync(NAME);
      const { isDone } = once.statistics();
      once.runSync(initialise, { timeoutMs: 0 });
      assert.ok(isTold, "somebody is told");
      return isDone;
    };
    const act = (): void => void stage.mine.runSync(initialise);
    return does(["once.begin", "once.finish"], act, effect, { claims: [], goOn: stage.goOn });
  }),
  onOnce("fail", ["Once.runSync"], (stage) => {
    const failure = new Error("no");
    const act = (): void => {
      try {
        stage.mine.runSync(() => {
          throw failure;
        });
      } catch (error) {
        if (error !== failure) throw error;
      }
    };
    return does(["once.finish"], act, outcome, { refused: true, goOn: stage.goOn });
  }),
  onOnce("fail to do what somebody died in", ["Once.tryRun"], (stage) => {
    stage.world.words[(stage.mine.ref.page * PAGE_BYTES + ONCE.at.lock + LOCK.at.abandoned) >> 2] = 1;
    const failure = new Error("no");
    const act = (): void => {
      try {
        stage.mine.tryRun(() => {
          throw failure;
        });
      } catch (error) {
        if (error !== failure) throw error;
      }
    };
    const effect = (witness: Actor): boolean => {
      const once = witness.region.onces.openSync(NAME);
      const { isDone } = once.statistics();
      const initialise = (abandoned: boolean): Uint8Array => {
        assert.ok(abandoned, "the next one is told as well");
        return RESULT;
      };
      assert.deepEqual(once.runSync(initialise, { timeoutMs: 0 }), RESULT);
      return isDone;
    };
    return does(["once.finish"], act, effect, { refused: true, goOn: stage.goOn });
  }),
  onOnce("begin", ["Once.run"], (stage) =>
    does(
      ["once.begin"],
      () => ignore(stage.mine.run(() => new Promise<undefined>(() => undefined))),
      (witness) => {
        const { takeovers } = witness.region.onces.openSync(NAME).statistics();
        outcome(witness);
        return takeovers > 0;
      },
      { pending: true },
    ),
  ),
  onOnce("wait while another does it", ["Once.runSync"], (stage) => {
    const settle = stage.hold(ONCE.at.lock);
    return unseen(() => during(settle, () => stage.mine.runSync(() => RESULT)), {
      settle,
      goOn: stage.goOn,
      effect: (witness) => void outcome(witness),
    });
  }),
  onOnce("give up the handle while doing it", ["Once.detach"], (stage) => {
    stage.victim.do(() => ignore(stage.mine.run(() => new Promise<undefined>(() => undefined))));
    return unseen(() => stage.mine.detach(), { pending: true });
  }),
];

// Flags.

type FlagStage = Stage<Flag>;
const onFlag = (name: string, covers: readonly string[], prepare: (stage: FlagStage) => Scene): CrashOperation =>
  operation(`flag ${name}`, covers, SMALL, (world) =>
    prepare(new Stage(world, ({ flags }) => flags.openOrCreateSync(NAME))),
  );
const isTrue = ({ region }: Actor): boolean => region.flags.openSync(NAME).value;

const FLAGS: CrashOperation[] = [
  onFlag("test and set", ["Flag.testAndSetSync"], ({ mine }) =>
    does(["flag.update"], () => assert.equal(mine.testAndSetSync(), false), isTrue),
  ),
  onFlag("set asynchronously", ["Flag.set", "Flag.testAndSet"], ({ mine }) =>
    does(["flag.update"], () => ignore(mine.set()), isTrue),
  ),
  onFlag("set while another is at it", ["Flag.setSync"], (stage) => {
    const settle = stage.hold(FLAG.at.lock);
    return does(["flag.update"], () => during(settle, () => stage.mine.setSync()), isTrue, { settle });
  }),
  onFlag("clear", ["Flag.clearSync", "Flag.clear"], (stage) => {
    stage.other.do(() => stage.others.setSync());
    return does(
      ["flag.update"],
      () => stage.mine.clearSync(),
      (witness) => !isTrue(witness),
    );
  }),
  onFlag("give up the handle", ["Flag.detach"], ({ mine }) => ({
    ...unseen(() => mine.detach(), { pending: true }),
    claims: ["object.detach"],
  })),
  onFlag("wait", ["Flag.waitForSync"], (stage) =>
    unseen(
      () =>
        during(
          () => stage.other.do(() => stage.others.setSync()),
          () => stage.mine.waitForSync(true),
        ),
      {
        goOn: stage.goOn,
      },
    ),
  ),
  onFlag("wait asynchronously", ["Flag.waitFor"], (stage) => {
    const act = (): void => {
      ignore(stage.mine.waitFor(true));
      ignore(stage.mine.waitFor(true, { timeoutMs: 5 }));
      passTime(10);
      stage.victim.bell();
    };
    return unseen(act, { pending: true });
  }),
];

const makes = (
  method: "eventSync" | "barrierSync" | "latchSync" | "doOnceSync" | "flagSync",
  collection: "events" | "barriers" | "latches" | "onces" | "flags",
): CrashOperation =>
  operation(`made by ${method}`, [`Region.${method}`, `Region.${method.slice(0, -4)}`], SMALL, ({ victim }) => ({
    act: () => void victim.region[method](NAME),
    claims: ["object.create"],
    object: NAME,
    effect: ({ region }) => region[collection].list().includes(NAME),
  }));

export const MEETING_OPERATIONS: readonly CrashOperation[] = [
  ...EVENTS,
  ...BARRIERS,
  ...LATCHES,
  ...ONCES,
  ...FLAGS,
  makes("eventSync", "events"),
  makes("barrierSync", "barriers"),
  makes("latchSync", "latches"),
  makes("doOnceSync", "onces"),
  makes("flagSync", "flags"),
];
