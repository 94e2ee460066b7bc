import assert from "node:assert/strict";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  bytes,
  float64,
  int16,
  int32,
  MappedView,
  MemoryMappedFile,
  string,
  struct,
  uint8,
  type MapAccess,
} from "shmkit";
import { munmap, pthread_mutex_init, pthread_mutex_trylock, pthread_mutex_unlock } from "shmkit/posix";
import { failsWith, failureOf, loose } from "./helpers/argument-failures.js";
import { executableFolder } from "./helpers/executable-folder.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ownFileSystem, ownSharedMemory, refusal } from "./helpers/namespaces.js";
import { ProcessMember } from "./helpers/process-member.js";
import { failsWithCode } from "./helpers/system-call-failure.js";

const folder = executableFolder("shmkit-mapped-");
after(() => rmSync(folder, { recursive: true }));

/** Of the descriptors that this process has. */
const openPaths = (): string[] =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      // That of the listing itself.
      return [];
    }
  });

let files = 0;
function fileOf(contents: string | number): string {
  const path = join(folder, `file-${files++}`);
  if (typeof contents === "string") writeFileSync(path, contents);
  else {
    const fd = openSync(path, "wx");
    ftruncateSync(fd, contents);
    closeSync(fd);
  }
  return path;
}

const code = async (call: () => unknown): Promise<string> => (await failureOf(call)).code;
const GIB = 2 ** 30;

