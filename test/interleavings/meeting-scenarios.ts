/** Events, barriers, latches, what is done once, and flags: nobody sleeps for ever, and nothing is done twice. */
import type { Region, SharedEvent } from "shmkit";
import { BARRIER } from "#src/layout/barrier.js";
import { EVENT } from "#src/layout/event.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { EventLoop } from "./event-loop.js";
import { PENDING, type Call, type Model } from "./linearizability.js";
import { anything, survivor, TIMED_OUT, within, type Calls, type Role, type Scenario, type Story } from "./scenario.js";
import type { MemberOf } from "./world.js";

const scenario = <O>(
  name: string,
  algorithm: string,
  members: number,
  open: (region: Region) => O,
  tell: (objects: O[]) => Story,
  deaths = 0,
): Scenario => ({
  name,
  algorithm,
  members,
  deaths,
  tell: (world) => tell(world.members.map(({ region }) => open(region))),
});

const role = (name: string, call: Call, act: () => unknown, times = 1): Role => ({
  name,
  run: (calls) => {
    for (let i = 0; i < times; i++) calls(call, act);
  },
});

// Events.

/** An event that resets by itself: settings that nobody has gone on for; two of them may be one. */
const pulses: Model<number> = {
  initial: 0,
  step(settings, { name }, answer) {
    if (name === "set") return [settings + 1, Math.max(settings, 1)];
    if (name === "wait" && answer !== TIMED_OUT)
      return settings > 0 ? Array.from({ length: settings }, (_, left) => left) : [];
    if (name === "try") {
      if (answer === PENDING) return [settings, Math.max(0, settings - 1)];
      return answer === true ? (settings > 0 ? Array.from({ length: settings }, (_, left) => left) : []) : [settings];
    }
    return [settings];
  },
};
const pulse = ({ events }: Region) => events.openOrCreateSync("e", { manualReset: false });
const gate = ({ events }: Region) => events.openOrCreateSync("e");

/** Waits until it is set, or its deadline has passed. */
const waitsUntil = (name: string, event: SharedEvent): Role => ({
  ...role(name, { name: "wait", operation: "event.wait" }, () => within((options) => event.waitSync(options))),
  hasDeadline: true,
});

const EVENTS: Scenario[] = [
  scenario("event-pulse", "event", 3, pulse, ([a, b, c]) => ({
    // The second setting may be one with the first: whoever has gone on sets it for the other.
    roles: [
      role("one", { name: "wait" }, () => (a.waitSync(), a.set())),
      role("two", { name: "wait" }, () => (b.waitSync(), b.set())),
      role("setter", { name: "set" }, () => c.set()),
    ],
    model: anything,
  })),
  scenario("event-pulse-once", "event", 3, pulse, ([a, b, c]) => ({
    roles: [
      role("one", { name: "try" }, () => a.tryWait()),
      role("two", { name: "try" }, () => b.tryWait()),
      role("setter", { name: "set" }, () => c.set()),
    ],
    model: pulses,
  })),
  scenario("event-deadline", "event", 3, pulse, ([a, b, c]) => ({
    roles: [
      {
        name: "impatient",
        hasDeadline: true,
        run: (call: Calls) => {
          call({ name: "wait" }, () => {
            const answer = within((options) => (a.waitSync(options), "gone on"));
            if (answer !== TIMED_OUT) a.set();
            return answer;
          });
        },
      },
      role("patient", { name: "wait" }, () => b.waitSync()),
      role("setter", { name: "set" }, () => c.set()),
    ],
    model: anything,
  })),
  {
    // Nearly all that can be counted was counted before.
    ...scenario("event-wrap", "event", 3, pulse, () => ({ roles: [], model: pulses })),
    tell: (world) => {
      const [a, b, c] = world.members.map(({ region }) => pulse(region));
      const base = a.ref.page * PAGE_BYTES;
      world.machine.words[(base + EVENT.at.posted) / 4 + world.geometry.maxMembers - 1] = 0x7fffffff;
      world.machine.words[(base + EVENT.at.taken) / 4] = 0x7fffffff;
      return {
        roles: [
          role("one", { name: "wait" }, () => (a.waitSync(), a.set())),
          role("two", { name: "wait" }, () => (b.waitSync(), b.set())),
          role("setter", { name: "set" }, () => c.set()),
        ],
        model: anything,
      };
    },
  },
  {
    ...scenario("event-aborted-sibling", "event", 2, pulse, () => ({ roles: [], model: anything })),
    tell: (world) => {
      const [a, b] = world.members.map(({ region }) => pulse(region));
      const loop = new EventLoop(world, world.members[0]);
      const waitsBehind = (): void =>
        loop.awaitBehind(
          (signal) => a.wait({ signal }),
          () => a.wait(),
          () => a.set(),
        );
      return {
        roles: [role("waiter", { name: "wait" }, waitsBehind), role("setter", { name: "set" }, () => b.set())],
        model: anything,
      };
    },
  },
  scenario(
    "event-setter-dies",
    "event",
    3,
    pulse,
    ([a, b, c]) => ({
      roles: [
        role("mortal", { name: "set", operation: "event.set" }, () => a.set()),
        survivor(role("waiter", { name: "wait" }, () => b.waitSync())),
        survivor(role("setter", { name: "set" }, () => c.set())),
      ],
      model: pulses,
    }),
    1,
  ),
  scenario(
    "event-gate-setter-dies",
    "event",
    3,
    gate,
    ([a, b, c]) => ({
      roles: [
        role("mortal", { name: "set" }, () => a.set()),
        survivor(role("waiter", { name: "wait" }, () => b.waitSync())),
        survivor(role("setter", { name: "set" }, () => c.set())),
      ],
      model: anything,
    }),
    1,
  ),
  // What one that dies had not gone on for is for the other.
  scenario(
    "event-waiter-dies",
    "event",
    3,
    pulse,
    ([a, b, c]) => ({
      roles: [
        waitsUntil("mortal", a),
        survivor(waitsUntil("waiter", b)),
        survivor(role("setter", { name: "set" }, () => c.set())),
      ],
      model: pulses,
      after: ({ region }, call) => void call({ name: "try" }, () => pulse(region).tryWait()),
    }),
    1,
  ),
  scenario("event-pulse-twice", "event", 3, pulse, ([a, b, c]) => ({
    roles: [waitsUntil("one", a), waitsUntil("two", b), role("setter", { name: "set" }, () => c.set(), 2)],
    model: pulses,
  })),
  scenario("event-gate", "event", 3, gate, ([a, b, c]) => ({
    roles: [
      role("one", { name: "wait" }, () => a.waitSync()),
      role("two", { name: "wait" }, () => b.waitSync()),
      role("setter", { name: "set" }, () => c.set()),
    ],
    model: anything,
  })),
];

