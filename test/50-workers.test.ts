import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Region, type MemberDeath } from "shmkit";
import { Armed, MEMBER_SLOT, SLOT_BYTES } from "#src/layout/member-slot.js";
import { PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until, type Ending, type Script } from "./helpers/process-member.js";
import { Random } from "./helpers/process-random.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";

/** Members that end without `close()` and without being killed: nothing of theirs runs any more, `finally` included. */

interface Way {
  readonly start: "start" | "startWorker";
  readonly end: (member: ProcessMember) => Promise<Ending>;
  readonly code: number;
  readonly output?: RegExp;
}

function exits(member: ProcessMember): Promise<Ending> {
  void member.run(() => process.exit(7));
  return member.ended;
}

function throws(member: ProcessMember): Promise<Ending> {
  void member.run(() => {
    setImmediate(() => {
      throw new Error("on purpose");
    });
    return new Promise<never>(() => undefined);
  });
  return member.ended;
}

const WAYS: Record<string, Way> = {
  "a worker that is terminated": { start: "startWorker", end: (member) => member.kill(), code: 1 },
  "a worker that calls process.exit()": { start: "startWorker", end: exits, code: 7 },
  "a worker with an uncaught exception": { start: "startWorker", end: throws, code: 1, output: /on purpose/ },
  "a process that calls process.exit()": { start: "start", end: exits, code: 7 },
  "a process with an uncaught exception": { start: "start", end: throws, code: 1, output: /on purpose/ },
};

async function endBy(way: Way, member: ProcessMember): Promise<void> {
  const { code, signal, output } = await way.end(member);
  assert.deepEqual([code, signal], [way.code, null], output);
  assert.match(output, way.output ?? /^$/);
}

/** A region with everything in it that a member can be in the middle of. */
async function stage(t: TestContext, maxMembers = 3) {
  const region = await testRegion(t, "ends", { ...SMALL, maxMembers, label: "watcher" });
  const deaths: MemberDeath[] = [];
  region.on("memberDied", (death) => deaths.push(death));
  const objects = {
    jobs: await region.pipe<Uint8Array>("jobs", { capacity: 8, maxLeased: 4 }),
    empty: await region.pipe<string>("empty", { capacity: 8, maxLeased: 4 }),
    full: await region.pipe<string>("full", { capacity: 1, maxLeased: 1 }),
    count: await region.counter("count"),
    held: await region.mutex("held", { words: 2 }),
    taken: await region.mutex("taken"),
  };
  await objects.full.send("first");
  return { region, deaths, before: region.statistics(), guard: await objects.taken.lock(), ...objects };
}

/** Nothing of the dead one's is left: not in any object's waiters, not in the memory, not in the table. */
async function checkForgotten(scene: Awaited<ReturnType<typeof stage>>): Promise<void> {
  const { region, before, empty, full, count, taken } = scene;
  assert.equal(empty.statistics().waitingReceivers, 0);
  assert.equal(full.statistics().waitingSenders, 0);
  await empty.send("for the living");
  assert.equal(await empty.receive(), "for the living");
  assert.equal(await full.receive(), "first");
  assert.equal(full.tryReceive(), undefined, "what the dead one wanted to send did not come");
  await full.send("first");
  scene.guard.release();
  scene.guard = await taken.lock();
  assert.equal(scene.guard.abandoned, false, "it never held it");
  await count.add(1);
  const after = region.statistics();
  assert.equal(after.usedBlocks, before.usedBlocks);
  assert.equal(after.committedBytes - after.freeBytes, before.committedBytes - before.freeBytes);
}

