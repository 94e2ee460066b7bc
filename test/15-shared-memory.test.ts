import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, rmdirSync, statSync, symlinkSync } from "node:fs";
import { truncateSync, writeFileSync } from "node:fs";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SharedMemory, type SharedMemoryOptions } from "shmkit";
import { mprotect, munmap, PROT_READ, PROT_WRITE, sem_at, sem_init, sem_post, sem_trywait } from "shmkit/posix";
import { failsWith, failureOf, loose } from "./helpers/argument-failures.js";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { ownSharedMemory, refusal } from "./helpers/namespaces.js";
import { ProcessMember } from "./helpers/process-member.js";
import { failsWith as failsAsCall } from "./helpers/system-call-failure.js";

const PAGE = 4096;

const nameIt = (): string => uniqueRegionName("block");
const pathOf = (name: string): string => `/dev/shm/${name}`;

/** A new block, which the test closes and unlinks. */
async function block(t: TestContext, options: Partial<SharedMemoryOptions> = {}): Promise<SharedMemory> {
  const made = await SharedMemory.create(nameIt(), { size: PAGE, ...options });
  t.after(() => {
    made.close();
    made.unlink();
  });
  return made;
}

/** Another handle of this process, closed after the test. */
function elsewhere(t: TestContext, { name }: SharedMemory): SharedMemory {
  const opened = SharedMemory.openSync(name);
  t.after(() => opened.close());
  return opened;
}

const bytesOf = ({ buffer }: SharedMemory): Uint8Array => new Uint8Array(buffer);

/** In another process, which says so when the lock is its own. */
async function holder(name: string): Promise<ProcessMember> {
  const member = await ProcessMember.start();
  await member.run(async ({ shmkit, kept }, name) => {
    const memory = await shmkit.SharedMemory.open(name);
    kept.set("held", [memory, memory.lockSync()]);
  }, name);
  return member;
}

describe("calls of shmkit/posix on the buffer", () => {
  test("mprotect: what is written without PROT_WRITE reaches nobody", async (t) => {
    const memory = await block(t);
    const other = elsewhere(t, memory);
    mprotect(memory.buffer, PROT_READ);
    bytesOf(memory)[0] = 1;
    assert.equal(bytesOf(other)[0], 0);
    mprotect(memory.buffer, PROT_READ | PROT_WRITE);
    assert.equal(bytesOf(memory)[0], 0);
    bytesOf(memory)[0] = 2;
    assert.equal(bytesOf(other)[0], 2);
    const reader = SharedMemory.openSync(memory.name, { readOnly: true });
    failsAsCall("EACCES", "mprotect", () => mprotect(reader.buffer, PROT_READ | PROT_WRITE));
    reader.close();
  });

  test("munmap is not for it", async (t) => {
    const memory = await block(t);
    failsAsCall("EINVAL", "munmap", () => munmap(memory.buffer));
    bytesOf(memory)[0] = 1;
    assert.equal(bytesOf(elsewhere(t, memory))[0], 1);
  });
});

