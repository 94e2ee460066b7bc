import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, test } from "node:test";
import { run, start, until, type CliProcess } from "./helpers/cli-process.js";
import { diskPath } from "./helpers/disk-regions.js";

const persistence = (...args: readonly string[]): CliProcess => start(["example", "persistence", ...args]);

/** How often it was started, and what it said of the messages, at its start and its end; without an end, that is undefined. */
function reported(text: string): { start: number; before: [number, number]; after: [number, number] | undefined } {
  const line = String.raw`of ([\d,]+) messages ([\d,]+) are done, (\d+) wait, none is missing\n`;
  const found = new RegExp(`^start (\\d+): ${line}(?:end: +${line})?$`).exec(text);
  assert.ok(found, text);
  const [startNumber, sent, done, wait, sentThen, doneThen, waitThen] = found
    .slice(1)
    .map((number?: string) => Number((number ?? "NaN").replaceAll(",", "")));
  assert.equal(sent - done, wait);
  if (Number.isNaN(sentThen)) return { start: startNumber, before: [sent, done], after: undefined };
  assert.equal(sentThen - doneThen, waitThen);
  return { start: startNumber, before: [sent, done], after: [sentThen, doneThen] };
}

describe("persistence", () => {
  test("goes on where it was, and begins anew when it is told to", async (t) => {
    const file = diskPath(t);
    const first = await persistence(file, "50").ended;
    assert.deepEqual([first.code, first.errors], [0, ""]);
    assert.deepEqual(reported(first.text), { start: 1, before: [0, 0], after: [58, 50] });
    assert.ok(existsSync(file));
    assert.deepEqual(reported((await persistence(file, "0").ended).text), {
      start: 2,
      before: [58, 50],
      after: [58, 50],
    });
    const anew = await persistence(file, "10", "--reset").ended;
    assert.deepEqual(reported(anew.text), { start: 1, before: [0, 0], after: [18, 10] });
  });

  test("loses nothing and does nothing twice when it is killed in the middle of work, alone or beside another", async (t) => {
    const file = diskPath(t);
    let least = 0;
    const workMs = [0, 20, 50];
    for (const [at, ms] of workMs.entries()) {
      const killed = persistence(file, "1000000");
      await until(() => killed.soFar !== "");
      await sleep(ms);
      killed.kill("SIGKILL");
      const found = reported((await killed.ended).text);
      assert.equal(found.start, at + 1);
      assert.ok(found.before[1] >= least);
      least = found.before[1];
    }
    const [steady, killed] = [persistence(file, "100"), persistence(file, "1000000")];
    await until(() => killed.soFar !== "");
    killed.kill("SIGKILL");
    await killed.ended;
    const last = await steady.ended;
    assert.deepEqual([last.code, last.errors], [0, ""]);
    const { start: times, before, after } = reported((await persistence(file, "1").ended).text);
    assert.equal(times, workMs.length + 3);
    assert.ok(before[1] >= least + 100);
    assert.equal(after![1], before[1] + 1);
  });

  for (const signal of ["SIGINT", "SIGTERM"] as const)
    test(`after ${signal} it goes on as well`, async (t) => {
      const file = diskPath(t);
      const ended = persistence(file, "1000000");
      await until(() => ended.soFar !== "");
      ended.kill(signal);
      assert.equal((await ended.ended).signal, signal);
      assert.equal(reported((await persistence(file, "1").ended).text).start, 2);
    });

  test("takes no file that is something else", async (t) => {
    const file = diskPath(t, "letter.txt");
    writeFileSync(file, "Dear reader,");
    for (const args of [[file], [file, "--reset"]]) {
      const { code, errors } = await persistence(...args).ended;
      assert.equal(code, 1);
      assert.match(errors, /^shmkit: ERR_BAD_REGION: /);
    }
    assert.ok(existsSync(file));
    const { code, errors } = await run(["example", "counter", "--reset"]);
    assert.equal(code, 1);
    assert.match(errors, /^shmkit: ERR_USAGE: counter has nothing to --reset/);
  });
});
