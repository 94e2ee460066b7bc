import { ShmkitError } from "../base/errors.js";

/** Possession of the lock of a {@link SharedMemory}, until `release()`. */
export class SharedMemoryLock {
  private unlock: (() => void) | undefined;

  /** @internal */
  constructor(unlock: () => void) {
    this.unlock = unlock;
  }

  /** Whether it was released, or its handle closed. */
  get released(): boolean {
    return this.unlock === undefined;
  }

  /** Releases; whoever looks next has it. @throws ERR_NOT_HELD when it was released already, or its handle closed */
  release(): void {
    const { unlock } = this;
    if (unlock === undefined)
      throw new ShmkitError("ERR_NOT_HELD", "the lock was released already, or its shared memory closed");
    this.unlock = undefined;
    unlock();
  }

  /** @internal Closing the handle has released it. */
  forget(): void {
    this.unlock = undefined;
  }

  /** Releases if still held. */
  [Symbol.dispose](): void {
    if (!this.released) this.release();
  }
}
