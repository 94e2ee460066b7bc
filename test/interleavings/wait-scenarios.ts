/** Waiting as such: giving up, being cut off, asynchronous waits with their doorbell's thread, and many who ring. */
import * as words from "#words";
import assert from "node:assert/strict";
import type { Pipe, Region } from "shmkit";
import type { NamedObject } from "#src/heap/named-object.js";
import { Armed, NO_ENTRY, Op } from "#src/layout/member-slot.js";
import { MUTEX } from "#src/layout/lock.js";
import { PIPE } from "#src/layout/pipe.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { blockedOnLock, isFree, tryLock, unlock } from "#src/locking/robust-lock.js";
import { ringAll, ringAwake, ringOne } from "#src/members/doorbell.js";
import type { Member } from "#src/members/member.js";
import { HEADER } from "#src/members/region-words.js";
import { LocalQueue, type Waitable } from "#src/members/waits.js";
import { EventLoop } from "./event-loop.js";
import type { Call } from "./linearizability.js";
import { message } from "./pipe-scenarios.js";
import { anything, within, type Role, type Scenario, type Story } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

type Options = { timeoutMs: number } | undefined;
const WAIT: Call = { name: "wait" };

const role = (name: string, act: () => unknown): Role => ({
  name,
  run: (call) => void call(WAIT, () => void act()),
});
const impatient = (name: string, act: (options: Options) => unknown): Role => ({
  name,
  hasDeadline: true,
  run: (call) => void call(WAIT, () => within((options) => void act(options))),
});

const onWaits = (name: string, members: number, tell: (world: World) => Omit<Story, "model">): Scenario => ({
  name,
  algorithm: "waiting",
  members,
  deaths: 0,
  tell: (world) => ({ model: anything, ...tell(world) }),
});

// Locks: whoever gives up waiting for one passes on the ring that was meant for it.

function holds({ membership: { member } }: MemberOf, lock: number): void {
  member.begin(Op["heap.allocate"], NO_ENTRY);
  if (tryLock(member, lock)) unlock(member, lock);
  member.withdrawn();
  member.end();
}

/** What a member waits for that needs the lock. */
type Wants = (member: MemberOf, options: Options) => unknown;

const givingUp = (name: string, prepare: (world: World) => { lock: number; wants: Wants }): Scenario =>
  onWaits(`deadline-${name}`, 3, (world) => {
    const [a, b, c] = world.members;
    const { lock, wants } = prepare(world);
    return {
      roles: [
        role("holder", () => holds(a, lock)),
        impatient("impatient", (options) => wants(b, options)),
        role("patient", () => wants(c, undefined)),
      ],
    };
  });

/** Open in every member. */
function pipesOf(world: World): Map<MemberOf, Pipe<Uint8Array>> {
  return new Map(
    world.members.map((member) => {
      const pipe = member.region.pipes.openOrCreateSync<Uint8Array>("p", { capacity: 2, maxLeased: 1 });
      return [member, pipe];
    }),
  );
}
const inPipe = (world: World, field: keyof typeof PIPE.at): number =>
  (world.first.region.pipes.openSync("p").ref.page * PAGE_BYTES + PIPE.at[field]) / 4;

/** An object whose first word is the lock that is waited for. */
function onObject<O extends NamedObject>(
  world: World,
  open: (region: Region) => O,
  act: (object: O, options: Options) => unknown,
): { lock: number; wants: Wants } {
  const objects = new Map(world.members.map((one) => [one, open(one.region)] as const));
  const { page } = objects.get(world.first)!.ref;
  return { lock: (page * PAGE_BYTES) / 4, wants: (member, options) => act(objects.get(member)!, options) };
}

const LOCKS: Scenario[] = [
  givingUp("close", (world) => {
    const pipes = pipesOf(world);
    return {
      lock: inPipe(world, "tailLock"),
      wants: (member, options) => pipes.get(member)!.closeSync(options),
    };
  }),
  givingUp("receive", (world) => {
    const pipes = pipesOf(world);
    for (const number of [1, 2]) pipes.get(world.first)!.sendSync(message(number));
    return {
      lock: inPipe(world, "headLock"),
      wants: (member, options) => pipes.get(member)!.receiveSync(options),
    };
  }),
  givingUp("mutex", (world) => {
    const mutexes = new Map(world.members.map((one) => [one, one.region.mutexes.openOrCreateSync("m")] as const));
    return {
      lock: (mutexes.get(world.first)!.ref.page * PAGE_BYTES + MUTEX.at.lock) / 4,
      wants: (member, options) => mutexes.get(member)!.lockSync(options).release(),
    };
  }),
  givingUp("barrier", (world) =>
    onObject(
      world,
      ({ barriers }) => barriers.openOrCreateSync("b", { parties: 3 }),
      (barrier, options) => barrier.enrolSync(options),
    ),
  ),
  givingUp("event-reset", (world) =>
    onObject(
      world,
      ({ events }) => events.openOrCreateSync("e"),
      (event, options) => event.resetSync(options),
    ),
  ),
  givingUp("flag", (world) =>
    onObject(
      world,
      ({ flags }) => flags.openOrCreateSync("f"),
      (flag, options) => flag.setSync(options),
    ),
  ),
  givingUp("once", (world) =>
    onObject(
      world,
      ({ onces }) => onces.openOrCreateSync("o"),
      (once, options) => void once.runSync(() => undefined, options),
    ),
  ),
  givingUp("semaphore", (world) =>
    onObject(
      world,
      ({ semaphores }) => semaphores.openOrCreateSync("s", { permits: 2 }),
      (semaphore, options) => semaphore.waitSync(options),
    ),
  ),
  givingUp("remove", () => ({
    lock: HEADER.directoryLock,
    wants: ({ region }, options) => region.counters.removeSync("nothing", options),
  })),
  givingUp("grow", () => ({
    lock: HEADER.heapLock,
    wants: ({ region }, options) => region.growSync(region.sizeBytes, options),
  })),
  // A member that was cut off with a lock in its hands frees it when it does something else, and others learn of it.
  onWaits("cut-off-owner", 2, ({ members: [a, b] }) => {
    const { member, waits } = b.membership;
    const queue = new LocalQueue();
    const waitable: Waitable<true> = {
      what: "locking",
      queue,
      owner: queue,
      attempt: () => {
        member.begin(Op["heap.allocate"], NO_ENTRY);
        if (!tryLock(member, HEADER.heapLock)) return blockedOnLock(member, HEADER.heapLock);
        unlock(member, HEADER.heapLock);
        member.withdrawn();
        member.end();
        return true;
      },
      remains: () => isFree(member, HEADER.heapLock),
    };
    return {
      roles: [
        role("cut off", () => {
          const owner = a.membership.member;
          owner.begin(Op["heap.allocate"], NO_ENTRY);
          tryLock(owner, HEADER.heapLock);
          holds(a, HEADER.directoryLock);
        }),
        role("patient", () => waits.sync(waitable, undefined)),
      ],
    };
  }),
];

