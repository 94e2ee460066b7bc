import type { Region } from "#shmkit";

/** Lets one process in at a time; answers how to leave. Blocks the thread meanwhile. */
export type Enter = () => () => void;

/**
 * Three ways to let one process in at a time: by a mutex, by a semaphore, by a queue of messages. With each of them the
 * next one gets in when a process is killed inside.
 */
export const LOCKS = {
  /** What is made for it. Only this one tells the next process, by `guard.abandoned`, that the one before died inside. */
  async mutex(app: Region): Promise<Enter> {
    const mutex = await app.mutex("lock");
    return () => {
      const guard = mutex.lockSync();
      return () => guard.release();
    };
  },

  /** A semaphore of one permit: whoever has that is in. Leased, it comes back if its holder dies; `waitSync` takes it for good. */
  async semaphore(app: Region): Promise<Enter> {
    const semaphore = await app.semaphore("lock", { permits: 1 });
    return () => {
      const lease = semaphore.acquireSync();
      return () => lease.release();
    };
  },

  /** A queue with one message, the token: whoever has that is in. Leased, it comes back as well. */
  async pipe(app: Region): Promise<Enter> {
    const pipe = await app.pipe("lock", { capacity: 1 });
    return () => {
      const token = pipe.receiveSync({ lease: true });
      return () => token.nack();
    };
  },
};

export type LockName = keyof typeof LOCKS;

/** Once, before anybody wants to get in: a queue needs its token, the others are made as they have to be. */
export async function makeLock(app: Region, name: LockName): Promise<void> {
  if (name === "pipe") await (await app.pipes.create("lock", { capacity: 1 })).send("token");
}
