/** Whoever follows the chain of a name without the lock finds every request of it, wherever others take free ones meanwhile. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { LOCK_REQUEST } from "#src/layout/lock-manager.js";
import type { LockTable } from "#src/sync/lock-table.js";
import { lockTable, TestClaim } from "./helpers/lock-claims.js";
import { replaceWords } from "./instruments/words.js";
import { World } from "./interleavings/world.js";

test("a request that goes to another chain and back leads nobody astray", () => {
  const world = new World({ members: 3, heapPages: 10 });
  const [holder, waiter, third] = world.members.map(({ region }) => lockTable(region));
  const request = (table: LockTable, name: string, shared = false): TestClaim => {
    const claim = new TestClaim(name, "wait", shared);
    table.request(claim);
    return claim;
  };
  // One behind the other in the chain of a name: what is held, a free one, and what waits.
  const [last, free] = [request(third, "a", true), request(third, "a", true)];
  const held = request(holder, "a", true);
  third.leave(last);
  const waiting = request(waiter, "a");
  assert.equal(waiting.at, last.at);
  third.leave(free);

  const { double, words } = world.machine;
  const next = free.at + LOCK_REQUEST.at.next / 4;
  let isMoved = false;
  replaceWords({
    ...double,
    load: (shared, index) => {
      if (index !== next || isMoved) return double.load(shared, index);
      isMoved = true;
      // In the chain of another name when its next is loaded, and behind that in its own again.
      third.leave(request(third, "b"));
      const found = double.load(shared, index);
      assert.equal(request(third, "a").at, free.at);
      return found;
    },
  });
  const { bell } = world.members[1].membership.member;
  const rings = words[bell];
  holder.leave(held);
  assert.ok(isMoved);
  assert.equal(words[bell], rings + 1, "whose turn it is was rung");
});
