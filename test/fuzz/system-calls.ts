/** Calls of shmkit/posix and shmkit/sysv, on whatever a scene has: made wrongly as often as not. */
import * as posix from "shmkit/posix";
import * as sysv from "shmkit/sysv";
import type { Scene } from "./system-scene.js";

/** A call, by its name. Undefined where there is nothing to call it with. */
export type SystemCalls = Readonly<Record<string, () => unknown>>;

const PAGE = 4096;
/** Nothing here may use up the memory of the machine, so what is backed is small. */
const LENGTHS = [0, 1, 32, 100, PAGE, PAGE, PAGE, 3 * PAGE, 16 * PAGE, 16 * PAGE + 1] as const;
const WRONG_LENGTHS = [-1, 0.5, Number.NaN, 2 ** 31, 2 ** 53, Number.MAX_SAFE_INTEGER] as const;
const ADVICE = Object.entries(posix)
  .filter(([name]) => name.startsWith("MADV_"))
  .map(([, value]) => value as number);

/** Numbers for what a call takes; now and then one that no call takes. */
const lengthFor = ({ random, chance }: Scene): number => random.of(chance(8) ? WRONG_LENGTHS : LENGTHS);
const mixed = ({ random }: Scene, flags: readonly number[]): number =>
  flags.reduce((mix, flag) => (random.below(2) === 0 ? mix | flag : mix), 0);

/** A part of a mapping, be it mapped still or not; aligned more often than not. */
function placeIn(scene: Scene): Uint8Array | undefined {
  const buffer = scene.one<ArrayBuffer>("memory");
  if (buffer === undefined) return undefined;
  const { random } = scene;
  const at = random.below(Math.min(buffer.byteLength, 8 * PAGE) + 1);
  const from = scene.chance(4) ? at : at - (at % random.of([8, 64, PAGE]));
  return new Uint8Array(buffer, from, random.below(Math.min(buffer.byteLength - from, 4 * PAGE) + 1));
}

/** Calls its work with something of a kind, if there is any. */
const on =
  (scene: Scene) =>
  <T>(kind: string, work: (one: T) => unknown) =>
  (): unknown => {
    const one = scene.one<T>(kind);
    return one === undefined ? undefined : work(one);
  };

