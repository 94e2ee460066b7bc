/** What shmkit must do in every runtime: checks over a region that two members of that runtime have open. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { MemberDeath, Region } from "shmkit";
import { pathOfName } from "#src/base/file-names.js";
import { uniqueRegionName } from "../helpers/leftovers.js";
import type { Ending, MemberOptions, ProcessMember } from "../helpers/driven-member.js";
import { exchangeBytes, exchangeValues } from "./exchange.js";
import { MEMORY } from "./memory.js";
import { holdEverything, inherit, SYNCHRONISATION } from "./synchronisation.js";
import type { WorkerBeginning } from "./worker-main.js";

/** Programs in a project that has the package: compiled ones, and one that runtimes run which take types away. */
export interface Consumers {
  readonly programs: readonly string[];
  readonly typeScript: string;
}

/** Two members, and the means to start more. */
export interface Place {
  readonly region: string;
  readonly a: ProcessMember;
  readonly b: ProcessMember;
  /** The runtime's version and processor, as its members must see themselves. */
  readonly version: string;
  readonly arch: string;
  /** Command that runs a program in the runtime, and what the guide says to run one with. */
  readonly command: readonly string[];
  readonly advised: readonly string[];
  readonly consumers: Consumers;
  /** Whether the runtime runs programs in TypeScript. */
  readonly runsTypeScript: boolean;
  readonly start: (options?: MemberOptions) => Promise<ProcessMember>;
}

/** What a check found out about the runtime besides that it works. */
export interface Facts {
  readonly largestRegionGiB?: number;
  readonly sharedArrayBuffer?: boolean;
  readonly kills?: number;
}
export type Check = (place: Place) => Promise<Facts | void>;

const WORKER = new URL("worker-main.js", import.meta.url).href;
const STANDALONE = fileURLToPath(new URL("standalone-main.js", import.meta.url));
const SYSTEM = fileURLToPath(new URL("system-main.js", import.meta.url));
const CLI = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

async function isTheRuntime({ a, b, version, arch }: Place): Promise<void> {
  for (const member of [a, b])
    assert.deepEqual(
      await member.run(() => [
        process.versions["bun"] ?? process.versions["deno"] ?? process.versions.node,
        process.arch,
      ]),
      [version, arch],
    );
}

async function bothAreMembers({ a, b, region: name }: Place): Promise<void> {
  const look = ({ region }: { region: Region }) => ({
    created: region.created,
    slot: region.slot,
    pid: process.pid,
    members: region.members().map(({ slot, pid, alive }) => ({ slot, pid, alive })),
  });
  const [first, second] = [await a.run(look), await b.run(look)];
  assert.deepEqual([first.created, second.created], [true, false]);
  assert.deepEqual(second.members, first.members);
  for (const { slot, pid } of [first, second])
    assert.ok(first.members.some((member) => member.slot === slot && member.pid === pid && member.alive));
  assert.ok(existsSync(pathOfName(name)));
}

async function valuesBothWays({ a, b }: Place): Promise<void> {
  await exchangeValues(a, b, "values there");
  await exchangeValues(b, a, "values back");
}

async function bytesBothWays({ a, b }: Place): Promise<void> {
  await exchangeBytes(a, b, "bytes there");
  await exchangeBytes(b, a, "bytes back");
}

async function counter({ a, b }: Place): Promise<void> {
  const reached = a.run(async ({ region }) => (await region.counter("count")).waitFor(2n ** 40n + 100n));
  await b.run(async ({ region }) => {
    const count = await region.counter("count");
    await count.set(2n ** 40n);
    for (let i = 0; i < 100; i++)
      if (i % 2 === 0) await count.add(1);
      else count.addSync(1n);
  });
  assert.equal(await reached, 2n ** 40n + 100n);
}

/** The event loop turns while a call waits, and a change from another process ends the wait. */
async function asyncWaits({ a, b }: Place): Promise<void> {
  const waiting = b.run(async ({ region, say }) => {
    const pipe = await region.pipe("waits");
    let turns = 0;
    const timer = setInterval(() => {
      if (++turns === 10) say("still turning");
    }, 5);
    const message = await pipe.receive();
    clearInterval(timer);
    return message;
  });
  assert.equal(await b.next(), "still turning");
  await a.run(async ({ region }) => (await region.pipe("waits")).send("at last"));
  assert.equal(await waiting, "at last");
}

