/** What only weak memory makes go wrong: short stories, each about something that one barrier orders. */
import type { Pipe } from "shmkit";
import { EntryState } from "#src/layout/heap.js";
import { Op, SlotState } from "#src/layout/member-slot.js";
import { PIPE } from "#src/layout/pipe.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import * as words from "#words";
import { unlock } from "#src/locking/robust-lock.js";
import { ringAwake } from "#src/members/doorbell.js";
import { HEADER, SLOT, slotWord } from "#src/members/region-words.js";
import { LocalQueue } from "#src/members/waits.js";
import { HEAP_LOCK, takeHeapLock } from "./heap-lock.js";
import { PENDING, type Call, type Model } from "./linearizability.js";
import { message, messagesOf, numberOf, pipes } from "./pipe-scenarios.js";
import { CLOSED, survivor, unlessClosed, type Calls, type Role, type Scenario, type Story } from "./scenario.js";
import type { MemberOf, World } from "./world.js";

/** Every call answers something that it may answer at any time. */
export const answering = (expected: Readonly<Record<string, readonly unknown[]>>): Model<number> => ({
  initial: 0,
  step: (state, { name }, answer) =>
    answer === PENDING || expected[name] === undefined || expected[name].includes(answer) ? [state] : [],
});

export const scenario = (
  name: string,
  algorithm: string,
  members: number,
  tell: (world: World) => Story,
  more: Partial<Scenario> = {},
): Scenario => ({ name, algorithm, members, deaths: 0, tell, ...more });

/** Makes one call. */
export const once = (name: string, what: Call, act: () => unknown): Role => ({
  name,
  run: (call) => void call(what, act),
});

const receiveOne = (pipe: Pipe<Uint8Array>): unknown => {
  const bytes = unlessClosed(() => pipe.tryReceive());
  return bytes instanceof Uint8Array ? numberOf(bytes) : bytes;
};

/** Figures that belong together are of one moment, although they are read without a lock. */
function figures(name: string, messages: readonly number[], act: (pipe: Pipe<Uint8Array>) => unknown): Scenario {
  const tell = (world: World): Story => {
    const [b, a] = pipes(world, { capacity: 4 });
    for (const number of messages) a.sendSync(message(number));
    const worker: Role = {
      name: "worker",
      run: (call) => {
        for (let i = 0; i < 2; i++) call({ name: "work" }, () => void act(a));
      },
    };
    const reader = once("reader", { name: "look" }, () => {
      const { sent, sentBytes, received, receivedBytes } = b.statistics();
      return sentBytes === 8 * sent && receivedBytes === 8 * received;
    });
    return { roles: [reader, worker], model: answering({ look: [true] }) };
  };
  return scenario(name, "pipe", 2, tell, { weakSchedules: 500 });
}

/** Whoever finds the pipe closed finds first what was sent before. */
const sentAndClosed = scenario("pipe-sent-and-closed", "pipe", 2, (world) => {
  const [b, a] = pipes(world, { capacity: 2 });
  const closer: Role = {
    name: "closer",
    run: (call) => {
      call({ name: "send" }, () => void a.sendSync(message(1)));
      call({ name: "close" }, () => void a.closeSync());
    },
  };
  const receiver = once("receiver", { name: "receive" }, () => receiveOne(b));
  return { roles: [receiver, closer], model: answering({ receive: [1, undefined] }) };
});

/** A pipe shows itself done with only when nothing can come any more, although its figures are read one by one. */
const doneWith = scenario("statistics-done-with", "pipe", 3, (world) => {
  const [b, a, c] = pipes(world, { capacity: 2, maxLeased: 1 });
  const closer: Role = {
    name: "closer",
    run: (call) => {
      call({ name: "send" }, () => void a.sendSync(message(1)));
      call({ name: "close" }, () => void a.closeSync());
    },
  };
  const worker = once("worker", { name: "give back" }, () => void c.tryReceive({ lease: true })?.nack());
  const reader = once("reader", { name: "look" }, () => {
    const { closed, depth, leased } = b.statistics();
    return closed && depth === 0 && leased === 0;
  });
  return { roles: [reader, closer, worker], model: answering({ look: [false] }) };
});

const CLOSING: Model<boolean> = {
  initial: false,
  step: (isClosed, { name }, answer) => {
    if (name === "close") return [true];
    return name === "recover" || (answer === CLOSED) === isClosed ? [isClosed] : [];
  },
};

