import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Region, open, type MemberDeath, type Region as RegionHandle } from "shmkit";
import { LOCK } from "#src/layout/lock.js";
import { PIPE } from "#src/layout/pipe.js";
import { PAGE_BYTES, REGION_HEADER } from "#src/layout/region-header.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, processState, until } from "./helpers/process-member.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

/** A stopped process is alive: others wait for it within their deadlines, and nobody takes anything from it. */

const SOON = { timeoutMs: 40 } as const;

/** What a timeout must say when somebody stands in the way. */
const heldBy = (slot: number) => ({
  name: "TimeoutError",
  code: "ERR_TIMEOUT",
  owner: new RegExp(`^member ${slot} \\(pid [0-9]+, stopped\\)$`),
  message: new RegExp(`held up by member ${slot} \\(pid [0-9]+, stopped\\)`),
});

interface Scene {
  readonly region: RegionHandle;
  readonly member: ProcessMember;
  readonly slot: number;
  readonly deaths: MemberDeath[];
}

async function scene(t: TestContext, options = SMALL): Promise<Scene> {
  const region = await testRegion(t, "stops", options);
  const deaths: MemberDeath[] = [];
  region.on("memberDied", (death) => deaths.push(death));
  const member = await ProcessMember.start({ region: region.name, options: { label: "stopped" } });
  return { region, member, slot: await member.run(({ region: own }) => own.slot), deaths };
}

/** Nobody has declared the stopped member dead, although everybody has looked. */
async function checkAlive({ region, member, slot, deaths }: Scene): Promise<void> {
  assert.equal(processState(member.pid), "T");
  assert.equal(region.recoverTheDead(), false);
  const other = await open(region.name, { timeoutMs: 5000 });
  assert.equal(other.recoverTheDead(), false);
  await other.close();
  assert.deepEqual(deaths, []);
  const info = region.members().find((found) => found.slot === slot);
  assert.deepEqual([info?.alive, info?.pid], [true, member.pid]);
  assert.ok(Region.inspect(region.name)!.members.some((found) => found.slot === slot && found.alive));
}

describe("a stopped holder of a mutex", () => {
  test("others time out, and are told who has it; after SIGCONT all goes on", async (t) => {
    const stage = await scene(t);
    const { region, member, slot } = stage;
    const other = await joinRegion(t, region.name);
    await member.run(async ({ region: own, kept }) => {
      const guard = await (await own.mutex("m")).lock();
      guard.set(0, 1);
      kept.set("guard", guard);
    });
    await member.stop();
    const [mine, theirs] = [await region.mutex("m"), await other.mutex("m")];
    await Promise.all([mine, theirs].map((mutex) => assert.rejects(mutex.lock(SOON), heldBy(slot))));
    assert.throws(() => mine.lockSync(SOON), heldBy(slot));
    assert.throws(() => theirs.lockSync({ timeoutMs: 0 }), heldBy(slot));
    assert.equal(mine.tryLock(), undefined);
    assert.equal(mine.ownerSlot, slot);
    const waiting = [mine.lock(), theirs.lock()];
    await checkAlive(stage);
    member.continue();
    await member.run(({ kept }) => (kept.get("guard") as { release(): void }).release());
    const first = await Promise.race(waiting);
    assert.deepEqual([first.abandoned, first.get(0)], [false, 1]);
    first.release();
    for (const guard of await Promise.all(waiting)) if (guard !== first) guard.release();
    assert.equal(mine.takeovers, 0);
    await member.finish();
  });

  test("killed while stopped, it is dead at once", async (t) => {
    const { region, member, deaths } = await scene(t);
    await member.run(async ({ region: own }) => {
      const guard = await (await own.mutex("m")).lock();
      guard.set(0, 1);
    });
    await member.stop();
    const waiting = (await region.mutex("m")).lock();
    await member.kill();
    const guard = await waiting;
    assert.deepEqual([guard.abandoned, guard.get(0)], [true, 0], "what it had not committed is undone");
    guard.release();
    // Told from the event loop, perhaps after the mutex was.
    while (deaths.length === 0) await sleep(1);
    assert.equal(deaths.length, 1);
  });
});

