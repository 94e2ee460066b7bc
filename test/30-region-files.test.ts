import assert from "node:assert/strict";
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { basename, dirname } from "node:path";
import { describe, mock, test, type TestContext } from "node:test";
import { part, open, Region, ShmkitError, type RegionOptions } from "shmkit";
import { DiskState, PAGE_BYTES, REGION_HEADER, RegionState } from "#src/layout/region-header.js";
import { native } from "#src/native/addon.js";
import type { Mapping } from "#src/native/contract.js";
import { closeOnDisk } from "#src/region/disk-state.js";
import { foreignFileSystem } from "#src/region/file-system.js";
import { CliProcess } from "./helpers/cli-process.js";
import { diskPath, readWord, writeWord } from "./helpers/disk-regions.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ownSharedMemory, refusal } from "./helpers/namespaces.js";
import { ProcessMember } from "./helpers/process-member.js";
import { Random } from "./helpers/process-random.js";
import { turnAmongTheDead } from "./helpers/turns.js";

/** Regions on disk: named by a path, there until they are removed. */

const DISK = { lifetime: "file" } as const;
const SMALL: RegionOptions = { ...DISK, size: "256KiB", maxSize: "8MiB", maxMembers: 16 };
const at = REGION_HEADER.at;

/** Has the file look as if the system had been started anew since. */
const reboot = (path: string): void => writeWord(path, at.bootId, readWord(path, at.bootId) ^ 1);

/** A region that nobody has open, with something in it. */
async function lyingRegion(t: TestContext): Promise<string> {
  const path = diskPath(t);
  const region = await Region.create(path, SMALL);
  await (await region.counter("c")).set(42);
  await (await region.pipe("p")).send(["kept", 1n]);
  await region.close();
  return path;
}

describe("a region on disk", () => {
  test("stays with everything in it, whoever leaves, until it is removed", async (t) => {
    await turnAmongTheDead(t);
    const path = await lyingRegion(t);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    await assert.rejects(Region.create(path, DISK), { code: "ERR_EXISTS" });
    const again = await Region.open(path, { maxSize: "8MiB", lifetime: "file" });
    assert.deepEqual([again.name, again.path, again.lifetime, again.created], [path, path, "file", false]);
    assert.equal((await again.counter("c")).value, 42n);
    assert.deepEqual(await (await again.pipe("p")).receive(), ["kept", 1n]);
    assert.equal(Region.inspect(path)!.disk, "inUse");
    again.closeSync();
    assert.deepEqual([Region.inspect(path)!.disk, Region.inspect(path)!.members], ["inOrder", []]);
    assert.equal((await Region.clean()).includes(path), false);
    assert.equal(await Region.remove(path), true);
    assert.equal(Region.removeSync(path), false);
    assert.equal(Region.inspect(path), undefined);
    await assert.rejects(Region.open(path, DISK), { code: "ERR_NOT_FOUND", path });
  });

  test("is joined by processes, by a path of any form, and waited for", async (t) => {
    const path = diskPath(t);
    const waiting = Region.open(`${dirname(path)}/../${basename(dirname(path))}/./${basename(path)}`, {
      ...DISK,
      wait: true,
      timeoutMs: 20_000,
    });
    const member = await ProcessMember.start({ region: path, options: SMALL });
    await member.run(async ({ region }) => (await region.pipe("p")).send("hello"));
    const region = await waiting;
    assert.equal(region.path, path);
    assert.equal(await (await region.pipe("p")).receive(), "hello");
    assert.equal((await member.finish()).code, 0);
    await region.close();
  });

  test("outlives members that are killed; whoever comes next recovers them", async (t) => {
    const path = diskPath(t);
    const members = [
      await ProcessMember.start({ region: path, options: SMALL }),
      await ProcessMember.start({ region: path, options: DISK }),
    ];
    await members[0].run(async ({ region }) => {
      const pipe = await region.pipe("p");
      await pipe.send("first");
      await pipe.receive({ lease: true });
      const guard = await (await region.mutex("m")).lock();
      guard.set(0, 5);
    });
    await Promise.all(members.map((member) => member.kill()));
    assert.deepEqual(
      Region.inspect(path)!.members.map(({ alive }) => alive),
      [false, false],
    );
    const region = await Region.open(path, { ...DISK, refuseUnclean: true });
    assert.equal(region.unclean, false, "the machine went on");
    assert.equal(await (await region.pipe("p")).receive(), "first");
    const guard = await (await region.mutex("m")).lock();
    assert.deepEqual([guard.abandoned, guard.get(0)], [true, 0]);
    guard.release();
    await region.close();
    assert.equal(Region.inspect(path)!.disk, "inOrder");
  });

  test("a removed one goes on for those who have it, and its path is free", async (t) => {
    const path = diskPath(t);
    const old = await Region.create(path, SMALL);
    assert.equal(await Region.remove(path), true);
    const fresh = await Region.create(path, SMALL);
    await (await old.counter("c")).set(1);
    assert.notEqual(old.epoch, fresh.epoch);
    await old.flush();
    await old.close();
    await fresh.close();
    assert.equal(Region.inspect(path)!.epoch, fresh.epoch);
  });

  test("a removed one is closed on the disk before its path is free", async (t) => {
    const path = await lyingRegion(t);
    const descriptor = native.openExisting(path, true);
    const steps = closeOnDisk(descriptor, path);
    const { value } = steps.next();
    assert.ok(typeof value === "object" && "written" in value);
    assert.equal(value.written.words[at.state >> 2], RegionState.closed);
    steps.next(0);
    native.close(descriptor);
  });

  test("grows", async (t) => {
    const region = await open(diskPath(t), SMALL);
    await region.grow("4MiB");
    await (await region.pipe("p", { capacity: 2 })).send(new Uint8Array(3_000_000));
    await region.flush();
    await region.close();
  });
});

