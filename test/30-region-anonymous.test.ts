import assert from "node:assert/strict";
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Region, type AnonymousOptions, type MemberDeath } from "shmkit";
import * as posix from "shmkit/posix";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, type Script } from "./helpers/process-member.js";

/** Regions without a name, of which others are given a descriptor. */

const SMALL: AnonymousOptions = { size: "256KiB", maxSize: "8MiB", maxMembers: 8 };
/** Where a member finds what it was handed over. */
const FD = 4;

const attach: Script<number, void> = async ({ shmkit, kept }, fd) =>
  void kept.set("region", await shmkit.Region.fromDescriptor(fd, { label: "child" }));

const isMapped = (): boolean => readFileSync("/proc/self/maps", "utf8").includes("/memfd:shmkit ");

/** A descriptor that outlives the region's handle. */
const keepDescriptor = (region: Region): number => openSync(`/proc/self/fd/${region.fd}`, "r+");

describe("an anonymous region", () => {
  test("is shared with a child that is given a descriptor, and has no name", async () => {
    const region = await Region.anonymous({ ...SMALL, label: "parent" });
    assert.deepEqual(
      [region.name, region.path, region.lifetime, region.created],
      ["anonymous", "memfd:shmkit", "anonymous", true],
    );
    const child = await ProcessMember.start({ descriptors: [region.fd] });
    await child.run(attach, FD);
    assert.deepEqual(
      region.members().map(({ label }) => label),
      ["parent", "child"],
    );
    await (await region.pipe("p")).send({ hello: 1n });
    const answer = await child.run(async ({ kept }) => {
      const own = kept.get("region") as Region;
      await own.grow("4MiB");
      const value = await (await own.pipe("p")).receive();
      await (await own.pipe("p")).send(new Uint8Array(1_000_000).fill(7));
      return value;
    });
    assert.deepEqual(answer, { hello: 1n });
    assert.equal(((await (await region.pipe("p")).receive()) as Uint8Array)[999_999], 7, "grown by the other");
    await child.run(async ({ kept }) => (kept.get("region") as Region).close());
    assert.equal((await child.finish()).code, 0);
    assert.equal(fstatSync(region.fd).nlink, 0);
    assert.ok(isMapped());
    await region.close();
    assert.equal(isMapped(), false);
  });

  test("a child that is killed is noticed and recovered", async () => {
    const region = Region.anonymousSync(SMALL);
    const child = await ProcessMember.start({ descriptors: [region.fd] });
    await child.run(attach, FD);
    const pipe = await region.pipe("p");
    await pipe.send("leased");
    await child.run(async ({ kept }) => {
      const own = kept.get("region") as Region;
      await (await own.pipe("p")).receive({ lease: true });
      await (await own.mutex("m")).lock();
    });
    const died = new Promise<MemberDeath>((resolve) => region.once("memberDied", resolve));
    const receiving = pipe.receive();
    await child.kill();
    assert.equal((await died).label, "child");
    assert.equal(await receiving, "leased");
    assert.equal((await (await region.mutex("m")).lock()).abandoned, true);
    await region.close();
  });

  test("is there as long as anybody has a descriptor, also when all members were killed", async () => {
    const region = await Region.anonymous(SMALL);
    const kept = keepDescriptor(region);
    const child = await ProcessMember.start({ descriptors: [region.fd] });
    await (await region.counter("c")).set(5);
    await region.close();
    await child.run(attach, FD);
    await child.run(async ({ kept: things }) => {
      const own = things.get("region") as Region;
      await (await own.counter("c")).add(1);
      (await (await own.mutex("m")).lock()).set(0, 1);
    });
    await child.kill();
    const again = await Region.fromDescriptor(kept);
    assert.deepEqual([again.epoch, again.created, again.members().length], [region.epoch, false, 1]);
    assert.equal((await again.counter("c")).value, 6n);
    const guard = await (await again.mutex("m")).lock();
    assert.deepEqual([guard.abandoned, guard.get(0)], [true, 0]);
    closeSync(kept);
    await again.close();
  });

  test("a worker thread of the same process attaches as well", async () => {
    const region = await Region.anonymous(SMALL);
    const program = `const { workerData, parentPort } = require("node:worker_threads");
      import(workerData.shmkit).then(async ({ Region }) => {
        const region = await Region.fromDescriptor(workerData.fd);
        await (await region.pipe("p")).send("from the worker");
        await region.close();
      });`;
    const shmkit = import.meta.resolve("shmkit");
    const worker = new Worker(program, { eval: true, workerData: { fd: region.fd, shmkit } });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    assert.equal(await (await region.pipe("p")).receive(), "from the worker");
    await ended;
    await region.close();
  });

  test("nobody can cut it short, or keep it from growing", async () => {
    const region = await Region.anonymous(SMALL);
    assert.throws(() => ftruncateSync(region.fd, 0), { code: "EPERM" });
    for (const seal of [posix.F_SEAL_GROW, posix.F_SEAL_WRITE])
      assert.throws(() => posix.fcntl(region.fd, posix.F_ADD_SEALS, seal), { code: "EPERM" });
    await region.grow("4MiB");
    assert.ok(region.sizeBytes >= 4 * 2 ** 20);
    await region.close();
  });

  test("its descriptor shares no lock with what is handed over", async () => {
    const region = await Region.anonymous(SMALL);
    const second = await Region.fromDescriptor(region.fd);
    const third = Region.fromDescriptorSync(second.fd);
    assert.equal(region.fd, region.fd);
    assert.notEqual(region.fd, second.fd);
    region.closeSync();
    assert.deepEqual(
      third.members().map(({ alive }) => alive),
      [true, true],
    );
    await second.close();
    await third.close();
  });
});

