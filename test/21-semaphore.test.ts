/** Semaphores: leased and plain permits, in the order of coming. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ShmkitError, type Region, type Semaphore } from "shmkit";
import { joinRegion } from "./helpers/process-regions.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { SEMAPHORE } from "#src/layout/semaphore.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

const code = (code: string) => (error: unknown) => error instanceof ShmkitError && error.code === code;

describe("a semaphore", () => {
  test("leases as many permits as it has, and takes them back once", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("semaphore"));
    const semaphore = await app.semaphore("s", { permits: 3 });
    const two = await semaphore.acquire({ permits: 2 });
    assert.equal(semaphore.available, 1);
    assert.equal(semaphore.tryAcquire({ permits: 2 }), undefined);
    const one = semaphore.acquireSync();
    const owner = new RegExp(`^member 0 \\(pid ${process.pid}, 21-semaphore.test.js\\)$`);
    for (const timeoutMs of [0, 10]) {
      await assert.rejects(semaphore.acquire({ timeoutMs }), { code: "ERR_TIMEOUT", owner });
      assert.throws(() => semaphore.acquireSync({ timeoutMs }), { code: "ERR_TIMEOUT", owner });
      await assert.rejects(semaphore.wait({ timeoutMs }), { code: "ERR_TIMEOUT", owner });
    }
    const [{ since, ...held }, ...others] = semaphore.statistics().held;
    assert.deepEqual([held, others, since instanceof Date], [{ slot: app.slot, permits: 3 }, [], true]);
    assert.deepEqual(semaphore.statistics().waiting, []);
    two.release();
    assert.throws(() => two.release(), code("ERR_NOT_HELD"));
    one.release();
    assert.equal(semaphore.available, 3);
  });

  test("says with a timeout who has the permits, or that nobody has, or who comes first", async (t) => {
    const name = uniqueRegionName("semaphore-owner");
    const semaphores: Semaphore[] = [];
    for (let slot = 0; slot < 6; slot++) {
      const region = await joinRegion(t, name, { label: `m${slot}` });
      semaphores.push(await region.semaphore("s", { permits: 4 }));
    }
    const [first, second, ...others] = semaphores;
    const ownerOf = (permits: number): Promise<unknown> =>
      first.acquire({ permits, timeoutMs: 5 }).then(
        () => assert.fail("they are not there"),
        (error: unknown) => (error as ShmkitError).owner,
      );
    const text = (slot: number): string => `member ${slot} (pid ${process.pid}, m${slot})`;
    assert.equal(await ownerOf(5), undefined);
    const waiting = second.acquire({ permits: 5, timeoutMs: 1e6 });
    assert.equal(await ownerOf(1), text(1));
    const leases = others.map((semaphore) => semaphore.tryAcquire());
    assert.deepEqual(leases, [undefined, undefined, undefined, undefined], "not their turn");
    second.post();
    (await waiting).release();
    for (const semaphore of others) semaphore.tryAcquire();
    second.tryAcquire();
    assert.equal(await ownerOf(5), `${[1, 2, 3].map(text).join(", ")} and 2 more`);
  });

  test("leases while a function runs, and takes back whatever that does", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("semaphore-run"));
    const semaphore = await app.semaphore("s", { permits: 3 });
    const fails = (): never => {
      throw new RangeError("in the function");
    };
    assert.equal(await semaphore.run(async () => Promise.resolve(semaphore.available)), 2);
    assert.equal(
      semaphore.runSync((lease) => lease.permits, { permits: 3 }),
      3,
    );
    await assert.rejects(semaphore.run(fails), RangeError);
    assert.throws(() => semaphore.runSync(fails), RangeError);
    assert.throws(() => semaphore.runSync(async () => Promise.resolve()), code("ERR_INVALID_ARGUMENT"));
    await semaphore.run((lease) => lease.release());
    await assert.rejects(
      semaphore.run(() => 0, { permits: 4, timeoutMs: 1 }),
      code("ERR_TIMEOUT"),
    );
    assert.equal(semaphore.available, 3);
  });

  test("posts and waits without leases, as POSIX semaphores do", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("semaphore-post"));
    const semaphore = await app.semaphore("s", { permits: 0 });
    assert.equal(semaphore.tryWait(), false);
    const waiting = semaphore.wait();
    semaphore.post();
    await waiting;
    semaphore.post(5);
    semaphore.waitSync({ permits: 5 });
    assert.equal(semaphore.available, 0);
    semaphore.post(2 ** 31 - 1);
    assert.throws(() => semaphore.post(), code("ERR_OUT_OF_RANGE"));
  });

  test("goes on when posts at the same time exceed the greatest number together", async (t) => {
    const name = uniqueRegionName("semaphore-posts");
    const app = await joinRegion(t, name);
    await joinRegion(t, name);
    const semaphore = await app.semaphore("s", { permits: 2 ** 31 - 1 });
    // What the member of another slot posted when this one had just looked.
    const words = new Int32Array(app.buffer);
    words[(semaphore.ref.page * PAGE_BYTES + SEMAPHORE.at.posted) / 4 + 1] = 200;
    assert.equal(semaphore.available, 2 ** 31 + 199);
    assert.throws(() => semaphore.post(), code("ERR_OUT_OF_RANGE"));
    semaphore.waitSync({ permits: 201 });
    assert.equal(semaphore.available, 2 ** 31 - 2);
    semaphore.post();
  });

  test("asynchronous waits are served although their thread takes permits by Sync forms again and again", async (t) => {
    const name = uniqueRegionName("semaphore-overtaken");
    const [one, two] = [await joinRegion(t, name), await joinRegion(t, name)];
    const [mine, theirs] = [await one.semaphore("s"), await two.semaphore("s")];
    const order: string[] = [];
    const take = (semaphore: Semaphore, who: string): Promise<void> =>
      semaphore.acquire().then((lease) => {
        order.push(who);
        lease.release();
      });
    const lease = mine.acquireSync();
    const mineFirst = take(mine, "mine");
    const theirsFirst = take(theirs, "theirs");
    lease.release();
    mine.acquireSync().release(); // mine stands behind theirs now
    assert.deepEqual(
      mine.statistics().waiting.map(({ slot }) => slot),
      [1, 0],
    );
    await theirsFirst;
    const theirsAgain = take(theirs, "theirs");
    if (!order.includes("mine")) mine.acquireSync().release(); // and keeps its place
    await Promise.all([mineFirst, theirsAgain]);
    assert.deepEqual(order, ["theirs", "mine", "theirs"]);
  });

  test("serves members in the order in which they came, also who wants many", async (t) => {
    const name = uniqueRegionName("semaphore-order");
    const app = await joinRegion(t, name);
    const semaphore = await app.semaphore("s", { permits: 2 });
    const held = await semaphore.acquire();
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region, kept }) => {
      const semaphore = await region.semaphore("s");
      kept.set("many", semaphore.acquire({ permits: 2 }));
    }, []);
    await waitingFor(semaphore, 1);
    // One is there, but who came first wants two.
    assert.equal(semaphore.tryAcquire(), undefined);
    held.release();
    await other.run(({ kept }) => (kept.get("many") as Promise<unknown>).then(() => undefined), []);
    assert.deepEqual(semaphore.statistics().held, [{ slot: 1, permits: 2 }]);
    await other.kill();
    const lease = await semaphore.acquire({ permits: 2 });
    lease.release();
  });

  test("what is leased can be given back after the semaphore was removed", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("semaphore-removed"));
    const lease = await (await app.semaphore("s")).acquire();
    await app.semaphores.remove("s");
    lease.release();
    assert.throws(() => lease.release(), code("ERR_NOT_HELD"));
  });

  test("gives back what a killed member held, and its turn", async (t) => {
    const name = uniqueRegionName("semaphore-killed");
    const app: Region = await joinRegion(t, name);
    const semaphore = await app.semaphore("s", { permits: 1 });
    const lease = await semaphore.acquire();
    const other = await ProcessMember.start({ region: name });
    await other.run(async ({ region, kept }) => {
      const semaphore = await region.semaphore("s");
      const waiting = semaphore.acquire();
      kept.set("waiting", waiting);
    }, []);
    await waitingFor(semaphore, 1);
    const next = semaphore.acquire();
    lease.release();
    await other.kill();
    (await next).release();
    assert.deepEqual(semaphore.statistics().waiting, []);
    assert.equal(semaphore.available, 1);
  });
});

async function waitingFor(semaphore: Semaphore, count: number): Promise<void> {
  while (semaphore.statistics().waiting.length !== count) await new Promise((resolve) => setTimeout(resolve, 1));
}