describe("what is no region, or no path of one", () => {
  const refused = { name: "TypeError", code: "ERR_INVALID_NAME" };
  for (const path of ["/", "./", "./x", "a/b", "/tmp/", "/dev/shm/shmkit.name", "/tmp/a\0b"])
    test(`${JSON.stringify(path)} is ERR_INVALID_NAME`, async () => {
      await assert.rejects(open(path, DISK), refused);
      await assert.rejects(open(path), refused);
      assert.throws(() => Region.removeSync(path), refused);
      assert.throws(() => Region.inspect(path), refused);
    });

  test("a path without the lifetime is ERR_INVALID_NAME: a name from elsewhere must not become a file", async (t) => {
    const path = diskPath(t);
    await assert.rejects(open(path), refused);
    for (const verb of ["create", "open", "openSync"] as const)
      await assert.rejects(async () => Region[verb](path), refused);
    assert.equal(existsSync(path), false);
  });

  test("the lifetime says no other than the name", async (t) => {
    const wrong = { name: "TypeError", code: "ERR_INVALID_ARGUMENT" };
    for (const lifetime of ["process", "kernel"] as const) await assert.rejects(open(diskPath(t), { lifetime }), wrong);
    await assert.rejects(open("name", { lifetime: "file" }), wrong);
  });

  test("a file of others is neither changed nor removed", async (t) => {
    const path = diskPath(t);
    for (const bytes of [0, 100, 3 * PAGE_BYTES]) {
      const contents = Buffer.alloc(bytes, "x");
      writeFileSync(path, contents);
      for (const call of [
        () => open(path, DISK),
        () => Region.create(path, DISK),
        () => Region.open(path, DISK),
        () => Region.remove(path),
      ])
        await assert.rejects(call(), { code: "ERR_BAD_REGION", path });
      assert.deepEqual(readFileSync(path), contents);
    }
  });

  test("a directory that is not there, or may not be written, is a typed error", async (t) => {
    const path = diskPath(t);
    await assert.rejects(open(`${path}/below`, DISK), { code: "ERR_NOT_FOUND" });
    chmodSync(dirname(path), 0o500);
    if (process.geteuid!() !== 0) await assert.rejects(open(path, DISK), { code: "ERR_PERMISSION" });
  });
});

describe("a file that somebody damaged", () => {
  test("too short, while nobody has it: ERR_BAD_REGION; it can be removed", async (t) => {
    const path = await lyingRegion(t);
    truncateSync(path, 20 * PAGE_BYTES);
    await assert.rejects(open(path, DISK), { code: "ERR_BAD_REGION", path });
    assert.equal(await Region.remove(path), true);
  });

  test("truncated while attached: ERR_REGION_LOST, and leaving works", async (t) => {
    const path = await lyingRegion(t);
    const region = await open(path, DISK);
    const counter = await region.counter("c");
    truncateSync(path, 0);
    await assert.rejects(
      async () => {
        for (;;) await counter.add(1);
      },
      { code: "ERR_REGION_LOST" },
    );
    await assert.rejects(region.flush(), { code: "ERR_REGION_LOST" });
    await region.close();
  });
});