async function deadlinesAndSignals({ a }: Place): Promise<void> {
  const ends = await a.run(async ({ region }) => {
    const pipe = await region.pipe("empty");
    const how = async (wait: () => unknown): Promise<unknown> => {
      try {
        return await wait();
      } catch (error) {
        const { name, code } = error as { name: string; code?: string };
        return `${name} ${code ?? ""}`;
      }
    };
    const controller = new AbortController();
    const reason = new Error("enough");
    setTimeout(() => controller.abort(reason), 30);
    return [
      await how(() => pipe.receive({ timeoutMs: 30 })),
      await how(() => pipe.receiveSync({ timeoutMs: 30 })),
      await how(() => pipe.receive({ signal: AbortSignal.timeout(30) })),
      await pipe.receive({ signal: controller.signal }).catch((error: unknown) => error === reason),
      await how(async () => (await region.counter("never")).waitFor(1, { timeoutMs: 30 })),
    ];
  });
  const timeout = "TimeoutError ERR_TIMEOUT";
  assert.deepEqual(ends, [timeout, timeout, "TimeoutError 23", true, timeout]);
}

async function syncWaits({ a, b }: Place): Promise<void> {
  const answers = b.run(async ({ region, say }) => {
    const [there, back] = [await region.pipe<number>("there"), await region.pipe<number>("back")];
    say("blocks");
    for (let i = 0; i < 100; i++) back.sendSync(there.receiveSync() + 1);
    (await region.mutex("sync mutex")).lockSync().release();
    return (await region.counter("sync count")).waitForSync(1);
  });
  await b.next();
  const sums = await a.run(async ({ region }) => {
    const [there, back] = [await region.pipe<number>("there"), await region.pipe<number>("back")];
    let sum = 0;
    for (let i = 0; i < 100; i++) {
      there.sendSync(i);
      sum += back.receiveSync();
    }
    await (await region.counter("sync count")).add(1);
    return sum;
  });
  assert.equal(sums, 5050);
  assert.equal(await answers, 1n);
}

/** Killed with a lock, a change that is not committed, and a lease in its hands. */
async function killedMember({ a, b, start, region }: Place): Promise<void> {
  const victim = await start({ region, options: { label: "victim" } });
  const slot = await victim.run(async ({ region: own, kept }) => {
    const guard = await (await own.mutex("held", { words: 2 })).lock();
    guard.set(0, 1);
    guard.commit();
    guard.set(0, 2);
    const pipe = await own.pipe("leased");
    await pipe.send("precious");
    kept.set("both", [guard, await pipe.receive({ lease: true })]);
    return own.slot;
  });
  const death = b.run(async ({ region: own, say }) => {
    const died = new Promise<MemberDeath>((resolve) => own.once("memberDied", resolve));
    say("listens");
    const { noticedAt, ...facts } = await died;
    return { ...facts, isRecent: Math.abs(Date.now() - noticedAt.getTime()) < 600_000 };
  });
  await b.next();
  const taken = a.run(async ({ region: own, say }) => {
    const waiting = (await own.mutex("held", { words: 2 })).lock();
    say("waits");
    const guard = await waiting;
    const found = [guard.abandoned, guard.get(0)];
    guard.release();
    const lease = await (await own.pipe<string>("leased")).receive({ lease: true });
    lease.ack();
    return [...found, lease.value, lease.deliveries];
  });
  await a.next();
  await victim.kill();
  assert.deepEqual(await taken, [true, 1, "precious", 2]);
  const { generation, threadId, ...facts } = await death;
  // Windows numbers threads and processes apart.
  const isMain = process.platform === "win32" ? threadId > 0 : threadId === victim.pid;
  assert.ok(generation > 0 && isMain, `generation ${generation}, thread ${threadId}`);
  assert.deepEqual(facts, {
    slot,
    pid: victim.pid,
    label: "victim",
    operation: "pipe.lease",
    object: "leased",
    interrupted: false,
    committed: true,
    isRecent: true,
  });
}

/** Killed with one of everything that one can wait with, or for. */
async function killedWithEverything({ b, start, region }: Place): Promise<void> {
  const victim = await start({ region });
  await inherit(b, await holdEverything(victim), () => victim.kill());
}

