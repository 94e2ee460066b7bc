/** Ways to synchronise, each used once between two members, which may be of two runtimes. */
import assert from "node:assert/strict";
import type { PooledSegment, RwLockGuard, SemaphoreLease } from "shmkit";
import type { ProcessMember } from "../helpers/driven-member.js";

/** @param name of the objects that are used */
type Exchange = (a: ProcessMember, b: ProcessMember, name: string) => Promise<void>;

/** A gate lets through whoever comes, a turnstile one for each setting. */
const event: Exchange = async (a, b, name) => {
  const passed = b.run(async ({ region, say }, its) => {
    const gate = await region.event(`${its}, gate`);
    const turnstile = await region.event(`${its}, turnstile`, { manualReset: false });
    const waiting = gate.wait();
    say("waits");
    await waiting;
    turnstile.waitSync();
    return [gate.isSet, turnstile.tryWait()];
  }, name);
  await b.next();
  await a.run(async ({ region }, its) => {
    (await region.event(`${its}, gate`)).set();
    (await region.event(`${its}, turnstile`, { manualReset: false })).set();
  }, name);
  assert.deepEqual(await passed, [true, false]);
};

/** The openings that each of two parties sees, of which one blocks its thread. */
const barrier: Exchange = async (a, b, name) => {
  for (const member of [a, b]) await member.run(async ({ region }, its) => (await region.barrier(its)).enrol(), name);
  const openings = await Promise.all([
    a.run(async ({ region }, its) => {
      const step = await region.barrier(its);
      return [step.waitSync(), step.waitSync(), step.waitSync()];
    }, name),
    b.run(async ({ region }, its) => {
      const step = await region.barrier(its);
      return [await step.wait(), await step.wait(), await step.wait()];
    }, name),
  ]);
  const [first, second] = openings.map((seen) => seen.map(({ generation, lost }) => ({ generation, lost })));
  assert.deepEqual(first, second);
  assert.deepEqual(
    openings[0].map(({ leader }) => leader),
    openings[1].map(({ leader }) => !leader),
    "not one leader for each opening",
  );
};

const latch: Exchange = async (a, b, name) => {
  const opened = a.run(async ({ region, say }, its) => {
    const loaded = await region.latch(its, { count: 3 });
    const waiting = loaded.wait();
    say("waits");
    return [(await waiting).lost, loaded.remaining];
  }, name);
  await a.next();
  await b.run(async ({ region }, its) => {
    const loaded = await region.latch(its, { count: 3 });
    loaded.enrol(2);
    loaded.countDown(2);
    loaded.countDown();
  }, name);
  assert.deepEqual(await opened, [[], 0]);
};

/** One does it while the other one waits, and both have what it made. */
const once: Exchange = async (a, b, name) => {
  const made = a.run(async ({ region, say }, its) => {
    const seen = await region.counter(`${its}, waits`);
    const bytes = await (
      await region.doOnce(its)
    ).run(async () => {
      say("inside");
      await seen.waitFor(1);
      return new Uint8Array([1, 2, 255]);
    });
    return bytes;
  }, name);
  await a.next();
  const found = await b.run(async ({ region }, its) => {
    const [making, seen] = [await region.doOnce(its), await region.counter(`${its}, waits`)];
    const waiting = making.run(() => new Uint8Array([0]));
    await seen.add(1);
    return [await waiting, making.runSync(() => new Uint8Array([0]))];
  }, name);
  const all = new Uint8Array([1, 2, 255]);
  assert.deepEqual([await made, ...found], [all, all, all]);
};

const flag: Exchange = async (a, b, name) => {
  assert.equal(await a.run(async ({ region }, its) => (await region.flag(its)).testAndSet(), name), false);
  const cleared = b.run(async ({ region, say }, its) => {
    const elected = await region.flag(its);
    const wasSet = elected.testAndSetSync();
    const waiting = elected.waitFor(false);
    say("waits");
    await waiting;
    return [wasSet, elected.value];
  }, name);
  await b.next();
  await a.run(async ({ region }, its) => (await region.flag(its)).clearSync(), name);
  assert.deepEqual(await cleared, [true, false]);
};