describe("files", () => {
  test("are read and written through views, at every offset", () => {
    const path = fileOf("x".repeat(200_000));
    const map = MemoryMappedFile.createFromFileSync(path);
    assert.deepEqual([map.capacity, map.access, map.path, map.name], [200_000, "read-write", path, undefined]);
    for (const offset of [0, 1, 4095, 4096, 65_535, 65_537, 199_990]) {
      const view = map.createViewAccessor(offset, 10);
      view.writeInt32(3, 7 + offset);
      assert.equal(view.capacity, 10);
      view.close();
      assert.equal(readFileSync(path).readInt32LE(offset + 3), 7 + offset);
    }
    map.close();
  });

  test("by URL, FileHandle and descriptor, which may be closed meanwhile", async () => {
    const path = fileOf("12345678");
    const fd = openSync(path, "r+");
    const handle = await open(path, "r+");
    const maps = [pathToFileURL(path), handle, fd].map((file) => MemoryMappedFile.createFromFileSync(file));
    closeSync(fd);
    await handle.close();
    for (const [i, map] of maps.entries()) {
      const view = map.createViewAccessor();
      view.writeUint8(i, 65 + i);
      view.close();
      map.close();
    }
    assert.equal(readFileSync(path, "utf8"), "ABC45678");
  });

  test("a descriptor gives no more than it was opened for, whatever the rights of the file", async () => {
    const path = fileOf("12345678");
    const [reads, writes] = [openSync(path, "r"), openSync(path, "a")];
    for (const access of ["read-write", "read-write-execute"] as const)
      assert.equal(await code(() => MemoryMappedFile.createFromFile(reads, { access })), "ERR_PERMISSION");
    assert.equal(await code(() => MemoryMappedFile.createFromFile(writes, { access: "read" })), "ERR_PERMISSION");
    for (const access of ["read", "copy-on-write"] as const) {
      const map = MemoryMappedFile.createFromFileSync(reads, { access });
      const view = map.createViewAccessor();
      assert.equal(view.readUint8(0), 0x31);
      view.close();
      map.close();
    }
    for (const fd of [reads, writes]) closeSync(fd);
    await failsWith(() => MemoryMappedFile.createFromFile(reads), "ERR_SYSTEM", Error);
  });

  test("are made and made longer, never shorter", async () => {
    const path = join(folder, "made");
    const map = await MemoryMappedFile.createFromFile(path, { mode: "create-new", capacity: 100 });
    assert.equal(statSync(path).size, 100);
    await map.grow(70_000);
    map.growSync(70_000);
    const view = map.createViewAccessor(69_000);
    assert.equal(view.capacity, 1000);
    view.writeUint8(999, 7);
    await view.flush();
    view.flushSync();
    await failsWith(() => map.grow(69_999), "ERR_OUT_OF_RANGE", RangeError);
    view.close();
    map.close();
    assert.equal(readFileSync(path)[69_999], 7);
    assert.equal(
      await code(() => MemoryMappedFile.createFromFileSync(path, { mode: "create-new", capacity: 1 })),
      "ERR_EXISTS",
    );
    MemoryMappedFile.createFromFileSync(path, { mode: "open-or-create", capacity: 80_000 }).close();
    assert.equal(readFileSync(path)[69_999], 7);
    MemoryMappedFile.createFromFileSync(path, { mode: "create", capacity: 10, delayAllocatePages: true }).close();
    assert.deepEqual([...readFileSync(path)], new Array(10).fill(0));
  });

  test("their pages are there from the beginning, or with delayAllocatePages once they are written", async () => {
    const capacity = 1_000_000;
    const allocated = (path: string): number => statSync(path).blocks * 512;
    for (const delayAllocatePages of [false, true]) {
      const path = join(folder, `pages-${delayAllocatePages}`);
      const map = await MemoryMappedFile.createFromFile(path, { mode: "create-new", capacity, delayAllocatePages });
      if (delayAllocatePages) assert.ok(allocated(path) < capacity / 2);
      else assert.ok(allocated(path) >= capacity);
      await map.grow(2 * capacity);
      if (!delayAllocatePages) assert.ok(allocated(path) >= 2 * capacity);
      map.close();
      const name = uniqueRegionName("pages");
      const block = MemoryMappedFile.createNewSync(name, capacity, { delayAllocatePages });
      assert.equal(allocated(block.path) >= capacity, !delayAllocatePages);
      const view = block.createViewAccessor();
      view.bytes.fill(1);
      assert.ok(allocated(block.path) >= capacity);
      view.close();
      block.close();
    }
  });

  test("every case of .NET's exceptions", async () => {
    const path = fileOf("12345678");
    const from = (file: unknown, options?: unknown) => () =>
      loose(MemoryMappedFile, "createFromFileSync")(file, options);
    for (const options of [{ mode: "create" }, { mode: "create", capacity: 8, access: "read" }])
      await failsWith(from(path, options), "ERR_INVALID_ARGUMENT");
    assert.equal(readFileSync(path, "latin1"), "12345678", "what cannot be mapped is not emptied");
    for (const file of ["", null, undefined, {}, -1, 1.5, "a\0b"]) await failsWith(from(file), "ERR_INVALID_ARGUMENT");
    for (const options of [
      { access: "write" },
      { access: "all" },
      { mode: "append" },
      { mode: "truncate" },
      { capacity: "8" },
    ])
      await failsWith(from(path, options), "ERR_INVALID_ARGUMENT");
    for (const capacity of [-1, 7, 1.5, NaN]) await failsWith(from(path, { capacity }), "ERR_OUT_OF_RANGE", RangeError);
    await failsWith(from(path, { capacity: 9, access: "read" }), "ERR_INVALID_ARGUMENT");
    await failsWith(from(folder), "ERR_INVALID_ARGUMENT");
    await failsWith(from(folder, { access: "read" }), "ERR_INVALID_ARGUMENT");
    await failsWith(from("/dev/null"), "ERR_INVALID_ARGUMENT");
    assert.equal(await code(from(join(folder, "nothing"))), "ERR_NOT_FOUND");
    const made = join(folder, "made by the call");
    for (const mode of ["create-new", "open-or-create", "create"]) {
      await failsWith(from(made, { mode }), "ERR_INVALID_ARGUMENT");
      assert.equal(existsSync(made), false, mode);
    }
    const empty = fileOf("");
    await failsWith(from(empty), "ERR_INVALID_ARGUMENT");
    assert.ok(existsSync(empty), "what was there stays");

    const map = MemoryMappedFile.createFromFileSync(path);
    const view =
      (...args: readonly unknown[]) =>
      () =>
        loose(map, "createViewAccessor")(...args);
    for (const [offset, size] of [
      [-1, 0],
      [0, -1],
      [0, 9],
      [8, 0],
      [5, 4],
      [0.5, 0],
      [2 ** 53, 0],
    ])
      // prettier-ignore
      await failsWith(view(offset, size), "ERR_OUT_OF_RANGE", RangeError);
    await failsWith(view(0, 0, "everything"), "ERR_INVALID_ARGUMENT");
    await failsWith(view("0"), "ERR_INVALID_ARGUMENT");
    map.close();
    map.close();
    assert.equal(await code(() => map.createViewAccessor()), "ERR_CLOSED");
    assert.equal(await code(() => map.createViewStream()), "ERR_CLOSED");
    assert.equal(await code(() => map.grow(10)), "ERR_CLOSED");
  });

  test("what a view may do, of all pairs", async () => {
    const path = fileOf("12345678");
    const allowed: Readonly<Record<string, readonly MapAccess[]>> = {
      "read-write": ["read-write", "read", "write", "copy-on-write"],
      read: ["read", "copy-on-write"],
      "copy-on-write": ["read", "copy-on-write"],
      "read-execute": ["read", "copy-on-write", "read-execute"],
      "read-write-execute": ["read-write", "read", "write", "copy-on-write", "read-execute", "read-write-execute"],
    };
    for (const [access, views] of Object.entries(allowed)) {
      const map = MemoryMappedFile.createFromFileSync(path, { access: access as "read" });
      for (const wanted of allowed["read-write-execute"]) {
        if (!views.includes(wanted)) {
          assert.equal(await code(() => map.createViewAccessor(0, 0, wanted)), "ERR_PERMISSION");
          continue;
        }
        const view = map.createViewAccessor(0, 0, wanted);
        if (wanted === "write") {
          for (const read of [
            () => view.readInt32(0),
            () => view.readBytes(0, new Uint8Array(1)),
            () => view.cursor(struct({ a: uint8 })),
          ])
            assert.equal(await code(read), "ERR_PERMISSION");
        } else assert.equal(view.readUint8(7), 56);
        if (!wanted.includes("write")) {
          for (const write of [
            () => view.writeInt8(0, 1),
            () => view.writeArray(int32, 0, [1]),
            () => view.writeBytes(0, new Uint8Array(1)),
          ])
            assert.equal(await code(write), "ERR_PERMISSION");
        } else view.writeUint8(7, 56);
        if (wanted === "copy-on-write") {
          view.writeUint8(0, 90);
          await view.flush();
          assert.equal(view.readUint8(0), 90);
        }
        view.close();
      }
      if (!access.includes("read-write")) assert.equal(await code(() => map.grow(10)), "ERR_PERMISSION");
      map.close();
    }
    assert.equal(readFileSync(path, "utf8"), "12345678");
  });

  test("larger than any buffer, of which views show parts", () => {
    const path = fileOf(5 * GIB);
    const map = MemoryMappedFile.createFromFileSync(path);
    assert.equal(map.capacity, 5 * GIB);
    const fd = openSync(path, "r");
    for (const offset of [4 * GIB - 4096, 4 * GIB - 1, 4 * GIB, 4 * GIB + 4097, 5 * GIB - 100]) {
      const view = map.createViewAccessor(offset, 100);
      view.writeFloat64(13, offset);
      view.close();
      const found = Buffer.alloc(8);
      readSync(fd, found, 0, 8, offset + 13);
      assert.equal(found.readDoubleLE(), offset);
    }
    closeSync(fd);
    map.close();
    assert.ok(statSync(path).blocks * 512 < GIB / 1024);
  });

  test("a view that cannot be unmapped now stays open, and is closed afterwards", async () => {
    const path = fileOf(8192);
    const map = MemoryMappedFile.createFromFileSync(path);
    const view = map.createViewAccessor();
    const mutex = pthread_mutex_init(view.bytes);
    assert.equal(pthread_mutex_trylock(mutex), "locked");
    failsWithCode("EBUSY", () => view.close());
    assert.equal(view.readInt8(8000), 0);
    pthread_mutex_unlock(mutex);
    view.close();
    assert.equal(await code(() => view.readInt8(0)), "ERR_CLOSED");
    const other = map.createViewAccessor();
    failsWithCode("EINVAL", () => munmap(other.bytes));
    other.writeInt8(0, 1);
    assert.equal(other.readInt8(0), 1);
    other.close();
    map.close();
    assert.equal(openPaths().includes(path), false, "the file is closed with the last of them");
  });

  test("cut off under a view: an error from the first call on, and no crash", async () => {
    const path = fileOf(300_000);
    const map = MemoryMappedFile.createFromFileSync(path);
    const view = map.createViewAccessor();
    const stream = map.createViewStream(200_000);
    view.writeInt32(200_000, 5);
    truncateSync(path, 4096);
    assert.equal(await code(() => view.readInt32(200_000)), "ERR_MAPPING_LOST");
    assert.equal(await code(() => stream.read(new Uint8Array(9))), "ERR_MAPPING_LOST");
    await assert.rejects(text(stream.readable() as never), { code: "ERR_MAPPING_LOST" });
    for (const call of [
      () => view.readInt32(0),
      () => view.readBytes(0, new Uint8Array(1)),
      () => view.read(int32, 0),
      () => view.readArray(int32, 0, [1]),
      () => view.writeInt32(0, 1),
      () => view.writeArray(int32, 0, [1]),
      () => view.flush(),
      () => view.flushSync(),
      () => view.check(),
    ])
      assert.equal(await code(call), "ERR_MAPPING_LOST");
    view.close();
    stream.close();
    // Its length counts anew for whoever maps it now.
    assert.equal(await code(() => map.createViewAccessor(200_000).readInt8(0)), "ERR_MAPPING_LOST");
    map.close();
  });
});