/** Everything that it is in the middle of when it ends. */
const inTheMiddle: Script<undefined, { slot: number; threadId: number }> = async ({ region, kept, load }) => {
  const { native } = (await load("#src/native/addon.js")) as typeof import("#src/native/addon.js");
  const guard = await (await region.mutex("held")).lock();
  guard.set(1, 5);
  const jobs = await region.pipe<Uint8Array>("jobs");
  kept.set("leases", [await jobs.receive({ lease: true }), await jobs.receive({ lease: true })]);
  const waits = [
    (await region.pipe("empty")).receive(),
    (await region.pipe("empty")).receive({ lease: true }),
    (await region.pipe("full")).send("too late"),
    (await region.counter("count")).waitFor(1_000_000),
    (await region.mutex("taken")).lock(),
    region.pipes.open("never", { wait: true }),
    (await region.pipe("jobs")).drain(),
  ];
  for (const wait of waits) wait.catch(() => undefined);
  kept.set("waits", waits);
  return { slot: region.slot, threadId: native.threadId() };
};

describe("a member that ends in the middle of everything", () => {
  for (const [label, way] of Object.entries(WAYS)) {
    test(`${label}: the others go on with what it held, and are told once`, async (t) => {
      const scene = await stage(t);
      const { region, deaths, jobs, held } = scene;
      const witness = await ProcessMember.start({ region: region.name, options: { label: "witness" } });
      // More rounds than slots: a slot that stayed taken would be missed.
      for (let round = 1; round <= 2; round++) {
        await jobs.send(new Uint8Array(20_000).fill(1));
        await jobs.send(new Uint8Array(20).fill(2));
        const member = await ProcessMember[way.start]({ region: region.name, options: { label: `round ${round}` } });
        const { slot, threadId } = await member.run(inTheMiddle);
        const handedOver = witness.run(async ({ region: own }) => {
          const mutex = await own.mutex("held");
          const guard = await mutex.lock();
          const found = [guard.abandoned, guard.get(0), guard.get(1), mutex.takeovers];
          guard.set(0, guard.get(0) + 1);
          guard.release();
          return found;
        });
        const redelivered = jobs.receive({ lease: true });
        const pid = member.pid;
        assert.deepEqual(
          region.members().map((info) => [info.label, info.alive, info.pid]),
          [
            ["watcher", true, process.pid],
            ["witness", true, witness.pid],
            [`round ${round}`, true, pid],
          ],
        );
        await endBy(way, member);
        assert.deepEqual(await handedOver, [true, round - 1, 0, round], "what it had not committed is undone");
        const leases = [await redelivered, await jobs.receive({ lease: true })];
        assert.deepEqual(
          leases.map(({ value, deliveries }) => [value.length, value[0], deliveries]),
          [
            [20_000, 1, 2],
            [20, 2, 2],
          ],
        );
        for (const lease of leases) lease.ack();
        const guard = await held.lock();
        assert.equal(guard.abandoned, false, "told once");
        guard.release();
        await until(() => deaths.length === round);
        const { label: whose, generation, ...death } = deaths[round - 1];
        assert.deepEqual([whose, generation], [`round ${round}`, round]);
        assert.equal(death.interrupted && death.committed, false, "it may have been about to try again");
        assert.deepEqual([death.slot, death.pid, death.threadId], [slot, pid, threadId]);
        // A recoverer, which may be the witness, files the death before it frees the slot.
        await until(() => region.members().length === 2);
        assert.equal(Region.inspect(region.name)!.members.length, 2);
        await checkForgotten(scene);
      }
      assert.equal(deaths.length, 2);
      await witness.finish();
    });

    test(`${label}, the last one: its region is gone`, async () => {
      const name = uniqueRegionName("last");
      const member = await ProcessMember[way.start]({ region: name, options: SMALL });
      await member.run(async ({ region }) => {
        for (const bytes of [20_000, 20]) await (await region.pipe("jobs")).send(new Uint8Array(bytes));
        await (await region.pipe("full", { capacity: 1 })).send("first");
        void (await region.mutex("taken")).lock();
      });
      await member.run(inTheMiddle);
      assert.equal(existsSync(`/dev/shm/shmkit.${name}`), true);
      await endBy(way, member);
      assert.equal(existsSync(`/dev/shm/shmkit.${name}`), false);
    });
  }
});

