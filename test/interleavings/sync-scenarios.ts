/** Locks, mutexes with their journals, and counters. */
import type { Counter, Mutex } from "shmkit";
import * as words from "#words";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { lockWaiters, unlock } from "#src/locking/robust-lock.js";
import { inSet } from "#src/members/member-set.js";
import { timeIndex } from "#src/members/wait-times.js";
import { LocalQueue } from "#src/members/waits.js";
import { mutexTimes } from "#src/sync/mutex-statistics.js";
import { EventLoop } from "./event-loop.js";
import { HEAP_LOCK, takeHeapLock } from "./heap-lock.js";
import { PENDING, type Call, type Model } from "./linearizability.js";
import { survivor, TIMED_OUT, within, type Role, type Scenario } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

// The lock itself: what it guards is two plain words, which nobody may see differ.

const INCREMENT: Call = { name: "increment" };
const READ: Call = { name: "read" };

const counting: Model<number> = {
  initial: 0,
  step(value, { name, argument }, answer) {
    if (name === "recover" || answer === TIMED_OUT) return [value];
    if (name === "read") return String(value) === String(answer) ? [value] : [];
    if (name === "wait")
      return value >= (argument as number) && (answer === PENDING || answer === value) ? [value] : [];
    const next = name === "increment" ? value + 1 : (argument as number);
    return answer === PENDING || answer === next ? [next] : [];
  },
};

/** Two words in a page of the heap that nobody else uses. */
const dataOf = (world: World): number => (world.geometry.maxPages - 1) * (PAGE_BYTES / 4);

/** Takes a lock and adds 1 to a word, and to its twin unless nobody may be left to do so. */
function incrementLocked(worker: MemberOf, queue: LocalQueue, data: number, hasTwin: boolean): number | string {
  const { member } = worker.membership;
  const { words: shared } = member.segment;
  takeHeapLock(worker, queue);
  const value = words.read(shared, data);
  const twin = hasTwin ? words.read(shared, data + 16) : value;
  words.write(shared, data, value + 1);
  if (hasTwin) words.write(shared, data + 16, value + 1);
  unlock(member, HEAP_LOCK);
  member.withdrawn();
  member.end();
  return value === twin ? value + 1 : `torn ${value} ${twin}`;
}

function locking(name: string, members: number, times: number, deaths = 0): Scenario {
  return {
    name,
    algorithm: "robust lock",
    members,
    deaths,
    tell: (world) => {
      const data = dataOf(world);
      const roles = world.members.slice(0, members).map((member, i): Role => {
        const queue = new LocalQueue();
        return {
          name: `locker${i}`,
          isImmortal: i > 0,
          run: (call) => {
            for (let n = 0; n < times; n++) call(INCREMENT, () => incrementLocked(member, queue, data, deaths === 0));
          },
        };
      });
      return { roles, model: counting };
    },
  };
}

// Mutexes.

interface Guarded {
  readonly value: number;
  /** An owner died, and nobody was told yet. */
  readonly abandoned: boolean;
}

const guarded: Model<Guarded> = {
  initial: { value: 0, abandoned: false },
  step(state, { name }, answer) {
    if (name === "recover") return [state, { ...state, abandoned: true }];
    const { value, abandoned } = state;
    const next = { value: value + 1, abandoned: false };
    if (answer === PENDING) return [next, { ...state, abandoned: false }];
    return answer === `${value}${abandoned ? " abandoned" : ""}` ? [next] : [];
  },
};

function mutexes(world: World): Mutex[] {
  return world.members.map(({ region }) => region.mutexes.openOrCreateSync("m", { words: 2 }));
}

/** Both words are always the same, as far as others can tell. */
const increments = (name: string, mutex: Mutex): Role => ({
  name,
  run: (call) => {
    call(INCREMENT, () => {
      const guard = mutex.lockSync();
      const value = guard.get(0);
      const other = guard.get(1);
      guard.set(0, value + 1);
      guard.set(1, value + 1);
      guard.release();
      return `${value}${value === other ? "" : ` torn ${other}`}${guard.abandoned ? " abandoned" : ""}`;
    });
  },
});

/** Waits behind another wait of its own, which is aborted. */
const incrementsBehind = (name: string, mutex: Mutex, loop: EventLoop): Role => ({
  name,
  run: (call) => {
    call(INCREMENT, () => {
      const guard = loop.awaitBehind(
        (signal) => mutex.lock({ signal }),
        () => mutex.lock({}),
        (first) => first.release(),
      );
      const value = guard.get(0);
      for (const word of [0, 1]) guard.set(word, value + 1);
      guard.release();
      return String(value);
    });
  },
});

