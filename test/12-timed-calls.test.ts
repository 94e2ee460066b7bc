import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import {
  mq_close,
  mq_open,
  mq_timedreceive,
  mq_timedreceiveSync,
  mq_timedsend,
  mq_timedsendSync,
  mq_unlink,
  O_CREAT,
  O_EXCL,
  O_RDWR,
  sem_close,
  sem_getvalue,
  sem_open,
  sem_post,
  sem_timedwait,
  sem_timedwaitSync,
  sem_unlink,
  type SignalOption,
  type Timespec,
} from "shmkit/posix";
import {
  GETVAL,
  IPC_CREAT,
  IPC_PRIVATE,
  IPC_RMID,
  semctl,
  semget,
  semtimedop,
  semtimedopSync,
  SETVAL,
} from "shmkit/sysv";
import { uniqueRegionName } from "./helpers/leftovers.js";

/** A call with a time, in both forms, on an object that it changes once before it has to wait. */
interface Timed {
  readonly async: (time: Timespec, options?: SignalOption) => Promise<unknown>;
  readonly sync: (time: Timespec) => unknown;
  /** Lets it through once. */
  readonly open: () => unknown;
  /** How often it could go through. */
  readonly left: () => number;
}

const QUEUE = { mq_maxmsg: 2, mq_msgsize: 8 };
const MESSAGE = Uint8Array.of(1);
const PAST: Timespec = { tv_sec: 1, tv_nsec: 0 };
/** Over for semaphores, and refused by message queues and System V: as the C library and the kernel do. */
const BEFORE_1970: Timespec = { tv_sec: -1, tv_nsec: 0 };

function semaphore(t: TestContext): Timed {
  const name = `/${uniqueRegionName("timed")}`;
  const sem = sem_open(name, O_CREAT | O_EXCL, 0o600, 0);
  sem_unlink(name);
  t.after(() => sem_close(sem));
  return {
    async: (time, options) => sem_timedwait(sem, time, options),
    sync: (time) => sem_timedwaitSync(sem, time),
    open: () => sem_post(sem),
    left: () => sem_getvalue(sem),
  };
}

function queue(t: TestContext): number {
  const name = `/${uniqueRegionName("timed")}`;
  const made = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0o600, QUEUE);
  mq_unlink(name);
  t.after(() => mq_close(made));
  return made;
}

function receiving(t: TestContext): Timed {
  const made = queue(t);
  let sent = 0;
  let received = 0;
  return {
    async: async (time, options) => {
      assert.deepEqual(await mq_timedreceive(made, time, options), { data: MESSAGE, priority: 3 });
      received++;
    },
    sync: (time) => {
      assert.deepEqual(mq_timedreceiveSync(made, time), { data: MESSAGE, priority: 3 });
      received++;
    },
    open: () => {
      mq_timedsendSync(made, MESSAGE, 3, PAST);
      sent++;
    },
    left: () => sent - received,
  };
}

function sending(t: TestContext): Timed {
  const made = queue(t);
  for (let i = 0; i < QUEUE.mq_maxmsg; i++) mq_timedsendSync(made, MESSAGE, 0, PAST);
  let room = 0;
  return {
    async: async (time, options) => {
      await mq_timedsend(made, MESSAGE, 0, time, options);
      room--;
    },
    sync: (time) => {
      mq_timedsendSync(made, MESSAGE, 0, time);
      room--;
    },
    open: () => {
      mq_timedreceiveSync(made, PAST);
      room++;
    },
    left: () => room,
  };
}

function operations(t: TestContext): Timed {
  const id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0o600);
  t.after(() => semctl(id, 0, IPC_RMID));
  const take = [{ sem_num: 0, sem_op: -1 }];
  return {
    async: (time, options) => semtimedop(id, take, time, options),
    sync: (time) => semtimedopSync(id, take, time),
    open: () => semctl(id, 0, SETVAL, 1),
    left: () => semctl(id, 0, GETVAL),
  };
}

