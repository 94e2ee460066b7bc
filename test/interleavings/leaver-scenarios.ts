/**
 * Whoever gives up waiting in a set and finds that somebody could go on rings the next one. Here it does so as waits of the
 * event loop do, which leave their set while they are armed.
 */
import { PIPE } from "#src/layout/pipe.js";
import { PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { isFree, lockWaiters, tryLock, unlock } from "#src/locking/robust-lock.js";
import { LocalQueue, type Waitable } from "#src/members/waits.js";
import { MutexGuard } from "#src/sync/mutex-guard.js";
import { message, pipes } from "./pipe-scenarios.js";
import type { Scenario } from "./scenario.js";
import { answering, once, scenario } from "./weak-scenarios.js";
import type { MemberOf, World } from "./world.js";

/** What is waited for, without being taken. */
interface Watched {
  readonly set: number;
  readonly remains: (member: number) => boolean;
  readonly change: () => void;
}

function leaves(name: string, algorithm: string, watch: (world: World) => Watched): Scenario {
  return scenario(name, algorithm, 3, (world) => {
    const { set, remains, change } = watch(world);
    const waitable = ({ membership: { member } }: MemberOf, id: number): Waitable<true> => {
      const queue = new LocalQueue();
      const attempt = () => remains(id) || member.waiting(set);
      return { what: name, queue, owner: queue, attempt, remains: () => remains(id) };
    };
    const [leaver, waiter] = world.members.map(waitable);
    const [{ membership: first }, { membership: second }] = world.members;
    // Nothing runs beside the members.
    Object.assign(first.waits, { keepTimer: () => undefined });
    return {
      roles: [
        once("leaver", { name: "leave" }, () => {
          first.waits.async(leaver, undefined).catch(() => undefined);
          first.waits.rejectOf(leaver.owner, () => new Error("it gives up"));
        }),
        once("waiter", { name: "wait" }, () => second.waits.sync(waiter, undefined)),
        once("changer", { name: "change" }, change),
      ],
      model: answering({ wait: [true] }),
    };
  });
}

/** The changer holds a lock. */
const lock = (world: World, at: number, remains: (member: number) => boolean): Watched => {
  const { member } = world.members[2].membership;
  tryLock(member, at);
  return { set: lockWaiters(at), remains, change: () => unlock(member, at) };
};

const wordOf = (page: number, field: keyof typeof PIPE.at): number => (page * PAGE_BYTES + PIPE.at[field]) / 4;

export const LEAVER_SCENARIOS: readonly Scenario[] = [
  leaves("leave-empty", "pipe", (world) => {
    const made = pipes(world, { capacity: 1 });
    const set = wordOf(made[0].ref.page, "notEmpty");
    const remains = (member: number): boolean => made[member]["receiver"].remains(set);
    return { set, remains, change: () => void made[2].trySend(message(1)) };
  }),
  leaves("leave-full", "pipe", (world) => {
    const made = pipes(world, { capacity: 1 });
    made[0].sendSync(message(1));
    const set = wordOf(made[0].ref.page, "notFull");
    const remains = (member: number): boolean => made[member]["sender"].remains(set);
    return { set, remains, change: () => void made[2].tryReceive() };
  }),
  leaves("leave-lock", "robust lock", (world) => {
    const at = REGION_HEADER.at.heapLock / 4;
    return lock(world, at, (member) => isFree(world.members[member].membership.member, at));
  }),
  leaves("leave-head-lock", "pipe", (world) => {
    const made = pipes(world, { capacity: 1 });
    const at = wordOf(made[0].ref.page, "headLock");
    return lock(world, at, (member) => made[member]["receiver"].remains(lockWaiters(at)));
  }),
  leaves("leave-tail-lock", "pipe", (world) => {
    const made = pipes(world, { capacity: 1 });
    const at = wordOf(made[0].ref.page, "tailLock");
    return lock(world, at, (member) => made[member]["sender"].remains(lockWaiters(at)));
  }),
  // Woken, and waiting for the mutex.
  leaves("leave-condition", "condition", (world) => {
    const made = world.members.map(({ region }) => {
      const mutex = region.mutexes.openOrCreateSync("m");
      const condition = region.conditions.openOrCreateSync("c");
      return { mutex, wait: condition["waiting"](new MutexGuard(mutex), mutex, new LocalQueue(), 0) };
    });
    const guard = made[2].mutex.tryLock()!;
    const set = lockWaiters((made[0].mutex.ref.page * PAGE_BYTES) / 4);
    return { set, remains: (member) => made[member].wait.remains(set), change: () => guard.release() };
  }),
];
