import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { native } from "#src/native/addon.js";
import { StatusWord } from "#src/native/contract.js";
import { NativeChild } from "./helpers/native-child.js";
import { ARMED, BELL } from "./helpers/native-roles.js";
import { ADDON_PATH, NativeFile, openDescriptors, until } from "./helpers/native-file.js";

const { errno } = constants;
const BELL_WORD = BELL / 4;
const ARMED_WORD = ARMED / 4;

/** A waiter whose callback counts, keeping the rules of the contract. */
function countRings(file: NativeFile, onRing: () => void = () => undefined): { calls: number; seen: number } {
  const rings = { calls: 0, seen: 0 };
  const sampled = Atomics.load(file.words, BELL_WORD);
  const answer = native.startWaiter(file.id, BELL, ARMED, sampled, () => {
    Atomics.store(file.status, StatusWord.drainPosted, 0);
    Atomics.or(file.words, ARMED_WORD, 1);
    rings.calls++;
    rings.seen = Atomics.load(file.words, BELL_WORD);
    onRing();
  });
  assert.equal(answer, 0);
  return rings;
}

function ring(file: NativeFile, mask = -1): number {
  Atomics.add(file.words, BELL_WORD, 1);
  return native.wake(file.id, BELL, mask);
}

function threadsNamed(name: string): number {
  return readdirSync("/proc/self/task").filter((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, "utf8").trim() === name;
    } catch {
      return false;
    }
  }).length;
}

function inotifyDescriptors(): number {
  return openDescriptors().filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).includes("inotify");
    } catch {
      return false;
    }
  }).length;
}

describe("parking", () => {
  test("answers at once when the word differs, and later when nobody rings", () => {
    using file = NativeFile.create("park");
    assert.equal(native.park(file.id, BELL, 1, 1000), -errno.EAGAIN);
    assert.equal(native.park(file.id, BELL, 0, 0), -errno.ETIMEDOUT);
    assert.equal(native.park(file.id, BELL, 0, 0.5), -errno.ETIMEDOUT);
    const start = performance.now();
    assert.equal(native.park(file.id, BELL, 0, 20), -errno.ETIMEDOUT);
    assert.ok(performance.now() - start >= 19.9);
    assert.equal(native.park(file.id, BELL, 0, Number.POSITIVE_INFINITY), -errno.ETIMEDOUT);
  });

  test("another process wakes it", async () => {
    using file = NativeFile.create("wake");
    const child = NativeChild.start("park", { path: file.path, expected: 0 });
    await child.next();
    Atomics.store(file.words, BELL_WORD, 5);
    native.wake(file.id, BELL, 2);
    assert.equal(await child.next(), 5);
    assert.equal((await child.ended).code, 0);
  });

  test("the mask chooses who wakes", async () => {
    using file = NativeFile.create("mask");
    const rings = countRings(file);
    const worker = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       const native = require(workerData.addon);
       const { id, buffer } = native.map(native.openExisting(workerData.path, true), 4096, true, false, false);
       const bell = new Int32Array(buffer, ${BELL}, 1);
       parentPort.postMessage("parking");
       while (Atomics.load(bell, 0) === 0) native.park(id, ${BELL}, 0, 1000);
       parentPort.postMessage("woken");`,
      { eval: true, workerData: { addon: ADDON_PATH, path: file.path } },
    );
    await new Promise((resolve) => worker.once("message", resolve));
    assert.equal(native.wake(file.id, BELL, 4), 0);
    await until(() => native.wake(file.id, BELL, 2) === 1);
    await until(() => native.wake(file.id, BELL, 1) === 1);
    assert.equal(rings.calls, 0);
    const woken = new Promise((resolve) => worker.once("message", resolve));
    Atomics.store(file.words, BELL_WORD, 1);
    await until(() => native.wake(file.id, BELL, 2) === 0);
    assert.equal(await woken, "woken");
    await worker.terminate();
  });

  test("a worker parked in slices can be terminated", async () => {
    using file = NativeFile.create("slices");
    const worker = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       const native = require(workerData.addon);
       const { id } = native.map(native.openExisting(workerData.path, true), 4096, true, false, false);
       parentPort.postMessage("parking");
       const look = () => undefined;
       for (;;) { native.park(id, ${BELL}, 0, 50); look(); }`,
      { eval: true, workerData: { addon: ADDON_PATH, path: file.path } },
    );
    await new Promise((resolve) => worker.once("message", resolve));
    assert.equal(await worker.terminate(), 1);
  });
});