describe("views", () => {
  const numbers: readonly [string, number, ...unknown[]][] = [
    ["Boolean", 1, true, false],
    ["Int8", 1, -128, 127],
    ["Uint8", 1, 255],
    ["Int16", 2, -32768, 32767],
    ["Uint16", 2, 65535],
    ["Int32", 4, -(2 ** 31), 2 ** 31 - 1],
    ["Uint32", 4, 2 ** 32 - 1],
    ["Int64", 8, -(2n ** 63n)],
    ["Uint64", 8, 2n ** 64n - 1n],
    ["Float32", 4, 0.5, -Infinity],
    ["Float64", 8, Math.PI, 5e-324],
    ["Char", 2, "é", "\ud800"],
  ];

  for (const [type, size, ...values] of numbers)
    test(`read and write ${type}`, async () => {
      const map = MemoryMappedFile.createFromFileSync(fileOf(20));
      const view = map.createViewAccessor();
      for (const position of [0, 3, 20 - size])
        for (const value of values) {
          loose(view, `write${type}`)(position, value);
          assert.equal(loose(view, `read${type}`)(position), value);
        }
      for (const position of [20, -1, 0.5, NaN, Infinity, 2 ** 32, ...(size > 1 ? [21 - size] : [])]) {
        await failsWith(() => loose(view, `read${type}`)(position), "ERR_OUT_OF_RANGE", RangeError);
        await failsWith(() => loose(view, `write${type}`)(position, values[0]), "ERR_OUT_OF_RANGE", RangeError);
      }
      for (const position of ["0", null, undefined])
        await failsWith(() => loose(view, `read${type}`)(position), "ERR_INVALID_ARGUMENT");
      for (const value of [{}, undefined, "ab"])
        await failsWith(() => loose(view, `write${type}`)(0, value), "ERR_INVALID_ARGUMENT");
      view.close();
      view.close();
      assert.equal(await code(() => loose(view, `read${type}`)(0)), "ERR_CLOSED");
      assert.equal(await code(() => loose(view, `write${type}`)(0, values[0])), "ERR_CLOSED");
      map.close();
    });

  test("structs, arrays of them, and cursors, at odd offsets", async () => {
    const Sample = struct({ name: string(5), value: float64, tag: int16 }, { name: "Sample", pack: 1 });
    const map = MemoryMappedFile.createFromFileSync(fileOf(8000));
    const view = map.createViewAccessor(4097, 100);
    const sample = { name: "abcd", value: 1.25, tag: -3 };
    view.write(Sample, 7, sample);
    assert.deepEqual(view.read(Sample, 7), sample);
    view.write(bytes(3), 97, Uint8Array.of(1, 2, 3));
    assert.deepEqual([...view.read(bytes(3), 97)], [1, 2, 3]);
    const target = new Array<typeof sample>(10);
    assert.equal(view.readArray(Sample, 7, target), 6);
    assert.deepEqual(target[0], sample);
    assert.equal(view.readArray(Sample, 7, target, 9), 1);
    assert.equal(view.readArray(Sample, 95, target), 0);
    assert.equal(view.readArray(Sample, 7, target, 2, 3), 3);
    assert.deepEqual(target[2], sample);
    view.writeArray(Sample, 10, [sample, sample, sample], 1);
    assert.deepEqual(view.cursor(Sample, 10).get(1), sample);
    assert.equal(view.cursor(Sample, 10).length, 6);
    view.cursor(Sample, 10, 1).at(0).tag = 99;
    assert.equal(view.read(Sample, 10).tag, 99);
    view.writeArray(int16, 0, new Int16Array([1, 2, 3]));
    assert.equal(view.readInt16(4), 3);
    const before = view.bytes.slice();
    await assert.rejects(async () => view.writeArray(int16, 0, [9, 40_000]), {
      path: "values[1]",
      code: "ERR_OUT_OF_RANGE",
    });
    await failsWith(() => view.writeArray(int16, 98, [1, 2]), "ERR_OUT_OF_RANGE", RangeError);
    await failsWith(() => view.write(Sample, 90, sample), "ERR_OUT_OF_RANGE", RangeError);
    await failsWith(() => view.write(Sample, 0, { ...sample, tag: 2 ** 15 }), "ERR_OUT_OF_RANGE", RangeError);
    await failsWith(() => view.read({} as never, 0), "ERR_INVALID_ARGUMENT");
    await failsWith(() => view.readArray(int16, 0, new Int16Array(3) as never), "ERR_INVALID_ARGUMENT");
    for (const position of [100, -1])
      await failsWith(() => view.readArray(int16, position, [0]), "ERR_OUT_OF_RANGE", RangeError);
    await failsWith(() => view.readArray(int16, 0, [0], 2), "ERR_OUT_OF_RANGE", RangeError);
    await failsWith(() => view.writeArray(int16, 0, 5 as never), "ERR_INVALID_ARGUMENT");
    assert.deepEqual(view.bytes.slice(), before);
    assert.equal(view.pointerOffset, 4097);
    view.close();
    assert.ok(view.bytes.every((byte) => byte === 0));
    map.close();
  });

  test("bytes", async () => {
    const path = fileOf("0123456789");
    const map = MemoryMappedFile.createFromFileSync(path);
    const view = map.createViewAccessor(2, 6);
    const target = Buffer.alloc(4);
    assert.equal(view.readBytes(4, target), 2);
    assert.equal(target.toString("latin1"), "67\0\0");
    view.writeBytes(0, Buffer.from("abc"));
    await failsWith(() => view.writeBytes(4, Buffer.from("abc")), "ERR_OUT_OF_RANGE", RangeError);
    await failsWith(() => view.writeBytes(0, "abc" as never), "ERR_INVALID_ARGUMENT");
    await failsWith(() => view.readBytes(0, [] as never), "ERR_INVALID_ARGUMENT");
    assert.equal(readFileSync(path, "utf8"), "01abc56789");
    // What others write to the file is seen.
    const fd = openSync(path, "r+");
    writeSync(fd, "Z", 7);
    closeSync(fd);
    assert.equal(view.readUint8(5), 90);
    view.close();
    map.close();
  });

  test("outlive their map, and are closed by `using`", () => {
    const map = MemoryMappedFile.createFromFileSync(fileOf("1234"));
    const view = map.createViewAccessor();
    map[Symbol.dispose]();
    assert.equal(view.readUint8(0), 49);
    assert.ok(view instanceof MappedView);
    view[Symbol.dispose]();
    assert.throws(() => view.readUint8(0), { code: "ERR_CLOSED" });
  });
});

