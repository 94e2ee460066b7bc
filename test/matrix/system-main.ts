/**
 * The system's own mechanisms between two processes of a runtime: `system-main NAME near|far`. The first one makes everything,
 * the second one answers and ends with a robust mutex.
 */
import * as posix from "shmkit/posix";
import * as sysv from "shmkit/sysv";

const [name, side] = process.argv.slice(2);
const LONG = { timeoutMs: 60_000 };
const PAGE = 4096;
/** Where things are in the memory that both map: words, after the first of them three identifiers; and bytes. */
const [STEP, IDENTIFIERS, READY] = [0, 1, 8];
const [SEMAPHORE, MUTEX, CONDITION] = [64, 128, 256];
const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const bytes = (words: string): Uint8Array => new TextEncoder().encode(words);

function map(flags: number): { memory: Uint8Array; words: Int32Array } {
  const fd = posix.shm_open(`/${name}`, flags);
  if ((flags & posix.O_CREAT) !== 0) posix.ftruncate(fd, PAGE);
  const buffer = posix.mmap(PAGE, posix.PROT_READ | posix.PROT_WRITE, posix.MAP_SHARED, fd);
  posix.close(fd);
  return { memory: new Uint8Array(buffer), words: new Int32Array(buffer) };
}

/** A robust mutex, or where the system has none (under emulation) another. */
function robustMutex(place: Uint8Array): { mutex: posix.PthreadMutex; isRobust: boolean } {
  try {
    return { mutex: posix.pthread_mutex_init(place, { robust: posix.PTHREAD_MUTEX_ROBUST }), isRobust: true };
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOTSUP") throw error;
    return { mutex: posix.pthread_mutex_init(place), isRobust: false };
  }
}

async function near(): Promise<void> {
  const { memory, words } = map(posix.O_RDWR | posix.O_CREAT | posix.O_EXCL);
  const queue = posix.mq_open(`/${name}`, posix.O_RDWR | posix.O_CREAT, 0o600, { mq_maxmsg: 2, mq_msgsize: 64 });
  const made = sysv.IPC_CREAT | 0o600;
  const [segment, set, messages] = [
    sysv.shmget(sysv.IPC_PRIVATE, PAGE, made),
    sysv.semget(sysv.IPC_PRIVATE, 1, made),
    sysv.msgget(sysv.IPC_PRIVATE, made),
  ];
  try {
    words.set([segment, set, messages], IDENTIFIERS);
    const answered = posix.sem_init(memory.subarray(SEMAPHORE), true, 0);
    const { mutex, isRobust } = robustMutex(memory.subarray(MUTEX));
    const cond = posix.pthread_cond_init(memory.subarray(CONDITION));
    await posix.pthread_mutex_lock(mutex);
    words[READY] = 1;
    await posix.sem_wait(answered, LONG);
    posix.mq_sendSync(queue, bytes("there"), 3);
    const { type, data } = await sysv.msgrcv(messages, 64, 7, 0, LONG);
    const attached = new Int32Array(sysv.shmat(segment));
    await sysv.semop(set, [{ sem_num: 0, sem_op: -1 }], LONG);
    console.log(type, text(data), attached[0]);
    await posix.pthread_cond_wait(cond, mutex, () => words[STEP] === 1, LONG);
    words[STEP] = 2;
    posix.pthread_mutex_unlock(mutex);
    posix.sem_waitSync(answered, LONG);
    if (isRobust) console.log(await posix.pthread_mutex_lock(mutex, LONG));
  } finally {
    posix.shm_unlink(`/${name}`);
    posix.mq_unlink(`/${name}`);
    sysv.shmctl(segment, sysv.IPC_RMID);
    sysv.semctl(set, 0, sysv.IPC_RMID);
    sysv.msgctl(messages, sysv.IPC_RMID);
  }
}

async function mapWhenReady(): Promise<ReturnType<typeof map>> {
  for (;;) {
    try {
      const mapped = map(posix.O_RDWR);
      if (mapped.words[READY] === 1) return mapped;
    } catch (error) {
      // Not there yet, or not of its length.
      if (!["ENOENT", "EIO"].includes((error as { code: string }).code)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function far(): Promise<void> {
  const { memory, words } = await mapWhenReady();
  const [segment, set, messages] = words.subarray(IDENTIFIERS);
  const queue = posix.mq_open(`/${name}`, posix.O_RDWR);
  const semaphore = posix.sem_at(memory.subarray(SEMAPHORE));
  const coming = posix.mq_receive(queue, LONG);
  posix.sem_post(semaphore);
  const { data, priority } = await coming;
  const attached = new Int32Array(sysv.shmat(segment));
  attached[0] = priority;
  await sysv.msgsnd(messages, 7, bytes(`${text(data)} and back`));
  sysv.semopSync(set, [{ sem_num: 0, sem_op: 1 }]);
  const mutex = posix.pthread_mutex_at(memory.subarray(MUTEX));
  posix.pthread_mutex_lockSync(mutex, LONG);
  const cond = posix.pthread_cond_at(memory.subarray(CONDITION));
  words[STEP] = 1;
  posix.pthread_cond_broadcast(cond);
  posix.pthread_cond_waitSync(cond, mutex, () => words[STEP] === 2, LONG);
  posix.sem_post(semaphore);
  console.log("ends with the mutex");
}

await (side === "near" ? near() : far());
