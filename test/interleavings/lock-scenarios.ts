/** Web Locks: release, withdrawal and theft against those who wait, and who dies then. Waits are asynchronous, as always there. */
import * as words from "#words";
import assert from "node:assert/strict";
import { INLINE_NAME_BYTES, LOCK_MANAGER, packRequest, RequestState } from "#src/layout/lock-manager.js";
import { Armed } from "#src/layout/member-slot.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { tryLock, unlock } from "#src/locking/robust-lock.js";
import { leaveSet } from "#src/members/member-set.js";
import { LockName } from "#src/sync/lock-name.js";
import type { LockRequests } from "#src/sync/lock-requests.js";
import type { LockTable } from "#src/sync/lock-table.js";
import { lockTable, TestClaim } from "../helpers/lock-claims.js";
import { EventLoop } from "./event-loop.js";
import { PENDING, type Model } from "./linearizability.js";
import { survivor, type Calls, type Role, type Scenario, type Story } from "./scenario.js";
import { answering } from "./weak-scenarios.js";
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
    if (name === "look") return answer === true ? [state] : [];
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

/** In the first chain, as is, by its hash of 0, a request that never had a name. */
const NAME = "x";

/** What a table works on, with what it does inside. */
type Requests = Pick<LockRequests, "look" | "releaseAll" | "ringGrantable" | "visitAll"> & {
  segment(k: number): number;
  link(k: number, segment: number, i: number, hash: number): void;
};
const requestsOf = (table: LockTable): Requests => (table as unknown as { requests: Requests }).requests;

/** In another chain than that. */
const OTHER = LockName.of("b");

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

/** Has a request since before the story began, which is told what comes of it by then. */
function has({ table }: Party, manner: "exclusive" | "shared" = "exclusive", lock = NAME): TestClaim {
  const claim = new TestClaim(lock, "wait", manner === "shared");
  table.request(claim);
  return claim;
}

/** What it had, it leaves; then it waits until it is granted what it waited for, by itself or by a ring. */
const goesOn = (
  name: string,
  { world, member, table }: Party,
  { held, waiting }: { held?: TestClaim; waiting?: TestClaim },
  first: (call: Calls) => void = () => undefined,
): Role => {
  const { bell } = member.membership.member;
  const seen = world.machine.words[bell];
  return {
    name,
    run: (call) => {
      first(call);
      // What it waits for is not looked at unless somebody says so.
      if (held !== undefined)
        call({ name: "leave" }, () => (waiting === undefined ? leave(member, table, held) : table.leave(held)));
      if (waiting === undefined) return;
      call({ name: "acquire" }, () =>
        new EventLoop(world, member).run(
          () => undefined,
          () => waiting.told.length > 0,
          seen,
        ),
      );
      call({ name: "leave" }, () => leave(member, table, waiting));
    },
  };
};

/** Whether an onlooker sees what may be: the lock has one holder at most. */
const looks = (name: string, { table }: Party): Role => ({
  name,
  run: (call) =>
    void call({ name: "look" }, () => {
      const { held } = requestsOf(table).look();
      return held.filter((lock) => lock.name === NAME).length <= 1;
    }),
});