describe("streams", () => {
  test("of Node and of the Web, in both directions", async () => {
    const path = fileOf(200_000);
    const map = MemoryMappedFile.createFromFileSync(path);
    const contents = "shared memory ".repeat(14_000);
    const out = map.createViewStream(1000, contents.length);
    const half = Math.floor(contents.length / 2);
    const writer = out.writable().getWriter();
    await writer.write(Buffer.from(contents.slice(0, half)));
    await writer.close();
    assert.equal(out.position, half);
    await pipeline([Buffer.from(contents.slice(half))], out.nodeWritable());
    assert.equal(readFileSync(path, "utf8").slice(1000, 1000 + contents.length), contents);
    for (const readable of ["readable", "nodeReadable"] as const) {
      const back = map.createViewStream(1000, contents.length, "read");
      assert.equal(await text(back[readable]() as never), contents);
      assert.equal(back.read(new Uint8Array(1)), 0);
      back.position = 7;
      const word = Buffer.alloc(6);
      assert.deepEqual([back.read(word), word.toString()], [6, "memory"]);
      for (const position of [-1, back.length + 1, 0.5])
        await failsWith(() => (back.position = position), "ERR_OUT_OF_RANGE", RangeError);
      assert.equal(await code(() => back.write(Buffer.from("x"))), "ERR_PERMISSION");
      back.close();
      assert.equal(await code(() => back.read(word)), "ERR_CLOSED");
      await assert.rejects(text(back[readable]() as never), { code: "ERR_CLOSED" });
    }
    // What is no bytes is not taken for none.
    for (const chunk of [new ArrayBuffer(4), new DataView(new ArrayBuffer(4)), "text", {}]) {
      await failsWith(() => out.write(chunk as never), "ERR_INVALID_ARGUMENT");
      await assert.rejects(
        out
          .writable()
          .getWriter()
          .write(chunk as never),
        { code: "ERR_INVALID_ARGUMENT" },
      );
    }
    // The end: all of a chunk or nothing.
    out.position = contents.length - 3;
    await failsWith(() => out.write(Buffer.from("1234")), "ERR_OUT_OF_RANGE", RangeError);
    await assert.rejects(pipeline([Buffer.from("1234")], out.nodeWritable()), { code: "ERR_OUT_OF_RANGE" });
    await assert.rejects(out.writable().getWriter().write(Buffer.from("1234")), { code: "ERR_OUT_OF_RANGE" });
    out.write(Buffer.from("end"));
    assert.equal(out.position, out.length);
    out[Symbol.dispose]();
    map.close();
  });
});

