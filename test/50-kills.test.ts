import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { MemberDeath, Region } from "shmkit";
import { OPERATIONS } from "#src/layout/member-slot.js";
import { audit } from "./helpers/crash-audit.js";
import { ProcessMember, until, type Script } from "./helpers/process-member.js";
import { Random } from "./helpers/process-random.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";

/**
 * Words that survive whoever writes them: the end of a second region, where nothing is ever allocated. Victims note
 * there what they know to be done, so that the test can tell what they must not have lost.
 */
const NOTES = { size: "1MiB", maxSize: "1MiB", maxMembers: 64 } as const;
const NOTE_WORDS = 200_000;

async function testNotes(t: TestContext): Promise<{ name: string; words: Int32Array }> {
  const region = await testRegion(t, "notes", NOTES);
  return { name: region.name, words: new Int32Array(region.buffer, region.buffer.byteLength - NOTE_WORDS * 4) };
}

/** How many are killed in each test; the storm of `npm run crash` kills as many as it has time for. */
const ROUNDS = 10;

interface Task {
  readonly notes: string;
  readonly noteWords: number;
  readonly number: number;
}

/** Starts victims one after the other, a few ahead of time, and kills each at a random moment. */
async function storm(
  {
    region,
    notes,
    seed,
    work,
    longest = 12,
  }: {
    region: Region;
    notes: string;
    seed: number;
    work: Script<Task, unknown>;
    longest?: number;
  },
  afterEach: (victim: ProcessMember, number: number) => unknown,
): Promise<void> {
  const random = new Random(seed);
  const start = (number: number): Promise<ProcessMember> =>
    ProcessMember.start({ region: region.name, options: { label: `victim ${number}` } });
  const ahead = [start(0), start(1), start(2)];
  for (let number = 0; number < ROUNDS; number++) {
    const victim = await ahead.shift()!;
    if (number + 3 < ROUNDS) ahead.push(start(number + 3));
    const running = victim.run(work, { notes, noteWords: NOTE_WORDS, number });
    const said = victim.next();
    await Promise.race([said, running]);
    await sleep(random.below(longest));
    const ending = await victim.kill();
    assert.deepEqual([ending.signal, ending.output], ["SIGKILL", ""], `round ${number} of seed ${seed}`);
    await afterEach(victim, number);
  }
}

/** Deaths that a region has told of, by process id. */
function deathsOf(region: Region): Map<number, MemberDeath[]> {
  const deaths = new Map<number, MemberDeath[]>();
  region.on("memberDied", (death) => deaths.set(death.pid, [...(deaths.get(death.pid) ?? []), death]));
  return deaths;
}

/** Nobody else is left, and nothing is used but the directory, which is as large as it ever had to be. */
function checkOnlyDirectory(region: Region): void {
  const { objects, usedPages, segmentPages } = audit(region.buffer, { isAlive: (slot) => slot === region.slot });
  assert.deepEqual({ objects, usedPages }, { objects: 0, usedPages: segmentPages });
}

function checkDeath(death: MemberDeath, label: string): void {
  assert.equal(death.label, label);
  assert.ok(OPERATIONS.includes(death.operation));
  assert.ok(death.noticedAt.getTime() <= Date.now());
}

