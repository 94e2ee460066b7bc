import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { Region } from "shmkit";
import { childrenOf, isRunning, run, start, startUntil, until, type CliProcess } from "./helpers/cli-process.js";
import { regionName } from "./helpers/cli-regions.js";
import { ProcessMember } from "./helpers/process-member.js";

/** Names that an example, which has its pid in them, has in shared memory. */
const namesOf = (example: CliProcess): string[] =>
  readdirSync("/dev/shm").filter((name) => name === `shmkit.example-${example.pid}`);

describe("the counter", () => {
  for (const lock of ["mutex", "semaphore", "pipe"]) {
    test(`loses increments without a lock, and none with a ${lock}`, async () => {
      const example = start(["example", "counter", lock, "2", "10000"]);
      const { code, text, errors } = await example.ended;
      assert.equal(errors, "");
      assert.equal(code, 0);
      const [head, ...lines] = text.trimEnd().split("\n");
      assert.equal(head, "2 processes add 1 to a number in shared memory, 10,000 times each:");
      const [killed, sum, unlocked] = lines.reverse();
      const [, left, lost] = /^without a lock: +([\d,]+) of 20,000, ([\d,]+) lost$/.exec(unlocked)!.map(withoutCommas);
      assert.ok(lost > 0, unlocked);
      assert.equal(left + lost, 20_000);
      assert.match(sum, new RegExp(`^with a ${lock}: +20,000 of 20,000$`));
      assert.match(killed, /^killed inside: +the next one got in [\d.]+ [µm]s later$/);
      assert.deepEqual(namesOf(example), []);
    });
  }

  test("fails when one of its processes is killed, and leaves nothing and nobody", async () => {
    const example = start(["example", "counter", "mutex", "3", "100000000"]);
    let adders: number[] = [];
    await until(() => (adders = childrenOf(example.pid)).length === 3);
    process.kill(adders[1], "SIGKILL");
    const { code, errors } = await example.ended;
    assert.equal(code, 1);
    assert.match(errors, new RegExp(`^shmkit: ERR_CHILD: .*pid ${adders[1]}\\) ended with SIGKILL`));
    assert.deepEqual(namesOf(example), []);
    assert.deepEqual(adders.filter(isRunning), []);
  });

  test("Ctrl-C leaves nothing and nobody", async () => {
    const example = start(["example", "counter", "pipe", "2", "100000000"]);
    let adders: number[] = [];
    await until(() => (adders = childrenOf(example.pid)).length === 2);
    example.kill("SIGINT");
    assert.equal((await example.ended).signal, "SIGINT");
    assert.deepEqual(namesOf(example), []);
    assert.deepEqual(adders.filter(isRunning), []);
  });

  test("says what its arguments may be", async () => {
    for (const [args, message] of [
      [["futex"], /expected one of mutex, semaphore, pipe, not futex/],
      [["mutex", "1"], /at least 2, not 1/],
      [["mutex", "2", "0"], /at least 1, not 0/],
      [["mutex", "two"], /expected a whole number, not "two"/],
    ] as const) {
      const { code, errors } = await run(["example", "counter", ...args]);
      assert.equal(code, 1);
      assert.match(errors, message);
    }
  });
});

const withoutCommas = (text: string): number => Number(text.replaceAll(",", ""));

