import type { LockEntry } from "#shmkit";
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
  readonly holders: readonly Party[];
  readonly waiting: readonly Party[];
  /** How many died having it, where the object counts them. */
  readonly takeovers?: number;
}

const at = (slot: number | undefined, how?: string): Party[] =>
  slot === undefined ? [] : [how === undefined ? { slot } : { slot, how }];
const times = (count: number): { how: string } | undefined => (count === 1 ? undefined : { how: `${count} ×` });

/** Undefined for kinds that nobody has. */
export function holdersOf({
  mutex,
  semaphore,
  rwlock,
  condition,
  barrier,
  latch,
  once,
  event,
  rateLimiter,
  segmentPool,
  locks,
}: ListedObject): Holders | undefined {
  if (mutex !== undefined) {
    const { ownerSlot, heldSince, waiting, takeovers } = mutex;
    return { holders: ownerSlot === undefined ? [] : [{ slot: ownerSlot, since: heldSince }], waiting, takeovers };
  }
  if (semaphore !== undefined)
    return {
      holders: semaphore.held.map(({ slot, permits }) => ({ slot, ...times(permits) })),
      waiting: semaphore.waiting.flatMap((slot) => at(slot)),
    };
  if (rwlock !== undefined)
    return {
      holders: [
        ...at(rwlock.writer, "writes"),
        ...(rwlock.owner === rwlock.writer ? [] : at(rwlock.owner, "may write")),
        ...rwlock.readers.flatMap(({ slot }) => at(slot, "reads")),
      ],
      waiting: [
        ...rwlock.waitingWriters.flatMap((slot) => at(slot, "to write")),
        ...rwlock.waitingReaders.flatMap((slot) => at(slot, "to read")),
      ],
      takeovers: rwlock.takeovers,
    };
  if (condition !== undefined)
    return { holders: [], waiting: condition.waiting.map(({ slot, waits }) => ({ slot, ...times(waits) })) };
  if (barrier !== undefined) return { holders: [], waiting: barrier.arrived.flatMap((slot) => at(slot, "arrived")) };
  if (latch !== undefined)
    return {
      holders: latch.promised.map(({ slot, count }) => ({ slot, how: `to count ${count}` })),
      waiting: latch.waiting.flatMap((slot) => at(slot)),
    };
  if (once !== undefined)
    return {
      holders: at(once.runner, "runs"),
      waiting: once.waiting.flatMap((slot) => at(slot)),
      takeovers: once.takeovers,
    };
  if (event !== undefined) return { holders: [], waiting: event.waiting.flatMap((slot) => at(slot)) };
  if (rateLimiter !== undefined) return { holders: [], waiting: rateLimiter.waiting.flatMap((slot) => at(slot)) };
  if (segmentPool !== undefined)
    return {
      holders: segmentPool.held.map(({ slot, segments }) => ({ slot, ...times(segments.length) })),
      waiting: segmentPool.waiting.flatMap((slot) => at(slot)),
    };
  if (locks !== undefined) {
    const party = ({ slot, name, mode }: LockEntry): Party => ({ slot, how: `${printable(name)} ${mode}` });
    return { holders: locks.held.map(party), waiting: locks.pending.map(party) };
  }
  return undefined;
}

/** A member for people: `pid 4242 worker.js`, or `member 3` when nothing is known of it. */
export function partyName({ members }: Pick<ListedRegion, "members">, { slot }: Party, before = "pid "): string {
  const member = members.find((one) => one.slot === slot);
  return member === undefined ? `member ${slot}` : `${before}${member.pid} ${member.label}`.trimEnd();
}

/** Whether it is a member that is dead and not recovered. */
export const isDead = ({ members }: Pick<ListedRegion, "members">, { slot }: Party): boolean =>
  members.some((one) => one.slot === slot && !one.alive);
