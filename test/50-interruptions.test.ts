import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ERROR_CODES, type Region } from "shmkit";
import { DIRECTORY_SEGMENTS, REGION_HEADER } from "#src/layout/region-header.js";
import type { Scope } from "./fixtures/member-main.js";
import { ProcessMember, until, type Script } from "./helpers/process-member.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";

/**
 * A `vm` timeout ends JavaScript between any two instructions, past `finally`: the member is alive, in the middle of an
 * operation, and knows nothing of it.
 */

interface Cuts {
  readonly rounds: number;
  /** Runs in the context, over and over, until it is cut off. */
  readonly code: string;
}

/** Runs `code` again and again, each time for a few milliseconds; `inside` is what it sees. Answers how often it was cut off. */
type Cut = (inside: object, cuts: Cuts, afterEach: (round: number) => unknown) => Promise<number>;

/** Travels to the member as text, as scripts do, and is kept there for the scripts that follow. */
const prepare: Script<undefined, void> = async ({ load, kept }: Scope) => {
  const vm = (await load("node:vm")) as typeof import("node:vm");
  const cut: Cut = async (inside, { rounds, code }, afterEach) => {
    const context = vm.createContext(inside);
    const script = new vm.Script(code);
    let times = 0;
    for (let round = 0; round < rounds; round++) {
      try {
        script.runInContext(context, { timeout: 1 + (round % 3) });
      } catch (error) {
        if ((error as { code?: string }).code !== "ERR_SCRIPT_EXECUTION_TIMEOUT") throw error;
        times++;
      }
      await afterEach(round);
    }
    return times;
  };
  kept.set("cut", cut);
};

async function startCut(region: Region): Promise<ProcessMember> {
  const member = await ProcessMember.start({ region: region.name, options: { label: "cut off" } });
  await member.run(prepare);
  return member;
}

/** The memory that is used, to be compared. */
function used(region: Region): object {
  const { usedBlocks, committedBytes, freeBytes } = region.statistics();
  return { usedBlocks, usedBytes: committedBytes - freeBytes };
}

/** Segments of the directory: it grows with the objects that are there at a time, and never shrinks. */
function directorySegments(region: Region): number {
  const segments = new Int32Array(region.buffer, REGION_HEADER.at.directorySegments, DIRECTORY_SEGMENTS);
  return segments.filter((page) => page !== 0).length;
}

const ROUNDS = 250;