export function memoryCalls(scene: Scene): SystemCalls {
  const { random, keep, chance } = scene;
  const onFd = (work: (fd: number) => unknown) => on(scene)<number>("fd", work);
  const place = (work: (place: Uint8Array) => unknown) => (): unknown => {
    const at = placeIn(scene);
    return at === undefined ? undefined : work(at);
  };
  const { O_RDWR, O_RDONLY, O_CREAT, O_EXCL, O_TRUNC, PROT_READ, PROT_WRITE, PROT_EXEC } = posix;
  const protection = (): number =>
    chance(3) ? mixed(scene, [PROT_READ, PROT_WRITE, PROT_EXEC]) : PROT_READ | PROT_WRITE;
  const sharing = (): number => (chance(4) ? posix.MAP_PRIVATE : posix.MAP_SHARED);
  return {
    shm_open: () => {
      const how = random.of([O_RDWR, O_RDWR, O_RDONLY]) | mixed(scene, [O_CREAT, O_CREAT, O_EXCL, O_TRUNC]);
      return keep("fd", posix.shm_open(`/${scene.name()}`, how));
    },
    shm_unlink: () => posix.shm_unlink(`/${scene.name()}`),
    memfd_create: () =>
      keep("fd", posix.memfd_create("fuzz", mixed(scene, [posix.MFD_CLOEXEC, posix.MFD_ALLOW_SEALING]))),
    close: onFd(posix.close),
    // A lease (F_SETLEASE) would make the next one who opens the file wait for 45 s.
    fcntl: onFd((fd) =>
      posix.fcntl(
        fd,
        random.of([posix.F_GETFD, posix.F_SETFD, posix.F_GETFL, posix.F_ADD_SEALS, posix.F_GET_SEALS, 0, -1]),
        mixed(scene, [posix.F_SEAL_SEAL, posix.F_SEAL_SHRINK, posix.F_SEAL_GROW, posix.F_SEAL_WRITE]),
      ),
    ),
    fstat: onFd(posix.fstat),
    ftruncate: onFd((fd) => posix.ftruncate(fd, lengthFor(scene))),
    posix_fallocate: onFd((fd) =>
      posix.posix_fallocate(fd, random.below(4) * PAGE, random.of([-1, 0, 1, PAGE, 16 * PAGE])),
    ),
    posix_fallocateSync: onFd((fd) =>
      posix.posix_fallocateSync(fd, random.below(4) * PAGE, random.of([-1, 0, 1, PAGE])),
    ),
    mmap: onFd((fd) =>
      keep("memory", posix.mmap(lengthFor(scene), protection(), sharing(), fd, random.of([0, 0, 0, 1, PAGE, -PAGE]))),
    ),
    "mmap anonymous": () =>
      keep(
        "memory",
        posix.mmap(lengthFor(scene), protection(), sharing() | posix.MAP_ANONYMOUS | posix.MAP_NORESERVE, -1),
      ),
    munmap: on(scene)<ArrayBuffer>("memory", posix.munmap),
    msync: place((at) => posix.msync(at, random.of([posix.MS_SYNC, posix.MS_ASYNC, -1]))),
    msyncSync: place((at) => posix.msyncSync(at, random.of([posix.MS_SYNC, posix.MS_ASYNC, -1]))),
    mprotect: place((at) => posix.mprotect(at, mixed(scene, [PROT_READ, PROT_READ, PROT_WRITE, PROT_EXEC]))),
    mlock: place(posix.mlock),
    munlock: place(posix.munlock),
    madvise: place((at) => posix.madvise(at, chance(5) ? random.below(200) : random.of(ADVICE))),
    mapping_is_lost: place(posix.mapping_is_lost),
    read: place((at) => at.reduce((sum, byte) => sum + byte, 0)),
    write: place((at) => {
      for (let i = 0; i < at.length; i += 1 + random.below(64)) at[i] = random.below(256);
    }),
    zero: place((at) => at.fill(0)),
    copy: place((at) => at.slice().length),
  };
}

export function synchronisationCalls(scene: Scene, amid: () => void): SystemCalls {
  const { random, keep, soon, chance } = scene;
  const timeout = (): { timeoutMs: number } => ({ timeoutMs: random.below(3) });
  const place = (work: (place: Uint8Array) => unknown) => (): unknown => {
    const at = placeIn(scene);
    return at === undefined ? undefined : work(at);
  };
  const onSem = (work: (sem: posix.Semaphore) => unknown) => on(scene)("sem", work);
  const onMutex = (work: (mutex: posix.PthreadMutex) => unknown) => on(scene)("mutex", work);
  const onCond = (work: (cond: posix.PthreadCond) => unknown) => on(scene)("cond", work);
  const until = (): boolean => {
    amid();
    return chance(2);
  };
  return {
    sem_init: place((at) => keep("sem", posix.sem_init(at, chance(2), random.of([0, 1, 3, 2 ** 31 - 1, -1])))),
    sem_at: place((at) => keep("sem", posix.sem_at(at))),
    sem_destroy: onSem(posix.sem_destroy),
    sem_open: () =>
      keep(
        "sem",
        posix.sem_open(`/${scene.name()}`, mixed(scene, [posix.O_CREAT, posix.O_CREAT, posix.O_EXCL]), 0o600, 1),
      ),
    sem_close: onSem(posix.sem_close),
    sem_unlink: () => posix.sem_unlink(`/${scene.name()}`),
    sem_post: onSem(posix.sem_post),
    sem_trywait: onSem(posix.sem_trywait),
    sem_getvalue: onSem(posix.sem_getvalue),
    sem_wait: onSem((sem) => posix.sem_wait(sem, soon())),
    sem_waitSync: onSem((sem) => posix.sem_waitSync(sem, timeout())),
    pthread_mutex_init: place((at) =>
      keep(
        "mutex",
        posix.pthread_mutex_init(at, {
          type: random.of([posix.PTHREAD_MUTEX_NORMAL, posix.PTHREAD_MUTEX_RECURSIVE, posix.PTHREAD_MUTEX_ERRORCHECK]),
          robust: random.of([posix.PTHREAD_MUTEX_STALLED, posix.PTHREAD_MUTEX_ROBUST]),
        }),
      ),
    ),
    pthread_mutex_at: place((at) => keep("mutex", posix.pthread_mutex_at(at))),
    pthread_mutex_destroy: onMutex(posix.pthread_mutex_destroy),
    pthread_mutex_lock: onMutex((mutex) => posix.pthread_mutex_lock(mutex, soon())),
    pthread_mutex_lockSync: onMutex((mutex) => posix.pthread_mutex_lockSync(mutex, timeout())),
    pthread_mutex_trylock: onMutex(posix.pthread_mutex_trylock),
    pthread_mutex_unlock: onMutex(posix.pthread_mutex_unlock),
    pthread_mutex_consistent: onMutex(posix.pthread_mutex_consistent),
    pthread_cond_init: place((at) => keep("cond", posix.pthread_cond_init(at))),
    pthread_cond_at: place((at) => keep("cond", posix.pthread_cond_at(at))),
    pthread_cond_destroy: onCond(posix.pthread_cond_destroy),
    pthread_cond_wait: onCond((cond) => onMutex((mutex) => posix.pthread_cond_wait(cond, mutex, until, soon()))()),
    pthread_cond_waitSync: onCond((cond) =>
      onMutex((mutex) => posix.pthread_cond_waitSync(cond, mutex, until, timeout()))(),
    ),
    pthread_cond_signal: onCond(posix.pthread_cond_signal),
    pthread_cond_broadcast: onCond(posix.pthread_cond_broadcast),
  };
}

