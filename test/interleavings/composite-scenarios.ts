/** Composite objects: there with all their parts, or not at all, whoever makes, opens and removes them. */
import assert from "node:assert/strict";
import { part, type Composite } from "shmkit";
import { refuses } from "../helpers/crash-calls.js";
import { allocates, identity, naming, OPEN, REMOVE } from "./heap-scenarios.js";
import { anything, survivor, unlessClosed, type Calls, type Role, type Scenario } from "./scenario.js";
import type { MemberOf } from "./world.js";

const parts = { one: part.counter(), two: part.counter() };
type Pair = Composite<typeof parts>;

/** The directory, what was removed and is open, and what was made since. */
const REGION = { heapPages: 2 + 3 + 3 };
const DIRECTORY_BLOCKS = 1;
const BLOCKS = 3;

const opens = ({ region }: MemberOf, call: Calls): Pair => {
  let pair!: Pair;
  call(OPEN, () => {
    pair = region.composites.openOrCreateSync("x", { parts });
    assert.deepEqual(Object.keys(pair.parts), ["one", "two"]);
    return identity(pair);
  });
  return pair;
};
const removes = ({ region }: MemberOf, call: Calls): void => {
  call(REMOVE, () => region.composites.removeSync("x"));
};
const detaches = (pair: Pair, call: Calls): void => call({ name: "detach" }, () => pair.detach());
const uses = (pair: Pair, call: Calls): void => {
  call({ name: "use" }, () => void unlessClosed(() => pair.parts.two.addSync(1)));
};
/** Without any lock. A composite is seen with all its parts, and they with it. */
const lists = ({ membership: { directory } }: MemberOf, call: Calls): void => {
  call({ name: "list" }, () => {
    const names = directory.list().map(({ name }) => name);
    if (names.length > 0) assert.deepEqual(names, ["x", "x.one", "x.two"]);
    return names.slice(0, 1).join();
  });
};
/** One of its parts, which is there as long. */
const listsParts = ({ region }: MemberOf, call: Calls): void => {
  call({ name: "list" }, () => (region.counters.list().includes("x.two") ? "x" : ""));
};

const scenario = (
  name: string,
  members: number,
  deaths: number,
  rolesOf: (members: MemberOf[]) => Role[],
): Scenario => ({
  name: `composite-${name}`,
  algorithm: "composites",
  members,
  deaths,
  region: REGION,
  tell: (world) => {
    // The directory's first segment is there already, and the entry was another object's.
    world.first.region.counters.createSync("another").detach();
    world.first.region.counters.removeSync("another");
    return {
      roles: rolesOf(world.members),
      model: naming,
      after: lists,
      check: (_world, { region, membership: { heap, directory } }) => {
        const isThere = region.composites.list().length === 1;
        assert.deepEqual(region.counters.list(), isThere ? ["x.one", "x.two"] : []);
        const removed = directory.list().length === 0 ? heap.statistics().usedBlocks - DIRECTORY_BLOCKS : 0;
        assert.ok(removed % BLOCKS === 0, `${removed} blocks of what was removed: all of it, or nothing`);
      },
    };
  },
});

export const COMPOSITE_SCENARIOS: readonly Scenario[] = [
  scenario("2", 2, 0, ([a, b]) =>
    [a, b].map((member, i) => ({
      name: `${i}`,
      run: (call): void => {
        const pair = opens(member, call);
        uses(pair, call);
        removes(member, call);
        detaches(pair, call);
      },
    })),
  ),
  scenario("reader", 2, 0, ([a, b]) => [
    {
      name: "maker",
      run: (call) => {
        const pair = opens(a, call);
        removes(a, call);
        detaches(pair, call);
        opens(a, call);
      },
    },
    {
      name: "reader",
      run: (call) => {
        listsParts(b, call);
        lists(b, call);
        listsParts(b, call);
      },
    },
  ]),
  scenario("creator-dies", 2, 1, ([a, b]) => [
    { name: "mortal", run: (call) => void opens(a, call) },
    survivor({
      name: "other",
      run: (call) => {
        uses(opens(b, call), call);
        removes(b, call);
      },
    }),
  ]),
  scenario("remover-dies", 2, 1, ([a, b]) => [
    {
      name: "mortal",
      run: (call) => {
        const pair = opens(a, call);
        removes(a, call);
        detaches(pair, call);
      },
    },
    survivor({ name: "other", run: (call) => uses(opens(b, call), call) }),
  ]),
  // It has the heap's lock for all parts.
  {
    name: "composite-maker-and-allocator",
    algorithm: "composites",
    members: 2,
    deaths: 1,
    region: REGION,
    tell: ({ members: [a, b] }) => ({
      roles: [{ name: "mortal", run: (call) => void opens(a, call) }, survivor(allocates("other", b))],
      model: anything,
      after: lists,
    }),
  },
  {
    name: "composite-remove-waiter",
    algorithm: "composites",
    members: 2,
    deaths: 0,
    region: REGION,
    tell: ({ members: [a, b] }) => {
      const pair = b.region.composites.createSync("x", { parts });
      const waits: Role = {
        name: "waiter",
        run: (call) => call({ name: "wait" }, () => refuses("ERR_CLOSED", () => pair.parts.two.waitForSync(1))),
      };
      return { roles: [{ name: "remover", run: (call) => removes(a, call) }, waits], model: anything };
    },
  },
];
