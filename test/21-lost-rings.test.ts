/**
 * A ring that never comes: whoever changed the object was stopped, or killed, between its change and its ring. What waits
 * asynchronously finds out at the next look, which there is once a second, whatever it waits for.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { Region } from "shmkit";
import type { ObjectContext } from "#src/heap/named-object.js";
import { SLOT, slotWord } from "#src/members/region-words.js";
import { joinRegion } from "./helpers/process-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";

const contextOf = (handle: object): ObjectContext => (handle as { context: ObjectContext }).context;

/** What waits, and what it then waits for; `handle` is any object of the waiting member. */
interface Story {
  readonly handle: object;
  readonly wait: Promise<unknown>;
  /** By another member. */
  readonly change: () => unknown;
}

const STORIES: Record<string, (waiter: Region, other: Region) => Promise<Story>> = {
  async mutex(waiter, other) {
    const handle = await waiter.mutex("o");
    const guard = await (await other.mutex("o")).lock();
    return { handle, wait: handle.lock(), change: () => guard.release() };
  },
  async "mutex of a condition"(waiter, other) {
    const handle = await waiter.condition("o");
    const [mutex, theirs] = [await waiter.mutex("m"), await other.mutex("m")];
    const wait = handle.wait(await mutex.lock());
    const guard = await theirs.lock();
    (await other.condition("o")).notifyOne();
    await pause(20);
    return { handle, wait, change: () => guard.release() };
  },
  async condition(waiter, other) {
    const handle = await waiter.condition("o");
    const theirs = await other.condition("o");
    const guard = await (await waiter.mutex("m")).lock();
    return { handle, wait: handle.wait(guard), change: () => theirs.notifyOne() };
  },
  async "writer of a readers–writer lock"(waiter, other) {
    const handle = await waiter.rwlock("o");
    const reader = await (await other.rwlock("o")).lockShared();
    return { handle, wait: handle.lock(), change: () => reader.release() };
  },
  async "reader of a readers–writer lock"(waiter, other) {
    const handle = await waiter.rwlock("o");
    const writer = await (await other.rwlock("o")).lock();
    return { handle, wait: handle.lockShared(), change: () => writer.release() };
  },
  async upgrade(waiter, other) {
    const handle = await waiter.rwlock("o");
    const reader = await (await other.rwlock("o")).lockShared();
    const guard = await handle.lockUpgradable();
    return { handle, wait: guard.upgrade(), change: () => reader.release() };
  },
  async semaphore(waiter, other) {
    const handle = await waiter.semaphore("o", { permits: 0 });
    const theirs = await other.semaphore("o");
    return { handle, wait: handle.acquire(), change: () => theirs.post() };
  },
  async "event with manual reset"(waiter, other) {
    const handle = await waiter.event("o");
    const theirs = await other.event("o");
    return { handle, wait: handle.wait(), change: () => theirs.set() };
  },
  async "event that resets by itself"(waiter, other) {
    const handle = await waiter.event("o", { manualReset: false });
    const theirs = await other.event("o", { manualReset: false });
    return { handle, wait: handle.wait(), change: () => theirs.set() };
  },
  async barrier(waiter, other) {
    const handle = await waiter.barrier("o");
    const theirs = await other.barrier("o");
    return { handle, wait: handle.wait(), change: () => theirs.arriveSync() };
  },
  async latch(waiter, other) {
    const handle = await waiter.latch("o");
    const theirs = await other.latch("o");
    return { handle, wait: handle.wait(), change: () => theirs.countDown() };
  },
  async flag(waiter, other) {
    const handle = await waiter.flag("o");
    const theirs = await other.flag("o");
    return { handle, wait: handle.waitFor(true), change: () => theirs.setSync() };
  },
  async counter(waiter, other) {
    const handle = await waiter.counter("o");
    const theirs = await other.counter("o");
    return { handle, wait: handle.waitFor(1n), change: () => theirs.addSync(1) };
  },
  async once(waiter, other) {
    const handle = await waiter.doOnce("o");
    const theirs = await other.doOnce("o");
    let finish = (): void => undefined;
    const done = theirs.run(() => new Promise<undefined>((resolve) => (finish = () => resolve(undefined))));
    return {
      handle,
      wait: handle.run(() => assert.fail("it was done")),
      change: () => {
        finish();
        return done;
      },
    };
  },
  async "Web Lock"(waiter, other) {
    const handle = await waiter.flag("any");
    let finish = (): void => undefined;
    let held: Promise<unknown> | undefined;
    await new Promise<void>((granted) => {
      held = other.locks.request("o", () => {
        granted();
        return new Promise<void>((release) => (finish = release));
      });
    });
    return {
      handle,
      wait: waiter.locks.request("o", () => undefined),
      change: () => {
        finish();
        return held;
      },
    };
  },
  async "message of a pipe"(waiter, other) {
    const handle = await waiter.pipe("o");
    const theirs = await other.pipe("o");
    return { handle, wait: handle.receive(), change: () => theirs.trySend(1) };
  },
  async "end of a pipe"(waiter, other) {
    const handle = await waiter.pipe("o");
    const theirs = await other.pipe("o");
    return { handle, wait: assert.rejects(handle.receive(), { code: "ERR_CLOSED" }), change: () => theirs.closeSync() };
  },
  async "room in a pipe"(waiter, other) {
    const handle = await waiter.pipe("o", { capacity: 1 });
    const theirs = await other.pipe("o");
    handle.trySend(1);
    return { handle, wait: handle.send(2), change: () => theirs.tryReceive() };
  },
};

describe("a ring that was lost", () => {
  for (const [what, story] of Object.entries(STORIES))
    test(`does not keep who waits for the ${what} longer than until the next look`, async (t) => {
      for (let isSeen = false; !isSeen;) {
        const name = uniqueRegionName("lost-ring");
        const waiter = await joinRegion(t, name);
        const other = await joinRegion(t, name);
        const { handle, wait, change } = await story(waiter, other);
        const { member, waits } = contextOf(handle);
        let isOver = false;
        const over = wait.then(() => void (isOver = true));
        // Until it waits, is armed, and has heard every bell.
        await pause(20);
        const { member: ringer } = contextOf(await other.flag("any"));
        const base = slotWord(member.geometry, member.slot);
        const [bell, armed] = [base + SLOT.bell, base + SLOT.armed];
        // As if it had rung already: then it does not ring again.
        ringer.rungArmed[member.slot] = member.segment.words[armed];
        ringer.rungBell[member.slot] = member.segment.words[bell];
        const before = member.segment.words[bell];
        await change();
        await pause(5);
        // A bell from before, and the look of once a second, may have come only now: then no ring was lost, and it goes anew.
        isSeen = !isOver && member.segment.words[bell] === before;
        // What the timer does once a second.
        waits.drain(true);
        await over;
      }
    });
});
