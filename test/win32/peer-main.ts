/** `peer-main.js ACTION NAME`: the other process of a check. Whatever goes wrong ends it with another exit code than 0. */
import * as win32 from "shmkit/win32";

const [, , action, name] = process.argv;
const { EVENT_ALL_ACCESS, FILE_MAP_WRITE, INFINITE, MUTEX_ALL_ACCESS, SEMAPHORE_ALL_ACCESS } = win32;
const event = (which: string): win32.Handle<"event"> => win32.OpenEvent(EVENT_ALL_ACCESS, `${name}-${which}`);
const stay = (): Promise<never> => new Promise(() => setInterval(() => undefined, 1000));

const ACTIONS: Readonly<Record<string, () => Promise<unknown>>> = {
  /** Adds 1 to the first word, as often as it is asked to. */
  "add in a mapping": async () => {
    const mapping = win32.OpenFileMapping(FILE_MAP_WRITE, name);
    const words = new Int32Array(win32.MapViewOfFile(mapping, FILE_MAP_WRITE));
    const [asked, answered] = [event("asked"), event("answered")];
    while (words[1] === 0) {
      await win32.WaitForSingleObject(asked);
      Atomics.add(words, 0, 1);
      win32.SetEvent(answered);
    }
  },
  /** Owns the mutex until it is killed. */
  "own a mutex": async () => {
    const mutex = win32.OpenMutex(MUTEX_ALL_ACCESS, name);
    if (win32.WaitForSingleObjectSync(mutex, INFINITE) !== win32.WAIT_OBJECT_0) throw new Error("not owned");
    win32.SetEvent(event("owned"));
    await stay();
  },
  /** Adds 1 to the first word under the mutex, a hundred times, by reading and writing. */
  "add under a mutex": async () => {
    const mapping = win32.OpenFileMapping(FILE_MAP_WRITE, name);
    const words = new Int32Array(win32.MapViewOfFile(mapping, FILE_MAP_WRITE));
    const mutex = win32.OpenMutex(MUTEX_ALL_ACCESS, `${name}-mutex`);
    for (let i = 0; i < 100; i++) {
      if (i % 2 === 0) win32.WaitForSingleObjectSync(mutex);
      else await win32.WaitForSingleObject(mutex);
      const before = words[0];
      await new Promise((resolve) => setImmediate(resolve));
      words[0] = before + 1;
      win32.ReleaseMutex(mutex);
    }
  },
  /** Takes three of a semaphore and gives back one. */
  "take of a semaphore": async () => {
    const semaphore = win32.OpenSemaphore(SEMAPHORE_ALL_ACCESS, name);
    for (let i = 0; i < 3; i++) await win32.WaitForSingleObject(semaphore);
    win32.ReleaseSemaphore(semaphore);
  },
};

await ACTIONS[action]();
process.exit(0);
