import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { afterEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { mprotect, PROT_READ, PROT_WRITE } from "shmkit/posix";
import {
  ftok,
  GETALL,
  GETNCNT,
  GETPID,
  GETVAL,
  GETZCNT,
  IPC_CREAT,
  IPC_EXCL,
  IPC_NOWAIT,
  IPC_PRIVATE,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  MSG_COPY,
  MSG_EXCEPT,
  MSG_NOERROR,
  msgctl,
  msgget,
  msgrcv,
  msgrcvSync,
  msgsnd,
  msgsndSync,
  SEM_UNDO,
  semctl,
  semget,
  semop,
  semopSync,
  SETALL,
  SETVAL,
  SHM_RDONLY,
  shm_is_lost,
  shmat,
  shmctl,
  shmdt,
  shmget,
  SystemCallError,
} from "shmkit/sysv";
import { PosixPeer } from "./helpers/posix-peer.js";
import { failsWith } from "./helpers/system-call-failure.js";

const peer = new PosixPeer();
const RIGHTS = 0o600;
const NOBODYS = 2 ** 31 - 1;
const made: (() => void)[] = [];

/** Removes what a test has made, unless it has done so itself. */
afterEach(() => {
  for (const remove of made.splice(0)) {
    try {
      remove();
    } catch (error) {
      if (!(error instanceof SystemCallError && ["EINVAL", "EIDRM"].includes(error.code))) throw error;
    }
  }
});

function segment(size = 4096, key = IPC_PRIVATE): number {
  const id = shmget(key, size, IPC_CREAT | IPC_EXCL | RIGHTS);
  made.push(() => shmctl(id, IPC_RMID));
  return id;
}

function semaphores(count = 2): number {
  const id = semget(IPC_PRIVATE, count, IPC_CREAT | RIGHTS);
  made.push(() => semctl(id, 0, IPC_RMID));
  return id;
}

function queue(): number {
  const id = msgget(IPC_PRIVATE, IPC_CREAT | RIGHTS);
  made.push(() => msgctl(id, IPC_RMID));
  return id;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (data: Uint8Array): string => new TextDecoder().decode(data);

/** A key that nobody has: of this file's and this process's own. */
function freeKey(): number {
  for (let key = (process.pid << 8) | 0x53; ; key++) {
    try {
      shmget(key, 0, 0);
    } catch (error) {
      if ((error as SystemCallError).code === "ENOENT") return key;
    }
  }
}

describe("System V shared memory", () => {
  test("found by key, refused by size", () => {
    const key = freeKey();
    failsWith("ENOENT", "shmget", () => shmget(key, 100, RIGHTS));
    const id = segment(100, key);
    failsWith("EEXIST", "shmget", () => shmget(key, 100, IPC_CREAT | IPC_EXCL | RIGHTS));
    failsWith("EINVAL", "shmget", () => shmget(key, 200, RIGHTS));
    assert.equal(shmget(key, 50, RIGHTS), id);
    failsWith("EINVAL", "shmget", () => shmget(IPC_PRIVATE, 0, IPC_CREAT | RIGHTS));
    assert.equal(shmctl(id, IPC_STAT).shm_perm.key, key);
  });

  test("ftok", () => {
    const file = fileURLToPath(import.meta.url);
    assert.equal(ftok(file, 7), ftok(file, 7 + 256));
    assert.notEqual(ftok(file, 7), ftok(file, 8));
    failsWith("ENOENT", "ftok", () => ftok("/nothing/here", 1));
  });

  test("attached twice it is the same memory, and its facts are told", async () => {
    const id = segment(100);
    const first = new Uint8Array(shmat(id));
    const second = new Uint8Array(shmat(id));
    assert.equal(first.length, 100);
    first[3] = 9;
    assert.equal(second[3], 9);
    const facts = shmctl(id, IPC_STAT);
    assert.deepEqual(
      [facts.shm_segsz, facts.shm_nattch, facts.shm_cpid, facts.shm_lpid, facts.shm_perm.mode & 0o777],
      [100, 2, process.pid, process.pid, RIGHTS],
    );
    assert.ok(facts.shm_atime instanceof Date && facts.shm_ctime instanceof Date);
    assert.equal(facts.shm_dtime, undefined);
    shmdt(second);
    assert.equal(shmctl(id, IPC_STAT).shm_nattch, 1);
    assert.equal(second[3], 0);
    assert.throws(() => shmdt(second), { code: "ERR_INVALID_ARGUMENT" });
    first.fill(1);
    assert.deepEqual(await peer.run(["segment", String(id)]), { code: 0, output: "200" });
    assert.ok(first.every((byte) => byte === 2));
    shmctl(id, IPC_SET, { mode: 0o640 });
    assert.equal(shmctl(id, IPC_STAT).shm_perm.mode & 0o777, 0o640);
    shmdt(first);
  });

  test("removed while attached it can be attached by its number, and not afterwards", () => {
    const id = segment();
    const memory = shmat(id);
    shmctl(id, IPC_RMID);
    const again = shmat(id);
    new Uint8Array(memory)[0] = 1;
    assert.equal(new Uint8Array(again)[0], 1);
    shmdt(memory);
    shmdt(again);
    failsWith("EINVAL", "shmat", () => shmat(id));
    failsWith("EINVAL", "shmctl", () => shmctl(id, IPC_STAT));
    failsWith("EINVAL", "shmat", () => shmat(NOBODYS));
    const SHM_REMAP = 0o40000;
    failsWith("EINVAL", "shmat", () => shmat(segment(), SHM_REMAP));
  });

  test("a write to what is attached for reading makes a copy and ends nothing", () => {
    const id = segment();
    const writer = new Uint8Array(shmat(id));
    const reader = new Uint8Array(shmat(id, SHM_RDONLY));
    writer[0] = 1;
    assert.equal(reader[0], 1);
    assert.equal(shm_is_lost(reader), false);
    reader[1] = 5;
    assert.deepEqual([reader[0], reader[1], writer[1]], [1, 5, 0]);
    assert.equal(shm_is_lost(reader), true);
    writer[0] = 2;
    assert.equal(reader[0], 1);
    shmdt(reader);
    shmdt(writer);
  });

  test("mprotect holds for segments: what is written then reaches nobody", () => {
    const id = shmget(IPC_PRIVATE, 8192, RIGHTS);
    const [one, other] = [new Uint8Array(shmat(id)), new Uint8Array(shmat(id))];
    const reader = new Uint8Array(shmat(id, SHM_RDONLY));
    shmctl(id, IPC_RMID);
    failsWith("EACCES", "mprotect", () => mprotect(reader, PROT_READ | PROT_WRITE));
    mprotect(one, PROT_READ);
    other[0] = 1;
    assert.equal(one[0], 1, "reads go on");
    mprotect(one, PROT_READ | PROT_WRITE);
    one[1] = 2;
    assert.equal(other[1], 2);
    mprotect(one.subarray(4096), PROT_READ);
    one[2] = 3;
    assert.equal(other[2], 3, "the rest is written as before");
    assert.equal(shm_is_lost(one), false);
    one[4096] = 4;
    assert.deepEqual([one[0], one[4096], other[4096], shm_is_lost(one)], [1, 4, 0, true]);
    failsWith("EIO", "mprotect", () => mprotect(one, PROT_READ | PROT_WRITE));
    for (const memory of [one, other, reader]) shmdt(memory);
  });

  test("the copy counts against no limit of data", () => {
    const program = `import("shmkit/sysv").then(async (sysv) => {
      const id = sysv.shmget(0, 4096, 0o1600);
      const memory = new Uint8Array(sysv.shmat(id, sysv.SHM_RDONLY));
      new Uint8Array(sysv.shmat(id))[0] = 7;
      sysv.shmctl(id, sysv.IPC_RMID);
      memory[1] = 1;
      const { readFileSync } = await import("node:fs");
      console.log(memory[0], memory[1], readFileSync("/proc/self/maps", "utf8").includes("memfd:shmkit-closed"));
    })`;
    const limited = ["-c", 'ulimit -d 3145728; exec "$@"', "sh", process.execPath, "-e", program];
    assert.equal(spawnSync("sh", limited, { encoding: "utf8" }).stdout, "7 1 true\n");
  });

  test("a violation that is not ours still ends the process as it should", () => {
    const program = `import("shmkit/sysv").then(async (sysv) => {
      const id = sysv.shmget(0, 4096, 0o1600);
      const memory = new Uint8Array(sysv.shmat(id, sysv.SHM_RDONLY));
      sysv.shmctl(id, sysv.IPC_RMID);
      memory[0] = 1;
      const wasm = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([
        0,97,115,109,1,0,0,0,1,6,1,96,1,127,1,127,3,2,1,0,5,3,1,0,1,7,5,1,1,114,0,0,10,9,1,7,0,32,0,40,2,0,11])));
      try { wasm.exports.r(2 ** 30); } catch (error) { console.log(error.constructor.name); }
      process.kill(process.pid, "SIGSEGV");
      setTimeout(() => console.log("lives"), 1000);
    })`;
    const { stdout, signal } = spawnSync(process.execPath, ["-e", program], { encoding: "utf8" });
    assert.deepEqual([stdout, signal], ["RuntimeError\n", "SIGSEGV"]);
  });
});

describe("System V semaphores", () => {
  test("values, one and all", () => {
    const id = semaphores(3);
    assert.equal(semctl(id, 0, SETALL, [1, 2, 3]), 0);
    assert.deepEqual(semctl(id, 0, GETALL), [1, 2, 3]);
    semctl(id, 1, SETVAL, 7);
    assert.equal(semctl(id, 1, GETVAL), 7);
    assert.equal(semctl(id, 1, GETPID), process.pid);
    assert.deepEqual([semctl(id, 0, GETNCNT), semctl(id, 0, GETZCNT)], [0, 0]);
    const { sem_nsems, sem_perm, sem_otime } = semctl(id, 0, IPC_STAT);
    assert.deepEqual([sem_nsems, sem_perm.mode & 0o777, sem_otime], [3, RIGHTS, undefined]);
    failsWith("ERANGE", "semctl", () => semctl(id, 0, SETVAL, 32768));
    failsWith("EINVAL", "semctl", () => semctl(id, 9, GETVAL));
    assert.throws(() => semctl(id, 0, SETALL, [1]), { code: "ERR_OUT_OF_RANGE" });
    semctl(id, 0, IPC_SET, { mode: 0o400 });
    assert.equal(semctl(id, 0, IPC_STAT).sem_perm.mode & 0o777, 0o400);
  });

  test("operations happen together, or not at all", async () => {
    const id = semaphores();
    semopSync(id, [
      { sem_num: 0, sem_op: 2 },
      { sem_num: 1, sem_op: 1 },
    ]);
    failsWith("EAGAIN", "semop", () =>
      semopSync(id, [
        { sem_num: 0, sem_op: -1, sem_flg: IPC_NOWAIT },
        { sem_num: 1, sem_op: -2, sem_flg: IPC_NOWAIT },
      ]),
    );
    assert.deepEqual(semctl(id, 0, GETALL), [2, 1]);
    failsWith("EFBIG", "semop", () => semopSync(id, [{ sem_num: 2, sem_op: 1 }]));
    failsWith("ERANGE", "semop", () => semopSync(id, [{ sem_num: 0, sem_op: 32767 }]));
    failsWith("E2BIG", "semop", () => semopSync(id, Array(501).fill({ sem_num: 0, sem_op: 0 })));
    failsWith("EINVAL", "semop", () => semopSync(id, []));
    await assert.rejects(semop(NOBODYS, [{ sem_num: 0, sem_op: 1 }]), { code: "EINVAL" });
    assert.throws(() => semopSync(id, [{ sem_num: 0, sem_op: 40000 }]), { code: "ERR_OUT_OF_RANGE" });
    // One that may wait and one that may not: the latter decides.
    await assert.rejects(
      semop(id, [
        { sem_num: 0, sem_op: -1 },
        { sem_num: 1, sem_op: -2, sem_flg: IPC_NOWAIT },
      ]),
      { code: "EAGAIN" },
    );
  });

  test("waits in both forms; a deadline, a signal and removal end it", async () => {
    const id = semaphores();
    const taking = semop(id, [{ sem_num: 0, sem_op: -1 }]);
    while (semctl(id, 0, GETNCNT) === 0) await sleep(1);
    semopSync(id, [{ sem_num: 0, sem_op: 1 }]);
    await taking;
    for (const timeoutMs of [0, 20]) {
      await assert.rejects(semop(id, [{ sem_num: 0, sem_op: -1 }], { timeoutMs }), { code: "ETIMEDOUT" });
      failsWith("ETIMEDOUT", "semop", () => semopSync(id, [{ sem_num: 0, sem_op: -1 }], { timeoutMs }));
    }
    const reason = new Error("enough");
    const controller = new AbortController();
    const aborted = assert.rejects(semop(id, [{ sem_num: 0, sem_op: -1 }], { signal: controller.signal }), reason);
    controller.abort(reason);
    await aborted;
    const removed = assert.rejects(semop(id, [{ sem_num: 0, sem_op: -1 }]), { code: "EIDRM" });
    while (semctl(id, 0, GETNCNT) === 0) await sleep(1);
    semctl(id, 0, IPC_RMID);
    await removed;
    failsWith("EINVAL", "semctl", () => semctl(id, 0, GETVAL));
    failsWith("EINVAL", "semop", () => semopSync(id, [{ sem_num: 0, sem_op: 1 }]));
    // Before the thread that is to wait has begun.
    for (let round = 0; round < 20; round++) {
      const short = semaphores();
      const waiting = assert.rejects(semop(short, [{ sem_num: 0, sem_op: -1 }]), { code: "EIDRM" });
      semctl(short, 0, IPC_RMID);
      await waiting;
    }
  });

  test("SEM_UNDO gives back what a process that ends has taken; a wait on another thread undoes nothing early", async () => {
    const id = semaphores();
    semctl(id, 0, SETVAL, 3);
    assert.deepEqual(await peer.run(["operations", String(id)]), { code: 0, output: "2" });
    assert.equal(semctl(id, 0, GETVAL), 3);
    semctl(id, 0, SETVAL, 0);
    const taking = semop(id, [{ sem_num: 0, sem_op: -1, sem_flg: SEM_UNDO }]);
    while (semctl(id, 0, GETNCNT) === 0) await sleep(1);
    semopSync(id, [{ sem_num: 0, sem_op: 1 }]);
    await taking;
    await sleep(5);
    assert.equal(semctl(id, 0, GETVAL), 0);
    semopSync(id, [{ sem_num: 0, sem_op: 1, sem_flg: SEM_UNDO }]);
  });

  test("an abort or a timeout while a post is on its way loses nothing", async () => {
    const id = semaphores();
    let taken = 0;
    for (let round = 0; round < 100; round++) {
      const controller = new AbortController();
      const how = round % 2 === 0 ? { signal: controller.signal } : { timeoutMs: 1 };
      const waiting = semop(id, [{ sem_num: 0, sem_op: -1 }], how);
      if (round % 3 === 0) await sleep(1);
      semopSync(id, [{ sem_num: 0, sem_op: 1 }]);
      controller.abort();
      await waiting.then(
        () => taken++,
        () => undefined,
      );
    }
    assert.equal(semctl(id, 0, GETVAL), 100 - taken);
  });
});

describe("System V message queues", () => {
  test("by type: the oldest, the oldest of one, of the lowest, of all but one", async () => {
    const id = queue();
    for (const [type, text] of [
      [5, "five"],
      [2, "two"],
      [9, "nine"],
      [2, "two again"],
    ] as const)
      await msgsnd(id, type, bytes(text));
    const { msg_qnum, msg_cbytes, msg_lspid } = msgctl(id, IPC_STAT);
    assert.deepEqual([msg_qnum, msg_cbytes, msg_lspid], [4, 20, process.pid]);
    const received = [
      msgrcvSync(id, 64, 9),
      await msgrcv(id, 64, -4),
      msgrcvSync(id, 64, 2, MSG_EXCEPT),
      await msgrcv(id, 64),
    ];
    assert.deepEqual(
      received.map(({ type, data }) => [type, textOf(data)]),
      [
        [9, "nine"],
        [2, "two"],
        [5, "five"],
        [2, "two again"],
      ],
    );
  });

  test("what is impossible, too long, or would have to wait", async () => {
    const id = queue();
    failsWith("EINVAL", "msgsnd", () => msgsndSync(id, 0, bytes("x")));
    failsWith("EINVAL", "msgsnd", () => msgsndSync(id, 1, new Uint8Array(8193)));
    failsWith("ENOMSG", "msgrcv", () => msgrcvSync(id, 10, 0, IPC_NOWAIT));
    await assert.rejects(msgrcv(id, 10, 0, IPC_NOWAIT), { code: "ENOMSG" });
    await msgsnd(id, 1, bytes("longer"));
    failsWith("E2BIG", "msgrcv", () => msgrcvSync(id, 3));
    await assert.rejects(msgrcv(id, 3), { code: "E2BIG" });
    assert.equal(textOf(msgrcvSync(id, 3, 0, MSG_NOERROR).data), "lon");
    msgctl(id, IPC_SET, { msg_qbytes: 10 });
    msgsndSync(id, 1, new Uint8Array(10));
    failsWith("EAGAIN", "msgsnd", () => msgsndSync(id, 1, bytes("x"), IPC_NOWAIT));
    for (const timeoutMs of [0, 20]) {
      await assert.rejects(msgsnd(id, 1, bytes("x"), 0, { timeoutMs }), { code: "ETIMEDOUT" });
      failsWith("ETIMEDOUT", "msgsnd", () => msgsndSync(id, 1, bytes("x"), 0, { timeoutMs }));
      await assert.rejects(msgrcv(id, 9, 7, 0, { timeoutMs }), { code: "ETIMEDOUT" });
      failsWith("ETIMEDOUT", "msgrcv", () => msgrcvSync(id, 9, 7, 0, { timeoutMs }));
    }
    failsWith("EINVAL", "msgrcv", () => msgrcvSync(id, -1));
    failsWith("EINVAL", "msgrcv", () => msgrcvSync(id, 10, 0, MSG_COPY));
    assert.throws(() => msgsndSync(id, 1, "text" as never), TypeError);
    failsWith("EINVAL", "msgctl", () => msgctl(id, 4711));
  });

  test("waits until a message or room comes; removal and a signal end it; nothing is lost", async () => {
    const id = queue();
    const coming = msgrcv(id, 64);
    await sleep(5);
    msgsndSync(id, 3, bytes("for who waits"));
    const { type, data } = await coming;
    assert.deepEqual([type, textOf(data)], [3, "for who waits"]);
    msgctl(id, IPC_SET, { msg_qbytes: 8 });
    await msgsnd(id, 1, new Uint8Array(8));
    const sending = msgsnd(id, 2, bytes("later"));
    await sleep(5);
    msgrcvSync(id, 64, 1);
    await sending;
    assert.equal(textOf(msgrcvSync(id, 64).data), "later");
    let received = 0;
    for (let round = 0; round < 100; round++) {
      const controller = new AbortController();
      const waiting = msgrcv(id, 64, 0, 0, round % 2 === 0 ? { signal: controller.signal } : { timeoutMs: 1 });
      const ended = waiting.then(
        () => received++,
        () => undefined,
      );
      if (round % 3 === 0) await sleep(1);
      msgsndSync(id, 1, bytes("x"));
      controller.abort();
      await ended;
      while (msgctl(id, IPC_STAT).msg_qnum > 4) {
        msgrcvSync(id, 64);
        received++;
      }
    }
    assert.equal(received + msgctl(id, IPC_STAT).msg_qnum, 100);
    const removed = assert.rejects(msgrcv(id, 64, 99), { code: "EIDRM" });
    await sleep(20);
    msgctl(id, IPC_RMID);
    await removed;
    failsWith("EINVAL", "msgrcv", () => msgrcvSync(id, 64));
    failsWith("EINVAL", "msgsnd", () => msgsndSync(id, 1, bytes("x")));
    failsWith("EINVAL", "msgctl", () => msgctl(id, IPC_STAT));
    // Before the thread that is to wait has begun.
    for (let round = 0; round < 20; round++) {
      const short = queue();
      const receiving = assert.rejects(msgrcv(short, 64), { code: "EIDRM" });
      msgctl(short, IPC_RMID);
      await receiving;
    }
  });

  test("a program in C answers", async () => {
    const id = queue();
    const ended = peer.run(["messages", String(id)]);
    await msgsnd(id, 41, bytes("from JavaScript"));
    assert.deepEqual(await ended, { code: 0, output: "41 from JavaScript" });
    const { type, data } = await msgrcv(id, 64, 42);
    assert.deepEqual([type, textOf(data)], [42, "from C"]);
  });
});

describe("what C refuses, and what it has no word for", () => {
  const refused = (act: () => unknown, code: string): void => assert.throws(act, { code });

  test("whole numbers that can be none are EINVAL, and messages name the call and its parameter", async () => {
    const id = semaphores(1);
    for (const none of [-1, 2 ** 31]) {
      failsWith("EINVAL", "shmat", () => shmat(none));
      failsWith("EINVAL", "shmctl", () => shmctl(none, IPC_STAT));
      failsWith("EINVAL", "semctl", () => semctl(none, 0, GETVAL));
      failsWith("EINVAL", "semctl", () => semctl(id, none, GETVAL));
      failsWith("EINVAL", "semctl", () => semctl(id, 0, none));
      failsWith("EINVAL", "semget", () => semget(IPC_PRIVATE, none, RIGHTS));
      failsWith("EINVAL", "semop", () => semopSync(none, [{ sem_num: 0, sem_op: 1 }]));
      failsWith("EINVAL", "msgctl", () => msgctl(none, IPC_STAT));
      failsWith("EINVAL", "msgrcv", () => msgrcvSync(none, 8));
      await assert.rejects(msgsnd(none, 1, new Uint8Array(1)), { code: "EINVAL", syscall: "msgsnd" });
    }
    failsWith("EINVAL", "shmget", () => shmget(IPC_PRIVATE, -1, RIGHTS));
    const text = "1" as never;
    assert.throws(() => shmctl(text, IPC_STAT), { message: "shmctl: shmid must be a number" });
    assert.throws(() => semctl(id, text, GETVAL), { message: "semctl: semnum must be a number" });
    assert.throws(() => msgctl(text, IPC_STAT), { message: "msgctl: msqid must be a number" });
  });

  test("IPC_SET takes what it can set, or what IPC_STAT answers, and nothing else", () => {
    const id = semaphores(1);
    const segment = shmget(IPC_PRIVATE, 4096, RIGHTS);
    const queue = msgget(IPC_PRIVATE, RIGHTS);
    made.push(() => shmctl(segment, IPC_RMID));
    made.push(() => msgctl(queue, IPC_RMID));
    const sets: readonly ((change: never) => unknown)[] = [
      (change) => shmctl(segment, IPC_SET, change),
      (change) => semctl(id, 0, IPC_SET, change),
      (change) => msgctl(queue, IPC_SET, change),
    ];
    for (const set of sets) {
      refused(() => set({ foo: 1 } as never), "ERR_UNKNOWN_OPTION");
      for (const wrong of [null, undefined, 5]) refused(() => set(wrong as never), "ERR_INVALID_ARGUMENT");
      for (const wrong of [{ mode: -1 }, { uid: -1 }, { gid: 2 ** 32 }])
        refused(() => set(wrong as never), "ERR_OUT_OF_RANGE");
      refused(() => set({ uid: "x" } as never), "ERR_INVALID_ARGUMENT");
    }
    assert.equal(shmctl(segment, IPC_STAT).shm_perm.mode, RIGHTS);
    shmctl(segment, IPC_SET, { ...shmctl(segment, IPC_STAT).shm_perm, mode: 0o640 });
    assert.equal(shmctl(segment, IPC_STAT).shm_perm.mode, 0o640);
  });

  test("operations and values are arrays", async () => {
    const id = semaphores(2);
    for (const wrong of [undefined, null, {}, { sem_num: 0, sem_op: 1 }, [null], [5]]) {
      refused(() => semopSync(id, wrong as never), "ERR_INVALID_ARGUMENT");
      await assert.rejects(semop(id, wrong as never), { code: "ERR_INVALID_ARGUMENT" });
    }
    for (const wrong of [undefined, null, 5, "12"])
      refused(() => semctl(id, 0, SETALL, wrong as never), "ERR_INVALID_ARGUMENT");
    assert.deepEqual(semctl(id, 0, GETALL), [0, 0]);
  });
});
