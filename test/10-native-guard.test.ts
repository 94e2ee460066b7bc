import assert from "node:assert/strict";
import { closeSync, openSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { Worker } from "node:worker_threads";
import { deflate } from "node:zlib";
import { native } from "#src/native/addon.js";
import { StatusWord } from "#src/native/contract.js";
import { NativeChild } from "./helpers/native-child.js";
import { buildFaultingAddon } from "./helpers/native-faulting-addon.js";
import { ADDON_PATH, isFree, NativeFile, until } from "./helpers/native-file.js";

const { errno } = constants;
const MEBIBYTE = 2 ** 20;

describe("a region that is truncated", () => {
  test("reads as zeroes, all of it, and is flagged", () => {
    using file = NativeFile.create("truncate", { fileBytes: MEBIBYTE });
    file.words.fill(5);
    native.truncate(file.descriptor, 8192);
    assert.equal(file.words[0], 5);
    assert.equal(file.status[StatusWord.lost], 0);
    assert.equal(file.words[4096], 0);
    assert.equal(file.status[StatusWord.lost], 1);
    assert.ok(file.words.every((word) => word === 0));
    file.words[4096] = 6;
    assert.equal(file.words[4096], 6);
  });

  test("does not come back when the file grows again", () => {
    using file = NativeFile.create("regrow");
    native.truncate(file.descriptor, 0);
    file.words[0] = 1;
    native.truncate(file.descriptor, 4096);
    using fresh = NativeFile.open(file.path);
    fresh.words[0] = 2;
    assert.equal(file.words[0], 1);
    assert.equal(file.status[StatusWord.lost], 1);
  });

  test("leaves other mappings alone, of the same file as of others", () => {
    using file = NativeFile.create("lost", { fileBytes: MEBIBYTE });
    using same = NativeFile.open(file.path, { mapBytes: MEBIBYTE });
    using other = NativeFile.create("other");
    file.words[0] = same.words[1] = other.words[0] = 3;
    native.truncate(file.descriptor, 4096);
    assert.equal(file.words[MEBIBYTE / 8], 0);
    assert.deepEqual([file.status[0], same.status[0], other.status[0]], [1, 0, 0]);
    assert.deepEqual([same.words[0], same.words[1], other.words[0]], [3, 3, 3]);
  });

  test("is noticed by every way of access", () => {
    const accesses: ((file: NativeFile) => void)[] = [
      (file) => file.words[0],
      (file) => (file.words[0] = 1),
      (file) => Atomics.load(file.words, 0),
      (file) => Atomics.compareExchange(file.words, 0, 0, 1),
      (file) => file.bytes.slice(0, 4096),
      (file) => file.bytes.set(new Uint8Array(4096)),
      (file) => new Uint8Array(4096).set(file.bytes),
      (file) => file.words.fill(1),
      (file) => Buffer.from(file.mapping.buffer as ArrayBuffer).toString("latin1"),
      (file) => new TextDecoder().decode(file.bytes.subarray(0, 4096)),
      (file) => Buffer.from(file.bytes).compare(file.bytes),
      (file) => new DataView(file.mapping.buffer).getFloat64(8),
    ];
    for (const access of accesses) {
      using file = NativeFile.create("access");
      native.truncate(file.descriptor, 0);
      access(file);
      assert.equal(file.status[StatusWord.lost], 1, access.toString());
    }
  });

  test("drops its liveness", () => {
    using file = NativeFile.create("liveness");
    assert.equal(native.pin(file.id, file.descriptor, 50), 0);
    native.truncate(file.descriptor, 0);
    assert.equal(isFree(file.path, 50), false);
    assert.equal(file.words[0], 0);
    assert.equal(isFree(file.path, 50), true);
    assert.equal(native.pin(file.id, file.descriptor, 50), -errno.EIO);
    assert.equal(isFree(file.path, 50), true);
  });

  test("is noticed by park and wake, which touch nothing themselves", () => {
    for (const call of [
      (file: NativeFile) => native.wake(file.id, 0, -1),
      (file: NativeFile) => native.park(file.id, 0, 0, 1000),
    ]) {
      using file = NativeFile.create("futex");
      native.truncate(file.descriptor, 0);
      assert.equal(call(file), -errno.EFAULT);
      assert.equal(file.status[StatusWord.lost], 1);
      assert.equal(call(file) <= 0, true);
    }
  });

  test("fails a system call on it without losing anything", () => {
    using file = NativeFile.create("syscall");
    using target = NativeFile.create("target");
    native.truncate(file.descriptor, 0);
    const descriptor = openSync(target.path, "r+");
    assert.throws(() => writeSync(descriptor, file.bytes), { code: "EFAULT" });
    closeSync(descriptor);
    assert.equal(file.status[StatusWord.lost], 0);
  });

  test("reaches the event loop through its waiter", async () => {
    using file = NativeFile.create("waiter");
    let calls = 0;
    native.startWaiter(file.id, 64, 68, 0, () => {
      file.status[StatusWord.drainPosted] = 0;
      calls++;
    });
    native.truncate(file.descriptor, 0);
    await until(() => calls > 0);
    assert.equal(file.status[StatusWord.lost], 1);
    assert.equal(native.closeMapping(file.id), 0);
  });

  test("is closed like any other, its waiter asleep on a page that is gone", async () => {
    for (let i = 0; i < 20; i++) {
      using file = NativeFile.create("asleep");
      native.startWaiter(file.id, 64, 68, 0, () => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      native.truncate(file.descriptor, 0);
      if (i % 2 === 0) assert.equal(file.words[0], 0);
      assert.equal(native.closeMapping(file.id), 0);
    }
  });

  test("under a pool thread", async () => {
    for (let i = 0; i < 10; i++) {
      using file = NativeFile.create("pool", { fileBytes: 8 * MEBIBYTE });
      file.bytes.fill(1);
      const packed = promisify(deflate)(file.bytes);
      await new Promise((resolve) => setImmediate(resolve));
      native.truncate(file.descriptor, 0);
      await packed;
    }
  });

  test("under several threads at once", async () => {
    using file = NativeFile.create("threads", { fileBytes: 4 * MEBIBYTE });
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const workers = Array.from(
      { length: 4 },
      () =>
        new Worker(
          `const { parentPort, workerData } = require("node:worker_threads");
           const native = require(workerData.addon);
           const descriptor = native.openExisting(workerData.path, true);
           const ids = [];
           const mappings = Array.from({ length: 20 }, () => native.map(descriptor, ${4 * MEBIBYTE}, true, false, false));
           Atomics.add(workerData.gate, 0, 1);
           while (Atomics.load(workerData.gate, 1) === 0);
           let sum = 0;
           for (const { buffer } of mappings) for (const word of new Int32Array(buffer)) sum += word;
           parentPort.postMessage([sum, mappings.filter(({ status }) => new Int32Array(status)[0] === 1).length]);`,
          { eval: true, workerData: { addon: ADDON_PATH, path: file.path, gate } },
        ),
    );
    const answers = workers.map((worker) => new Promise((resolve) => worker.once("message", resolve)));
    await until(() => Atomics.load(gate, 0) === 4);
    native.truncate(file.descriptor, 0);
    Atomics.store(gate, 1, 1);
    assert.deepEqual(
      await Promise.all(answers),
      answers.map(() => [0, 20]),
    );
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});

describe("a bus error that is not the guard's", () => {
  const addon = buildFaultingAddon();
  after(() => addon.remove());

  for (const { before, then, expected } of [
    { before: "nothing", then: "fault", expected: "SIGBUS" },
    { before: "ignore", then: "fault", expected: "SIGBUS" },
    { before: "handle", then: "fault", expected: 42 },
    { before: "nothing", then: "signal", expected: "SIGBUS" },
    { before: "ignore", then: "signal", expected: 0 },
    { before: "handle", then: "signal", expected: 42 },
  ] as const) {
    test(`a ${then} ends the process as it would have without the guard (${before} before: ${expected})`, async () => {
      using file = NativeFile.create("foreign");
      const child = NativeChild.start("foreignFault", { path: file.path, addon: addon.path, before, then });
      const { code, signal } = await child.ended;
      assert.equal(code ?? signal, expected);
    });
  }

  test("two copies of the addon pass faults on to each other", async () => {
    using file = NativeFile.create("copies");
    const child = NativeChild.start("twoCopies", { path: file.path, addon: ADDON_PATH });
    assert.deepEqual(await child.next(), [1, 0, 1]);
    assert.equal((await child.ended).code, 0);
  });

  test("the handler outlives the worker that loaded the addon", async () => {
    using file = NativeFile.create("unloaded");
    const child = NativeChild.start("workerOnly", { path: file.path, addon: ADDON_PATH });
    assert.equal((await child.ended).signal, "SIGBUS");
  });
});
