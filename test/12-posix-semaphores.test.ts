import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, statSync, truncateSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import {
  close,
  ftruncate,
  MAP_SHARED,
  mmap,
  munmap,
  O_CREAT,
  O_EXCL,
  O_RDWR,
  O_TRUNC,
  PROT_READ,
  PROT_WRITE,
  sem_at,
  sem_close,
  sem_destroy,
  sem_getvalue,
  sem_init,
  sem_open,
  sem_post,
  sem_trywait,
  sem_unlink,
  sem_wait,
  sem_waitSync,
  type Semaphore,
  shm_open,
  shm_unlink,
  type SystemCallError,
} from "shmkit/posix";
import { leftovers, uniqueRegionName } from "./helpers/leftovers.js";
import { refusal } from "./helpers/namespaces.js";
import { PosixPeer } from "./helpers/posix-peer.js";
import { messageOf } from "./helpers/spoken.js";
import { failsWithCode } from "./helpers/system-call-failure.js";
import { waitingThreads } from "./helpers/waiting-threads.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const PAGE = 4096;
const peer = new PosixPeer();

function named(value = 0): { name: string; sem: Semaphore } {
  const name = `/${uniqueRegionName("sem")}`;
  return { name, sem: sem_open(name, O_CREAT | O_EXCL, 0o600, value) };
}

/** Takes the name away, if somebody has not done so. */
function unlinked(name: string): void {
  try {
    sem_unlink(name);
  } catch (error) {
    assert.equal((error as SystemCallError).code, "ENOENT");
  }
}

afterEach(() => {
  for (const name of leftovers()) {
    if (name.startsWith("sem.")) sem_unlink(`/${name.slice(4)}`);
    else shm_unlink(`/${name}`);
  }
});