describe("the disk", () => {
  test("flush is for regions on disk, and not after close", async (t) => {
    const memory = await open(uniqueRegionName(), { size: "256KiB" });
    await assert.rejects(memory.flush(), { code: "ERR_INVALID_ARGUMENT" });
    assert.throws(() => memory.flushSync(), { code: "ERR_INVALID_ARGUMENT" });
    assert.equal(memory.unclean, false);
    await memory.close();
    const region = await open(diskPath(t), SMALL);
    region.flushSync();
    const flushing = region.flush();
    region.closeSync();
    await assert.rejects(flushing, { code: "ERR_CLOSED" });
    await assert.rejects(region.flush(), { code: "ERR_CLOSED" });
  });

  test("a machine that went down while it was in use: the user is told, until somebody says that it is right", async (t) => {
    const path = diskPath(t);
    const member = await ProcessMember.start({ region: path, options: SMALL });
    await member.run(async ({ region }) => void (await (await region.counter("c")).set(7)));
    await member.kill();
    reboot(path);
    assert.equal(Region.inspect(path)!.disk, "unclean");
    await assert.rejects(Region.open(path, { ...DISK, refuseUnclean: true }), { code: "ERR_UNCLEAN", path });
    assert.throws(() => Region.openSync(path, { ...DISK, refuseUnclean: true }), { code: "ERR_UNCLEAN", path });
    const first = await Region.open(path, DISK);
    assert.deepEqual([first.unclean, first.members().length], [true, 1]);
    assert.equal((await first.counter("c")).value, 7n);
    await assert.rejects(
      Region.open(path, { ...DISK, refuseUnclean: true }),
      { code: "ERR_UNCLEAN" },
      "for others as well",
    );
    await first.close();
    assert.equal(Region.inspect(path)!.disk, "unclean", "and for those who come later");
    const second = Region.openSync(path, DISK);
    assert.equal(second.unclean, true);
    second.markClean();
    assert.equal(second.unclean, false);
    await second.close();
    assert.equal(Region.inspect(path)!.disk, "inOrder");
    reboot(path);
    const third = await Region.open(path, { ...DISK, refuseUnclean: true });
    assert.equal(third.unclean, false, "closed in order before the machine went down");
    await third.close();
  });

  test("a file copied while in use counts as one that went down, a closed one does not", async (t) => {
    const path = diskPath(t);
    const region = await open(path, SMALL);
    const copy = `${path}.copy`;
    copyFileSync(path, copy);
    assert.equal(Region.inspect(copy)!.disk, "unclean");
    await region.close();
    copyFileSync(path, copy);
    assert.equal(Region.inspect(copy)!.disk, "inOrder");
  });

  test("one that does not take what is written: the call says so, and so does the region from then on", async (t) => {
    const path = diskPath(t);
    const region = await open(path, SMALL);
    const failing = mock.method(native, "msync", () => -constants.errno.EIO);
    assert.throws(() => region.flushSync(), { code: "ERR_SYSTEM", errno: -constants.errno.EIO, syscall: "msync" });
    failing.mock.restore();
    region.flushSync();
    assert.equal(region.unclean, true);
    await region.close();
    assert.equal(Region.inspect(path)!.disk, "unclean");
  });

  test("a lock whose page is newer than its owner's slot is freed with the rest", async (t) => {
    const path = await lyingRegion(t);
    reboot(path);
    writeWord(path, at.diskState, DiskState.inUse);
    writeWord(path, at.directoryLock, 4);
    writeWord(path, at.heapLock, 5);
    const region = await Region.open(path, DISK);
    assert.equal(region.unclean, true);
    await region.counter("new", { timeoutMs: 20_000 });
    await region.close();
  });

  /** Pages of two moments, in any mixture, with somebody in the middle of everything in the later one. */
  test("any mixture of pages opens, and its calls answer or fail in time", { timeout: 120_000 }, async (t) => {
    const path = await lyingRegion(t);
    const earlier = readFileSync(path);
    const maker = await Region.open(path, DISK);
    await maker.composite("k", { lock: part.mutex() });
    await maker.close();
    const member = await ProcessMember.start({ region: path, options: DISK });
    await member.run(async ({ region }) => {
      const pipe = await region.pipe("p");
      await pipe.send(new Uint8Array(20_000));
      await pipe.receive({ lease: true });
      (await (await region.mutex("m")).lock()).set(0, 1);
      await (await region.semaphore("s", { permits: 2 })).acquire();
      await (await region.rwlock("r")).lock();
      await region.counters.remove("c");
      await (await region.counter("d")).set(9);
      await (await region.mutex("k.lock")).lock();
    });
    await member.kill();
    const later = readFileSync(path);
    const random = new Random(7);
    const codes = new Set<string>();
    const attempt = (call: () => unknown): void => {
      try {
        call();
        codes.add("done");
      } catch (error) {
        assert.ok(error instanceof ShmkitError, String(error));
        // How many permits there are is a value, as any other in a mixture.
        if (!error.message.includes("permits")) codes.add(error.code);
      }
    };
    for (let round = 0; round < 40; round++) {
      const mixture = Buffer.from(later);
      for (let page = PAGE_BYTES; page + PAGE_BYTES <= earlier.length; page += PAGE_BYTES)
        if (random.below(2) === 0) earlier.copy(mixture, page, page, page + PAGE_BYTES);
      writeFileSync(path, mixture);
      reboot(path);
      attempt(() => {
        const region = Region.openSync(path, { ...DISK, timeoutMs: 5000 });
        try {
          assert.equal(region.unclean, true);
          const soon = { timeoutMs: 2000 };
          attempt(() => region.counterSync("c", soon).addSync(1, soon));
          attempt(() => region.counterSync("d", soon).addSync(1, soon));
          attempt(() => region.pipeSync("p", soon).tryReceive());
          attempt(() => region.pipeSync("p", soon).trySend("x"));
          attempt(() => region.mutexSync("m", soon).lockSync(soon).release());
          attempt(() =>
            region
              .semaphoreSync("s", { permits: 2, ...soon })
              .acquireSync(soon)
              .release(),
          );
          attempt(() => region.rwlockSync("r", soon).lockSync(soon).release());
          attempt(() => region.mutexSync("k.lock", soon).lockSync(soon).release());
        } finally {
          region.closeSync();
        }
      });
    }
    assert.ok(codes.has("done"));
    assert.equal(codes.has("ERR_TIMEOUT"), false, "no lock is held by nobody");
  });

  /**
   * A disk that takes nothing of its own accord, and one that takes all but the header at once. At every call of the system:
   * if the header on it says that all is in order, nothing may be missing.
   */
  test("says 'in order' only while it has everything", async (t) => {
    const path = diskPath(t);
    let memory: Uint8Array | undefined;
    let disk: Buffer | undefined;
    let looks = 0;
    const look = (): void => {
      if (memory === undefined || disk === undefined || disk.readUInt32LE(at.diskState) !== DiskState.inOrder) return;
      looks++;
      const now = existsSync(path) ? readFileSync(path) : Buffer.from(memory);
      assert.ok(now.subarray(PAGE_BYTES).equals(disk.subarray(PAGE_BYTES)), "the disk lacks something");
    };
    const sync = (length: number): void => {
      const now = existsSync(path) ? readFileSync(path) : Buffer.from(memory!);
      disk = Buffer.concat([now.subarray(0, length), disk?.subarray(length) ?? Buffer.alloc(0)]);
    };
    const addon = native as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const [name, call] of Object.entries(addon)) {
      if (typeof call !== "function") continue;
      const watched = mock.method(addon, name, (...args: unknown[]) => {
        look();
        if (name.startsWith("link")) assert.ok(disk?.equals(Buffer.from(memory!)), "a name leads to what is on disk");
        if (name === "msync") sync(args[2] as number);
        const answer = call(...args);
        if (name === "map" && typeof answer === "object")
          memory ??= new Uint8Array((answer as Mapping).buffer as ArrayBuffer);
        return answer;
      });
      t.after(() => watched.mock.restore());
    }
    const sizes: RegionOptions = { ...DISK, size: "64KiB", maxSize: "64KiB", maxMembers: 2 };
    for (let round = 0; round < 3; round++) {
      const region = Region.openOrCreateSync(path, sizes);
      region.counterSync("c").addSync(1);
      const other = Region.openSync(path, DISK);
      region.closeSync();
      other.counterSync("c").addSync(1);
      other.closeSync();
      assert.equal(disk!.readUInt32LE(at.diskState), DiskState.inOrder);
    }
    mock.restoreAll();
    assert.ok(looks > 20, `${looks} looks`);
    writeFileSync(path, disk!);
    reboot(path);
    const region = Region.openSync(path, { ...DISK, refuseUnclean: true });
    assert.equal(region.counterSync("c").value, 6n);
    region.closeSync();
  });
});

