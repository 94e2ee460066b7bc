/** Who has an object and who waits for it, as `ls`, `inspect` and `top` show it for every kind that members have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Region } from "shmkit";
import { holdersOf } from "#src/cli/holders.js";
import { run } from "./helpers/cli-process.js";
import { joined } from "./helpers/cli-regions.js";

test("owners and waiters of every kind are shown, and since when where it is known", async () => {
  const region = await joined();
  let release: (() => void) | undefined;
  const mutex = await region.mutex("door");
  const semaphore = await region.semaphore("gpus", { permits: 2 });
  const rwlock = await region.rwlock("config");
  await region.condition("news");
  await region.counter("hits");
  const lock = region.locks.request(
    "a\u0007",
    { mode: "shared" },
    async () => new Promise<void>((end) => (release = end)),
  );
  const barrier = await region.barrier("start", { parties: 2 });
  const arriving = barrier.wait();
  const event = (await region.event("bell")).wait();
  const latch = (await region.latch("ready")).wait();
  const once = await region.doOnce("schema");
  void once.run(() => new Promise<undefined>(() => undefined));
  const after = once.run(() => undefined);
  const limiter = await region.rateLimiter("calls", { tokens: 1, intervalMs: 600_000 });
  await limiter.take();
  const taking = limiter.take();
  const guard = await mutex.lock();
  const waiting = mutex.lock();
  await semaphore.acquire({ permits: 2 });
  await rwlock.lockShared();
  const objects = new Map(Region.inspect(region.name)!.objects.map((object) => [object.name, holdersOf(object)]));
  const self = { slot: 0 };
  const door = objects.get("door")!;
  assert.deepEqual([door.holders[0].slot, door.waiting[0].slot, door.takeovers], [0, 0, 0]);
  assert.ok(+door.waiting[0].since! <= Date.now() && +door.holders[0].since! <= Date.now());
  assert.deepEqual(objects.get("gpus"), { holders: [{ ...self, how: "2 ×" }], waiting: [] });
  assert.deepEqual(objects.get("news"), { holders: [], waiting: [] });
  assert.equal(objects.get("hits"), undefined);
  assert.deepEqual(objects.get("start"), { holders: [], waiting: [{ ...self, how: "arrived" }] });
  for (const name of ["bell", "ready", "calls"]) assert.deepEqual(objects.get(name), { holders: [], waiting: [self] });
  const schema = { holders: [{ ...self, how: "runs" }], waiting: [self], takeovers: 0 };
  assert.deepEqual(objects.get("schema"), schema);
  const ofLocks = [...objects.values()].find((found) => found?.holders.some(({ how }) => how === "a\\x07 shared"));
  assert.equal(ofLocks?.waiting.length, 0);
  assert.deepEqual(objects.get("config"), { holders: [{ ...self, how: "reads" }], waiting: [], takeovers: 0 });

  const [inspected, listed, topped] = await Promise.all([
    run(["inspect", region.name]),
    run(["ls", region.name, "--interval", "0"]),
    run(["top", region.name, "--once", "--interval", "20ms"]),
  ]);
  const me = `pid ${process.pid} tester`;
  assert.match(
    inspected.text,
    new RegExp(`held +by member 0, ${me}, for at least \\d+ m?s\n.*waiting +member 0, ${me}, for`),
  );
  assert.match(inspected.text, new RegExp(`held +by member 0, ${me}, 2 ×\n`));
  assert.match(listed.text, new RegExp(`mutex door \\(held by ${me}, 1 waiting\\)`));
  assert.match(listed.text, /condition news\n/);
  assert.match(topped.text, new RegExp(`^  door +${process.pid} tester +\\d+ m?s +1 +0$`, "m"));
  assert.match(topped.text, new RegExp(`^  config +${process.pid} tester`, "m"));
  guard.release();
  (await waiting).release();
  release!();
  await lock;
  const waits = [arriving, event, latch, after, taking];
  await Promise.all([...waits.map((wait) => assert.rejects(wait, { code: "ERR_CLOSED" })), region.close()]);
});