/** What one has taken the other has not; and what comes with time comes to both. */
const rateLimiter: Exchange = async (a, b, name) => {
  const HOURLY = { tokens: 1, intervalMs: 3_600_000, burst: 2 };
  const OFTEN = { tokens: 10, intervalMs: 100, burst: 1 };
  const argument = { its: name, hourly: HOURLY, often: OFTEN };
  await a.run(async ({ region }, { its, hourly, often }) => {
    (await region.rateLimiter(`${its}, hourly`, hourly)).takeSync(2);
    await (await region.rateLimiter(`${its}, often`, often)).take();
  }, argument);
  const found = await b.run(async ({ region }, { its, hourly, often }) => {
    await (await region.rateLimiter(`${its}, often`, often)).take();
    const limiter = await region.rateLimiter(`${its}, hourly`, hourly);
    const refusal = await limiter.take(1, { timeoutMs: 20 }).catch(({ code }: { code: string }) => code);
    return [limiter.tryTake(), refusal, limiter.statistics().taken];
  }, argument);
  assert.deepEqual(found, [false, "ERR_TIMEOUT", 2]);
};

/** A permit goes from hand to hand, by a lease and by a plain post. */
const semaphore: Exchange = async (a, b, name) => {
  await a.run(async ({ region, kept }, its) => void kept.set(its, await (await region.semaphore(its)).acquire()), name);
  const held = b.run(async ({ region, say }, its) => {
    const permits = await region.semaphore(its);
    const waiting = permits.acquire();
    say("waits");
    const lease = await waiting;
    const slots = permits.statistics().held.map(({ slot }) => slot === region.slot);
    lease.release();
    permits.waitSync();
    say("has taken it for good");
    await permits.wait();
    return slots;
  }, name);
  await b.next();
  await a.run(({ kept }, its) => (kept.get(its) as SemaphoreLease).release(), name);
  await b.next();
  await a.run(async ({ region }, its) => (await region.semaphore(its)).post(), name);
  assert.deepEqual(await held, [true]);
};

/** A word under the lock, waited for and announced. */
const condition: Exchange = async (a, b, name) => {
  const seen = b.run(async ({ region, say }, its) => {
    const guard = await (await region.mutex(`${its}'s`)).lock();
    say("waits");
    await (await region.condition(its)).waitFor(guard, () => guard.get(0) === 7);
    const word = guard.get(0);
    guard.release();
    return word;
  }, name);
  await b.next();
  await a.run(async ({ region }, its) => {
    const guard = (await region.mutex(`${its}'s`)).lockSync();
    guard.set(0, 7);
    guard.release();
    (await region.condition(its)).notifyAll();
  }, name);
  assert.equal(await seen, 7);
};

/** Two read at the same time; one that writes waits until the other one does not read any more. */
const rwlock: Exchange = async (a, b, name) => {
  const read = (member: ProcessMember): Promise<void> =>
    member.run(
      async ({ region, kept }, its) => void kept.set(its, await (await region.rwlock(its)).lockShared()),
      name,
    );
  await Promise.all([read(a), read(b)]);
  const written = b.run(async ({ region, kept, say }, its) => {
    const lock = await region.rwlock(its);
    const readers = lock.statistics().readers.length;
    (kept.get(its) as RwLockGuard).release();
    const waiting = lock.lock();
    say("waits");
    const guard = await waiting;
    const found = [readers, guard.mode, lock.statistics().writer === region.slot, guard.abandoned];
    guard.release();
    return found;
  }, name);
  await b.next();
  await a.run(({ kept }, its) => (kept.get(its) as RwLockGuard).release(), name);
  assert.deepEqual(await written, [2, "exclusive", true, false]);
};

