import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { childrenOf, isRunning, run, start, until } from "./helpers/cli-process.js";

/** Segments of System V that a process has made (its columns: key, shmid, perms, size, cpid, lpid, nattch): how often each is attached. */
const segmentsOf = (pid: number): number[] =>
  readFileSync("/proc/sysvipc/shm", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((columns) => columns[4] === pid)
    .map((columns) => columns[6]);

describe("producer and consumer with a System V segment", () => {
  test("take every number once, though both are killed with the mutex", async () => {
    const example = start(["example", "sysv", "200"]);
    await until(() => segmentsOf(example.pid).length === 1);
    const { code, text, errors } = await example.ended;
    assert.equal(errors, "");
    assert.equal(code, 0);
    const [head, first, second, sum] = text.trimEnd().split("\n");
    assert.equal(head, "a segment of System V, a buffer of 8 places, 200 numbers:");
    assert.match(first, /^producer \d+ was killed while it had the mutex, another one takes its place$/);
    assert.match(second, /^consumer \d+ was killed while it had the mutex, another one takes its place$/);
    assert.equal(sum, "200 taken, which add up to 20,100; EOWNERDEAD was told 2 times");
    assert.deepEqual(segmentsOf(example.pid), []);
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"] as const)
    test(`${signal} leaves nothing and nobody`, async () => {
      const example = start(["example", "sysv", "65535"]);
      await until(() => segmentsOf(example.pid)[0] === 3);
      const workers = childrenOf(example.pid);
      example.kill(signal);
      assert.equal((await example.ended).signal, signal);
      await until(() => workers.filter(isRunning).length === 0);
      assert.deepEqual(segmentsOf(example.pid), []);
    });

  test("fail when one of them is killed, and leave nothing and nobody", async () => {
    const example = start(["example", "sysv", "65535"]);
    let workers: number[] = [];
    await until(() => (workers = childrenOf(example.pid)).length === 2);
    process.kill(workers[1], "SIGKILL");
    const { code, errors } = await example.ended;
    assert.equal(code, 1);
    assert.match(errors, new RegExp(`^shmkit: ERR_CHILD: .*pid ${workers[1]}\\) ended with SIGKILL`));
    assert.deepEqual(workers.filter(isRunning), []);
    assert.deepEqual(segmentsOf(example.pid), []);
  });

  test("say what their arguments may be", async () => {
    const { code, errors } = await run(["example", "sysv", "65536"]);
    assert.equal(code, 1);
    assert.match(errors, /at most 65535 numbers, not 65536/);
  });
});