function on(
  name: string,
  members: number,
  rolesOf: (parties: Party[]) => Role[],
  { deaths = 0, initial = NOBODY }: { deaths?: number; initial?: Held } = {},
): Scenario {
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
        model: { ...holding, initial },
        check: (_, { region }) => {
          const last = new TestClaim(NAME, "ifAvailable");
          const witness = lockTable(region);
          witness.request(last);
          assert.deepEqual(last.told, ["granted"], "nothing is held, and nobody waits");
          witness.leave(last);
          requestsOf(witness).visitAll((at) => assert.fail(`the request at ${at} is nobody's`));
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

/** One behind the other in the chain of the name: a request that is free, and one that waits, of the last member. */
function chained(world: World) {
  const [walker, mover, waiter] = world.members.map((member) => ({ world, member, table: lockTable(member.region) }));
  const claims = [waiter, mover].map((party) => [party, has(party, "shared")] as const);
  for (const [{ member, table }, claim] of claims) leave(member, table, claim);
  const [waiting, free] = claims.map(([, claim]) => claim);
  const { me, armed, bell } = waiter.member.membership.member;
  const shared = world.machine.words;
  shared[waiting.at] = packRequest(RequestState.waiting, false, me);
  shared[armed] = Armed.eventLoop;
  /** Rings whoever can go on; whether that was the one who waits. */
  const ring = ({ table }: Pick<Party, "table">): boolean => {
    const rings = words.read(shared, bell);
    requestsOf(table).ringGrantable(waiting.name);
    return words.read(shared, bell) !== rings;
  };
  /** The free one goes to another chain. */
  const move = ({ table }: Pick<Party, "table">, { hash }: LockName): void => {
    const requests = requestsOf(table);
    requests.link(0, requests.segment(0), free.index, hash);
  };
  return { walker, mover, ring, move };
}

/** Whoever follows a chain without the lock misses nobody, also when a free request goes from under it to another chain. */
const walk: Scenario = {
  name: "locks-chain-walk",
  algorithm: "lock manager",
  members: 3,
  deaths: 0,
  region: { heapPages: 10 },
  tell: (world) => {
    const { walker, mover, ring, move } = chained(world);
    return {
      roles: [
        { name: "walker", run: (call) => void call({ name: "ring" }, () => ring(walker)) },
        { name: "mover", run: (call) => void call({ name: "move" }, () => move(mover, OTHER)) },
      ],
      model: answering({ ring: [true] }),
    };
  },
};

/** A request whose mover died is in no chain that it does not say, so that the next one breaks none. */
const moverDies: Scenario = {
  name: "locks-chain-mover-dies",
  algorithm: "lock manager",
  members: 3,
  deaths: 1,
  region: { heapPages: 10 },
  tell: (world) => {
    const { walker, ring, move } = chained(world);
    return {
      roles: [
        { name: "mortal", run: (call) => void call({ name: "move" }, () => move(walker, OTHER)) },
        survivor({ name: "nobody", run: () => undefined }),
        survivor({ name: "waiter", run: () => undefined }),
      ],
      model: answering({}),
      check: (_, { region }) => {
        const next = { table: lockTable(region) };
        move(next, LockName.of("another"));
        assert.ok(ring(next), "the one that waits is found");
      },
    };
  },
};

/** A recoverer dies: the block of a long name is free before nobody knows any more whose it was. */
const recovererDies: Scenario = {
  name: "locks-recoverer-dies",
  algorithm: "lock manager",
  members: 2,
  deaths: 1,
  region: { heapPages: 10 },
  tell: (world) => {
    const [a, b, medic] = world.members.map((member) => ({ world, member, table: lockTable(member.region) }));
    leave(b.member, b.table, has(b));
    const { usedBlocks } = world.first.membership.heap.statistics();
    has(b, "exclusive", NAME.repeat(2 * INLINE_NAME_BYTES));
    const { slot } = b.member;
    const set = (b.table.ref.page * PAGE_BYTES + LOCK_MANAGER.at.waiters) / 4;
    // As recovery does it, the member sets behind the requests.
    const release = ({ table, member }: Pick<Party, "table" | "member">): void => {
      requestsOf(table).releaseAll(slot);
      leaveSet(member.membership.member.segment, set, slot);
    };
    const { deaths } = medic.member.membership;
    const recover = deaths.recoverAndReport.bind(deaths);
    Object.assign(deaths, { recoverAndReport: () => (release(medic), recover()) });
    return {
      roles: [
        { name: "mortal", run: (call) => void call({ name: "release" }, () => release(a)) },
        survivor({ name: "gone", run: () => undefined }),
      ],
      model: answering({}),
      check: (_, { membership: { heap } }) =>
        assert.equal(heap.statistics().usedBlocks, usedBlocks, "the block of the name is free"),
    };
  },
};

/** What an onlooker sees was so at one time: a lock had one holder, although it went from one to another while it looked. */
const looksOnce: Scenario = {
  name: "locks-look-once",
  algorithm: "lock manager",
  members: 3,
  deaths: 0,
  region: { heapPages: 10 },
  tell: (world) => {
    const [a, b, c] = world.members.map((member) => ({ world, member, table: lockTable(member.region) }));
    const claims = [a, b].map((party) => [party, has(party, "shared")] as const);
    for (const [{ member, table }, claim] of claims) leave(member, table, claim);
    const [first, next] = claims.map(([, claim]) => claim.at);
    const [holding, held] = [a, b].map((one) => packRequest(RequestState.held, false, one.member.membership.member.me));
    const { member } = b.member.membership;
    world.machine.words[first] = holding;
    const lock = (b.table.ref.page * PAGE_BYTES) / 4;
    const takes = (): void => {
      words.store(member.segment.words, first, RequestState.free);
      tryLock(member, lock);
      (b.table as unknown as { countChange(): void }).countChange();
      words.store(member.segment.words, next, held);
      unlock(member, lock);
    };
    return {
      roles: [looks("onlooker", c), { name: "next", run: (call) => void call({ name: "take" }, takes) }],
      model: answering({ look: [true] }),
    };
  },
};

export const LOCK_SCENARIOS: readonly Scenario[] = [
  walk,
  moverDies,
  recovererDies,
  looksOnce,
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
  // The request that was the first in the chain of the name goes to another one.
  on("locks-chain-again", 2, ([a, b]) => {
    const turns = [withdraws("", b), withdraws("", b, "b"), holds("", b)];
    return [holds("holder", a), { name: "of another name", run: (call) => turns.forEach((turn) => turn.run(call)) }];
  }),
  // Who makes a request uses one that was older than all there are.
  on(
    "locks-order",
    2,
    ([a, b]) => {
      const old = has(b, "exclusive", "b");
      const parts = { held: has(a), waiting: has(a) };
      b.table.leave(old);
      return [goesOn("holder", a, parts), holds("newcomer", b)];
    },
    { initial: { shared: false, by: [0] } },
  ),
  on(
    "locks-look",
    3,
    ([a, b, c]) => [
      goesOn("holder", a, { held: has(a) }),
      goesOn("next", b, { waiting: has(b) }),
      looks("onlooker", c),
    ],
    { initial: { shared: false, by: [0] } },
  ),
  on("locks-steal-held", 2, ([a, b]) => [goesOn("victim", a, { held: has(a) }), steals("thief", b)], {
    initial: { shared: false, by: [0] },
  }),
  on("locks-steal", 2, ([a, b]) => [holds("victim", a), steals("thief", b)]),
  on("locks-steal-waiter", 3, ([a, b, c]) => [holds("victim", a), steals("thief", b), holds("waiter", c)]),
  on("locks-thieves", 2, ([a, b]) => [steals("one", a), steals("two", b)]),
  on(
    "locks-holder-dies",
    3,
    ([a, b, c]) => [holds("mortal", a), survivor(holds("two", b)), survivor(holds("three", c))],
    { deaths: 1 },
  ),
  on("locks-thief-dies", 2, ([a, b]) => [steals("thief", a), survivor(holds("victim", b))], { deaths: 1 }),
];
