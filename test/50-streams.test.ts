import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Pipe } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until } from "./helpers/process-member.js";
import { joinRegion, SMALL } from "./helpers/process-regions.js";

const CAPACITY = 8;

/** A process that reads with a stream as it is told to, and says what it got. */
async function startReader(region: string, face: string, highWaterMark: number): Promise<ProcessMember> {
  const member = await ProcessMember.start({ region, options: SMALL });
  await member.run(
    async ({ region, kept }, [face, highWaterMark, capacity]) => {
      const pipe = await region.pipe<number>("p", { capacity });
      const stream = face === "Web" ? pipe.readable({ highWaterMark }) : pipe.nodeReadable({ highWaterMark });
      kept.set("messages", (stream as AsyncIterable<number>)[Symbol.asyncIterator]());
    },
    [face, highWaterMark, CAPACITY] as const,
  );
  return member;
}

/** Has it read so many, or up to the end. */
const read = (member: ProcessMember, count: number): Promise<number[]> =>
  member.run(async ({ kept }, count) => {
    const messages = kept.get("messages") as AsyncIterator<number>;
    const read: number[] = [];
    while (read.length < count) {
      const result = await messages.next();
      if (result.done === true) break;
      read.push(result.value);
    }
    return read;
  }, count);

/** A process that writes the numbers from 0 on, closes the pipe after them, and keeps account of what is in the pipe. */
async function startWriter(region: string, face: string, count: number, highWaterMark: number): Promise<ProcessMember> {
  const member = await ProcessMember.start({ region, options: SMALL });
  await member.run(
    async ({ region, kept, load }, [face, count, highWaterMark, capacity]) => {
      const pipe = await region.pipe<number>("p", { capacity });
      const account = { asked: 0, written: 0 };
      kept.set("account", account);
      const numbers = async function* (): AsyncGenerator<number> {
        for (; account.asked < count; account.asked++) yield account.asked;
      };
      const { Readable } = (await load("node:stream")) as typeof import("node:stream");
      const { pipeline } = (await load("node:stream/promises")) as typeof import("node:stream/promises");
      const options = { closePipe: true, highWaterMark };
      const source = Readable.from(numbers(), { highWaterMark: 1 });
      const done =
        face === "Web"
          ? (Readable.toWeb(source) as ReadableStream<number>).pipeTo(pipe.writable(options))
          : pipeline(source, pipe.nodeWritable(options));
      kept.set(
        "done",
        done.then(() => true),
      );
    },
    [face, count, highWaterMark, CAPACITY] as const,
  );
  return member;
}

const numbers = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

async function watched(name: string, t: { after(work: () => Promise<void>): void }): Promise<Pipe<number>> {
  return (await joinRegion(t as never, name)).pipe<number>("p", { capacity: CAPACITY });
}

for (const face of ["Web", "Node"])
  describe(`${face} streams between processes`, () => {
    test("who writes waits for who reads, and everything arrives in order", async (t) => {
      const name = uniqueRegionName("backpressure");
      const reader = await startReader(name, face, 2);
      const pipe = await watched(name, t);
      const writer = await startWriter(name, face, 2000, 4);
      const read1 = await read(reader, 10);
      // A full pipe and a waiting writer are not all: the reader has yet to take ahead what it may.
      const atLeast = { sent: 10 + 2 + CAPACITY, leased: 2, waitingSenders: 1 };
      let now = pipe.statistics();
      await until(() => {
        now = pipe.statistics();
        return now.sent >= atLeast.sent && now.leased >= atLeast.leased && now.waitingSenders === 1;
      });
      const { sent, leased, waitingSenders } = now;
      assert.deepEqual([read1, { sent, leased, waitingSenders }], [numbers(0, 10), atLeast]);
      const asked = await writer.run(({ kept }) => (kept.get("account") as { asked: number }).asked);
      assert.ok(asked <= sent + 4 + 4, `it holds the source back: ${asked} were asked for, ${sent} sent`);
      assert.deepEqual(await read(reader, Infinity), numbers(10, 2000));
      assert.equal(await writer.run(({ kept }) => kept.get("done") as Promise<boolean>), true);
      assert.equal(pipe.statistics().highWater, CAPACITY);
    });

    test("who reads waits for who writes", async (t) => {
      const name = uniqueRegionName("waiting");
      const reader = await startReader(name, face, 0);
      const pipe = await watched(name, t);
      const reading = read(reader, 3);
      for (const n of numbers(0, 3)) {
        await until(() => pipe.statistics().waitingReceivers === 1);
        await pipe.send(n);
      }
      assert.deepEqual(await reading, numbers(0, 3));
    });

    test("what a reader that is killed had taken ahead is for the next one, in order", async (t) => {
      const name = uniqueRegionName("reader-killed");
      const first = await startReader(name, face, 5);
      const pipe = await watched(name, t);
      const writer = await startWriter(name, face, 200, 4);
      assert.deepEqual(await read(first, 50), numbers(0, 50));
      await until(() => pipe.statistics().leased === 5);
      await first.kill();
      const second = await startReader(name, face, 5);
      assert.deepEqual(await read(second, Infinity), numbers(50, 200));
      assert.equal(await writer.run(({ kept }) => kept.get("done") as Promise<boolean>), true);
    });

    test("of a writer that is killed, what was sent arrives, without a gap, and the pipe works on", async (t) => {
      const name = uniqueRegionName("writer-killed");
      const reader = await startReader(name, face, 0);
      const pipe = await watched(name, t);
      const writer = await startWriter(name, face, 1e9, 4);
      const before = await read(reader, 300);
      await writer.kill();
      await until(() => pipe.statistics().waitingSenders === 0);
      await pipe.close();
      const all = [...before, ...(await read(reader, Infinity))];
      assert.deepEqual(all, numbers(0, all.length));
      assert.equal(all.length, pipe.statistics().sent);
    });

    test("a reader that ends its stream leaves the rest to the others", async (t) => {
      const name = uniqueRegionName("reader-ends");
      const first = await startReader(name, face, 3);
      const pipe = await watched(name, t);
      await startWriter(name, face, 100, 1);
      const before = await read(first, 20);
      await first.run(({ kept }) => void (kept.get("messages") as AsyncGenerator<number>).return(undefined));
      await until(() => pipe.statistics().leased === 0);
      const rest: number[] = [];
      for await (const n of pipe) rest.push(n);
      assert.deepEqual([...before, ...rest], numbers(0, 100));
    });
  });