test("memory with a name: errors, options and what they leave", async () => {
  const name = uniqueRegionName("map");
  const own = (): string[] => readdirSync("/dev/shm").filter((file) => file === `shmkit-map.${name}`);
  assert.equal(await code(() => MemoryMappedFile.openExisting(name)), "ERR_NOT_FOUND");
  const map = await MemoryMappedFile.createNew(name, 10_000);
  assert.deepEqual([map.name, map.capacity, map.path], [name, 10_000, `/dev/shm/shmkit-map.${name}`]);
  assert.equal(await code(() => MemoryMappedFile.createNew(name, 1)), "ERR_EXISTS");
  assert.equal(await code(() => MemoryMappedFile.createNewSync(name, 1)), "ERR_EXISTS");
  const other = MemoryMappedFile.createOrOpenSync(name, 5);
  assert.equal(other.capacity, 10_000);
  const reader = MemoryMappedFile.openExistingSync(name, { access: "read" });
  const view = map.createViewAccessor();
  view.writeChar(9998, "!");
  const seen = reader.createViewAccessor();
  assert.equal(seen.readChar(9998), "!");
  for (const wrong of ["", "a/b", ".hidden", 5, null])
    await failsWith(() => MemoryMappedFile.createNew(wrong as string, 1), "ERR_INVALID_NAME");
  for (const capacity of [0, -1, 1.5, NaN])
    await failsWith(() => MemoryMappedFile.createNew(name, capacity), "ERR_OUT_OF_RANGE", RangeError);
  await failsWith(() => loose(MemoryMappedFile, "openExisting")(name, { access: "write" }), "ERR_INVALID_ARGUMENT");
  await failsWith(() => loose(MemoryMappedFile, "createNew")(name, 1, { inherit: 1 }), "ERR_UNKNOWN_OPTION");
  assert.equal(own().length, 1);
  // The view is the last user.
  for (const each of [map, other, reader]) each.close();
  assert.equal(own().length, 1);
  const again = MemoryMappedFile.openExistingSync(name);
  again.growSync(20_000);
  again.close();
  view.close();
  assert.equal(own().length, 1);
  seen.close();
  assert.deepEqual(own(), []);
  assert.equal(await code(() => MemoryMappedFile.openExisting(name)), "ERR_NOT_FOUND");
});

