/** Who has an object and who waits for it, as `ls`, `inspect` and `top` show it for every kind that members have. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Region } from "shmkit";
import { holdersOf, type Party } from "#src/cli/holders.js";
import { run } from "./helpers/cli-process.js";
import { joined } from "./helpers/cli-regions.js";

test("owners and waiters of every kind are shown, and since when where it is known", async () => {
  const startedAt = new Date();
  const region = await joined();
  let release: (() => void) | undefined;
  const mutex = await region.mutex("door");
  const semaphore = await region.semaphore("gpus", { permits: 2 });
  const rwlock = await region.rwlock("config");
  await region.condition("news");
  const reaching = (await region.counter("hits")).waitFor(1);
  const stopping = (await region.flag("stop")).waitFor(true);
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
  const writing = rwlock.lock();
  const pool = await region.segmentPool("buffers", { segments: 1 });
  const ticket = (await pool.acquire()).handOver();
  const acquiring = pool.acquire();
  const takingBack = pool.takeBack(ticket);
  const objects = new Map(Region.inspect(region.name)!.objects.map((object) => [object.name, holdersOf(object)]));
  const self = { slot: 0 };
  /** With `since: true` instead of a time that can be. */
  const shown = (name: string): unknown => {
    const party = ({ since, ...rest }: Party): object => ({
      ...rest,
      ...(since === undefined ? {} : { since: +since >= +startedAt && +since <= Date.now() }),
    });
    const { holders, waiting, ...rest } = objects.get(name)!;
    return { ...(holders === undefined ? {} : { holders: holders.map(party) }), waiting: waiting.map(party), ...rest };
  };
  const door = objects.get("door")!;
  const [owner] = door.holders!;
  assert.deepEqual([owner.slot, door.waiting[0].slot, door.takeovers], [0, 0, 0]);
  assert.ok(+door.waiting[0].since! <= Date.now() && +owner.since! <= Date.now());
  assert.deepEqual(shown("gpus"), { holders: [{ ...self, how: "2 ×" }], waiting: [] });
  assert.deepEqual(shown("news"), { waiting: [] });
  assert.deepEqual(shown("hits"), { waiting: [{ ...self, since: true }], takeovers: 0 });
  assert.deepEqual(shown("stop"), { waiting: [{ ...self, since: true }], takeovers: 0 });
  assert.deepEqual(shown("start"), { waiting: [{ ...self, how: "arrived", since: true }] });
  assert.deepEqual(shown("ready"), { holders: [], waiting: [{ ...self, since: true }] });
  for (const name of ["bell", "calls"]) assert.deepEqual(shown(name), { waiting: [{ ...self, since: true }] });
  const schema = {
    holders: [{ ...self, how: "runs", since: true }],
    waiting: [{ ...self, since: true }],
    takeovers: 0,
  };
  assert.deepEqual(shown("schema"), schema);
  const locks = [...objects.keys()].find((name) =>
    objects.get(name)?.holders?.some(({ how }) => how === "a\\x07 shared"),
  );
  assert.deepEqual(shown(locks!), { holders: [{ ...self, how: "a\\x07 shared", since: true }], waiting: [] });
  assert.deepEqual(shown("config"), {
    holders: [{ ...self, how: "reads", since: true }],
    waiting: [{ ...self, how: "to write", since: true }],
    takeovers: 0,
  });
  assert.deepEqual(shown("buffers"), {
    holders: [{ ...self, since: true }],
    waiting: [
      { ...self, since: true },
      { ...self, how: "to take back", since: true },
    ],
  });

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
  assert.match(topped.text, new RegExp(`^  door +${process.pid} tester +\\d+ m?s +1 +\\d+ m?s +0$`, "m"));
  assert.match(topped.text, new RegExp(`^  config +${process.pid} tester`, "m"));
  guard.release();
  (await waiting).release();
  release!();
  await lock;
  const waits = [arriving, event, latch, after, taking, reaching, stopping, writing, acquiring, takingBack];
  await Promise.all([...waits.map((wait) => assert.rejects(wait, { code: "ERR_CLOSED" })), region.close()]);
});
