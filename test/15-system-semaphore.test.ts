import assert from "node:assert/strict";
import { statSync, truncateSync, unlinkSync, writeFileSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { SystemSemaphore } from "shmkit";
import { O_CREAT, sem_close, sem_getvalue, sem_open, sem_post } from "shmkit/posix";
import { failsWith, failureOf, loose } from "./helpers/argument-failures.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { PosixPeer } from "./helpers/posix-peer.js";
import { ProcessMember } from "./helpers/process-member.js";
import { hasPython, runPython } from "./helpers/python.js";

const MAX = 2 ** 31 - 1;
const peer = new PosixPeer();
const nameIt = (): string => uniqueRegionName("system");

/** A new one, which the test closes and unlinks. */
function semaphore(t: TestContext, initial = 0): SystemSemaphore {
  const made = SystemSemaphore.create(nameIt(), { initial });
  t.after(() => {
    made.close();
    made.unlink();
  });
  return made;
}

async function failsWithCode(code: string, call: () => unknown) {
  const error = await failureOf(async () => call());
  assert.equal(error.code, code, error.message);
  return error;
}

describe("making and opening", () => {
  test("each verb, what exists and what does not; values that are kept, or begin anew", async (t) => {
    const made = semaphore(t, 3);
    const { name, path } = made;
    assert.deepEqual([path, made.value, statSync(path).mode & 0o777], [`/dev/shm/sem.${name}`, 3, 0o600]);
    assert.equal((await failsWithCode("ERR_EXISTS", () => SystemSemaphore.create(name))).path, path);
    await failsWithCode("ERR_NOT_FOUND", () => SystemSemaphore.open(nameIt()));
    const joined = [SystemSemaphore.open(name), SystemSemaphore.openOrCreate(name, { initial: 9 })];
    assert.deepEqual(
      joined.map(({ value }) => value),
      [3, 3],
    );
    const next = SystemSemaphore.replace(name, { initial: 5 });
    next.release();
    assert.deepEqual([next.value, made.value], [6, 3]);
    for (const one of [...joined, next]) one.close();
    assert.deepEqual([made.unlink(), made.unlink()], [true, false]);
    for (const verb of ["openOrCreate", "replace"] as const) {
      const first = SystemSemaphore[verb](nameIt());
      assert.equal(first.value, 0);
      first.close();
      assert.equal(first.unlink(), true);
    }
  });

  test("names that are none, values that are none, a file that is no semaphore", async (t) => {
    for (const verb of ["create", "open", "openOrCreate", "replace"])
      for (const name of ["", "/a", ".", "a\0", "x".repeat(252), 5, null])
        await failsWith(() => loose(SystemSemaphore, verb)(name), "ERR_INVALID_NAME");
    for (const initial of [-1, MAX + 1, 0.5])
      await failsWith(() => SystemSemaphore.create(nameIt(), { initial }), "ERR_OUT_OF_RANGE", RangeError);
    await failsWith(() => SystemSemaphore.create(nameIt(), { mode: 0o1000 }), "ERR_OUT_OF_RANGE", RangeError);
    const name = nameIt();
    writeFileSync(`/dev/shm/sem.${name}`, "no semaphore");
    t.after(() => unlinkSync(`/dev/shm/sem.${name}`));
    await failsWithCode("ERR_CORRUPT", () => SystemSemaphore.open(name));
  });
});

describe("acquiring and releasing", () => {
  test("counts, in all forms; a deadline and a signal end a wait and take nothing", async (t) => {
    const made = semaphore(t, 2);
    await made.acquire();
    made.acquireSync({ timeoutMs: 0 });
    assert.deepEqual([made.tryAcquire(), made.value], [false, 0]);
    const error = await failsWithCode("ERR_TIMEOUT", () => made.acquire({ timeoutMs: 10 }));
    assert.equal(error.name, "TimeoutError");
    await failsWithCode("ERR_TIMEOUT", () => made.acquireSync({ timeoutMs: 10 }));
    const reason = new Error("enough");
    await assert.rejects(made.acquire({ signal: AbortSignal.abort(reason) }), reason);
    const waits = [made.acquire(), made.acquire({ timeoutMs: 1e9 })];
    made.release(3);
    await Promise.all(waits);
    assert.deepEqual([made.tryAcquire(), made.tryAcquire()], [true, false]);
    // The last but one would block the thread for minutes.
    for (const count of [0, -1, 1.5, MAX, MAX + 1])
      await failsWith(() => made.release(count), "ERR_OUT_OF_RANGE", RangeError);
    const full = semaphore(t, MAX);
    await failsWithCode("ERR_OUT_OF_RANGE", () => full.release());
    assert.equal(full.value, MAX);
  });

  test("closing ends waits; afterwards everything is ERR_CLOSED, and unlink() works", async () => {
    const made = SystemSemaphore.create(nameIt());
    const waiting = failsWithCode("ERR_CLOSED", () => made.acquire());
    made.close();
    made.close();
    made[Symbol.dispose]();
    await waiting;
    for (const call of [() => made.value, () => made.tryAcquire(), () => made.acquireSync(), () => made.acquire()])
      await failsWithCode("ERR_CLOSED", call);
    await failsWithCode("ERR_CLOSED", () => made.release());
    assert.equal(made.unlink(), true);
  });

  test("a file that is cut off is told", async (t) => {
    const made = semaphore(t);
    truncateSync(made.path, 0);
    for (const call of [() => made.value, () => made.tryAcquire(), () => made.release(), () => made.acquire()])
      await failsWithCode("ERR_REGION_LOST", call);
  });
});

describe("between programs", () => {
  test("a process takes what this one gives; what a dead one had does not come back", async (t) => {
    const made = semaphore(t, 1);
    const member = await ProcessMember.start();
    const taken = member.run(async ({ shmkit }, name) => {
      const semaphore = shmkit.SystemSemaphore.open(name);
      await semaphore.acquire();
      await semaphore.acquire();
      return semaphore.value;
    }, made.name);
    made.release();
    assert.equal(await taken, 0);
    await member.kill();
    assert.equal(made.value, 0);
  });

  test("a program in C, and the same calls under their own names", async (t) => {
    const made = semaphore(t);
    const ended = peer.run(["semaphore", `/${made.name}`]);
    made.release();
    assert.deepEqual(await ended, { code: 0, output: "taken" });
    assert.equal(made.value, 2);
    const sem = sem_open(`/${made.name}`, O_CREAT);
    sem_post(sem);
    assert.deepEqual([made.value, sem_getvalue(sem)], [3, 3]);
    sem_close(sem);
  });

  test("Python's multiprocessing has the same", (t) => {
    if (!hasPython(t)) return;
    const made = semaphore(t, 1);
    const answer = runPython(
      `import json, sys
from _multiprocessing import SemLock
lock = SemLock._rebuild(0, 1, 2**31 - 1, "/" + sys.argv[1])
lock.acquire()
print(json.dumps(lock.acquire(False)))
for _ in range(3): lock.release()`,
      made.name,
    );
    assert.deepEqual([answer, made.value], [false, 3]);
  });
});
