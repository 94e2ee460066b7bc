/** Finding deadlocks: a circle that was never there as a whole, at one time, is not told. */
import { ShmkitError, type Mutex } from "shmkit";
import * as words from "#words";
import { PAGE_WORDS } from "#src/heap/page-heap.js";
import { DeadlockWatch } from "#src/sync/deadlock.js";
import { mutexPoint } from "#src/sync/wait-points.js";
import { timeIndex } from "#src/members/wait-times.js";
import { mutexTimes } from "#src/sync/mutex-statistics.js";
import type { Model } from "./linearizability.js";
import { survivor, within, type Role, type Scenario } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

/** Who may be asleep in its wait: a little longer than it is. */
interface Asleep {
  readonly b: boolean;
  readonly c: boolean;
}

const circles: Model<Asleep> = {
  initial: { b: false, c: false },
  step(state, { name, argument }, answer) {
    if (name === "look") return answer !== "deadlock" || (state.b && state.c) ? [state] : [];
    if (name === "wait") return [state];
    if (name === "recover") return [{ ...state, b: false }];
    return [{ ...state, [argument as string]: name === "begin" }];
  },
};

const sleeper = (name: "b" | "c", { membership: { member } }: MemberOf, mutex: Mutex): Role => ({
  name,
  hasDeadline: true,
  run: (call) => {
    // What takes place is told by accesses: to a word that is its own.
    const touch = (): number => words.add(member.segment.words, member.argument, 1);
    call({ name: "begin", argument: name }, touch);
    const ended = call({ name: "wait" }, () =>
      within((options) => mutex.lockSync({ ...options, detectDeadlock: false }).release()),
    );
    call({ name: "end", argument: name }, () => {
      touch();
      return ended;
    });
  },
});

/** What a member that has waited for `mutex` for a while does now and then. */
const looker = ({ region, membership }: MemberOf, mutex: Mutex): Role => {
  const context = { ...membership, forget: () => undefined, handle: <O>(_ref: unknown, make: () => O) => make() };
  return {
    name: "looker",
    run: (call) => {
      call({ name: "look" }, () => {
        const times = mutexTimes(mutex.ref.page * PAGE_WORDS);
        membership.waits.note(timeIndex(times, membership.member.slot));
        const watch = new DeadlockWatch(
          context,
          mutexPoint(membership.member, mutex.name, mutex.ref.page * PAGE_WORDS),
        );
        try {
          for (let i = 0; i < 2; i++) {
            Object.assign(watch, { nextLook: 0 });
            watch.look(true);
          }
          return `none in ${region.name}`;
        } catch (error) {
          if (error instanceof ShmkitError && error.code === "ERR_DEADLOCK") return "deadlock";
          throw error;
        }
      });
    },
  };
};

/** Each of three has a mutex. */
function mutexes(world: World): Mutex[][] {
  const names = ["m0", "m1", "m2"];
  const opened = world.members.map(({ region }) => names.map((name) => region.mutexes.openOrCreateSync(name)));
  for (let i = 0; i < 3; i++) opened[i][i].tryLock();
  return opened;
}

const circle = (name: string, deaths: number): Scenario => ({
  name,
  algorithm: "deadlock",
  members: 3,
  deaths,
  tell: (world) => {
    const [b, c, a] = mutexes(world);
    // Of those who began to wait at one time, the one with the highest slot is told.
    return {
      roles: [
        sleeper("b", world.members[0], b[1]),
        survivor(sleeper("c", world.members[1], c[2])),
        survivor(looker(world.members[2], a[0])),
      ],
      model: circles,
    };
  },
});

export const DEADLOCK_SCENARIOS: readonly Scenario[] = [
  circle("deadlock-circle", 0),
  circle("deadlock-circle-dies", 1),
];
