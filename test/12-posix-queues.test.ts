import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import {
  mq_close,
  mq_getattr,
  mq_notify,
  mq_open,
  mq_receive,
  mq_receiveSync,
  mq_send,
  mq_sendSync,
  mq_setattr,
  mq_unlink,
  O_CREAT,
  O_EXCL,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
} from "shmkit/posix";
import { uniqueRegionName } from "./helpers/leftovers.js";
import { PosixPeer } from "./helpers/posix-peer.js";
import { messageOf } from "./helpers/spoken.js";
import { failsWithCode } from "./helpers/system-call-failure.js";
import { waitingThreads } from "./helpers/waiting-threads.js";

const peer = new PosixPeer();
const made: { name: string; queue: number }[] = [];

/** A queue that is gone with its test; small, since a user may have 800 KB of them in all. */
function created(mq_maxmsg = 3, oflag = O_RDWR): { name: string; queue: number } {
  const name = `/${uniqueRegionName("queue")}`;
  const queue = mq_open(name, oflag | O_CREAT | O_EXCL, 0o600, { mq_maxmsg, mq_msgsize: 64 });
  made.push({ name, queue });
  return { name, queue };
}

afterEach(() => {
  for (const { name, queue } of made.splice(0)) {
    mq_unlink(name);
    mq_close(queue);
  }
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (data: Uint8Array): string => new TextDecoder().decode(data);

describe("message queues", () => {
  test("a name that is missing, exists, or can be none; impossible sizes and rights", () => {
    const { name, queue } = created();
    assert.deepEqual(mq_getattr(queue), { mq_flags: 0, mq_maxmsg: 3, mq_msgsize: 64, mq_curmsgs: 0 });
    const usual = mq_open(`${name}-usual`, O_RDWR | O_CREAT | O_EXCL, 0o600);
    mq_unlink(`${name}-usual`);
    const limit = (file: string): number => Number(readFileSync(`/proc/sys/fs/mqueue/${file}_default`, "utf8"));
    const { mq_maxmsg, mq_msgsize } = mq_getattr(usual);
    assert.deepEqual([mq_maxmsg, mq_msgsize], [limit("msg"), limit("msgsize")]); // 10 and 8192 unless somebody changed them
    mq_close(usual);
    failsWithCode("ENOENT", () => mq_open(`${name}-other`, O_RDWR));
    failsWithCode("EEXIST", () => mq_open(name, O_RDWR | O_CREAT | O_EXCL));
    for (const impossible of ["no-slash", "/"])
      failsWithCode(impossible === "/" ? "ENOENT" : "EINVAL", () => mq_open(impossible, O_RDWR | O_CREAT));
    failsWithCode("ENAMETOOLONG", () => mq_open(`/${"x".repeat(256)}`, O_RDWR | O_CREAT));
    failsWithCode("EINVAL", () => mq_open(`${name}-new`, O_RDWR | O_CREAT, 0o600, { mq_maxmsg: -0, mq_msgsize: 1 }));
    for (const mq_maxmsg of [0, -1, 2 ** 40])
      failsWithCode("EINVAL", () => mq_open(`${name}-new`, O_RDWR | O_CREAT, 0o600, { mq_maxmsg, mq_msgsize: 0 }));
    failsWithCode("ENOENT", () => mq_unlink(`${name}-other`));
    failsWithCode("EBADF", () => mq_getattr(-1));
    failsWithCode("EINVAL", () => mq_sendSync(queue, bytes("x"), -1));
    assert.throws(() => mq_getattr("1" as never), { message: "mq_getattr: mqdes must be a number" });
    failsWithCode("EBADF", () => mq_getattr(4000));
    const reader = mq_open(name, O_RDONLY);
    failsWithCode("EBADF", () => mq_sendSync(reader, bytes("x")));
    mq_close(reader);
    const writer = mq_open(name, O_WRONLY);
    failsWithCode("EBADF", () => mq_receiveSync(writer));
    mq_close(writer);
    failsWithCode("EBADF", () => mq_close(writer));
  });

  test("the highest priority first, the oldest of each; lengths from 0 to the limit", async () => {
    const { queue } = created(5);
    for (const [text, priority] of [
      ["low", 0],
      ["first high", 7],
      ["second high", 7],
      ["highest", 32767],
      ["", 3],
    ] as const)
      mq_sendSync(queue, bytes(text), priority);
    assert.equal(mq_getattr(queue).mq_curmsgs, 5);
    const received = [mq_receiveSync(queue), await mq_receive(queue), mq_receiveSync(queue), mq_receiveSync(queue)];
    assert.deepEqual(
      received.map(({ data, priority }) => [textOf(data), priority]),
      [
        ["highest", 32767],
        ["first high", 7],
        ["second high", 7],
        ["", 3],
      ],
    );
    failsWithCode("EINVAL", () => mq_sendSync(queue, bytes("x"), 32768));
    failsWithCode("EMSGSIZE", () => mq_sendSync(queue, new Uint8Array(65)));
    await assert.rejects(mq_send(queue, new Uint8Array(65)), { code: "EMSGSIZE", syscall: "mq_send" });
    assert.throws(() => mq_sendSync(queue, "text" as never), TypeError);
    mq_sendSync(queue, new Uint8Array(64).fill(9), 1);
    assert.deepEqual(mq_receiveSync(queue).data, new Uint8Array(64).fill(9));
  });

  test("waits while it is empty, or full; a deadline and a signal end it", async () => {
    const { queue } = created(1);
    const coming = mq_receive(queue);
    await sleep(5);
    mq_sendSync(queue, bytes("for who waits"), 4);
    const { data, priority } = await coming;
    assert.deepEqual([textOf(data), priority], ["for who waits", 4]);
    await mq_send(queue, bytes("fills it"));
    const waiting = mq_send(queue, bytes("when there is room"), 2);
    await sleep(5);
    assert.equal(textOf(mq_receiveSync(queue).data), "fills it");
    await waiting;
    for (const timeoutMs of [0, 20]) {
      await assert.rejects(mq_send(queue, bytes("x"), 0, { timeoutMs }), { code: "ETIMEDOUT" });
      failsWithCode("ETIMEDOUT", () => mq_sendSync(queue, bytes("x"), 0, { timeoutMs }));
    }
    assert.equal(textOf(mq_receiveSync(queue).data), "when there is room");
    for (const timeoutMs of [0, 20]) {
      await assert.rejects(mq_receive(queue, { timeoutMs }), { code: "ETIMEDOUT" });
      failsWithCode("ETIMEDOUT", () => mq_receiveSync(queue, { timeoutMs }));
    }
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = assert.rejects(mq_receive(queue, { signal: controller.signal }), reason);
    controller.abort(reason);
    await aborted;
    await assert.rejects(mq_receive(queue, { timeoutMs: Number.NaN }), { code: "ERR_OUT_OF_RANGE" });
  });

  test("O_NONBLOCK: EAGAIN at once, whatever the deadline", async () => {
    const { queue } = created(1, O_RDWR | O_NONBLOCK);
    assert.equal(mq_getattr(queue).mq_flags, O_NONBLOCK);
    failsWithCode("EAGAIN", () => mq_receiveSync(queue));
    await assert.rejects(mq_receive(queue, { timeoutMs: 1e9 }), { code: "EAGAIN" });
    mq_sendSync(queue, bytes("x"));
    failsWithCode("EAGAIN", () => mq_sendSync(queue, bytes("y"), 0, { timeoutMs: 1e9 }));
    failsWithCode("EINVAL", () => mq_setattr(queue, { mq_flags: O_NONBLOCK | 1 }));
    for (const wrong of [{}, { mq_flags: "0" }])
      assert.throws(() => mq_setattr(queue, wrong as never), { message: "mq_setattr: mq_flags must be a number" });
    for (const wrong of [O_NONBLOCK, null, undefined, [O_NONBLOCK]])
      assert.throws(() => mq_setattr(queue, wrong as never), { code: "ERR_INVALID_ARGUMENT" });
    assert.throws(() => mq_open("/none", O_RDWR, 0o600, null as never), { code: "ERR_INVALID_ARGUMENT" });
    assert.equal(mq_setattr(queue, { mq_flags: 0 }).mq_flags, O_NONBLOCK, "none of them changed anything");
    failsWithCode("ETIMEDOUT", () => mq_sendSync(queue, bytes("y"), 0, { timeoutMs: 5 }));
  });

  test("an abort or a timeout while a message is on its way loses none", async () => {
    const { queue } = created(8);
    let received = 0;
    for (let round = 0; round < 200; round++) {
      const controller = new AbortController();
      const waiting = mq_receive(queue, round % 2 === 0 ? { signal: controller.signal } : { timeoutMs: 1 });
      if (round % 3 === 0) await sleep(1);
      mq_sendSync(queue, bytes(`${round}`));
      controller.abort();
      await waiting.then(
        () => received++,
        () => undefined,
      );
      while (mq_getattr(queue).mq_curmsgs > 4) {
        mq_receiveSync(queue);
        received++;
      }
    }
    assert.equal(received + mq_getattr(queue).mq_curmsgs, 200);
  });

  test("a program in C answers; a worker that waits can be terminated", async () => {
    const { name, queue } = created();
    const ended = peer.run(["queue", name]);
    mq_sendSync(queue, bytes("from JavaScript"), 5);
    assert.deepEqual(await ended, { code: 0, output: "from JavaScript 5" });
    const { data, priority } = await mq_receive(queue);
    assert.deepEqual([textOf(data), priority], ["from C", 6]);
    for (const form of ["mq_receive", "mq_receiveSync"]) {
      const worker = new Worker(
        `const { parentPort, workerData } = require("node:worker_threads");
         import("shmkit/posix").then((posix) => {
           const queue = posix.mq_open(workerData, posix.O_RDWR);
           parentPort.postMessage("waits");
           return posix.${form}(queue);
         })`,
        { eval: true, workerData: name },
      );
      await messageOf(worker);
      await sleep(5);
      await worker.terminate();
      assert.equal(waitingThreads(), 0, "nobody is left who could receive");
    }
    await mq_send(queue, bytes("still there"));
    assert.equal(mq_getattr(queue).mq_curmsgs, 1);
  });
});

/** Whether a program in C may register. */
const registersInC = async (name: string): Promise<string> => (await peer.run(["notify", name])).output;

describe("notices of messages", () => {
  test("the first message in an empty queue tells, once; nobody else may register meanwhile", async () => {
    const { name, queue } = created();
    const arrived = mq_notify(queue);
    assert.equal(await registersInC(name), "Device or resource busy");
    await assert.rejects(mq_notify(queue), { code: "EBUSY", syscall: "mq_notify" });
    mq_sendSync(queue, bytes("x"));
    await arrived;
    assert.equal(await registersInC(name), "registered");
    // A message that lies there already tells nothing, nor one that comes beside it.
    const late = mq_notify(queue, { timeoutMs: 30 });
    mq_sendSync(queue, bytes("y"));
    await assert.rejects(late, { code: "ETIMEDOUT" });
    mq_receiveSync(queue);
    mq_receiveSync(queue);
    const again = mq_notify(queue);
    const program = peer.run(["queue", name]);
    mq_sendSync(queue, bytes("z"));
    await Promise.race([again, program]);
    assert.equal((await program).code, 0);
  });

  test("again and again, from its own handler; calls that wait beside it do not end it", async () => {
    const { queue } = created(8);
    for (let round = 0; round < 50; round++) {
      const arrived = mq_notify(queue, { timeoutMs: 10_000 });
      // A call that had to wait closes a descriptor of its own when it ends, at some time.
      if (round % 2 === 0) await assert.rejects(mq_receive(queue, { timeoutMs: 1 }), { code: "ETIMEDOUT" });
      mq_sendSync(queue, bytes("x"));
      await arrived;
      mq_receiveSync(queue);
    }
  });

  test("an abort, a deadline and a close end it, and leave the place to others", async () => {
    const { name, queue } = created();
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = assert.rejects(mq_notify(queue, { signal: controller.signal }), reason);
    controller.abort(reason);
    await aborted;
    await assert.rejects(mq_notify(queue, { timeoutMs: 5 }), { code: "ETIMEDOUT" });
    await assert.rejects(mq_notify(queue, { timeoutMs: 0 }), { code: "ETIMEDOUT" });
    while ((await registersInC(name)) !== "registered") await sleep(1);
    const other = mq_open(name, O_RDWR);
    const closed = assert.rejects(mq_notify(queue), { code: "ECANCELED" });
    mq_close(other);
    await closed;
    assert.equal(await registersInC(name), "registered");
    await assert.rejects(mq_notify(4000), { code: "EBADF" });
    await assert.rejects(mq_notify(0), { code: "EBADF" });
  });

  test("a worker that ends leaves neither registration, thread nor descriptor", async () => {
    const { name } = created();
    const before = readdirSync("/proc/self/fd").length;
    for (let times = 0; times < 3; times++) {
      const worker = new Worker(
        `const { parentPort, workerData } = require("node:worker_threads");
         import("shmkit/posix").then((posix) => {
           void posix.mq_notify(posix.mq_open(workerData, posix.O_RDWR));
           parentPort.postMessage("registered");
         })`,
        { eval: true, workerData: name },
      );
      await messageOf(worker);
      assert.equal(await registersInC(name), "Device or resource busy");
      await worker.terminate();
      while ((await registersInC(name)) !== "registered") await sleep(1);
    }
    while (readdirSync("/proc/self/fd").length > before) await sleep(1);
  });
});
