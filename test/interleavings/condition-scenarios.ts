/** Conditions: whoever waits is woken, whatever comes between releasing the mutex and going to sleep. */
import * as words from "#words";
import type { Condition, Mutex, MutexGuard } from "shmkit";
import { conditionWakes, packConditionWaits } from "#src/layout/condition.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { CONDITION_WORD } from "#src/sync/wake-ups.js";
import { handSignal } from "../helpers/crash-calls.js";
import { EventLoop, type Pending } from "./event-loop.js";
import { PENDING, type Model } from "./linearizability.js";
import { anything, survivor, TIMED_OUT, within, type Role, type Scenario, type Story } from "./scenario.js";
import type { World } from "./world.js";

interface Party {
  readonly mutex: Mutex;
  readonly condition: Condition;
}

const parties = (world: World): Party[] =>
  world.members.map(({ region }) => ({
    mutex: region.mutexes.openOrCreateSync("m", { words: 1 }),
    condition: region.conditions.openOrCreateSync("c"),
  }));

/** How many things lie there. */
const things: Model<number> = {
  initial: 0,
  step(count, { name, argument = 1 }, answer) {
    const left = count - (argument as number);
    if (name === "put") return [count + 1];
    if (name === "take" && (answer === PENDING || answer === "taken")) return left >= 0 ? [left] : [];
    return [count];
  },
};

const takes = (name: string, { mutex, condition }: Party): Role => ({
  name,
  run: (call) => {
    call({ name: "take" }, () => {
      const guard = mutex.lockSync();
      condition.waitForSync(guard, () => guard.get(0) > 0);
      guard.set(0, guard.get(0) - 1);
      guard.release();
      return "taken";
    });
  },
});

const puts = (name: string, { mutex, condition }: Party, times = 1): Role => ({
  name,
  run: (call) => {
    for (let i = 0; i < times; i++)
      call({ name: "put" }, () => {
        const guard = mutex.lockSync();
        guard.set(0, guard.get(0) + 1);
        guard.release();
        condition.notifyOne();
      });
  },
});

/** Waits for the first thing, and leaves it there. */
const sees = (name: string, { mutex, condition }: Party): Role => ({
  name,
  run: (call) => {
    call({ name: "see" }, () => {
      const guard = mutex.lockSync();
      condition.waitForSync(guard, () => guard.get(0) > 0);
      guard.release();
    });
  },
});

const shows = (name: string, { mutex, condition }: Party, notify: (condition: Condition) => void): Role => ({
  name,
  run: (call) => {
    call({ name: "show" }, () => {
      const guard = mutex.lockSync();
      guard.set(0, 1);
      guard.release();
      notify(condition);
    });
  },
});

/** Waits once, and tells the next one only if it was woken: what wakes it as it gives up must go to somebody else. */
const glances = (name: string, { mutex, condition }: Party): Role => ({
  name,
  hasDeadline: true,
  run: (call) => {
    call({ name: "glance" }, () => {
      const guard = mutex.lockSync();
      const answer = guard.get(0) > 0 ? "there" : within((options) => (condition.waitSync(guard, options), "woken"));
      guard.release();
      if (answer !== TIMED_OUT) condition.notifyOne();
      return answer;
    });
  },
});

/** Waits asynchronously, as often as it takes. */
const takesLater = (name: string, { mutex, condition }: Party, loop: EventLoop): Role => ({
  name,
  run: (call) => {
    call({ name: "take" }, () => {
      const guard = mutex.lockSync();
      while (guard.get(0) === 0) loop.await(() => condition.wait(guard));
      guard.set(0, guard.get(0) - 1);
      guard.release();
      return "taken";
    });
  },
});

/** Waits with a guard; then with another one, while the first is aborted. The guard that has the mutex when something is there. */
function waitsTwice({ mutex, condition }: Party, loop: EventLoop, first: MutexGuard): MutexGuard {
  const { signal, abort } = handSignal();
  const one = loop.begin(() => condition.wait(first, { signal }));
  // Woken at once.
  if (one.isDone) return first;
  const second = mutex.lockSync();
  if (second.get(0) > 0) {
    abort();
    return second;
  }
  let other: Pending<void> | undefined;
  loop.run(
    () => {
      other = loop.begin(() => condition.wait(second));
      abort();
      if (!one.isDone) return;
      // It leaves what it was woken for to the other.
      first.release();
      condition.notifyOne();
    },
    () => other!.isDone,
  );
  return second;
}

/** Two waits of one member, of which the first is aborted: what was meant for it wakes the second. */
const waitsBehind = (name: string, party: Party, loop: EventLoop): Role => ({
  name,
  run: (call) => {
    call({ name: "take" }, () => {
      const first = party.mutex.lockSync();
      const guard = first.get(0) > 0 ? first : waitsTwice(party, loop, first);
      guard.set(0, guard.get(0) - 1);
      guard.release();
      return "taken";
    });
  },
});

