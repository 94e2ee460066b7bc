/** What processes beside the tests of the addon do: `node native-child-main.js ROLE JSON`. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { native } from "#src/native/addon.js";
import type { NativeAddon } from "#src/native/contract.js";
import { ARMED, ATTACH_LOCK, BELL, CLOSED, LIVENESS, LIVENESS_COUNT, STATE } from "./native-roles.js";
import type { FaultingAddon, Leaving, RoleArguments, RoleName } from "./native-roles.js";
import { memoryMaps, NativeFile, until } from "./native-file.js";

type Roles = { [Role in RoleName]: (argument: RoleArguments[Role]) => void | Promise<void> };

const say = (message: unknown): void => void process.send!(message);
const told = (): Promise<unknown> => new Promise((resolve) => process.once("message", resolve));
const forever = (): void => void setInterval(() => undefined, 1000);

function attach({ path, slot, plan }: RoleArguments["leave"]): NativeFile {
  const file = NativeFile.open(path);
  native.pin(file.id, file.descriptor, LIVENESS + slot);
  native.startWaiter(file.id, BELL, ARMED, Atomics.load(file.words, BELL / 4), () => (file.status[2] = 0));
  native.watchDeaths(file.id, file.descriptor);
  native.setExitPlan(file.id, file.descriptor, {
    path: plan === "name" ? path : "",
    attachLockOffset: ATTACH_LOCK,
    livenessOffset: LIVENESS,
    livenessCount: LIVENESS_COUNT,
    stateOffset: STATE,
    closedValue: CLOSED,
  });
  return file;
}

function end(how: Leaving): void {
  if (how === "exit") process.exit(0);
  if (how === "uncaught") throw new Error("uncaught on purpose");
  process.disconnect();
}

function startWorker(data: unknown): Promise<Worker> {
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: data });
  worker.on("error", () => undefined);
  return new Promise((resolve) => worker.once("message", () => resolve(worker)));
}

/** Maps and closes; answers the address as /proc writes it. A function of its own, so that nothing holds the buffer. */
function mapAndClose(path: string): string {
  const descriptor = native.openExisting(path, true);
  const mapping = native.map(descriptor, 4096, true, false, false);
  const address = /^([0-9a-f]+)-/.exec(memoryMaps(path)[0])![1];
  native.closeMapping((mapping as { id: number }).id);
  native.close(descriptor);
  return address;
}

/** Has a mapping come and go, and answers the address that is free again. */
async function formerAddress(path: string): Promise<number> {
  const begin = mapAndClose(path);
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  await until(() => {
    collectGarbage();
    return !readFileSync("/proc/self/maps", "utf8").includes(`${begin}-`);
  });
  return Number.parseInt(begin, 16);
}

/** The addon a second time, with a state of its own. */
function loadCopy(addon: string): NativeAddon {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-copy-"));
  const copy = join(folder, "copy.node");
  copyFileSync(addon, copy);
  const loaded = createRequire(import.meta.url)(copy) as NativeAddon;
  rmSync(folder, { recursive: true });
  return loaded;
}

/** A fault: the file shrinks under the mapping, and somebody looks. */
function lose(addon: NativeAddon, path: string): Int32Array {
  const descriptor = addon.openExisting(path, true);
  const mapping = addon.map(descriptor, 4096, true, false, false);
  if (typeof mapping === "number") throw new Error(`map: ${mapping}`);
  addon.truncate(descriptor, 0);
  if (new Int32Array(mapping.buffer)[0] !== 0) throw new Error("lost memory reads zero");
  addon.truncate(descriptor, 4096);
  return new Int32Array(mapping.status);
}

