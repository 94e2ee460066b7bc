import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Region } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";

/** Sums that a receiver makes of numbered values, to be compared with what was sent. */
interface Tally {
  readonly count: number;
  readonly outOfOrder: number;
  readonly wrong: number;
}

describe("two processes", () => {
  let sender: ProcessMember;
  let receiver: ProcessMember;
  let region: Region;
  before(async () => {
    region = await Region.create(uniqueRegionName("two"), { ...SMALL, size: "1MiB" });
    [sender, receiver] = await Promise.all([
      ProcessMember.start({ region: region.name }),
      ProcessMember.start({ region: region.name }),
    ]);
  });
  after(() => region.close());

  test("20,000 values arrive once, in order, and as they were, however they are sent and received", async () => {
    const total = 20_000;
    const sending = sender.run(async ({ region: own }, count) => {
      const pipe = await own.pipe<unknown>("values", { capacity: 500 });
      for (let number = 0; number < count; number++) {
        const value = { number, text: `message ${number}`, big: BigInt(number) ** 3n, list: [number % 7, null] };
        if (number % 3 === 0) await pipe.send(value);
        else if (number % 3 === 1) pipe.sendSync(value);
        else if (!pipe.trySend(value)) await pipe.send(value);
      }
      await pipe.close();
      return pipe.statistics().sent;
    }, total);
    const receiving = receiver.run(async ({ region: own }): Promise<Tally> => {
      interface Value {
        number: number;
        text: string;
        big: bigint;
        list: [number, null];
      }
      const pipe = await own.pipe<Value>("values", { capacity: 500 });
      const tally = { count: 0, outOfOrder: 0, wrong: 0 };
      const take = ({ number, text, big, list }: Value): void => {
        if (number !== tally.count++) tally.outOfOrder++;
        if (text !== `message ${number}` || big !== BigInt(number) ** 3n || list[0] !== number % 7 || list[1] !== null)
          tally.wrong++;
      };
      try {
        for (;;) {
          take(await pipe.receive());
          take(pipe.receiveSync());
          for (let message = pipe.tryReceive(); message !== undefined; message = pipe.tryReceive()) take(message);
          const lease = await pipe.receive({ lease: true });
          take(lease.value);
          lease.ack();
        }
      } catch (error) {
        if ((error as { code: string }).code !== "ERR_CLOSED") throw error;
      }
      return tally;
    });
    assert.equal(await sending, total);
    assert.deepEqual(await receiving, { count: total, outOfOrder: 0, wrong: 0 });
    const { sent, received, depth, redelivered } = (await region.pipe("values")).statistics();
    assert.deepEqual(
      { sent, received, depth, redelivered },
      { sent: total, received: total, depth: 0, redelivered: 0 },
    );
  });

  test("bytes of every size come back as they went", async () => {
    const echo = receiver.run(async ({ region: own }) => {
      const [there, back] = [await own.pipe<Uint8Array>("there"), await own.pipe<Uint8Array>("back")];
      let count = 0;
      for await (const bytes of there) {
        back.sendBytesSync(bytes);
        count++;
      }
      return count;
    });
    const wrong = await sender.run(async ({ region: own }) => {
      const [there, back] = [await own.pipe<Uint8Array>("there"), await own.pipe<Uint8Array>("back")];
      const target = new Uint8Array(3 * 2 ** 20);
      const failures: string[] = [];
      const sizes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 63, 64, 65];
      for (let size = 100; size < 2 * 2 ** 20; size = Math.ceil(size * 1.3) + (size % 3)) sizes.push(size);
      for (const size of [...sizes, ...sizes.reverse()]) {
        const bytes = new Uint8Array(size);
        for (let at = 0; at < size; at++) bytes[at] = (at * 31 + size) >>> 3;
        await there.send(bytes);
        const length = size % 2 === 0 ? await back.receiveInto(target) : back.receiveIntoSync(target);
        if (length !== size || Buffer.compare(bytes, target.subarray(0, length)) !== 0)
          failures.push(`${size} bytes became ${length}`);
      }
      await there.close();
      return failures;
    });
    assert.deepEqual(wrong, []);
    assert.ok((await echo) > 90);
  });

  test("a round trip of Sync calls wakes whoever sleeps, again and again", async () => {
    const answering = receiver.run(({ region: own }) => {
      const [there, back] = [own.pipeSync<number>("ping"), own.pipeSync<number>("pong")];
      for (;;) {
        const number = there.receiveSync();
        if (number < 0) return "done";
        // Now and then let the other one fall asleep.
        if (number % 500 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3);
        back.sendSync(number * 2);
      }
    });
    const wrong = await sender.run(({ region: own }) => {
      const [there, back] = [own.pipeSync<number>("ping"), own.pipeSync<number>("pong")];
      let failures = 0;
      for (let number = 0; number < 2000; number++) {
        there.sendSync(number);
        if (back.receiveSync() !== number * 2) failures++;
      }
      there.sendSync(-1);
      return failures;
    });
    assert.equal(wrong, 0);
    assert.equal(await answering, "done");
  });

  test("a counter and a mutex between them lose no update", async () => {
    const rounds = 1000;
    const work = async (
      { region: own }: Parameters<Parameters<ProcessMember["run"]>[0]>[0],
      count: number,
    ): Promise<number> => {
      const counter = await own.counter("n");
      const mutex = await own.mutex("m", { words: 2 });
      let broken = 0;
      for (let round = 0; round < count; round++) {
        if (round % 2 === 0) await counter.add(1);
        else counter.addSync(1n);
        const guard =
          round % 3 === 0
            ? await mutex.lock()
            : round % 3 === 1
              ? mutex.lockSync()
              : (mutex.tryLock() ?? (await mutex.lock()));
        if (guard.get(0) !== guard.get(1) || guard.abandoned) broken++;
        guard.set(0, guard.get(0) + 1);
        guard.set(1, guard.get(1) + 1);
        guard.release();
      }
      return broken;
    };
    assert.deepEqual(
      await Promise.all([sender.run(work, rounds), receiver.run(work, rounds), work({ region } as never, rounds)]),
      [0, 0, 0],
    );
    assert.equal((await region.counter("n")).value, BigInt(rounds * 3));
    const guard = await (await region.mutex("m")).lock();
    assert.deepEqual([guard.get(0), guard.get(1)], [rounds * 3, rounds * 3]);
    guard.release();
    const waiting = receiver.run(async ({ region: own }) => (await own.counter("n")).waitFor(100_000));
    await (await region.counter("n")).set(100_001);
    assert.equal(await waiting, 100_001n);
  });
});

