/** Recoverers among weak memory: what they leave when they die as well, and what the others see of their work. */
import { ShmkitError, type Pipe } from "shmkit";
import { HEADER, DEATH, deathWord, SLOT, slotWord } from "#src/members/region-words.js";
import { DIRECTORY_ENTRY, EntryState } from "#src/layout/heap.js";
import { CONDITION_WAIT, CONDITION_WAKE } from "#src/layout/condition.js";
import { DEATH_RECORDS, Effect, NO_ENTRY, Op, packOperation, Phase } from "#src/layout/member-slot.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { join } from "#src/region/membership.js";
import { rwlockKind } from "#src/sync/rwlock-kind.js";
import { CONDITION_WORD, WakeUps } from "#src/sync/wake-ups.js";
import type { Model } from "./linearizability.js";
import { message, numberOf, pipes, rest } from "./pipe-scenarios.js";
import { survivor, type Role, type Scenario } from "./scenario.js";
import { answering, once, scenario } from "./weak-scenarios.js";
import type { MemberOf, World } from "./world.js";

/** Dead before the story begins. Has a role in which it does nothing. */
function die({ machine, members }: World, victim: MemberOf): Role {
  machine.unlockByte(victim.slot, members.indexOf(victim));
  return survivor({ name: "victim", run: () => undefined });
}

const recovers = (name: string, { membership }: MemberOf): Role =>
  once(name, { name: "recover" }, () => void membership.deaths.recoverAndReport());

// Two recoverers of one, who has a block in hand.

function handedOver(name: string, leave: (world: World, victim: MemberOf) => void): Scenario {
  return scenario(
    name,
    "recovery",
    2,
    (world) => {
      const [medic, victim] = world.members;
      leave(world, victim);
      const { slot } = victim;
      return {
        roles: [recovers("mortal", medic), die(world, victim)],
        model: answering({}),
        check: ({ machine, geometry }) => {
          const { words } = machine;
          const isOver = words[slotWord(geometry, slot) + SLOT.state] === 0;
          const effect = words[slotWord(geometry, slot) + SLOT.effect];
          if (isOver && name === "ledger-handed-over" && effect !== Effect.none)
            throw new Error(`the dead one's operation has effect ${effect}`);
        },
      };
    },
    { deaths: 1 },
  );
}

/** It died before the block was published. */
const ledger = handedOver("ledger-handed-over", (_, { region, membership: { member, heap } }) => {
  const { ref } = region.counters.createSync("c");
  member.begin(Op["counter.update"], ref.entry);
  heap.allocate(1);
});

/** It died freeing a removed object, whose entry was free already. */
const reaping = handedOver("reaping-handed-over", ({ machine: { words }, geometry }, { slot, region }) => {
  const { ref } = region.counters.createSync("c");
  const entry = (words[HEADER.directorySegments] * PAGE_BYTES) / 4 + ref.entry * 64;
  words[entry + (DIRECTORY_ENTRY.at.state >> 2)] = 0;
  words[entry + (DIRECTORY_ENTRY.at.openers >> 2)] = 0;
  const base = slotWord(geometry, slot);
  words[base + SLOT.operation] = packOperation(Op["object.detach"], Phase.committed, 0, ref.entry);
  words[base + SLOT.reaping] = ref.entry + 1;
  words[base + SLOT.ledgerPage] = ref.page;
});

// What others are told of deaths.

/** Files the death of a member, which is all that those who are told of it see of its recovery. */
const files = (name: string, { membership: { deaths } }: MemberOf, slot: number): Role =>
  once(name, { name: "file" }, () => {
    deaths["file"](slot);
    // As every recovery does next, it asks the system for something, with which all it wrote becomes visible.
    return deaths.isAlive(slot);
  });

const tellsOf = (name: string, { membership: { deaths } }: MemberOf): Role =>
  once(name, { name: "look" }, () => {
    const told: string[] = [];
    deaths.onDeath = ({ slot, generation, label }) => told.push(`${slot}/${generation}/${label}`);
    deaths.look(false);
    return told.join();
  });

const told = (name: string, old: (world: World) => string): Scenario =>
  scenario(name, "deaths", 2, (world) => {
    const [reader, medic] = world.members;
    const before = old(world);
    const now = "2/1/member 2";
    return {
      roles: [tellsOf("reader", reader), files("medic", medic, 2)],
      model: answering({ look: ["", before, now, `${before},${now}`] }),
    };
  });

