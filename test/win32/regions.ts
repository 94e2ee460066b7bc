/** Regions on Windows: what every runtime is asked, of what works there, and what is Windows' own. */
import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import * as shmkit from "shmkit";
import { Region, ShmkitError } from "shmkit";
import { DIRECTORY, pathOfName } from "#src/base/file-names.js";
import { native } from "#src/native/addon.js";
import { ProcessMember, until } from "../helpers/driven-member.js";
import { uniqueRegionName } from "../helpers/leftovers.js";
import { exchangeAndKill } from "../matrix/pairs.js";
import { SMOKE, type Place } from "../matrix/smoke.js";

/** What needs Linux: mappings and blocks, regions of other lifetimes, memory that is a file's, and the package in Node's npm. */
const LINUX_ONLY = [
  "mapped files and structs",
  "named maps",
  "blocks, lists and semaphores with names",
  "a region on disk",
  "a region without a name",
  "a file truncated under it",
  "the system's own mechanisms",
  "the package as npm installs it: ESM, CommonJS, TypeScript",
  "a program in TypeScript, not compiled, where the runtime runs such",
];

let place: Promise<Place> | undefined;

/** Two members, which stay for all checks. */
async function makePlace(): Promise<Place> {
  const region = uniqueRegionName("Windows");
  const start = (options = {}): Promise<ProcessMember> => ProcessMember.start(options);
  const [a, b] = [await start({ region }), await start({ region })];
  const command = [process.execPath];
  return {
    ...{ region, a, b, start, command, advised: command },
    ...{ version: process.versions.node, arch: process.arch, runsTypeScript: false },
    consumers: { programs: [], typeScript: "" },
  };
}

const ofEveryRuntime = Object.fromEntries(
  Object.entries(SMOKE)
    .filter(([name]) => !LINUX_ONLY.includes(name))
    .map(([name, check]) => [
      name,
      async (): Promise<void> => {
        await check(await (place ??= makePlace()));
      },
    ]),
);

async function pair(): Promise<void> {
  const region = uniqueRegionName("pair");
  const [a, b] = await Promise.all([
    ProcessMember.start({ region }),
    ProcessMember.start({ region, options: { label: "the other" } }),
  ]);
  await exchangeAndKill(a, b, "the other");
  await a.run(({ region: own }) => own.close());
}

/** Files of one member of this process, or of what is being made. */
const strays = (): string[] => readdirSync(DIRECTORY).filter((file) => file.startsWith(".shmkit-"));

/** Those that differ in capitals only, or in a dot at the end, are of different regions. */
async function names(): Promise<void> {
  const all = ["case", "Case", "CASE", "case.", "CASE.", "con", "Z".repeat(200), "z".repeat(200)];
  const regions: Region[] = [];
  for (const name of all) regions.push(await Region.create(name, { size: "64KiB", maxSize: "1MiB" }));
  assert.equal(new Set(regions.map(({ epoch }) => epoch)).size, all.length);
  const listed = (await Region.list()).map(({ name }) => name);
  assert.deepEqual(
    all.filter((name) => !listed.includes(name)),
    [],
  );
  await assert.rejects(Region.create("Case"), { code: "ERR_EXISTS" });
  for (const region of regions) await region.close();
  assert.deepEqual(
    (await Region.list()).filter(({ name }) => all.includes(name)),
    [],
  );
}

/** A name is free at once, whoever still uses the region that had it. */
async function removal(): Promise<void> {
  const name = uniqueRegionName("removed");
  const first = await Region.create(name, { size: "64KiB" });
  const other = await ProcessMember.start({ region: name });
  assert.equal(await Region.remove(name), true);
  assert.equal(await Region.remove(name), false);
  assert.equal(Region.inspect(name), undefined);
  const second = await Region.create(name, { size: "64KiB" });
  assert.notEqual(second.epoch, first.epoch);
  // Those who have it go on.
  const received = (await first.pipe("left")).receive();
  await other.run(async ({ region }) => (await region.pipe("left")).send("behind"));
  assert.equal(await received, "behind");
  await second.close();
  await first.close();
  await other.kill();
}

/** What the dead leave: a name without memory, and files that have no name yet. */
async function leftByTheDead(): Promise<void> {
  const name = uniqueRegionName("dead");
  const last = await ProcessMember.start({ region: name });
  await last.kill();
  assert.ok(readdirSync(DIRECTORY).some((file) => pathOfName(name).endsWith(file)));
  await assert.rejects(Region.open(name), { code: "ERR_NOT_FOUND" });
  assert.ok(!readdirSync(DIRECTORY).some((file) => pathOfName(name).endsWith(file)));
  const left = `.shmkit-new-${(2 ** 31 - 4).toString(16)}-00`;
  writeFileSync(`${DIRECTORY}\\${left}`, "");
  const others = strays();
  const region = await Region.create(name, { size: "64KiB" });
  assert.ok(!strays().includes(left));
  const own = strays().filter((file) => !others.includes(file));
  assert.equal(own.length, 1);
  await region.close();
  assert.ok(!strays().includes(own[0]));
}

