/** What console.log shows of the library's objects: what they are and where, in a line, not what they are made of. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { Region } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { joinRegion } from "./helpers/process-regions.js";

test("objects, what is held of them, and regions are shown by kind and address", async (t) => {
  const name = uniqueRegionName("inspection");
  const app = await joinRegion(t, name);
  const [mutex, rwlock, semaphore] = [await app.mutex("m"), await app.rwlock("l"), await app.semaphore("s")];
  assert.equal(inspect(app), `Region ${name}`);
  assert.equal(inspect(app.mutexes), `Collection ${name} (mutex)`);
  assert.equal(inspect({ mutex }), `{ mutex: Mutex ${name}/m }`);

  const guards = [mutex.lockSync(), await rwlock.lockShared(), await semaphore.acquire()] as const;
  assert.deepEqual(
    guards.map((guard) => inspect(guard)),
    [`MutexGuard ${name}/m`, `RwLockGuard ${name}/l (shared)`, `SemaphoreLease ${name}/s (permits: 1)`],
  );
  for (const guard of guards) guard.release();
  assert.deepEqual(
    guards.map((guard) => inspect(guard).replace(/^.*\(/, "(")),
    Array(3).fill("(released)"),
  );

  const pipe = await app.pipe("jobs");
  await pipe.send({ id: 1 });
  const lease = await pipe.receive({ lease: true });
  assert.equal(inspect(lease), "{ value: { id: 1 }, sequence: 0, deliveries: 1, isSettled: false }");
  lease.ack();

  const pool = await app.segmentPool("pool", { segments: 2, segmentBytes: 4096 });
  const segment = await pool.acquire();
  assert.equal(inspect(segment), `PooledSegment ${segment.id} of ${name}/pool`);
  segment.release();
  assert.equal(inspect(segment), `PooledSegment ${segment.id} of ${name}/pool (released)`);

  const reader = await Region.open(name, { access: "read" });
  assert.equal(inspect(reader), `RegionReader ${name}`);
  reader.close();
  assert.equal(inspect(reader), `RegionReader ${name} (closed)`);

  await app.mutexes.remove("m");
  assert.equal(inspect(mutex), `Mutex ${name}/m (removed)`);
  rwlock.detach();
  assert.equal(inspect(rwlock), `RwLock ${name}/l (closed)`);
  await app.close();
  assert.deepEqual([inspect(app), inspect(pipe)], [`Region ${name} (closed)`, `Pipe ${name}/jobs (closed)`]);
});
