/** The heap, through messages that need blocks of their own, and the directory. */
import assert from "node:assert/strict";
import type { Counter } from "shmkit";
import type { NamedObject } from "#src/heap/named-object.js";
import { HeapAnswer } from "#src/heap/page-heap.js";
import { DIRECTORY_ENTRY } from "#src/layout/heap.js";
import { NO_ENTRY, Op } from "#src/layout/member-slot.js";
import { PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { blockedOnLock } from "#src/locking/robust-lock.js";
import type { Blocked } from "#src/members/member.js";
import { HEADER } from "#src/members/region-words.js";
import { LocalQueue } from "#src/members/waits.js";
import { refuses } from "../helpers/crash-calls.js";
import { PENDING, type Call, type Model } from "./linearizability.js";
import { messagesOf, onPipe, receives, sends } from "./pipe-scenarios.js";
import { anything, survivor, type Calls, type Role, type Scenario } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

/** Too long for the ring. */
const big = messagesOf(520);
const onHeap = (...all: Parameters<typeof onPipe>): Scenario => ({ ...onPipe(...all), algorithm: "page heap" });

/** Pages: the directory, the pipe, and so many for messages. */
const withPages = (pages: number): Partial<Scenario> => ({ region: { heapPages: 3 + pages } });

/** Allocates a page and frees it again. */
export const allocates = (name: string, { membership: { member, heap, waits } }: MemberOf): Role => {
  const queue = new LocalQueue();
  const attempt = (): true | Blocked => {
    member.begin(Op["heap.allocate"], NO_ENTRY);
    const page = heap.allocate(1);
    if (page === HeapAnswer.lockBusy) return blockedOnLock(member, HEADER.heapLock);
    heap.free(page);
    member.withdrawn();
    member.end();
    return true;
  };
  const remains = (): boolean => heap.lockIsFree;
  return {
    name,
    run: (call) => {
      call({ name: "allocate" }, () =>
        waits.sync({ what: "allocating", queue, owner: queue, attempt, remains }, undefined),
      );
    },
  };
};

// The directory.

export interface Names {
  /** Generation of the object of the name, 0 when there is none, -1 when nobody knows it yet. */
  readonly live: number;
  /** Generations that were there. */
  readonly used: readonly number[];
}

export const naming: Model<Names> = {
  initial: { live: 0, used: [] },
  step(state, { name }, answer) {
    const { live, used } = state;
    switch (name) {
      case "recover":
      case "detach":
      case "use":
        return [state];
      case "remove":
        return answer === PENDING || answer === (live !== 0) ? [{ live: 0, used }] : [];
      case "list":
        return answer === (live !== 0 ? "x" : "") ? [state] : [];
      default: {
        if (answer === PENDING) return live !== 0 ? [state] : [{ live: -1, used }];
        const [created, generation] = (answer as string).split(" ").map(Number);
        if (created === 0)
          return live === generation || live === -1 ? [{ live: generation, used: [...used, generation] }] : [];
        if (live !== 0 || used.includes(generation)) return [];
        return [{ live: generation, used: [...used, generation] }];
      }
    }
  },
};

export const OPEN: Call = { name: "open or create" };
export const REMOVE: Call = { name: "remove", operation: "object.remove" };

/** Entry and generation together are what makes an object this one. */
export const identity = ({ ref }: NamedObject): string =>
  `${ref.created ? 1 : 0} ${ref.generation * 64 + ref.entry + 1}`;

const opens = ({ region }: MemberOf, call: Calls): Counter => {
  let counter!: Counter;
  call(OPEN, () => {
    counter = region.counters.openOrCreateSync("x");
    return identity(counter);
  });
  return counter;
};
const removes = ({ region }: MemberOf, call: Calls): void => {
  call(REMOVE, () => region.counters.removeSync("x"));
};

/** Without any lock. */
const lists = ({ region }: MemberOf, call: Calls): void => {
  call({ name: "list" }, () => region.counters.list().join());
};

const onNames = (
  name: string,
  members: number,
  deaths: number,
  rolesOf: (members: MemberOf[]) => Role[],
): Scenario => ({
  name,
  algorithm: "directory",
  members,
  deaths,
  tell: (world: World) => {
    // The directory's first segment is there already, and the entry was another object's.
    world.first.region.counters.createSync("another").detach();
    world.first.region.counters.removeSync("another");
    return {
      roles: rolesOf(world.members),
      model: naming,
      after: lists,
    };
  },
});

export const HEAP_SCENARIOS: readonly Scenario[] = [
  onHeap(
    "heap-2-1",
    3,
    2,
    ([a, b, c]) => [sends("one", a, big, 1), sends("two", b, big, 2), receives("receiver", c, 2)],
    withPages(2),
  ),
  onHeap("heap-full", 2, 2, ([a, b]) => [sends("sender", a, big, 1, 2), receives("receiver", b, 2)], withPages(1)),
  onHeap(
    "heap-sender-dies",
    3,
    1,
    ([a, b, c]) => [
      sends("mortal", a, big, 1),
      survivor(sends("sender", b, big, 2)),
      survivor(receives("receiver", c, 1)),
    ],
    { ...withPages(1), deaths: 1 },
  ),
  // The search of the other one begins where the dead one's ended, unless recovery says where.
  {
    name: "heap-allocator-dies",
    algorithm: "page heap",
    members: 2,
    deaths: 1,
    tell: ({ members: [a, b] }) => ({
      roles: [allocates("mortal", a), survivor(allocates("other", b))],
      model: anything,
    }),
  },
  onHeap(
    "heap-receiver-dies",
    3,
    1,
    ([a, b, c]) => [
      receives("mortal", a, 1),
      survivor(sends("sender", b, big, 1, 2)),
      survivor(receives("receiver", c, 1)),
    ],
    { ...withPages(2), deaths: 1 },
  ),
  onNames("name-create", 2, 0, ([a, b]) => [
    { name: "one", run: (call) => void opens(a, call) },
    { name: "two", run: (call) => void opens(b, call) },
  ]),
  onNames("name-remove", 3, 0, ([a, b, c]) => [
    { name: "one", run: (call) => void opens(a, call) },
    { name: "two", run: (call) => void opens(b, call) },
    { name: "remover", run: (call) => removes(c, call) },
  ]),
  onNames("name-list", 2, 0, ([a, b]) => [
    { name: "one", run: (call) => void opens(a, call) },
    { name: "reader", run: (call) => lists(b, call) },
  ]),
  // What is read without the lock may be removed, and its memory freed, meanwhile.
  onNames("name-remove-list", 2, 0, ([a, b]) => [
    {
      name: "one",
      run: (call) => {
        const counter = opens(a, call);
        removes(a, call);
        call({ name: "detach" }, () => counter.detach());
      },
    },
    { name: "reader", run: (call) => lists(b, call) },
  ]),
  onNames("name-again", 2, 0, ([a, b]) => [
    {
      name: "one",
      run: (call) => {
        const counter = opens(a, call);
        call({ name: "detach" }, () => counter.detach());
        opens(a, call);
      },
    },
    { name: "remover", run: (call) => removes(b, call) },
  ]),
  {
    ...onNames("name-again-wrap", 2, 0, () => []),
    tell: (world) => {
      const { roles, ...story } = onNames("", 2, 0, ([a, b]) => [
        { name: "one", run: (call) => void opens(a, call) },
        { name: "remover", run: (call) => removes(b, call) },
      ]).tell(world);
      // The entry was used nearly as often as can be counted.
      const segment = world.machine.words[REGION_HEADER.at.directorySegments / 4] * PAGE_BYTES;
      world.machine.words[(segment + DIRECTORY_ENTRY.at.generation) / 4] = -1;
      return { roles, ...story };
    },
  },
  onNames("name-wait", 2, 0, ([a, b]) => [
    { name: "one", run: (call) => void opens(a, call) },
    {
      name: "waiter",
      run: (call) => {
        call(OPEN, () => identity(b.region.counters.openSync("x", { wait: true })));
      },
    },
  ]),
  // Whoever waits for something in an object is told that it was removed.
  {
    ...onNames("name-remove-waiter", 2, 0, () => []),
    tell: (world) => {
      const [a, b] = world.members;
      const counter = b.region.counters.createSync("x");
      const waits: Role = {
        name: "waiter",
        run: (call) => {
          call({ name: "wait" }, () => refuses("ERR_CLOSED", () => counter.waitForSync(1)));
        },
      };
      return { roles: [{ name: "remover", run: (call) => removes(a, call) }, waits], model: anything };
    },
  },
  onNames("name-creator-dies", 2, 1, ([a, b]) => [
    { name: "mortal", run: (call) => void opens(a, call) },
    survivor({
      name: "two",
      run: (call) => {
        removes(b, call);
        opens(b, call);
      },
    }),
  ]),
  onNames("name-remover-dies", 2, 1, ([a, b]) => [
    {
      name: "mortal",
      run: (call) => {
        const counter = opens(a, call);
        removes(a, call);
        call({ name: "detach" }, () => counter.detach());
      },
    },
    survivor({ name: "two", run: (call) => void opens(b, call) }),
  ]),
  // A pipe with a message in a block of its own; whoever recovers may die as well.
  {
    name: "pipe-remover-dies",
    algorithm: "directory",
    members: 2,
    deaths: 2,
    region: { heapPages: 8 },
    tell: ({ members: [a, b] }) => {
      const pipe = a.region.pipes.createSync<Uint8Array>("p", { capacity: 1, maxLeased: 1 });
      pipe.sendSync(big(1));
      const remove = ({ region }: MemberOf, call: Calls): void =>
        call({ name: "remove" }, () => void region.pipes.removeSync("p"));
      return {
        roles: [
          {
            name: "mortal",
            run: (call) => {
              remove(a, call);
              call({ name: "detach" }, () => pipe.detach());
            },
          },
          survivor({
            name: "other",
            run: (call) => {
              remove(b, call);
              opens(b, call);
            },
          }),
        ],
        model: anything,
        check: (_world, { membership: { heap } }) =>
          assert.equal(heap.statistics().usedBlocks, 2, "of the directory, and of the counter"),
      };
    },
  },
];