/** A moment so many milliseconds from now, and a duration of as many. */
const inMs = (milliseconds: number): Timespec => {
  const moment = Date.now() + milliseconds;
  return { tv_sec: Math.floor(moment / 1000), tv_nsec: (moment % 1000) * 1e6 };
};
const forMs = (milliseconds: number): Timespec => ({
  tv_sec: Math.floor(milliseconds / 1000),
  tv_nsec: (milliseconds % 1000) * 1e6,
});

const CALLS = {
  sem_timedwait: { make: semaphore, time: inMs, over: "ETIMEDOUT", refusesNegative: false },
  mq_timedreceive: { make: receiving, time: inMs, over: "ETIMEDOUT", refusesNegative: true },
  mq_timedsend: { make: sending, time: inMs, over: "ETIMEDOUT", refusesNegative: true },
  semtimedop: { make: operations, time: forMs, over: "EAGAIN", refusesNegative: true },
};

for (const [syscall, { make, time, over, refusesNegative }] of Object.entries(CALLS))
  describe(syscall, () => {
    test("goes through whatever the time is, if it need not wait", async (t) => {
      const timed = make(t);
      for (const already of time === inMs ? [PAST, inMs(10_000)] : [forMs(0), forMs(10_000)]) {
        timed.open();
        await timed.async(already);
        timed.open();
        timed.sync(already);
        assert.equal(timed.left(), 0);
      }
    });

    test(`waits for so long, and ends with ${over}`, async (t) => {
      const timed = make(t);
      for (const milliseconds of [0, 20]) {
        const before = performance.now();
        await assert.rejects(timed.async(time(milliseconds)), { code: over, syscall });
        assert.throws(() => timed.sync(time(milliseconds)), { code: over, syscall });
        // The clock of the wait has milliseconds.
        assert.ok(performance.now() - before >= 2 * milliseconds - 4);
      }
      const waiting = timed.async(time(600_000));
      timed.open();
      await waiting;
      assert.equal(timed.left(), 0);
    });

    test("is ended by a signal, and takes nothing then", async (t) => {
      const timed = make(t);
      const reason = new Error("enough");
      const controller = new AbortController();
      const waiting = assert.rejects(timed.async(time(600_000), { signal: controller.signal }), reason);
      controller.abort(reason);
      await waiting;
      await assert.rejects(timed.async(time(10), { timeoutMs: 1 } as never), { code: "ERR_UNKNOWN_OPTION" });
    });

    test("refuses what is no time", async (t) => {
      const timed = make(t);
      timed.open();
      for (const wrong of [
        { tv_sec: 1, tv_nsec: -1 },
        { tv_sec: 1, tv_nsec: 1e9 },
        { tv_sec: 0.5, tv_nsec: 0 },
        { tv_sec: Number.NaN, tv_nsec: 0 },
        { tv_sec: Number.NEGATIVE_INFINITY, tv_nsec: 0 },
        ...(refusesNegative ? [BEFORE_1970] : []),
      ]) {
        await assert.rejects(timed.async(wrong), { code: "EINVAL", syscall });
        assert.throws(() => timed.sync(wrong), { code: "EINVAL", syscall });
      }
      assert.equal(timed.left(), 1);
    });

    test("names what is no time at all", async (t) => {
      const timed = make(t);
      timed.open();
      for (const wrong of [...(syscall === "semtimedop" ? [] : [undefined]), null, 5, [1, 0]]) {
        const expected = {
          code: "ERR_INVALID_ARGUMENT",
          message: new RegExp(`^${syscall}: the time must be an object`),
        };
        await assert.rejects(timed.async(wrong as never), expected);
        assert.throws(() => timed.sync(wrong as never), expected);
      }
      assert.equal(timed.left(), 1);
    });

    if (!refusesNegative)
      test("has waited long enough when it was to end before 1970", async (t) => {
        const timed = make(t);
        await assert.rejects(timed.async(BEFORE_1970), { code: over, syscall });
        assert.throws(() => timed.sync(BEFORE_1970), { code: over, syscall });
        timed.open();
        timed.sync(BEFORE_1970);
        assert.equal(timed.left(), 0);
      });
  });