describe("a full /dev/shm", { skip: refusal(ownSharedMemory("size=1m")) }, () => {
  test("is ERR_NO_SPACE for what is to have its pages, and loses a view of what is not, but not the process", async () => {
    const member = await ProcessMember.start({ through: ownSharedMemory("size=1m") });
    const answer = await member.run(async ({ shmkit, load }) => {
      const { MemoryMappedFile: Maps } = shmkit;
      const { readdirSync } = (await load("node:fs")) as typeof import("node:fs");
      const codeOf = (error: unknown): unknown => (error as { code?: string }).code;
      const capacity = 2 ** 21;
      const codes: unknown[] = [
        await Maps.createNew("a", capacity).catch(codeOf),
        await Maps.createFromFile("/dev/shm/a", { mode: "create-new", capacity }).catch(codeOf),
      ];
      const left = readdirSync("/dev/shm");
      const block = await Maps.createNew("a", capacity, { delayAllocatePages: true });
      const view = block.createViewAccessor();
      try {
        for (let position = 0; position < capacity; position += 4096) view.writeUint8(position, 1);
      } catch (error) {
        codes.push(codeOf(error));
      }
      view.close();
      block.close();
      return { codes, left };
    });
    assert.deepEqual(answer, { codes: ["ERR_NO_SPACE", "ERR_NO_SPACE", "ERR_MAPPING_LOST"], left: [] });
    await member.kill();
  });
});

