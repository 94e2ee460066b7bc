/** Deadlocks: members that wait for each other's mutexes are told, and nobody else is. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ShmkitError, type DeadlockedMember, type LockOptions, type MutexGuard, type Region } from "shmkit";
import type { ObjectContext } from "#src/heap/named-object.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { SLOT, slotWord } from "#src/members/region-words.js";
import { DeadlockWatch } from "#src/sync/deadlock.js";
import { waitPointsOf } from "#src/sync/wait-points.js";
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

/** What one member has, and what it then waits for; told that it would be for ever, it gives back what it has. */
interface Part {
  readonly has: string;
  readonly wants: string;
  readonly form: Form;
}

/** Objects by what is done with them: `mutex a`, `read r`, `write r`, `upgradable r`, `upgrade r`, `lease s`. */
const holdBoth = (region: string, parts: readonly Part[]): Promise<ProcessMember[]> =>
  Promise.all(
    parts.map(async ({ has }) => {
      const member = await ProcessMember.start({ region, options: { label: `has ${has}` } });
      await member.run(async ({ region, kept }, has) => {
        const take = async (how: string, form: string): Promise<{ release(): void }> => {
          const [what, name] = how.split(" ");
          const guard = kept.get("guard") as { upgrade(): Promise<void>; upgradeSync(): void; release(): void };
          if (what === "mutex") {
            const mutex = await region.mutex(name);
            return form === "sync" ? mutex.lockSync() : mutex.lock();
          }
          if (what === "lease") {
            const semaphore = await region.semaphore(name);
            return form === "sync" ? semaphore.acquireSync() : semaphore.acquire();
          }
          const lock = await region.rwlock(name);
          if (what === "read") return form === "sync" ? lock.lockSharedSync() : lock.lockShared();
          if (what === "write") return form === "sync" ? lock.lockSync() : lock.lock();
          if (what === "upgradable") return form === "sync" ? lock.lockUpgradableSync() : lock.lockUpgradable();
          if (form === "sync") guard.upgradeSync();
          else await guard.upgrade();
          return { release: () => undefined };
        };
        kept.set("take", take);
        kept.set("guard", await take(has, "async"));
      }, has);
      return member;
    }),
  );

const wantsBoth = (member: ProcessMember, part: Part): Promise<Answer> =>
  member.run(async ({ kept, shmkit }, { wants, form }): Promise<Answer> => {
    const guard = kept.get("guard") as { release(): void };
    const take = kept.get("take") as (how: string, form: string) => Promise<{ release(): void }>;
    try {
      (await take(wants, form)).release();
      return "has both";
    } catch (error) {
      if (!(error instanceof shmkit.ShmkitError)) throw error;
      return { code: error.code, message: error.message, cycle: error.cycle };
    } finally {
      guard.release();
    }
  }, part);

async function untilWaiting(region: Region, how: string): Promise<void> {
  const [what, name] = how.split(" ");
  const object = await (what === "mutex" ? region.mutex(name) : what === "lease" ? region.semaphore(name) : undefined);
  const lock = object === undefined ? await region.rwlock(name) : undefined;
  const isWaiting = (): boolean => {
    if (object !== undefined) return object.statistics().waiting.length > 0;
    if (what === "read") return lock!.statistics().waitingReaders.length > 0;
    // Who is the first to write keeps others from reading.
    const guard = lock!.tryLockShared();
    guard?.release();
    return guard === undefined;
  };
  // Who is on its way to waiting may be seen so for a moment, and then go on: somebody was gone just then.
  for (let looks = 0; looks < 20; looks++) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (!isWaiting()) looks = 0;
  }
}

describe("a circle of locks of different kinds", { concurrency: true }, () => {
  const CIRCLES: readonly (readonly [string, readonly (readonly [has: string, wants: string])[]])[] = [
    [
      "a mutex and a readers–writer lock",
      [
        ["mutex a", "write r"],
        ["read r", "mutex a"],
      ],
    ],
    [
      "two readers–writer locks",
      [
        ["read q", "write r"],
        ["read r", "write q"],
      ],
    ],
    [
      "an upgrade",
      [
        ["upgradable r", "upgrade r"],
        ["read r", "mutex a"],
        ["mutex a", "read r"],
      ],
    ],
    [
      "a semaphore of which one has all, and a mutex",
      [
        ["lease s", "mutex a"],
        ["mutex a", "lease s"],
      ],
    ],
    [
      "who waits to read behind who waits to write",
      [
        ["write w", "write r"],
        ["mutex a", "read r"],
        ["read r", "mutex a"],
      ],
    ],
  ];
  for (const [what, links] of CIRCLES)
    for (const form of ["sync", "async"] as const)
      test(`${what}, ${form}: one is told`, async (t) => {
        const name = uniqueRegionName("deadlock-kinds");
        const region = await joinRegion(t, name);
        const parts = links.map(([has, wants]) => ({ has, wants, form }));
        const members = await holdBoth(name, parts);
        const waiting = [];
        for (const [i, part] of parts.entries()) {
          waiting.push(wantsBoth(members[i], part));
          if (i < parts.length - 1) await untilWaiting(region, part.wants);
        }
        const answers = await Promise.all(waiting);
        const told = answers.filter((answer) => answer !== "has both");
        assert.ok(told.length >= 1, "somebody is told");
        for (const { code, cycle } of told) {
          assert.equal(code, "ERR_DEADLOCK");
          cycle!.forEach(({ waitsFor }, i) => assert.equal(waitsFor, cycle![(i + 1) % cycle!.length].mutex));
        }
      });

  test("a condition whose mutex is not given back: who takes it again is in the circle", async (t) => {
    const name = uniqueRegionName("deadlock-condition");
    const region = await joinRegion(t, name);
    const condition = await region.condition("c");
    const [a, b] = [await region.mutex("a"), await region.mutex("b")];
    const [inner, outer] = [await a.lock(), await b.lock()];
    const waiting = condition.wait(inner);
    const other = await holder(name, "a");
    condition.notifyOne();
    const theirs = ask(other, "b", "async");
    const mine = waiting.then(
      () => "has both",
      (error: { code: string }) => error.code,
    );
    // Whoever is told gives back what it has.
    await Promise.race([theirs, mine]);
    outer.release();
    const answers = [await theirs, await mine].map((answer) => (typeof answer === "string" ? answer : answer.code));
    assert.deepEqual(answers.sort(), ["ERR_DEADLOCK", "has both"]);
    inner[Symbol.dispose]();
  });
});