describe("making and opening", () => {
  test("the file is the bytes and nothing else, of exactly that size and mode", async (t) => {
    const umask = process.umask(0o077);
    t.after(() => process.umask(umask));
    const memory = await block(t, { size: 13, mode: 0o640 });
    const { name, size, path, created, readOnly, buffer, isLost } = memory;
    assert.deepEqual(
      { size, path, created, readOnly, isLost, bytes: buffer.byteLength },
      { size: 13, path: pathOf(name), created: true, readOnly: false, isLost: false, bytes: 13 },
    );
    const { size: fileSize, mode, blocks } = statSync(path);
    assert.deepEqual([fileSize, mode & 0o777], [13, 0o640]);
    assert.ok(blocks > 0, "backed");
    bytesOf(memory).set([1, 2, 3], 10);
    assert.deepEqual([...readFileSync(path)], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    const other = elsewhere(t, memory);
    assert.deepEqual([other.size, other.created, bytesOf(other)[12]], [13, false, 3]);
    bytesOf(other)[0] = 7;
    assert.equal(bytesOf(memory)[0], 7);
    assert.equal(statSync((await block(t)).path).mode & 0o777, 0o600);
  });

  test("without a name it gets one as in Python; sizes may be texts", async () => {
    for (const memory of [
      await SharedMemory.create(undefined, { size: "64KiB" }),
      SharedMemory.createSync(undefined, { size: "64KiB" }),
    ]) {
      assert.match(memory.name, /^psm_[0-9a-f]{8}$/);
      assert.equal(memory.size, 65_536);
      memory.close();
      assert.equal(memory.unlink(), true);
    }
  });

  test("what exists, what is missing, and what any process may be first to make", async (t) => {
    const memory = await block(t);
    const { name } = memory;
    await failsWithCode("ERR_EXISTS", () => SharedMemory.create(name, { size: 1 }));
    await failsWithCode("ERR_EXISTS", () => SharedMemory.createSync(name, { size: 1 }));
    for (const verb of ["open", "openSync"] as const) {
      const error = await failsWithCode("ERR_NOT_FOUND", () => SharedMemory[verb](nameIt()));
      assert.ok(error.path?.startsWith("/dev/shm/"));
    }
    const joined = await SharedMemory.openOrCreate(name, { size: PAGE });
    assert.deepEqual([joined.created, joined.size], [false, PAGE]);
    joined.close();
    const { expected, actual } = await failsWithCode("ERR_OPTIONS_DIFFER", () =>
      SharedMemory.openOrCreate(name, { size: PAGE + 1 }),
    );
    assert.deepEqual([expected, actual], [PAGE + 1, PAGE]);
    const first = SharedMemory.openOrCreateSync(nameIt(), { size: 1 });
    assert.deepEqual([first.created, first.size], [true, 1]);
    first.close();
    assert.equal(first.unlink(), true);
  });

  test("many processes that begin at once have the same one", async () => {
    const name = nameIt();
    const members = await Promise.all(Array.from({ length: 3 }, () => ProcessMember.start()));
    const made = await Promise.all(
      members.map((member) =>
        member.run(async ({ shmkit, kept }, name) => {
          const memory = await shmkit.SharedMemory.openOrCreate(name, { size: 4096 });
          kept.set("memory", memory);
          const lock = await memory.lock();
          new Uint32Array(memory.buffer)[0] += 1;
          lock.release();
          return memory.created;
        }, name),
      ),
    );
    assert.deepEqual(made.sort(), [false, false, true]);
    const memory = await SharedMemory.open(name);
    assert.deepEqual([new Uint32Array(memory.buffer)[0], memory.attachCount], [3, 4]);
    memory.unlink();
    memory.close();
    await Promise.all(members.map((member) => member.kill()));
  });

  test("names that are none, sizes that are none, other arguments", async () => {
    for (const name of ["", "/a", "a/b", ".", "..", "a\0", "a\nb", "\ud800", "x".repeat(256), 5, null, {}])
      for (const verb of ["create", "createSync", "open", "openSync", "openOrCreate", "openOrCreateSync"])
        await failsWith(
          () => loose(SharedMemory, verb)(name, verb.startsWith("open") && !verb.includes("Or") ? {} : { size: 1 }),
          "ERR_INVALID_NAME",
        );
    const longest = `${nameIt()}-日`.padEnd(253, "x");
    const memory = await SharedMemory.create(longest, { size: 1 });
    memory.close();
    memory.unlink();
    for (const size of [0, -1, 1.5, Number.NaN, "much", null, undefined, 2 ** 60])
      await failsWith(() => loose(SharedMemory, "create")(nameIt(), { size }), "ERR_INVALID_SIZE", RangeError);
    await failsWith(() => loose(SharedMemory, "create")(nameIt()), "ERR_INVALID_SIZE", RangeError);
    for (const mode of [-1, 0o1000, 1.5])
      await failsWith(() => SharedMemory.create(nameIt(), { size: 1, mode }), "ERR_OUT_OF_RANGE", RangeError);
    for (const shared of [0, "yes", null])
      await failsWith(() => loose(SharedMemory, "create")(nameIt(), { size: 1, shared }), "ERR_INVALID_ARGUMENT");
    await failsWith(() => loose(SharedMemory, "open")(nameIt(), { readOnly: 1 }), "ERR_INVALID_ARGUMENT");
  });

  test("links and directories are not followed; an empty file is waited for, for a while", async (t) => {
    const target = await block(t);
    const [link, directory, empty] = [nameIt(), nameIt(), nameIt()];
    symlinkSync(target.path, pathOf(link));
    mkdirSync(pathOf(directory));
    writeFileSync(pathOf(empty), "");
    t.after(() => {
      rmSync(pathOf(link));
      rmdirSync(pathOf(directory));
      rmSync(pathOf(empty));
    });
    await failsWithCode("ERR_BAD_REGION", () => SharedMemory.open(link));
    await failsWithCode("ERR_EXISTS", () => SharedMemory.create(link, { size: 1 }));
    assert.ok((await failsWithCode(undefined, () => SharedMemory.open(directory))).errno! < 0);
    for (const verb of ["open", "openSync"] as const)
      await failsWith(() => SharedMemory[verb](empty), "ERR_INVALID_SIZE", RangeError);
    const opening = SharedMemory.open(empty);
    await sleep(5);
    truncateSync(pathOf(empty), PAGE);
    const opened = await opening;
    assert.equal(opened.size, PAGE);
    opened.close();
  });

  test("for reading only: writes reach nobody, and the lock cannot be taken", async (t) => {
    const memory = await block(t);
    const reader = SharedMemory.openSync(memory.name, { readOnly: true });
    t.after(() => reader.close());
    bytesOf(memory)[0] = 1;
    assert.equal(bytesOf(reader)[0], 1);
    bytesOf(reader)[0] = 2;
    assert.deepEqual([bytesOf(memory)[0], reader.readOnly, reader.attachCount], [1, true, 1]);
    await failsWithCode("ERR_PERMISSION", () => reader.tryLock());
    await failsWithCode("ERR_PERMISSION", () => reader.lock());
  });

  test("SharedArrayBuffer, or ERR_RUNTIME_LIMIT where the runtime has none of foreign memory; larger than any address space", async (t) => {
    const name = nameIt();
    const outcome = await SharedMemory.create(name, { size: PAGE, shared: true }).catch((error: unknown) => error);
    if (outcome instanceof SharedMemory) {
      assert.ok(outcome.buffer instanceof SharedArrayBuffer);
      outcome.close();
      outcome.unlink();
    } else assert.equal((outcome as { code?: string }).code, "ERR_RUNTIME_LIMIT");
    assert.equal(existsSync(pathOf(name)), false);
    const memory = await block(t);
    assert.ok(memory.buffer instanceof ArrayBuffer);
    // Files may be larger than any memory.
    truncateSync(memory.path, 2 ** 50);
    await failsWithCode("ERR_NO_SPACE", () => SharedMemory.open(memory.name));
  });
});

describe("a full /dev/shm", { skip: refusal(ownSharedMemory("size=1m")) }, () => {
  test("is ERR_NO_SPACE, in both forms, and leaves nothing; no page that was promised is missing", async () => {
    const member = await ProcessMember.start({ through: ownSharedMemory("size=1m") });
    const answer = await member.run(async ({ shmkit, load }) => {
      const { SharedMemory } = shmkit;
      const { readdirSync, statfsSync } = (await load("node:fs")) as typeof import("node:fs");
      const codeOf = (error: unknown): unknown => (error as { code?: string }).code;
      const codes: unknown[] = [];
      for (const size of ["2MiB", "4GiB"]) {
        codes.push(await SharedMemory.create("a", { size }).catch(codeOf));
        try {
          SharedMemory.createSync("a", { size });
        } catch (error) {
          codes.push(codeOf(error));
        }
      }
      const left = [readdirSync("/dev/shm").length, statfsSync("/dev/shm").bfree * 4096];
      const memory = await SharedMemory.create("a", { size: "1MiB" });
      codes.push(await SharedMemory.create("b", { size: 1 }).catch(codeOf));
      new Uint8Array(memory.buffer).fill(1);
      codes.push(memory.isLost);
      memory.close();
      memory.unlink();
      return { codes, left };
    });
    const no = "ERR_NO_SPACE";
    assert.deepEqual(answer, { codes: [no, no, no, no, no, false], left: [0, 2 ** 20] });
    await member.kill();
  });
});

describe("the end", () => {
  test("after close() the buffer is the same object and reads zeroes, and nothing reaches the others", async (t) => {
    const memory = await block(t);
    const other = elsewhere(t, memory);
    const { buffer } = memory;
    const bytes = bytesOf(memory);
    bytes.fill(9);
    const lock = memory.tryLock()!;
    const waiting = failsWithCode("ERR_CLOSED", () => memory.lock());
    memory.close();
    memory.close();
    memory[Symbol.dispose]();
    await waiting;
    assert.ok(memory.buffer === buffer && bytes.every((byte) => byte === 0));
    bytes.fill(1);
    assert.ok(bytesOf(other).every((byte) => byte === 9));
    assert.deepEqual([memory.name, memory.size, lock.released], [other.name, PAGE, true]);
    await failsWithCode("ERR_NOT_HELD", () => lock.release());
    await failsWithCode("ERR_CLOSED", () => memory.attachCount);
    await failsWithCode("ERR_CLOSED", () => memory.tryLock());
    await failsWithCode("ERR_CLOSED", () => memory.lockSync());
    assert.deepEqual([other.attachCount, other.tryLock() !== undefined], [1, true]);
  });

  test("unlink() takes its own name away and no other, closed or not; who has it goes on", async (t) => {
    const memory = await block(t);
    const other = elsewhere(t, memory);
    assert.deepEqual([memory.unlink(), memory.unlink(), other.unlink()], [true, false, false]);
    bytesOf(memory)[0] = 5;
    assert.deepEqual([bytesOf(other)[0], other.attachCount, other.tryLock()?.released], [5, 1, false]);
    await failsWithCode("ERR_NOT_FOUND", () => SharedMemory.open(memory.name));
    const next = await SharedMemory.create(memory.name, { size: 1 });
    next.close();
    assert.equal(memory.unlink(), false);
    assert.equal(existsSync(next.path), true);
    renameSync(next.path, `${next.path}-moved`);
    assert.equal(next.unlink(), false);
    renameSync(`${next.path}-moved`, next.path);
    assert.equal(next.unlink(), true);
  });

  test("a file that is cut off ends no process: its memory reads zeroes, and it is told", async (t) => {
    const memory = await block(t, { size: 4 * PAGE });
    const bytes = bytesOf(memory);
    bytes.fill(3);
    truncateSync(memory.path, PAGE);
    assert.equal(bytes[3 * PAGE], 0);
    assert.deepEqual([memory.isLost, bytes[0]], [true, 0]);
    bytes.fill(4);
    await failsWithCode("ERR_REGION_LOST", () => memory.attachCount);
    await failsWithCode("ERR_REGION_LOST", () => memory.lock());
    assert.equal(readFileSync(memory.path)[0], 3);
  });

  test("it stays when its makers have ended, of themselves or killed; buffers outlive their handles", async () => {
    for (const how of ["finish", "kill"] as const) {
      const name = nameIt();
      const member = await ProcessMember.start();
      await member.run(({ shmkit, kept }, name) => {
        const memory = shmkit.SharedMemory.createSync(name, { size: 8 });
        new Uint8Array(memory.buffer)[7] = 1;
        kept.set("memory", memory);
      }, name);
      await member[how]();
      const memory = await SharedMemory.open(name);
      assert.deepEqual([bytesOf(memory)[7], memory.attachCount], [1, 1]);
      memory.unlink();
      memory.close();
    }
  });

  test("the calls of shmkit/posix take its buffer: a semaphore in it", async (t) => {
    const memory = await block(t);
    const other = elsewhere(t, memory);
    sem_post(sem_init(bytesOf(memory).subarray(64), true, 0));
    sem_trywait(sem_at(bytesOf(other).subarray(64)));
  });
});

describe("attachCount", () => {
  test("processes, not handles or threads; not the dead, nor those that closed it", async (t) => {
    const memory = await block(t);
    elsewhere(t, memory);
    const worker = await ProcessMember.startWorker();
    const members = [await ProcessMember.start(), await ProcessMember.start()];
    for (const member of [worker, ...members])
      await member.run(({ shmkit, kept }, name) => {
        kept.set("memory", shmkit.SharedMemory.openSync(name));
      }, memory.name);
    assert.equal(memory.attachCount, 3);
    await members[0].run(({ kept }) => (kept.get("memory") as SharedMemory).close());
    assert.equal(memory.attachCount, 2);
    await members[1].kill();
    assert.equal(memory.attachCount, 1);
    await Promise.all([worker.kill(), members[0].kill()]);
    assert.equal((await block(t)).attachCount, 1);
  });
});

describe("the lock", () => {
  test("is one among handles and processes; a deadline, a signal and dispose end it", async (t) => {
    const memory = await block(t);
    const other = elsewhere(t, memory);
    const lock = await memory.lock();
    assert.deepEqual([memory.tryLock(), other.tryLock(), lock.released], [undefined, undefined, false]);
    await failsWithCode("ERR_TIMEOUT", () => other.lock({ timeoutMs: 20 }));
    await failsWithCode("ERR_TIMEOUT", () => memory.lock({ timeoutMs: 0 }));
    await failsWithCode("ERR_TIMEOUT", () => other.lockSync({ timeoutMs: 20 }));
    await failsWithCode("ERR_DEADLOCK", () => memory.lockSync());
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = assert.rejects(other.lock({ signal: controller.signal }), reason);
    await sleep(5);
    controller.abort(reason);
    await aborted;
    await assert.rejects(other.lock({ signal: AbortSignal.abort(reason) }), reason);
    const next = other.lock();
    const third = memory.lock();
    lock.release();
    await failsWithCode("ERR_NOT_HELD", () => lock.release());
    lock[Symbol.dispose]();
    const first = await Promise.race([next, third]);
    first[Symbol.dispose]();
    assert.equal(first.released, true);
    for (const one of await Promise.all([next, third])) one[Symbol.dispose]();
    memory.lockSync({ timeoutMs: 0 }).release();
  });

  test("is another process's until it dies", async (t) => {
    const memory = await block(t);
    const member = await holder(memory.name);
    assert.equal(memory.tryLock(), undefined);
    await failsWithCode("ERR_TIMEOUT", () => memory.lock({ timeoutMs: 10 }));
    const waiting = memory.lock();
    await member.kill();
    (await waiting).release();
  });

  test("excludes: nothing is lost of what processes add under it", async (t) => {
    const memory = await block(t, { size: 8 });
    const members = await Promise.all([ProcessMember.start(), ProcessMember.start()]);
    await Promise.all(
      members.map((member) =>
        member.run(async ({ shmkit }, name) => {
          const memory = shmkit.SharedMemory.openSync(name);
          const count = new Uint32Array(memory.buffer);
          for (let round = 0; round < 100; round++) {
            const lock = round % 2 === 0 ? await memory.lock() : memory.lockSync();
            const before = count[0];
            if (round % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
            count[0] = before + 1;
            lock.release();
          }
          memory.close();
        }, memory.name),
      ),
    );
    assert.equal(new Uint32Array(memory.buffer)[0], 200);
    await Promise.all(members.map((member) => member.kill()));
  });
});

/** What a call fails with, whether it throws or rejects. */
async function failsWithCode(code: string | undefined, call: () => unknown) {
  const error = await failureOf(async () => call());
  if (code !== undefined) assert.equal(error.code, code, error.message);
  return error;
}
