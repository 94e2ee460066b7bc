/** Memory that is no region, and regions that are not in /dev/shm, each used once between two members of a runtime. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uniqueRegionName } from "../helpers/leftovers.js";
import type { ProcessMember } from "../helpers/driven-member.js";

type Exchange = (a: ProcessMember, b: ProcessMember) => Promise<void>;

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-matrix-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A struct written through one view is read through another one. */
const mappedFile: Exchange = (a, b) =>
  inFolder(async (folder) => {
    const path = join(folder, "mapped");
    writeFileSync(path, new Uint8Array(100_000));
    await a.run(({ shmkit }, file) => {
      const { struct, int16, float64, string, MemoryMappedFile } = shmkit;
      const Sample = struct({ tag: int16, value: float64, name: string(6) });
      const map = MemoryMappedFile.createFromFileSync(file);
      const view = map.createViewAccessor(70_001, 1000);
      view.write(Sample, 3, { tag: -7, value: 0.5, name: "hello" });
      view.writeInt64(100, 2n ** 60n);
      view.close();
      map.close();
    }, path);
    const read = await b.run(async ({ shmkit }, file) => {
      const { struct, int16, float64, string, MemoryMappedFile } = shmkit;
      const Sample = struct({ tag: int16, value: float64, name: string(6) });
      const map = await MemoryMappedFile.createFromFile(file, { access: "read" });
      const view = map.createViewAccessor(0, 0, "read");
      const found = { ...view.read(Sample, 70_004), large: view.readInt64(70_101), end: map.capacity };
      view.close();
      map.close();
      return found;
    }, path);
    assert.deepEqual(read, { tag: -7, value: 0.5, name: "hello", large: 2n ** 60n, end: 100_000 });
  });

/** A named map goes with the last one that has it. */
const namedMap: Exchange = async (a, b) => {
  const name = uniqueRegionName("map");
  await a.run(({ shmkit, kept }, its) => {
    const map = shmkit.MemoryMappedFile.createNewSync(its, 10_000);
    const view = map.createViewAccessor();
    view.writeInt32(9_000, 42);
    kept.set("maps", [view, map]);
  }, name);
  const take = async (its: string): Promise<number> =>
    b.run(async ({ shmkit }, asked) => {
      const map = await shmkit.MemoryMappedFile.openExisting(asked);
      const view = map.createViewAccessor();
      const found = view.readInt32(9_000);
      view.close();
      map.close();
      return found;
    }, its);
  assert.equal(await take(name), 42);
  await a.run(({ kept }) => {
    for (const one of kept.get("maps") as import("shmkit").MappedView[]) one.close();
  });
  await assert.rejects(take(name), /nobody uses it any more/);
};

const blocks: Exchange = async (a, b) => {
  const name = uniqueRegionName("block");
  await a.run(async ({ shmkit, kept }, its) => {
    const memory = await shmkit.SharedMemory.create(its, { size: 1000 });
    new Uint8Array(memory.buffer)[999] = 7;
    const list = await shmkit.ShareableList.create([1.5, "text", true, null, 2n ** 40n], `${its}-list`);
    const full = shmkit.SystemSemaphore.create(its);
    kept.set("blocks", [memory, list, full]);
  }, name);
  const found = await b.run(async ({ shmkit }, its) => {
    const memory = await shmkit.SharedMemory.open(its);
    const lock = await memory.lock();
    const [byte, attached] = [new Uint8Array(memory.buffer)[999], memory.attachCount];
    lock.release();
    const list = await shmkit.ShareableList.open(`${its}-list`);
    list.set(1, "TEXT");
    const full = shmkit.SystemSemaphore.open(its);
    full.release();
    const found = [byte, attached, ...list];
    for (const one of [memory, list, full]) one.close();
    return found;
  }, name);
  assert.deepEqual(found, [7, 2, 1.5, "TEXT", true, null, 2 ** 40]);
  const seen = await a.run(async ({ kept }) => {
    const [memory, list, full] = kept.get("blocks") as [
      import("shmkit").SharedMemory,
      import("shmkit").ShareableList,
      import("shmkit").SystemSemaphore,
    ];
    await full.acquire({ timeoutMs: 60_000 });
    const value = [list.get(1), full.tryAcquire()];
    for (const one of [memory, list.memory, full]) {
      one.unlink();
      one.close();
    }
    return value;
  });
  assert.deepEqual(seen, ["TEXT", false]);
};

/** What is on disk stays when everybody has left. */
const onDisk: Exchange = (a, b) =>
  inFolder(async (folder) => {
    const path = join(folder, "state");
    await a.run(async ({ shmkit }, file) => {
      const region = await shmkit.open(file, { lifetime: "file", size: "256KiB", maxSize: "8MiB" });
      await (await region.pipe("kept")).send("still there");
      await region.flush();
      await region.close();
    }, path);
    const read = await b.run(async ({ shmkit }, file) => {
      const region = await shmkit.open(file, { lifetime: "file", maxSize: "8MiB" });
      const found = [region.created, await (await region.pipe("kept")).receive({ timeoutMs: 60_000 })];
      await region.close();
      return found;
    }, path);
    assert.deepEqual(read, [false, "still there"]);
  });

const withoutName: Exchange = async (a) => {
  const received = await a.run(async ({ shmkit }) => {
    const first = await shmkit.Region.anonymous({ size: "256KiB", maxSize: "8MiB" });
    const second = await shmkit.Region.fromDescriptor(first.fd);
    const receiving = (await second.pipe("p")).receive();
    await (await first.pipe("p")).send("by descriptor");
    const found = [first.slot === second.slot, await receiving];
    await first.close();
    await second.close();
    return found;
  });
  assert.deepEqual(received, [false, "by descriptor"]);
};

const readers: Exchange = async (a, b) => {
  const name = await a.run(async ({ region }) => {
    await (await region.counter("read")).set(5);
    return region.name;
  });
  const seen = await b.run(async ({ shmkit, region }, its) => {
    const reader = await shmkit.Region.open(its, { access: "read" });
    const found = [reader.object("read")?.value, reader.members().length === region.members().length];
    reader.close();
    return found;
  }, name);
  assert.deepEqual(seen, [5n, true]);
};

export const MEMORY: Readonly<Record<string, Exchange>> = {
  "mapped files and structs": mappedFile,
  "named maps": namedMap,
  "blocks, lists and semaphores with names": blocks,
  "a region on disk": onDisk,
  "a region without a name": withoutName,
  "reading only": readers,
};
