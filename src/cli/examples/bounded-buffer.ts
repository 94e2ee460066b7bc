import { part, type MutexGuard, type PartsOf, type Region } from "#shmkit";

/** What the words say that the mutex guards; the places of the buffer follow. */
const WORD = { made: 0, taken: 1, sum: 2, places: 3 } as const;

/** Places of the buffer. */
export const CAPACITY = 8;

/** What is in shared memory: a mutex with the words that it guards, and what to wait for under it. */
const PARTS = {
  mutex: part.mutex({ words: WORD.places + CAPACITY }),
  notFull: part.condition(),
  notEmpty: part.condition(),
};

/**
 * The numbers from 1 on, on their way from producers to consumers through a few places in shared memory, with a mutex and
 * two condition variables. What is done under the mutex is done as a whole or, if the process is killed meanwhile, not at
 * all: so no number is lost, and none is taken twice.
 */
export class BoundedBuffer {
  private readonly numbers: number;
  private readonly parts: PartsOf<typeof PARTS>;

  private constructor(numbers: number, parts: PartsOf<typeof PARTS>) {
    this.numbers = numbers;
    this.parts = parts;
  }

  /** @param numbers how many there are to be */
  static async open(app: Region, numbers: number): Promise<BoundedBuffer> {
    const { parts } = await app.composite("buffer", PARTS);
    return new BoundedBuffer(numbers, parts);
  }

  /** Waits for a free place and puts the next number there; false when all have been put. */
  async put(): Promise<boolean> {
    return this.locked(async (guard) => {
      const made = (): number => guard.get(WORD.made);
      const isOver = (): boolean => made() === this.numbers;
      await this.parts.notFull.waitFor(guard, () => isOver() || made() - guard.get(WORD.taken) < CAPACITY);
      if (isOver()) return false;
      guard.set(WORD.places + (made() % CAPACITY), made() + 1);
      guard.set(WORD.made, made() + 1);
      // While the mutex is held: who is killed between a release and a notification leaves others asleep.
      this.parts.notEmpty.notifyOne();
      if (isOver()) this.parts.notFull.notifyAll();
      return true;
    });
  }

  /** Waits for a number, takes it and adds it up; false when all have been taken. */
  async take(): Promise<boolean> {
    return this.locked(async (guard) => {
      const taken = (): number => guard.get(WORD.taken);
      const isOver = (): boolean => taken() === this.numbers;
      await this.parts.notEmpty.waitFor(guard, () => isOver() || taken() < guard.get(WORD.made));
      if (isOver()) return false;
      guard.set(WORD.sum, guard.get(WORD.sum) + guard.get(WORD.places + (taken() % CAPACITY)));
      guard.set(WORD.taken, taken() + 1);
      this.parts.notFull.notifyOne();
      if (isOver()) this.parts.notEmpty.notifyAll();
      return true;
    });
  }

  /** How many numbers have been taken, and what they add up to. */
  async totals(): Promise<{ taken: number; sum: number }> {
    return this.locked((guard) => ({ taken: guard.get(WORD.taken), sum: guard.get(WORD.sum) }));
  }

  /** After a death: whoever was woken and died before it did anything woke nobody else. */
  wakeAll(): void {
    this.parts.notFull.notifyAll();
    this.parts.notEmpty.notifyAll();
  }

  private async locked<T>(work: (guard: MutexGuard) => T | Promise<T>): Promise<T> {
    const guard = await this.parts.mutex.lock();
    try {
      return await work(guard);
    } finally {
      guard.release();
    }
  }
}
