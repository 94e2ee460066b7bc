import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Region, open } from "shmkit";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember } from "./helpers/process-member.js";
import { joinRegion, pathOf, SMALL, testRegion } from "./helpers/process-regions.js";
import { turnAmongTheDead } from "./helpers/turns.js";

describe("looking from outside", () => {
  test("inspect tells what is there, and leaves no trace", async (t) => {
    const region = await testRegion(t, "inspected", { ...SMALL, label: "me", mode: 0o640 });
    const pipe = await region.pipe("a pipe", { capacity: 7 });
    await pipe.send("x");
    await (await region.counter("a counter")).set(-5);
    const mutex = await region.mutex("a mutex");
    await region.mutex("free");
    await mutex.lock();
    const info = Region.inspect(region.name)!;
    const { name, path, uid, mode, lifetime, epoch, sizeBytes, maxSizeBytes } = info;
    assert.deepEqual(
      { name, path, uid, mode, lifetime, epoch, sizeBytes, maxSizeBytes },
      {
        name: region.name,
        path: region.path,
        uid: process.getuid!(),
        mode: 0o640,
        lifetime: "process",
        epoch: region.epoch,
        sizeBytes: 256 * 1024,
        maxSizeBytes: 8 * 2 ** 20,
      },
    );
    assert.match(epoch, /^[0-9a-f]{16}$/);
    assert.deepEqual(info.heap, region.statistics());
    assert.equal(info.createdAt.getTime(), region.createdAt.getTime());
    const [member, ...others] = info.members;
    assert.deepEqual(others, []);
    assert.deepEqual(
      { slot: member.slot, pid: member.pid, label: member.label, alive: member.alive },
      { slot: 0, pid: process.pid, label: "me", alive: true },
    );
    assert.deepEqual(
      info.objects.map(({ name, kind, value, ownerSlot, pipe }) => [name, kind, value, ownerSlot, pipe?.depth]),
      [
        ["a pipe", "pipe", undefined, undefined, 1],
        ["a counter", "counter", -5n, undefined, undefined],
        ["a mutex", "mutex", undefined, 0, undefined],
        ["free", "mutex", undefined, undefined, undefined],
      ],
    );
    for (let at = 0; at < 20; at++) Region.inspect(region.name);
    assert.equal(region.members().length, 1);
    assert.deepEqual(
      Region.inspect(region.name)!.objects.map((object) => object.createdAt),
      info.objects.map((object) => object.createdAt),
    );
  });

  test("inspect tells what every page is for, if asked", async (t) => {
    const region = await testRegion(t, "mapped", { ...SMALL, label: "me" });
    const pipe = await region.pipe("a pipe", { capacity: 7 });
    await region.counter("a counter");
    await pipe.send(new Uint8Array(50_000));
    await pipe.send(new Uint8Array(50_000));
    assert.equal(Region.inspect(region.name)!.memory, undefined);
    const { memory, objects, heap, sizeBytes, maxSizeBytes } = Region.inspect(region.name, { memory: true })!;
    let end = 0;
    for (const { offsetBytes, lengthBytes } of memory!) {
      assert.equal(offsetBytes, end, "one after the other, without a gap");
      assert.ok(lengthBytes > 0);
      end += lengthBytes;
    }
    const bytesOf = (...uses: string[]): number =>
      memory!.filter(({ use }) => uses.includes(use)).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
    assert.equal(bytesOf("free"), heap.freeBytes);
    assert.equal(bytesOf("directory", "object", "block", "free"), sizeBytes);
    assert.equal(bytesOf("directory", "object", "block", "free", "reserved"), maxSizeBytes);
    assert.deepEqual(
      memory!.slice(0, 4).map(({ use }) => use),
      ["header", "members", "deaths", "pageMap"],
    );
    for (const { name, offsetBytes, lengthBytes } of objects)
      assert.deepEqual(
        memory!.find(({ object }) => object === name),
        { offsetBytes, lengthBytes, use: "object", object: name, runs: 1 },
      );
    const messages = memory!.filter(({ use }) => use === "block");
    assert.deepEqual(
      messages.map(({ runs, ownerSlot }) => [runs, ownerSlot]),
      [[2, region.slot]],
    );
    assert.throws(() => Region.inspect(region.name, { memroy: true } as never), { code: "ERR_UNKNOWN_OPTION" });
  });

  test("a map of pages that is torn is told as such, and only where it is asked for", async (t) => {
    const region = await testRegion(t, "torn", SMALL);
    const words = new Int32Array(region.buffer);
    const [pageMapPage, heapPage] = [words[16], words[17]];
    const head = pageMapPage * 1024 + heapPage * 2;
    const intact = words[head];
    for (const torn of [0, -1, 0x7fffffff, (1 << 30) | 0xfffff]) {
      words[head] = torn;
      assert.throws(() => Region.inspect(region.name, { memory: true }), { code: "ERR_CORRUPT" });
      assert.equal(Region.inspect(region.name)!.name, region.name);
    }
    words[head] = intact;
  });

  test("inspect tells how many wait for a mutex, and how many owners died", async (t) => {
    const region = await testRegion(t, "waited", SMALL);
    const guard = await (await region.mutex("door")).lock();
    const facts = (): unknown[] => {
      const { ownerSlot, takeovers, waiting } = Region.inspect(region.name)!.objects[0];
      return [ownerSlot, takeovers, waiting];
    };
    assert.deepEqual(facts(), [0, 0, 0]);
    const other = await joinRegion(t, region.name);
    const waiting = (await other.mutex("door")).lock();
    while (facts()[2] !== 1) await new Promise((resolve) => setTimeout(resolve, 1));
    assert.deepEqual(facts(), [0, 0, 1]);
    guard.release();
    (await waiting).release();
  });

  test("inspect knows no region that is not there", () => {
    assert.equal(Region.inspect(uniqueRegionName()), undefined);
  });

  test("list has every region once, sorted, and those of others too", async (t) => {
    const regions = [await testRegion(t, "b"), await testRegion(t, "a")];
    const member = await ProcessMember.start({ region: uniqueRegionName("c"), options: SMALL });
    const mine = (await Region.list()).map((info) => info.name).filter((name) => name.includes(`-${process.pid}-`));
    const theirs = await member.run(({ region }) => region.name);
    assert.deepEqual(mine, [...regions.map((region) => region.name), theirs].sort());
    await member.finish();
  });

  test("what is no region is neither listed nor cleaned", async (t) => {
    await turnAmongTheDead(t);
    const names = ["zeroes", "text", "empty", "link", "folder", "fifo"].map((label) => uniqueRegionName(label));
    const [zeroes, text, empty, link, folder, fifo] = names.map(pathOf) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    writeFileSync(zeroes, new Uint8Array(8192));
    writeFileSync(text, "x".repeat(10_000));
    writeFileSync(empty, "");
    symlinkSync(zeroes, link);
    mkdirSync(folder);
    execFileSync("mkfifo", [fifo]);
    const listed = (await Region.list()).map((info) => info.name);
    const cleaned = await Region.clean();
    for (const name of names) {
      assert.equal(listed.includes(name) || cleaned.includes(name), false, name);
      assert.ok(lstatSync(pathOf(name)), name);
      for (const call of [
        () => open(name),
        () => Region.create(name),
        () => Region.open(name),
        () => Region.openSync(name),
        () => Region.inspect(name),
      ])
        await assert.rejects(
          async () => call(),
          { name: "ShmkitError", code: "ERR_BAD_REGION", path: pathOf(name) },
          name,
        );
    }
    for (const name of names.slice(0, 3))
      assert.equal(await Region.remove(name), true, `${name} can be removed when told to`);
    for (const name of names.slice(3)) await assert.rejects(Region.remove(name), { code: "ERR_BAD_REGION" });
    for (const path of [link, folder, fifo]) rmSync(path, { recursive: true });
  });

  test("a file that is shorter than its header says is refused", async () => {
    const name = uniqueRegionName();
    await (await Region.create(name, { ...SMALL, lifetime: "kernel" })).close();
    for (const length of [200_000, 8192, 4096, 4095, 100, 0]) {
      truncateSync(pathOf(name), length);
      for (const call of [() => open(name), () => Region.create(name), () => Region.inspect(name)])
        await assert.rejects(async () => call(), { code: "ERR_BAD_REGION", path: pathOf(name) }, `${length} bytes`);
    }
    assert.equal(await Region.remove(name), true);
  });

  test("names in shared memory that are no region names do no harm", async (t) => {
    await turnAmongTheDead(t);
    const path = `/dev/shm/shmkit.-${uniqueRegionName()} ä`;
    writeFileSync(path, new Uint8Array(4096));
    await Region.list();
    await Region.clean();
    assert.ok(existsSync(path));
    rmSync(path);
  });
});