/** Takes two, each by a wait of its own at the same time: one is woken while the other goes on. */
const takesTwo = (name: string, { mutex, condition }: Party, loop: EventLoop): Role => ({
  name,
  run: (call) => {
    call({ name: "take", argument: 2 }, () => {
      const waits = new Map<MutexGuard, Pending<void>>();
      let taken = 0;
      const goOn = (guard: MutexGuard): void => {
        if (guard.get(0) === 0) {
          waits.set(
            guard,
            loop.begin(() => condition.wait(guard)),
          );
          return;
        }
        guard.set(0, guard.get(0) - 1);
        guard.release();
        waits.delete(guard);
        taken++;
      };
      // Who is woken has the mutex until it has gone on.
      const serve = (): void => {
        while ([...waits.values()].some(({ isDone }) => isDone))
          for (const [guard, { isDone }] of [...waits]) if (isDone) goOn(guard);
      };
      const begin = (): void => {
        for (let i = 0; i < 2; i++) {
          serve();
          goOn(mutex.lockSync());
        }
      };
      loop.run(begin, () => {
        serve();
        return taken === 2;
      });
      return "taken";
    });
  },
});

const scenario = (name: string, members: number, tell: (parties: Party[]) => Story, deaths = 0): Scenario => ({
  name,
  algorithm: "condition",
  members,
  deaths,
  tell: (world) => tell(parties(world)),
});

/** One of two waits takes what woke it, and what wakes the other one comes at the same moment. */
const wokenAgain: Scenario = {
  name: "condition-woken-again",
  algorithm: "condition",
  members: 2,
  deaths: 0,
  tell: (world) => {
    const [{ mutex, condition }, other] = parties(world);
    const { words: shared } = world.machine;
    const own = condition.ref.page * (PAGE_BYTES / 4) + CONDITION_WORD.waits + world.members[0].slot;
    shared[own] = packConditionWaits(2, 1);
    const inside = condition as unknown as { wake(guard: MutexGuard, mutex: Mutex): void };
    const wakes = (): void => {
      const guard = mutex.lockSync();
      mutex.suspend(guard);
      inside.wake(guard, mutex);
      guard.release();
    };
    return {
      roles: [
        {
          name: "waiter",
          run: (call) => {
            call({ name: "wake" }, wakes);
            call({ name: "count" }, () => conditionWakes(words.and(shared, own, 0)));
          },
        },
        { name: "notifier", run: (call) => void call({ name: "notify" }, () => other.condition.notifyOne()) },
      ],
      model: {
        initial: 0,
        step: (wakes: number, { name }, answer) => {
          if (name === "notify") return [answer === true ? wakes + 1 : wakes];
          return name === "wake" || answer === wakes ? [wakes] : [];
        },
      },
    };
  },
};

export const CONDITION_SCENARIOS: readonly Scenario[] = [
  wokenAgain,
  scenario("condition-1-1", 2, ([a, b]) => ({ roles: [takes("taker", a), puts("putter", b)], model: things })),
  scenario("condition-2-1", 3, ([a, b, c]) => ({
    roles: [takes("taker1", a), takes("taker2", b), puts("putter", c, 2)],
    model: things,
  })),
  scenario("condition-all", 3, ([a, b, c]) => ({
    roles: [sees("one", a), sees("two", b), shows("shower", c, (condition) => void condition.notifyAll())],
    model: anything,
  })),
  scenario("condition-deadline", 3, ([a, b, c]) => ({
    roles: [glances("impatient", a), sees("patient", b), shows("shower", c, (condition) => void condition.notifyOne())],
    model: anything,
  })),
  // Whatever of its notification it had begun, whoever waits is woken for the other one.
  scenario(
    "condition-notifier-dies",
    3,
    ([a, b, c]) => ({
      roles: [puts("mortal", a), survivor(takes("taker", b)), survivor(puts("putter", c))],
      model: things,
    }),
    1,
  ),
  scenario(
    "condition-notifier-of-all-dies",
    3,
    ([a, b, c]) => ({
      roles: [
        shows("mortal", a, (condition) => void condition.notifyAll()),
        survivor(sees("one", b)),
        survivor(shows("shower", c, (condition) => void condition.notifyOne())),
      ],
      model: anything,
    }),
    1,
  ),
  {
    ...scenario("condition-asynchronous", 2, () => ({ roles: [], model: things })),
    tell: (world) => {
      const [a, b] = parties(world);
      return {
        roles: [takesLater("taker", a, new EventLoop(world, world.members[0])), puts("putter", b)],
        model: things,
      };
    },
  },
  {
    ...scenario("condition-two-waits", 2, () => ({ roles: [], model: things })),
    tell: (world) => {
      const [a, b] = parties(world);
      return {
        roles: [takesTwo("taker", a, new EventLoop(world, world.members[0])), puts("putter", b, 2)],
        model: things,
      };
    },
  },
  {
    ...scenario("condition-aborted-sibling", 2, () => ({ roles: [], model: things })),
    tell: (world) => {
      const [a, b] = parties(world);
      return {
        roles: [waitsBehind("waiter", a, new EventLoop(world, world.members[0])), puts("putter", b)],
        model: things,
      };
    },
  },
  scenario(
    "condition-waiter-dies",
    3,
    ([a, b, c]) => ({
      roles: [
        sees("mortal", a),
        survivor(sees("two", b)),
        survivor(
          shows("shower", c, (condition) => {
            condition.notifyOne();
            condition.notifyOne();
          }),
        ),
      ],
      model: anything,
    }),
    1,
  ),
];
