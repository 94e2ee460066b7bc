/** For how long somebody has had something: never longer than it is, whatever onlookers, waiters and holders do at the time. */
import * as words from "#words";
import type { Region } from "shmkit";
import { PAGE_WORDS } from "#src/heap/page-heap.js";
import type { Model } from "./linearizability.js";
import { survivor, within, TIMED_OUT, type Role, type Scenario } from "./scenario.js";

/** Since when by the clock there is somebody who has it; null: nobody has. */
type Had = { readonly began: number } | null;

const had: Model<Had> = {
  initial: { began: 1 },
  step(state, { name }, answer) {
    if (name === "look")
      return answer === "unknown" || (state !== null && state.began <= Number(answer)) ? [state] : [];
    // Who is dead has begun at any time.
    if (name === "take") return answer === TIMED_OUT ? [state] : [{ began: typeof answer === "number" ? answer : 0 }];
    if (name === "give back") return [null];
    return name === "recover" ? [state, null] : [state];
  },
};

type Release = { release(): void };
type Limit = { timeoutMs: number };

/** Something that one can have, and what onlookers are told of the first member's. */
interface Thing {
  readonly take: (region: Region) => Release;
  readonly wait: (region: Region, limit: Limit) => Release;
  readonly since: (region: Region) => Date | undefined;
  /** Whether onlookers are told of whoever has it: not of the first member alone. */
  readonly isOwned?: boolean;
}

const THINGS: Readonly<Record<string, Thing>> = {
  mutex: {
    take: (region) => region.mutexes.openSync("o").lockSync(),
    wait: (region, limit) => region.mutexes.openSync("o").lockSync({ ...limit, detectDeadlock: false }),
    since: (region) => region.mutexes.openSync("o").statistics().heldSince,
    isOwned: true,
  },
  writer: {
    take: (region) => region.rwlocks.openSync("o").lockSync(),
    wait: (region, limit) => region.rwlocks.openSync("o").lockSync({ ...limit, detectDeadlock: false }),
    since: (region) => region.rwlocks.openSync("o").statistics().heldSince,
    isOwned: true,
  },
  reader: {
    take: (region) => region.rwlocks.openSync("o").lockSharedSync(),
    wait: (region, limit) => region.rwlocks.openSync("o").lockSync({ ...limit, detectDeadlock: false }),
    since: (region) =>
      region.rwlocks
        .openSync("o")
        .statistics()
        .readers.find(({ slot }) => slot === 0)?.since,
  },
  permit: {
    take: (region) => region.semaphores.openSync("o").acquireSync(),
    wait: (region, limit) => region.semaphores.openSync("o").acquireSync({ ...limit, detectDeadlock: false }),
    since: (region) =>
      region.semaphores
        .openSync("o")
        .statistics()
        .held.find(({ slot }) => slot === 0)?.since,
  },
  segment: {
    take: (region) => region.segmentPools.openSync("o").acquireSync(),
    wait: (region, limit) => region.segmentPools.openSync("o").acquireSync(limit),
    since: (region) =>
      region.segmentPools
        .openSync("o")
        .statistics()
        .held.find(({ slot }) => slot === 0)?.since,
  },
};

function make(region: Region, what: string): void {
  if (what === "mutex") region.mutexes.createSync("o");
  else if (what === "permit") region.semaphores.createSync("o", { permits: 1 });
  else if (what === "segment") region.segmentPools.createSync("o", { segments: 1, segmentBytes: 8 });
  else region.rwlocks.createSync("o");
}

function scenario(what: string, deaths: number): Scenario {
  const { take, wait, since, isOwned = false } = THINGS[what];
  // Where nobody dies, the last one that takes it keeps it, and others give up.
  const hasDeadline = deaths === 0;
  return {
    name: `since-${what}${deaths === 0 ? "" : "-waiter-dies"}`,
    algorithm: "since",
    members: 3,
    deaths,
    region: { heapPages: 24 },
    tell: (world) => {
      const { region } = world.first;
      make(region, what);
      const clock = region.counters.createSync("clock").ref.page * PAGE_WORDS + PAGE_WORDS - 1;
      const shared = world.segment.words;
      for (const member of world.members) since(member.region);
      world.machine.words[clock] = 1;
      world.tellTime(clock);
      const time = (): number => words.loadFresh(shared, clock);
      const first = take(region);
      const asTaken = { ...first };
      const [holder, waiter, onlooker]: Role[] = [
        {
          name: "holder",
          run: (call) => {
            // As it is whenever the script begins.
            Object.assign(first, asTaken);
            call({ name: "give back" }, () => {
              // From here on what was noted of it is of the past.
              words.add(shared, clock, 1);
              first.release();
            });
            const again = { current: first };
            const took = call({ name: "take" }, () =>
              within((limit) => {
                again.current = wait(region, limit);
                return time();
              }),
            );
            if (took === TIMED_OUT || hasDeadline) return;
            call({ name: "give back" }, () => {
              words.add(shared, clock, 1);
              again.current.release();
            });
          },
          hasDeadline,
        },
        {
          name: "waiter",
          hasDeadline,
          run: (call) => {
            const mine = world.members[1].region;
            const got = { current: undefined as Release | undefined };
            const took = call({ name: isOwned ? "take" : "other" }, () =>
              within((limit) => {
                got.current = wait(mine, limit);
                return time();
              }),
            );
            if (took === TIMED_OUT) return;
            call({ name: isOwned ? "give back" : "other" }, () => {
              words.add(shared, clock, 1);
              got.current!.release();
            });
          },
        },
        {
          name: "onlooker",
          run: (call) => {
            for (let i = 0; i < 2; i++)
              call({ name: "look" }, () => since(world.members[2].region)?.getTime() ?? "unknown");
          },
        },
      ];
      return { roles: [survivor(holder), deaths === 0 ? survivor(waiter) : waiter, survivor(onlooker)], model: had };
    },
  };
}

export const SINCE_SCENARIOS: readonly Scenario[] = [
  ...Object.keys(THINGS).map((what) => scenario(what, 0)),
  scenario("mutex", 1),
  scenario("reader", 1),
];
