import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, truncateSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import {
  CLOCK_MONOTONIC,
  close,
  ftruncate,
  MAP_SHARED,
  mmap,
  munmap,
  O_CREAT,
  O_EXCL,
  O_RDWR,
  PROT_READ,
  PROT_WRITE,
  pthread_cond_at,
  pthread_cond_broadcast,
  pthread_cond_destroy,
  pthread_cond_init,
  pthread_cond_signal,
  pthread_cond_wait,
  pthread_cond_waitSync,
  pthread_mutex_destroy,
  pthread_mutex_init,
  pthread_mutex_lock,
  pthread_mutex_lockSync,
  pthread_mutex_trylock,
  pthread_mutex_unlock,
  PTHREAD_MUTEX_RECURSIVE,
  PTHREAD_MUTEX_ROBUST,
  type PthreadCond,
  type PthreadMutex,
  shm_open,
  shm_unlink,
  SIZEOF_PTHREAD_COND_T,
} from "shmkit/posix";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import { PosixPeer } from "./helpers/posix-peer.js";
import { failsWithCode } from "./helpers/system-call-failure.js";

const PAGE = 4096;
const READ_WRITE = PROT_READ | PROT_WRITE;
/** Where the peer in C has its mutex and its condition. */
const [MUTEX, CONDITION] = [64, 128];
const peer = new PosixPeer();

afterEach(() => {
  for (const name of leftovers()) shm_unlink(`/${name}`);
});

interface Shared {
  readonly name: string;
  readonly memory: Uint8Array;
  readonly words: Int32Array;
  readonly mutex: PthreadMutex;
  readonly cond: PthreadCond;
}

function shared(): Shared {
  const name = `/${uniqueRegionName("condition")}`;
  const fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL);
  ftruncate(fd, PAGE);
  const memory = new Uint8Array(mmap(PAGE, READ_WRITE, MAP_SHARED, fd));
  close(fd);
  const mutex = pthread_mutex_init(memory.subarray(MUTEX), { robust: PTHREAD_MUTEX_ROBUST });
  return {
    name,
    memory,
    words: new Int32Array(memory.buffer),
    mutex,
    cond: pthread_cond_init(memory.subarray(CONDITION)),
  };
}

