import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readlinkSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { native } from "#src/native/addon.js";
import type { ExitPlan } from "#src/native/contract.js";
import { NativeChild } from "./helpers/native-child.js";
import {
  ARMED,
  ATTACH_LOCK,
  BELL,
  CLOSED,
  type Leaving,
  LIVENESS,
  LIVENESS_COUNT,
  type RoleArguments,
  STATE,
} from "./helpers/native-roles.js";
import { ADDON_PATH, isFree, memoryMaps, NativeFile, openDescriptors, until } from "./helpers/native-file.js";

const { errno } = constants;

function planFor(path: string): ExitPlan {
  return {
    path,
    attachLockOffset: ATTACH_LOCK,
    livenessOffset: LIVENESS,
    livenessCount: 1,
    stateOffset: STATE,
    closedValue: CLOSED,
  };
}

describe("pins", () => {
  test("hold a byte for everybody else, this process included", () => {
    using file = NativeFile.create("pin");
    using other = NativeFile.open(file.path);
    assert.equal(native.pin(file.id, file.descriptor, 500), 0);
    assert.equal(native.pin(file.id, file.descriptor, 501), -errno.EBUSY);
    assert.equal(native.pin(other.id, other.descriptor, 500), -errno.EAGAIN);
    assert.equal(native.lock(file.descriptor, 500), -errno.EAGAIN);
    assert.equal(native.probe(other.descriptor, 500, 1), 1);
    assert.equal(native.pin(other.id, other.descriptor, 501), 0);
    assert.equal(native.unpin(file.id), 0);
    assert.equal(native.unpin(file.id), 0);
    assert.equal(native.probe(other.descriptor, 500, 1), 0);
    assert.equal(native.pin(file.id, file.descriptor, 2 ** 40), 0);
    assert.equal(native.pin(other.id, 2 ** 31 - 1, 1), -errno.EBUSY);
    native.unpin(other.id);
    assert.equal(native.pin(other.id, 2 ** 31 - 1, 1), -errno.EBADF);
  });

  test("take the waiter with them: without liveness, the armed word is nobody's or somebody else's", async () => {
    using file = NativeFile.create("armed");
    using ringer = NativeFile.open(file.path);
    native.pin(file.id, file.descriptor, 1);
    let calls = 0;
    native.startWaiter(file.id, BELL, ARMED, 0, () => calls++);
    native.unpin(file.id);
    Atomics.store(ringer.words, ARMED / 4, 1);
    Atomics.add(ringer.words, BELL / 4, 1);
    native.wake(ringer.id, BELL, -1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(calls, 0);
    assert.equal(ringer.words[ARMED / 4], 1);
    assert.equal(native.refWaiter(file.id), -errno.EINVAL);
    assert.equal(native.pin(file.id, file.descriptor, 1), 0);
    assert.equal(
      native.startWaiter(file.id, BELL, ARMED, 0, () => calls++),
      -errno.EBUSY,
    );
  });

  test("survive the close of every descriptor and the name's end", () => {
    using file = NativeFile.create("survive");
    const probe = native.reopen(file.descriptor);
    const descriptor = native.reopen(file.descriptor);
    native.pin(file.id, descriptor, 7);
    native.close(descriptor);
    native.close(native.openExisting(file.path, true));
    native.close(file.descriptor);
    native.unlink(file.path);
    assert.equal(native.probe(probe, 7, 1), 1);
    native.closeMapping(file.id);
    assert.equal(native.probe(probe, 7, 1), 0);
    native.close(probe);
  });

  test("leave no descriptor open", () => {
    using file = NativeFile.create("descriptors");
    const before = openDescriptors().length;
    native.pin(file.id, file.descriptor, 1);
    assert.equal(openDescriptors().length, before);
    assert.match(
      memoryMaps(file.path).find((map) => map.includes("---s"))!,
      /^VmFlags:.*\bdc\b/m,
    );
    native.unpin(file.id);
    assert.equal(memoryMaps(file.path).filter((map) => map.includes("---s")).length, 0);
  });

  test("are not kept by a child that outlives them", async () => {
    using file = NativeFile.create("fork");
    native.pin(file.id, file.descriptor, 9);
    const child: ChildProcess = spawn("sleep", ["1000"], { stdio: "ignore" });
    await new Promise((resolve) => child.once("spawn", resolve));
    assert.equal(isFree(file.path, 9), false);
    native.unpin(file.id);
    assert.equal(isFree(file.path, 9), true);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("close", resolve));
  });

  test("go with a killed process, and not before", async () => {
    using file = NativeFile.create("kill");
    const child = NativeChild.start("hold", { path: file.path, offset: 11 });
    assert.equal(await child.next(), 0);
    assert.equal(isFree(file.path, 11), false);
    await child.kill();
    await until(() => isFree(file.path, 11));
  });

  test("a stopped process is alive", async () => {
    using file = NativeFile.create("stop");
    const child = NativeChild.start("hold", { path: file.path, offset: 11 });
    await child.next();
    child.signal("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(isFree(file.path, 11), false);
    await child.kill();
  });
});

describe("an environment that ends without closing", () => {
  const ENDINGS: { how: Leaving; worker: boolean }[] = [
    { how: "natural", worker: false },
    { how: "exit", worker: false },
    { how: "uncaught", worker: false },
    { how: "natural", worker: true },
    { how: "exit", worker: true },
    { how: "uncaught", worker: true },
    { how: "terminate", worker: true },
    { how: "exit-with-worker", worker: true },
  ];

  /** A process that attaches and leaves; `check` runs when it has left, with a worker's process still alive. */
  async function leave(argument: RoleArguments["leave"], check: () => void): Promise<void> {
    const child = NativeChild.start("leave", argument);
    assert.equal(await child.next(), "attached");
    assert.equal(isFree(argument.path, LIVENESS + argument.slot), false);
    child.tell("end");
    const stays = argument.worker && argument.how !== "exit-with-worker";
    if (stays) assert.equal(await child.next(), "worker ended");
    else await child.ended;
    check();
    if (stays) child.tell("end");
    const { code } = await child.ended;
    assert.equal(code, argument.how === "uncaught" && !argument.worker ? 1 : 0);
  }

  for (const { how, worker } of ENDINGS) {
    const who = worker ? "a worker" : "a process";
    test(`${who} (${how}) that was the last one marks the region closed and removes its name`, async () => {
      using file = NativeFile.create("last");
      await leave({ path: file.path, slot: 2, how, worker, plan: "name" }, () => {
        assert.equal(existsSync(file.path), false);
        assert.equal(file.words[STATE / 4], CLOSED);
        assert.equal(native.probe(file.descriptor, 0, 2 ** 40), 0);
      });
    });

    test(`${who} (${how}) that was not the last one only leaves`, async () => {
      using file = NativeFile.create("other");
      native.pin(file.id, file.descriptor, LIVENESS + LIVENESS_COUNT - 1);
      await leave({ path: file.path, slot: 0, how, worker, plan: "name" }, () => {
        assert.equal(existsSync(file.path), true);
        assert.equal(file.words[STATE / 4], 0);
        assert.equal(native.probe(file.descriptor, LIVENESS, LIVENESS_COUNT - 1), 0);
        assert.equal(isFree(file.path, ATTACH_LOCK), true);
      });
    });
  }

  test("without a name nothing is marked", async () => {
    using file = NativeFile.create("nameless");
    await leave({ path: file.path, slot: 1, how: "natural", worker: true, plan: "nameless" }, () => {
      assert.equal(existsSync(file.path), true);
      assert.equal(file.words[STATE / 4], 0);
      assert.equal(native.probe(file.descriptor, 0, 2 ** 40), 0);
    });
  });

  test("while somebody holds the attach byte, nothing is removed, and the liveness goes all the same", async () => {
    using file = NativeFile.create("attaching");
    native.lock(file.descriptor, ATTACH_LOCK);
    await leave({ path: file.path, slot: 1, how: "natural", worker: true, plan: "name" }, () => {
      assert.equal(existsSync(file.path), true);
      assert.equal(file.words[STATE / 4], 0);
      assert.equal(isFree(file.path, LIVENESS + 1), true);
    });
  });

  test("a name that is another file's by now is left alone", async () => {
    using file = NativeFile.create("renamed");
    const aside = `${file.path}-aside`;
    const child = NativeChild.start("leave", { path: file.path, slot: 0, how: "exit", worker: false, plan: "name" });
    await child.next();
    renameSync(file.path, aside);
    writeFileSync(file.path, "another");
    child.tell("end");
    await child.ended;
    assert.equal(existsSync(file.path), true);
    assert.equal(existsSync(aside), true);
    assert.equal(file.words[STATE / 4], CLOSED);
    rmSync(aside);
  });

  test("a killed process leaves the name for the next opener", async () => {
    using file = NativeFile.create("killed");
    const child = NativeChild.start("leave", { path: file.path, slot: 0, how: "killed", worker: false, plan: "name" });
    await child.next();
    await child.kill();
    assert.equal(existsSync(file.path), true);
    await until(() => isFree(file.path, LIVENESS));
  });

  test("closing the mapping cancels the plan", async () => {
    using file = NativeFile.create("cancelled");
    const script = `
      const native = require(process.argv[1]);
      const descriptor = native.openExisting(process.argv[2], true);
      const mapping = native.map(descriptor, 4096, true, false, false);
      native.pin(mapping.id, descriptor, ${LIVENESS});
      native.setExitPlan(mapping.id, descriptor, { path: process.argv[2], attachLockOffset: ${ATTACH_LOCK},
        livenessOffset: ${LIVENESS}, livenessCount: 1, stateOffset: ${STATE}, closedValue: ${CLOSED} });
      native.closeMapping(mapping.id);`;
    const child = spawn(process.execPath, ["-e", script, ADDON_PATH, file.path], { stdio: "inherit" });
    assert.equal(await new Promise((resolve) => child.once("close", resolve)), 0);
    assert.equal(existsSync(file.path), true);
    assert.equal(file.words[STATE / 4], 0);
  });

  test("a later plan replaces an earlier one", () => {
    using file = NativeFile.create("replaced");
    const before = openDescriptors().length;
    const plan = planFor(file.path);
    for (let i = 0; i < 10; i++) assert.equal(native.setExitPlan(file.id, file.descriptor, plan), 0);
    assert.equal(openDescriptors().length, before + 1);
    assert.equal(native.setExitPlan(file.id, 2 ** 31 - 1, plan), -errno.EBADF);
    native.closeMapping(file.id);
    assert.equal(openDescriptors().length, before);
  });

  test("the attach byte is given back though the description lives on", async () => {
    using file = NativeFile.create("description");
    const script = `
      const { parentPort, workerData } = require("node:worker_threads");
      const native = require(workerData.addon);
      const { id } = native.map(workerData.descriptor, 4096, true, false, false);
      parentPort.postMessage(native.setExitPlan(id, workerData.descriptor, workerData.plan));`;
    const plan = planFor("");
    const { descriptor } = file;
    const worker = new Worker(script, { eval: true, workerData: { addon: ADDON_PATH, descriptor, plan } });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    assert.equal(await new Promise((resolve) => worker.once("message", resolve)), 0);
    await ended;
    assert.equal(isFree(file.path, ATTACH_LOCK), true);
  });

  test("a worker's descriptors and their locks end with it, others' stay", async () => {
    using file = NativeFile.create("descriptors");
    const mine = (): number =>
      openDescriptors().filter((descriptor) => {
        try {
          return readlinkSync(`/proc/self/fd/${descriptor}`) === file.path;
        } catch {
          return false;
        }
      }).length;
    const before = mine();
    const worker = new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
       const native = require(workerData.addon);
       for (let i = 0; i < 20; i++) native.openExisting(workerData.path, true);
       const descriptor = native.openExisting(workerData.path, true);
       parentPort.postMessage(native.lock(descriptor, 5));
       for (;;);`,
      { eval: true, workerData: { addon: ADDON_PATH, path: file.path } },
    );
    assert.equal(await new Promise((resolve) => worker.once("message", resolve)), 0);
    assert.equal(isFree(file.path, 5), false);
    assert.equal(mine(), before + 21);
    await worker.terminate();
    assert.equal(isFree(file.path, 5), true);
    assert.equal(mine(), before);
  });
});