describe("producers and consumers", () => {
  test("take every number once, whoever of them is killed", async () => {
    let workers: number[] = [];
    const example = await startUntil(["example", "producer-consumer", "1", "2", "10000"], ({ pid }) => {
      workers = childrenOf(pid);
      return Region.inspect(`example-${pid}`)?.members.length === 4 && workers.length === 3;
    });
    const [killed] = workers;
    process.kill(killed, "SIGKILL");
    const { code, text, errors } = await example.ended;
    assert.equal(errors, "");
    assert.equal(code, 0);
    const [head, ...lines] = text.trimEnd().split("\n");
    assert.equal(head, "1 producers, 2 consumers, a buffer of 8 places, 10,000 numbers:");
    assert.equal(lines.pop(), "10,000 taken, which add up to 50,005,000");
    const deaths = lines.map((line) => /^(\w+) (\d+) was killed, another one takes its place$/.exec(line)!.slice(1));
    assert.ok(deaths.some(([, pid]) => Number(pid) === killed));
    // The example itself kills one of each.
    assert.deepEqual(new Set(deaths.map(([role]) => role)), new Set(["producer", "consumer"]));
    assert.deepEqual(namesOf(example), []);
  });

  test("Ctrl-C leaves nothing and nobody", async () => {
    let workers: number[] = [];
    const example = await startUntil(
      ["example", "producer-consumer", "1", "1", "60000"],
      ({ pid }) => (workers = childrenOf(pid)).length === 2,
    );
    example.kill("SIGINT");
    assert.equal((await example.ended).signal, "SIGINT");
    assert.deepEqual(namesOf(example), []);
    assert.deepEqual(workers.filter(isRunning), []);
  });

  test("say what their arguments may be", async () => {
    for (const [args, message] of [
      [["0"], /at least 1, not 0/],
      [["1", "1", "999"], /at least 1000, not 999/],
      [["1", "1", "65536"], /at most 65535 numbers, not 65536/],
    ] as const) {
      const { code, errors } = await run(["example", "producer-consumer", ...args]);
      assert.equal(code, 1);
      assert.match(errors, message);
    }
  });
});

describe("the three processes with the named mutex and the Booleans", () => {
  const begin = (process: string, map: string): CliProcess => start(["example", `process-${process}`, map]);
  const said = "Process A says: True\nProcess B says: False\nProcess C says: True\n";
  const startedA = "Process A wrote True\nStart processes B and C\n";

  for (const order of ["abc", "acb", "bca", "cab"]) {
    test(`write and read them when started as ${order}`, async () => {
      const map = regionName();
      const running = new Map<string, CliProcess>();
      for (const name of order) {
        running.set(name, begin(name, map));
        if (name === "a") await until(() => running.get("a")!.soFar === startedA);
        // The last one comes alone.
        else if (name === order[1]) await until(() => order[0] !== "a" || running.get(name)!.hasEnded);
      }
      const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => running.get(name)!.ended));
      assert.equal(a.errors + b.errors + c.errors, "");
      assert.deepEqual([a.code, b.code, c.code], [0, 0, 0]);
      assert.equal(a.text, startedA + said);
      assert.equal(b.text, "Process B wrote False\n");
      assert.equal(c.text, "Process C wrote True\n");
    });
  }

  test("the mutex of one that was killed goes to the next, which is told, and what it wrote is undone", async () => {
    const map = regionName();
    const a = begin("a", map);
    await until(() => a.soFar === startedA);
    const member = await ProcessMember.start({ region: map });
    await member.run(async ({ region }) => {
      const guard = await (await region.mutex("testmapmutex")).lock();
      for (const at of [0, 1, 2]) guard.set(at, 7);
    });
    const [b, c] = [begin("b", map), begin("c", map)];
    await until(() => (Region.inspect(map)?.members.length ?? 0) === 4);
    await member.kill();
    const [endedB, endedC, endedA] = [await b.ended, await c.ended, await a.ended];
    assert.equal(endedA.text, startedA + said);
    const told = "The last owner of the mutex died; what it had not finished is undone.\n";
    assert.equal([endedB.text, endedC.text].filter((text) => text.startsWith(told)).length, 1);
    assert.deepEqual([endedA.code, endedB.code, endedC.code], [0, 0, 0]);
  });

  test("one that was killed before it wrote is started again", async () => {
    const map = regionName();
    const a = begin("a", map);
    await until(() => a.soFar === startedA);
    const member = await ProcessMember.start({ region: map });
    await member.run(async ({ region }) => void (await (await region.mutex("testmapmutex")).lock()));
    const killed = begin("b", map);
    await until(() => (Region.inspect(map)?.members.length ?? 0) === 3);
    killed.kill("SIGKILL");
    assert.equal((await killed.ended).text, "");
    await member.kill();
    const [b, c] = [begin("b", map), begin("c", map)];
    assert.deepEqual([(await b.ended).code, (await c.ended).code], [0, 0]);
    assert.equal((await a.ended).text, startedA + said);
  });
});