/** Whether the member of a slot is in a Sync wait, by the documented layout. */
function sleepsInSync(region: Region, slot: number): boolean {
  const words = new Int32Array(region.buffer);
  const table = words[REGION_HEADER.at.memberTablePage / 4] * PAGE_BYTES;
  return (Atomics.load(words, (table + slot * SLOT_BYTES + MEMBER_SLOT.at.armed) / 4) & Armed.sync) !== 0;
}

describe("a worker that is terminated while it sleeps in", () => {
  const sleeps: Record<string, Script<string, unknown>> = {
    receiveSync: ({ region }) => region.pipeSync("empty").receiveSync(),
    "receiveSync with a lease": ({ region }) => region.pipeSync("empty").receiveSync({ lease: true }),
    receiveIntoSync: ({ region }) => region.pipeSync("empty").receiveIntoSync(new Uint8Array(100)),
    sendSync: ({ region }) => region.pipeSync("full").sendSync("too late"),
    lockSync: ({ region }) => region.mutexSync("taken").lockSync(),
    waitForSync: ({ region }) => region.counterSync("count").waitForSync(1_000_000),
    "pipes.openSync": ({ region }) => region.pipes.openSync("never", { wait: true }),
    "Region.openSync": ({ shmkit }, name) => shmkit.Region.openSync(`${name}-never`, { wait: true }),
  };
  for (const [label, script] of Object.entries(sleeps)) {
    test(label, async (t) => {
      const scene = await stage(t, 2);
      const { region, deaths } = scene;
      for (let round = 1; round <= 2; round++) {
        const worker = await ProcessMember.startWorker({ region: region.name });
        const asleep = worker.run(script, region.name);
        if (label === "Region.openSync") await sleep(30);
        else await until(() => sleepsInSync(region, 1));
        const { code } = await worker.kill();
        assert.equal(code, 1);
        await assert.rejects(asleep, { code: "ENDED" });
        await until(() => deaths.length === round);
        const { pid, interrupted, committed } = deaths[round - 1];
        assert.deepEqual([pid, interrupted && committed], [process.pid, false], "it may have been about to try again");
        assert.equal(region.members().length, 1);
        await checkForgotten(scene);
      }
    });
  }

  for (const how of ["process.exit()", "an uncaught exception"] as const) {
    test(`a Sync call when its process ends by ${how}: both are gone`, async (t) => {
      const scene = await stage(t, 3);
      const { region, deaths } = scene;
      const member = await ProcessMember.start({ region: region.name });
      await member.run(async ({ load, kept }, name) => {
        const { Worker } = (await load("node:worker_threads")) as typeof import("node:worker_threads");
        const worker = new Worker(
          `import("shmkit").then(({ Region }) => Region.openSync(process.argv[2]).pipeSync("empty").receiveSync())`,
          { eval: true, argv: [name] },
        );
        kept.set("worker", worker);
      }, region.name);
      await until(() => sleepsInSync(region, 2));
      await endBy(
        WAYS[how === "process.exit()" ? "a process that calls process.exit()" : "a process with an uncaught exception"],
        member,
      );
      await until(() => deaths.length === 2);
      assert.deepEqual(new Set(deaths.map(({ slot }) => slot)), new Set([1, 2]));
      await checkForgotten(scene);
    });
  }
});

interface Task {
  /** Words of this process, so that they survive the worker. */
  readonly notes: Int32Array;
  readonly number: number;
}

