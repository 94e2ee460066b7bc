/** Readers–writer locks: nobody reads while somebody writes, nobody is forgotten, whoever gives up or dies. */
import * as words from "#words";
import assert from "node:assert/strict";
import type { RwLock, RwLockGuard } from "shmkit";
import { RWLOCK } from "#src/layout/rwlock.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { EventLoop, type Pending } from "./event-loop.js";
import { PENDING, type Model } from "./linearizability.js";
import { survivor, TIMED_OUT, within, type Calls, type Role, type Scenario, type Story } from "./scenario.js";
import type { World } from "./world.js";

interface Held {
  readonly readers: number;
  /** Holds it upgradable, or writes. */
  readonly owners: number;
  readonly writers: number;
}
const FREE: Held = { readers: 0, owners: 0, writers: 0 };

/** Begins and ends of holding it. */
const CHANGES: Readonly<Record<string, Partial<Held>>> = {
  "lock shared": { readers: 1 },
  "unlock shared": { readers: -1 },
  lock: { owners: 1, writers: 1 },
  unlock: { owners: -1, writers: -1 },
  "lock upgradable": { owners: 1 },
  "unlock upgradable": { owners: -1 },
  upgrade: { writers: 1 },
  "downgrade to shared": { readers: 1, owners: -1, writers: -1 },
};

function change(held: Held, name: string): Held | undefined {
  const { readers = 0, owners = 0, writers = 0 } = CHANGES[name];
  const after = { readers: held.readers + readers, owners: held.owners + owners, writers: held.writers + writers };
  const isAllowed = after.owners <= 1 && (after.writers === 0 || after.readers === 0);
  return isAllowed && after.readers >= 0 && after.owners >= 0 ? after : undefined;
}

const holding: Model<Held> = {
  initial: FREE,
  step(held, { name }, answer) {
    if (answer === TIMED_OUT) return [held];
    const after = change(held, name);
    if (answer === PENDING) return after === undefined ? [held] : [held, after];
    return after === undefined ? [] : [after];
  },
};

/** With a death: what the dead one held is gone with its recovery, whatever that was. */
const mortal = (before: readonly Held[]): Model<Held> => ({
  ...holding,
  step(held, what, answer, thread) {
    if (what.name !== "recover") return holding.step(held, what, answer, thread);
    return before
      .map((dead) => ({
        readers: held.readers - dead.readers,
        owners: held.owners - dead.owners,
        writers: held.writers - dead.writers,
      }))
      .filter(({ readers, owners, writers }) => readers >= 0 && owners >= 0 && writers >= 0);
  },
});

type Act = (lock: RwLock, call: Calls, loop: EventLoop) => void;