describe("on the command line", () => {
  test("a region on disk is addressed by its path, an object in it behind that", async (t) => {
    const path = diskPath(t);
    const done = async (args: readonly string[], input?: string): Promise<string> => {
      const { code, text, errors } = await new CliProcess(args, input === undefined ? {} : { input }).ended;
      assert.deepEqual([code, errors], [0, ""], args.join(" "));
      return text;
    };
    const region = await Region.create(path, SMALL);
    await (await region.pipe("p")).send("kept");
    await region.close();
    assert.match(await done(["ls", path, "--interval", "0"]), /state\.shm.*stays \(file\)\n/);
    assert.match(await done(["inspect", path]), /lifetime +file\n.*on disk +all of it\n/);
    assert.match(await done(["inspect", `${path}/p`]), /pipe p/);
    assert.equal(await done(["recv", `${path}/p`, "--count", "1"]), "kept\n");
    reboot(path);
    writeWord(path, at.diskState, DiskState.inUse);
    assert.match(await done(["ls", path]), /unclean/);
    assert.equal((JSON.parse(await done(["inspect", path, "--json"])) as { disk: string }).disk, "unclean");
    await done(["rm", `${path}/p`]);
    await done(["rm", path]);
    assert.equal(existsSync(path), false);
    assert.equal((await new CliProcess(["inspect", path]).ended).code, 4);
  });
});