/** A worker thread is a member of its own: it ends in order, or by `terminate()`, which is a death. */
async function workerThreads({ a, b }: Place): Promise<void> {
  for (const isTerminated of [false, true]) {
    const mutex = `of a worker that is ${isTerminated ? "terminated" : "closed"}`;
    await b.run(({ region, kept }) => {
      const deaths: number[] = [];
      kept.set("deaths", deaths);
      region.on("memberDied", ({ slot }) => deaths.push(slot));
    });
    const joined = await a.run(
      async ({ region, kept, load }, { file, name }) => {
        const { Worker } = (await load("node:worker_threads")) as typeof import("node:worker_threads");
        const workerData: WorkerBeginning = { region: region.name, mutex: name, buffer: undefined };
        const worker = new Worker(new URL(file), { workerData });
        kept.set("worker", worker);
        const said = await new Promise<{ slot: number; abandoned: boolean }>((resolve, reject) => {
          worker.once("message", resolve);
          worker.once("error", reject);
        });
        const member = region.members().find(({ slot }) => slot === said.slot);
        return { ...said, isOwn: said.slot !== region.slot && member?.pid === process.pid, own: region.slot };
      },
      { file: WORKER, name: mutex },
    );
    assert.deepEqual([joined.isOwn, joined.abandoned], [true, false]);
    const taken = b.run(async ({ region, kept, say }, name) => {
      const waiting = (await region.mutex(name)).lock();
      say("waits");
      const guard = await waiting;
      const found = [guard.abandoned, guard.get(0)];
      guard.release();
      // Recovered and told are one: who is told may hear of it a turn later.
      await new Promise((resolve) => setTimeout(resolve, 10));
      return { found, deaths: kept.get("deaths") as number[], members: region.members().map(({ slot }) => slot) };
    }, mutex);
    await b.next();
    await a.run(async ({ kept }, terminate) => {
      const worker = kept.get("worker") as import("node:worker_threads").Worker;
      const ended = new Promise((resolve) => worker.once("exit", resolve));
      if (terminate) await worker.terminate();
      else worker.postMessage("end");
      await ended;
    }, isTerminated);
    const { found, deaths } = await taken;
    assert.deepEqual(found, [isTerminated, 0]);
    assert.deepEqual(deaths, isTerminated ? [joined.slot] : []);
    const left = await a.run(({ region }) => region.members().map(({ slot }) => slot));
    assert.ok(!left.includes(joined.slot), `slot ${joined.slot} among ${left.join(" ")}`);
  }
}

const ENDS: Readonly<Record<string, readonly [number, (member: ProcessMember) => Promise<Ending>]>> = {
  "its event loop runs dry": [0, (member) => member.finish()],
  "process.exit()": [
    7,
    (member) => {
      void member.run(() => process.exit(7));
      return member.ended;
    },
  ],
  "an uncaught exception": [
    1,
    (member) => {
      void member.run(() => {
        setTimeout(() => {
          throw new Error("on purpose");
        });
        return new Promise<never>(() => undefined);
      });
      return member.ended;
    },
  ],
};

/** Without `close()`: an attached region keeps no process alive, and its name goes with the last member. */
async function endsWithoutClosing({ start }: Place): Promise<void> {
  for (const [way, [code, end]] of Object.entries(ENDS)) {
    const region = uniqueRegionName("ends");
    const member = await start({ region });
    await member.run(async ({ region: own }) => (await own.pipe("any")).send(1));
    const ending = await end(member);
    assert.deepEqual([ending.code, ending.signal], [code, null], `${way}: ${ending.output}`);
    assert.ok(!existsSync(pathOfName(region)), `${way}: the region's name is still there`);
  }
}

async function pendingWaitKeepsAlive({ a, start, region }: Place): Promise<void> {
  const waiting = await start({ region });
  await waiting.run(async ({ region: own }) => {
    const [pipe, done] = [await own.pipe("late"), await own.counter("late count")];
    void pipe.receive().then(() => done.add(1));
  });
  const ended = waiting.finish();
  const received = await a.run(async ({ region: own, sleep }) => {
    await sleep(150);
    await (await own.pipe("late")).send("late");
    return (await own.counter("late count")).waitFor(1);
  });
  assert.equal(received, 1n);
  assert.equal((await ended).code, 0);
}