// Barriers.

const meetingPlace = (parties: number) => (region: Region) => region.barriers.openOrCreateSync("b", { parties });

/** How often it has opened, and how many leaders each opening had. */
const leaders: Model<Record<string, number>> = {
  initial: {},
  step(state, { name }, answer) {
    if (name !== "wait" || typeof answer !== "string") return [state];
    const [generation, isLeader] = answer.split(" ");
    const count = (state[generation] ?? 0) + (isLeader === "leader" ? 1 : 0);
    return count > 1 ? [] : [{ ...state, [generation]: count }];
  },
};
const meets = (name: string, barrier: ReturnType<ReturnType<typeof meetingPlace>>, times = 1): Role =>
  role(
    name,
    { name: "wait" },
    () => {
      const { generation, leader } = barrier.waitSync();
      return `${generation} ${leader ? "leader" : "-"}`;
    },
    times,
  );

const BARRIERS: Scenario[] = [
  scenario("barrier-2-twice", "barrier", 2, meetingPlace(2), ([a, b]) => ({
    roles: [meets("one", a, 2), meets("two", b, 2)],
    model: leaders,
  })),
  scenario("barrier-3", "barrier", 3, meetingPlace(3), ([a, b, c]) => ({
    roles: [meets("one", a), meets("two", b), meets("three", c)],
    model: leaders,
  })),
];

/** The one who opens it does not wait; and who leaves is not waited for. */
const BARRIER_OTHERWISE: readonly Scenario[] = [
  scenario("barrier-arrive", "barrier", 3, meetingPlace(3), ([a, b, c]) => ({
    roles: [meets("one", a), meets("two", b), role("three", { name: "arrive" }, () => c.arriveSync())],
    model: anything,
  })),
  {
    ...scenario("barrier-detach", "barrier", 2, meetingPlace(2), () => ({ roles: [], model: anything })),
    tell: (world) => {
      const [a, b] = world.members.map(({ region }) => meetingPlace(2)(region));
      for (const barrier of [a, b]) barrier.enrolSync();
      return { roles: [meets("one", a), role("leaver", { name: "leave" }, () => b.detach())], model: anything };
    },
  },
];

/** How often it has opened is about to be 0 again. */
const BARRIER_WRAP: Scenario = {
  name: "barrier-wrap",
  algorithm: "barrier",
  members: 2,
  deaths: 0,
  tell: (world) => {
    const [a, b] = world.members.map(({ region }) => meetingPlace(2)(region));
    world.machine.words[(a.ref.page * PAGE_BYTES + BARRIER.at.generation) / 4] = -1;
    return { roles: [meets("one", a, 2), meets("two", b, 2)], model: leaders };
  },
};

/** All have enrolled before: who dies is not waited for. */
const BARRIER_DIES: Scenario = {
  name: "barrier-party-dies",
  algorithm: "barrier",
  members: 2,
  deaths: 1,
  tell: (world) => {
    const [a, b] = world.members.map(({ region }) => meetingPlace(2)(region));
    for (const barrier of [a, b]) barrier.enrolSync();
    return { roles: [meets("mortal", a), survivor(meets("two", b))], model: leaders };
  },
};