const webLocks: Exchange = async (a, b, name) => {
  const held = a.run(
    async ({ region, say }, its) =>
      region.locks.request(its, async () => {
        say("holds");
        await (await region.counter(`${its}, waits`)).waitFor(1);
        return "released";
      }),
    name,
  );
  await a.next();
  const found = await b.run(async ({ region }, its) => {
    const isTaken = await region.locks.request(its, { ifAvailable: true }, (lock) => lock === null);
    const waiting = region.locks.request(its, { mode: "shared" }, (lock) => lock?.mode);
    const { held: those, pending } = await region.locks.query();
    await (await region.counter(`${its}, waits`)).add(1);
    const modes = [those, pending].map((list) => list.filter((lock) => lock.name === its).map(({ mode }) => mode));
    return [isTaken, ...modes, await waiting];
  }, name);
  assert.deepEqual([await held, ...found], ["released", true, ["exclusive"], ["shared"], "shared"]);
};

/** One makes it and waits in it, the other one finds all of it, and it goes as one. */
const composite: Exchange = async (a, b, name) => {
  const filled = a.run(async ({ shmkit: { part }, region, say }, its) => {
    const shape = { lock: part.mutex({ words: 1 }), full: part.condition(), times: part.counter() };
    const { lock, full, times } = (await region.composite(its, shape)).parts;
    const guard = await lock.lock();
    say("waits");
    await full.waitFor(guard, () => guard.get(0) === 7);
    guard.release();
    return [lock.name, Number(times.value)];
  }, name);
  await a.next();
  const names = await b.run(async ({ shmkit: { part }, region }, its) => {
    const shape = { lock: part.mutex({ words: 1 }), full: part.condition(), times: part.counter() };
    const { parts } = await region.composites.open(its, { parts: shape });
    const guard = await parts.lock.lock();
    guard.set(0, 7);
    parts.times.addSync(3);
    parts.full.notifyAll();
    guard.release();
    return Object.keys(parts);
  }, name);
  assert.deepEqual(
    [await filled, names],
    [
      [`${name}.lock`, 3],
      ["lock", "full", "times"],
    ],
  );
  const left = await b.run(async ({ region }, its) => {
    const wasThere = region.composites.removeSync(its);
    return [wasThere, ...region.mutexes.list().filter((one) => one.startsWith(`${its}.`))];
  }, name);
  assert.deepEqual(left, [true]);
};

/** One writes a segment and hands it over, the other one writes to it and hands it back; then it waits for one to be free. */
const segmentPool: Exchange = async (a, b, name) => {
  const ticket = await a.run(async ({ region, kept }, its) => {
    const pool = await region.segmentPool(its, { segments: 1, segmentBytes: 5000 });
    const segment = await pool.acquire();
    segment.bytes.fill(7);
    const handed = segment.handOver();
    kept.set(its, pool.takeBack(handed));
    return handed;
  }, name);
  const acquired = b.run(
    async ({ region, say }, { its, sent }) => {
      const pool = await region.segmentPool(its);
      const taken = pool.takeOver(sent);
      const found = [taken.bytes.length, taken.bytes.every((byte) => byte === 7), pool.tryAcquire()];
      taken.bytes[4999] = 8;
      taken.handOver();
      const waiting = pool.acquire();
      say("waits");
      const segment = await waiting;
      const last = segment.bytes[4999];
      segment.release();
      return [...found, last];
    },
    { its: name, sent: ticket },
  );
  await b.next();
  const back = await a.run(async ({ region, kept }, its) => {
    const segment = await (kept.get(its) as Promise<PooledSegment>);
    const found = segment.bytes[4999];
    segment.bytes[4999] = 9;
    segment.release();
    return [found, (await region.segmentPool(its)).statistics().recovered];
  }, name);
  assert.deepEqual([...back, ...(await acquired)], [8, 0, 5000, true, undefined, 9]);
};

export const SYNCHRONISATION: Readonly<Record<string, Exchange>> = {
  "an event": event,
  "a barrier": barrier,
  "a latch": latch,
  "what is done once": once,
  "a flag": flag,
  "a rate limiter": rateLimiter,
  "a semaphore": semaphore,
  "a condition variable": condition,
  "a readers–writer lock": rwlock,
  "Web Locks": webLocks,
  "a composite": composite,
  "a segment pool": segmentPool,
};