const closerDies = scenario(
  "pipe-closer-dies",
  "pipe",
  2,
  (world) => {
    const [a, b] = pipes(world, { capacity: 4 });
    const send = (pipe: Pipe<Uint8Array>) => (): unknown => unlessClosed(() => pipe.trySend(message(1)));
    return {
      roles: [
        once("mortal", { name: "close", operation: "pipe.close" }, () => void a.closeSync()),
        survivor(once("sender", { name: "send" }, send(b))),
      ],
      model: CLOSING,
      after: ({ region }, call) => void call({ name: "send" }, send(region.pipes.openSync<Uint8Array>("p"))),
    };
  },
  { deaths: 1 },
);

/** A receiver that was sent to look by a hint finds what was sent meanwhile. */
const hinted = scenario("pipe-hinted", "pipe", 2, (world) => {
  const [a, b] = pipes(world, { capacity: 2 });
  world.machine.words[(a.ref.page * PAGE_BYTES + PIPE.at.returnedHint) / 4] = 1;
  return {
    roles: [
      once("receiver", { name: "receive" }, () => receiveOne(a)),
      once("sender", { name: "send" }, () => void b.trySend(message(1))),
    ],
    model: answering({ receive: [1, undefined] }),
  };
});

/** An object made where something else was before: nobody takes what was there for the object. */
const named = (name: string, prepare: (world: World) => void): Scenario =>
  scenario(name, "directory", 2, (world) => {
    const [a, b] = world.members;
    prepare(world);
    return {
      roles: [
        // Like list(), of which the other entries would be as many more places for the creator to come between.
        once("reader", { name: "list" }, () => {
          const { directory } = a.membership;
          const [first] = directory["entries"]();
          const isLive = first !== undefined && directory.stateOf(first[1]) === EntryState.live;
          return isLive ? directory["ref"](...first, false).name : "";
        }),
        once("creator", { name: "create" }, () => void b.region.counters.createSync("x")),
      ],
      model: answering({ list: ["", "x"] }),
    };
  });

/** With it the first segment of the directory is made. */
const firstName = named("name-first", ({ machine, geometry }) => {
  machine.words.fill(1, (geometry.heapPage * PAGE_BYTES) / 4, (geometry.maxPages * PAGE_BYTES) / 4);
});
const nextName = named("name-next", ({ members: [{ region }] }) => {
  region.counters.createSync("another").detach();
  region.counters.removeSync("another");
});

const growerDies = scenario(
  "grower-dies",
  "page heap",
  1,
  ({ members: [a] }) => ({
    roles: [once("mortal", { name: "grow" }, () => void a.region.growSync(4 * PAGE_BYTES))],
    model: answering({}),
  }),
  { deaths: 1, region: { heapPages: 2, growthPages: 2 } },
);

/** A message that needs a block, which is a part of the free run. */
const takerDies = scenario(
  "heap-taker-dies",
  "page heap",
  1,
  (world) => {
    const [a] = pipes(world, { capacity: 2 });
    return {
      roles: [once("mortal", { name: "send" }, () => void a.trySend(messagesOf(520)(1)))],
      model: answering({}),
    };
  },
  { deaths: 1, region: { heapPages: 5 } },
);

/** An owner that takes back what it wrote, and dies. */
const rollbackDies = scenario(
  "mutex-rollback-dies",
  "mutex",
  1,
  (world) => {
    const [a] = world.members.map(({ region }) => region.mutexes.openOrCreateSync("m", { words: 2 }));
    const mortal = once("mortal", { name: "roll back" }, () => {
      const guard = a.lockSync();
      guard.set(0, 1);
      guard.set(1, 1);
      guard.rollback();
      guard.release();
    });
    return {
      roles: [mortal],
      model: answering({ read: ["0 0"] }),
      after: ({ region }, call) =>
        void call({ name: "read" }, () => {
          const guard = region.mutexes.openSync("m").lockSync();
          const read = `${guard.get(0)} ${guard.get(1)}`;
          guard.release();
          return read;
        }),
    };
  },
  { deaths: 1 },
);

/** Who waits for the second of two changes is rung for both. */
const twice = scenario("counter-twice", "counter", 2, (world) => {
  const [b, a] = world.members.map(({ region }) => region.counters.openOrCreateSync("c"));
  const adder: Role = {
    name: "adder",
    run: (call) => {
      for (let i = 0; i < 2; i++) call({ name: "add" }, () => void a.addSync());
    },
  };
  return {
    roles: [once("waiter", { name: "wait" }, () => Number(b.waitForSync(2))), adder],
    model: answering({ wait: [2] }),
  };
});

