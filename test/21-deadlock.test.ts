/** Deadlocks: members that wait for each other's mutexes are told, and nobody else is. */
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import {
  ShmkitError,
  type DeadlockedMember,
  type LockOptions,
  type MutexGuard,
  type Region,
  type RwLock,
} from "shmkit";
import type { ObjectRef } from "#src/heap/object-plan.js";
import type { ObjectContext } from "#src/heap/named-object.js";
import { PAGE_BYTES } from "#src/layout/region-header.js";
import { RWLOCK_BYTES, RWLOCK_READER_BYTES } from "#src/layout/rwlock.js";
import { SLOT, slotWord } from "#src/members/region-words.js";
import { DeadlockWatch } from "#src/sync/deadlock.js";
import { waitPointsOf } from "#src/sync/wait-points.js";
import { joinRegion, testRegion } from "./helpers/process-regions.js";
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
    await Promise.race([waits(region, "b"), first]);
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

/** Objects by what is done with them: `mutex a`, `read r`, `write r`, `upgradable r`, `upgrade r`, `lease s`, `lease s 2 of 3`. */
const holdBoth = (region: string, parts: readonly Part[]): Promise<ProcessMember[]> =>
  Promise.all(
    parts.map(async ({ has }) => {
      const member = await ProcessMember.start({ region, options: { label: `has ${has}` } });
      await member.run(async ({ region, kept }, has) => {
        const take = async (how: string, form: string): Promise<{ release(): void }> => {
          const [what, name, permits = "1", , all = "1"] = how.split(" ");
          const guard = kept.get("guard") as { upgrade(): Promise<void>; upgradeSync(): void; release(): void };
          if (what === "mutex") {
            const mutex = await region.mutex(name);
            return form === "sync" ? mutex.lockSync() : mutex.lock();
          }
          if (what === "lease") {
            const semaphore = await region.semaphore(name, { permits: Number(all) });
            const options = { permits: Number(permits) };
            return form === "sync" ? semaphore.acquireSync(options) : semaphore.acquire(options);
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
      "a semaphore of which one has too many",
      [
        ["lease s 2 of 3", "mutex a"],
        ["mutex a", "lease s 2 of 3"],
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

  test("whatever others do there meanwhile: one is told", async (t) => {
    const name = uniqueRegionName("deadlock-busy");
    const region = await joinRegion(t, name);
    const parts = [
      { has: "read q", wants: "write r", form: "sync" },
      { has: "read r", wants: "write q", form: "async" },
    ] as const;
    const members = await holdBoth(name, parts);
    const waiting = members.map((member, i) => wantsBoth(member, parts[i]));
    let isOver = false;
    const ask = async (lock: RwLock): Promise<void> => {
      while (!isOver) {
        await lock.lock({ timeoutMs: 30 }).then(
          (guard) => guard.release(),
          () => undefined,
        );
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    const asking = [ask(await region.rwlock("q")), ask(await region.rwlock("r"))];
    const answers = await Promise.all(waiting);
    isOver = true;
    await Promise.all(asking);
    const told = answers.filter((answer) => answer !== "has both");
    assert.ok(told.length >= 1 && told.every(({ code }) => code === "ERR_DEADLOCK"), JSON.stringify(answers));
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

/** Looks of one member at what it waits for, as often as is said; `later` lets time pass between two of them. */
class Looks {
  private readonly watch: DeadlockWatch;
  private passed = 0;

  constructor(t: TestContext, object: { readonly ref: ObjectRef }) {
    const { context } = object as unknown as { context: ObjectContext };
    this.watch = new DeadlockWatch(context, waitPointsOf(context.member, [object.ref])[0]);
    const now = performance.now.bind(performance);
    performance.now = () => now() + this.passed;
    t.after(() => (performance.now = now));
  }

  /** Whether a deadlock is told now. */
  tells(): boolean {
    Object.assign(this.watch, { nextLook: 0 });
    try {
      this.watch.look(false);
      return false;
    } catch (error) {
      assert.equal((error as ShmkitError).code, "ERR_DEADLOCK");
      return true;
    }
  }

  later(): this {
    this.passed += 20_000;
    return this;
  }
}

/** Members of one region, in this thread, which does nothing by itself while the test looks. */
async function membersOf(t: TestContext, count: number): Promise<Region[]> {
  const name = uniqueRegionName("deadlock-looks");
  const regions = [];
  while (regions.length < count) regions.push(await joinRegion(t, name));
  return regions;
}

const ignored = (promise: Promise<unknown>): void => void promise.catch(() => undefined);

describe("a look", () => {
  test("finds a circle whatever others do at the same locks", async (t) => {
    const [a, b, c] = await membersOf(t, 3);
    const [q, r] = [
      await Promise.all([a, b, c].map((one) => one.rwlock("q"))),
      await Promise.all([a, b, c].map((one) => one.rwlock("r"))),
    ];
    await Promise.all([q[0].lockShared(), r[1].lockShared()]);
    ignored(q[1].lock());
    ignored(r[0].lock());
    const looks = new Looks(t, r[0]);
    assert.equal(looks.tells(), false);
    for (const lock of [q[2], r[2]]) {
      const controller = new AbortController();
      const waiting = lock.lock({ signal: controller.signal });
      controller.abort();
      await assert.rejects(waiting);
    }
    assert.equal(looks.later().tells(), true);
  });

  test("finds who waits for more leases than there are, although there are some", async (t) => {
    const [a, b, c] = await membersOf(t, 3);
    const of = (region: Region) => region.semaphore("s", { permits: 3 });
    const semaphores = [await of(a), await of(b), await of(c)];
    const mutexes = [await a.mutex("m"), await b.mutex("m")];
    await Promise.all([semaphores[0].acquire({ permits: 2 }), mutexes[1].lock()]);
    ignored(semaphores[1].acquire({ permits: 2 }));
    ignored(semaphores[2].acquire());
    ignored(mutexes[0].lock());
    const looks = new Looks(t, mutexes[0]);
    assert.equal(looks.tells(), false);
    assert.equal(looks.later().tells(), true);
  });

  test("tells nobody who waits for leases behind one who could take them, but has not come yet", async (t) => {
    const [a, b, first, last] = await membersOf(t, 4);
    const of = (region: Region) => region.semaphore("s", { permits: 2 });
    const semaphores = [await of(a), await of(b), await of(first), await of(last)];
    const mutexes = [await a.mutex("m"), await last.mutex("m")];
    const [, lease] = await Promise.all([semaphores[0].acquire(), semaphores[1].acquire(), mutexes[1].lock()]);
    ignored(semaphores[2].acquire());
    ignored(semaphores[3].acquire());
    ignored(mutexes[0].lock());
    lease.release();
    const looks = new Looks(t, semaphores[3]);
    assert.equal(looks.tells(), false);
    assert.equal(looks.later().tells(), false);
  });

  test("tells nobody because of tasks of one thread that stand behind each other", async (t) => {
    const [a, b] = await membersOf(t, 2);
    const [locks, mutexes] = [
      [await a.rwlock("r"), await b.rwlock("r")],
      [await a.mutex("m"), await b.mutex("m")],
    ];
    await Promise.all([locks[0].lockUpgradable(), mutexes[0].lock(), locks[1].lockShared()]);
    ignored(locks[0].lockUpgradable());
    ignored(mutexes[1].lock());
    const looks = new Looks(t, mutexes[1]);
    assert.equal(looks.tells(), false);
    assert.equal(looks.later().tells(), false);
  });

  test("takes nobody for a reader who only tries", async (t) => {
    const [a, b, c] = await membersOf(t, 3);
    const [locks, mutexes] = [
      [await a.rwlock("r"), await b.rwlock("r"), await c.rwlock("r")],
      [await a.mutex("m"), await b.mutex("m")],
    ];
    await Promise.all([locks[2].lockShared(), mutexes[0].lock()]);
    ignored(locks[0].lock());
    ignored(mutexes[1].lock());
    // As if it stood between counting itself and looking at the gate, at every look.
    const words = new Int32Array(b.buffer);
    words[(locks[1].ref.page * PAGE_BYTES + RWLOCK_BYTES + b.slot * RWLOCK_READER_BYTES) / 4] = 1;
    const looks = new Looks(t, locks[0]);
    assert.equal(looks.tells(), false);
    assert.equal(looks.later().tells(), false);
  });

  test("tells nobody of a wait that has begun anew since the last one", async (t) => {
    const [a, b] = await membersOf(t, 2);
    const [m, n] = [
      [await a.mutex("m"), await b.mutex("m")],
      [await a.mutex("n"), await b.mutex("n")],
    ];
    await Promise.all([m[0].lock(), n[1].lock()]);
    ignored(n[0].lock());
    const controller = new AbortController();
    const waiting = m[1].lock({ signal: controller.signal });
    const looks = new Looks(t, n[0]);
    assert.equal(looks.tells(), false);
    controller.abort();
    await assert.rejects(waiting);
    ignored(m[1].lock());
    assert.equal(looks.later().tells(), false);
    assert.equal(looks.later().tells(), true);
  });
});

test("a walk through damaged words ends", async (t) => {
  const region = await testRegion(t, "deadlock-damaged");
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

describe("a thread that opened a region twice is told at once", () => {
  const told =
    (path: string, slot = 0) =>
    (error: unknown): boolean =>
      error instanceof ShmkitError &&
      error.code === "ERR_DEADLOCK" &&
      error.path === path &&
      error.message.includes(`member ${slot}, which it waits for, is of this very thread`);

  test("when it would sleep for what it has through the other", async (t) => {
    const name = uniqueRegionName("deadlock-twice");
    const [one, two] = [await joinRegion(t, name), await joinRegion(t, name)];
    const guard = await (await one.mutex("m")).lock();
    const mutex = await two.mutex("m");
    assert.throws(() => mutex.lockSync(), told(mutex.address));
    assert.throws(() => mutex.lockSync({ detectDeadlock: false }), told(mutex.address));
    assert.throws(() => mutex.lockSync({ timeoutMs: 0 }), { code: "ERR_TIMEOUT" });
    const waiting = mutex.lock();
    guard.release();
    (await waiting).release();
    mutex.lockSync().release();

    const [mine, theirs] = [await one.rwlock("rw"), await two.rwlock("rw")];
    const keepsOut = {
      lock: ["lockSync", "lockUpgradableSync", "lockSharedSync"],
      lockUpgradable: ["lockSync", "lockUpgradableSync"],
      lockShared: ["lockSync"],
    } as const;
    for (const holds of ["lock", "lockUpgradable", "lockShared"] as const) {
      const held = await mine[holds]();
      for (const wants of keepsOut[holds])
        assert.throws(() => theirs[wants](), told(theirs.address), `${wants}, ${holds}`);
      held.release();
    }
    const [reads, upgradable] = [await mine.lockShared(), await theirs.lockUpgradable()];
    assert.throws(() => upgradable.upgradeSync(), told(theirs.address));
    reads.release();
    upgradable.release();
    assert.deepEqual(theirs.statistics().readers, []);
    theirs.lockSync().release();

    const [first, second] = [await one.doOnce("o"), await two.doOnce("o")];
    const done = first.run(async () => {
      assert.throws(() => second.runSync(() => undefined), told(second.address));
      return undefined;
    });
    await done;
  });

  test("when it would sleep behind its own asynchronous wait", async (t) => {
    const name = uniqueRegionName("deadlock-twice-behind");
    const [one, two] = [await joinRegion(t, name), await joinRegion(t, name)];
    const [mine, theirs] = [await one.semaphore("s", { permits: 0 }), await two.semaphore("s", { permits: 0 })];
    const waiting = mine.acquire();
    assert.throws(() => theirs.acquireSync(), told(theirs.address));
    mine.post();
    (await waiting).release();
    theirs.acquireSync().release();
  });
});

describe("nobody is told", { concurrency: true }, () => {
  test("who waits for its own thread, or for somebody who does not wait", async (t) => {
    const name = uniqueRegionName("deadlock-none");
    const region = await joinRegion(t, name);
    const again = await joinRegion(t, name);
    const other = await holder(name, "theirs");
    const mine = await region.mutex("mine");
    const theirs = await region.mutex("theirs");
    const guard = await mine.lock();
    const own = mine.lock({ timeoutMs: 1e9 });
    await assert.rejects(theirs.lock({ timeoutMs: 2500 }), { code: "ERR_TIMEOUT" });
    assert.throws(() => theirs.lockSync({ timeoutMs: 300 }), { code: "ERR_TIMEOUT" });
    const throughAnother = await again.mutex("mine");
    await assert.rejects(throughAnother.lock({ timeoutMs: 300 }), { code: "ERR_TIMEOUT" });
    const semaphore = await region.semaphore("mine too");
    const lease = await semaphore.acquire();
    assert.throws(() => semaphore.acquireSync({ timeoutMs: 300 }), { code: "ERR_TIMEOUT" });
    lease.release();
    guard.release();
    (await own).release();
    await other.kill();
  });

  test("who waits for permits behind one that is stopped, although they are there", async (t) => {
    const name = uniqueRegionName("deadlock-line-stopped");
    const region = await joinRegion(t, name);
    const semaphore = await region.semaphore("s", { permits: 2 });
    const lease = await semaphore.acquire();
    const parts = [
      { has: "lease s 1 of 2", wants: "mutex a", form: "sync" },
      { has: "mutex b", wants: "lease s 1 of 2", form: "async" },
      { has: "mutex a", wants: "lease s 1 of 2", form: "sync" },
    ] as const;
    const members = await holdBoth(name, parts);
    const mine = wantsBoth(members[0], parts[0]);
    await untilWaiting(region, "mutex a");
    const first = wantsBoth(members[1], parts[1]);
    await untilWaiting(region, "lease s");
    const last = wantsBoth(members[2], parts[2]);
    while (semaphore.statistics().waiting.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await members[1].stop();
    lease.release();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    members[1].continue();
    assert.deepEqual(await Promise.all([mine, first, last]), ["has both", "has both", "has both"]);
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
  const inner = await Promise.all([mine.lockShared({ detectDeadlock: false }), mine.lockShared()]);
  assert.equal(theirs.statistics().writer, undefined);
  for (const guard of inner) guard.release();
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