/** Everything that a member can have or be in the middle of; resolves when it does, to its slot. */
export const holdEverything = (victim: ProcessMember): Promise<number> =>
  victim.run(async ({ region, kept }) => {
    const never = new Promise<never>(() => undefined);
    kept.set("permit", await (await region.semaphore("of the dead")).acquire());
    kept.set("writing", await (await region.rwlock("of the dead, written")).lock());
    await (await region.barrier("of the dead, step")).enrol();
    (await region.latch("of the dead, loaded")).enrol();
    const made = await region.doOnce("of the dead, made");
    await new Promise<void>((begins) => {
      void made.run(() => (begins(), never));
    });
    await new Promise<void>((begins) => {
      void region.locks.request("of the dead", () => (begins(), never));
    });
    void (await region.event("of the dead, next", { manualReset: false })).wait();
    void (await region.rateLimiter("of the dead, rate", { tokens: 10, intervalMs: 100, burst: 20 })).take(20);
    void (await region.rateLimiter("of the dead, rate", { tokens: 10, intervalMs: 100, burst: 20 })).take(20);
    const segments = await region.segmentPool("of the dead, segments", { segments: 2, segmentBytes: 100 });
    kept.set("segment", await segments.acquire());
    (await segments.acquire()).handOver();
    const guard = await (await region.mutex("of the dead, mutex")).lock();
    void (await region.condition("of the dead, changed")).wait(guard);
    return region.slot;
  });

/**
 * Waits for everything that a member holds, says so, and has it when that one is dead.
 * @param slot the slot of that member
 */
export async function inherit(survivor: ProcessMember, slot: number, kill: () => Promise<unknown>): Promise<void> {
  const inherited = survivor.run(async ({ region, say }) => {
    const [permits, written] = [await region.semaphore("of the dead"), await region.rwlock("of the dead, written")];
    const [step, loaded] = [await region.barrier("of the dead, step"), await region.latch("of the dead, loaded")];
    const [made, changed] = [await region.doOnce("of the dead, made"), await region.condition("of the dead, changed")];
    const next = await region.event("of the dead, next", { manualReset: false });
    const limiter = await region.rateLimiter("of the dead, rate", { tokens: 10, intervalMs: 100, burst: 20 });
    const segments = await region.segmentPool("of the dead, segments");
    const mutex = await region.mutex("of the dead, mutex");
    const guard = await mutex.lock();
    const waits = {
      permit: permits.acquire().then((lease) => lease.release()),
      writer: written.lock().then((lock) => {
        lock.release();
        return lock.abandoned;
      }),
      parties: step.wait().then(({ lost }) => lost),
      counts: loaded.wait().then(({ lost }) => lost),
      made: made.run((abandoned) => new Uint8Array([abandoned ? 1 : 0])),
      lock: region.locks.request("of the dead", (lock) => lock?.mode),
      tokens: limiter.take(1),
      segments: Promise.all([segments.acquire(), segments.acquire()]),
    };
    say("waits");
    const [, writer, parties, counts, bytes, lock, both] = await Promise.all([
      waits.permit,
      waits.writer,
      waits.parties,
      waits.counts,
      waits.made,
      waits.lock,
      waits.segments,
      waits.tokens,
    ]);
    for (const segment of both) segment.release();
    const { recovered, free } = segments.statistics();
    next.set();
    next.waitSync();
    // Whoever comes now is not behind one that is dead.
    changed.notifyAll();
    guard.release();
    return { writer, parties, counts, made: bytes, lock, recovered, free };
  });
  await survivor.next();
  await kill();
  assert.deepEqual(await inherited, {
    writer: true,
    parties: [slot],
    counts: [{ slot, count: 1 }],
    made: new Uint8Array([1]),
    lock: "exclusive",
    recovered: 2,
    free: 2,
  });
}
