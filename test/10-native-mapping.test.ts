import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync, readFileSync, rmSync, write } from "node:fs";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import { deflate, inflateSync } from "node:zlib";
import { native } from "#src/native/addon.js";
import { StatusWord } from "#src/native/contract.js";
import { NativeChild } from "./helpers/native-child.js";
import { ADDON_PATH, memoryMaps, NativeFile, uniquePath, until } from "./helpers/native-file.js";

const { errno } = constants;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("mappings", () => {
  test("two mappings are the same memory", () => {
    using first = NativeFile.create("same", { fileBytes: 8192 });
    using second = NativeFile.open(first.path, { mapBytes: 8192 });
    first.words[1500] = 42;
    assert.equal(second.words[1500], 42);
    assert.equal(Atomics.add(second.words, 1500, 1), 42);
    assert.equal(first.words[1500], 43);
  });

  test("the length is exact, and may exceed the file", () => {
    using odd = NativeFile.create("odd", { fileBytes: 100, mapBytes: 4097 });
    assert.equal(odd.mapping.buffer.byteLength, 4097);
    using large = NativeFile.create("large", { fileBytes: 4096, mapBytes: 2 ** 30 });
    large.words[0] = 7;
    assert.equal(native.allocate(large.descriptor, 2 ** 20, 4096), 0);
    large.words[2 ** 18] = 8;
    using other = NativeFile.open(large.path, { mapBytes: 2 ** 21 });
    assert.equal(other.words[2 ** 18], 8);
  });

  test("a read-only mapping sees the file and cannot change it", () => {
    using file = NativeFile.create("readonly");
    file.words[3] = 5;
    using reader = NativeFile.open(file.path, { writable: false });
    assert.equal(reader.words[3], 5);
    file.words[3] = 6;
    assert.equal(reader.words[3], 6);
    reader.words[3] = 99;
    assert.equal(file.words[3], 6);
    for (const answer of [
      native.wake(reader.id, 0, -1),
      native.park(reader.id, 0, 0, 0),
      native.startWaiter(reader.id, 0, 4, 0, () => undefined),
    ]) {
      assert.equal(answer, -errno.EROFS);
    }
  });

  test("what cannot be mapped", () => {
    using file = NativeFile.create("refused");
    const reader = native.openExisting(file.path, false);
    assert.equal(native.map(reader, 4096, true, false, false), -errno.EACCES);
    assert.equal(native.map(2 ** 31 - 1, 4096, true, false, false), -errno.EBADF);
    assert.equal(native.map(file.descriptor, Number.MAX_SAFE_INTEGER, true, false, false), -errno.ENOMEM);
    assert.throws(() => native.map(file.descriptor, 0, true, false, false), RangeError);
    native.close(reader);
  });

  test("a buffer that the runtime refuses is an answer, and leaves no mapping behind", () => {
    using file = NativeFile.create("huge");
    const before = memoryMaps(file.path).length;
    for (const length of [2 ** 33, 2 ** 40]) {
      const mapping = native.map(file.descriptor, length, true, false, false);
      if (typeof mapping === "number") {
        assert.ok([-errno.EOPNOTSUPP, -errno.ENOMEM].includes(mapping));
        assert.equal(memoryMaps(file.path).length, before);
      } else {
        assert.equal(mapping.buffer.byteLength, length);
        assert.equal(native.closeMapping(mapping.id), 0);
      }
    }
  });

  test("core dumps leave the region out", () => {
    using file = NativeFile.create("dump");
    const [map] = memoryMaps(file.path);
    assert.match(map, /^VmFlags:.*\bdd\b/m);
  });

  test("ids are never reused and belong to one thread", async () => {
    using file = NativeFile.create("ids");
    const seen = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const mapping = native.map(file.descriptor, 4096, true, false, false);
      assert.ok(typeof mapping === "object" && !seen.has(mapping.id));
      seen.add(mapping.id);
      native.closeMapping(mapping.id);
      assert.equal(native.wake(mapping.id, 0, -1), -errno.EBADF);
    }
    const worker = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       const native = require(workerData.addon);
       parentPort.postMessage([native.wake(workerData.id, 0, -1), native.closeMapping(workerData.id)]);`,
      { eval: true, workerData: { addon: ADDON_PATH, id: file.id } },
    );
    assert.deepEqual(await new Promise((resolve) => worker.once("message", resolve)), [-errno.EBADF, -errno.EBADF]);
    await worker.terminate();
    file.words[0] = 1;
    assert.equal(native.wake(file.id, 0, -1), 0);
  });

  test("a SharedArrayBuffer, where the runtime can, is the region in every worker", async () => {
    using file = NativeFile.create("shared");
    const mapping = native.map(file.descriptor, 4096, true, true, false);
    if (!native.hasExternalSharedArrayBuffer) {
      assert.equal(mapping, -errno.EOPNOTSUPP);
      return;
    }
    assert.ok(typeof mapping === "object" && mapping.buffer instanceof SharedArrayBuffer);
    const worker = new Worker(
      `const { parentPort } = require("node:worker_threads");
       parentPort.on("message", (buffer) => {
         const words = new Int32Array(buffer);
         parentPort.postMessage(Atomics.add(words, 2, 1));
       });`,
      { eval: true },
    );
    const ask = (): Promise<unknown> => {
      worker.postMessage(mapping.buffer);
      return new Promise((resolve) => worker.once("message", resolve));
    };
    file.words[2] = 10;
    assert.equal(await ask(), 10);
    assert.equal(file.words[2], 11);
    native.closeMapping(mapping.id);
    assert.equal(await ask(), 0);
    assert.equal(file.words[2], 11);
    await worker.terminate();
  });
});

describe("closing a mapping", () => {
  test("views read zeroes, take writes and reach nobody", () => {
    using file = NativeFile.create("close", { fileBytes: 8192 });
    using other = NativeFile.open(file.path, { mapBytes: 8192 });
    file.words.fill(3);
    assert.equal(native.closeMapping(file.id), 0);
    assert.equal(file.words.length, 2048);
    assert.ok(file.words.every((word) => word === 0));
    file.words.fill(9);
    assert.equal(file.words[2047], 9);
    assert.equal(other.words[2047], 3);
    assert.equal(file.status[StatusWord.lost], 0);
  });

  test("is idempotent, and knows ids that never were", () => {
    using file = NativeFile.create("idempotent");
    assert.equal(native.closeMapping(file.id), 0);
    assert.equal(native.closeMapping(file.id), 0);
    assert.equal(native.closeMapping(2 ** 31), -errno.EBADF);
  });

  test("every other call on a closed mapping says so", () => {
    using file = NativeFile.create("closed");
    native.closeMapping(file.id);
    const plan = { path: "", attachLockOffset: 1, livenessOffset: 2, livenessCount: 1, stateOffset: 0, closedValue: 0 };
    for (const answer of [
      native.pin(file.id, file.descriptor, 0),
      native.unpin(file.id),
      native.setExitPlan(file.id, file.descriptor, plan),
      native.wake(file.id, 0, -1),
      native.park(file.id, 0, 0, 0),
      native.startWaiter(file.id, 0, 4, 0, () => undefined),
      native.refWaiter(file.id),
      native.unrefWaiter(file.id),
      native.watchDeaths(file.id, file.descriptor),
    ]) {
      assert.equal(answer, -errno.EBADF);
    }
  });

  test("while pool threads read the view", async () => {
    const path = uniquePath("target");
    const target = openSync(path, "w+");
    try {
      const work: Promise<unknown>[] = [];
      for (let i = 0; i < 8; i++) {
        using file = NativeFile.create("pool", { fileBytes: 2 ** 23 });
        file.bytes.fill(i + 1);
        work.push(promisify(deflate)(file.bytes).then((packed) => inflateSync(packed).length));
        work.push(promisify(write)(target, file.bytes, 0, 2 ** 23, 0).then(({ bytesWritten }) => bytesWritten));
        if (i % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        native.closeMapping(file.id);
      }
      collectGarbage();
      assert.deepEqual(
        await Promise.all(work),
        work.map(() => 2 ** 23),
      );
      assert.equal(fstatSync(target).size, 2 ** 23);
    } finally {
      closeSync(target);
      rmSync(path);
    }
  });

  test("the memory is unmapped when nothing reads it any more", async () => {
    const addressSpace = (): number => Number(/^VmSize:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]);
    using file = NativeFile.create("unmap");
    const before = addressSpace();
    for (let i = 0; i < 100; i++) {
      const mapping = native.map(file.descriptor, 2 ** 30, true, false, false);
      assert.ok(typeof mapping === "object");
      new Int32Array(mapping.buffer)[0] = i;
      native.closeMapping(mapping.id);
    }
    await until(() => {
      collectGarbage();
      return addressSpace() < before + 2 * 2 ** 20;
    });
    assert.equal(memoryMaps(file.path).length, 1);
  });

  test("a mapping that is dropped without being closed stays, since its id is still good", () => {
    using file = NativeFile.create("dropped");
    const mapping = native.map(file.descriptor, 4096, true, false, false);
    assert.ok(typeof mapping === "object");
    const { id } = mapping;
    collectGarbage();
    assert.equal(native.wake(id, 0, -1), 0);
    native.closeMapping(id);
  });

  test("hundreds of mappings, closed in any order", () => {
    using file = NativeFile.create("many");
    const ids: number[] = [];
    for (let i = 0; i < 300; i++) {
      const mapping = native.map(file.descriptor, 4096, true, false, false);
      assert.ok(typeof mapping === "object");
      ids.push(mapping.id);
    }
    for (let i = 0; ids.length > 0; i = (i + 7) % Math.max(ids.length, 1)) {
      const [id] = ids.splice(Math.min(i, ids.length - 1), 1);
      assert.equal(native.closeMapping(id), 0);
      assert.equal(native.wake(id, 0, -1), -errno.EBADF);
      if (ids.length > 0) assert.equal(native.wake(ids[0], 0, -1), 0);
    }
  });

  test("where private memory is rationed, an empty file takes its place", async () => {
    using file = NativeFile.create("rationed");
    // The limit leaves room for the runtime, and none for a private copy of the mapping.
    const limited = ["sh", "-c", 'ulimit -d 3145728; exec "$@"', "sh"];
    const child = NativeChild.start("noPrivateMemory", { path: file.path, mapBytes: 2 ** 32 - 4096 }, limited);
    assert.deepEqual(await child.next(), [0, 0, 0, true]);
    assert.deepEqual(await child.ended, { code: 0, signal: null, output: "" });
    assert.equal(file.words[0], 1);
  });
});
