import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Region, ShmkitError, open } from "shmkit";
import { native } from "#src/native/addon.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until } from "./helpers/process-member.js";
import { joinRegion, SMALL, testRegion } from "./helpers/process-regions.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const pathOf = (name: string): string => `/dev/shm/shmkit.${name}`;

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

  test("what is no region is neither listed nor cleaned", async () => {
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

  test("names in shared memory that are no region names do no harm", async () => {
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

describe("lifetimes", () => {
  test("process: gone with the last member, whoever that is", async () => {
    const name = uniqueRegionName();
    const [first, second, third] = [await open(name, SMALL), await open(name), await open(name)];
    await first.close();
    await third.close();
    assert.ok(existsSync(pathOf(name)));
    await second.close();
    assert.equal(existsSync(pathOf(name)), false);
    const next = await open(name, SMALL);
    assert.notEqual(next.epoch, first.epoch);
    await next.close();
  });

  test("kernel: stays with everything in it until it is removed", async () => {
    const name = uniqueRegionName();
    const first = await Region.create(name, { ...SMALL, lifetime: "kernel" });
    await (await first.counter("c")).set(42);
    await (await first.pipe("p")).send(["kept", 1n]);
    await first.close();
    assert.equal(Region.inspect(name)!.members.length, 0);
    assert.equal((await Region.clean()).includes(name), false);
    assert.ok((await Region.list()).some((info) => info.name === name));
    await assert.rejects(Region.create(name), { code: "ERR_EXISTS" });
    const second = await Region.open(name);
    assert.deepEqual([second.lifetime, second.epoch, second.created], ["kernel", first.epoch, false]);
    assert.equal((await second.counter("c")).value, 42n);
    assert.deepEqual(await (await second.pipe("p")).receive(), ["kept", 1n]);
    await second.close();
    assert.equal(await Region.remove(name), true);
    assert.equal(existsSync(pathOf(name)), false);
  });

  test("kernel: outlives members that are killed, with what they had committed", async () => {
    const name = uniqueRegionName();
    const member = await ProcessMember.start({ region: name, options: { ...SMALL, lifetime: "kernel" } });
    await member.run(async ({ region }) => {
      const pipe = await region.pipe("p");
      await pipe.send("first");
      await pipe.send("second");
      await pipe.receive({ lease: true });
      await (await region.mutex("m")).lock();
    });
    await member.kill();
    assert.deepEqual(
      Region.inspect(name)!.members.map((info) => info.alive),
      [false],
    );
    const region = await Region.open(name);
    const pipe = await region.pipe("p");
    assert.deepEqual([await pipe.receive(), await pipe.receive()], ["first", "second"]);
    assert.equal((await (await region.mutex("m")).lock()).abandoned, true);
    await region.close();
    assert.equal(await Region.remove(name), true);
  });

  test("when all members were killed, the next open, create, list or clean finds none", async () => {
    const nexts: Record<string, (name: string) => unknown> = {
      open: async (name) => {
        const region = await open(name, SMALL);
        assert.equal(region.created, true);
        assert.deepEqual(region.pipes.list(), []);
        await region.close();
      },
      create: async (name) => (await Region.create(name, SMALL)).close(),
      "open, must exist": (name) => assert.rejects(Region.open(name), { code: "ERR_NOT_FOUND" }),
      list: async (name) =>
        assert.equal(
          (await Region.list()).some((info) => info.name === name),
          false,
        ),
      clean: () => Region.clean(),
      remove: (name) => Region.remove(name),
    };
    for (const [label, next] of Object.entries(nexts)) {
      const name = uniqueRegionName();
      const members = await Promise.all([
        ProcessMember.start({ region: name, options: SMALL }),
        ProcessMember.start({ region: name, options: SMALL }),
      ]);
      await members[0].run(async ({ region }) => (await region.pipe("p")).send("lost"));
      await Promise.all(members.map((member) => member.kill()));
      await next(name);
      assert.equal(existsSync(pathOf(name)), false, label);
    }
  });
});

describe("growth", () => {
  test("while somebody looks at the file: whoever joins or inspects sees a whole region", async (t) => {
    const region = await testRegion(t, "growing", { size: "256KiB", maxSize: "8MiB" });
    const pipe = await region.pipe("p", { capacity: 8 });
    const stat = native.stat.bind(native);
    t.after(() => Object.assign(native, { stat }));
    let grown = 0;
    // Between any look at the file's length and the next step of whoever looks.
    const growing: typeof stat = (...args) => {
      const result = stat(...args);
      if (pipe.trySend(new Uint8Array(600_000))) grown++;
      return result;
    };
    Object.assign(native, { stat: growing });
    Region.inspect(region.name);
    const other = Region.openSync(region.name);
    other.closeSync();
    assert.ok(grown >= 2);
  });

  test("happens by itself up to maxSize, is seen by everybody at once, and then senders wait", async (t) => {
    const region = await testRegion(t, "growing", { size: "512KiB", maxSize: "4MiB", maxMembers: 4 });
    const member = await ProcessMember.start({ region: region.name });
    const pipe = await region.pipe<Uint8Array>("p", { capacity: 1000 });
    const sizes = new Set<number>();
    let sent = 0;
    while (pipe.trySend(new Uint8Array(50_000).fill(sent))) {
      sent++;
      sizes.add(region.sizeBytes);
      assert.equal(Region.inspect(region.name)!.sizeBytes, region.sizeBytes);
    }
    assert.equal(region.sizeBytes, region.maxSizeBytes);
    assert.ok(sizes.size > 2, "in steps");
    await assert.rejects(pipe.send(new Uint8Array(50_000), { timeoutMs: 10 }), { code: "ERR_TIMEOUT" });
    const waiting = pipe.send(new Uint8Array(50_000).fill(sent));
    const received = member.run(async ({ region: own }, count) => {
      const theirs = await own.pipes.open("p");
      for (let number = 0; number < count; number++) {
        const bytes = (await theirs.receive()) as Uint8Array;
        if (bytes.length !== 50_000 || bytes.some((byte) => byte !== (number & 0xff))) return `message ${number}`;
      }
      return own.sizeBytes;
    }, sent + 1);
    await waiting;
    assert.equal(await received, region.maxSizeBytes);
    assert.equal(region.sizeBytes, region.maxSizeBytes, "it never shrinks");
    await member.finish();
  });

  test("can be asked for", async (t) => {
    const region = await testRegion(t, "growing", { size: "256KiB", maxSize: "2MiB" });
    const other = await joinRegion(t, region.name);
    await region.grow("512KiB");
    assert.deepEqual([region.sizeBytes, other.sizeBytes], [524_288, 524_288]);
    await other.grow(4096);
    await region.grow(524_289);
    assert.equal(other.sizeBytes, 528_384, "whole pages");
    await Promise.all([region.grow("1MiB"), other.grow("2MiB"), region.grow("600KiB")]);
    assert.equal(region.sizeBytes, region.maxSizeBytes);
    assert.equal(statSync(region.path).blocks * 512 >= 2 * 2 ** 20, true, "backed");
    for (const size of [region.maxSizeBytes + 1, "3MiB", Number.MAX_SAFE_INTEGER])
      await assert.rejects(region.grow(size), { code: "ERR_REGION_FULL", expected: region.maxSizeBytes });
    await assert.rejects(region.grow("1MiB", { signal: AbortSignal.abort("no") }), (reason) => reason === "no");
  });

  test("a maxSize that is no multiple of anything", async (t) => {
    for (const maxSize of [4096, 4097, 300_000, 1_000_003]) {
      const region = await testRegion(t, "odd", { size: 4096, maxSize, maxMembers: 1 });
      assert.equal(region.maxSizeBytes, Math.ceil(maxSize / 4096) * 4096);
      await region.grow(region.maxSizeBytes);
      new Uint8Array(region.buffer)[region.buffer.byteLength - 1] = 1;
      assert.equal(region.sizeBytes, region.maxSizeBytes);
    }
  });
});

describe("rights", () => {
  test("the mode is as asked for, whatever the umask", async (t) => {
    const before = process.umask(0o077);
    t.after(() => process.umask(before));
    for (const mode of [0o600, 0o640, 0o666, 0o660]) {
      const region = await Region.create(uniqueRegionName("mode"), { ...SMALL, mode });
      const { mode: given, uid } = statSync(region.path);
      assert.deepEqual([given & 0o7777, uid], [mode, process.geteuid!()]);
      await region.close();
    }
    process.umask(0);
    const region = await open(uniqueRegionName("mode"), SMALL);
    assert.equal(statSync(region.path).mode & 0o7777, 0o600, "private unless told otherwise");
    await region.close();
  });

  /** Opens as somebody else; where that cannot be, the part of it that can. */
  test("a region of another user is refused unless told otherwise", async (t) => {
    const region = await testRegion(t, "theirs", { ...SMALL, mode: 0o666 });
    const hidden = await testRegion(t, "hidden");
    const member = await ProcessMember.start();
    const uid = await member.run(async ({ load }) => {
      try {
        process.setgroups!([]);
        process.setgid!(65534);
        process.setuid!(65534);
      } catch {
        // An ordinary user, or one of a namespace that maps no other: somebody else is only played, to reach the check.
        const addon = ((await load("#src/native/addon.js")) as { native: { effectiveUid: () => number } }).native;
        const own = addon.effectiveUid();
        addon.effectiveUid = () => own + 1;
      }
      return process.geteuid!();
    });
    const isOther = uid !== process.geteuid!();
    const foreign = { code: "ERR_NOT_OWNER", owner: process.geteuid!(), path: region.path };
    for (const verb of ["open", "openOrCreate"] as const)
      await assert.rejects(
        member.run(async ({ shmkit }, { name, how }) => void (await shmkit.Region[how](name)), {
          name: region.name,
          how: verb,
        }),
        foreign,
      );
    await assert.rejects(
      member.run(({ shmkit }, name) => void shmkit.Region.openSync(name), region.name),
      foreign,
    );
    assert.equal(region.members().length, 1);

    const sum = await member.run(async ({ shmkit, kept }, name) => {
      const own = await shmkit.open(name, { allowOtherUser: true });
      kept.set("region", own);
      return (await own.counter("c")).add(5);
    }, region.name);
    assert.equal(sum, 5n);
    assert.equal(await (await region.counter("c")).add(1), 6n);

    if (isOther) {
      const denied = { code: "ERR_PERMISSION", path: hidden.path };
      await assert.rejects(
        member.run(async ({ shmkit }, name) => void (await shmkit.open(name)), hidden.name),
        denied,
      );
      await assert.rejects(
        member.run(({ shmkit }, name) => void shmkit.Region.inspect(name), hidden.name),
        denied,
      );
      await assert.rejects(
        member.run(({ shmkit }, name) => shmkit.Region.remove(name), hidden.name),
        denied,
      );
      const [listed, cleaned] = await member.run(async ({ shmkit }) => [
        (await shmkit.Region.list()).map((info) => info.name),
        await shmkit.Region.clean(),
      ]);
      assert.ok(listed.includes(region.name));
      assert.equal(listed.includes(hidden.name) || cleaned.includes(hidden.name), false);
      await assert.rejects(
        member.run(({ shmkit }, name) => shmkit.Region.remove(name), region.name),
        { code: "ERR_NOT_OWNER" },
      );
      assert.equal((await joinRegion(t, region.name)).epoch, region.epoch, "and what failed has done nothing");
    }
    await member.run(async ({ kept }) => (kept.get("region") as Region).close());
    assert.equal((await member.finish()).code, 0);
  });

  test("a member of another user may be the last one to leave", async (t) => {
    const name = uniqueRegionName();
    const region = await Region.create(name, { ...SMALL, mode: 0o666 });
    const member = await ProcessMember.start();
    await member.run(() => {
      try {
        process.setgid!(65534);
        process.setuid!(65534);
      } catch {
        // The same user then: what follows holds all the same.
      }
    });
    await member.run(
      async ({ shmkit, kept }, theirs) => void kept.set("region", await shmkit.open(theirs, { allowOtherUser: true })),
      name,
    );
    await region.close();
    await member.run(async ({ kept }) => (kept.get("region") as Region).close());
    assert.equal((await member.finish()).code, 0);
    await assert.rejects(Region.open(name), { code: "ERR_NOT_FOUND" }, "the owner's next call takes the name away");
    const next = await open(name, SMALL);
    t.after(() => next.close());
    assert.equal(next.created, true);
  });

  test("a file that may not be opened is ERR_PERMISSION", async () => {
    const name = uniqueRegionName();
    const region = await open(name, SMALL);
    chmodSync(region.path, 0);
    const isRoot = process.geteuid!() === 0;
    // To root, rights mean nothing: give them up.
    const through = isRoot ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] : [];
    const member = await ProcessMember.start({ through });
    await assert.rejects(
      member.run(async ({ shmkit }, own) => void (await shmkit.open(own)), name),
      { code: "ERR_PERMISSION", path: region.path, syscall: "open" },
    );
    await assert.rejects(
      member.run(({ shmkit }, own) => void shmkit.Region.inspect(own), name),
      { code: "ERR_PERMISSION" },
    );
    await assert.rejects(
      member.run(async ({ shmkit }, own) => void (await shmkit.Region.create(own)), name),
      { code: "ERR_PERMISSION" },
    );
    await member.finish();
    await region.close();
    assert.equal(existsSync(region.path), false);
  });
});

describe("the event loop", () => {
  test("an attached region does not keep a process alive", async () => {
    const name = uniqueRegionName();
    const member = await ProcessMember.start({ region: name, options: SMALL });
    await member.run(async ({ region, shmkit }, own) => {
      const pipe = await region.pipe<number>("p");
      await pipe.send(1);
      await pipe.receive();
      await (await region.mutex("m")).lock();
      await (await region.counter("c")).add();
      region.on("memberDied", () => undefined);
      await shmkit.open(own, { label: "second" });
    }, name);
    assert.deepEqual(await member.finish(), { code: 0, signal: null, output: "" });
    assert.equal(existsSync(pathOf(name)), false, "and leaves nothing behind");
  });

  test("nor one whose waits are over", async (t) => {
    const region = await testRegion(t, "waits");
    const member = await ProcessMember.start({ region: region.name });
    await member.run(async ({ region: own }) => {
      const pipe = await own.pipe<number>("p");
      const controller = new AbortController();
      const waits = [
        pipe.receive({ timeoutMs: 10 }),
        pipe.receive({ signal: controller.signal }),
        (await own.counter("c")).waitFor(1, { timeoutMs: 5 }),
      ];
      controller.abort();
      await Promise.allSettled(waits);
      const received = pipe.receive();
      await pipe.send(1);
      await received;
    });
    assert.equal((await member.finish()).code, 0);
  });

  test("a pending wait of any kind does", async (t) => {
    const region = await testRegion(t, "waits");
    const full = await region.pipe<number>("full", { capacity: 1 });
    await full.send(0);
    const guard = await (await region.mutex("m")).lock();
    const late = uniqueRegionName("late");
    const waits: Record<string, { begin: Parameters<ProcessMember["run"]>[0]; end: () => unknown }> = {
      receive: {
        begin: async ({ region: own }) => void (await own.pipe("a")).receive(),
        end: async () => (await region.pipe("a")).send(1),
      },
      lease: {
        begin: async ({ region: own }) => void (await own.pipe("b")).receive({ lease: true }),
        end: async () => (await region.pipe("b")).send(1),
      },
      process: {
        begin: async ({ region: own }) => void (await own.pipe("c")).process(() => undefined),
        end: async () => (await region.pipe("c")).close(),
      },
      send: { begin: async ({ region: own }) => void (await own.pipe("full")).send(1), end: () => full.receive() },
      drain: {
        begin: async ({ region: own }) => void (await own.pipe("full")).drain(),
        // What the member above sends, whenever it does.
        end: () => full.receive(),
      },
      lock: { begin: async ({ region: own }) => void (await own.mutex("m")).lock(), end: () => guard.release() },
      waitFor: {
        begin: async ({ region: own }) => void (await own.counter("n")).waitFor(5),
        end: async () => (await region.counter("n")).set(5),
      },
      "open of an object": {
        begin: ({ region: own }) => void own.pipes.open("late", { wait: true }),
        end: () => region.pipe("late"),
      },
      "open of a region": {
        begin: ({ shmkit }) => void shmkit.Region.open(process.env["SHMKIT_TEST_LATE"]!, { wait: true }),
        end: async () => {
          const made = await Region.create(late, SMALL);
          t.after(() => made.close());
        },
      },
    };
    const members = await Promise.all(
      Object.entries(waits).map(async ([label, { begin, end }]) => {
        const member = await ProcessMember.start({ region: region.name, environment: { SHMKIT_TEST_LATE: late } });
        await member.run(begin);
        return { label, end, member };
      }),
    );
    const ended: string[] = [];
    for (const { label, member } of members) void member.finish().then(() => ended.push(label));
    await sleep(150);
    assert.deepEqual(ended, []);
    for (const { end } of members) await end();
    for (const { label, member } of members) assert.equal((await member.ended).code, 0, label);
  });

  test("a worker with an idle region ends by itself", async (t) => {
    const region = await testRegion(t, "worker");
    const worker = await ProcessMember.startWorker({ region: region.name });
    await worker.run(async ({ region: own }) => void (await own.pipe("p")).trySend(1));
    assert.equal((await worker.finish()).code, 0);
    await until(() => region.recoverTheDead() || region.members().length === 1);
  });

  test("many openers of one name make one region", async (t) => {
    const name = uniqueRegionName();
    const worker = await ProcessMember.startWorker();
    const theirs = worker.run(async ({ shmkit, kept }, own) => {
      const regions = await Promise.all(
        Array.from({ length: 8 }, () => shmkit.open(own, { size: "256KiB", maxSize: "8MiB", maxMembers: 32 })),
      );
      kept.set("regions", regions);
      return regions.map((region) => [region.epoch, region.created] as const);
    }, name);
    const options = { ...SMALL, maxMembers: 32 };
    const regions = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        at % 2 === 0 ? open(name, options) : Promise.resolve(Region.openOrCreateSync(name, options)),
      ),
    );
    for (const region of regions) t.after(() => region.close());
    const all = [...regions.map((region) => [region.epoch, region.created] as const), ...(await theirs)];
    assert.equal(new Set(all.map(([epoch]) => epoch)).size, 1);
    assert.equal(all.filter(([, created]) => created).length, 1);
    await worker.run(({ kept }) => (kept.get("regions") as Region[]).forEach((region) => region.closeSync()));
    await worker.finish();
  });
});

describe("the runtime", () => {
  test("{ shared: true } gives a SharedArrayBuffer, or says that the runtime cannot", async (t) => {
    const name = uniqueRegionName();
    if (!native.hasExternalSharedArrayBuffer) {
      await assert.rejects(Region.create(name, { ...SMALL, shared: true }), {
        name: "ShmkitError",
        code: "ERR_RUNTIME_LIMIT",
        message: /SharedArrayBuffer/,
      });
      assert.equal(existsSync(pathOf(name)), false);
      const region = await testRegion(t, "shared");
      await assert.rejects(open(region.name, { shared: true }), { code: "ERR_RUNTIME_LIMIT" });
      assert.throws(() => Region.openSync(region.name, { shared: true }), { code: "ERR_RUNTIME_LIMIT" });
      assert.equal(region.members().length, 1);
      return;
    }
    const region = await Region.create(name, { ...SMALL, shared: true });
    t.after(() => region.close());
    assert.ok(region.buffer instanceof SharedArrayBuffer);
    const worker = await ProcessMember.startWorker();
    const magic = await worker.run((_, buffer) => {
      const words = new Int32Array(buffer);
      return Atomics.load(words, 0);
    }, region.buffer);
    assert.equal(magic, 0x4b4d4853);
    await (await region.pipe("p")).send("works");
    assert.equal(await (await (await joinRegion(t, name)).pipe("p")).receive(), "works");
    await worker.finish();
  });

  test("more than the runtime can map is ERR_RUNTIME_LIMIT, and leaves nothing", async () => {
    const name = uniqueRegionName();
    const opening = Region.create(name, { size: "64KiB", maxSize: "6GiB", maxMembers: 1 });
    if (Number(process.versions.node.split(".")[0]) < 22)
      await assert.rejects(opening, { code: "ERR_RUNTIME_LIMIT", message: /maxSize/ });
    else await (await opening).close();
    assert.equal(existsSync(pathOf(name)), false);
  });

  test("two copies of the package in one process share regions, and know each other's errors", async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "shmkit-copy-"));
    t.after(() => rmSync(folder, { recursive: true }));
    for (const part of ["dist", "package.json", "build/shmkit.node"])
      cpSync(join(ROOT, part), join(folder, part), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
    const copy = (await import(pathToFileURL(join(folder, "dist/index.js")).href)) as typeof import("shmkit");
    assert.notEqual(copy.Region, Region);
    const region = await testRegion(t, "copies");
    const theirs = await copy.open(region.name);
    await (await theirs.pipe("p")).send("from the copy");
    assert.equal(await (await region.pipe("p")).receive(), "from the copy");
    const waiting = (await region.pipe("p")).receive();
    await (await theirs.pipe("p")).send("waited for");
    assert.equal(await waiting, "waited for");

    const thrown = async (call: () => unknown): Promise<unknown> => {
      try {
        await call();
      } catch (error) {
        return error;
      }
      return undefined;
    };
    const errors = [
      await thrown(() => copy.Region.open(uniqueRegionName())),
      await thrown(() => copy.open("a/b")),
      await thrown(() => copy.open("x", { size: 0 })),
      await thrown(() => Region.open(uniqueRegionName())),
      await thrown(() => open("a/b")),
      await thrown(() => open("x", { size: 0 })),
    ];
    for (const error of errors) assert.ok(error instanceof ShmkitError && error instanceof copy.ShmkitError);
    assert.ok(errors[1] instanceof TypeError && errors[2] instanceof RangeError);
    for (const other of [new Error("x"), null, undefined, 5, { code: "ERR_CLOSED" }, Object.create(null)])
      assert.equal(other instanceof ShmkitError, false);
    assert.equal(errors[0] instanceof copy.ArgumentError, false);
    await theirs.close();
    assert.equal(region.members().length, 1);
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
});
