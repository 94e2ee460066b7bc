/** Deadlocks: members that wait for each other's mutexes are told, and nobody else is. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ShmkitError, type DeadlockedMember, type LockOptions, type MutexGuard, type Region } from "shmkit";
import { joinRegion } from "./helpers/process-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

type Form = "sync" | "async";

/** A process that has one mutex and will ask for another one. */
async function holder(region: string, has: string): Promise<ProcessMember> {
  const member = await ProcessMember.start({ region, options: { label: `has ${has}` } });
  await member.run(async ({ region, kept }, has: string) => {
    kept.set("guard", await (await region.mutex(has)).lock());
  }, has);
  return member;
}

/** Asks for another one; told that it would be for ever, it releases what it has. Answers how that went. */
const ask = (member: ProcessMember, wants: string, form: Form, options: LockOptions = {}): Promise<Answer> =>
  member.run(
    async ({ region, kept, shmkit }, { wants, form, options }): Promise<Answer> => {
      const mutex = await region.mutex(wants);
      const guard = kept.get("guard") as MutexGuard;
      try {
        const next = form === "sync" ? mutex.lockSync(options) : await mutex.lock(options);
        next.release();
        guard.release();
        return "has both";
      } catch (error) {
        if (!(error instanceof shmkit.ShmkitError)) throw error;
        guard.release();
        return { code: error.code, message: error.message, cycle: error.cycle };
      }
    },
    { wants, form, options },
  );

type Answer = "has both" | { code: string; message: string; cycle: readonly DeadlockedMember[] | undefined };

const waits = async (region: Region, name: string): Promise<void> => {
  const mutex = await region.mutex(name);
  while (mutex.statistics().waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
};

/** Members in a circle, each with a mutex, that ask for the next one's, one after the other. */
async function circle(name: string, region: Region, forms: readonly Form[]): Promise<Answer[]> {
  const names = forms.map((_, i) => `m${i}`);
  const members = [];
  for (const has of names) members.push(await holder(name, has));
  const answers = [];
  for (const [i, form] of forms.entries()) {
    const wants = names[(i + 1) % names.length];
    answers.push(ask(members[i], wants, form));
    if (i < forms.length - 1) await waits(region, wants);
  }
  return Promise.all(answers);
}

function toldOnce(answers: readonly Answer[], count: number, address: string): DeadlockedMember[] {
  const told = answers.filter((answer) => answer !== "has both");
  assert.equal(told.length, 1, JSON.stringify(answers));
  const [{ code, message, cycle }] = told;
  assert.equal(code, "ERR_DEADLOCK");
  assert.equal(cycle!.length, count);
  cycle!.forEach(({ slot, pid, label, mutex, waitsFor }, i) => {
    const next = cycle![(i + 1) % count];
    assert.equal(waitsFor, next.mutex);
    assert.equal(label, `has ${mutex.slice(address.length + 1)}`);
    for (const part of [`member ${slot} (pid ${pid}`, label, mutex]) assert.ok(message.includes(part), message);
  });
  return [...cycle!];
}

describe("members that wait for each other", { concurrency: true }, () => {
  for (const forms of [
    ["sync", "sync", "sync"],
    ["async", "sync"],
    ["async", "async"],
  ] as const)
    test(`${forms.join(", ")}: one is told, the others go on`, async (t) => {
      const name = uniqueRegionName("deadlock");
      const region = await joinRegion(t, name);
      const answers = await circle(name, region, forms);
      const cycle = toldOnce(answers, forms.length, name);
      assert.equal(cycle[0].mutex, `${name}/m${forms.length - 1}`, "whoever closed the circle is told");
    });

  test("and one of them is stopped: another one is told", async (t) => {
    const name = uniqueRegionName("deadlock-stopped");
    const region = await joinRegion(t, name);
    const [a, b] = [await holder(name, "a"), await holder(name, "b")];
    const first = ask(a, "b", "sync");
    await waits(region, "b");
    const second = ask(b, "a", "sync", { detectDeadlock: false });
    await waits(region, "a");
    await b.stop();
    const answer = await first;
    b.continue();
    assert.equal((answer as { code: string }).code, "ERR_DEADLOCK");
    assert.equal(await second, "has both");
  });

  test("and one of them is killed: nobody is told", async (t) => {
    const name = uniqueRegionName("deadlock-killed");
    const region = await joinRegion(t, name);
    const [a, b] = [await holder(name, "a"), await holder(name, "b")];
    const first = ask(a, "b", "async");
    await waits(region, "b");
    void ask(b, "a", "async").catch(() => undefined);
    await waits(region, "a");
    await b.kill();
    assert.equal(await first, "has both");
  });

  test("and were told not to look: they wait until their deadlines", async (t) => {
    const name = uniqueRegionName("deadlock-off");
    const region = await joinRegion(t, name);
    for (const mutex of ["a", "b"]) await region.mutex(mutex, { detectDeadlock: false });
    const [a, b] = [await holder(name, "a"), await holder(name, "b")];
    const first = ask(a, "b", "sync", { timeoutMs: 800 });
    await waits(region, "b");
    const second = ask(b, "a", "sync");
    assert.equal((await first) === "has both" || ((await first) as { code: string }).code, "ERR_TIMEOUT");
    assert.equal(await second, "has both");
  });
});

describe("nobody is told", { concurrency: true }, () => {
  test("who waits for tasks of its own thread, or for somebody who does not wait", async (t) => {
    const name = uniqueRegionName("deadlock-none");
    const region = await joinRegion(t, name);
    const other = await holder(name, "theirs");
    const mine = await region.mutex("mine");
    const theirs = await region.mutex("theirs");
    const guard = await mine.lock();
    const own = mine.lock({ timeoutMs: 3000 });
    await assert.rejects(theirs.lock({ timeoutMs: 2500 }), { code: "ERR_TIMEOUT" });
    assert.throws(() => theirs.lockSync({ timeoutMs: 300 }), { code: "ERR_TIMEOUT" });
    guard.release();
    (await own).release();
    await other.kill();
  });

  test("in a line of members that wait, whose first one goes on", async (t) => {
    const name = uniqueRegionName("deadlock-line");
    const region = await joinRegion(t, name);
    const first = await (await region.mutex("m0")).lock();
    const members = [await holder(name, "m1"), await holder(name, "m2"), await holder(name, "m3")];
    const answers = [];
    for (const [i, member] of members.entries()) {
      answers.push(ask(member, `m${i}`, i === 1 ? "async" : "sync"));
      await waits(region, `m${i}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1500));
    first.release();
    assert.deepEqual(
      await Promise.all(answers),
      members.map(() => "has both"),
    );
  });
});

test("the option is a part of what a mutex is, and is checked", async (t) => {
  const region = await joinRegion(t, uniqueRegionName("deadlock-options"));
  const mutex = await region.mutex("m", { detectDeadlock: false });
  await assert.rejects(region.mutex("m", { detectDeadlock: true }), { code: "ERR_OPTIONS_DIFFER" });
  await assert.rejects(mutex.lock({ detectDeadlock: 1 as never }), { code: "ERR_INVALID_ARGUMENT" });
  assert.throws(() => mutex.lockSync({ detectDeadlocks: true } as never), { code: "ERR_UNKNOWN_OPTION" });
  const error = new ShmkitError("ERR_DEADLOCK", "as an example", { cycle: [] });
  assert.deepEqual(error.cycle, []);
});
