/** Web Locks: release, withdrawal and theft against those who wait, and who dies then. Waits are asynchronous, as always there. */
import assert from "node:assert/strict";
import type { LockTable } from "#src/sync/lock-table.js";
import { lockTable, TestClaim } from "../helpers/lock-claims.js";
import { EventLoop } from "./event-loop.js";
import { PENDING, type Model } from "./linearizability.js";
import { survivor, type Role, type Scenario, type Story } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

/** Who holds the lock: by thread, and whether it is shared. */
interface Held {
  readonly shared: boolean;
  readonly by: readonly number[];
}
const NOBODY: Held = { shared: false, by: [] };

const holding: Model<Held> = {
  initial: NOBODY,
  step(state, { name, argument }, answer, thread) {
    // What a dead member had is free, sooner or later; that nobody has too much is looked at by the calls of the others.
    if (name === "recover") return [state, NOBODY];
    const without = { ...state, by: state.by.filter((one) => one !== thread) };
    if (name === "steal")
      return answer === PENDING ? [state, { shared: false, by: [thread] }] : [{ shared: false, by: [thread] }];
    if (name === "leave") {
      if (answer === PENDING) return [state, without];
      return state.by.includes(thread) === (answer === true) ? [without] : [];
    }
    if (name === "withdraw") return [state];
    const shared = argument === "shared";
    const isFree = state.by.length === 0 || (shared && state.shared);
    const taken = isFree ? [{ shared, by: [...state.by, thread] }] : [];
    return answer === PENDING ? [state, ...taken] : taken;
  },
};

/** Requests, and waits until the lock is granted. */
function acquire(world: World, member: MemberOf, table: LockTable, claim: TestClaim): void {
  new EventLoop(world, member).run(
    () => table.request(claim),
    () => claim.told.length > 0,
  );
  if (claim.error !== undefined) throw claim.error;
  // Perhaps it was stolen at once.
  assert.equal(claim.told[0], "granted");
}

/** Lets go, and does what a later turn of the event loop does: nothing is held, so nobody need watch for thieves. */
function leave({ membership }: MemberOf, table: LockTable, claim: TestClaim): boolean {
  const wasHeld = table.leave(claim);
  membership.waits.drain();
  return wasHeld;
}

interface Party {
  readonly world: World;
  readonly member: MemberOf;
  readonly table: LockTable;
}

const NAME = "a";

/** Takes the lock and lets it go. */
const holds = (name: string, { world, member, table }: Party, mode: "exclusive" | "shared" = "exclusive"): Role => ({
  name,
  run: (call) => {
    const claim = new TestClaim(NAME, "wait", mode === "shared");
    call({ name: "acquire", argument: mode }, () => acquire(world, member, table, claim));
    call({ name: "leave" }, () => leave(member, table, claim));
  },
});

/** Requests and changes its mind, wherever the request has got to. */
const withdraws = (name: string, { member, table }: Party, lock = NAME): Role => ({
  name,
  run: (call) =>
    void call({ name: "withdraw" }, () => {
      const claim = new TestClaim(lock);
      table.request(claim);
      leave(member, table, claim);
    }),
});

const steals = (name: string, { world, member, table }: Party): Role => ({
  name,
  run: (call) => {
    const claim = new TestClaim(NAME, "steal");
    call({ name: "steal" }, () => acquire(world, member, table, claim));
    call({ name: "leave" }, () => leave(member, table, claim));
  },
});

function on(name: string, members: number, rolesOf: (parties: Party[]) => Role[], deaths = 0): Scenario {
  return {
    name,
    algorithm: "lock manager",
    members,
    deaths,
    region: { heapPages: 10 },
    tell: (world: World): Story => {
      const parties = world.members.map((member) => ({ world, member, table: lockTable(member.region) }));
      // Its memory is there, so that the heap is not explored here as well.
      const [{ member, table }] = parties;
      const claim = new TestClaim("another");
      table.request(claim);
      leave(member, table, claim);
      return {
        roles: rolesOf(parties),
        model: holding,
        check: (_, { region }) => {
          const last = new TestClaim(NAME, "ifAvailable");
          const witness = lockTable(region);
          witness.request(last);
          assert.deepEqual(last.told, ["granted"], "nothing is held, and nobody waits");
          witness.leave(last);
        },
      };
    },
  };
}

/** The next two requests for the name are one behind the other in its chain, the first one first. */
function chainTwo({ member, table }: Party): void {
  const request = (name: string): TestClaim => {
    const claim = new TestClaim(name, "wait", true);
    table.request(claim);
    return claim;
  };
  const elsewhere = request("another");
  const second = request(NAME);
  leave(member, table, elsewhere);
  const first = request(NAME);
  leave(member, table, second);
  leave(member, table, first);
}

export const LOCK_SCENARIOS: readonly Scenario[] = [
  on("locks-2", 2, ([a, b]) => [holds("one", a), holds("two", b)]),
  on("locks-3", 3, ([a, b, c]) => [holds("one", a), holds("two", b), holds("three", c)]),
  on("locks-readers", 3, ([a, b, c]) => [
    holds("reader", a, "shared"),
    holds("writer", b),
    holds("other reader", c, "shared"),
  ]),
  on("locks-withdraw", 3, ([a, b, c]) => [holds("holder", a), withdraws("impatient", b), holds("patient", c)]),
  on("locks-chain", 3, ([a, b, c]) => {
    chainTwo(a);
    return [holds("holder", a), holds("waiter", b), withdraws("of another name", c, "b")];
  }),
  on("locks-steal", 2, ([a, b]) => [holds("victim", a), steals("thief", b)]),
  on("locks-steal-waiter", 3, ([a, b, c]) => [holds("victim", a), steals("thief", b), holds("waiter", c)]),
  on("locks-thieves", 2, ([a, b]) => [steals("one", a), steals("two", b)]),
  on(
    "locks-holder-dies",
    3,
    ([a, b, c]) => [holds("mortal", a), survivor(holds("two", b)), survivor(holds("three", c))],
    1,
  ),
  on("locks-thief-dies", 2, ([a, b]) => [steals("thief", a), survivor(holds("victim", b))], 1),
];