describe("the waiter", () => {
  test("calls back when the bell changes, disarmed first", async () => {
    using file = NativeFile.create("ring");
    file.words[ARMED_WORD] = 0b111;
    let armedInside = -1;
    native.startWaiter(file.id, BELL, ARMED, 0, () => {
      armedInside = file.words[ARMED_WORD]!;
      assert.equal(file.status[StatusWord.drainPosted], 1);
      file.status[StatusWord.drainPosted] = 0;
    });
    ring(file, 1);
    await until(() => armedInside >= 0);
    assert.equal(armedInside, 0b110);
  });

  test("starts from the value that was sampled", async () => {
    using file = NativeFile.create("sampled");
    Atomics.store(file.words, BELL_WORD, -5);
    let calls = 0;
    assert.equal(
      native.startWaiter(file.id, BELL, ARMED, -4, () => calls++),
      0,
    );
    await until(() => calls === 1);
    using same = NativeFile.create("same");
    Atomics.store(same.words, BELL_WORD, -5);
    const rings = countRings(same);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(rings.calls, 0);
  });

  test("one per mapping", () => {
    using file = NativeFile.create("twice");
    assert.equal(native.refWaiter(file.id), -errno.EINVAL);
    assert.equal(native.unrefWaiter(file.id), -errno.EINVAL);
    countRings(file);
    assert.equal(
      native.startWaiter(file.id, BELL, ARMED, 0, () => undefined),
      -errno.EBUSY,
    );
    assert.equal(native.refWaiter(file.id), 0);
    assert.equal(native.refWaiter(file.id), 0);
    assert.equal(native.unrefWaiter(file.id), 0);
    assert.equal(native.unrefWaiter(file.id), 0);
  });

  test("storms from other processes coalesce, and the last ring is always seen", async () => {
    using file = NativeFile.create("storm");
    const rings = countRings(file);
    const children = Array.from({ length: 3 }, () => NativeChild.start("ring", { path: file.path, times: 20_000 }));
    await Promise.all(children.map((child) => child.next()));
    await until(() => rings.seen === 60_000);
    assert.ok(rings.calls <= 60_000);
    await Promise.all(children.map((child) => child.ended));
  });

  test("a ring during the callback leads to another call", async () => {
    using file = NativeFile.create("during");
    const rings = countRings(file, () => {
      if (rings.calls < 100) ring(file);
    });
    ring(file);
    await until(() => rings.calls >= 100 && rings.seen === file.words[BELL_WORD]);
  });

  test("is silent once the mapping is closed, also when closed in the callback", async () => {
    using file = NativeFile.create("silent");
    using ringer = NativeFile.open(file.path);
    const rings = countRings(file, () => {
      ring(ringer);
      native.closeMapping(file.id);
    });
    ring(ringer);
    await until(() => rings.calls === 1);
    for (let i = 0; i < 10; i++) ring(ringer);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(rings.calls, 1);
  });

  test("hundreds start and stop, and their threads end", async () => {
    const before = threadsNamed("shmkit-doorbell");
    for (let round = 0; round < 3; round++) {
      const files = Array.from({ length: 100 }, () => NativeFile.create("hundred"));
      let calls = 0;
      for (const file of files) countRings(file, () => calls++);
      for (const file of files) ring(file);
      if (round > 0) await until(() => calls === 100);
      for (const file of files) file.close();
    }
    await until(() => threadsNamed("shmkit-doorbell") === before);
  });

  test("sleeps through an idle time without missing a ring", async () => {
    using file = NativeFile.create("idle");
    const rings = countRings(file);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    assert.equal(rings.calls, 0);
    ring(file, 1);
    await until(() => rings.calls === 1);
  });

  test("lets the process end, unless referenced", async () => {
    using file = NativeFile.create("unreferenced");
    const child = NativeChild.start("idle", { path: file.path, referenced: false });
    await child.next();
    assert.equal((await child.ended).code, 0);
    const waiting = NativeChild.start("idle", { path: file.path, referenced: true });
    await waiting.next();
    let ended = false;
    void waiting.ended.then(() => (ended = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(ended, false);
    ring(file);
    assert.equal((await waiting.ended).code, 0);
  });

  test("what the callback throws is an uncaught exception", async () => {
    using file = NativeFile.create("throws");
    const child = NativeChild.start("throwInCallback", { path: file.path });
    assert.equal(await child.next(), "from the callback");
    assert.equal((await child.ended).code, 0);
  });

  test("a worker can be terminated while rung, and inside the callback", async () => {
    using file = NativeFile.create("terminate");
    const before = threadsNamed("shmkit-doorbell");
    for (const body of ["", "for (;;);"]) {
      for (let i = 0; i < 5; i++) {
        const worker = new Worker(
          `const { parentPort, workerData } = require("node:worker_threads");
           const native = require(workerData.addon);
           const descriptor = native.openExisting(workerData.path, true);
           const { id, buffer, status } = native.map(descriptor, 4096, true, false, false);
           const sampled = new Int32Array(buffer)[${BELL_WORD}];
           native.startWaiter(id, ${BELL}, ${ARMED}, sampled, () => {
             new Int32Array(status)[2] = 0;
             parentPort.postMessage("called");
             ${body}
           });
           native.watchDeaths(id, descriptor);
           native.refWaiter(id);
           parentPort.postMessage("started");`,
          { eval: true, workerData: { addon: ADDON_PATH, path: file.path } },
        );
        await new Promise((resolve) => worker.once("message", resolve));
        ring(file);
        if (body !== "") await new Promise((resolve) => worker.once("message", resolve));
        const ended = worker.terminate();
        for (let j = 0; j < 1000; j++) ring(file);
        assert.equal(await ended, 1);
      }
    }
    await until(() => threadsNamed("shmkit-doorbell") === before);
  });
});

describe("notice of death", () => {
  test("needs a waiter", () => {
    using file = NativeFile.create("needs");
    assert.equal(native.watchDeaths(file.id, file.descriptor), -errno.EINVAL);
    countRings(file);
    assert.equal(native.watchDeaths(file.id, 2 ** 31 - 1), -errno.ENOENT);
    assert.equal(native.watchDeaths(file.id, file.descriptor), 0);
    assert.equal(native.watchDeaths(file.id, file.descriptor), 0);
  });

  test("a killed process is noticed, and its byte is free soon after", async () => {
    using file = NativeFile.create("killed");
    const rings = countRings(file);
    native.watchDeaths(file.id, file.descriptor);
    const child = NativeChild.start("hold", { path: file.path, offset: 3 });
    await child.next();
    // Its mapping and its pin keep both descriptions open, though it has closed every descriptor.
    assert.equal(Atomics.load(file.status, StatusWord.deathHints), 0);
    await child.kill();
    await until(() => Atomics.load(file.status, StatusWord.deathHints) > 0 && rings.calls > 0);
    await until(() => native.probe(file.descriptor, 3, 1) === 0);
  });

  test("wakes threads that are parked, too", async () => {
    using file = NativeFile.create("parked");
    countRings(file);
    native.watchDeaths(file.id, file.descriptor);
    const worker = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       const native = require(workerData.addon);
       const { id, buffer } = native.map(native.openExisting(workerData.path, true), 4096, true, false, false);
       const bell = new Int32Array(buffer, ${BELL}, 1);
       parentPort.on("message", () => parentPort.postMessage(native.park(id, ${BELL}, Atomics.load(bell, 0), 1000)));`,
      { eval: true, workerData: { addon: ADDON_PATH, path: file.path } },
    );
    for (let parked: unknown; parked !== 0;) {
      worker.postMessage("park");
      const answer = new Promise((resolve) => worker.once("message", resolve));
      // Time to fall asleep; if it did not, it is asked again.
      await new Promise((resolve) => setTimeout(resolve, 10));
      native.close(native.reopen(file.descriptor));
      parked = await answer;
    }
    await worker.terminate();
  });

  test("every mapping of a file is told, no mapping of another one is", async () => {
    using file = NativeFile.create("all");
    using second = NativeFile.open(file.path);
    using other = NativeFile.create("other");
    for (const each of [file, second, other]) {
      countRings(each);
      assert.equal(native.watchDeaths(each.id, each.descriptor), 0);
    }
    assert.equal(inotifyDescriptors(), 1);
    native.close(native.reopen(file.descriptor));
    await until(() => file.status[StatusWord.deathHints] === 1 && second.status[StatusWord.deathHints] === 1);
    assert.equal(other.status[StatusWord.deathHints], 0);
    native.closeMapping(second.id);
    native.close(native.reopen(file.descriptor));
    await until(() => file.status[StatusWord.deathHints] === 2);
    assert.equal(second.status[StatusWord.deathHints], 1);
  });

  test("works for a file without a name", async () => {
    using file = NativeFile.create("unlinked");
    native.unlink(file.path);
    countRings(file);
    assert.equal(native.watchDeaths(file.id, file.descriptor), 0);
    native.close(native.reopen(file.descriptor));
    await until(() => file.status[StatusWord.deathHints] === 1);
  });

  test("ends with its last mapping and starts anew", async () => {
    for (let i = 0; i < 30; i++) {
      using file = NativeFile.create("restart");
      countRings(file);
      assert.equal(native.watchDeaths(file.id, file.descriptor), 0);
      if (i % 3 === 0) continue;
      native.close(native.reopen(file.descriptor));
      await until(() => file.status[StatusWord.deathHints] > 0);
    }
    await until(() => inotifyDescriptors() === 0 && threadsNamed("shmkit-deaths") === 0);
  });

  test("ends with its last mapping also when no descriptor is closed", async () => {
    using file = NativeFile.create("quiet");
    countRings(file);
    assert.equal(native.watchDeaths(file.id, file.descriptor), 0);
    assert.equal(inotifyDescriptors(), 1);
    native.closeMapping(file.id);
    await until(() => inotifyDescriptors() === 0 && threadsNamed("shmkit-deaths") === 0);
  });

  test("survives a region that is lost while being told", async () => {
    using file = NativeFile.create("lost");
    using healthy = NativeFile.create("healthy");
    for (const each of [file, healthy]) {
      countRings(each);
      native.watchDeaths(each.id, each.descriptor);
    }
    native.truncate(file.descriptor, 0);
    native.close(native.reopen(file.descriptor));
    await until(() => file.status[StatusWord.lost] === 1 && file.status[StatusWord.deathHints] > 0);
    native.close(native.reopen(healthy.descriptor));
    await until(() => healthy.status[StatusWord.deathHints] === 1);
  });

  test("survives mappings that come and go while it tells", async () => {
    using file = NativeFile.create("churn");
    const rings = countRings(file);
    native.watchDeaths(file.id, file.descriptor);
    for (let i = 0; i < 300; i++) {
      using guest = NativeFile.open(file.path);
      countRings(guest);
      assert.equal(native.watchDeaths(guest.id, guest.descriptor), 0);
      native.close(native.reopen(file.descriptor));
    }
    await until(() => rings.calls > 0 && rings.seen === Atomics.load(file.words, BELL_WORD));
  });
});
