import assert from "node:assert/strict";
import { readFileSync, truncateSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { Region, RegionReader, type ReaderOptions, type RegionOptions } from "shmkit";
import { REGION_HEADER } from "#src/layout/region-header.js";
import { diskPath } from "./helpers/disk-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { SMALL, testRegion } from "./helpers/process-regions.js";

/** Regions that are only looked at. */

const READ: ReaderOptions = { access: "read" };

async function readerOf(t: TestContext, name: string, options: Partial<ReaderOptions> = {}): Promise<RegionReader> {
  const reader = await Region.open(name, { ...READ, ...options });
  t.after(() => reader.close());
  return reader;
}

/** Kilobytes of a mapping of this file that are this process's own: pages that somebody has written to. */
function writtenTo(path: string): number[] {
  const maps = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return maps
    .filter((map) => map.includes(`${path}\n`) && map.split("\n")[0].includes("rw-p"))
    .map((map) => Number(/^Private_Dirty: +(\d+)/m.exec(map)![1]) + Number(/^Anonymous: +(\d+)/m.exec(map)![1]));
}

describe("a reader", () => {
  test("sees what there is, as it changes, takes no slot and writes to nothing", async (t) => {
    const region = await testRegion(t, "seen", { ...SMALL, maxMembers: 1 });
    const counter = await region.counter("c");
    const pipe = await region.pipe("p");
    const flag = await region.flag("f");
    const reader = await readerOf(t, region.name);
    assert.ok(reader instanceof RegionReader);
    assert.deepEqual(
      [reader.name, reader.path, reader.lifetime, reader.epoch, reader.createdAt],
      [region.name, region.path, region.lifetime, region.epoch, region.createdAt],
    );
    const words = new Int32Array(reader.buffer);
    for (let round = 1; round <= 3; round++) {
      await counter.set(round);
      await pipe.send(round);
      await flag.set();
      const depth = reader.object("p")!.pipe!.depth;
      assert.deepEqual(
        [reader.object("c")!.value, depth, reader.object("f")!.flag!.value],
        [BigInt(round), round, true],
      );
      await flag.clear();
      assert.equal(reader.object("f")!.flag!.value, false);
    }
    const guard = await (await region.mutex("m")).lock();
    assert.equal(reader.object("m")!.ownerSlot, 0);
    guard.release();
    assert.equal(reader.object("nothing"), undefined);
    assert.equal(words[REGION_HEADER.at.attachments >> 2], 1, "nobody else has ever attached");
    assert.deepEqual(
      reader.members().map(({ slot, alive }) => [slot, alive]),
      [[0, true]],
    );
    const { createdAt: _createdAt, ...info } = reader.info({ memory: true });
    const { createdAt: _made, ...inspected } = Region.inspect(region.name, { memory: true })!;
    assert.deepEqual(info, inspected);
    await region.grow("4MiB");
    assert.equal(reader.sizeBytes, region.sizeBytes);
    assert.deepEqual(reader.statistics(), region.statistics());
    await pipe.send(new Uint8Array(500_000));
    assert.equal(reader.object("p")!.pipe!.depth, 4, "in memory that came later");
    assert.deepEqual(writtenTo(region.path), [0, 0]);
  });

  test("a stray write to its bytes harms nobody, and not what the reader tells", async (t) => {
    const region = await testRegion(t, "stray");
    await (await region.counter("c")).set(1);
    const reader = Region.openSync(region.name, READ);
    t.after(() => reader.close());
    new Uint8Array(reader.buffer, 0, 65536).fill(0xff);
    assert.equal(reader.buffer, reader.buffer);
    await (await region.counter("c")).add(1);
    assert.equal(reader.object("c")!.value, 2n);
    assert.equal(region.members().length, 1);
  });

  test("what would change something is ERR_READ_ONLY, and no type has it", async (t) => {
    const region = await testRegion(t, "changed");
    const reader = await readerOf(t, region.name);
    const loose = reader as unknown as Record<string, unknown>;
    for (const name of ["pipe", "counterSync", "mutex", "pipes", "locks", "grow", "recoverTheDead", "flush", "slot"])
      assert.throws(() => loose[name], { code: "ERR_READ_ONLY", path: region.name }, name);
    // @ts-expect-error -- a reader has no pipes
    assert.throws(() => void reader.pipes, { code: "ERR_READ_ONLY" });
  });

  test("is no member: the region ends without it, which it can see", async (t) => {
    const region = await Region.create(uniqueRegionName(), SMALL);
    await (await region.counter("c")).set(3);
    const reader = await readerOf(t, region.name);
    assert.equal(reader.ended, false);
    await region.close();
    assert.equal(reader.ended, true);
    assert.equal(reader.object("c")!.value, 3n, "what it was");
    await assert.rejects(Region.open(region.name, READ), { code: "ERR_NOT_FOUND" });
  });

  test("waits for a name; does not count the dead as alive, and removes nothing", async () => {
    const name = uniqueRegionName();
    await assert.rejects(Region.open(name, { ...READ, wait: true, timeoutMs: 30 }), { code: "ERR_TIMEOUT" });
    let stayed = false;
    // Whoever else looks for the dead on this machine may be quicker, but not every time.
    for (let looks = 0; looks < 5 && !stayed; looks++) {
      const waiting = Region.open(name, { ...READ, wait: true, timeoutMs: 20_000 });
      const member = await ProcessMember.start({ region: name, options: SMALL });
      (await waiting).close();
      await member.kill();
      assert.throws(() => Region.openSync(name, READ), { code: "ERR_NOT_FOUND" });
      stayed = Region.inspect(name) !== undefined;
      await Region.clean({ name });
      assert.equal(Region.inspect(name), undefined);
    }
    assert.ok(stayed, "somebody who may write takes the name away");
  });

  test("of a region on disk, which it leaves in order", async (t) => {
    const path = diskPath(t);
    const options: RegionOptions = { ...SMALL, lifetime: "file" };
    const region = await Region.create(path, options);
    await (await region.counter("c")).set(9);
    await region.close();
    const reader = await readerOf(t, path, { lifetime: "file" });
    assert.deepEqual([reader.object("c")!.value, reader.info().disk], [9n, "inOrder"]);
    truncateSync(path, 0);
    assert.throws(
      () => {
        for (;;) reader.object("c");
      },
      { code: "ERR_REGION_LOST" },
    );
  });

  test("closed, it answers ERR_CLOSED and its bytes are zeroes", async (t) => {
    const region = await testRegion(t, "closed");
    const reader = await readerOf(t, region.name);
    const bytes = new Uint8Array(reader.buffer);
    reader[Symbol.dispose]();
    reader.close();
    const calls: (() => unknown)[] = [
      () => reader.sizeBytes,
      () => reader.statistics(),
      () => reader.members(),
      () => reader.object("c"),
      () => reader.info(),
      () => reader.ended,
      () => reader.buffer,
    ];
    for (const call of calls) assert.throws(call, { code: "ERR_CLOSED" });
    assert.equal(bytes[0], 0);
  });

  test("knows its options", async (t) => {
    const region = await testRegion(t, "options");
    for (const wrong of [{ size: "1MiB" }, { shared: true }, { label: "x" }])
      await assert.rejects(Region.open(region.name, { ...READ, ...wrong } as ReaderOptions), {
        code: "ERR_UNKNOWN_OPTION",
      });
    await assert.rejects(Region.open(region.name, { access: "none" } as unknown as ReaderOptions), {
      code: "ERR_INVALID_ARGUMENT",
    });
    await assert.rejects(Region.open(region.name, { ...READ, lifetime: "kernel" }), { code: "ERR_OPTIONS_DIFFER" });
    const member = await Region.open(region.name, { access: "write" });
    await member.close();
  });
});