/** Nobody waits, so that nobody looks: the system tells. */
async function noticed(): Promise<void> {
  const name = uniqueRegionName("noticed");
  const region = await Region.create(name, { size: "64KiB" });
  const deaths: string[] = [];
  region.on("memberDied", ({ label }) => deaths.push(label));
  for (const label of ["first", "second"]) {
    const member = await ProcessMember.start({ region: name, options: { label } });
    await member.kill();
    await until(() => deaths.includes(label));
  }
  assert.deepEqual(deaths, ["first", "second"]);
  assert.equal(region.members().length, 1);
  await region.close();
}

/** Who sleeps on a word is woken from another process: looking again after a while would hide that nobody was. */
async function doorbells(): Promise<void> {
  const name = uniqueRegionName("doorbells");
  const [sleeper, ringer] = [await ProcessMember.start({ region: name }), await ProcessMember.start({ region: name })];
  type Insides = { membership: { segment: { id: number; words: Int32Array }; member: { bellOffset: number } } };
  const answers: number[] = [];
  for (let i = 0; i < 20 && !answers.includes(0); i++) {
    const slept = sleeper.run(async ({ region, say, load }) => {
      const { native: addon } = (await load("#src/native/addon.js")) as typeof import("#src/native/addon.js");
      const { segment, member } = (region as unknown as Insides).membership;
      const sample = Atomics.load(segment.words, member.bellOffset / 4);
      say(member.bellOffset);
      return addon.park(segment.id, member.bellOffset, sample, 1000);
    });
    await ringer.run(
      async ({ region, load, sleep: pause }, bell) => {
        const { native: addon } = (await load("#src/native/addon.js")) as typeof import("#src/native/addon.js");
        const { segment } = (region as unknown as Insides).membership;
        await pause(100);
        Atomics.add(segment.words, bell / 4, 1);
        addon.wake(segment.id, bell, -1);
      },
      (await sleeper.next()) as number,
    );
    answers.push(await slept);
  }
  assert.ok(answers.includes(0), `it was never woken: ${answers.join(" ")}`);
  await sleeper.kill();
  await ringer.run(({ region }) => region.close());
  await ringer.kill();
}

/** More than is backed at first is committed as it is needed, up to `maxSize`, and seen by who joined before. */
async function growth(): Promise<void> {
  const name = uniqueRegionName("growth");
  const region = await Region.create(name, { size: "64KiB", maxSize: "64MiB" });
  const other = await ProcessMember.start({ region: name });
  const bytes = new Uint8Array(40 * 2 ** 20).map((_, at) => at % 251);
  const sum = other.run(async ({ region: own }) => {
    const received = (await (await own.pipe("long")).receive()) as Uint8Array;
    return received.every((byte, at) => byte === at % 251) ? received.length : -1;
  });
  await (await region.pipe("long")).send(bytes);
  assert.equal(await sum, bytes.length);
  assert.ok(region.sizeBytes >= bytes.length);
  await assert.rejects(
    (async () => (await region.pipe("too long")).send(new Uint8Array(80 * 2 ** 20)))(),
    (error) => error instanceof ShmkitError && /^ERR_(?:REGION_FULL|MESSAGE_TOO_LARGE)$/.test(error.code),
  );
  await other.kill();
  await region.close();
}

/** What there is on Linux only says so. */
async function linuxOnly(): Promise<void> {
  const calls: readonly (() => unknown)[] = [
    () => shmkit.open("/tmp/region", { lifetime: "file" }),
    () => shmkit.open("kept", { lifetime: "kernel" }),
    () => shmkit.open("lent", { mode: 0o660 }),
    () => shmkit.open("lent", { group: 1 }),
    () => Region.anonymous(),
    () => Region.fromDescriptor(3),
    () => shmkit.SharedMemory.create("block", { size: 100 }),
    () => shmkit.MemoryMappedFile.createNew("map", 100),
    () => shmkit.MemoryMappedFile.createFromFile("C:\\nothing", { capacity: 100 }),
    () => shmkit.SystemSemaphore.create("semaphore"),
    () => shmkit.probeSystem(),
    () => import("shmkit/posix"),
    () => import("shmkit/sysv"),
  ];
  for (const call of calls)
    await assert.rejects(
      async () => call(),
      (error) => {
        const { code, message } = error as ShmkitError;
        assert.equal(code, "ERR_ADDON", `${call.toString()}: ${message}`);
        assert.match(message, / works on Linux only, and this is win32-x64; /);
        return true;
      },
    );
  await assert.rejects(shmkit.open("shared", { shared: true }), { code: "ERR_RUNTIME_LIMIT" });
}