const reads: Act = (lock, call) => {
  let guard: RwLockGuard;
  call({ name: "lock shared" }, () => void (guard = lock.lockSharedSync()));
  call({ name: "unlock shared" }, () => guard.release());
};
const writes: Act = (lock, call) => {
  let guard: RwLockGuard;
  call({ name: "lock" }, () => void (guard = lock.lockSync()));
  call({ name: "unlock" }, () => guard.release());
};
const triesToWrite: Act = (lock, call) => {
  let guard: RwLockGuard | undefined;
  call({ name: "lock" }, () => {
    guard = lock.tryLock();
    return guard === undefined ? TIMED_OUT : undefined;
  });
  if (guard !== undefined) call({ name: "unlock" }, () => guard!.release());
};
const readsOrNot: Act = (lock, call) => {
  let guard: RwLockGuard | undefined;
  call({ name: "lock shared" }, () => within((options) => void (guard = lock.lockSharedSync(options))));
  if (guard !== undefined) call({ name: "unlock shared" }, () => guard!.release());
};
const writesOrNot: Act = (lock, call) => {
  let guard: RwLockGuard | undefined;
  call({ name: "lock" }, () => within((options) => void (guard = lock.lockSync(options))));
  if (guard !== undefined) call({ name: "unlock" }, () => guard!.release());
};
const upgrades: Act = (lock, call) => {
  let guard: RwLockGuard;
  call({ name: "lock upgradable" }, () => void (guard = lock.lockUpgradableSync()));
  call({ name: "upgrade" }, () => guard.upgradeSync());
  call({ name: "downgrade to shared" }, () => guard.downgrade());
  call({ name: "unlock shared" }, () => guard.release());
};
const upgradesOrNot: Act = (lock, call) => {
  let guard: RwLockGuard;
  call({ name: "lock upgradable" }, () => void (guard = lock.lockUpgradableSync()));
  call({ name: "upgrade" }, () => within((options) => guard.upgradeSync(options)));
  const isUpgraded = guard!.mode === "exclusive";
  call({ name: isUpgraded ? "unlock" : "unlock upgradable" }, () => guard.release());
};
// Asynchronously.
const readsLater: Act = (lock, call, loop) => {
  let guard: RwLockGuard;
  call({ name: "lock shared" }, () => void (guard = loop.await(() => lock.lockShared())));
  call({ name: "unlock shared" }, () => guard.release());
};
const writesLater: Act = (lock, call, loop) => {
  let guard: RwLockGuard;
  call({ name: "lock" }, () => void (guard = loop.await(() => lock.lock())));
  call({ name: "unlock" }, () => guard.release());
};
const upgradesLater: Act = (lock, call, loop) => {
  let guard: RwLockGuard;
  call({ name: "lock upgradable" }, () => void (guard = loop.await(() => lock.lockUpgradable())));
  call({ name: "upgrade" }, () => loop.await(() => guard.upgrade()));
  call({ name: "unlock" }, () => guard.release());
};
/** Two waits, of which the first is aborted: the second goes on with what that had. */
const writesBehind: Act = (lock, call, loop) => {
  let guard: RwLockGuard;
  call({ name: "lock" }, () => {
    guard = loop.awaitBehind(
      (signal) => lock.lock({ signal }),
      () => lock.lock(),
      (first) => first.release(),
    );
  });
  call({ name: "unlock" }, () => guard.release());
};
/** Reads blocking while its own asynchronous wait to write, which has to let it in, is the first. */
const writesBehindOwnRead: Act = (lock, call, loop) => {
  let guard: RwLockGuard;
  call({ name: "lock" }, () => {
    let pending: Pending<RwLockGuard> | undefined;
    loop.run(
      () => {
        pending = loop.begin(() => lock.lock());
        if (!pending.isDone) lock.lockSharedSync().release();
      },
      () => pending!.isDone,
    );
    guard = pending!.answer!;
  });
  call({ name: "unlock" }, () => guard.release());
};
const readsBehindWriter: Act = (lock, call, loop) => {
  let guard: RwLockGuard;
  call({ name: "lock shared" }, () => {
    guard = loop.awaitBehind(
      (signal) => lock.lock({ signal }),
      () => lock.lockShared(),
      (first) => first.release(),
    );
  });
  call({ name: "unlock shared" }, () => guard.release());
};

function on(
  name: string,
  acts: readonly Act[],
  more: { deaths?: number; isAtTheEnd?: boolean; dead?: readonly Held[] } = {},
): Scenario {
  const { deaths = 0, isAtTheEnd = false, dead } = more;
  return {
    name: `rwlock-${name}`,
    algorithm: "readers–writer lock",
    members: acts.length,
    deaths,
    tell: (world: World): Story => {
      const locks = world.members.map(({ region }) => region.rwlocks.openOrCreateSync("l"));
      const base = (locks[0].ref.page * PAGE_BYTES) / 4;
      if (isAtTheEnd) world.machine.words[base + RWLOCK.at.lastTurn / 4] = -2;
      const impatient = [readsOrNot, writesOrNot, upgradesOrNot];
      return {
        roles: acts.map((act, i): Role => {
          const role = {
            name: `${act.name} ${i}`,
            hasDeadline: impatient.includes(act),
            run: (call: Calls) => act(locks[i], call, new EventLoop(world, world.members[i])),
          };
          return deaths > 0 && i > 0 ? survivor(role) : role;
        }),
        model: dead === undefined ? holding : mortal(dead),
        check: (_, { region }) => {
          const { takeovers, contended, heldSince, ...left } = region.rwlocks.openSync("l").statistics();
          assert.deepEqual(left, {
            readers: [],
            writer: undefined,
            owner: undefined,
            waitingWriters: [],
            waitingReaders: [],
          });
          assert.ok(takeovers <= deaths && contended >= 0 && heldSince === undefined);
        },
      };
    },
  };
}

const READER_DEAD = [FREE, { readers: 1, owners: 0, writers: 0 }];
const WRITER_DEAD = [FREE, { readers: 0, owners: 1, writers: 1 }];
const UPGRADER_DEAD = [...WRITER_DEAD, ...READER_DEAD, { readers: 0, owners: 1, writers: 0 }];