/** Workers one after the other, each terminated at a random moment of its work; answers the death of each. */
async function storm(
  region: Region,
  work: Script<Task, unknown>,
  { rounds, seed, notes }: { rounds: number; seed: number; notes: Int32Array },
  afterEach: (death: MemberDeath, number: number) => unknown,
): Promise<void> {
  const random = new Random(seed);
  const deaths: MemberDeath[] = [];
  region.on("memberDied", (death) => deaths.push(death));
  const start = (number: number): Promise<ProcessMember> =>
    ProcessMember.startWorker({ region: region.name, options: { label: `worker ${number}` } });
  const ahead = [start(0), start(1)];
  for (let number = 0; number < rounds; number++) {
    const worker = await ahead.shift()!;
    if (number + 2 < rounds) ahead.push(start(number + 2));
    const running = worker.run(work, { notes, number });
    await Promise.race([worker.next(), running]);
    await sleep(random.below(8));
    const { code, output } = await worker.kill();
    assert.deepEqual([code, output], [1, ""], `round ${number} of seed ${seed}`);
    await until(() => deaths.length > number);
    assert.equal(deaths[number].label, `worker ${number}`);
    await afterEach(deaths[number], number);
  }
  assert.equal(deaths.length, rounds, "each is told once");
  assert.equal(region.members().length, 1);
}

const wordsFor = (count: number): Int32Array => new Int32Array(new SharedArrayBuffer(count * 4));