describe("SIGKILL at random moments", () => {
  test("of senders: what they were told is sent arrives, in order and once; the death tells how the last one ended", async (t) => {
    const region = await testRegion(t, "senders", { ...SMALL, maxMembers: 8 });
    const notes = await testNotes(t);
    const deaths = deathsOf(region);
    const pipe = await region.pipe<[number, number]>("p", { capacity: 20 });
    const seen = new Map<number, number>();
    const reading = (async () => {
      for await (const [number, count] of pipe) {
        assert.equal(count, seen.get(number) ?? 0, "every message of a sender, in order");
        seen.set(number, count + 1);
      }
    })();
    const work: Script<Task, unknown> = async ({ region: own, shmkit, say }, task) => {
      const log = await shmkit.open(task.notes);
      const words = new Int32Array(log.buffer, log.buffer.byteLength - task.noteWords * 4);
      const theirs = await own.pipe("p", { capacity: 20 });
      for (let count = 0; ; count++) {
        const message = [task.number, count, count % 5 === 0 ? "x".repeat(3000) : ""];
        if (count % 2 === 0) theirs.sendSync(message);
        else await theirs.send(message);
        Atomics.store(words, task.number, count + 1);
        if (count === 0) say("going");
      }
    };
    await storm({ region, notes: notes.name, seed: 1, work }, async (victim, number) => {
      await until(() => deaths.has(victim.pid));
      await pipe.drain();
      const [death, ...others] = deaths.get(victim.pid)!;
      assert.deepEqual(others, []);
      checkDeath(death, `victim ${number}`);
      const told = Atomics.load(notes.words, number);
      const arrived = seen.get(number) ?? 0;
      if (death.operation === "pipe.send" && death.interrupted)
        assert.equal(arrived, told + (death.committed ? 1 : 0), JSON.stringify(death));
      else
        assert.ok(
          arrived === told || arrived === told + 1,
          `${arrived} arrived, ${told} were sent: ${JSON.stringify(death)}`,
        );
      assert.ok(death.operation !== "pipe.send" || death.object === "p");
    });
    await pipe.close();
    await reading;
    assert.equal(seen.size, ROUNDS, "each did send");
    assert.deepEqual(
      region.members().map(({ pid }) => pid),
      [process.pid],
    );
    assert.equal(region.statistics().usedBlocks, 2, "no block is lost");
  });

  test("of receivers: only what one had taken is gone with it, nothing comes twice", async (t) => {
    const region = await testRegion(t, "receivers", { ...SMALL, maxMembers: 8 });
    const notes = await testNotes(t);
    const deaths = deathsOf(region);
    const pipe = await region.pipe<unknown>("p", { capacity: 20 });
    const first = 100;
    let sent = 0;
    let stop = false;
    const sending = (async () => {
      for (; !stop && sent < NOTE_WORDS - first; sent++)
        await pipe.send(sent % 5 === 0 ? [sent, "x".repeat(3000)] : [sent]);
    })();
    const work: Script<Task, unknown> = async ({ region: own, shmkit, say }, task) => {
      const log = await shmkit.open(task.notes);
      const words = new Int32Array(log.buffer, log.buffer.byteLength - task.noteWords * 4);
      const theirs = await own.pipe<[number]>("p", { capacity: 20 });
      say("going");
      let last = -1;
      for (let round = 0; ; round++) {
        const [number] = round % 2 === 0 ? await theirs.receive() : theirs.receiveSync();
        if (number <= last) Atomics.add(words, 0, 1);
        last = number;
        Atomics.add(words, 100 + number, 1);
      }
    };
    await storm({ region, notes: notes.name, seed: 2, work }, async (victim, number) => {
      await until(() => deaths.has(victim.pid));
      checkDeath(deaths.get(victim.pid)![0], `victim ${number}`);
    });
    stop = true;
    // The sender may be waiting for room.
    const finish = async (): Promise<void> => {
      for await (const message of pipe) Atomics.add(notes.words, first + (message as [number])[0], 1);
    };
    const finishing = finish();
    await sending;
    await pipe.close();
    await finishing;
    const counts = [...notes.words.subarray(first, first + sent)];
    assert.ok(sent > 0);
    assert.equal(Atomics.load(notes.words, 0), 0, "in order");
    assert.ok(
      counts.every((count) => count <= 1),
      "nothing twice",
    );
    const missing = counts.filter((count) => count === 0).length;
    assert.ok(missing <= ROUNDS, `${missing} messages are gone with ${ROUNDS} receivers`);
    const { sent: total, received } = pipe.statistics();
    assert.deepEqual([total, received], [sent, sent]);
    assert.equal(region.statistics().usedBlocks, 2);
  });

  test("of workers with leases: nothing is lost, and only what they had comes again", async (t) => {
    const region = await testRegion(t, "workers", { ...SMALL, maxMembers: 8 });
    const notes = await testNotes(t);
    const deaths = deathsOf(region);
    const concurrency = 3;
    const pipe = await region.pipe<unknown>("p", { capacity: 50, maxLeased: 8 });
    let sent = 0;
    let stop = false;
    const sending = (async () => {
      for (; !stop && sent < NOTE_WORDS; sent++) await pipe.send(sent % 5 === 0 ? [sent, "x".repeat(3000)] : [sent]);
    })();
    const work: Script<Task, unknown> = async ({ region: own, shmkit, say, sleep: pause }, task) => {
      const log = await shmkit.open(task.notes);
      const words = new Int32Array(log.buffer, log.buffer.byteLength - task.noteWords * 4);
      const theirs = await own.pipe<[number]>("p", { capacity: 50, maxLeased: 8 });
      say("going");
      return theirs.process(
        async ([number], lease) => {
          if (number % 7 === 0 && lease.deliveries === 1) throw new Error("not this time");
          if (number % 3 === 0) await pause(1);
          Atomics.add(words, number, 1);
        },
        { concurrency: 3 },
      );
    };
    await storm({ region, notes: notes.name, seed: 3, work }, async (victim, number) => {
      await until(() => deaths.has(victim.pid));
      checkDeath(deaths.get(victim.pid)![0], `victim ${number}`);
    });
    stop = true;
    const finishing = pipe.process((message) => void Atomics.add(notes.words, (message as [number])[0], 1), {
      concurrency,
    });
    await sending;
    await pipe.drain();
    await pipe.close();
    await finishing;
    const counts = [...notes.words.subarray(0, sent)];
    assert.ok(sent > 0);
    assert.equal(counts.filter((count) => count === 0).length, 0, "nothing is lost");
    const again = counts.reduce((sum, count) => sum + count - 1, 0);
    assert.ok(again <= ROUNDS * concurrency, `${again} came again from ${ROUNDS} workers`);
    const { leased, depth } = pipe.statistics();
    assert.deepEqual([leased, depth], [0, 0]);
    assert.equal(region.statistics().usedBlocks, 2);
  });

  test("of holders of a mutex and of a counter: changes happen whole or not at all", async (t) => {
    const region = await testRegion(t, "holders", { ...SMALL, maxMembers: 8 });
    const notes = await testNotes(t);
    const deaths = deathsOf(region);
    const mutex = await region.mutex("m", { words: 4 });
    const counter = await region.counter("c");
    let abandoned = 0;
    let total = 0;
    let stop = false;
    // A live competitor that never fails to get on.
    const competing = (async () => {
      let rounds = 0;
      while (!stop) {
        const guard = await mutex.lock();
        if (guard.abandoned) abandoned++;
        const words = [guard.get(0), guard.get(1), guard.get(2)];
        assert.ok(words[0] === words[1] && words[1] === words[2], `torn: ${words.join(" ")}`);
        guard.release();
        rounds++;
        await sleep(0);
      }
      return rounds;
    })();
    const work: Script<Task, unknown> = async ({ region: own, shmkit, say }, task) => {
      const log = await shmkit.open(task.notes);
      const words = new Int32Array(log.buffer, log.buffer.byteLength - task.noteWords * 4);
      const theirs = await own.mutex("m", { words: 4 });
      const number = await own.counter("c");
      for (let count = 1; ; count++) {
        const guard = await theirs.lock();
        for (const at of [0, 1, 2]) guard.set(at, guard.get(at) + 1);
        guard.release();
        Atomics.add(words, 2 * task.number, 1);
        number.addSync(1);
        Atomics.add(words, 2 * task.number + 1, 1);
        if (count === 1) say("going");
      }
    };
    let deadHolders = 0;
    await storm({ region, notes: notes.name, seed: 4, work }, async (victim, number) => {
      await until(() => deaths.has(victim.pid));
      const death = deaths.get(victim.pid)![0];
      checkDeath(death, `victim ${number}`);
      total += Atomics.load(notes.words, 2 * number + 1);
      // One that dies between committing and freeing the lock holds it, too, and has not been interrupted.
      if (death.operation === "mutex.lock" || death.operation === "mutex.unlock") deadHolders++;
      const value = Number(counter.value);
      assert.ok(value >= total && value <= total + number + 1, `${value} of ${total}`);
      if (death.operation === "counter.update" && death.interrupted && number === 0)
        assert.equal(value, total + (death.committed ? 1 : 0));
    });
    stop = true;
    const competed = await competing;
    const guard = await mutex.lock();
    let locks = 0;
    for (let number = 0; number < ROUNDS; number++) locks += Atomics.load(notes.words, 2 * number);
    assert.ok(guard.get(0) >= locks && guard.get(0) <= locks + ROUNDS, `${guard.get(0)} of ${locks}`);
    guard.release();
    assert.ok(competed > 0 && locks >= ROUNDS, `${competed} and ${locks} locks`);
    assert.ok(
      abandoned <= mutex.takeovers && abandoned <= deadHolders,
      `${abandoned} told, ${mutex.takeovers} taken over, ${deadHolders} dead holders`,
    );
  });

  test("of those who make, open and remove objects: names and memory stay whole", async (t) => {
    const region = await testRegion(t, "makers", { ...SMALL, maxMembers: 8 });
    const notes = await testNotes(t);
    const deaths = deathsOf(region);
    const work: Script<Task, unknown> = async ({ region: own, say }, task) => {
      say("going");
      for (let count = 0; ; count++) {
        const name = `object ${(task.number + count) % 5}`;
        try {
          if (count % 4 === 0) (await own.pipe(name, { capacity: 8, maxLeased: 2 })).trySend(new Uint8Array(3000));
          else if (count % 4 === 1) own.counterSync(name).addSync(1);
          else if (count % 4 === 2) await own.pipes.remove(name);
          else own.counters.removeSync(name);
        } catch (error) {
          const { code } = error as { code: string };
          if (code !== "ERR_WRONG_KIND" && code !== "ERR_OPTIONS_DIFFER") throw error;
        }
      }
    };
    await storm({ region, notes: notes.name, seed: 5, work }, async (victim) => {
      await until(() => deaths.has(victim.pid));
      for (const name of region.pipes.list()) await region.pipes.remove(name);
      for (const name of region.counters.list()) await region.counters.remove(name);
      assert.deepEqual([region.pipes.list(), region.counters.list()], [[], []]);
      const pipe = await region.pipe("check");
      await pipe.send("works");
      assert.equal(await pipe.receive(), "works");
      await region.pipes.remove("check");
      pipe.detach();
    });
    checkOnlyDirectory(region);
  });

  test("of one that has many removed objects open: what they had comes back, and so do their places", async (t) => {
    const region = await testRegion(t, "many", { ...SMALL, maxMembers: 4 });
    const deaths = deathsOf(region);
    const count = 100;
    let segments: number | undefined;
    for (const label of ["first", "second"]) {
      const victim = await ProcessMember.start({ region: region.name, options: { label } });
      await victim.run(({ region: own }, objects) => {
        for (let i = 0; i < objects; i++) {
          own.counterSync("removed");
          own.counters.removeSync("removed");
        }
      }, count);
      segments ??= region.statistics().usedBlocks - count;
      assert.equal(segments, 3, "the directory has grown");
      assert.equal(region.statistics().usedBlocks, count + segments);
      await victim.kill();
      await until(() => deaths.has(victim.pid));
      assert.equal(region.statistics().usedBlocks, segments);
      checkOnlyDirectory(region);
    }
  });

  test("of those who recover, too: the rest recover them and whom they were recovering", async (t) => {
    const region = await testRegion(t, "recoverers", { ...SMALL, maxMembers: 12 });
    const deaths = deathsOf(region);
    const pipe = await region.pipe<string>("p");
    const quiet = await region.pipe<string>("quiet");
    const random = new Random(6);
    const watch = async (number: number): Promise<ProcessMember> => {
      const watcher = await ProcessMember.start({ region: region.name, options: { label: `watcher ${number}` } });
      await watcher.run(async ({ region: own, say }) => {
        // Whoever waits looks after the dead; these all wait, so they race.
        void (await own.pipe<string>("quiet")).receive().then(say);
        const other = await own.pipe<string>("p");
        own.on("memberDied", ({ pid }) => void other.trySend(`${pid} died`));
      });
      return watcher;
    };
    let started = 0;
    let watchers: ProcessMember[] = await Promise.all([
      watch(started++),
      watch(started++),
      watch(started++),
      watch(started++),
    ]);
    const killed: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const next = Promise.all([watch(started++), watch(started++)]);
      const [first, second, ...rest] = watchers as [ProcessMember, ProcessMember, ...ProcessMember[]];
      await first.run(async ({ region: own }) => {
        await (await own.pipe("p")).send("leased");
        await (await own.pipe("p")).receive({ lease: true });
        await (await own.mutex("m")).lock();
      });
      const ended = first.kill();
      if (round % 2 === 1) await sleep(random.below(3));
      await Promise.all([ended, second.kill()]);
      killed.push(first.pid, second.pid);
      const guard = await (await region.mutex("m")).lock();
      assert.ok(guard.abandoned);
      guard.release();
      await until(() => deaths.has(first.pid) && deaths.has(second.pid));
      watchers = [...rest, ...(await next)];
    }
    for (const pid of killed) assert.equal(deaths.get(pid)!.length, 1, `the death of ${pid} is told once`);
    assert.equal(deaths.size, killed.length);
    const texts: string[] = [];
    for (let text = pipe.tryReceive(); text !== undefined; text = pipe.tryReceive()) texts.push(text);
    assert.equal(texts.filter((text) => text === "leased").length, ROUNDS);
    for (const _ of watchers) await quiet.send("still there?");
    for (const watcher of watchers) assert.equal(await watcher.next(), "still there?");
    // Whoever recovered the last ones filed their deaths before it freed their slots.
    await until(() => region.members().length === 1 + watchers.length);
    for (const watcher of watchers) await watcher.finish();
  });
});

test("a death that was noticed before close() is told before that is done", async (t) => {
  const region = await testRegion(t, "closing-deaths");
  const member = await ProcessMember.start({ region: region.name });
  const told: number[] = [];
  region.on("memberDied", ({ pid }) => told.push(pid));
  process.kill(member.pid, "SIGKILL");
  while (!region.recoverTheDead());
  assert.deepEqual(told, []);
  await region.close();
  assert.deepEqual(told, [member.pid]);
  await member.kill();
});

test("who has closed the region is told of no death any more", async (t) => {
  const region = await testRegion(t, "closed-deaths");
  const member = await ProcessMember.start({ region: region.name });
  region.on("memberDied", () => assert.fail("it was closed"));
  process.kill(member.pid, "SIGKILL");
  // Noticed before it is closed, without letting go of the thread.
  while (!region.recoverTheDead());
  region.closeSync();
  await member.kill();
  await sleep(5);
});