/** A file that is truncated under it would kill any process by SIGBUS. */
async function truncation({ a, b }: Place): Promise<void> {
  const name = uniqueRegionName("lost");
  await a.run(async ({ shmkit, kept }, lost) => {
    const region = await shmkit.open(lost, { size: "1MiB" });
    kept.set("lost", [region, await region.pipe("pipe")]);
  }, name);
  truncateSync(pathOfName(name), 0);
  const code = await a.run(async ({ kept }) => {
    const [region, pipe] = kept.get("lost") as [Region, Awaited<ReturnType<Region["pipe"]>>];
    const answer = await pipe.send("into the void").then(
      () => "sent",
      (error: { code: string }) => error.code,
    );
    await region.close();
    return answer;
  });
  assert.equal(code, "ERR_REGION_LOST");
  // Nobody marked it closed or could take it for a region: whoever opens the name next takes it away.
  await b.run(async ({ shmkit }, lost) => {
    await shmkit.Region.remove(lost).catch(() => undefined);
  }, name);
}

async function closing({ a }: Place): Promise<void> {
  const name = uniqueRegionName("closing");
  const found = await a.run(async ({ shmkit }, own) => {
    const views: Uint8Array[] = [];
    for (let i = 0; i < 10; i++) {
      const region = await shmkit.open(own, { size: "256KiB", maxSize: "64MiB" });
      const pipe = await region.pipe("pipe");
      await pipe.send(new Uint8Array(10_000).fill(i));
      views.push(new Uint8Array(region.buffer));
      await region.close();
      const code = await pipe.send(1).catch((error: { code: string }) => error.code);
      if (code !== "ERR_CLOSED") return `${code as string} after close`;
      // Buffers of closed regions become garbage, and are finalised while others are in use.
      for (let round = 0; round < 4; round++) Array.from({ length: 10_000 }, (_, at) => ({ round, at }));
    }
    return views.every((view) => view[0] === 0 && view[100_000] === 0) ? "zeroes" : "contents";
  }, name);
  assert.equal(found, "zeroes");
  assert.ok(!existsSync(pathOfName(name)));
}

/** Up to where buffers go, and whether SharedArrayBuffers do: what cannot be is `ERR_RUNTIME_LIMIT`. */
async function limits({ a }: Place): Promise<Facts> {
  const { largest, refusal, shared } = await a.run(
    async ({ shmkit, load }, { name, file }) => {
      const attempt = async (options: import("shmkit").RegionOptions): Promise<string> => {
        try {
          const region = await shmkit.Region.create(name, { size: "128KiB", ...options });
          const pipe = await region.pipe("pipe");
          await pipe.send("works");
          let answer = String(await pipe.receive());
          if (options.shared === true) {
            const { Worker } = (await load("node:worker_threads")) as typeof import("node:worker_threads");
            const workerData = { region: name, mutex: "shared", buffer: region.buffer };
            const worker = new Worker(new URL(file), { workerData });
            const { sees } = await new Promise<{ sees: number }>((resolve, reject) => {
              worker.once("message", resolve);
              worker.once("error", reject);
            });
            if (sees !== new Uint8Array(region.buffer)[0] || sees === 0) answer = "the worker sees something else";
            const ended = new Promise((resolve) => worker.once("exit", resolve));
            worker.postMessage("end");
            await ended;
          }
          await region.close();
          return answer;
        } catch (error) {
          return (error as { code?: string }).code ?? String(error);
        }
      };
      let large = 0;
      let answer = "works";
      for (const gib of [1, 2, 3, 4, 8, 16, 32]) {
        answer = await attempt({ maxSize: `${gib}GiB` });
        if (answer !== "works") break;
        large = gib;
      }
      return { largest: large, refusal: answer, shared: await attempt({ shared: true }) };
    },
    { name: uniqueRegionName("limits"), file: WORKER },
  );
  assert.ok(largest >= 1, `not even the default of 1 GiB: ${refusal}`);
  assert.match(refusal, /^(works|ERR_RUNTIME_LIMIT)$/);
  assert.match(shared, /^(works|ERR_RUNTIME_LIMIT)$/);
  return { largestRegionGiB: largest, sharedArrayBuffer: shared === "works" };
}