/** A record that is being read while the next one takes its place. */
function full({ machine, geometry, members }: World): string {
  const { words, bytes } = machine;
  const record = deathWord(geometry, 0);
  words[HEADER.deaths] = DEATH_RECORDS;
  words[record + DEATH.sequence] = 1;
  words[record + DEATH.slot] = 7;
  words[record + DEATH.generation] = 9;
  words[record + DEATH.labelBytes] = 3;
  bytes.set(Buffer.from("old"), record * 4 + DEATH.label);
  // It was being written when the reader looked first.
  members[0].membership.deaths["unfinished"].add(0);
  return "7/9/old";
}

const twoDeaths = scenario("deaths-two", "deaths", 2, ({ members: [a, b] }) => {
  return {
    roles: [files("one", a, 1), files("two", b, 0)],
    model: answering({}),
    check: ({ machine, geometry }) => {
      const slots = [0, 1].map((number) => machine.words[deathWord(geometry, number) + DEATH.slot]);
      if (machine.words[HEADER.deaths] !== 2 || slots[0] === slots[1])
        throw new Error(`${machine.words[HEADER.deaths]} deaths are on record, of ${slots.join()}`);
    },
  };
});

/** Whoever joined and died is on record as who it was. */
const joinerDies = scenario(
  "joiner-on-record",
  "member slots",
  1,
  ({ segment, geometry }) => ({
    roles: [
      once(
        "mortal",
        { name: "join" },
        () => void join(segment, 1, geometry, "memory", new Uint8Array([110, 101, 119])),
      ),
    ],
    model: answering({}),
    check: ({ machine: { words, bytes } }) => {
      for (let number = 0; number < words[HEADER.deaths]; number++) {
        const record = deathWord(geometry, number);
        const label = Buffer.from(bytes.subarray(record * 4 + DEATH.label)).toString("latin1", 0, 8);
        if (words[record + DEATH.slot] > 2 && !label.startsWith("new"))
          throw new Error(`the dead member of slot ${words[record + DEATH.slot]} is on record as another one`);
      }
    },
  }),
  { deaths: 1, region: { maxMembers: 4 } },
);

/** The next owner of a mutex is told that the last one died with it. */
const abandoned = scenario("mutex-abandoned", "mutex", 3, (world) => {
  const mutexes = world.members.map(({ region }) => region.mutexes.openOrCreateSync("m"));
  const [, medic, owner] = world.members;
  mutexes[2].lockSync();
  const tries = once("next", { name: "lock" }, () => {
    const guard = mutexes[0].tryLock();
    guard?.release();
    return guard?.abandoned;
  });
  return { roles: [tries, recovers("medic", medic), die(world, owner)], model: answering({ lock: [undefined, true] }) };
});

/** Whoever takes the lock of a dead writer finds the gate open, and closes it for itself. */
const rwlockRecovered = scenario("rwlock-recovered", "readers–writer lock", 3, ({ members }) => {
  const locks = members.map(({ region }) => region.rwlocks.openOrCreateSync("l"));
  const [, medic, owner] = members;
  locks[2].lockSync();
  const { member, heap } = medic.membership;
  const { page } = locks[0].ref;
  const place = { member, heap, page, base: page * (PAGE_BYTES / 4), address: "memory/l" };
  const writes = once("next", { name: "write" }, () => {
    const guard = locks[0].tryLock();
    const isIn = guard === undefined || locks[0].statistics().writer === 0;
    guard?.release();
    return isIn;
  });
  const releases = once("medic", { name: "release" }, () => rwlockKind.release(place, owner.slot));
  return { roles: [writes, releases], model: answering({ write: [true] }) };
});

/** What would wake a dead member wakes another one, also when it comes while that is looked at. */
const wakeUpPassedOn = scenario("condition-passed-on", "condition", 4, ({ members, machine, geometry }) => {
  const [notifier, medic, dead, waiter] = members;
  // In a page of the heap that nobody else uses.
  const base = (geometry.maxPages - 1) * (PAGE_BYTES / 4);
  const wakeUps = [notifier, medic].map(({ membership: { member } }) => new WakeUps(member, base));
  const word = ({ slot }: MemberOf): number => base + CONDITION_WORD.waits + slot;
  for (const one of [dead, waiter]) machine.words[word(one)] = CONDITION_WAIT;
  return {
    roles: [
      once("notifier", { name: "notify" }, () => wakeUps[0].give(1, 0)),
      once("medic", { name: "settle" }, () => wakeUps[1].settle(dead.slot, 0)),
    ],
    model: answering({ notify: [1] }),
    check: ({ machine: { words } }) => {
      if (words[word(waiter)] !== CONDITION_WAIT + CONDITION_WAKE) throw new Error("nobody was woken");
    },
  };
});

// Leases.

