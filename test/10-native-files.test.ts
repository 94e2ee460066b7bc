import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { fstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { native } from "#src/native/addon.js";
import { StatField, STAT_FIELDS } from "#src/native/contract.js";
import { ADDON_PATH, isFree, NativeFile, uniquePath, withForeignDescriptor } from "./helpers/native-file.js";

const { errno } = constants;

/** Runs with a path that is removed afterwards, whatever became of it. */
function withPath<T>(label: string, use: (path: string) => T): T {
  const path = uniquePath(label);
  try {
    return use(path);
  } finally {
    rmSync(path, { force: true, recursive: true });
  }
}

function withUmask<T>(mask: number, use: () => T): T {
  const before = process.umask(mask);
  try {
    return use();
  } finally {
    process.umask(before);
  }
}

describe("names and files", () => {
  test("a temporary file has no name until it is linked, and exactly the mode asked for", () => {
    withPath("temporary", (path) => {
      const descriptor = withUmask(0o777, () => native.openTemporary("/dev/shm", 0o640));
      assert.ok(descriptor > 0);
      assert.equal(fstatSync(descriptor).nlink, 0);
      assert.equal(fstatSync(descriptor).mode & 0o777, 0o640);
      assert.equal(native.linkDescriptor(descriptor, path), 0);
      assert.equal(statSync(path).ino, fstatSync(descriptor).ino);
      assert.equal(native.linkDescriptor(descriptor, path), -errno.EEXIST);
      assert.equal(native.close(descriptor), 0);
      assert.equal(native.openTemporary("/dev/shm/no-such-folder", 0o600), -errno.ENOENT);
    });
  });

  test("exclusive creation", () => {
    withPath("exclusive", (path) => {
      const descriptor = withUmask(0o777, () => native.createExclusive(path, 0o606));
      assert.equal(statSync(path).mode & 0o777, 0o606);
      assert.equal(native.createExclusive(path, 0o600), -errno.EEXIST);
      native.close(descriptor);
    });
  });

  test("opening follows no link and takes nothing but regular files", async () => {
    const folder = uniquePath("folder");
    mkdirSync(folder);
    try {
      writeFileSync(`${folder}/file`, "x");
      symlinkSync(`${folder}/file`, `${folder}/link`);
      execFileSync("mkfifo", [`${folder}/fifo`]);
      const server = createServer().listen(`${folder}/socket`);
      await new Promise((resolve) => server.once("listening", resolve));
      assert.equal(native.openExisting(`${folder}/none`, true), -errno.ENOENT);
      assert.equal(native.openExisting(`${folder}/link`, true), -errno.ELOOP);
      for (const writable of [true, false]) {
        assert.equal(native.openExisting(folder, writable), -errno.ENXIO);
        assert.equal(native.openExisting(`${folder}/fifo`, writable), -errno.ENXIO);
        assert.equal(native.openExisting(`${folder}/socket`, writable), -errno.ENXIO);
        assert.equal(native.openExisting("/dev/null", writable), -errno.ENXIO);
      }
      server.close();
      const reader = native.openExisting(`${folder}/file`, false);
      assert.equal(native.truncate(reader, 0), -errno.EINVAL);
      native.close(reader);
      assert.equal(readFileSync(`${folder}/file`, "utf8"), "x");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("reopening gives another description, also after unlink", () => {
    withPath("reopen", (path) => {
      const first = native.createExclusive(path, 0o600);
      assert.equal(native.unlink(path), 0);
      assert.equal(native.unlink(path), -errno.ENOENT);
      const second = native.reopen(first);
      assert.equal(fstatSync(second).ino, fstatSync(first).ino);
      assert.equal(native.lock(first, 0), 0);
      assert.equal(native.lock(second, 0), -errno.EAGAIN);
      native.close(first);
      assert.equal(native.lock(second, 0), 0);
      native.close(second);
      assert.equal(native.reopen(second), -errno.EBADF);
      assert.equal(native.reopen(0) < 0 || fstatSync(0).isFile(), true);
    });
  });

  test("links between paths", () => {
    withPath("from", (from) => {
      withPath("to", (to) => {
        const descriptor = native.createExclusive(from, 0o600);
        assert.equal(native.linkPath(from, to), 0);
        assert.equal(native.linkPath(from, to), -errno.EEXIST);
        assert.equal(statSync(to).nlink, 2);
        native.close(descriptor);
      });
    });
  });

  test("sameFile compares inodes and follows nothing", () => {
    withPath("same", (path) => {
      withPath("link", (link) => {
        const descriptor = native.createExclusive(path, 0o600);
        symlinkSync(path, link);
        assert.equal(native.sameFile(path, descriptor), 1);
        assert.equal(native.sameFile(link, descriptor), 0);
        assert.equal(native.sameFile("/dev/null", descriptor), 0);
        native.unlink(path);
        assert.equal(native.sameFile(path, descriptor), 0);
        writeFileSync(path, "another");
        assert.equal(native.sameFile(path, descriptor), 0);
        native.close(descriptor);
        assert.equal(native.sameFile(path, descriptor), -errno.EBADF);
      });
    });
  });

  test("stat", () => {
    using file = NativeFile.create("stat", { fileBytes: 12_345 });
    const found = new Float64Array(STAT_FIELDS);
    assert.equal(native.stat(file.descriptor, found), 0);
    const expected = fstatSync(file.descriptor);
    assert.equal(found[StatField.size], 12_345);
    assert.equal(found[StatField.uid], expected.uid);
    assert.equal(found[StatField.gid], expected.gid);
    assert.equal(found[StatField.mode], expected.mode);
    assert.equal(found[StatField.inode], expected.ino);
    assert.equal(found[StatField.device], expected.dev);
    assert.equal(found[StatField.links], 1);
    assert.equal(found[StatField.allocatedBytes], expected.blocks * 512);
    assert.equal(native.stat(2 ** 31 - 1, found), -errno.EBADF);
  });

  test("close takes only descriptors that the addon opened here", () => {
    using file = NativeFile.create("close");
    withForeignDescriptor(file.path, (foreign) => {
      assert.equal(native.close(foreign), -errno.EBADF);
      assert.equal(fstatSync(foreign).size, 4096);
    });
    const descriptor = native.reopen(file.descriptor);
    assert.equal(native.close(descriptor), 0);
    assert.equal(native.close(descriptor), -errno.EBADF);
  });

  test("closeAsync takes the same ones, at once", async () => {
    using file = NativeFile.create("close-async");
    assert.equal(await native.closeAsync(0), -errno.EBADF);
    fstatSync(0);
    const descriptor = native.reopen(file.descriptor);
    const closing = native.closeAsync(descriptor);
    assert.equal(native.close(descriptor), -errno.EBADF);
    assert.equal(await closing, 0);
  });

  test("descriptors are not inherited", () => {
    using file = NativeFile.create("cloexec");
    const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${file.descriptor}`, "utf8"))![1];
    assert.notEqual(Number.parseInt(flags, 8) & 0o2000000, 0);
  });
});

describe("backing", () => {
  test("allocate backs, punch gives back, truncate cuts", () => {
    using file = NativeFile.create("backing", { fileBytes: 0, mapBytes: 2 ** 20 });
    const blocks = (): number => fstatSync(file.descriptor).blocks * 512;
    assert.equal(native.allocate(file.descriptor, 0, 65_536), 0);
    assert.equal(blocks(), 65_536);
    file.words.fill(1, 0, 65_536 / 4);
    assert.equal(native.punch(file.descriptor, 4096, 8192), 0);
    assert.equal(blocks(), 65_536 - 8192);
    assert.equal(file.words[0], 1);
    assert.equal(file.words[1024], 0);
    assert.equal(fstatSync(file.descriptor).size, 65_536);
    assert.equal(native.truncate(file.descriptor, 100), 0);
    assert.equal(fstatSync(file.descriptor).size, 100);
  });

  test("a full file system is an answer, and backs nothing", async () => {
    using file = NativeFile.create("full", { fileBytes: 0, mapBytes: 4096 });
    assert.equal(native.allocate(file.descriptor, 0, 2 ** 45), -errno.ENOSPC);
    assert.equal(await native.allocateAsync(file.descriptor, 0, 2 ** 45), -errno.ENOSPC);
    assert.equal(fstatSync(file.descriptor).blocks, 0);
  });

  test("allocateAsync outlives its descriptor", async () => {
    using file = NativeFile.create("async", { fileBytes: 0, mapBytes: 4096 });
    const descriptor = native.reopen(file.descriptor);
    const promises = Array.from({ length: 20 }, (_, i) => native.allocateAsync(descriptor, i * 65_536, 65_536));
    native.close(descriptor);
    assert.deepEqual(
      await Promise.all(promises),
      promises.map(() => 0),
    );
    assert.equal(fstatSync(file.descriptor).size, 20 * 65_536);
    assert.equal(await native.allocateAsync(descriptor, 0, 1), -errno.EBADF);
  });
});

describe("identity", () => {
  test("effective user, start time, threads", async () => {
    assert.equal(native.effectiveUid(), process.geteuid!());
    const fields = readFileSync("/proc/self/stat", "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
    assert.equal(native.startTime(), Number(fields[22 - 3]));
    assert.equal(native.threadId(), process.pid);
    const worker = new Worker(
      `require("node:worker_threads").parentPort.postMessage(require(${JSON.stringify(ADDON_PATH)}).threadId())`,
      { eval: true },
    );
    const id = await new Promise((resolve) => worker.once("message", resolve));
    assert.notEqual(id, process.pid);
    await worker.terminate();
  });
});

describe("locks", () => {
  const FAR = 2 ** 40;

  test("one holder per byte, beyond the end of the file too", () => {
    using first = NativeFile.create("locks");
    using second = NativeFile.open(first.path);
    for (const offset of [0, FAR, Number.MAX_SAFE_INTEGER]) {
      assert.equal(native.lock(first.descriptor, offset), 0);
      assert.equal(native.lock(first.descriptor, offset), 0);
      assert.equal(native.lock(second.descriptor, offset), -errno.EAGAIN);
      assert.equal(native.probe(second.descriptor, offset, 1), 1);
      assert.equal(native.probe(first.descriptor, offset, 1), 0);
      assert.equal(native.unlock(second.descriptor, offset), 0);
      assert.equal(native.lock(second.descriptor, offset), -errno.EAGAIN);
      assert.equal(native.unlock(first.descriptor, offset), 0);
      assert.equal(native.lock(second.descriptor, offset), 0);
      assert.equal(native.unlock(second.descriptor, offset), 0);
    }
  });

  test("probing a range", () => {
    using first = NativeFile.create("probe");
    using second = NativeFile.open(first.path);
    native.lock(first.descriptor, FAR + 5);
    assert.equal(native.probe(second.descriptor, FAR, 5), 0);
    assert.equal(native.probe(second.descriptor, FAR, 6), 1);
    assert.equal(native.probe(second.descriptor, FAR + 5, 100), 1);
    assert.equal(native.probe(second.descriptor, FAR + 6, 100), 0);
  });

  test("closing another descriptor of the file releases nothing, closing the last of the description does", () => {
    using file = NativeFile.create("release");
    const holder = native.openExisting(file.path, true);
    native.lock(holder, 3);
    withForeignDescriptor(file.path, () => undefined);
    native.close(native.openExisting(file.path, true));
    assert.equal(isFree(file.path, 3), false);
    native.close(holder);
    assert.equal(isFree(file.path, 3), true);
  });
});