export function queueCalls(scene: Scene): SystemCalls {
  const { random, keep, soon, chance } = scene;
  const timeout = (): { timeoutMs: number } => ({ timeoutMs: random.below(3) });
  const onQueue = (work: (mqdes: number) => unknown) => on(scene)("queue", work);
  const { O_RDWR, O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NONBLOCK } = posix;
  const message = (): Uint8Array => new Uint8Array(random.of([0, 1, 16, 16, 17, 5000]));
  return {
    mq_open: () =>
      keep(
        "queue",
        posix.mq_open(
          `/${scene.name()}`,
          random.of([O_RDWR, O_RDWR, O_RDONLY, O_WRONLY]) | mixed(scene, [O_CREAT, O_CREAT, O_EXCL, O_NONBLOCK]),
          0o600,
          { mq_maxmsg: random.of([1, 2, 3, 0, -1]), mq_msgsize: random.of([16, 16, 1, 0]) },
        ),
      ),
    mq_close: onQueue(posix.mq_close),
    mq_unlink: () => posix.mq_unlink(`/${scene.name()}`),
    mq_getattr: onQueue(posix.mq_getattr),
    mq_setattr: onQueue((mqdes) => posix.mq_setattr(mqdes, { mq_flags: random.of([0, O_NONBLOCK, 7]) })),
    mq_send: onQueue((mqdes) => posix.mq_send(mqdes, message(), random.of([0, 1, 32_767, 2 ** 20]), soon())),
    mq_sendSync: onQueue((mqdes) => posix.mq_sendSync(mqdes, message(), 0, timeout())),
    mq_receive: onQueue((mqdes) => posix.mq_receive(mqdes, soon())),
    mq_receiveSync: onQueue((mqdes) => posix.mq_receiveSync(mqdes, timeout())),
    mq_notify: onQueue((mqdes) => posix.mq_notify(mqdes, chance(2) ? soon() : { timeoutMs: 0 })),
  };
}

