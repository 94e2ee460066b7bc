/** Two runtimes and everything between them; then the second is killed in the middle and the first goes on. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { ProcessMember } from "../helpers/driven-member.js";
import { exchangeBytes, exchangeValues } from "./exchange.js";
import { holdEverything, inherit, SYNCHRONISATION } from "./synchronisation.js";

/**
 * @param a a member of the region, which stays
 * @param b another one, which does not survive this
 * @param label what B is known by
 */
export async function exchangeAndKill(a: ProcessMember, b: ProcessMember, label: string): Promise<void> {
  await exchangeValues(a, b, "both ways");
  await exchangeValues(b, a, "both ways");
  await exchangeBytes(a, b, "bytes");
  await exchangeBytes(b, a, "bytes");
  for (const [name, exchange] of Object.entries(SYNCHRONISATION)) {
    await exchange(a, b, name);
    await exchange(b, a, `${name}, back`);
  }

  const slot = await holdEverything(b);
  const before = await a.run(async ({ region }) => {
    await region.pipe("work", { capacity: 8 });
    await region.pipe("leased");
    await region.counter("done");
    await region.mutex("held");
    return region.statistics().usedBlocks;
  });
  // Counts what it takes off the pipe, and has something of every kind in its hands.
  b.run(async ({ region, kept, say }) => {
    const guard = await (await region.mutex("held")).lock();
    guard.set(0, 7);
    const leased = await region.pipe("leased");
    await leased.send("comes back");
    kept.set("both", [guard, await leased.receive({ lease: true })]);
    const [work, done] = [await region.pipe("work"), await region.counter("done")];
    say("takes");
    for (;;) {
      await work.receive();
      done.addSync(1);
    }
  }).catch(() => undefined);
  await b.next();
  const sending = a.run(async ({ region, kept, say }) => {
    const died = new Promise<import("shmkit").MemberDeath>((resolve) => region.once("memberDied", resolve));
    const [work, done] = [await region.pipe<Uint8Array>("work"), await region.counter("done")];
    let sent = 0;
    let isDead = false;
    void died.then(() => (isDead = true));
    kept.set("death", died);
    void done.waitFor(20).then(() => say("well under way"));
    while (!isDead) {
      await work.send(new Uint8Array(3000).fill(++sent & 255), { timeoutMs: 20 }).catch((error: { code: string }) => {
        if (error.code !== "ERR_TIMEOUT") throw error;
        sent--;
      });
    }
    return sent;
  });
  await Promise.race([a.next(), sending]);
  await inherit(a, slot, async () => {
    await sleep(5);
    await b.kill();
  });
  const sent = await sending;
  const after = await a.run(async ({ region, kept }) => {
    const {
      pid,
      label: who,
      operation,
      interrupted,
      committed,
    } = (await kept.get("death")) as import("shmkit").MemberDeath;
    const guard = await (await region.mutex("held")).lock();
    const found = { abandoned: guard.abandoned, word: guard.get(0) };
    guard.release();
    const lease = await (await region.pipe<string>("leased")).receive({ lease: true });
    lease.ack();
    const work = await region.pipe<Uint8Array>("work");
    const left: number[] = [];
    for (let next = work.tryReceive(); next !== undefined; next = work.tryReceive())
      left.push(next.length === 3000 && next.every((byte) => byte === next[0]) ? next[0] : -1);
    const counted = Number((await region.counter("done")).value);
    const members = region.members().map((member) => member.pid);
    const blocks = region.statistics().usedBlocks;
    return {
      pid,
      who,
      operation,
      interrupted,
      committed,
      ...found,
      lease: lease.value,
      left,
      counted,
      members,
      blocks,
    };
  });
  assert.deepEqual([after.pid, after.who], [b.pid, label]);
  assert.deepEqual([after.abandoned, after.word, after.lease], [true, 0, "comes back"]);
  const taken = sent - after.left.length;
  assert.deepEqual(
    after.left,
    Array.from({ length: after.left.length }, (_, at) => (taken + 1 + at) & 255),
    "what is left is not whole and in order",
  );
  assert.ok(
    taken === after.counted || taken === after.counted + 1,
    `${taken} were taken and ${after.counted} counted; it died in ${after.operation}, interrupted ${after.interrupted}`,
  );
  if (after.interrupted && after.operation === "pipe.receive")
    assert.equal(taken, after.counted + (after.committed ? 1 : 0), "the death tells something else");
  assert.ok(!after.members.includes(b.pid));
  assert.equal(after.blocks, before, "blocks of the dead one are still there");
}