// Latches.

const counting = (count: number) => (region: Region) => region.latches.openOrCreateSync("l", { count });

const LATCHES: Scenario[] = [
  scenario("latch-2", "latch", 3, counting(2), ([a, b, c]) => ({
    roles: [
      role("one", { name: "down" }, () => a.countDown()),
      role("two", { name: "down" }, () => b.countDown()),
      role("waiter", { name: "wait" }, () => void c.waitSync()),
    ],
    model: anything,
  })),
  {
    ...scenario("latch-detach", "latch", 2, counting(2), () => ({ roles: [], model: anything })),
    tell: (world) => {
      const [a, b] = world.members.map(({ region }) => counting(2)(region));
      b.enrol(2);
      return {
        roles: [
          role("waiter", { name: "wait" }, () => void a.waitSync()),
          role("leaver", { name: "leave" }, () => b.detach()),
        ],
        model: anything,
      };
    },
  },
  {
    name: "latch-party-dies",
    algorithm: "latch",
    members: 2,
    deaths: 1,
    tell: (world) => {
      const [a, b] = world.members.map(({ region }) => counting(2)(region));
      a.enrol(2);
      return {
        roles: [
          role("mortal", { name: "down", operation: "latch.count-down" }, () => a.countDown(), 2),
          survivor(role("waiter", { name: "wait" }, () => void b.waitSync())),
        ],
        model: anything,
      };
    },
  },
];

// What is done once.

/** Whether it was done. */
const onces: Model<boolean> = {
  initial: false,
  step(isDone, { name }, answer) {
    if (name === "recover") return [isDone];
    if (answer === PENDING) return [isDone, true];
    if (answer === "did it") return isDone ? [] : [true];
    return isDone && answer === "found it" ? [isDone] : [];
  },
};
const toDo = ({ onces }: Region) => onces.openOrCreateSync("o");
const runs = (name: string, once: ReturnType<typeof toDo>): Role =>
  role(name, { name: "run" }, () => {
    let did = false;
    const result = once.runSync(() => {
      did = true;
      return Uint8Array.of(7, 8, 9);
    });
    if (result?.join() !== "7,8,9") return `torn ${result?.join()}`;
    return did ? "did it" : "found it";
  });

const ONCES: Scenario[] = [
  scenario("once-2", "once", 2, toDo, ([a, b]) => ({ roles: [runs("one", a), runs("two", b)], model: onces })),
  scenario("once-3", "once", 3, toDo, ([a, b, c]) => ({
    roles: [runs("one", a), runs("two", b), runs("three", c)],
    model: onces,
  })),
  scenario(
    "once-runner-dies",
    "once",
    3,
    toDo,
    ([a, b, c]) => ({ roles: [runs("mortal", a), survivor(runs("two", b)), survivor(runs("three", c))], model: onces }),
    1,
  ),
];

// Flags.

const flags: Model<boolean> = {
  initial: false,
  step(value, { name, argument }, answer) {
    if (name === "recover") return [value];
    if (name === "read") return answer === value ? [value] : [];
    if (name === "wait") return value === argument ? [value] : [];
    if (name === "clear") return [false];
    return answer === PENDING || answer === value ? [true] : [];
  },
};
const flagOf = ({ flags }: Region) => flags.openOrCreateSync("f");
const readFlag = ({ region }: MemberOf, call: Calls): void => {
  call({ name: "read" }, () => region.flags.openSync("f").value);
};

const FLAGS: Scenario[] = [
  scenario("flag-3", "flag", 3, flagOf, ([a, b, c]) => ({
    roles: [
      role("one", { name: "test and set" }, () => a.testAndSetSync()),
      role("two", { name: "test and set" }, () => b.testAndSetSync()),
      role("waiter", { name: "wait", argument: true }, () => c.waitForSync(true)),
    ],
    model: flags,
    after: readFlag,
  })),
  scenario(
    "flag-setter-dies",
    "flag",
    3,
    flagOf,
    ([a, b, c]) => ({
      roles: [
        role("mortal", { name: "test and set", operation: "flag.update" }, () => a.testAndSetSync()),
        survivor(role("setter", { name: "test and set" }, () => b.testAndSetSync())),
        survivor(role("waiter", { name: "wait", argument: true }, () => c.waitForSync(true))),
      ],
      model: flags,
      after: readFlag,
    }),
    1,
  ),
];

export const MEETING_SCENARIOS: readonly Scenario[] = [
  ...EVENTS,
  ...BARRIERS,
  ...BARRIER_OTHERWISE,
  BARRIER_WRAP,
  BARRIER_DIES,
  ...LATCHES,
  ...ONCES,
  ...FLAGS,
];
