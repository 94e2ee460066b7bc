import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { truncateSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import {
  close,
  ftruncate,
  MAP_PRIVATE,
  MAP_SHARED,
  mmap,
  mprotect,
  munmap,
  O_CREAT,
  O_EXCL,
  O_RDWR,
  PROT_READ,
  PROT_WRITE,
  pthread_mutex_at,
  pthread_mutex_consistent,
  pthread_mutex_destroy,
  pthread_mutex_init,
  pthread_mutex_lock,
  pthread_mutex_lockSync,
  pthread_mutex_trylock,
  pthread_mutex_unlock,
  PTHREAD_MUTEX_ERRORCHECK,
  PTHREAD_MUTEX_NORMAL,
  PTHREAD_MUTEX_RECURSIVE,
  PTHREAD_MUTEX_ROBUST,
  PTHREAD_MUTEX_STALLED,
  type PthreadMutex,
  type PthreadMutexAttributes,
  shm_open,
  shm_unlink,
  SIZEOF_PTHREAD_MUTEX_T,
  type SystemCallError,
} from "shmkit/posix";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import { PosixPeer } from "./helpers/posix-peer.js";
import { messageOf } from "./helpers/spoken.js";
import { failsWithCode } from "./helpers/system-call-failure.js";

const PAGE = 4096;
/** Where the peer in C has its mutex. */
const PLACE = 64;
const READ_WRITE = PROT_READ | PROT_WRITE;
const ROBUST: PthreadMutexAttributes = { robust: PTHREAD_MUTEX_ROBUST };
const KINDS = [PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_RECURSIVE].flatMap((type) =>
  [PTHREAD_MUTEX_STALLED, PTHREAD_MUTEX_ROBUST].map((robust) => ({ type, robust })),
);
const peer = new PosixPeer();

afterEach(() => {
  for (const name of leftovers()) shm_unlink(`/${name}`);
});

interface Shared {
  readonly name: string;
  readonly memory: Uint8Array;
  readonly words: Int32Array;
  readonly place: Uint8Array;
}

function shared(): Shared {
  const name = `/${uniqueRegionName("mutex")}`;
  const fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL);
  ftruncate(fd, PAGE);
  const memory = new Uint8Array(mmap(PAGE, READ_WRITE, MAP_SHARED, fd));
  close(fd);
  return { name, memory, words: new Int32Array(memory.buffer), place: memory.subarray(PLACE) };
}

/** The same memory once more, as somebody else has it. */
function again(name: string): Uint8Array {
  const fd = shm_open(name, O_RDWR);
  const memory = new Uint8Array(mmap(PAGE, READ_WRITE, MAP_SHARED, fd));
  close(fd);
  return memory;
}