describe("named semaphores", () => {
  test("a name that is missing, exists, or can be none; a value that is too large", () => {
    const { name, sem } = named();
    assert.equal(sem.name, name);
    assert.ok(leftovers().includes(`sem.${name.slice(1)}`));
    failsWithCode("ENOENT", () => sem_open(`${name}-other`, 0));
    failsWithCode("EEXIST", () => sem_open(name, O_CREAT | O_EXCL));
    failsWithCode("EINVAL", () => sem_open(`${name}-new`, O_CREAT, 0o600, 2 ** 31));
    for (const none of ["/a/b", "/", ""]) failsWithCode("EINVAL", () => sem_open(none, O_CREAT));
    failsWithCode("ENAMETOOLONG", () => sem_open(`/${"x".repeat(252)}`, O_CREAT));
    sem_close(sem);
    sem_unlink(name);
    failsWithCode("ENOENT", () => sem_unlink(name));
  });

  test("counts; EAGAIN at 0, EOVERFLOW at the top, EINVAL when closed", () => {
    const { sem } = named(2);
    sem_trywait(sem);
    sem_trywait(sem);
    failsWithCode("EAGAIN", () => sem_trywait(sem));
    sem_post(sem);
    assert.equal(sem_getvalue(sem), 1);
    const { sem: full } = named(2 ** 31 - 1);
    failsWithCode("EOVERFLOW", () => sem_post(full));
    sem_close(full);
    sem_close(sem);
    for (const call of [sem_post, sem_trywait, sem_getvalue, sem_close, sem_waitSync])
      failsWithCode("EINVAL", () => call(sem));
  });

  test("one that others unlink and make meanwhile: what is made is one's own, and what may be made is never missing", async (t) => {
    const name = `/${uniqueRegionName("sem")}`;
    const done = new Int32Array(new SharedArrayBuffer(4));
    t.after(() => Atomics.store(done, 0, 1));
    const other = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       import("shmkit/posix").then(({ O_CREAT, O_EXCL, sem_close, sem_open, sem_unlink }) => {
         const ignoring = (act) => { try { return act(); } catch {} };
         parentPort.postMessage("begins");
         while (Atomics.load(workerData.done, 0) === 0) {
           ignoring(() => sem_unlink(workerData.name));
           ignoring(() => sem_close(sem_open(workerData.name, O_CREAT | O_EXCL, 0o600, 7)));
           ignoring(() => sem_unlink(workerData.name));
         }
       })`,
      { eval: true, workerData: { name, done } },
    );
    await messageOf(other);
    const endings = new Set<string>();
    const note = (act: () => unknown): void => {
      try {
        endings.add(`value ${String(act())}`);
      } catch (error) {
        endings.add((error as SystemCallError).code);
      }
    };
    for (let round = 0; round < 3000; round++) {
      sem_close(sem_open(name, O_CREAT, 0o600, 7));
      unlinked(name);
      note(() => {
        const sem = sem_open(name, O_CREAT | O_EXCL, 0o600, 1);
        const value = sem_getvalue(sem);
        sem_close(sem);
        return value;
      });
    }
    Atomics.store(done, 0, 1);
    await once(other, "exit");
    endings.delete("EEXIST");
    assert.deepEqual([...endings], ["value 1"]);
    unlinked(name);
    failsWithCode("ENOENT", () => sem_open(name, O_EXCL));
  });

  test("has the rights that the umask leaves, and nothing else is made; without /proc as well", (t) => {
    const script = `import("shmkit/posix").then(({ O_CREAT, O_EXCL, sem_getvalue, sem_open }) => {
      process.umask(0o027);
      console.log(sem_getvalue(sem_open(process.argv[1], O_CREAT | O_EXCL, 0o666, 3)));
      try { sem_open(process.argv[1], O_CREAT | O_EXCL); } catch (error) { console.log(error.code); }
    })`;
    const withoutProc = ["unshare", "-Urm", "sh", "-c", `mount -t tmpfs tmpfs /proc && exec "$@"`, "sh"];
    const refused = refusal(withoutProc);
    if (refused !== false) t.diagnostic(refused);
    for (const before of refused === false ? [[], withoutProc] : [[]]) {
      const { name } = named();
      sem_unlink(name);
      const [command, ...args] = [...before, process.execPath, "-e", script, name];
      const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
      assert.equal(stdout, "3\nEEXIST\n", stderr);
      assert.equal(statSync(`/dev/shm/sem.${name.slice(1)}`).mode & 0o777, 0o640);
      sem_unlink(name);
      assert.deepEqual(
        readdirSync("/dev/shm").filter((file) => file.endsWith(".new")),
        [],
      );
    }
  });

  test("is mapped once, however often it is opened, and no more when nobody has it", async () => {
    const { name, sem } = named(1);
    const { ino } = statSync(`/dev/shm/sem.${name.slice(1)}`);
    const mappings = (): number => readFileSync("/proc/self/maps", "utf8").split(` ${ino} `).length - 1;
    const opened = Array.from({ length: 100 }, () => sem_open(name, 0));
    assert.equal(mappings(), 1);
    sem_close(sem);
    for (const one of opened.slice(1)) sem_close(one);
    sem_post(opened[0]);
    assert.equal(sem_getvalue(opened[0]), 2);
    opened.length = 0;
    while (mappings() > 0) {
      collectGarbage();
      await sleep(1);
    }
    sem_unlink(name);
    const { name: cut, sem: lost } = named();
    truncateSync(`/dev/shm/sem.${cut.slice(1)}`, 0);
    failsWithCode("EIO", () => sem_post(lost));
    truncateSync(`/dev/shm/sem.${cut.slice(1)}`, 32);
    assert.equal(sem_getvalue(sem_open(cut, 0)), 0);
  });

  test("a program in C waits for it, and posts it", async () => {
    const { name, sem } = named();
    const ended = peer.run(["semaphore", name]);
    sem_post(sem);
    assert.deepEqual(await ended, { code: 0, output: "taken" });
    await sem_wait(sem);
    sem_waitSync(sem);
    assert.equal(sem_getvalue(sem), 0);
    sem_close(sem);
  });
});

describe("semaphores in memory", () => {
  test("made, found by others, and a program in C", async () => {
    const name = `/${uniqueRegionName("sem")}`;
    const fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL);
    ftruncate(fd, PAGE);
    const memory = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const again = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const sem = sem_init(memory.subarray(64), true, 1);
    const same = sem_at(again.subarray(64));
    sem_trywait(same);
    failsWithCode("EAGAIN", () => sem_trywait(sem));
    const ended = peer.run(["in-memory", name, "64"]);
    sem_post(same);
    assert.deepEqual(await ended, { code: 0, output: "taken" });
    assert.equal(sem_getvalue(sem), 2);
    failsWithCode("EINVAL", () => sem_init(memory.subarray(61), true, 1));
    failsWithCode("EINVAL", () => sem_at(memory.subarray(PAGE - 8)));
    failsWithCode("EINVAL", () => sem_init(memory, true, 2 ** 31));
    assert.throws(() => sem_init(new Uint8Array(32), true, 1), { code: "ERR_INVALID_ARGUMENT" });
    sem_destroy(same);
    failsWithCode("EINVAL", () => sem_post(same));
    munmap(memory);
    failsWithCode("EINVAL", () => sem_post(sem));
    munmap(again);
    close(fd);
  });

  test("contents that no semaphore has, and a file that is cut off, end no process", async () => {
    const memory = new Int32Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shmFile()));
    memory[2] = 7;
    const hostile = sem_at(memory);
    for (const call of [sem_post, sem_trywait, sem_getvalue, sem_waitSync])
      failsWithCode("EINVAL", () => call(hostile));
    await assert.rejects(sem_wait(hostile), { code: "EINVAL" });
    memory.fill(0);
    munmap(memory);
    const { name, sem } = named();
    const waits = assert.rejects(sem_wait(sem), { code: "EIO" });
    while (waitingThreads() === 0) await sleep(1);
    truncateSync(`/dev/shm/sem.${name.slice(1)}`, 0);
    await waits;
    for (const call of [sem_post, sem_trywait, sem_getvalue]) failsWithCode("EIO", () => call(sem));
    failsWithCode("EINVAL", () => sem_open(name, 0));
    failsWithCode("EINVAL", () => sem_open(name, O_TRUNC));
    sem_close(sem);
  });

  test("a file that is cut off while waits for it begin ends no process", async () => {
    const fd = shmFile();
    for (let round = 0; round < 200; round++) {
      ftruncate(fd, PAGE);
      const memory = mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
      const sem = sem_init(memory, true, 0);
      const waits = Array.from({ length: 4 }, () => assert.rejects(sem_wait(sem), { code: /^(EIO|EINVAL)$/ }));
      // The threads need so long until they sleep; what comes after the unmapping is EINVAL.
      for (const end = performance.now() + (round % 100) * 0.004; performance.now() < end;) continue;
      ftruncate(fd, 0);
      munmap(memory);
      await Promise.all(waits);
    }
  });

  test("contents that somebody writes over during a call end no process", async () => {
    const fd = shmFile();
    const memory = new Int32Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const sem = sem_init(memory, true, 0);
    memory[1] = 1; // as if somebody waited: each post makes a system call
    const writer = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       import("shmkit/posix").then(({ MAP_SHARED, mmap, PROT_READ, PROT_WRITE }) => {
         const memory = new Int32Array(mmap(${PAGE}, PROT_READ | PROT_WRITE, MAP_SHARED, workerData));
         const sound = memory[2];
         parentPort.postMessage("writes");
         while (memory[3] === 0) for (let i = 0; i < 1000; i++) memory[2] = i % 2 === 0 ? 64 : sound;
       })`,
      { eval: true, workerData: fd },
    );
    await messageOf(writer);
    const endings = new Set<string>();
    for (let i = 0; i < 300_000 || endings.size < 2; i++)
      try {
        sem_post(sem);
        endings.add("posted");
      } catch (error) {
        endings.add((error as SystemCallError).code);
      }
    memory[3] = 1;
    await once(writer, "exit");
    assert.deepEqual([...endings].sort(), ["EINVAL", "posted"]);
  });

  test("a program in C wakes who sleeps here, and is woken; whoever waits no more is counted no more", async () => {
    const name = `/${uniqueRegionName("sem")}`;
    const fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL);
    ftruncate(fd, PAGE);
    const memory = new Int32Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
    const sem = sem_init(memory, true, 0);
    const sleepers = async (count: number): Promise<void> => {
      while (memory[1] !== count) await sleep(1);
    };
    const peerEnds = peer.run(["in-memory", name, "0"]);
    await sleepers(1);
    const waits = [sem_wait(sem), sem_wait(sem)];
    await sleepers(3);
    await assert.rejects(sem_wait(sem, { timeoutMs: 5 }), { code: "ETIMEDOUT" });
    failsWithCode("ETIMEDOUT", () => sem_waitSync(sem, { timeoutMs: 5 }));
    await assert.rejects(sem_wait(sem, { signal: AbortSignal.timeout(5) }), { name: "TimeoutError" });
    assert.equal(memory[1], 3);
    sem_post(sem); // for the program, which is the first in the queue, and posts twice
    assert.deepEqual(await peerEnds, { code: 0, output: "taken" });
    await Promise.all(waits);
    assert.deepEqual([memory[0], memory[1]], [0, 0]);
    munmap(memory);
  });

  test("is kept by a semaphore in it, and by a wait for one", async () => {
    // Each in memory of its own: a wait for one would take what is posted to the other.
    const make = (): Semaphore => sem_init(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shmFile()), true, 0);
    const sem = make();
    const ended = assert.rejects((() => sem_wait(make(), { timeoutMs: 50 }))(), { code: "ETIMEDOUT" });
    for (let round = 0; round < 5; round++) {
      collectGarbage();
      await sleep(1);
    }
    sem_post(sem);
    assert.equal(sem_getvalue(sem), 1);
    await ended;
    assert.throws(() => sem_post({ id: 1 } as never), { code: "ERR_INVALID_ARGUMENT" });
  });

  test("destroying one ends the waits for it, and for no other", async () => {
    const memory = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shmFile()));
    const [one, other] = [sem_init(memory, true, 0), sem_init(memory.subarray(64), true, 0)];
    const ended = assert.rejects(sem_wait(one), { code: "EINVAL" });
    const waits = sem_wait(other);
    sem_destroy(one);
    await ended;
    sem_post(other);
    await waits;
    munmap(memory);
  });

  test("a wait ends when the memory is unmapped", async () => {
    const memory = mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, shmFile());
    const waiting = sem_wait(sem_init(memory, true, 0));
    const ended = assert.rejects(waiting, { code: "EINVAL", syscall: "sem_wait" });
    munmap(memory);
    await ended;
  });
});