describe("file systems", () => {
  test("those of other machines and of processes are refused by their type", () => {
    for (const [type, name] of [
      [0x6969, "NFS"],
      [0x65735546, "FUSE"],
      [0xff534d42 | 0, "CIFS"],
    ] as const)
      assert.equal(foreignFileSystem(type), name);
    for (const type of [0xef53, 0x58465342, 0x9123683e | 0, 0x01021994, 0x794c7630])
      assert.equal(foreignFileSystem(type), undefined);
  });

  const inMemory = ownSharedMemory("size=1m");
  test("a full one is ERR_NO_SPACE, and leaves nothing", { skip: refusal(inMemory) }, async () => {
    const member = await ProcessMember.start({ through: inMemory });
    const answer = await member.run(async ({ shmkit, load }) => {
      const codes: unknown[] = [];
      const codeOf = (error: unknown): void => void codes.push((error as { code: string }).code);
      await shmkit.open("/dev/shm/state.shm", { size: "4MiB", lifetime: "file" }).catch(codeOf);
      const region = await shmkit.open("/dev/shm/state.shm", { size: "64KiB", lifetime: "file" });
      await region.grow("4MiB").catch(codeOf);
      await (await region.counter("c")).set(1);
      await region.close();
      const { readdirSync } = (await load("node:fs")) as typeof import("node:fs");
      return [codes, readdirSync("/dev/shm")];
    });
    assert.deepEqual(answer, [["ERR_NO_SPACE", "ERR_NO_SPACE"], ["state.shm"]]);
    await member.finish();
  });

  const overlaid = [
    "unshare",
    "-Urm",
    "sh",
    "-c",
    `mount -t tmpfs tmpfs /dev/shm && cd /dev/shm && mkdir l u w && mount -t overlay -o lowerdir=l,upperdir=u,workdir=w o l && cd / && exec "$@"`,
    "sh",
  ];
  test(
    "one where locks do not stay with memory is ERR_FILE_SYSTEM: overlayfs",
    { skip: refusal(overlaid) },
    async () => {
      const member = await ProcessMember.start({ through: overlaid });
      const answer = await member.run(async ({ shmkit, load }) => {
        const code = await shmkit.open("/dev/shm/l/state.shm", { lifetime: "file" }).then(
          () => "opened",
          (error: unknown) => (error as { code: string }).code,
        );
        const { readdirSync } = (await load("node:fs")) as typeof import("node:fs");
        return [code, readdirSync("/dev/shm/l")];
      });
      assert.deepEqual(answer, ["ERR_FILE_SYSTEM", []]);
      await member.finish();
    },
  );

  const unbacked = ["unshare", "-Urm", "sh", "-c", 'mount -t ramfs ramfs /dev/shm && exec "$@"', "sh"];
  test("one that cannot back files is ERR_FILE_SYSTEM", { skip: refusal(unbacked) }, async () => {
    const member = await ProcessMember.start({ through: unbacked });
    const answer = await member.run(async ({ shmkit, load }) => {
      const codes: unknown[] = [];
      const codeOf = (error: unknown): void => void codes.push((error as { code: string }).code);
      await shmkit.open("/dev/shm/state.shm", { lifetime: "file" }).catch(codeOf);
      await shmkit.Region.create("/dev/shm/state.shm", { lifetime: "file" }).catch(codeOf);
      const { readdirSync } = (await load("node:fs")) as typeof import("node:fs");
      return [codes, readdirSync("/dev/shm")];
    });
    assert.deepEqual(answer, [["ERR_FILE_SYSTEM", "ERR_FILE_SYSTEM"], []]);
    await member.finish();
  });
});