const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  -1,
  0,
  1,
  2.5,
  NaN,
  2 ** 31,
  2 ** 53,
  "",
  "x\0y",
  {},
  [],
  () => 1,
];

/** Each answers a negative number or throws for what is wrong, and the region goes on. */
async function hostile(): Promise<void> {
  const name = uniqueRegionName("hostile");
  const region = await Region.create(name, { size: "64KiB", maxSize: "1MiB" });
  const functions = Object.entries(native).filter(([, value]) => typeof value === "function") as [
    string,
    (...args: unknown[]) => unknown,
  ][];
  assert.ok(functions.length > 25);
  let refused = 0;
  for (const [call, act] of functions)
    for (const first of HOSTILE)
      for (const second of [...HOSTILE, 4096]) {
        // Those of the region that is looked at afterwards.
        if (first === 1) continue;
        try {
          const answer = await act(first, second, 4, 0, () => undefined);
          if (typeof answer === "number" && answer < 0) refused++;
        } catch (error) {
          const { code, message } = error as { code: string; message: string };
          assert.match(code, /^ERR_(?:INVALID_ARG_TYPE|OUT_OF_RANGE)$/, `${call}: ${message}`);
          refused++;
        }
      }
  assert.ok(refused > 1000, `${refused} refused`);
  const pipe = await region.pipe("still");
  await pipe.send("there");
  assert.equal(await pipe.receive(), "there");
  await region.close();
}

/** Three processes take jobs on lease, write under a mutex and pass them on; one after the other is killed. */
async function storm(): Promise<void> {
  const [kills, members] = [12, 3];
  const name = uniqueRegionName("storm");
  const region = await Region.create(name, { size: "256KiB", maxSize: "16MiB" });
  const [inbox, outbox] = [await region.pipe<number>("in"), await region.pipe<number>("out")];
  const sums = await region.mutex("sums", { words: 2 });
  await region.counter("steps");
  const start = async (): Promise<ProcessMember> => {
    const member = await ProcessMember.start({ region: name });
    void member.run(async ({ region: own }) => {
      const [from, to] = [await own.pipe<number>("in"), await own.pipe<number>("out")];
      const [both, steps] = [await own.mutex("sums", { words: 2 }), await own.counter("steps")];
      for (;;) {
        const lease = await from.receive({ lease: true });
        const guard = await both.lock();
        const sum = guard.get(0) + lease.value;
        guard.set(0, sum);
        guard.set(1, sum);
        guard.commit();
        guard.release();
        await steps.add(1);
        await to.send(lease.value);
        lease.ack();
      }
    });
    return member;
  };
  const running = await Promise.all(Array.from({ length: members }, start));
  const blocks = region.statistics().usedBlocks;
  const deaths = new Set<number>();
  region.on("memberDied", ({ pid }) => deaths.add(pid));
  const seen = new Set<number>();
  let [sent, isOver] = [0, false];
  const sending = (async () => {
    while (!isOver) await inbox.send(++sent);
  })();
  const receiving = (async () => {
    while (!isOver || seen.size < sent) seen.add(await outbox.receive());
  })();
  for (let kill = 0; kill < kills; kill++) {
    await sleep(50 + ((kill * 37) % 100));
    const at = kill % members;
    const { pid } = running[at];
    await running[at].kill();
    running[at] = await start();
    await until(() => deaths.has(pid));
  }
  isOver = true;
  await Promise.all([sending, receiving]);
  // Each is one of those sent: so nothing is missing, and nothing was made up.
  assert.deepEqual([seen.size, seen.has(1), seen.has(sent)], [sent, true, true]);
  const guard = await sums.lock();
  assert.ok(guard.get(0) === guard.get(1), `${guard.get(0)} and ${guard.get(1)}`);
  guard.release();
  assert.equal(region.statistics().usedBlocks, blocks);
  assert.equal(region.members().length, members + 1);
  for (const member of running) await member.kill();
  await until(() => region.members().length === 1);
  await region.close();
}

const before = readdirSync(DIRECTORY);

async function nothingLeft(): Promise<void> {
  // Of a last member that was killed, whoever looked before it was quite gone could not tell: its name and its files go with
  // a later look at the names, and when a region is made.
  await until(async () => {
    await Region.list();
    await (await Region.create(uniqueRegionName("tidy"), { size: "64KiB" })).close();
    await sleep(100);
    return readdirSync(DIRECTORY).every((file) => before.includes(file));
  });
}

export const REGIONS = {
  ...ofEveryRuntime,
  "a pair, of which one is killed": pair,
  "a storm of kills": storm,
  "names that differ in capitals": names,
  "a removed name is free at once": removal,
  "what the dead leave goes": leftByTheDead,
  "deaths are noticed although nobody waits": noticed,
  "a doorbell wakes another process": doorbells,
  "regions grow": growth,
  "what needs Linux is ERR_ADDON": linuxOnly,
  "every call for regions with hostile arguments": hostile,
  "nothing is left behind": nothingLeft,
};