/** A file of a page whose descriptor stays open until the process ends. */
function shmFile(): number {
  const fd = shm_open(`/${uniqueRegionName("file")}`, O_RDWR | O_CREAT | O_EXCL);
  ftruncate(fd, PAGE);
  return fd;
}

describe("waiting", () => {
  test("wakes for a post, in both forms", async () => {
    const { sem } = named();
    const waits = Array.from({ length: 20 }, () => sem_wait(sem));
    for (let posted = 0; posted < 20; posted++) sem_post(sem);
    await Promise.all(waits);
    assert.equal(sem_getvalue(sem), 0);
    const poster = new Worker(
      `const { workerData } = require("node:worker_threads");
       import("shmkit/posix").then(({ sem_open, sem_post }) => setTimeout(() => sem_post(sem_open(workerData, 0)), 30))`,
      { eval: true, workerData: sem.name },
    );
    sem_waitSync(sem);
    await once(poster, "exit");
    sem_close(sem);
  });

  test("a deadline and a signal end it; 0 tries once; impossible ones are refused", async () => {
    const { sem } = named();
    await assert.rejects(sem_wait(sem, { timeoutMs: 20 }), { code: "ETIMEDOUT", syscall: "sem_wait", errno: -110 });
    await assert.rejects(sem_wait(sem, { timeoutMs: 0 }), { code: "ETIMEDOUT" });
    failsWithCode("ETIMEDOUT", () => sem_waitSync(sem, { timeoutMs: 20 }));
    failsWithCode("ETIMEDOUT", () => sem_waitSync(sem, { timeoutMs: 0 }));
    const reason = new Error("enough");
    await assert.rejects(sem_wait(sem, { signal: AbortSignal.abort(reason) }), reason);
    const later = new AbortController();
    const aborted = assert.rejects(sem_wait(sem, { signal: later.signal }), reason);
    await sleep(5);
    later.abort(reason);
    await aborted;
    for (const timeoutMs of [-1, Number.NaN]) {
      await assert.rejects(sem_wait(sem, { timeoutMs }), { code: "ERR_OUT_OF_RANGE" });
      assert.throws(() => sem_waitSync(sem, { timeoutMs }), { code: "ERR_OUT_OF_RANGE" });
    }
    await assert.rejects(sem_wait(sem, { timeout: 1 } as never), { code: "ERR_UNKNOWN_OPTION" });
    sem_post(sem);
    assert.equal(sem_getvalue(sem), 1);
    sem_close(sem);
  });

  test("an abort or a timeout while the post is on its way loses nothing", async () => {
    const { sem } = named();
    let taken = 0;
    for (let round = 0; round < 200; round++) {
      const controller = new AbortController();
      const waiting = sem_wait(sem, round % 2 === 0 ? { signal: controller.signal } : { timeoutMs: 1 });
      if (round % 3 === 0) await sleep(1);
      sem_post(sem);
      controller.abort();
      await waiting.then(
        () => taken++,
        () => undefined,
      );
    }
    assert.equal(sem_getvalue(sem), 200 - taken);
    sem_close(sem);
  });

  test("closing ends the waits for it, and the threads they had", async () => {
    const { sem } = named();
    const waits = [sem_wait(sem), sem_wait(sem, { timeoutMs: 1e9 })];
    while (waitingThreads() < 2) await sleep(1);
    const ended = waits.map((wait) => assert.rejects(wait, { code: "EINVAL" }));
    sem_close(sem);
    await Promise.all(ended);
    while (waitingThreads() > 0) await sleep(1);
  });

  test("a process with a pending wait lives until it ends; a worker that waits can be terminated", async () => {
    const { name, sem } = named();
    const script = `import("shmkit/posix").then(async ({ sem_open, sem_wait }) => {
      const wait = sem_wait(sem_open(${JSON.stringify(name)}, 0));
      console.log("waiting");
      await wait;
      console.log("done");
    })`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (output === "") setTimeout(() => sem_post(sem), 20);
      output += text;
    });
    assert.deepEqual(await once(child, "close"), [0, null]);
    assert.equal(output, "waiting\ndone\n");
    for (const form of ["sem_wait", "sem_waitSync"]) {
      const worker = new Worker(
        `const { parentPort, workerData } = require("node:worker_threads");
         import("shmkit/posix").then((posix) => {
           const sem = posix.sem_open(workerData, 0);
           parentPort.postMessage("waits");
           return posix.${form}(sem);
         })`,
        { eval: true, workerData: name },
      );
      await messageOf(worker);
      await sleep(5);
      await worker.terminate();
    }
    while (waitingThreads() > 0) await sleep(1);
    assert.equal(sem_getvalue(sem), 0);
    sem_close(sem);
  });
});
