/** Conditions: whoever waits is woken, whatever comes between releasing the mutex and going to sleep. */
import type { Condition, Mutex } from "shmkit";
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
  step(count, { name }, answer) {
    if (name === "put") return [count + 1];
    if (name === "take" && (answer === PENDING || answer === "taken")) return count > 0 ? [count - 1] : [];
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

const scenario = (name: string, members: number, tell: (parties: Party[]) => Story, deaths = 0): Scenario => ({
  name,
  algorithm: "condition",
  members,
  deaths,
  tell: (world) => tell(parties(world)),
});

export const CONDITION_SCENARIOS: readonly Scenario[] = [
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