describe("many senders and receivers", () => {
  const SENDERS = 4;
  const RECEIVERS = 3;
  const EACH = 2000;

  /** Sends numbered messages of mixed sizes. */
  async function sendAll(
    { region }: Parameters<Parameters<ProcessMember["run"]>[0]>[0],
    { sender, count }: { sender: number; count: number },
  ): Promise<void> {
    const pipe = await region.pipe<unknown>("shared", { capacity: 50 });
    for (let number = 0; number < count; number++) {
      const message = number % 100 === 99 ? [sender, number, "x".repeat(6000)] : [sender, number];
      if (number % 2 === 0) await pipe.send(message);
      else pipe.sendSync(message);
    }
  }

  /** Receives until the end: how many, which ones by sender and number, and how many out of order. */
  async function receiveAll(
    { region, say }: Parameters<Parameters<ProcessMember["run"]>[0]>[0],
    { senders, count, lease }: { senders: number; count: number; lease: boolean },
  ): Promise<{ seen: Uint8Array; outOfOrder: number }> {
    const pipe = await region.pipe<[sender: number, number: number]>("shared", { capacity: 50 });
    const seen = new Uint8Array(senders * count);
    const last = new Int32Array(senders).fill(-1);
    let outOfOrder = 0;
    const take = ([sender, number]: [number, number]): void => {
      seen[sender * count + number] += 1;
      if (number <= last[sender]) outOfOrder++;
      last[sender] = number;
    };
    say("ready");
    if (lease) await pipe.process(take);
    else for await (const message of pipe) take(message);
    return { seen, outOfOrder };
  }

  test("every message arrives once; those of one sender in order; also while both cores are busy", async (t) => {
    const region = await testRegion(t, "many", { ...SMALL, size: "1MiB" });
    const [senders, receivers, spinners] = (await Promise.all(
      [SENDERS, RECEIVERS, 2].map((count) =>
        Promise.all(Array.from({ length: count }, () => ProcessMember.start({ region: region.name }))),
      ),
    )) as [ProcessMember[], ProcessMember[], ProcessMember[]];
    for (const spinner of spinners) {
      void spinner.run(() => {
        for (;;);
      });
    }
    const receiving = receivers.map((receiver, at) =>
      receiver.run(receiveAll, { senders: SENDERS, count: EACH, lease: at === 0 }),
    );
    await Promise.all(receivers.map((receiver) => receiver.next()));
    await Promise.all(senders.map((sender, at) => sender.run(sendAll, { sender: at, count: EACH })));
    const pipe = await region.pipe("shared");
    await pipe.close();
    const seen = new Uint8Array(SENDERS * EACH);
    for (const answer of await Promise.all(receiving)) {
      answer.seen.forEach((count, at) => (seen[at] += count));
      assert.equal(answer.outOfOrder, 0);
    }
    assert.ok(seen.every((count) => count === 1));
    const { sent, received, depth, leased, waitingReceivers, waitingSenders, highWater } = pipe.statistics();
    assert.deepEqual(
      { sent, received, depth, leased, waitingReceivers, waitingSenders },
      { sent: SENDERS * EACH, received: SENDERS * EACH, depth: 0, leased: 0, waitingReceivers: 0, waitingSenders: 0 },
    );
    assert.ok(highWater <= 50);
    assert.equal(region.statistics().usedBlocks, 2, "the directory and the pipe: no message left its block behind");
    await Promise.all(spinners.map((spinner) => spinner.kill()));
  });
});