describe("a vm timeout", () => {
  test("in the middle of sending: what was sent arrives once and in order, and others send meanwhile", async (t) => {
    const region = await testRegion(t, "cut-sends");
    const pipe = await region.pipe<[string, number, string?]>("p", { capacity: 20 });
    const before = used(region);
    const arrived: Record<string, number[]> = { cut: [], other: [] };
    const reading = (async () => {
      for await (const [who, number, text] of pipe) {
        arrived[who].push(number);
        assert.ok(text === undefined || text === `${number}`.repeat(2000), "nothing is torn");
      }
    })();
    const [member, other] = await Promise.all([startCut(region), ProcessMember.start({ region: region.name })]);
    const others = other.run(async ({ region: own, kept }) => {
      const theirs = await own.pipe("p");
      kept.set("on", true);
      let number = 0;
      for (; kept.get("on") === true; number++) {
        await theirs.send(["other", number]);
        if (number % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return number;
    });
    const { returned, times } = await member.run(async ({ region: own, kept }, rounds) => {
      const inside = { pipe: await own.pipe("p"), begun: 0, returned: [] as number[] };
      const code = `for (;;) {
          const number = begun++;
          const message = number % 5 === 0 ? ["cut", number, String(number).repeat(2000)] : ["cut", number];
          if (number % 3 === 0) { while (!pipe.trySend(message)); }
          else pipe.sendSync(message);
          returned.push(number);
        }`;
      const times = await (kept.get("cut") as Cut)(inside, { rounds, code }, () => undefined);
      return { returned: inside.returned, times };
    }, ROUNDS);
    await other.run(({ kept }) => void kept.set("on", false));
    const sentByOther = await others;
    await pipe.close();
    await reading;
    t.diagnostic(`${times} cuts, ${returned.length} sent`);
    assert.ok(times > ROUNDS / 2 && returned.length > ROUNDS);
    const numbers = arrived["cut"];
    assert.ok(
      numbers.every((number, at) => at === 0 || numbers[at - 1] < number),
      "in order, nothing twice",
    );
    const set = new Set(numbers);
    assert.deepEqual(
      returned.filter((number) => !set.has(number)),
      [],
      "what was told to be sent has arrived",
    );
    assert.ok(numbers.length - returned.length <= times, "at most one more for each cut");
    assert.deepEqual(
      arrived["other"],
      Array.from({ length: sentByOther }, (_, at) => at),
    );
    assert.deepEqual(used(region), before);
    await Promise.all([member.finish(), other.finish()]);
  });

  test("in the middle of receiving: nothing comes twice, at most one is gone with each cut", async (t) => {
    const region = await testRegion(t, "cut-receives");
    const pipe = await region.pipe<[number, string?]>("p", { capacity: 20 });
    const before = used(region);
    const [member, other] = await Promise.all([startCut(region), ProcessMember.start({ region: region.name })]);
    const others = other.run(async ({ region: own }) => {
      const numbers: number[] = [];
      for await (const [number] of await own.pipe<[number]>("p")) {
        numbers.push(number);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return numbers;
    });
    let sent = 0;
    let stop = false;
    const sending = (async () => {
      for (; !stop; sent++) await pipe.send(sent % 5 === 0 ? [sent, `${sent}`.repeat(2000)] : [sent]);
    })();
    const theirs = await member.run(async ({ region: own, kept }, rounds) => {
      const inside = { pipe: await own.pipe("p"), taken: [] as number[], torn: 0, bytes: new Uint8Array(20_000) };
      const code = `for (let way = 0; ; way++) {
          if (way % 4 === 3) { pipe.receiveIntoSync(bytes); taken.push(-1); continue; }
          const [number, text] = pipe.receiveSync();
          if (text !== undefined && text !== String(number).repeat(2000)) torn++;
          taken.push(number);
        }`;
      const times = await (kept.get("cut") as Cut)(inside, { rounds, code }, () => undefined);
      return { taken: inside.taken, torn: inside.torn, times };
    }, ROUNDS);
    stop = true;
    await sending;
    await pipe.close();
    const taken = [...theirs.taken.filter((number) => number >= 0), ...(await others)];
    const into = theirs.taken.filter((number) => number < 0).length;
    t.diagnostic(`${theirs.times} cuts, ${theirs.taken.length} of ${sent} received`);
    assert.ok(theirs.times > ROUNDS / 2 && theirs.taken.length > ROUNDS);
    assert.equal(theirs.torn, 0);
    assert.equal(new Set(taken).size, taken.length, "nothing twice");
    const order = theirs.taken.filter((number) => number >= 0);
    assert.ok(
      order.every((number, at) => at === 0 || order[at - 1] < number),
      "in order",
    );
    const missing = sent - taken.length - into;
    assert.ok(missing >= 0 && missing <= theirs.times, `${missing} are gone with ${theirs.times} cuts`);
    assert.deepEqual(used(region), before);
    await Promise.all([member.finish(), other.finish()]);
  });

  test("in the middle of taking and settling leases: giving the handle up gives back what nobody has", async (t) => {
    const region = await testRegion(t, "cut-leases");
    const pipe = await region.pipe<[number, string?]>("p", { capacity: 300, maxLeased: 20 });
    const before = used(region);
    const member = await startCut(region);
    const count = 200;
    const send = async (first: number): Promise<void> => {
      for (let number = first; number < first + count; number++)
        await pipe.send(number % 5 === 0 ? [number, `${number}`.repeat(1500)] : [number]);
    };
    let sent = 0;
    const acknowledged = new Map<number, number>();
    let times = 0;
    for (let batch = 0; batch < 12; batch++) {
      await send(sent);
      sent += count;
      const answer = await member.run(async ({ region: own, kept }, rounds) => {
        const handle = await own.pipe<[number, string?]>("p");
        const inside = { pipe: handle, begun: [] as number[], acknowledged: [] as number[] };
        // What was cut off may still be held; with all slots held, what is returned is taken.
        const code = `for (let round = 0; ; round++) {
            const lease = pipe.tryReceive({ lease: true });
            if (lease === undefined) continue;
            if (round % 4 === 0) { lease.nack(); continue; }
            begun.push(lease.value[0]);
            lease.ack();
            acknowledged.push(lease.value[0]);
          }`;
        const cuts = await (kept.get("cut") as Cut)(inside, { rounds, code }, () => undefined);
        handle.detach();
        return { begun: inside.begun, acknowledged: inside.acknowledged, cuts };
      }, 8);
      times += answer.cuts;
      for (const number of answer.acknowledged) acknowledged.set(number, (acknowledged.get(number) ?? 0) + 1);
      // An acknowledgement that was cut off took effect or did not; the message is there in the latter case only.
      const open = new Set(answer.begun.filter((number) => !answer.acknowledged.includes(number)));
      for (
        let lease = pipe.tryReceive({ lease: true });
        lease !== undefined;
        lease = pipe.tryReceive({ lease: true })
      ) {
        const [number, text] = lease.value;
        assert.ok(text === undefined || text === `${number}`.repeat(1500));
        acknowledged.set(number, (acknowledged.get(number) ?? 0) + 1);
        lease.ack();
        open.delete(number);
      }
      for (const number of open) acknowledged.set(number, (acknowledged.get(number) ?? 0) + 1);
      assert.equal(pipe.statistics().leased, 0, "nothing is held by nobody");
    }
    t.diagnostic(`${times} cuts`);
    assert.ok(times > 50);
    assert.deepEqual(
      Array.from({ length: sent }, (_, number) => number).filter((number) => acknowledged.get(number) !== 1),
      [],
      "every message once",
    );
    assert.deepEqual(used(region), before);
    await member.finish();
  });

  test("in the middle of locking, writing and releasing: words stay whole, and the mutex can be had", async (t) => {
    const region = await testRegion(t, "cut-locks");
    const mutex = await region.mutex("m", { words: 3 });
    const counter = await region.counter("c");
    const before = used(region);
    const [member, other] = await Promise.all([startCut(region), ProcessMember.start({ region: region.name })]);
    const others = other.run(async ({ region: own, kept }) => {
      const theirs = await own.mutex("m");
      const number = await own.counter("c");
      kept.set("on", true);
      let rounds = 0;
      for (; kept.get("on") === true; rounds++) {
        const guard = await theirs.lock();
        const words = [guard.get(0), guard.get(1), guard.get(2)];
        if (words[0] !== words[1] || words[1] !== words[2]) throw new Error(`torn: ${words.join(" ")}`);
        if (guard.abandoned) throw new Error("nobody has died");
        for (const at of [0, 1, 2]) guard.set(at, words[at] + 1);
        guard.release();
        await number.add(1);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      return rounds;
    });
    const answer = await member.run(async ({ region: own, kept }, rounds) => {
      const inside = {
        mutex: await own.mutex("m"),
        counter: await own.counter("c"),
        guard: undefined as { rollback(): void; release(): void } | undefined,
        entered: 0,
        left: 0,
        adding: 0,
        added: 0,
      };
      const code = `for (;;) {
          guard = mutex.lockSync();
          entered++;
          for (const at of [0, 1, 2]) guard.set(at, guard.get(at) + 1);
          guard.release();
          left++;
          adding++;
          counter.addSync(1);
          added++;
        }`;
      let unreachable = 0;
      const times = await (kept.get("cut") as Cut)(inside, { rounds, code }, async () => {
        // The next operation undoes or finishes what was cut off.
        await inside.counter.add(0);
        if (inside.mutex.ownerSlot !== own.slot) return;
        try {
          inside.guard!.rollback();
          inside.guard!.release();
        } catch (error) {
          if ((error as { code?: string }).code !== "ERR_NOT_HELD") throw error;
          // Taken, but cut off before the guard was assigned: only giving up the handle releases it.
          unreachable++;
          inside.mutex.detach();
          inside.mutex = await own.mutex("m");
        }
      });
      const { entered, left, adding, added } = inside;
      return { entered, left, adding, added, times, unreachable };
    }, ROUNDS);
    await other.run(({ kept }) => void kept.set("on", false));
    const theirs = await others;
    t.diagnostic(JSON.stringify(answer));
    const { entered, left, adding, added, times } = answer;
    assert.ok(times > ROUNDS / 2 && left > ROUNDS);
    const guard = await mutex.lock();
    const mine = guard.get(0) - theirs;
    assert.deepEqual([guard.get(1), guard.get(2), guard.abandoned], [guard.get(0), guard.get(0), false]);
    assert.ok(mine >= left && mine <= entered, `${mine} changes, ${left} to ${entered} were made`);
    guard.release();
    const additions = Number(counter.value) - theirs;
    assert.ok(additions >= added && additions <= adding, `${additions} additions, ${added} to ${adding} were made`);
    assert.equal(mutex.takeovers, 0);
    assert.deepEqual(used(region), before);
    await Promise.all([member.finish(), other.finish()]);
  });

  test("in the middle of making, opening, giving up and removing objects: names and memory stay whole", async (t) => {
    const region = await testRegion(t, "cut-objects");
    await region.pipe("stays");
    const before = region.statistics().usedBlocks - directorySegments(region);
    const [member, other] = await Promise.all([startCut(region), ProcessMember.start({ region: region.name })]);
    const work = `for (;; count++) {
      const name = "object " + (count % 5);
      try {
        if (count % 4 === 0) {
          const pipe = region.pipeSync(name, { capacity: 8, maxLeased: 2 });
          pipe.trySend(bytes);
          pipe.detach();
        } else if (count % 4 === 1) {
          const counter = region.counterSync(name);
          counter.addSync(1);
          counter.detach();
        } else if (count % 4 === 2) region.pipes.removeSync(name);
        else region.counters.removeSync(name);
      } catch (error) {
        if (!["ERR_WRONG_KIND", "ERR_OPTIONS_DIFFER", "ERR_CLOSED"].includes(error.code)) throw error;
      }
    }`;
    const script: Script<{ rounds: number; work: string }, number> = ({ region: own, kept }, { rounds, work: code }) =>
      (kept.get("cut") as Cut)(
        { region: own, count: 0, bytes: new Uint8Array(3000) },
        { rounds, code },
        () =>
          // Like an event loop that goes on: the doorbell is heard.
          new Promise((resolve) => setImmediate(resolve)),
      );
    await other.run(prepare);
    const both = await Promise.all([member, other].map((one) => one.run(script, { rounds: ROUNDS, work })));
    t.diagnostic(`${both.join(" and ")} cuts`);
    assert.ok(Math.min(...both) > ROUNDS / 2);
    for (const name of region.pipes.list()) if (name !== "stays") await region.pipes.remove(name);
    for (const name of region.counters.list()) await region.counters.remove(name);
    assert.deepEqual([region.pipes.list(), region.counters.list()], [["stays"], []]);
    for (const one of [member, other]) {
      await one.run(({ region: own }) => own.close());
      await one.finish();
    }
    const { usedBlocks } = region.statistics();
    assert.equal(usedBlocks - directorySegments(region), before, "no block is lost");
    assert.equal(region.members().length, 1);
  });

  test("in the middle of a Sync wait: nobody else's ring is lost with it", async (t) => {
    const region = await testRegion(t, "cut-waits");
    const empty = await region.pipe<number>("empty");
    const full = await region.pipe<number>("full", { capacity: 1 });
    await full.send(0);
    const mutex = await region.mutex("m");
    const counter = await region.counter("c");
    const member = await startCut(region);
    for (const [at, call] of [
      "empty.receiveSync()",
      "empty.receiveSync({ lease: true })",
      "full.sendSync(-1)",
      "mutex.lockSync()",
      "counter.waitForSync(1000000)",
      "region.pipes.openSync('never', { wait: true })",
    ].entries()) {
      let guard = await mutex.lock();
      const cutOff = (): Promise<number> =>
        member.run(
          async ({ region: own, kept }, code) =>
            (kept.get("cut") as Cut)(
              {
                region: own,
                empty: await own.pipe("empty"),
                full: await own.pipe("full"),
                mutex: await own.mutex("m"),
                counter: await own.counter("c"),
              },
              { rounds: 4, code },
              () => undefined,
            ),
          call,
        );
      assert.equal(await cutOff(), 4, call);
      if (call === "empty.receiveSync()") {
        // It still counts as waiting, until a ring makes it look; but not when the last cut came before it waited.
        while (empty.statistics().waitingReceivers === 0) await cutOff();
        await empty.send(4);
        await until(() => empty.statistics().waitingReceivers === 0);
        assert.equal(await empty.receive(), 4);
      }
      // This one's doorbell still is in the set of what it waited for: the others must be rung all the same.
      const receiving = empty.receive();
      const waiting = counter.waitFor(at + 1);
      await member.run(async ({ region: own }) => {
        await (await own.pipe("empty")).send(5);
        await (await own.counter("c")).add(1);
      });
      assert.equal(await receiving, 5);
      await waiting;
      const sending = full.send(at + 1);
      assert.equal(await member.run(async ({ region: own }) => (await own.pipe("full")).receive()), at);
      await sending;
      guard.release();
      guard = await mutex.lock();
      guard.release();
    }
    await member.finish();
  });

  test("in the middle of leaving: it can be repeated, and the slot and the name are free then", async (t) => {
    const region = await testRegion(t, "cut-leaving", { ...SMALL, maxMembers: 3 });
    const pipe = await region.pipe("p", { maxLeased: 16 });
    await pipe.send("leased");
    const before = used(region);
    const member = await ProcessMember.start();
    await member.run(prepare);
    const cuts = await member
      .run(async ({ shmkit, kept }, name) => {
        const inside = { Region: shmkit.Region, name, region: undefined as Region | undefined };
        // Joining is cut off as well: what it had mapped by then is nobody's, and stays until the process ends.
        const code = `for (;;) {
        region = Region.openSync(name);
        const pipe = region.pipeSync("p");
        const lease = pipe.tryReceive({ lease: true });
        region.closeSync();
        region = undefined;
      }`;
        return (kept.get("cut") as Cut)(inside, { rounds: 40, code }, async () => {
          await inside.region?.close();
          inside.region = undefined;
        });
      }, region.name)
      .catch((error: { code?: string }) => error.code);
    t.diagnostic(String(cuts));
    await member.kill();
    await until(() => region.recoverTheDead() || region.members().length === 1);
    assert.equal(await pipe.receive(), "leased");
    await pipe.send("leased");
    assert.deepEqual(used(region), before);
  });
});

/** Writes what looks like MessagePack, text and headers of records over a range of the region, until it is killed. */
const scribble: Script<readonly [from: number, to: number], void> = ({ region, say }, [from, to]) => {
  const bytes = new Uint8Array(region.buffer, from, to - from);
  const words = new Int32Array(region.buffer, from, bytes.length >> 2);
  const patterns = [
    ...["plain text", "ä€😀ÿ", "\u{10ffff}".repeat(20)].map((text) => Buffer.from(text)),
    Buffer.from([0xc1, 0xd9, 0xff, 0xdf, 0xff, 0xff, 0xff, 0xff, 0xdd, 0x7f, 0xff, 0xff, 0xff, 0xc9, 0, 0]),
  ];
  const lengths = [0, 1, 10, 100, 200, 500, -1, 20_000];
  const kinds = [1, 2, 1, 2, 1, 2, 0, 0x101, 0x10002];
  const anywhere = (): number => Math.floor(Math.random() * bytes.length);
  say("going");
  for (let round = 0; ; round++) {
    const at = anywhere();
    if (round % 16 === 0) bytes.set(patterns[(round >> 4) % patterns.length].subarray(0, bytes.length - at), at);
    else if (round % 16 === 1) bytes.copyWithin(at, anywhere(), at + 300);
    else if (round % 16 === 2) bytes[at] = round >> 4;
    else {
      words[(at >> 3) * 2] = lengths[round % lengths.length];
      words[(at >> 3) * 2 + 1] = kinds[round % kinds.length];
    }
  }
};

/** Sends messages to itself, as many ways as there are, and answers what came of them. */
const converse: Script<
  { messages: number; large: boolean },
  { counts: Record<string, number>; wrong: string[] }
> = async ({ region, shmkit }, { messages, large }) => {
  const pipe = await region.pipe<unknown>("p");
  const target = new Uint8Array(200_000);
  const counts: Record<string, number> = {};
  const wrong: string[] = [];
  const attempt = async (call: () => unknown): Promise<void> => {
    let outcome = "value";
    try {
      await call();
    } catch (error) {
      const { code } = error as { code?: string };
      if (error instanceof shmkit.ShmkitError && code !== undefined) outcome = code;
      else wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  };
  // Without waiting: what is written over may look empty and full at once.
  const soon = { timeoutMs: 0 };
  const receives = [
    () => pipe.receiveSync(soon),
    () => pipe.tryReceive(),
    () => pipe.receive(soon),
    () => pipe.receiveIntoSync(target, soon),
    async () => (await pipe.receive({ ...soon, lease: true })).ack(),
    () => pipe.tryReceive({ lease: true })?.nack(),
  ];
  // As many as were asked for, and on until both were seen: who writes over them may not have its turn at once.
  const enough = (): boolean => (counts["value"] ?? 0) > 0 && (counts["ERR_BAD_MESSAGE"] ?? 0) > 0;
  for (let number = 0; number < messages || !enough(); number++) {
    const length = large ? 5000 + ((number * 7919) % 50_000) : 1 + (number % 60);
    const texts = ["plain ".repeat(length / 3), "ä€😀".repeat(length / 4), "x".repeat(31)];
    const value =
      number % 4 === 0 ? texts[1] : { number, texts, deep: [[[{ key: texts[number % 3] }]]], big: 2n ** 70n };
    await attempt(() => pipe.trySend(number % 5 === 0 ? target.subarray(0, length) : value));
    await attempt(receives[number % receives.length]);
    if (number % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { counts, wrong };
};

describe("a peer that writes over messages while they are read", () => {
  for (const what of ["blocks", "the ring"] as const) {
    test(`in ${what}: every message is a value or a typed error`, async (t) => {
      const region = await testRegion(t, "scribbled", { size: "2MiB", maxSize: "2MiB", maxMembers: 8 });
      const pipe = await region.pipe<unknown>("p", { capacity: what === "blocks" ? 8 : 1, maxLeased: 4 });
      const { ring, ringUnits } = (pipe as unknown as { shape: Record<"ring" | "ringUnits", number> }).shape;
      const range =
        what === "blocks"
          ? ([region.buffer.byteLength - region.statistics().largestFreeBytes, region.buffer.byteLength] as const)
          : ([ring * 4, (ring + ringUnits * 2) * 4] as const);
      const [scribbler, reader] = await Promise.all([
        ProcessMember.start({ region: region.name }),
        ProcessMember.start({ region: region.name }),
      ]);
      void scribbler.run(scribble, range);
      await scribbler.next();
      const { counts, wrong } = await reader.run(
        converse,
        what === "blocks" ? { messages: 1000, large: true } : { messages: 5000, large: false },
      );
      t.diagnostic(JSON.stringify(counts));
      assert.deepEqual(wrong, []);
      assert.ok(Object.keys(counts).every((code) => code === "value" || code in ERROR_CODES));
      assert.ok(counts["value"] > 0 && counts["ERR_BAD_MESSAGE"] > 0, "it did write over them");
      await scribbler.kill();
      const { code, output } = await reader.finish();
      assert.deepEqual([code, output], [0, ""]);
    });
  }
});