describe("a descriptor that leads to no anonymous region", () => {
  test("is a typed error that says why, and leaves the descriptor open", async (t) => {
    const named = await Region.create(uniqueRegionName(), { size: "64KiB", lifetime: "kernel" });
    t.after(() => Region.remove(named.name));
    const file = openSync(named.path, "r+");
    await assert.rejects(Region.fromDescriptor(file), { code: "ERR_BAD_REGION", actual: file });
    assert.throws(() => Region.fromDescriptorSync(file), { code: "ERR_BAD_REGION" });
    closeSync(file);
    await named.close();

    const text = openSync("/proc/self/exe", "r");
    await assert.rejects(Region.fromDescriptor(text), (error: NodeJS.ErrnoException) =>
      ["ERR_PERMISSION", "ERR_BAD_REGION", "ERR_SYSTEM"].includes(error.code!),
    );
    closeSync(text);
    const unsealed = posix.memfd_create("unsealed");
    await assert.rejects(Region.fromDescriptor(unsealed), { code: "ERR_BAD_REGION" });
    const region = await Region.anonymous(SMALL);
    const copied = readFileSync(`/proc/self/fd/${region.fd}`);
    posix.ftruncate(unsealed, copied.length);
    const bytes = new Uint8Array(
      posix.mmap(copied.length, posix.PROT_READ | posix.PROT_WRITE, posix.MAP_SHARED, unsealed),
    );
    bytes.set(copied);
    await assert.rejects(Region.fromDescriptor(unsealed), { code: "ERR_BAD_REGION", message: /F_SEAL_SHRINK/ });
    posix.munmap(bytes.buffer);
    posix.close(unsealed);
    await region.close();
    const device = openSync("/dev/null", "r+");
    await assert.rejects(Region.fromDescriptor(device), { code: "ERR_BAD_REGION" });
    closeSync(device);
    await assert.rejects(Region.fromDescriptor(987_654), { code: "ERR_SYSTEM" });
    for (const fd of [-1, 1.5, 2 ** 31]) await assert.rejects(Region.fromDescriptor(fd), { code: "ERR_OUT_OF_RANGE" });
  });

  test("one of a region with a name is not to be had, nor one of a closed region", async () => {
    const named = await Region.create(uniqueRegionName(), { size: "64KiB" });
    assert.throws(() => named.fd, { name: "TypeError", code: "ERR_INVALID_ARGUMENT" });
    await named.close();
    const region = await Region.anonymous(SMALL);
    const { fd } = region;
    // At once: whatever is opened next gets the same number.
    region.closeSync();
    assert.throws(() => Region.fromDescriptorSync(fd), { code: "ERR_SYSTEM" });
    assert.throws(() => region.fd, { code: "ERR_CLOSED" });
  });

  test("a region that is full is a typed error", async () => {
    const region = await Region.anonymous({ ...SMALL, maxMembers: 1 });
    await assert.rejects(Region.fromDescriptor(region.fd), { code: "ERR_TOO_MANY_MEMBERS", expected: 1 });
    await region.close();
  });
});