describe("a stopped receiver", () => {
  test("keeps what it has on lease; the rest goes to others; it goes on where it was", async (t) => {
    const stage = await scene(t);
    const { region, member } = stage;
    const pipe = await region.pipe<number>("p", { capacity: 10 });
    const working = member.run(async ({ region: own, say, kept }) =>
      (await own.pipe<number>("p")).process(async (number, lease) => {
        say(number);
        if (number === 0) await new Promise<void>((resolve) => kept.set("goOn", resolve));
        return lease;
      }),
    );
    await pipe.send(0);
    assert.equal(await member.next(), 0);
    await member.stop();
    for (const number of [1, 2, 3]) await pipe.send(number);
    assert.deepEqual([await pipe.receive(), await pipe.receive()], [1, 2]);
    await assert.rejects(pipe.drain(SOON), { code: "ERR_TIMEOUT" });
    assert.equal(pipe.statistics().leased, 1);
    await checkAlive(stage);
    assert.equal(await pipe.receive(), 3);
    assert.equal(pipe.tryReceive(), undefined, "the lease does not come back");
    member.continue();
    await member.run(({ kept }) => (kept.get("goOn") as () => void)());
    await pipe.drain();
    await pipe.send(4);
    assert.equal(await member.next(), 4);
    await pipe.close();
    assert.equal(await working, 2);
    await member.finish();
  });

  test("a ring that was spent on it does not keep the others asleep for ever", async (t) => {
    const { region, member } = await scene(t);
    const pipe = await region.pipe<number>("p");
    const other = await ProcessMember.start({ region: region.name });
    const theirs = [member, other].map((receiver) =>
      receiver.run(async ({ region: own }) => {
        const numbers: number[] = [];
        for await (const number of await own.pipe<number>("p")) numbers.push(number);
        return numbers;
      }),
    );
    await until(() => pipe.statistics().waitingReceivers === 2);
    await member.stop();
    for (let number = 0; number < 10; number++) await pipe.send(number);
    await pipe.drain();
    member.continue();
    await pipe.close();
    const numbers = (await Promise.all(theirs)).flat();
    assert.deepEqual(
      numbers.sort((a, b) => a - b),
      Array.from({ length: 10 }, (_, at) => at),
    );
    await Promise.all([member.finish(), other.finish()]);
  });

  test("a full pipe waits for it", async (t) => {
    const stage = await scene(t);
    const { region, member } = stage;
    const pipe = await region.pipe<number>("p", { capacity: 2 });
    const receiving = member.run(async ({ region: own, say }) => {
      const numbers: number[] = [];
      say("ready");
      for await (const number of await own.pipe<number>("p")) numbers.push(number);
      return numbers;
    });
    await member.next();
    await member.stop();
    let sent = 0;
    while (pipe.trySend(sent)) sent++;
    await assert.rejects(pipe.send(-1, SOON), { name: "TimeoutError", code: "ERR_TIMEOUT" });
    assert.throws(() => pipe.sendSync(-1, SOON), { code: "ERR_TIMEOUT" });
    const waiting = pipe.send(sent);
    await checkAlive(stage);
    member.continue();
    await waiting;
    await pipe.close();
    assert.deepEqual(
      await receiving,
      Array.from({ length: sent + 1 }, (_, at) => at),
    );
    await member.finish();
  });
});

/** Word index of a lock inside a pipe, by the documented layout; the pipe's page is known to the library alone. */
function lockWord(pipe: object, offset: number): number {
  const { page } = (pipe as { ref: { page: number } }).ref;
  return (page * PAGE_BYTES + offset + LOCK.at.owner) / 4;
}

