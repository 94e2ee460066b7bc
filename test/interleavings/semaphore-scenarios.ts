/** Semaphores: turns, who gives up when its turn comes, who dies then, posts and leases. */
import assert from "node:assert/strict";
import type { Semaphore, SemaphoreLease } from "shmkit";
import { MONITOR } from "#src/layout/monitor.js";
import { SEMAPHORE } from "#src/layout/semaphore.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { EventLoop } from "./event-loop.js";
import { PENDING, type Model } from "./linearizability.js";
import { survivor, TIMED_OUT, within, type Role, type Scenario, type Story } from "./scenario.js";
import type { World } from "./world.js";

/** The state is what is available. */
const permits = (initial: number): Model<number> => ({
  initial,
  step(available, { name, argument = 1 }, answer) {
    const count = argument as number;
    // What a dead member had leased comes back, sooner or later; that nobody gets too much is looked at in the end.
    if (name === "recover") return [available, initial];
    if (name === "give") return answer === PENDING ? [available, available + count] : [available + count];
    if (answer === TIMED_OUT) return [available];
    const taken = available >= count ? [available - count] : [];
    return answer === PENDING ? [available, ...taken] : taken;
  },
});

const take = (count: number) => ({ name: "take", argument: count });
const give = (count: number) => ({ name: "give", argument: count });

const waits = (name: string, semaphore: Semaphore, count = 1): Role => ({
  name,
  run: (call) => void call(take(count), () => void semaphore.waitSync({ permits: count })),
});
const waitsUntil = (name: string, semaphore: Semaphore, count = 1): Role => ({
  name,
  hasDeadline: true,
  run: (call) =>
    void call(take(count), () => within((options) => void semaphore.waitSync({ ...options, permits: count }))),
});
const posts = (name: string, semaphore: Semaphore, ...counts: number[]): Role => ({
  name,
  run: (call) => {
    for (const count of counts) call(give(count), () => void semaphore.post(count));
  },
});
/** Leases and gives back. */
const leases = (name: string, semaphore: Semaphore, hasDeadline = false): Role => ({
  name,
  hasDeadline,
  run: (call) => {
    let isHeld = false;
    const act = (options?: { timeoutMs: number }): void => {
      lease = semaphore.acquireSync(options);
      isHeld = true;
    };
    let lease: ReturnType<Semaphore["acquireSync"]>;
    call(take(1), () => (hasDeadline ? within(act) : act()));
    if (isHeld) call(give(1), () => void lease.release());
  },
});

/** Asynchronously, behind another wait of its own, which is aborted. */
const leasesBehind = (name: string, semaphore: Semaphore, loop: EventLoop): Role => ({
  name,
  run: (call) => {
    let lease: SemaphoreLease;
    call(take(1), () => {
      lease = loop.awaitBehind(
        (signal) => semaphore.acquire({ signal }),
        () => semaphore.acquire(),
        (first) => first.release(),
      );
    });
    call(give(1), () => lease.release());
  },
});

function on(
  name: string,
  initial: number,
  left: number,
  rolesOf: (semaphores: Semaphore[], loops: EventLoop[]) => Role[],
  more: { members?: number; deaths?: number; isAtTheEnd?: boolean } = {},
): Scenario {
  const { members = 3, deaths = 0, isAtTheEnd = false } = more;
  return {
    name,
    algorithm: "semaphore",
    members,
    deaths,
    tell: (world: World): Story => {
      const semaphores = world.members.map(({ region }) =>
        region.semaphores.openOrCreateSync("s", { permits: initial }),
      );
      const base = semaphores[0].ref.page * PAGE_BYTES;
      if (isAtTheEnd) world.machine.words[(base + MONITOR.at.lastTurn) >> 2] = -2;
      return {
        roles: rolesOf(
          semaphores,
          world.members.map((member) => new EventLoop(world, member)),
        ),
        model: permits(initial),
        check: (_, { region }) => {
          const { available, waiting } = region.semaphores.openSync("s").statistics();
          assert.deepEqual(waiting, [], "nobody waits");
          if (left >= 0) assert.equal(available, left);
          const turns = world.machine.words.subarray(
            (base + SEMAPHORE.at.turns) / 4,
            (base + SEMAPHORE.at.turns) / 4 + 8,
          );
          assert.ok(turns.every((turn) => turn === 0));
        },
      };
    },
  };
}

export const SEMAPHORE_SCENARIOS: readonly Scenario[] = [
  on("semaphore-1-1", 0, 0, ([a, b]) => [waits("waiter", a), posts("poster", b, 1)], { members: 2 }),
  on("semaphore-2-1", 0, 0, ([a, b, c]) => [waits("one", a), waits("two", b), posts("poster", c, 1, 1)]),
  on("semaphore-wrap", 0, 0, ([a, b, c]) => [waits("one", a), waits("two", b), posts("poster", c, 2)], {
    isAtTheEnd: true,
  }),
  on("semaphore-many-few", 0, 0, ([a, b, c]) => [waits("many", a, 2), waits("few", b), posts("poster", c, 1, 2)]),
  on("semaphore-give-up", 0, -1, ([a, b, c]) => [
    waitsUntil("impatient", a),
    waits("patient", b),
    posts("poster", c, 1, 1),
  ]),
  on("semaphore-give-up-many", 1, 0, ([a, b]) => [waitsUntil("impatient", a, 2), waits("patient", b)], { members: 2 }),
  on("semaphore-leases", 1, 1, ([a, b, c]) => [leases("one", a), leases("two", b), leases("impatient", c, true)]),
  on("semaphore-aborted-sibling", 1, 1, ([a, b], [loop]) => [leasesBehind("one", a, loop), leases("two", b)], {
    members: 2,
  }),
  on("semaphore-aborted-siblings", 1, 1, ([a, b, c], [one, two]) => [
    leasesBehind("one", a, one),
    leasesBehind("two", b, two),
    leases("three", c),
  ]),
  on(
    "semaphore-poster-dies",
    0,
    -1,
    ([a, b, c]) => [posts("mortal", a, 1), survivor(waits("waiter", b)), survivor(posts("poster", c, 1))],
    { deaths: 1 },
  ),
  on(
    "semaphore-waiter-dies",
    0,
    -1,
    ([a, b, c]) => [waits("mortal", a), survivor(waits("waiter", b)), survivor(posts("poster", c, 1, 1))],
    { deaths: 1 },
  ),
  on(
    "semaphore-holder-dies",
    1,
    1,
    ([a, b, c]) => [leases("mortal", a), survivor(leases("two", b)), survivor(leases("three", c))],
    { deaths: 1 },
  ),
];
