import { array, int32, SharedMemory, ShmkitError, struct, SystemSemaphore } from "#shmkit";
import { CommandError } from "../exit-codes.js";

/** How many numbers there is room for. */
const QUEUE_LENGTH = 4;

/** The memory, as the program for Qt has it: a header, and a ring of numbers. `back` is where the next one goes. */
const SharedQueue = struct({
  queueLength: int32,
  front: int32,
  back: int32,
  count: int32,
  numbers: array(int32, QUEUE_LENGTH),
});
type Queue = ReturnType<ReturnType<typeof SharedQueue.cursor>["at"]>;

/** In place of `queueLength`: the last one has left, and this memory has no name any more. */
const ENDED = -1;

/** A wake-up may be lost with a process that was killed: who waits looks again after so long anyway. */
const LOOK_AGAIN_MS = 100;

/**
 * A queue of numbers in a block of shared memory, with the lock of the block, and two semaphores to wait with. Whoever comes
 * first makes it, whoever leaves last takes it away, and whoever is killed harms nobody.
 */
export class SharedDeque {
  private readonly memory: SharedMemory;
  private readonly queue: Queue;
  private readonly notEmpty: SystemSemaphore;
  private readonly notFull: SystemSemaphore;
  private readonly signal: AbortSignal;

  private constructor(memory: SharedMemory, queue: Queue, signal: AbortSignal) {
    this.memory = memory;
    this.queue = queue;
    this.notEmpty = SystemSemaphore.openOrCreate(`${memory.name}-not-empty`);
    this.notFull = SystemSemaphore.openOrCreate(`${memory.name}-not-full`);
    this.signal = signal;
  }

  static async open(key: string, signal: AbortSignal): Promise<SharedDeque> {
    for (;;) {
      const memory = await SharedMemory.openOrCreate(key, { size: SharedQueue.size });
      try {
        // Without the signal: who is interrupted later leaves in good order, and the lock is held for moments.
        const lock = await memory.lock();
        const queue = SharedQueue.cursor(memory.buffer).at(0);
        if (queue.queueLength === 0) queue.queueLength = QUEUE_LENGTH; // new memory is zero
        if (queue.queueLength === QUEUE_LENGTH) {
          const deque = new SharedDeque(memory, queue, signal);
          lock.release();
          return deque;
        }
        if (queue.queueLength !== ENDED) throw new CommandError("ERR_USAGE", `${memory.path} is no shared deque`, 2);
        memory.unlink(); // the last one may have been killed before it did
      } catch (error) {
        memory.close();
        throw error;
      }
      memory.close();
    }
  }

  /** False when it is full. */
  async enqueue(number: number): Promise<boolean> {
    return this.locked((queue) => {
      if (queue.count === queue.queueLength) return false;
      queue.numbers.set(queue.back, number);
      queue.back = (queue.back + 1) % queue.queueLength;
      queue.count++;
      wake(this.notEmpty);
      return true;
    });
  }

  /** Undefined when it is empty. */
  async dequeue(): Promise<number | undefined> {
    return this.locked((queue) => {
      if (queue.count === 0) return undefined;
      const number = queue.numbers.get(queue.front);
      queue.front = (queue.front + 1) % queue.queueLength;
      queue.count--;
      wake(this.notFull);
      return number;
    });
  }

  /** Enqueues it as soon as there is room. */
  async put(number: number): Promise<void> {
    while (!(await this.enqueue(number))) await this.woken(this.notFull);
  }

  /** Dequeues a number as soon as there is one. */
  async take(): Promise<number> {
    for (;;) {
      const number = await this.dequeue();
      if (number !== undefined) return number;
      await this.woken(this.notEmpty);
    }
  }

  /** Resolves when everything has been dequeued. */
  async drained(): Promise<void> {
    while (await this.locked((queue) => queue.count > 0)) await this.woken(this.notFull);
  }

  /** The last one takes the names away: the memory of Qt goes with its last user as well. */
  async leave(): Promise<void> {
    await this.memory.lock();
    if (this.memory.attachCount === 1) {
      this.queue.queueLength = ENDED;
      for (const each of [this.notEmpty, this.notFull, this.memory]) each.unlink();
    }
    for (const each of [this.notEmpty, this.notFull, this.memory]) each.close();
  }

  private async locked<T>(work: (queue: Queue) => T): Promise<T> {
    const lock = await this.memory.lock({ signal: this.signal });
    try {
      repair(this.queue);
      return work(this.queue);
    } finally {
      lock.release();
    }
  }

  private async woken(semaphore: SystemSemaphore): Promise<void> {
    try {
      await semaphore.acquire({ timeoutMs: LOOK_AGAIN_MS, signal: this.signal });
    } catch (error) {
      if (!(error instanceof ShmkitError) || error.code !== "ERR_TIMEOUT") throw error;
    }
  }
}

/** One permit says everything there is to say: look. */
function wake(semaphore: SystemSemaphore): void {
  if (semaphore.value === 0) semaphore.release();
}

/** A process was killed with the lock: if it had changed front or back and not yet the count, that is done for it. */
function repair(queue: Queue): void {
  const wouldFit = (count: number): boolean => (queue.front + count) % queue.queueLength === queue.back;
  queue.count = [queue.count, queue.count + 1, queue.count - 1].find(wouldFit) ?? queue.count;
}