/** A worker with the mutex and the condition. */
function inWorker(name: string, doing: string): Worker {
  return new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     import("shmkit/posix").then(async (posix) => {
       const fd = posix.shm_open(workerData, posix.O_RDWR);
       const memory = new Uint8Array(posix.mmap(${PAGE}, ${READ_WRITE}, ${MAP_SHARED}, fd));
       const words = new Int32Array(memory.buffer);
       const mutex = posix.pthread_mutex_at(memory.subarray(${MUTEX}));
       const cond = posix.pthread_cond_at(memory.subarray(${CONDITION}));
       ${doing}
     })`,
    { eval: true, workerData: name },
  );
}

const FORMS = [pthread_cond_wait, pthread_cond_waitSync];
/** Both forms, as a promise. */
const waitBy = async (form: (typeof FORMS)[number], ...args: Parameters<typeof pthread_cond_wait>): Promise<string> =>
  form(...args);

describe("conditions", () => {
  test("a program in C waits, is woken, and wakes", async () => {
    for (const form of FORMS)
      for (const wake of [pthread_cond_signal, pthread_cond_broadcast]) {
        const { name, words, mutex, cond } = shared();
        const waiter = peer.start(["answer", name]);
        await waiter.said;
        await pthread_mutex_lock(mutex);
        words[0] = 1;
        wake(cond);
        assert.equal(await waitBy(form, cond, mutex, () => words[1] === 1), "locked");
        pthread_mutex_unlock(mutex);
        assert.deepEqual(await waiter.ended, { code: 0, output: "waits" });
      }
  });

  test("passed to and fro between threads, in both forms; no wake-up is lost", async () => {
    const ROUNDS = 100;
    for (const form of FORMS) {
      const { name, words, mutex, cond } = shared();
      const worker = inWorker(
        name,
        `for (let round = 0; round < ${ROUNDS}; round++) {
           posix.pthread_mutex_lockSync(mutex);
           posix.pthread_cond_waitSync(cond, mutex, () => words[0] === 2 * round + 1);
           words[0]++;
           posix.pthread_cond_signal(cond);
           posix.pthread_mutex_unlock(mutex);
         }`,
      );
      const ended = once(worker, "exit");
      for (let round = 0; round < ROUNDS; round++) {
        await pthread_mutex_lock(mutex);
        words[0]++;
        pthread_cond_signal(cond);
        await waitBy(form, cond, mutex, () => words[0] === 2 * round + 2);
        pthread_mutex_unlock(mutex);
      }
      await ended;
      assert.equal(words[0], 2 * ROUNDS);
    }
  });

  test("a broadcast wakes all; tasks of one thread wait side by side", async () => {
    const { name, words, mutex, cond } = shared();
    const waiters = Array.from({ length: 3 }, () => peer.start(["answer", name]));
    await Promise.all(waiters.map(({ said }) => said));
    const tasks = Array.from({ length: 5 }, async () => {
      await pthread_mutex_lock(mutex);
      await pthread_cond_wait(cond, mutex, () => words[0] === 1);
      words[2]++;
      pthread_mutex_unlock(mutex);
    });
    await sleep(5);
    await pthread_mutex_lock(mutex);
    words[0] = 1;
    pthread_cond_broadcast(cond);
    pthread_mutex_unlock(mutex);
    await Promise.all(tasks);
    for (const { ended } of waiters) assert.equal((await ended).code, 0);
    assert.equal(words[2], 5);
  });

  test("however a wait ends, the mutex is locked", async () => {
    const { words, mutex, cond } = shared();
    const reason = new Error("enough");
    const throws = (): never => {
      throw reason;
    };
    await pthread_mutex_lock(mutex);
    for (const form of FORMS) {
      assert.equal(await waitBy(form, cond, mutex, () => true), "locked");
      for (const timeoutMs of [0, 20, 60])
        await assert.rejects(
          waitBy(form, cond, mutex, () => false, { timeoutMs }),
          { code: "ETIMEDOUT" },
        );
      await assert.rejects(waitBy(form, cond, mutex, throws), reason);
      await assert.rejects(
        waitBy(form, cond, mutex, () => false, { signal: AbortSignal.abort(reason) }),
        reason,
      );
      pthread_mutex_unlock(mutex);
      await assert.rejects(waitBy(form, cond, mutex, throws), { code: "EPERM" });
      await pthread_mutex_lock(mutex);
    }
    const controller = new AbortController();
    const aborted = assert.rejects(
      pthread_cond_wait(cond, mutex, () => false, { signal: controller.signal }),
      reason,
    );
    await sleep(5);
    assert.equal(pthread_mutex_trylock(mutex), "locked");
    pthread_mutex_unlock(mutex);
    controller.abort(reason);
    await aborted;
    words[0] = 1;
    pthread_mutex_unlock(mutex);
    failsWithCode("EPERM", () => pthread_mutex_unlock(mutex));
  });

  test("the next who has the mutex of a dead owner is told, also at the end of a wait", async () => {
    for (const form of FORMS) {
      const { name, mutex, cond } = shared();
      await pthread_mutex_lock(mutex);
      const ended = peer.run(["die", name]);
      assert.equal(await waitBy(form, cond, mutex, () => false), "EOWNERDEAD");
      assert.equal((await ended).code, 0);
      pthread_mutex_unlock(mutex);
    }
  });

  test("a process that is killed while it waits makes glibc's wake-ups wait for ever, and ours end with EAGAIN", async () => {
    const { name, words, mutex, cond } = shared();
    const killed = peer.start(["enter", name]);
    await killed.said;
    // It has entered the condition when it has given up the mutex, and sleeps there soon.
    await pthread_mutex_lock(mutex);
    pthread_mutex_unlock(mutex);
    while (!isAsleep(killed.pid)) await sleep(1);
    killed.kill();
    await killed.ended;
    pthread_cond_signal(cond);
    const waiter = peer.start(["answer", name]);
    await waiter.said;
    await pthread_mutex_lock(mutex);
    words[0] = 1;
    const codes = [pthread_cond_signal, pthread_cond_broadcast].map((wake) => codeOf(() => wake(cond)));
    pthread_mutex_unlock(mutex);
    const expected = waitsForTheDead() ? ["EAGAIN", "EAGAIN"] : [undefined, undefined];
    assert.deepEqual(codes, expected);
    waiter.kill();
    await waiter.ended;
  });

  test("a worker that waits is terminated, and a process that waits exits; those who go on are woken", async () => {
    const { name, words, mutex, cond } = shared();
    for (const form of ["wait", "waitSync"]) {
      const worker = inWorker(
        name,
        `if ((await posix.pthread_mutex_lock(mutex)) === "EOWNERDEAD") posix.pthread_mutex_consistent(mutex);
         words[3]++;
         await posix.pthread_cond_${form}(cond, mutex, () => false);`,
      );
      while (words[3] === 0) await sleep(1);
      words[3] = 0;
      // Who has the mutex knows that the worker has given it up, and waits.
      await pthread_mutex_lock(mutex);
      pthread_mutex_unlock(mutex);
      // It may have it just then, to look: then it is a dead owner.
      await worker.terminate();
    }
    const waiter = peer.start(["answer", name]);
    await waiter.said;
    await pthread_mutex_lock(mutex);
    words[0] = 1;
    for (let times = 0; times < 4; times++) pthread_cond_signal(cond);
    pthread_mutex_unlock(mutex);
    assert.equal((await waiter.ended).code, 0);
  });

  test("places and arguments that cannot be; memory, mutex or condition that go away meanwhile", async () => {
    const { memory, mutex, cond } = shared();
    failsWithCode("EINVAL", () => pthread_cond_init(memory.subarray(MUTEX + 4)));
    failsWithCode("EINVAL", () => pthread_cond_at(memory.subarray(PAGE - SIZEOF_PTHREAD_COND_T + 8)));
    failsWithCode("EINVAL", () => pthread_cond_init(memory.subarray(1024), { clock: 77 }));
    for (const init of [pthread_cond_init, pthread_mutex_init])
      assert.throws(() => init(memory, null as never), { code: "ERR_INVALID_ARGUMENT" });
    pthread_cond_init(memory.subarray(PAGE - SIZEOF_PTHREAD_COND_T), { clock: CLOCK_MONOTONIC });
    assert.throws(() => pthread_cond_signal(mutex as never), { code: "ERR_INVALID_ARGUMENT" });
    await assert.rejects(pthread_cond_wait(cond, mutex, 1 as never), { code: "ERR_INVALID_ARGUMENT" });
    const twice = pthread_mutex_init(memory.subarray(1024), { type: PTHREAD_MUTEX_RECURSIVE });
    pthread_mutex_lockSync(twice);
    pthread_mutex_lockSync(twice);
    failsWithCode("EINVAL", () => pthread_cond_waitSync(cond, twice, () => false));
    pthread_mutex_unlock(twice);
    pthread_mutex_unlock(twice);
    await pthread_mutex_lock(mutex);
    const ended = assert.rejects(
      pthread_cond_wait(cond, mutex, () => false),
      { code: "EINVAL" },
    );
    pthread_cond_destroy(cond);
    await ended;
    failsWithCode("EINVAL", () => pthread_cond_broadcast(cond));
    pthread_mutex_unlock(mutex);
    const other = shared();
    await pthread_mutex_lock(other.mutex);
    const gone = assert.rejects(
      pthread_cond_wait(other.cond, other.mutex, () => false),
      { code: "EINVAL" },
    );
    munmap(other.memory);
    await gone;
    const destroyed = shared();
    await pthread_mutex_lock(destroyed.mutex);
    const without = assert.rejects(
      pthread_cond_wait(destroyed.cond, destroyed.mutex, () => false),
      { code: "EINVAL" },
    );
    pthread_mutex_destroy(destroyed.mutex);
    await without;
    const cut = shared();
    await pthread_mutex_lock(cut.mutex);
    const lost = assert.rejects(
      pthread_cond_wait(cut.cond, cut.mutex, () => false),
      { code: "EIO" },
    );
    truncateSync(`/dev/shm${cut.name}`, 0);
    await lost;
    failsWithCode("EIO", () => pthread_cond_signal(cut.cond));
  });

  test("bytes that are no condition end no call for ever, and no process", () => {
    for (const fill of [0, 1, 3, 0x7f, 0xff]) {
      const { memory, mutex } = shared();
      memory.fill(fill, CONDITION, CONDITION + SIZEOF_PTHREAD_COND_T);
      const cond = pthread_cond_at(memory.subarray(CONDITION));
      pthread_mutex_lockSync(mutex);
      for (const call of [
        () => pthread_cond_waitSync(cond, mutex, () => false, { timeoutMs: 20 }),
        () => pthread_cond_signal(cond),
        () => pthread_cond_broadcast(cond),
      ])
        assert.ok([undefined, "ETIMEDOUT", "EAGAIN", "EINVAL"].includes(codeOf(call)));
      pthread_mutex_unlock(mutex);
    }
  });
});

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Whether a process sleeps in a call of the system. */
const isAsleep = (pid: number): boolean => /^State:\s+S/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));

/** Whether pthread_cond_signal of this C library waits for waiters that were killed: glibc before 2.41. */
function waitsForTheDead(): boolean {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  const [major, minor] = (header.glibcVersionRuntime ?? "9.9").split(".").map(Number);
  return major === 2 && minor < 41;
}
