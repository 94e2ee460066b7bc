import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { SharedMemory } from "shmkit";
import { run, start, until, type CliProcess } from "./helpers/cli-process.js";
import { assertNothingLeft, uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";

const enqueue = (key: string, ...numbers: readonly number[]): CliProcess =>
  start(["example", "deque", "enqueue", key, ...numbers.map(String)]);
const dequeue = (key: string, count = 1): CliProcess => start(["example", "deque", "dequeue", key, String(count)]);
const isThere = (key: string): boolean => existsSync(`/dev/shm/${key}`);
const lines = (word: string, numbers: readonly number[]): string =>
  numbers.map((number) => `${word}: ${number}\n`).join("");

afterEach(assertNothingLeft);

describe("the shared deque", () => {
  for (const first of ["enqueue", "dequeue"])
    test(`passes a number from one process to another, ${first} first`, async () => {
      const key = uniqueRegionName();
      const both: CliProcess[] = [];
      if (first === "enqueue") {
        both.push(enqueue(key));
        await until(() => both[0].soFar === "Enqueued: 3\n");
        both.push(dequeue(key));
      } else {
        both.push(dequeue(key));
        await until(() => isThere(key));
        both.unshift(enqueue(key));
      }
      const endings = await Promise.all(both.map(({ ended }) => ended));
      assert.deepEqual(
        endings.map(({ code, text, errors }) => [code, text, errors]),
        [
          [0, "Enqueued: 3\n", ""],
          [0, "Dequeued: 3\n", ""],
        ],
      );
    });

  test("waits while it is full and while it is empty; two take what two put, each number once", async () => {
    const key = uniqueRegionName();
    const puts = [0, 100].map((begin) => Array.from({ length: 40 }, (_, i) => begin + i));
    const putting = enqueue(key, ...puts[0]);
    await until(() => putting.soFar === lines("Enqueued", puts[0].slice(0, 4))); // it is full
    const others = [enqueue(key, ...puts[1]), dequeue(key, 30), dequeue(key, 50)];
    const [one, two, ...takers] = await Promise.all([putting, ...others].map(({ ended }) => ended));
    assert.deepEqual([one.text, two.text], [lines("Enqueued", puts[0]), lines("Enqueued", puts[1])]);
    const taken = takers.map(({ text }) => text.match(/\d+/g)!.map(Number));
    assert.deepEqual(
      taken.map(({ length }) => length),
      [30, 50],
    );
    assert.deepEqual(
      taken.flat().sort((a, b) => a - b),
      puts.flat(),
    );
    // Nobody overtakes.
    for (const numbers of taken) {
      const ofOne = numbers.filter((number) => number < 100);
      assert.deepEqual(
        ofOne,
        [...ofOne].sort((a, b) => a - b),
      );
    }
  });

  for (const [what, front, back, expected] of [
    ["put", 0, 3, [10, 11, 12, 3]],
    ["taken", 1, 2, [11, 3]],
  ] as const)
    test(`goes on when a process was killed with the lock, and had just ${what} a number`, async () => {
      const key = uniqueRegionName();
      const killed = await ProcessMember.start();
      await killed.run(
        async ({ shmkit, kept }, [name, ...ends]) => {
          const memory = await shmkit.SharedMemory.create(name as string, { size: 32 });
          kept.set("lock", await memory.lock());
          // The length, the count before, and numbers; of the ends, one is moved.
          new Int32Array(memory.buffer).set([4, ...(ends as number[]), 2, 10, 11, 12]);
        },
        [key, front, back],
      );
      const taking = dequeue(key, expected.length);
      const putting = enqueue(key);
      await killed.kill();
      assert.equal((await taking.ended).text, lines("Dequeued", expected));
      assert.equal((await putting.ended).text, "Enqueued: 3\n");
    });

  for (const signal of ["SIGINT", "SIGTERM"] as const)
    test(`leaves nothing after ${signal}, and after a process that was killed`, async () => {
      const key = uniqueRegionName();
      // Killed inside sem_open(3), it would leave that call's own file: it has taken one, and waits for another.
      const killed = dequeue(key, 2);
      assert.equal((await enqueue(key).ended).code, 0);
      await until(() => killed.soFar === "Dequeued: 3\n");
      killed.kill("SIGKILL");
      await killed.ended;
      assert.ok(isThere(key));
      const full = enqueue(key, 1, 2, 3, 4, 5);
      await until(() => full.soFar === lines("Enqueued", [1, 2, 3, 4]));
      full.kill(signal);
      assert.equal((await full.ended).signal, signal);
    });

  test("does not touch memory that is something else", async () => {
    const key = uniqueRegionName();
    const memory = SharedMemory.createSync(key, { size: 100 });
    new Uint8Array(memory.buffer).fill(7);
    const { code, errors } = await dequeue(key).ended;
    assert.equal(code, 2);
    assert.match(errors, new RegExp(`^shmkit: ERR_USAGE: /dev/shm/${key} is no shared deque`));
    assert.ok(new Uint8Array(memory.buffer).every((byte) => byte === 7));
    memory.close();
    memory.unlink();
  });

  test("says what its arguments may be", async () => {
    for (const [args, message] of [
      [["peek"], /expected deque enqueue or deque dequeue/],
      [["dequeue", "key", "0"], /at least 1, not 0/],
      [["enqueue", "key", "2147483648"], /expected a number of 32 bits, not 2147483648/],
    ] as const) {
      const { code, errors } = await run(["example", "deque", ...args]);
      assert.equal(code, 1);
      assert.match(errors, message);
    }
  });
});