async function runProgram([program, ...before]: readonly string[], args: readonly string[]): Promise<string> {
  const limits = { timeout: 110_000, killSignal: "SIGKILL" } as const;
  // Deno looks for packages from where it is started.
  const { stdout } = await promisify(execFile)(program, [...before, ...args], { ...limits, cwd: dirname(args[0]) });
  return stdout;
}

/** `shmkit/posix` and `shmkit/sysv`, each side a process. */
async function systemMechanisms({ command, arch }: Place): Promise<void> {
  const name = uniqueRegionName("system");
  const sides = ["near", "far"].map((side) => runProgram(command, [SYSTEM, name, side]));
  const [near, far] = await Promise.all(sides);
  const told = /^7 there and back 3\n(?:EOWNERDEAD\n)?$/;
  assert.match(near, told);
  // The emulator knows no robust mutexes.
  assert.equal(near.includes("EOWNERDEAD"), arch !== "arm64");
  assert.equal(far, "ends with the mutex\n");
}

async function ownPrograms({ command, advised, region }: Place): Promise<void> {
  assert.equal(await runProgram(advised, [STANDALONE, uniqueRegionName("standalone")]), "received 1\n");
  assert.match(await runProgram(command, [CLI, "ls"]), new RegExp(region));
}

/** What users of the package write, in a project where npm installed it: with the addon that travels in it. */
async function installedPackage({ command, consumers }: Place): Promise<void> {
  const said: string[] = [];
  for (const program of consumers.programs) said.push(await runProgram(withOwnAddon(command), [program]));
  assert.deepEqual(said.sort(), ["CommonJS\n", "ESM\n", "TypeScript, CommonJS\n", "TypeScript, ESM\n"]);
}

const withOwnAddon = (command: readonly string[]): string[] =>
  command.map((part) => (part.startsWith("SHMKIT_ADDON=") ? "SHMKIT_ADDON=" : part));

/** A program in TypeScript as it is; a runtime that does not run such has to be known for it. */
async function typeScript({ command, consumers, runsTypeScript }: Place): Promise<void> {
  const running = runProgram(withOwnAddon(command), [consumers.typeScript]);
  if (runsTypeScript) assert.equal(await running, "TypeScript, ESM\n");
  else await assert.rejects(running, /ERR_UNKNOWN_FILE_EXTENSION/);
}

async function leavesNothing({ a, b, region }: Place): Promise<void> {
  for (const member of [a, b]) await member.run(({ region: own }) => own.close());
  assert.ok(!existsSync(pathOfName(region)), "the region's name is still there");
}

/** In this order; the first ones need what the later ones take for granted. */
export const SMOKE: Readonly<Record<string, Check>> = {
  "runs in what it should": isTheRuntime,
  "creates, and joins from a second process": bothAreMembers,
  "values both ways": valuesBothWays,
  "bytes both ways": bytesBothWays,
  "a counter": counter,
  "waits that leave the event loop turning": asyncWaits,
  "deadlines and signals": deadlinesAndSignals,
  "Sync waits": syncWaits,
  "a killed member's mutex, lease and death": killedMember,
  ...Object.fromEntries(
    Object.entries(SYNCHRONISATION).map(([name, exchange]) => [name, ({ a, b }: Place) => exchange(a, b, name)]),
  ),
  ...Object.fromEntries(Object.entries(MEMORY).map(([name, exchange]) => [name, ({ a, b }: Place) => exchange(a, b)])),
  "a killed member's part in each of these": killedWithEverything,
  "worker threads that end and are terminated": workerThreads,
  "processes that end without closing": endsWithoutClosing,
  "a pending wait keeps a process alive": pendingWaitKeepsAlive,
  "a file truncated under it": truncation,
  "closing, and buffers that outlive it": closing,
  "limits of the runtime": limits,
  "the system's own mechanisms": systemMechanisms,
  "programs of their own, and the command line": ownPrograms,
  "the package as npm installs it: ESM, CommonJS, TypeScript": installedPackage,
  "a program in TypeScript, not compiled, where the runtime runs such": typeScript,
  "the last one to close takes the name away": leavesNothing,
};