/** A doorbell counts every ring, so that it never shows again what somebody sampled. */
const bell = scenario("bell-counts", "doorbell", 4, ({ members, geometry, segment }) => {
  const flag = (geometry.maxPages - 1) * (PAGE_BYTES / 4);
  const [sleeper, ...ringers] = members.map(({ membership }) => membership);
  const rings = (name: string, ringer: number, act: () => void): Role =>
    once(name, { name: "ring" }, () => {
      act();
      ringAwake(ringers[ringer].member, sleeper.member.slot);
    });
  const queue = new LocalQueue();
  const attempt = () => words.load(segment.words, flag) === 1 || sleeper.member.waiting(HEADER.spaceWaiters);
  const waitable = { what: "waiting", queue, owner: queue, attempt, remains: () => false };
  return {
    roles: [
      once("sleeper", { name: "wait" }, () => sleeper.waits.sync(waitable, undefined)),
      rings("one", 0, () => undefined),
      rings("two", 1, () => ringAwake(ringers[1].member, sleeper.member.slot)),
      rings("last", 2, () => words.store(segment.words, flag, 1)),
    ],
    model: answering({ wait: [true] }),
  };
});

// A member that was cut off alive frees what it holds by itself.

/** Takes the heap's lock and does something. */
function locked<T>(member: MemberOf, queue: LocalQueue, act: () => T): T {
  takeHeapLock(member, queue);
  return act();
}

/** Two words in a page of the heap that nobody else uses. */
function twinsOf({ geometry, machine }: World): { set: (value: number) => void; get: () => string } {
  const data = (geometry.maxPages - 1) * (PAGE_BYTES / 4);
  return {
    set: (value) => [data, data + 16].forEach((word) => words.write(machine.words, word, value)),
    get: () => [data, data + 16].map((word) => words.read(machine.words, word)).join(" "),
  };
}

const cutOff = (twins: ReturnType<typeof twinsOf>, member: MemberOf): Role => {
  const queue = new LocalQueue();
  return once("cut off", { name: "cut off" }, () => {
    locked(member, queue, () => {
      twins.set(1);
      member.membership.deaths.recoverSelf();
    });
  });
};
const reads = (twins: ReturnType<typeof twinsOf>, call: Calls, member: MemberOf): void => {
  const queue = new LocalQueue();
  call({ name: "read" }, () =>
    locked(member, queue, () => {
      const read = twins.get();
      unlock(member.membership.member, HEAP_LOCK);
      member.membership.member.withdrawn();
      member.membership.member.end();
      return read;
    }),
  );
};

/** The one who waits has only just joined. */
const lockCutOff = scenario("lock-cut-off", "robust lock", 2, (world) => {
  const twins = twinsOf(world);
  const { machine, geometry, members } = world;
  // The first slot becomes free.
  machine.unlockByte(0, 0);
  machine.words[slotWord(geometry, 0) + SLOT.state] = SlotState.free;
  const joiner: Role = { name: "joiner", run: (call) => reads(twins, call, world.attach(0)) };
  return {
    roles: [joiner, cutOff(twins, members[1])],
    model: answering({ read: ["0 0", "1 1"] }),
  };
});

const mutexCutOff = scenario("mutex-cut-off", "mutex", 2, (world) => {
  const [a, b] = world.members.map(({ region }) => region.mutexes.openOrCreateSync("m", { words: 2 }));
  const { member, deaths } = world.members[0].membership;
  const owner = once("cut off", { name: "cut off" }, () => {
    const guard = a.lockSync();
    guard.set(0, 1);
    guard.set(1, 1);
    member.begin(Op["mutex.unlock"], a.ref.entry);
    deaths.recoverSelf();
  });
  const reader = once("reader", { name: "read" }, () => {
    const guard = b.lockSync();
    const before = guard.get(0);
    guard.set(0, 5);
    guard.rollback();
    const after = guard.get(0);
    guard.release();
    return after - before;
  });
  return { roles: [owner, reader], model: answering({ read: [0] }) };
});

export const WEAK_SCENARIOS: readonly Scenario[] = [
  figures("statistics-sent", [], (pipe) => pipe.trySend(message(1))),
  figures("statistics-received", [1, 2], (pipe) => pipe.tryReceive()),
  sentAndClosed,
  doneWith,
  closerDies,
  hinted,
  firstName,
  nextName,
  growerDies,
  takerDies,
  rollbackDies,
  twice,
  bell,
  lockCutOff,
  mutexCutOff,
];