/** A lease comes back by the death of its holder, and a receiver waits for it. */
const leaseComesBack = scenario("lease-comes-back", "leases", 3, (world) => {
  const [a, b, c] = pipes(world, { capacity: 2 });
  a.sendSync(message(1));
  c.receiveSync({ lease: true });
  const [medic, , holder] = world.members;
  const receiver = once("receiver", { name: "receive" }, () => numberOf(b.receiveSync()));
  return { roles: [recovers("medic", medic), receiver, die(world, holder)], model: answering({ receive: [1] }) };
});

const queue = (initial: readonly number[]): Model<readonly number[]> => ({
  initial,
  step: (state, { name }, answer) => {
    if (name === "recover") return [state];
    if (name === "rest") return JSON.stringify(state) === JSON.stringify(answer) ? [[]] : [];
    return state.length > 0 && (typeof answer === "symbol" || answer === state[0]) ? [state.slice(1)] : [];
  },
});

/** A message that came back is received; the one before it in the table of leases is settled. */
const returnedDies = scenario(
  "lease-returned-dies",
  "leases",
  2,
  (world) => {
    const [a, b] = pipes(world, { capacity: 2, maxLeased: 2 });
    b.sendSync(message(1));
    b.sendSync(message(2));
    const [first, second] = [b.receiveSync({ lease: true }), b.receiveSync({ lease: true })];
    first.ack();
    second.nack();
    let left: unknown;
    return {
      roles: [
        once("mortal", { name: "receive", operation: "pipe.receive-returned" }, () => numberOf(a.receiveSync())),
        survivor({ name: "nobody", run: () => undefined }),
      ],
      model: queue([2]),
      after: (witness, call) => rest("p")(witness, (what, act) => call(what, () => (left = act()) as never)),
      check: ({ machine: { words }, geometry }) => {
        const base = slotWord(geometry, 0);
        const isSaid =
          words[base + SLOT.operation] === packOperation(Op["pipe.receive-returned"], Phase.committed, 0, 0);
        if (isSaid && words[base + SLOT.effect] === Effect.idle && JSON.stringify(left) !== "[]")
          throw new Error("the message that was received is there");
      },
    };
  },
  { deaths: 1 },
);

/** Gives up a removed object as the last one who had it. */
const sweeperDies = scenario(
  "sweeper-dies",
  "directory",
  1,
  (world) => {
    const [a, b] = world.members;
    const counter = a.region.counters.createSync("x");
    b.region.counters.removeSync("x");
    return { roles: [once("mortal", { name: "detach" }, () => counter.detach())], model: answering({}) };
  },
  { deaths: 1 },
);

/** Refused as long as named objects have all the memory. */
function sendIfFits(pipe: Pipe<Uint8Array>, length: number): void {
  try {
    pipe.trySend(new Uint8Array(length));
  } catch (error) {
    if (!(error instanceof ShmkitError) || error.code !== "ERR_MESSAGE_TOO_LARGE") throw error;
  }
}

/**
 * Frees a removed object, whose block belongs to a message as soon as it is free: nobody frees it again by the object's
 * entry.
 */
const freedOnce = scenario(
  "block-freed-once",
  "directory",
  2,
  (world) => {
    const { machine, geometry, members } = world;
    const [, b] = pipes(world, { capacity: 2 });
    const { ref } = members[2].region.counters.createSync("x");
    const entry = (machine.words[HEADER.directorySegments] * PAGE_BYTES) / 4 + ref.entry * 64;
    // What it did before it freed had no effect: by that alone its block would be due.
    machine.words[slotWord(geometry, 0) + SLOT.operation] = packOperation(Op["object.open"], Phase.none, 0, NO_ENTRY);
    machine.words[entry + (DIRECTORY_ENTRY.at.state >> 2)] = EntryState.removed;
    machine.words[entry + (DIRECTORY_ENTRY.at.openers >> 2)] = 0;
    return {
      roles: [
        once("mortal", { name: "sweep" }, () => void members[0].membership.directory.trySweep()),
        survivor(once("sender", { name: "send" }, () => sendIfFits(b, 520))),
      ],
      model: answering({}),
    };
  },
  { deaths: 1, region: { heapPages: 4 } },
);

export const WEAK_RECOVERY_SCENARIOS: readonly Scenario[] = [
  ledger,
  reaping,
  told("deaths-told", () => ""),
  told("deaths-told-round", full),
  twoDeaths,
  joinerDies,
  abandoned,
  rwlockRecovered,
  wakeUpPassedOn,
  leaseComesBack,
  returnedDies,
  sweeperDies,
  freedOnce,
];