test("a walk through damaged words ends", async (t) => {
  const region = await joinRegion(t, uniqueRegionName("deadlock-damaged"));
  const objects = [
    await region.mutex("m"),
    await region.mutex("n"),
    await region.rwlock("r"),
    await region.semaphore("s"),
  ];
  const { context } = objects[0] as unknown as { context: ObjectContext };
  const words = new Int32Array(region.buffer);
  const slot = slotWord(context.member.geometry, 1) + SLOT.syncSet;
  const saved = words.slice();
  for (let seed = 1; seed < 400; seed++) {
    let state = seed;
    for (const { ref } of objects)
      for (let i = 0; i < 900; i++) {
        state = (Math.imul(state, 1103515245) + 12345) | 0;
        words[(ref.page * PAGE_BYTES) / 4 + i] = seed % 3 === 0 ? state : (state >>> 16) % 5;
      }
    words[slot] = seed % 2;
    for (const point of waitPointsOf(
      context.member,
      objects.map(({ ref }) => ref),
    )) {
      const watch = new DeadlockWatch(context, point);
      try {
        for (const sync of [true, false]) watch.look(sync);
      } catch (error) {
        assert.equal((error as ShmkitError).code, "ERR_DEADLOCK");
      }
    }
  }
  words.set(saved);
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

test("tasks of one thread that exclude each other are no circle with somebody else who waits", async (t) => {
  const name = uniqueRegionName("deadlock-tasks");
  const [region, other] = [await joinRegion(t, name), await joinRegion(t, name)];
  const [mine, theirs] = [await region.rwlock("r"), await other.rwlock("r")];
  const reading = await mine.lockShared();
  const waits = [theirs.lock(), mine.lock(), mine.lockUpgradable()];
  await new Promise((resolve) => setTimeout(resolve, 3500));
  reading.release();
  for (const wait of waits) (await wait).release();
});

test("who reads is let in to read again, although somebody waits to write: it may be the same task", async (t) => {
  const name = uniqueRegionName("deadlock-reading");
  const [region, other] = [await joinRegion(t, name), await joinRegion(t, name)];
  const [mine, theirs] = [await region.rwlock("r"), await other.rwlock("r")];
  const outer = await mine.lockShared();
  const writing = theirs.lock();
  const inner = await mine.lockShared();
  assert.equal(theirs.statistics().writer, undefined);
  inner.release();
  assert.equal(mine.tryLockShared(), undefined, "others wait again");
  outer.release();
  (await writing).release();
});

test("the option is a part of what a mutex is, and is checked", async (t) => {
  const region = await joinRegion(t, uniqueRegionName("deadlock-options"));
  const mutex = await region.mutex("m", { detectDeadlock: false });
  await assert.rejects(region.mutex("m", { detectDeadlock: true }), { code: "ERR_OPTIONS_DIFFER" });
  const lock = await region.rwlock("r");
  (await lock.lock({ detectDeadlock: false })).release();
  await assert.rejects(lock.lockShared({ detectDeadlock: 1 as never }), { code: "ERR_INVALID_ARGUMENT" });
  const semaphore = await region.semaphore("s");
  semaphore.acquireSync({ detectDeadlock: false }).release();
  assert.throws(() => semaphore.waitSync({ detectDeadlock: false } as never), { code: "ERR_UNKNOWN_OPTION" });
  await assert.rejects(mutex.lock({ detectDeadlock: 1 as never }), { code: "ERR_INVALID_ARGUMENT" });
  assert.throws(() => mutex.lockSync({ detectDeadlocks: true } as never), { code: "ERR_UNKNOWN_OPTION" });
  const error = new ShmkitError("ERR_DEADLOCK", "as an example", { cycle: [] });
  assert.deepEqual(error.cycle, []);
});
