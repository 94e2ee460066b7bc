import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { STRUCTS } from "#src/layout/structs.js";
import { watchAllocations } from "./fuzz/allocation-watch.js";
import { REGIONS, runCampaign, SYSTEM, Victim } from "./fuzz/campaign.js";
import { Judge } from "./fuzz/judge.js";
import { isTyped } from "./fuzz/system-scene.js";
import { leftovers } from "./helpers/leftovers.js";

watchAllocations();

describe("fuzzing", () => {
  test("damaged regions and hostile messages: every call ends in a typed error or a value", async (t) => {
    const report = await runCampaign(1, ({ cases }) => cases < 60);
    // Without the damage, which hides what happened: `npm run fuzz -- --replay SEED` lists it.
    assert.deepEqual(
      report.faults.map(({ seed, what }) => `seed ${seed}: ${what}`),
      [],
    );
    t.diagnostic(`${report.calls} calls: ${JSON.stringify(report.endings)}`);
    for (const { name } of STRUCTS) assert.ok((report.structures[name] ?? 0) > 0, `${name} was damaged`);
    for (const ending of ["value", "ERR_CORRUPT", "ERR_REGION_LOST", "ERR_BAD_REGION", "ERR_BAD_MESSAGE"])
      assert.ok((report.endings[ending] ?? 0) > 0, `calls ended in ${ending}`);
  });

  test("sequences of system calls: every call ends in a typed error or a value, and so does the process", async (t) => {
    const report = await runCampaign(1, ({ cases }) => cases < 40, undefined, SYSTEM);
    assert.deepEqual(
      report.faults.map(({ seed, what }) => `seed ${seed}: ${what}`),
      [],
    );
    t.diagnostic(`${report.calls} calls: ${JSON.stringify(report.endings)}`);
    for (const ending of [
      "value",
      "EBADF",
      "EINVAL",
      "ETIMEDOUT",
      "ERR_CLOSED",
      "ERR_REGION_LOST",
      "ERR_INVALID_ARGUMENT",
    ])
      assert.ok((report.endings[ending] ?? 0) > 0, `calls ended in ${ending}`);
    for (const call of [
      "mmap",
      "ftruncate",
      "pthread_mutex_lock",
      "sem_wait",
      "semop",
      "shmat",
      "msgrcv",
      "createViewAccessor",
    ])
      assert.ok((report.structures[call] ?? 0) > 0, `${call} was called`);
  });

  test("a fault is told: an error of the engine, an invalid answer, an exorbitant request", async () => {
    const judge = new Judge();
    await judge.call(
      "fine",
      () => 1,
      (value: number) => value === 1,
    );
    await judge.call("engine", () => (undefined as unknown as { length: number }).length);
    await judge.call("untyped", () => Promise.reject(new RangeError("Invalid typed array length")));
    await judge.call(
      "invalid",
      () => 2,
      (value: number) => value === 1,
    );
    await judge.call("exorbitant", () => new Uint8Array(2 ** 28));
    assert.deepEqual(
      judge.faults.map((fault) => fault.split(":")[0]),
      ["engine", "untyped", "invalid", "exorbitant"],
    );
    assert.deepEqual(judge.findings.endings, { value: 3, untyped: 2 });
  });

  test("an error of the engine amid system calls is a fault too", () => {
    const errors = [
      new TypeError("undefined is not a function"),
      new RangeError("Invalid typed array length"),
      new Error(),
    ];
    assert.deepEqual(errors.map(isTyped), [false, false, false]);
  });

  for (const [name, subject] of Object.entries({ REGIONS, SYSTEM }))
    test(`a process that crashes over a case is told, and what it made goes: ${name}`, async () => {
      const victim = new Victim(subject);
      const running = victim.run(1);
      victim.process.kill("SIGSEGV");
      await assert.rejects(running, /the process ended \(SIGSEGV\)/);
      await victim.end();
      assert.deepEqual(leftovers(), []);
    });
});