export function sysvCalls(scene: Scene): SystemCalls {
  const { random, keep, soon, chance } = scene;
  const timeout = (): { timeoutMs: number } => ({ timeoutMs: random.below(3) });
  const onSegment = (work: (id: number) => unknown) => on(scene)("shmid", work);
  const onSet = (work: (id: number) => unknown) => on(scene)("semid", work);
  const onMessages = (work: (id: number) => unknown) => on(scene)("msqid", work);
  const creation = (): number => mixed(scene, [sysv.IPC_CREAT, sysv.IPC_CREAT, sysv.IPC_EXCL]) | 0o600;
  const change = { uid: process.getuid!(), mode: 0o600 };
  const operations = (): sysv.SemBuf[] =>
    Array.from({ length: random.below(4) }, () => ({
      sem_num: random.of([0, 0, 1, 2, 99]),
      sem_op: random.of([-1, -1, 1, 1, 0, -32_768, 40_000]),
      sem_flg: mixed(scene, [sysv.IPC_NOWAIT, sysv.SEM_UNDO]),
    }));
  return {
    ftok: () => sysv.ftok(random.of(["/", "/nothing/there"]), random.of([1, 0, -1])),
    shmget: () =>
      keep(
        "shmid",
        sysv.shmget(chance(3) ? sysv.IPC_PRIVATE : scene.key(), random.of([0, 1, PAGE, 3 * PAGE]), creation()),
      ),
    shmat: onSegment((id) => keep("memory", sysv.shmat(id, random.of([0, 0, sysv.SHM_RDONLY, -1])))),
    shmdt: on(scene)<ArrayBuffer>("memory", sysv.shmdt),
    "shmctl IPC_STAT": onSegment((id) => sysv.shmctl(id, sysv.IPC_STAT)),
    "shmctl IPC_SET": onSegment((id) => sysv.shmctl(id, sysv.IPC_SET, change)),
    shmctl: onSegment((id) => sysv.shmctl(id, random.of([sysv.IPC_RMID, sysv.SHM_LOCK, sysv.SHM_UNLOCK, 999]))),
    shm_is_lost: on(scene)<ArrayBuffer>("memory", sysv.shm_is_lost),
    semget: () => keep("semid", sysv.semget(scene.key(), random.of([0, 1, 2, 3, 100_000]), creation())),
    semop: onSet((id) => sysv.semop(id, operations(), soon())),
    semopSync: onSet((id) => sysv.semopSync(id, operations(), timeout())),
    "semctl IPC_STAT": onSet((id) => sysv.semctl(id, 0, sysv.IPC_STAT)),
    "semctl GETALL": onSet((id) => sysv.semctl(id, 0, sysv.GETALL)),
    "semctl SETALL": onSet((id) => sysv.semctl(id, 0, sysv.SETALL, random.of([[1], [1, 2], [1, 2, 3], [-1], []]))),
    "semctl SETVAL": onSet((id) =>
      sysv.semctl(id, random.below(4), sysv.SETVAL, random.of([0, 1, 32_767, 32_768, -1])),
    ),
    "semctl IPC_SET": onSet((id) => sysv.semctl(id, 0, sysv.IPC_SET, change)),
    semctl: onSet((id) =>
      sysv.semctl(
        id,
        random.below(4),
        random.of([sysv.GETVAL, sysv.GETPID, sysv.GETNCNT, sysv.GETZCNT, sysv.IPC_RMID, 999]),
      ),
    ),
    msgget: () => keep("msqid", sysv.msgget(scene.key(), creation())),
    msgsnd: onMessages((id) =>
      sysv.msgsnd(
        id,
        random.of([1, 2, 0, -1]),
        new Uint8Array(random.of([0, 8, 8192, 9000])),
        random.of([0, sysv.IPC_NOWAIT]),
        soon(),
      ),
    ),
    msgsndSync: onMessages((id) => sysv.msgsndSync(id, 1, new Uint8Array(random.below(5000)), 0, timeout())),
    msgrcv: onMessages((id) =>
      sysv.msgrcv(
        id,
        random.of([0, 8, 8192, -1]),
        random.of([0, 1, -2]),
        mixed(scene, [sysv.IPC_NOWAIT, sysv.MSG_NOERROR, sysv.MSG_EXCEPT, sysv.MSG_COPY]),
        soon(),
      ),
    ),
    msgrcvSync: onMessages((id) => sysv.msgrcvSync(id, 8192, 0, sysv.MSG_NOERROR, timeout())),
    "msgctl IPC_STAT": onMessages((id) => sysv.msgctl(id, sysv.IPC_STAT)),
    "msgctl IPC_SET": onMessages((id) =>
      sysv.msgctl(id, sysv.IPC_SET, { ...change, msg_qbytes: random.of([0, 8192]) }),
    ),
    msgctl: onMessages((id) => sysv.msgctl(id, random.of([sysv.IPC_RMID, 999]))),
  };
}
