/** Web Locks between processes: one order for all, theft from another, death, and a holder that is stopped. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Region, type LockManagerSnapshot, type LockRequestOptions } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { joinRegion, testRegion } from "./helpers/process-regions.js";

const start = (region: Region): Promise<ProcessMember> => ProcessMember.start({ region: region.name });

/** Requests a lock in another process and holds it until `letGo` of that label is called there. */
async function request(
  member: ProcessMember,
  label: string,
  name: string,
  options: LockRequestOptions = {},
): Promise<void> {
  await member.run(
    ({ region, kept }, { label, name, options }) => {
      const outcome = region.locks.request(
        name,
        options,
        () => new Promise<unknown>((resolve) => void kept.set(`${label} granted`, resolve)),
      );
      kept.set(
        label,
        outcome.catch((error: unknown) => (error as Error).name),
      );
    },
    { label, name, options },
  );
}

const isGranted = (member: ProcessMember, label: string): Promise<boolean> =>
  member.run(({ kept }, label) => kept.has(`${label} granted`), label);

async function granted(member: ProcessMember, label: string): Promise<void> {
  while (!(await isGranted(member, label)));
}

const letGo = (member: ProcessMember, label: string): Promise<unknown> =>
  member.run(({ kept }, label) => {
    (kept.get(`${label} granted`) as (value: unknown) => void)("let go");
    return kept.get(label);
  }, label);

const outcome = (member: ProcessMember, label: string): Promise<unknown> =>
  member.run(({ kept }, label) => kept.get(label), label);

const clients = (entries: LockManagerSnapshot["held"]): string[] => entries.map(({ clientId }) => clientId);

describe("Web Locks between processes", () => {
  test("are granted in the order of the requests, whoever made them", async (t) => {
    const app = await testRegion(t, "locks-processes");
    const [a, b] = await Promise.all([start(app), start(app)]);
    await request(a, "first", "x");
    await granted(a, "first");
    await request(b, "second", "x");
    await request(a, "third", "x");
    const mine = app.locks.request("x", () => "mine");
    await request(b, "fifth", "x", { mode: "shared" });
    const { held, pending } = await app.locks.query();
    const [ofA] = clients(held);
    const [ofB] = clients(pending);
    assert.notEqual(ofA, ofB);
    assert.deepEqual(clients(pending).slice(1), [ofA, clients(pending)[2], ofB]);
    assert.deepEqual(Region.inspect(app.name)!.objects.find(({ kind }) => kind === "locks")!.locks!.held.length, 1);
    assert.equal(await letGo(a, "first"), "let go");
    await granted(b, "second");
    assert.deepEqual(await Promise.all([isGranted(a, "third"), isGranted(b, "fifth")]), [false, false]);
    await letGo(b, "second");
    await granted(a, "third");
    await letGo(a, "third");
    assert.equal(await mine, "mine");
    await granted(b, "fifth");
    await letGo(b, "fifth");
  });

  test("a theft from another process is told there, and what it did goes on", async (t) => {
    const app = await testRegion(t, "locks-theft");
    const a = await start(app);
    await request(a, "victim", "x");
    await granted(a, "victim");
    await app.locks.request("x", { steal: true }, async () => {
      assert.equal(await outcome(a, "victim"), "AbortError");
    });
    assert.equal(await letGo(a, "victim"), "AbortError");
    assert.deepEqual(await app.locks.query(), { held: [], pending: [] });
  });

  test("what a killed process held is free at once, and what it waited for keeps nobody", async (t) => {
    const app = await testRegion(t, "locks-killed");
    const [a, b] = await Promise.all([start(app), start(app)]);
    const long = "x".repeat(3000);
    await request(a, "holder", long);
    await granted(a, "holder");
    await request(b, "waiter", long);
    const next = app.locks.request(long, (lock) => lock!.name.length);
    const blocks = app.statistics().usedBlocks;
    await b.kill();
    await a.kill();
    assert.equal(await next, 3000);
    assert.deepEqual(await app.locks.query(), { held: [], pending: [] });
    assert.equal(app.statistics().usedBlocks, blocks - 3, "the blocks of the three long names");
  });

  test("releasing does not wait for a process that is stopped", async (t) => {
    const app = await testRegion(t, "locks-stopped");
    const a = await start(app);
    await app.locks.request("x", async () => {
      await request(a, "waiter", "x");
      await a.stop();
    });
    // It is its turn, and it takes what it has waited for when it goes on.
    const mine = app.locks.request("x", () => "after it");
    assert.equal(await app.locks.request("y", () => "others"), "others");
    a.continue();
    await granted(a, "waiter");
    await letGo(a, "waiter");
    assert.equal(await mine, "after it");
  });

  test("a process that ends within a callback leaves nothing, and a held lock does not keep it alive", async (t) => {
    const app = await joinRegion(t, uniqueRegionName("locks-exit"));
    const a = await start(app);
    await a.run(
      ({ region }) =>
        new Promise<void>((resolve) => {
          void region.locks.request("x", () => {
            resolve();
            setImmediate(() => process.exit(0));
            return new Promise(() => undefined);
          });
        }),
      [],
    );
    assert.equal(await app.locks.request("x", () => "free again"), "free again");
  });
});