describe("a stopped owner of an internal lock", () => {
  test("of the senders' side, of the receivers' side, of the heap, of the directory: others time out and name it, the rest goes on", async (t) => {
    const stage = await scene(t);
    const { region, member, slot } = stage;
    const words = new Int32Array(region.buffer);
    const other = await joinRegion(t, region.name);
    const [pipe, theirs] = [await region.pipe<unknown>("p"), await other.pipe<unknown>("p")];
    const counter = await other.counter("c");
    for (const number of [0, 1]) await pipe.send(number);
    await member.stop();

    const held = async (word: number, work: () => Promise<void>): Promise<void> => {
      assert.equal(Atomics.compareExchange(words, word, 0, slot + 1), 0);
      await work();
      await checkAlive(stage);
      assert.equal(Atomics.compareExchange(words, word, slot + 1, 0), slot + 1, "nobody took it over");
    };

    await held(lockWord(pipe, PIPE.at.tailLock), async () => {
      await Promise.all([pipe, theirs].map((handle) => assert.rejects(handle.send(9, SOON), heldBy(slot))));
      assert.throws(() => theirs.sendSync(9, SOON), heldBy(slot));
      assert.equal(pipe.trySend(9), false);
      await assert.rejects(pipe.close(SOON), { code: "ERR_TIMEOUT" });
      assert.equal(await pipe.receive(), 0, "receiving goes on");
      assert.equal(pipe.statistics().depth, 1);
      assert.equal(await counter.add(1), 1n);
    });
    await held(lockWord(pipe, PIPE.at.headLock), async () => {
      await assert.rejects(pipe.receive(SOON), heldBy(slot));
      await assert.rejects(theirs.receive({ ...SOON, lease: true }), heldBy(slot));
      assert.throws(() => pipe.receiveSync(SOON), heldBy(slot));
      assert.equal(theirs.tryReceive(), undefined);
      await pipe.send(2);
      assert.equal(theirs.statistics().depth, 2);
    });
    const waiting = pipe.send("waited");
    await held((REGION_HEADER.at.heapLock + LOCK.at.owner) / 4, async () => {
      await assert.rejects(pipe.send(new Uint8Array(100_000), SOON), { code: "ERR_TIMEOUT" });
      await assert.rejects(other.pipe("new", SOON), { code: "ERR_TIMEOUT" });
      await assert.rejects(region.grow("4MiB", SOON), { code: "ERR_TIMEOUT" });
      await theirs.send("small ones need no heap");
    });
    await held((REGION_HEADER.at.directoryLock + LOCK.at.owner) / 4, async () => {
      for (const call of [
        () => region.pipe("p", SOON),
        () => other.counter("new", SOON),
        () => region.pipes.remove("p", SOON),
        () => other.mutexes.open("m", SOON),
      ])
        await assert.rejects(call(), { code: "ERR_TIMEOUT" });
      assert.throws(() => region.counterSync("new", SOON), { code: "ERR_TIMEOUT" });
      assert.deepEqual(region.pipes.list(), ["p"], "looking needs no lock");
    });
    await waiting;
    member.continue();
    const received: unknown[] = [];
    for (let message = pipe.tryReceive(); message !== undefined; message = pipe.tryReceive()) received.push(message);
    assert.deepEqual(received, [1, 2, "waited", "small ones need no heap"]);
    assert.equal(await member.run(async ({ region: own }) => (await own.counter("c")).add(1)), 2n);
    await member.finish();
  });

  for (const ending of ["goes on", "is killed"] as const) {
    test(`in the middle of growth, under two locks, it ${ending}`, async (t) => {
      const stage = await scene(t, { size: "256KiB", maxSize: "4MiB", maxMembers: 8 });
      const { region, member, slot, deaths } = stage;
      const pipe = await region.pipe<Uint8Array | string>("p");
      const sending = member.run(async ({ region: own, beforeNativeCalls }) => {
        const theirs = await own.pipe<Uint8Array>("p");
        let stopped = false;
        beforeNativeCalls((name) => {
          if (name !== "allocate" || stopped) return;
          stopped = true;
          process.kill(process.pid, "SIGSTOP");
        });
        theirs.sendSync(new Uint8Array(1_000_000).fill(7));
        return "sent";
      });
      sending.catch(() => undefined);
      await until(() => processState(member.pid) === "T");
      await assert.rejects(pipe.send("x", SOON), heldBy(slot));
      await assert.rejects(region.pipe("new", SOON), { code: "ERR_TIMEOUT" });
      assert.equal(pipe.tryReceive(), undefined);
      await checkAlive(stage);
      const waiting = [pipe.send("first"), region.pipe("new"), pipe.receive()] as const;
      if (ending === "goes on") {
        member.continue();
        assert.equal(await sending, "sent");
        assert.equal((await waiting[2]).length, 1_000_000);
        await waiting[0];
        assert.equal(await pipe.receive(), "first");
        assert.deepEqual(deaths, []);
        await member.finish();
      } else {
        await member.kill();
        await waiting[0];
        assert.equal(await waiting[2], "first", "the message that was not sent did not arrive");
        await until(() => deaths.length > 0);
        const { operation, object, interrupted, committed } = deaths[0];
        assert.deepEqual(
          { operation, object, interrupted, committed },
          { operation: "pipe.send", object: "p", interrupted: true, committed: false },
        );
      }
      assert.equal((await waiting[1]).name, "new");
      await pipe.send(new Uint8Array(2_000_000));
      assert.equal((await pipe.receive()).length, 2_000_000);
    });
  }
});

