import type { BarrierStatistics, LockEntry, RwLockStatistics } from "#shmkit";
import { printable } from "./colours.js";
import type { ListedObject, ListedRegion } from "./listing.js";

/** A member that has something, or waits for it. */
export interface Party {
  readonly slot: number;
  /** Of a lock of several kinds: how; of permits: how many. */
  readonly how?: string;
  /** Where the object notes it: since when at least. */
  readonly since?: Date | undefined;
}

/** Who has an object that members have, and who waits for it, whatever its kind. */
export interface Holders {
  /** Undefined for kinds that nobody has, but that members wait for. */
  readonly holders?: readonly Party[];
  readonly waiting: readonly Party[];
  /** How many died having it, where the object counts them. */
  readonly takeovers?: number;
}

const at = (slot: number | undefined, how?: string, since?: Date): Party[] =>
  slot === undefined
    ? []
    : [{ slot, ...(how === undefined ? {} : { how }), ...(since === undefined ? {} : { since }) }];
const times = (count: number): { how: string } | undefined => (count === 1 ? undefined : { how: `${count} ×` });
const sinceOf = ({ since }: { since?: Date }): { since: Date } | undefined =>
  since === undefined ? undefined : { since };
const doing =
  (how: string) =>
  ({ slot, since }: { slot: number; since: Date }): Party => ({ slot, how, since });

/** Undefined for kinds that nobody has or waits for as a member. */
export function holdersOf(object: ListedObject): Holders | undefined {
  const { mutex, semaphore, rwlock, condition, latch, once, event, rateLimiter, segmentPool, flag, counter } = object;
  const { barrier, locks } = object;
  if (mutex !== undefined)
    return {
      holders: at(mutex.ownerSlot, undefined, mutex.heldSince),
      waiting: mutex.waiting,
      takeovers: mutex.takeovers,
    };
  if (semaphore !== undefined)
    return {
      holders: semaphore.held.map((one) => ({ slot: one.slot, ...times(one.permits), ...sinceOf(one) })),
      waiting: semaphore.waiting,
    };
  if (rwlock !== undefined) return ofRwLock(rwlock);
  if (condition !== undefined)
    return { waiting: condition.waiting.map(({ slot, waits, since }) => ({ slot, ...times(waits), since })) };
  if (barrier !== undefined) return { waiting: atBarrier(barrier) };
  if (latch !== undefined)
    return {
      holders: latch.promised.map(({ slot, count }) => ({ slot, how: `to count ${count}` })),
      waiting: latch.waiting,
    };
  if (once !== undefined)
    return { holders: at(once.runner, "runs", once.since), waiting: once.waiting, takeovers: once.takeovers };
  if (segmentPool !== undefined)
    return {
      holders: segmentPool.held.map((one) => ({ slot: one.slot, ...times(one.segments.length), ...sinceOf(one) })),
      waiting: [...segmentPool.waiting, ...segmentPool.takingBack.map(doing("to take back"))],
    };
  if (locks !== undefined) {
    const party = ({ slot, name, mode, since }: LockEntry): Party => ({
      slot,
      how: `${printable(name)} ${mode}`,
      since,
    });
    return { holders: locks.held.map(party), waiting: locks.pending.map(party) };
  }
  if (event !== undefined || rateLimiter !== undefined) return { waiting: (event ?? rateLimiter)!.waiting };
  const valued = flag ?? counter;
  return valued === undefined ? undefined : { waiting: valued.waiting, takeovers: valued.takeovers };
}

function ofRwLock(lock: RwLockStatistics): Holders {
  const { writer, owner, heldSince, readers, waitingWriters, waitingReaders, takeovers } = lock;
  // Who waits for readers to leave has the lock, but nothing that anybody could wait for yet.
  const isWaiting = waitingWriters.some(({ slot }) => slot === owner);
  return {
    holders: [
      ...(owner === writer || writer === undefined ? [] : at(writer, "writes")),
      ...(isWaiting ? [] : at(owner, owner === writer ? "writes" : "may write", heldSince)),
      ...readers.map((reader) => ({ slot: reader.slot, how: "reads", ...sinceOf(reader) })),
    ],
    waiting: [...waitingWriters.map(doing("to write")), ...waitingReaders.map(doing("to read"))],
    takeovers,
  };
}

/** Who has arrived; only some of them may wait for the others. */
const atBarrier = ({ arrived, waiting }: BarrierStatistics): Party[] =>
  arrived.map((slot) => ({ slot, how: "arrived", ...sinceOf(waiting.find((one) => one.slot === slot) ?? {}) }));

/** For how long in milliseconds, where that is noted; a damaged region may say what is no time. */
export function ageMs({ since }: Party): number | undefined {
  const age = since === undefined ? Number.NaN : Date.now() - since.getTime();
  return Number.isNaN(age) ? undefined : age;
}

/** A member for people: `pid 4242 worker.js`, or `member 3` when nothing is known of it. */
export function partyName({ members }: Pick<ListedRegion, "members">, { slot }: Party, before = "pid "): string {
  const member = members.find((one) => one.slot === slot);
  return member === undefined ? `member ${slot}` : `${before}${member.pid} ${member.label}`.trimEnd();
}

/** Whether it is a member that is dead and not recovered. */
export const isDead = ({ members }: Pick<ListedRegion, "members">, { slot }: Party): boolean =>
  members.some((one) => one.slot === slot && !one.alive);