const roles: Roles = {
  hold({ path, offset }) {
    const file = NativeFile.open(path);
    say(native.pin(file.id, file.descriptor, offset));
    native.close(file.descriptor);
    forever();
  },

  ring({ path, times }) {
    const file = NativeFile.open(path);
    for (let i = 0; i < times; i++) {
      Atomics.add(file.words, BELL / 4, 1);
      native.wake(file.id, BELL, -1);
    }
    say("rung");
    process.disconnect();
  },

  park({ path, expected }) {
    const file = NativeFile.open(path);
    say("parking");
    while (Atomics.load(file.words, BELL / 4) === expected) native.park(file.id, BELL, expected, 50);
    say(Atomics.load(file.words, BELL / 4));
    process.disconnect();
  },

  async leave(argument) {
    if (!argument.worker) {
      attach(argument);
      say("attached");
      await told();
      end(argument.how);
      return;
    }
    const worker = await startWorker({ leave: argument });
    say("attached");
    await told();
    if (argument.how === "exit-with-worker") process.exit(0);
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    if (argument.how === "terminate") void worker.terminate();
    else worker.postMessage("end");
    await ended;
    say("worker ended");
    await told();
    process.disconnect();
  },

  async foreignFault({ path, addon, before, then }) {
    const faulting = createRequire(import.meta.url)(addon) as FaultingAddon;
    if (before !== "nothing") faulting[before]();
    const address = await formerAddress(path);
    if (then === "fault") faulting.fault(address);
    else process.kill(process.pid, "SIGBUS");
    await new Promise((resolve) => setTimeout(resolve, 50));
    say("survived");
    process.disconnect();
  },

  twoCopies({ path, addon }) {
    const second = loadCopy(addon);
    const first = NativeFile.open(path);
    const lostSecond = lose(second, path)[0];
    first.words[0] = 1;
    say([lostSecond, first.status[0], lose(native, path)[0]]);
    process.disconnect();
  },

  throwInCallback({ path }) {
    const file = NativeFile.open(path);
    process.on("uncaughtException", (error) => {
      say(error.message);
      native.unrefWaiter(file.id);
      process.disconnect();
    });
    native.startWaiter(file.id, BELL, ARMED, Atomics.load(file.words, BELL / 4), () => {
      throw new Error("from the callback");
    });
    native.refWaiter(file.id);
    Atomics.add(file.words, BELL / 4, 1);
    native.wake(file.id, BELL, -1);
  },

  async workerOnly(argument) {
    // A copy, since this thread has loaded the addon itself.
    const worker = await startWorker({ workerOnly: argument });
    await worker.terminate();
    process.kill(process.pid, "SIGBUS");
    forever();
  },

  idle({ path, referenced }) {
    const file = NativeFile.open(path);
    native.startWaiter(file.id, BELL, ARMED, Atomics.load(file.words, BELL / 4), () => {
      native.unrefWaiter(file.id);
    });
    if (referenced) native.refWaiter(file.id);
    say("started");
    process.disconnect();
  },

  noPrivateMemory({ path, mapBytes }) {
    const file = NativeFile.open(path, { mapBytes });
    file.words[0] = 1;
    const closed = native.closeMapping(file.id);
    const privateKiB = Number(/^VmData:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))![1]);
    say([closed, file.words[0], file.words[mapBytes / 4 - 1], privateKiB * 1024 < mapBytes]);
    process.disconnect();
  },
};

interface WorkerData {
  readonly leave?: RoleArguments["leave"];
  readonly workerOnly?: RoleArguments["workerOnly"];
}

function playWorker({ leave, workerOnly }: WorkerData): void {
  if (leave !== undefined) attach(leave);
  if (workerOnly !== undefined) lose(loadCopy(workerOnly.addon), workerOnly.path);
  parentPort!.once("message", () => {
    if (leave === undefined) return;
    if (leave.how === "exit") process.exit(0);
    if (leave.how === "uncaught") throw new Error("uncaught on purpose");
  });
  parentPort!.postMessage("ready");
}

if (isMainThread) {
  const [role, argument] = process.argv.slice(2) as [RoleName, string];
  await (roles[role] as (argument: unknown) => unknown)(JSON.parse(argument));
} else {
  playWorker(workerData as WorkerData);
}