test("what is missing or of another kind is named", async () => {
  const map = MemoryMappedFile.createNewSync(uniqueRegionName("named"), 16);
  const view = map.createViewAccessor();
  for (const wrong of [undefined, null, 5]) {
    await failsWith(() => view.readArray(uint8, 0, wrong as never), "ERR_INVALID_ARGUMENT");
    await failsWith(() => view.writeArray(uint8, 0, wrong as never), "ERR_INVALID_ARGUMENT");
  }
  for (const wrong of [undefined, int32]) await failsWith(() => view.cursor(wrong as never), "ERR_INVALID_ARGUMENT");
  const { message } = await failsWith(() => MemoryMappedFile.createNew("a/b", 1), "ERR_INVALID_NAME");
  assert.match(message, /^the map name "a\/b" /);
  view.close();
  map.close();
});

describe("a file system without fallocate", { skip: refusal(ownFileSystem("ramfs", folder)) }, () => {
  test("files get their length by writing, and holes by ftruncate", async () => {
    const member = await ProcessMember.start({ through: ownFileSystem("ramfs", folder) });
    const answer = await member.run(async ({ shmkit, load }, folder) => {
      const { MemoryMappedFile: Maps, Region } = shmkit;
      const { openSync, statSync, writeFileSync } = (await load("node:fs")) as typeof import("node:fs");
      const posix = (await load("shmkit/posix")) as typeof import("shmkit/posix");
      const codeOf = (error: unknown): unknown => (error as { code?: string }).code;
      const capacity = 2 ** 20 + 100_000;
      const seen: unknown[] = [];
      for (const delayAllocatePages of [false, true]) {
        const path = `${folder}/${String(delayAllocatePages)}`;
        const map = await Maps.createFromFile(path, { mode: "create-new", capacity, delayAllocatePages });
        seen.push(statSync(path).size - capacity);
        const view = map.createViewAccessor();
        view.writeInt32(capacity - 4, 5);
        seen.push(view.readInt32(capacity - 4));
        view.close();
        map.close();
      }
      writeFileSync(`${folder}/text`, "text");
      const map = Maps.createFromFileSync(`${folder}/text`);
      map.growSync(9000);
      const view = map.createViewAccessor();
      seen.push(view.readUint8(0), view.readUint8(8999));
      seen.push(await Region.create(`${folder}/region`, { lifetime: "file" }).catch(codeOf));
      const fd = openSync(`${folder}/text`, "r+");
      seen.push(
        await posix.posix_fallocate(fd, 0, 2 ** 25).catch(codeOf),
        statSync(`${folder}/text`).size,
        view.readUint8(0),
      );
      return seen;
    }, folder);
    assert.deepEqual(answer, [0, 5, 0, 5, 116, 0, "ERR_FILE_SYSTEM", undefined, 2 ** 25, 116]);
    await member.kill();
  });
});