describe("links", () => {
  test("at a region's name are refused, wherever they lead, and nothing happens there", async (t) => {
    const region = await testRegion(t, "target");
    const folder = mkdtempSync(join(tmpdir(), "shmkit-link-"));
    const file = join(folder, "file");
    const content = new Uint8Array(10_000).fill(1);
    writeFileSync(file, content);
    for (const target of [region.path, file, join(folder, "missing"), folder, "/dev/null"]) {
      const name = uniqueRegionName("link");
      symlinkSync(target, pathOf(name));
      const calls = [() => open(name), () => Region.create(name), () => Region.open(name), () => Region.remove(name)];
      for (const call of calls) await assert.rejects(call, { code: "ERR_BAD_REGION", path: pathOf(name) });
      assert.throws(() => Region.openSync(name), { code: "ERR_BAD_REGION" });
      assert.throws(() => Region.inspect(name), { code: "ERR_BAD_REGION" });
      assert.ok(lstatSync(pathOf(name)).isSymbolicLink());
      rmSync(pathOf(name));
    }
    assert.deepEqual(new Uint8Array(readFileSync(file)), content);
    assert.deepEqual(readdirSync(folder), ["file"]);
    rmSync(folder, { recursive: true });
    assert.equal(region.members().length, 1);
  });

  test("a region whose name was replaced by another file is not mistaken for it", async (t) => {
    const region = await testRegion(t, "replaced");
    rmSync(region.path);
    const next = await Region.create(region.name, SMALL);
    assert.notEqual(next.epoch, region.epoch);
    await region.close();
    assert.ok(existsSync(next.path), "the old one did not take the new one's name");
    assert.equal((await joinRegion(t, next.name)).epoch, next.epoch);
    await next.close();
  });
});
