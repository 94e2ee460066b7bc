/** `shmkit/posix` and `shmkit/sysv`: there and back by two semaphores or two queues, in calls that block. */
import {
  close,
  ftruncate,
  MAP_SHARED,
  mmap,
  mq_open,
  mq_receiveSync,
  mq_sendSync,
  mq_unlink,
  O_CREAT,
  O_EXCL,
  O_RDWR,
  PROT_READ,
  PROT_WRITE,
  sem_at,
  sem_init,
  sem_post,
  sem_waitSync,
  shm_open,
  shm_unlink,
} from "shmkit/posix";
import { IPC_CREAT, IPC_PRIVATE, IPC_RMID, msgctl, msgget, msgrcvSync, msgsndSync } from "shmkit/sysv";
import { semctl, semget, semopSync } from "shmkit/sysv";
import { setTimeout as sleep } from "node:timers/promises";
import { announce, Latencies, parseRun, receiversReady, wrong } from "./run.js";

const PAGE = 4096;
const BATCH = 32;
const MESSAGE_BYTES = 64;
/** Words of the memory that both map; the semaphores lie behind them. */
const [READY, OVER, FAR_COUNT, IDENTIFIER] = [0, 1, 2, 3];
const PLACES = [256, 512] as const;
/** Who sends and who waits: `there` is the near side's, and `back` the far one's. */
const [THERE, BACK] = [0, 1] as const;

const run = parseRun();
const isNear = run.role === "near";
const name = `/${run.name}`;

/** A way there and a way back. */
interface Ways {
  send(way: 0 | 1): void;
  await(way: 0 | 1): void;
  remove(): void;
}

function posixSemaphores(memory: Uint8Array): Ways {
  const places = PLACES.map((at) => memory.subarray(at, at + 64));
  const semaphores = places.map((place) => (isNear ? sem_init(place, true, 0) : sem_at(place)));
  return { send: (way) => sem_post(semaphores[way]), await: (way) => sem_waitSync(semaphores[way]), remove() {} };
}

function posixQueues(): Ways {
  const names = [THERE, BACK].map((way) => `${name}-${way}`);
  const size = { mq_maxmsg: 1, mq_msgsize: MESSAGE_BYTES };
  const queues = names.map((each) => mq_open(each, isNear ? O_RDWR | O_CREAT | O_EXCL : O_RDWR, 0o600, size));
  const message = new Uint8Array(MESSAGE_BYTES);
  return {
    send: (way) => mq_sendSync(queues[way], message),
    await: (way) => void mq_receiveSync(queues[way]),
    remove: () => names.forEach((each) => mq_unlink(each)),
  };
}

function sysvSemaphores(_: Uint8Array, words: Int32Array): Ways {
  if (isNear) words[IDENTIFIER] = semget(IPC_PRIVATE, 2, IPC_CREAT | 0o600);
  const set = words[IDENTIFIER];
  return {
    send: (way) => semopSync(set, [{ sem_num: way, sem_op: 1 }]),
    await: (way) => semopSync(set, [{ sem_num: way, sem_op: -1 }]),
    remove: () => void semctl(set, 0, IPC_RMID),
  };
}

/** One queue, in which the way is the type. */
function sysvQueue(_: Uint8Array, words: Int32Array): Ways {
  if (isNear) words[IDENTIFIER] = msgget(IPC_PRIVATE, IPC_CREAT | 0o600);
  const queue = words[IDENTIFIER];
  const message = new Uint8Array(MESSAGE_BYTES);
  return {
    send: (way) => msgsndSync(queue, 1 + way, message),
    await: (way) => void msgrcvSync(queue, MESSAGE_BYTES, 1 + way),
    remove: () => void msgctl(queue, IPC_RMID),
  };
}

const MECHANISMS: Record<string, (memory: Uint8Array, words: Int32Array) => Ways> = {
  "posix-semaphore": posixSemaphores,
  "posix-queue": posixQueues,
  "sysv-semaphore": sysvSemaphores,
  "sysv-queue": sysvQueue,
};

function map(flags: number): Uint8Array {
  const fd = shm_open(name, flags);
  if (isNear) ftruncate(fd, PAGE);
  const memory = new Uint8Array(mmap(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd));
  close(fd);
  return memory;
}

async function near(): Promise<void> {
  const memory = map(O_RDWR | O_CREAT | O_EXCL);
  const words = new Int32Array(memory.buffer);
  const ways = MECHANISMS[run.benchmark](memory, words);
  const latencies = new Latencies(run);
  try {
    words[READY] = 1;
    await receiversReady(run);
    let count = 0;
    while (latencies.next()) {
      for (let i = 0; i < BATCH; i++, count++) {
        ways.send(THERE);
        ways.await(BACK);
      }
      latencies.add(BATCH);
    }
    words[OVER] = 1;
    ways.send(THERE);
    ways.await(BACK);
    if (words[FAR_COUNT] !== count) wrong("answers", words[FAR_COUNT], count);
    latencies.report(count);
  } finally {
    ways.remove();
    shm_unlink(name);
  }
}

async function far(): Promise<void> {
  // The near side makes everything, and says so last.
  await sleep(20);
  let memory: Uint8Array | undefined;
  while (memory === undefined || memory[READY * 4] === 0) {
    try {
      memory = map(O_RDWR);
    } catch (error) {
      if ((error as { code: string }).code !== "ENOENT") throw error;
    }
    await sleep(2);
  }
  const words = new Int32Array(memory.buffer);
  const ways = MECHANISMS[run.benchmark](memory, words);
  announce(run);
  for (;;) {
    ways.await(THERE);
    if (words[OVER] === 1) break;
    words[FAR_COUNT]++;
    ways.send(BACK);
  }
  ways.send(BACK);
}

await (isNear ? near() : far());