describe("a worker that is terminated at a random moment", () => {
  const rounds = 5;

  test("while it sends: what it was told is sent arrives, in order and once", async (t) => {
    const region = await testRegion(t, "sending", { ...SMALL, maxMembers: 4 });
    const pipe = await region.pipe<[number, number]>("p", { capacity: 20 });
    const before = region.statistics();
    const notes = wordsFor(rounds);
    const seen = new Map<number, number>();
    const reading = (async () => {
      for await (const [number, count] of pipe) {
        assert.equal(count, seen.get(number) ?? 0, "every message of a sender, in order");
        seen.set(number, count + 1);
      }
    })();
    const work: Script<Task, unknown> = async ({ region: own, say }, task) => {
      const theirs = await own.pipe("p");
      for (let count = 0; ; count++) {
        const message = [task.number, count, count % 5 === 0 ? "x".repeat(3000) : ""];
        if (count % 2 === 0) theirs.sendSync(message);
        else await theirs.send(message);
        Atomics.store(task.notes, task.number, count + 1);
        if (count === 0) say("going");
      }
    };
    await storm(region, work, { rounds, seed: 11, notes }, async (death, number) => {
      await pipe.drain();
      const told = Atomics.load(notes, number);
      const arrived = seen.get(number) ?? 0;
      if (death.operation === "pipe.send" && death.interrupted)
        assert.equal(arrived, told + (death.committed ? 1 : 0), JSON.stringify(death));
      else assert.ok(arrived === told || arrived === told + 1, `${arrived} of ${told}: ${JSON.stringify(death)}`);
    });
    await pipe.close();
    await reading;
    assert.equal(seen.size, rounds, "each did send");
    assert.equal(region.statistics().usedBlocks, before.usedBlocks);
  });

  test("while it receives: nothing comes twice, and no more is gone than it had taken", async (t) => {
    const region = await testRegion(t, "receiving", { ...SMALL, maxMembers: 4 });
    const pipe = await region.pipe<[number, string?]>("p", { capacity: 20 });
    const before = region.statistics();
    const notes = wordsFor(1_000_000);
    let sent = 1;
    let stop = false;
    const sending = (async () => {
      for (; !stop && sent < notes.length; sent++)
        await pipe.send(sent % 5 === 0 ? [sent, "x".repeat(3000)] : [sent], { timeoutMs: 60_000 });
    })();
    const work: Script<Task, unknown> = async ({ region: own, say }, task) => {
      const theirs = await own.pipe<[number]>("p");
      say("going");
      for (let round = 0, last = 0; ; round++) {
        const [number] = round % 2 === 0 ? await theirs.receive() : theirs.receiveSync();
        if (number <= last) Atomics.add(task.notes, 0, 1);
        last = number;
        Atomics.add(task.notes, number, 1);
      }
    };
    await storm(region, work, { rounds, seed: 12, notes }, () => undefined);
    stop = true;
    const finishing = (async () => {
      for await (const [number] of pipe) Atomics.add(notes, number, 1);
    })();
    await sending;
    await pipe.close();
    await finishing;
    const counts = [...notes.subarray(1, sent)];
    assert.equal(notes[0], 0, "in order");
    assert.ok(counts.every((count) => count <= 1));
    const missing = counts.filter((count) => count === 0).length;
    assert.ok(missing <= rounds, `${missing} messages are gone with ${rounds} workers`);
    assert.equal(region.statistics().usedBlocks, before.usedBlocks);
  });

  test("while it works on leases: nothing is lost, and only what it had comes again", async (t) => {
    const region = await testRegion(t, "leasing", { ...SMALL, maxMembers: 4 });
    const pipe = await region.pipe<[number, string?]>("p", { capacity: 50, maxLeased: 8 });
    const before = region.statistics();
    const notes = wordsFor(1_000_000);
    const concurrency = 3;
    let sent = 0;
    let stop = false;
    const sending = (async () => {
      for (; !stop && sent < notes.length; sent++) await pipe.send(sent % 5 === 0 ? [sent, "x".repeat(3000)] : [sent]);
    })();
    const work: Script<Task, unknown> = async ({ region: own, say, sleep: pause }, task) => {
      const theirs = await own.pipe<[number]>("p");
      say("going");
      return theirs.process(
        async ([number], lease) => {
          if (number % 7 === 0 && lease.deliveries === 1) throw new Error("not this time");
          if (number % 3 === 0) await pause(1);
          Atomics.add(task.notes, number, 1);
        },
        { concurrency: 3 },
      );
    };
    await storm(region, work, { rounds, seed: 13, notes }, () => undefined);
    stop = true;
    const finishing = pipe.process(([number]) => void Atomics.add(notes, number, 1), { concurrency });
    await sending;
    await pipe.drain();
    await pipe.close();
    await finishing;
    const counts = [...notes.subarray(0, sent)];
    assert.equal(counts.filter((count) => count === 0).length, 0, "nothing is lost");
    const again = counts.reduce((sum, count) => sum + count - 1, 0);
    assert.ok(again <= rounds * concurrency, `${again} came again from ${rounds} workers`);
    assert.deepEqual([pipe.statistics().leased, pipe.statistics().depth], [0, 0]);
    assert.equal(region.statistics().usedBlocks, before.usedBlocks);
  });

  test("while it changes a mutex's words and a counter: whole or not at all", async (t) => {
    const region = await testRegion(t, "changing", { ...SMALL, maxMembers: 4 });
    const mutex = await region.mutex("m", { words: 2 });
    const counter = await region.counter("c");
    const notes = wordsFor(2 * rounds);
    const work: Script<Task, unknown> = async ({ region: own, say }, task) => {
      const theirs = await own.mutex("m");
      const number = await own.counter("c");
      for (let count = 0; ; count++) {
        const guard = theirs.lockSync();
        for (const at of [0, 1]) guard.set(at, guard.get(at) + 1);
        guard.release();
        Atomics.add(task.notes, 2 * task.number, 1);
        number.addSync(1);
        Atomics.add(task.notes, 2 * task.number + 1, 1);
        if (count === 0) say("going");
      }
    };
    const last = { word: 0, value: 0 };
    let told = 0;
    await storm(region, work, { rounds, seed: 14, notes }, async (death, number) => {
      const guard = await mutex.lock();
      if (guard.abandoned) told++;
      assert.equal(guard.get(0), guard.get(1), "not torn");
      const locks = guard.get(0) - last.word - notes[2 * number];
      const additions = Number(counter.value) - last.value - notes[2 * number + 1];
      if (death.operation === "counter.update" && death.interrupted) assert.equal(additions, death.committed ? 1 : 0);
      assert.ok(locks === 0 || locks === 1, `${locks} locks more than it was told`);
      assert.ok(additions === 0 || additions === 1, `${additions} additions more than it was told`);
      last.word = guard.get(0);
      last.value = Number(counter.value);
      guard.release();
    });
    assert.ok(last.word >= rounds && last.value >= rounds, "each did work");
    assert.equal(told, mutex.takeovers);
  });
});