/** A worker that does something with the mutex at the peer's place, and says so. */
function inWorker(name: string, doing: string): Worker {
  return new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
     import("shmkit/posix").then(async (posix) => {
       const fd = posix.shm_open(workerData, posix.O_RDWR);
       const memory = new Uint8Array(posix.mmap(${PAGE}, ${READ_WRITE}, ${MAP_SHARED}, fd));
       const mutex = posix.pthread_mutex_at(memory.subarray(${PLACE}));
       const say = (words) => parentPort.postMessage(words);
       ${doing}
     })`,
    { eval: true, workerData: name },
  );
}

describe("locking", () => {
  test("each kind is locked, refused to others, and unlocked; only by who has it", async () => {
    for (const kind of KINDS) {
      const { name, memory, place } = shared();
      const mutex = pthread_mutex_init(place, kind);
      assert.equal(await pthread_mutex_lock(mutex), "locked");
      // Also through another mapping of it, which this thread has not locked it by.
      const other = pthread_mutex_at(again(name).subarray(PLACE));
      failsWithCode("EPERM", () => pthread_mutex_unlock(other));
      failsWithCode("EPERM", () => pthread_mutex_consistent(other));
      failsWithCode("EBUSY", () => pthread_mutex_destroy(mutex));
      failsWithCode("EBUSY", () => pthread_mutex_init(place, kind));
      pthread_mutex_unlock(mutex);
      failsWithCode("EPERM", () => pthread_mutex_unlock(mutex));
      failsWithCode("EPERM", () => pthread_mutex_consistent(mutex));
      assert.equal(pthread_mutex_trylock(mutex), "locked");
      failsWithCode("EINVAL", () => pthread_mutex_consistent(mutex));
      pthread_mutex_unlock(mutex);
      pthread_mutex_destroy(mutex);
      failsWithCode("EINVAL", () => pthread_mutex_trylock(mutex));
      failsWithCode("EINVAL", () => pthread_mutex_trylock(pthread_mutex_at(place)));
      munmap(memory);
    }
  });

  test("refused to another thread", async () => {
    for (const kind of [ROBUST, {}]) {
      const { name, place } = shared();
      const mutex = pthread_mutex_init(place, kind);
      pthread_mutex_lockSync(mutex);
      const other = inWorker(
        name,
        `for (const call of [posix.pthread_mutex_trylock, posix.pthread_mutex_unlock])
           try { call(mutex); say("no error") } catch (error) { say(error.code) }`,
      );
      const said: unknown[] = [];
      other.on("message", (word) => said.push(word));
      await once(other, "exit");
      assert.deepEqual(said, ["EBUSY", "EPERM"]);
      pthread_mutex_unlock(mutex);
    }
  });

  test("again by the thread that has it: a second time, never, or EDEADLK", async () => {
    for (const kind of KINDS) {
      const { memory, place } = shared();
      const mutex = pthread_mutex_init(place, kind);
      pthread_mutex_lockSync(mutex);
      if (kind.type === PTHREAD_MUTEX_RECURSIVE) {
        pthread_mutex_lockSync(mutex);
        await pthread_mutex_lock(mutex);
        pthread_mutex_trylock(mutex);
        for (let times = 0; times < 3; times++) pthread_mutex_unlock(mutex);
      } else {
        const code = kind.type === PTHREAD_MUTEX_NORMAL ? "ETIMEDOUT" : "EDEADLK";
        failsWithCode("EDEADLK", () => pthread_mutex_lockSync(mutex));
        failsWithCode("EBUSY", () => pthread_mutex_trylock(mutex));
        await assert.rejects(pthread_mutex_lock(mutex, { timeoutMs: 5 }), { code, syscall: "pthread_mutex_lock" });
      }
      failsWithCode("EBUSY", () => munmap(memory));
      pthread_mutex_unlock(mutex);
      munmap(memory);
    }
  });

  test("tasks of one thread take turns, and none is left out", async () => {
    const { words, place } = shared();
    const mutex = pthread_mutex_init(place, ROBUST);
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        await pthread_mutex_lock(mutex);
        const before = words[0];
        await sleep(0);
        words[0] = before + 1;
        pthread_mutex_unlock(mutex);
      }),
    );
    assert.equal(words[0], 20);
  });

  test("a program in C, threads and tasks exclude each other", async () => {
    for (const robust of [PTHREAD_MUTEX_ROBUST, PTHREAD_MUTEX_STALLED]) {
      const { name, words, place } = shared();
      const mutex = pthread_mutex_init(place, { robust });
      const ended = peer.run(["count", name, "20000"]);
      const worker = inWorker(
        name,
        `const words = new Int32Array(memory.buffer);
         for (let i = 0; i < 5000; i++) { posix.pthread_mutex_lockSync(mutex); words[0] += 1; posix.pthread_mutex_unlock(mutex); }`,
      );
      const worked = once(worker, "exit");
      for (let times = 0; times < 1000; times++) {
        await pthread_mutex_lock(mutex);
        words[0] += 1;
        pthread_mutex_unlock(mutex);
      }
      await worked;
      assert.deepEqual(await ended, { code: 0, output: "0" });
      assert.equal(words[0], 26000);
    }
  });

  test("a deadline, a signal and the end of its memory end a wait; nobody has it then", async () => {
    const { name, memory, place } = shared();
    const mutex = pthread_mutex_init(place, ROBUST);
    const holder = peer.start(["hold", name]);
    await holder.said;
    for (const timeoutMs of [0, 20]) {
      await assert.rejects(pthread_mutex_lock(mutex, { timeoutMs }), { code: "ETIMEDOUT" });
      failsWithCode("ETIMEDOUT", () => pthread_mutex_lockSync(mutex, { timeoutMs }));
    }
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = assert.rejects(pthread_mutex_lock(mutex, { signal: controller.signal }), reason);
    await sleep(5);
    controller.abort(reason);
    await aborted;
    await assert.rejects(pthread_mutex_lock(mutex, { signal: AbortSignal.abort(reason) }), reason);
    await assert.rejects(pthread_mutex_lock(mutex, { timeout: 1 } as never), { code: "ERR_UNKNOWN_OPTION" });
    const ended = assert.rejects(pthread_mutex_lock(mutex), { code: "EINVAL" });
    munmap(memory);
    await ended;
    failsWithCode("EINVAL", () => pthread_mutex_trylock(mutex));
    holder.kill();
    await holder.ended;
  });

  test("made by a program in C", async () => {
    const { name, place } = shared();
    assert.equal((await peer.run(["make", name])).code, 0);
    const mutex = pthread_mutex_at(place);
    pthread_mutex_lockSync(mutex);
    pthread_mutex_lockSync(mutex);
    pthread_mutex_unlock(mutex);
    pthread_mutex_unlock(mutex);
    assert.equal((await peer.run(["count", name, "1"])).code, 0);
  });

  test("a place that cannot be, and an argument that is none", () => {
    const { memory, place } = shared();
    failsWithCode("EINVAL", () => pthread_mutex_init(memory.subarray(PLACE + 4)));
    failsWithCode("EINVAL", () => pthread_mutex_at(memory.subarray(PAGE - SIZEOF_PTHREAD_MUTEX_T + 8)));
    pthread_mutex_init(memory.subarray(PAGE - SIZEOF_PTHREAD_MUTEX_T));
    failsWithCode("EINVAL", () => pthread_mutex_init(place, { type: 77 }));
    failsWithCode("EINVAL", () => pthread_mutex_init(place, { robust: 77 }));
    assert.throws(() => pthread_mutex_init(new Uint8Array(PAGE)), { code: "ERR_INVALID_ARGUMENT" });
    assert.throws(() => pthread_mutex_unlock({ id: 1 } as never), { code: "ERR_INVALID_ARGUMENT" });
    const fd = shm_open(`/${uniqueRegionName("mutex")}`, O_RDWR | O_CREAT | O_EXCL);
    ftruncate(fd, PAGE);
    for (const [prot, flags] of [
      [PROT_READ, MAP_SHARED],
      [READ_WRITE, MAP_PRIVATE],
    ])
      failsWithCode("EROFS", () => pthread_mutex_init(mmap(PAGE, prot, flags, fd)));
    close(fd);
  });
});

describe("an owner that dies", () => {
  test("is told to one, who repairs it, or to nobody afterwards", async () => {
    for (const repairs of [true, false])
      for (const form of ["async", "sync", "try"]) {
        const { name, place } = shared();
        const mutex = pthread_mutex_init(place, ROBUST);
        const holder = peer.start(["hold", name]);
        await holder.said;
        failsWithCode("EBUSY", () => pthread_mutex_trylock(mutex));
        const waits = form === "async" ? pthread_mutex_lock(mutex) : undefined;
        holder.kill();
        await holder.ended;
        const locked = waits ?? (form === "sync" ? pthread_mutex_lockSync(mutex) : pthread_mutex_trylock(mutex));
        assert.equal(await locked, "EOWNERDEAD");
        if (repairs) pthread_mutex_consistent(mutex);
        pthread_mutex_unlock(mutex);
        if (repairs) assert.deepEqual(await peer.run(["count", name, "5"]), { code: 0, output: "0" });
        else {
          await assert.rejects(pthread_mutex_lock(mutex), { code: "ENOTRECOVERABLE" });
          failsWithCode("ENOTRECOVERABLE", () => pthread_mutex_lockSync(mutex));
          failsWithCode("ENOTRECOVERABLE", () => pthread_mutex_trylock(mutex));
        }
      }
  });

  test("one that is not robust is taken by nobody any more", async () => {
    const { name, place } = shared();
    const mutex = pthread_mutex_init(place);
    const holder = peer.start(["hold", name]);
    await holder.said;
    holder.kill();
    await holder.ended;
    failsWithCode("ETIMEDOUT", () => pthread_mutex_lockSync(mutex, { timeoutMs: 60 }));
  });

  test("a worker, and a process, that end or are killed with it leave it as a dead owner does", async () => {
    const endings = [
      ["worker", "parentPort.unref()"],
      ["worker", "process.exit()"],
      ["terminated", "setInterval(() => {}, 1000)"],
      ["process", "undefined"],
      ["process", "process.exit()"],
      ["process", "process.kill(process.pid, 'SIGKILL')"],
    ] as const;
    await Promise.all(
      endings.map(async ([who, how]) => {
        const { name, place } = shared();
        const mutex = pthread_mutex_init(place, ROBUST);
        const waits = pthread_mutex_trylock(mutex);
        assert.equal(waits, "locked");
        pthread_mutex_unlock(mutex);
        const doing = `posix.pthread_mutex_lockSync(mutex); say("locked"); ${how}`;
        if (who === "process") {
          const program = `import("shmkit/posix").then((posix) => {
            const memory = new Uint8Array(posix.mmap(${PAGE}, ${READ_WRITE}, ${MAP_SHARED}, posix.shm_open("${name}", posix.O_RDWR)));
            const mutex = posix.pthread_mutex_at(memory.subarray(${PLACE}));
            const say = () => {};
            ${doing}
          })`;
          await once(spawn(process.execPath, ["-e", program], { stdio: "inherit" }), "exit");
        } else {
          const worker = inWorker(name, doing);
          const ended = once(worker, "exit");
          await messageOf(worker);
          if (who === "terminated") {
            failsWithCode("EBUSY", () => pthread_mutex_trylock(mutex));
            await worker.terminate();
          }
          await ended;
        }
        assert.equal(await pthread_mutex_lock(mutex, { timeoutMs: 10_000 }), "EOWNERDEAD", `${who} ${how}`);
        pthread_mutex_consistent(mutex);
        pthread_mutex_unlock(mutex);
      }),
    );
  });

  test("a worker that waits for it can be terminated", async () => {
    const { name, place } = shared();
    const mutex = pthread_mutex_init(place, ROBUST);
    pthread_mutex_lockSync(mutex);
    for (const form of ["lock", "lockSync"]) {
      const worker = inWorker(name, `say("waits"); await posix.pthread_mutex_${form}(mutex);`);
      await messageOf(worker);
      await sleep(5);
      await worker.terminate();
    }
    pthread_mutex_unlock(mutex);
    assert.equal(pthread_mutex_trylock(mutex), "locked");
    pthread_mutex_unlock(mutex);
  });
});

describe("damage", () => {
  test("whatever is written over a mutex that this thread has, no call ends the process, and others keep working", () => {
    const values = [0, -1, 1, 0x7fffffff, 0x40000000, process.pid, 0x1000, 128, 144];
    for (const kind of KINDS)
      for (let word = 0; word < SIZEOF_PTHREAD_MUTEX_T / 4; word++)
        for (const value of values) {
          const { name, memory, place } = shared();
          const other = again(name);
          const [mutex, older, newer] = [PLACE, 1024, 2048].map((at) => pthread_mutex_init(memory.subarray(at), kind));
          for (const each of [older, mutex, newer]) pthread_mutex_trylock(each);
          new Int32Array(other.buffer)[PLACE / 4 + word] = value;
          for (const call of [
            pthread_mutex_trylock,
            pthread_mutex_consistent,
            pthread_mutex_unlock,
            pthread_mutex_unlock,
          ])
            attempt(() => call(mutex));
          attempt(() => pthread_mutex_lockSync(mutex, { timeoutMs: 0 }));
          for (const each of [older, newer]) pthread_mutex_unlock(each);
          for (const each of [older, newer]) assert.equal(pthread_mutex_trylock(each), "locked");
          for (const each of [newer, older]) pthread_mutex_unlock(each);
          place.fill(0, 0, SIZEOF_PTHREAD_MUTEX_T);
          attempt(() => pthread_mutex_unlock(mutex));
          munmap(memory);
          munmap(other);
          shm_unlink(name);
        }
  });

  test("bytes that are no mutex of several processes", async () => {
    const { memory, place } = shared();
    const mutex = pthread_mutex_at(place);
    for (const fill of [0, 1, 32, 64, 255]) {
      place.fill(fill);
      for (const call of [pthread_mutex_trylock, pthread_mutex_lockSync, pthread_mutex_unlock, pthread_mutex_destroy])
        failsWithCode("EINVAL", () => call(mutex));
      await assert.rejects(pthread_mutex_lock(mutex), { code: "EINVAL" });
    }
    munmap(memory);
  });

  test("the number of this thread, written by somebody who has the same one elsewhere, lets nobody in", () => {
    for (const kind of KINDS) {
      const { memory, words, place } = shared();
      const mutex = pthread_mutex_init(place, kind);
      pthread_mutex_trylock(mutex);
      const before = words.slice(PLACE / 4, (PLACE + SIZEOF_PTHREAD_MUTEX_T) / 4);
      pthread_mutex_unlock(mutex);
      words.set(before, PLACE / 4);
      failsWithCode("EBUSY", () => pthread_mutex_trylock(mutex));
      failsWithCode("ETIMEDOUT", () => pthread_mutex_lockSync(mutex, { timeoutMs: 2 }));
      failsWithCode("EPERM", () => pthread_mutex_unlock(mutex));
      munmap(memory);
    }
  });

  test("a file that is cut off under mutexes that are locked, and waited for", async () => {
    const { name, memory, place } = shared();
    const kept = shared();
    const safe = pthread_mutex_init(kept.place, ROBUST);
    const mutex = pthread_mutex_init(place, ROBUST);
    pthread_mutex_lockSync(mutex);
    pthread_mutex_lockSync(safe);
    truncateSync(`/dev/shm${name}`, 0);
    for (const call of [pthread_mutex_trylock, pthread_mutex_lockSync, pthread_mutex_unlock])
      failsWithCode("EIO", () => call(mutex));
    pthread_mutex_unlock(safe);
    assert.equal(pthread_mutex_trylock(safe), "locked");
    pthread_mutex_unlock(safe);
    munmap(memory);
    const other = shared();
    const waited = pthread_mutex_init(other.place, ROBUST);
    const holder = peer.start(["hold", other.name]);
    await holder.said;
    const ended = assert.rejects(pthread_mutex_lock(waited), { code: "EIO" });
    truncateSync(`/dev/shm${other.name}`, 0);
    await ended;
    holder.kill();
    await holder.ended;
  });

  test("a file that is cut off in the midst of locking and unlocking ends no process", async () => {
    const name = `/${uniqueRegionName("mutex")}`;
    const fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL);
    const cutter = peer.start(["cut", name]);
    assert.equal(await cutter.said, "cuts");
    for (const kind of [{ type: PTHREAD_MUTEX_RECURSIVE }, ROBUST])
      for (let round = 0; round < 600; round++) {
        ftruncate(fd, PAGE);
        const memory = mmap(PAGE, READ_WRITE, MAP_SHARED, fd);
        const codes: string[] = [];
        try {
          const mutex = pthread_mutex_init(memory, kind);
          for (;;) {
            if (pthread_mutex_lockSync(mutex, { timeoutMs: 1 }) === "EOWNERDEAD") pthread_mutex_consistent(mutex);
            pthread_mutex_unlock(mutex);
          }
        } catch (error) {
          codes.push((error as SystemCallError).code);
        }
        munmap(memory);
        assert.match(codes.join(), /^(EIO|EPERM|EINVAL)$/);
      }
    cutter.kill();
    await cutter.ended;
    close(fd);
  });

  test("memory with one that is locked stays as it is", () => {
    const { memory, place } = shared();
    const mutex: PthreadMutex = pthread_mutex_init(place, ROBUST);
    pthread_mutex_lockSync(mutex);
    failsWithCode("EBUSY", () => munmap(memory));
    failsWithCode("EBUSY", () => mprotect(memory, PROT_READ));
    failsWithCode("EBUSY", () => mprotect(memory, PROT_READ | PROT_WRITE));
    pthread_mutex_unlock(mutex);
    mprotect(memory, PROT_READ);
    // Pages of this process's own would keep nobody out.
    failsWithCode("EROFS", () => pthread_mutex_trylock(mutex));
    failsWithCode("EROFS", () => pthread_mutex_at(place));
    mprotect(memory, PROT_READ | PROT_WRITE);
    assert.equal(pthread_mutex_trylock(mutex), "locked");
    pthread_mutex_unlock(mutex);
    munmap(memory);
  });
});

function attempt(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    assert.ok(
      ["EPERM", "EINVAL", "EBUSY", "ETIMEDOUT", "EDEADLK", "ENOTRECOVERABLE", "EAGAIN"].includes(
        (error as { code: string }).code,
      ),
      String(error),
    );
  }
}