interface Favour {
  /** The first writer has left. */
  readonly isFree: boolean;
  /** A reader waited then, and has not come yet. */
  readonly isFavoured: boolean;
}

/** A reader that waited while somebody wrote comes before the next one that would. */
const favours: Scenario = {
  name: "rwlock-favour",
  algorithm: "readers–writer lock",
  members: 3,
  deaths: 0,
  tell: (world) => {
    const [a, b, c] = world.members.map(({ region }) => region.rwlocks.openOrCreateSync("l"));
    const first = a.tryLock()!;
    const model: Model<Favour> = {
      initial: { isFree: false, isFavoured: false },
      step({ isFree, isFavoured }, { name }, answer) {
        if (name === "unlock first") return [{ isFree: true, isFavoured: answer === true }];
        if (name === "lock shared") return isFree ? [{ isFree, isFavoured: false }] : [];
        return name !== "lock" || (isFree && !isFavoured) ? [{ isFree, isFavoured }] : [];
      },
    };
    const leaves = (call: Calls): void => {
      call({ name: "unlock first" }, () => {
        const isWaitedFor = a.statistics().waitingReaders.length > 0;
        first.release();
        return isWaitedFor;
      });
    };
    return {
      roles: [
        { name: "first writer", run: leaves },
        { name: "reader", run: (call) => reads(b, call, new EventLoop(world, world.members[1])) },
        { name: "next writer", run: (call) => writes(c, call, new EventLoop(world, world.members[2])) },
      ],
      model,
    };
  },
};

/** Turns count up, past 0, whoever draws them: nobody stands beside or before somebody who drew earlier. */
const draws: Scenario = {
  name: "rwlock-draws",
  algorithm: "readers–writer lock",
  members: 3,
  deaths: 0,
  tell: (world) => {
    const locks = world.members.map(({ region }) => region.rwlocks.openOrCreateSync("l"));
    const [{ ref }] = locks;
    const word = (field: "lastTurn" | "turns"): number => (ref.page * PAGE_BYTES + RWLOCK.at[field]) / 4;
    world.machine.words[word("lastTurn")] = -2;
    return {
      roles: locks.slice(0, 3).map((lock, slot) => ({
        name: `drawer ${slot}`,
        run: (call) => {
          call({ name: "draw" }, () => {
            lock["draw"]();
            return words.read(lock["words"], word("turns") + slot);
          });
          call({ name: "give back" }, () => words.store(lock["words"], word("turns") + slot, 0));
        },
      })),
      model: {
        initial: -2,
        step: (last: number, { name }, answer) => {
          const next = last === -1 ? 1 : last + 1;
          if (name !== "draw") return [last];
          return answer === next ? [next] : [];
        },
      },
    };
  },
};

export const RWLOCK_SCENARIOS: readonly Scenario[] = [
  draws,
  on("reader-writer", [reads, writes]),
  on("readers-writer", [reads, reads, writes]),
  on("reader-writers", [reads, writes, writes]),
  on("wrap", [writes, writes, reads], { isAtTheEnd: true }),
  on("try", [reads, triesToWrite, writes]),
  on("reader-gives-up", [readsOrNot, writes, writes]),
  on("writer-gives-up", [writesOrNot, reads, writes]),
  on("upgrade", [upgrades, reads]),
  on("upgrade-writer", [upgrades, reads, writes]),
  on("upgrade-gives-up", [upgradesOrNot, reads, reads]),
  on("asynchronous", [readsLater, writesLater, writes]),
  on("asynchronous-upgrade", [upgradesLater, readsLater, writesLater]),
  on("aborted-sibling", [writesBehind, writes]),
  on("aborted-sibling-readers", [writesBehind, reads, writes]),
  on("own-read", [writesBehindOwnRead, reads]),
  on("aborted-sibling-writer", [readsBehindWriter, writes, reads]),
  favours,
  on("asynchronous-writer-dies", [writesLater, readsLater, writesLater], { deaths: 1, dead: WRITER_DEAD }),
  on("reader-dies", [reads, writes, reads], { deaths: 1, dead: READER_DEAD }),
  on("writer-dies", [writes, reads, writes], { deaths: 1, dead: WRITER_DEAD }),
  on("upgrader-dies", [upgrades, reads, writes], { deaths: 1, dead: UPGRADER_DEAD }),
];
