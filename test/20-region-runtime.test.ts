import assert from "node:assert/strict";
import { cpSync, existsSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Region, ShmkitError, open } from "shmkit";
import { native } from "#src/native/addon.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ProcessMember, until } from "./helpers/process-member.js";
import { joinRegion, pathOf, SMALL, testRegion } from "./helpers/process-regions.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

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
});
