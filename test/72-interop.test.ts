import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { array, int32, open, struct, type Region } from "shmkit";
import { compileC } from "../benchmarks/tools.js";
import { uniqueRegionName } from "./helpers/leftovers.js";

/** A member written in C by the layout document alone (`benchmarks/c/peer.c`) and members of the library. */
const PROGRAM = compileC(fileURLToPath(new URL("../../", import.meta.url)));
const MESSAGE_WORDS = 16;
const TIMES = ["0", "200", "-1", "-1"];

const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill("SIGKILL");
});

function peer(benchmark: string, role: string, region: string) {
  const child = spawn(PROGRAM, ["same", benchmark, role, region, ...TIMES], { stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  let errors = "";
  let output = "";
  child.stdout.on("data", (chunk) => (output += String(chunk)));
  child.stderr.on("data", (chunk) => (errors += String(chunk)));
  const ended = once(child, "close").then(([code, signal]: (number | string | null)[]) => {
    children.delete(child);
    return { how: signal ?? code, errors, output };
  });
  return { child, ended };
}

function message(number: number, isLast: boolean): Uint8Array {
  const words = new Int32Array(MESSAGE_WORDS);
  words[0] = number;
  words[1] = isLast ? 1 : 0;
  words[MESSAGE_WORDS - 1] = ~number;
  return new Uint8Array(words.buffer);
}

function numberOf(bytes: Uint8Array): { number: number; isLast: boolean } {
  const words = new Int32Array(bytes.slice().buffer);
  assert.equal(words.length, MESSAGE_WORDS);
  assert.equal(words[MESSAGE_WORDS - 1], ~words[0]);
  return { number: words[0], isLast: words[1] !== 0 };
}

async function inRegion(work: (app: Region, name: string) => Promise<void>): Promise<void> {
  const name = uniqueRegionName();
  const app = await open(name, { label: "JavaScript" });
  try {
    await work(app, name);
  } finally {
    await app.close();
  }
}

/** What {@link message} makes, as a struct. */
const Message = struct({ number: int32, isLast: int32, rest: array(int32, MESSAGE_WORDS - 3), check: int32 });

describe("a member written in C", () => {
  test("answers messages that a struct encodes", async () => {
    await inRegion(async (app, name) => {
      const there = await app.pipe("there", { capacity: 4, codec: Message });
      const back = await app.pipe("back", { capacity: 4, codec: Message });
      const { ended } = peer("parked-round-trip", "far", name);
      const rest = new Array<number>(MESSAGE_WORDS - 3).fill(0);
      for (let number = 0; number < 20; number++) {
        const sent = { number, isLast: 0, rest, check: ~number };
        await there.send(sent);
        assert.deepEqual(await back.receive(), sent);
      }
      await there.send({ number: 20, isLast: 1, rest, check: ~20 });
      assert.deepEqual(await ended, { how: 0, errors: "", output: "" });
    });
  });

  test("answers on the same pipes, asleep on both sides", async () => {
    await inRegion(async (app, name) => {
      const there = await app.pipe("there", { capacity: 4 });
      const back = await app.pipe<Uint8Array>("back", { capacity: 4 });
      const { ended } = peer("parked-round-trip", "far", name);
      for (let i = 0; i < 500; i++) {
        await there.send(message(i, false));
        assert.equal(numberOf(await back.receive()).number, i);
      }
      assert.deepEqual(
        app
          .members()
          .map(({ label }) => label)
          .sort(),
        ["JavaScript", "c-same"],
      );
      await there.send(message(500, true));
      assert.deepEqual(await ended, { how: 0, errors: "", output: "" });
      // It left in order: nobody died, and its slot is free.
      assert.equal(app.members().length, 1);
      assert.equal(there.statistics().received, 501);
      assert.equal(back.statistics().sent, 500);
      assert.equal(there.statistics().receivedBytes, 501 * 64);
    });
  });

  test("sends a stream that a member in JavaScript receives in order", async () => {
    await inRegion(async (app, name) => {
      const pipe = await app.pipe("messages");
      const { ended } = peer("spsc-64B", "far-0", name);
      const target = new Uint8Array(64);
      let count = 0;
      for (;;) {
        await pipe.receiveInto(target);
        const { number, isLast } = numberOf(target);
        assert.equal(number, count);
        if (isLast) break;
        count++;
      }
      const { how, errors, output } = await ended;
      assert.deepEqual({ how, errors }, { how: 0, errors: "" });
      assert.deepEqual(JSON.parse(output), { sent: count });
      assert.ok(count > 1024);
      assert.equal(pipe.statistics().sent, count + 1);
      assert.equal(pipe.statistics().depth, 0);
    });
  });

  test("receives a stream that a member in JavaScript sends, with gaps at the end of the ring", async () => {
    await inRegion(async (app, name) => {
      const pipe = await app.pipe("messages", { capacity: 7 });
      const { ended } = peer("spsc-64B", "near", name);
      for (let i = 0; i < 5000; i++) await pipe.send(message(i, false));
      await pipe.send(message(5000, true));
      const { how, errors, output } = await ended;
      assert.deepEqual({ how, errors }, { how: 0, errors: "" });
      assert.equal((JSON.parse(output) as { checked: number }).checked, 5000);
    });
  });

  test("loses what it had not committed, when it is killed with a mutex", async () => {
    await inRegion(async (app, name) => {
      const mutex = await app.mutex("mutex");
      const before = await mutex.lock();
      before.set(0, 41);
      before.release();
      const died = once(app, "memberDied") as Promise<[{ label: string; operation: string; committed: boolean }]>;
      const { child, ended } = peer("mutex", "far", name);
      await once(child.stdout, "data");
      assert.equal(mutex.tryLock(), undefined);
      child.kill("SIGKILL");
      const guard = await mutex.lock();
      assert.equal(guard.abandoned, true);
      assert.equal(guard.get(0), 41);
      guard.release();
      const [death] = await died;
      assert.equal(death.label, "c-same");
      assert.equal(death.operation, "mutex.lock");
      assert.equal((await ended).how, "SIGKILL");
    });
  });
});
