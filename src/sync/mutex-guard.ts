import { wholeNumber } from "../base/arguments.js";
import { INSPECTED, shown } from "../base/inspection.js";
import type { Mutex } from "./mutex.js";

/** Possession of a {@link Mutex}, until `release()`. */
export class MutexGuard {
  /** True when the last owner died holding the mutex: told to the next owner only. The guarded words are as of its last commit. */
  get abandoned(): boolean {
    return this.wasAbandoned;
  }
  /** @internal */
  readonly mutex: Mutex;
  /** @internal Told anew whenever a wait on a condition has taken the mutex again. */
  wasAbandoned = false;
  /** @internal Which possession of the mutex this is. */
  possession = 0;

  /** @internal */
  constructor(mutex: Mutex) {
    this.mutex = mutex;
  }

  /** A guarded word, as a signed 32-bit integer; `index` is 0 to `wordCount` - 1. @throws ERR_NOT_HELD, ERR_OUT_OF_RANGE */
  get(index: number): number {
    return this.mutex.readWord(this, index);
  }

  /**
   * Changes a guarded word. The old value is journalled first: if this process dies before {@link commit} or
   * {@link release}, every word goes back to what it was. `value` is -2^31 to 2^32 - 1, kept as 32 bits.
   * @throws ERR_NOT_HELD, ERR_OUT_OF_RANGE
   */
  set(index: number, value: number): void {
    this.mutex.writeWord(this, index, wholeNumber(value, "value", -(2 ** 31), 2 ** 32 - 1));
  }

  /** Makes what was set final without releasing. @throws ERR_NOT_HELD */
  commit(): void {
    this.mutex.commitWords(this);
  }

  /** Undoes what was set since the last commit. @throws ERR_NOT_HELD */
  rollback(): void {
    this.mutex.undoWords(this);
  }

  /**
   * Releases; the last guard that this thread has of the mutex commits, and then somebody else can lock it. It can be
   * released also after the mutex was removed.
   * @throws ERR_NOT_HELD when the guard was released already, ERR_CLOSED, ERR_REGION_LOST
   */
  release(): void {
    this.mutex.unlock(this);
  }

  /** Releases if still held. */
  [Symbol.dispose](): void {
    if (this.mutex.isHeldBy(this)) this.release();
  }

  /** @internal */
  [INSPECTED](): string {
    return shown(this, this.mutex.address, this.mutex.isHeldBy(this) ? "" : "released");
  }
}