describe("a stopped recoverer", () => {
  for (const ending of ["goes on", "is killed"] as const) {
    test(`blocks what it recovers, and nothing else, until it ${ending}`, async (t) => {
      const { region, member: recoverer, deaths } = await scene(t);
      const victim = await ProcessMember.start({ region: region.name, options: { label: "victim" } });
      const mutex = await region.mutex("m");
      await victim.run(async ({ region: own }) => void (await (await own.mutex("m")).lock()));
      await victim.run(async ({ region: own }) => {
        const pipe = await own.pipe("p");
        await pipe.send("leased");
        await pipe.receive({ lease: true });
      });
      // Whoever recovers rings everybody while it holds the dead member's byte: there it is stopped.
      await recoverer.run(({ beforeNativeCalls }) => {
        let holding = false;
        let stopped = false;
        beforeNativeCalls((name) => {
          if (name === "lock") holding = true;
          if (name === "unlock") holding = false;
          if (name !== "wake" || !holding || stopped) return;
          stopped = true;
          process.kill(process.pid, "SIGSTOP");
        });
      });
      // Only the recoverer notices: this thread stands still until that has begun.
      const ended = victim.kill();
      const pause = new Int32Array(new SharedArrayBuffer(4));
      while (processState(recoverer.pid) !== "T") Atomics.wait(pause, 0, 0, 1);
      await ended;
      // It has freed the mutex before it rang. What it holds is the dead member's slot, and that alone.
      const pipe = await region.pipe<string>("p");
      await pipe.send("second");
      const newcomer = await open(region.name, { timeoutMs: 5000 });
      await newcomer.close();
      assert.equal(region.recoverTheDead(), false);
      if (ending === "goes on") recoverer.continue();
      else await recoverer.kill();
      const guard = await mutex.lock();
      assert.equal(guard.abandoned, true);
      guard.release();
      assert.deepEqual([await pipe.receive(), await pipe.receive()], ["leased", "second"]);
      await until(() => deaths.some(({ label }) => label === "victim"));
      await recoverer.kill();
      await until(() => deaths.length >= 2);
      await sleep(10);
      assert.deepEqual(deaths.map(({ label }) => label).sort(), ["stopped", "victim"], "each death is told once");
      assert.equal(region.members().length, 1);
    });
  }
});

describe("a stopped joiner", () => {
  test("keeps others from joining, within their deadline, and nobody who is there from working", async (t) => {
    const region = await testRegion(t, "joiner");
    const joiner = await ProcessMember.start();
    const joining = joiner.run(async ({ shmkit, beforeNativeCalls, kept }, name) => {
      let stopped = false;
      beforeNativeCalls((call) => {
        if (call !== "pin" || stopped) return;
        stopped = true;
        process.kill(process.pid, "SIGSTOP");
      });
      kept.set("region", await shmkit.open(name));
      return "joined";
    }, region.name);
    await until(() => processState(joiner.pid) === "T");
    for (const call of [
      () => open(region.name, SOON),
      () => Region.open(region.name, SOON),
      () => Region.remove(region.name, SOON),
    ])
      await assert.rejects(call(), { name: "TimeoutError", code: "ERR_TIMEOUT" });
    assert.throws(() => Region.openSync(region.name, SOON), { code: "ERR_TIMEOUT" });
    assert.throws(() => Region.removeSync(region.name, SOON), { code: "ERR_TIMEOUT" });
    const controller = new AbortController();
    const aborted = open(region.name, { signal: controller.signal });
    controller.abort("enough");
    await assert.rejects(aborted, (reason) => reason === "enough");
    const pipe = await region.pipe("p");
    await pipe.send("works");
    assert.equal(await pipe.receive(), "works");
    assert.equal(Region.inspect(region.name)!.members.filter((member) => member.alive).length, 1);
    const waiting = open(region.name);
    joiner.continue();
    assert.equal(await joining, "joined");
    const other = await waiting;
    assert.equal(other.epoch, region.epoch);
    await other.close();
    await joiner.finish();
  });

  test("does not keep the others from leaving; the last to leave later cleans up", async () => {
    const region = await Region.create(uniqueRegionName("joiner"), SMALL);
    const joiner = await ProcessMember.start();
    const joining = joiner.run(async ({ shmkit, beforeNativeCalls }, name) => {
      let stopped = false;
      beforeNativeCalls((call) => {
        if (call !== "pin" || stopped) return;
        stopped = true;
        process.kill(process.pid, "SIGSTOP");
      });
      const own = await shmkit.open(name);
      await (await own.pipe("p")).send("alone");
      const answer = await (await own.pipe("p")).receive();
      await own.close();
      return answer;
    }, region.name);
    await until(() => processState(joiner.pid) === "T");
    await region.close();
    joiner.continue();
    assert.equal(await joining, "alone");
    assert.equal(Region.inspect(region.name), undefined);
    await joiner.finish();
  });
});