// A number that grows, and those who wait until it has.

const SET = HEADER.directoryWaiters;
/** In a page of the heap that nobody else uses. */
const numberOf = ({ geometry }: World): number => (geometry.maxPages - 1) * (PAGE_BYTES / 4);

type Ring = (member: Member, set: number) => void;
const grows = (name: string, world: World, { membership: { member } }: MemberOf, ring: Ring): Role =>
  role(name, () => {
    words.add(member.segment.words, numberOf(world), 1);
    ring(member, SET);
  });

const reaching = (world: World, { membership: { member } }: MemberOf, least: number): Waitable<number> => {
  const queue = new LocalQueue();
  return {
    what: "waiting",
    queue,
    owner: queue,
    attempt: () => {
      const value = words.load(member.segment.words, numberOf(world));
      return value >= least ? value : member.waiting(SET);
    },
    remains: () => words.load(member.segment.words, numberOf(world)) >= least,
  };
};
const awaits = (name: string, { membership }: MemberOf, waitable: Waitable<number>): Role =>
  role(name, () => membership.waits.sync(waitable, undefined));

const isDisarmed = ({ machine, members }: World): void => {
  for (const { membership, slot } of members)
    assert.equal(machine.words[membership.member.armed] & Armed.mask, 0, `member ${slot} is disarmed`);
};

/** What a wait has done when a vm timeout cuts it off, past its `finally`. */
function cutOffWaiting({ membership }: MemberOf): void {
  const waits = membership.waits as unknown as {
    syncWait: object;
    syncSet: number;
    enter(set: number): void;
    arm(sleeper: number): void;
  };
  waits.syncWait = {};
  waits.syncSet = SET;
  waits.enter(SET);
  waits.arm(Armed.sync);
}

const NUMBERS: Scenario[] = [
  onWaits("wait-asynchronously", 2, (world) => {
    const [a, b] = world.members;
    return {
      roles: [
        grows("grower", world, a, ringOne),
        role("waiter", () =>
          new EventLoop(world, b).await(() => b.membership.waits.async(reaching(world, b, 1), undefined)),
        ),
      ],
    };
  }),
  // Whoever stands first gives up; the next one has not entered the set yet.
  onWaits("wait-next-in-turn", 2, (world) => {
    const [a, b] = world.members;
    return {
      roles: [
        grows("grower", world, a, ringOne),
        role("waiter", () => {
          const { waits } = b.membership;
          const one = reaching(world, b, 2);
          const other = { ...reaching(world, b, 1), queue: one.queue };
          new EventLoop(world, b).awaitBehind(
            (signal) => waits.async(one, { signal }),
            () => waits.async(other, undefined),
          );
        }),
      ],
    };
  }),
  // Rings and armings were counted nearly as far as can be.
  onWaits("wait-wrap", 3, (world) => {
    const [a, b, c] = world.members;
    for (const { membership } of world.members) {
      world.machine.words[membership.member.bell] = -1;
      world.machine.words[membership.member.armed] = -Armed.once;
    }
    return {
      roles: [
        role("grower", () => {
          for (let i = 0; i < 2; i++) {
            words.add(a.membership.member.segment.words, numberOf(world), 1);
            ringAll(a.membership.member, SET);
          }
        }),
        role("asynchronous waiter", () =>
          new EventLoop(world, b).await(() => b.membership.waits.async(reaching(world, b, 2), undefined)),
        ),
        awaits("waiter", c, reaching(world, c, 2)),
      ],
    };
  }),
  onWaits("wait-cut-off", 3, (world) => {
    const [a, b, c] = world.members;
    return {
      roles: [
        grows("grower", world, a, ringOne),
        role("cut off", () => {
          cutOffWaiting(b);
          b.membership.waits.drain();
        }),
        awaits("waiter", c, reaching(world, c, 1)),
      ],
      check: isDisarmed,
    };
  }),
  onWaits("ring-3", 4, (world) => {
    const [a, b, c, d] = world.members;
    const wake = (member: Member): void => ringAwake(member, a.slot);
    return {
      roles: [
        awaits("waiter", a, { ...reaching(world, a, 3), remains: () => false }),
        grows("one", world, b, wake),
        grows("two", world, c, wake),
        grows("three", world, d, wake),
      ],
    };
  }),
];

export const WAIT_SCENARIOS: readonly Scenario[] = [...LOCKS, ...NUMBERS];