/** Lets it go, when its waiters have waited for long: whether somebody waited, who goes first then. */
function releases(mutex: Mutex, waiter: MemberOf): Role {
  const { member } = waiter.membership;
  const base = (mutex.ref.page * PAGE_BYTES) / 4;
  return {
    name: "first",
    isImmortal: true,
    run: (call) => {
      call({ name: "release" }, () => {
        const isWaitedFor = inSet(member.segment, lockWaiters(base), member.slot);
        words.writeFloat(member.segment.floats, timeIndex(mutexTimes(base), member.slot), 0);
        mutex["hasCompany"] = true;
        mutex["possession"] = 1;
        mutex["giveUp"]();
        return isWaitedFor;
      });
    },
  };
}

/** Who has waited for long goes before who comes then, unless it dies. */
const patience = (name: string, deaths: number): Scenario => ({
  name,
  algorithm: "mutex",
  members: 3,
  deaths,
  tell: (world) => {
    const [a, b, c] = mutexes(world);
    a.tryLock();
    const locks = (name: string, mutex: Mutex): Role => ({
      name,
      run: (call) => {
        call({ name }, () => mutex.lockSync().release());
      },
    });
    return {
      roles: [releases(a, world.members[1]), locks("patient", b), survivor(locks("next", c))],
      model: {
        initial: { isFree: false, isFavoured: false },
        step(state: { isFree: boolean; isFavoured: boolean }, { name }, answer) {
          if (name === "release") return [{ isFree: true, isFavoured: answer === true }];
          if (name === "recover") return [{ ...state, isFavoured: false }];
          if (name === "patient")
            return state.isFree ? [{ isFree: true, isFavoured: false }] : answer === PENDING ? [state] : [];
          return state.isFree && !state.isFavoured ? [state] : [];
        },
      },
    };
  },
});

// Counters.

function counters(world: World): Counter[] {
  return world.members.map(({ region }) => region.counters.openOrCreateSync("c"));
}
const adds = (name: string, counter: Counter, times = 1): Role => ({
  name,
  run: (call) => {
    for (let i = 0; i < times; i++)
      call({ name: "increment", operation: "counter.update" }, () => Number(counter.addSync()));
  },
});
const awaits = (name: string, counter: Counter, minimum: number): Role => ({
  name,
  run: (call) => {
    call({ name: "wait", argument: minimum }, () => Number(counter.waitForSync(minimum)));
  },
});
const finalValue = ({ region }: MemberOf, call: <T>(what: Call, act: () => T) => T): void => {
  call(READ, () => Number(region.counters.openSync("c").value));
};

const onCounter = (name: string, members: number, rolesOf: (counters: Counter[]) => Role[], deaths = 0): Scenario => ({
  name,
  algorithm: "counter",
  members,
  deaths,
  tell: (world) => ({ roles: rolesOf(counters(world)), model: counting, after: finalValue }),
});

export const SYNC_SCENARIOS: readonly Scenario[] = [
  locking("lock-2", 2, 2),
  locking("lock-3", 3, 1),
  locking("lock-owner-dies", 3, 1, 1),
  {
    name: "mutex-2",
    algorithm: "mutex",
    members: 2,
    deaths: 0,
    tell: (world) => {
      const [a, b] = mutexes(world);
      return { roles: [increments("one", a), increments("two", b)], model: guarded };
    },
  },
  {
    name: "mutex-owner-dies",
    algorithm: "mutex",
    members: 3,
    deaths: 1,
    tell: (world) => {
      const [a, b, c] = mutexes(world);
      return {
        roles: [increments("mortal", a), survivor(increments("two", b)), survivor(increments("three", c))],
        model: guarded,
      };
    },
  },
  {
    name: "mutex-aborted-sibling",
    algorithm: "mutex",
    members: 2,
    deaths: 0,
    tell: (world) => {
      const [a, b] = mutexes(world);
      const loop = new EventLoop(world, world.members[0]);
      return { roles: [incrementsBehind("one", a, loop), increments("two", b)], model: guarded };
    },
  },
  patience("mutex-patience", 0),
  patience("mutex-patient-dies", 1),
  onCounter("counter-3", 3, ([a, b, c]) => [adds("one", a), adds("two", b), adds("three", c)]),
  onCounter("counter-wait", 3, ([a, b, c]) => [adds("adder", a, 2), awaits("waiter1", b, 1), awaits("waiter2", c, 2)]),
  onCounter(
    "counter-adder-dies",
    3,
    ([a, b, c]) => [adds("mortal", a), survivor(adds("adder", b)), survivor(awaits("waiter", c, 1))],
    1,
  ),
  onCounter("counter-deadline", 3, ([a, b, c]) => [
    adds("one", a),
    {
      name: "impatient",
      hasDeadline: true,
      run: (call) => call(INCREMENT, () => within((options) => Number(b.addSync(1, options)))),
    },
    adds("three", c),
  ]),
];
