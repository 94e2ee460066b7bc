import { setTimeout as sleep } from "node:timers/promises";
import type { WaitOptions } from "#shmkit";
import { durationMs } from "./durations.js";
import { CommandError } from "./exit-codes.js";

/** Longest wait between two looks at the region. */
const LOOK_MS = 1000;

/** How long a command waits for something to move: until `--timeout` has passed without progress, or it is interrupted. */
export class Patience {
  private readonly limitMs: number;
  /** How the limit is told to people: as they gave it. */
  private readonly limit: string;
  private readonly signal: AbortSignal | undefined;
  private movedAt = performance.now();

  private constructor(limitMs: number, limit: string, signal: AbortSignal | undefined) {
    this.limitMs = limitMs;
    this.limit = limit;
    this.signal = signal;
  }

  /** @param timeout the value of `--timeout`, if given */
  static of(timeout: string | undefined, signal: AbortSignal): Patience {
    if (timeout === undefined) return new Patience(Number.POSITIVE_INFINITY, "", signal);
    return new Patience(durationMs(timeout, "--timeout"), /\d$/.test(timeout) ? `${timeout}s` : timeout, signal);
  }

  /** For tidying up at the end, also after an interruption: bounded, since a stopped process may stand in the way. */
  static toTidyUp(): Patience {
    return new Patience(2000, "2s", undefined);
  }

  /** Something moved: the time starts again. */
  progress(): void {
    this.movedAt = performance.now();
  }

  /** Whole milliseconds left, at least 0: errors of the library name them. */
  get leftMs(): number {
    return Math.max(0, Math.ceil(this.movedAt + this.limitMs - performance.now()));
  }

  /** ` within 200ms`, for the message that it was not; nothing where no time was given to wait. */
  get within(): string {
    return this.limitMs > 0 && this.limitMs < Number.POSITIVE_INFINITY ? ` within ${this.limit}` : "";
  }

  /** What a wait of the library takes. */
  options(): WaitOptions {
    const { signal, leftMs } = this;
    return {
      ...(signal === undefined ? {} : { signal }),
      ...(leftMs === Number.POSITIVE_INFINITY ? {} : { timeoutMs: leftMs }),
    };
  }

  async pause(ms: number): Promise<void> {
    this.check("waiting");
    await sleep(Math.min(ms, this.leftMs), undefined, this.signal === undefined ? {} : { signal: this.signal });
  }

  /**
   * Waits in steps of at most a second, with a look between them.
   * @throws ERR_TIMEOUT, the reason of the interruption, what `look` throws
   */
  async wait<T>(what: string, attempt: (options: WaitOptions) => Promise<T>, look: () => unknown): Promise<T> {
    for (;;) {
      const { leftMs } = this;
      try {
        const result = await attempt({ ...this.options(), timeoutMs: Math.min(LOOK_MS, leftMs) });
        this.progress();
        return result;
      } catch (error) {
        if (!isTimeout(error)) throw error;
      }
      this.check(what);
      await look();
    }
  }

  /** @throws ERR_TIMEOUT when nothing moved for too long; the reason of the interruption */
  check(what: string): void {
    this.signal?.throwIfAborted();
    if (this.leftMs <= 0) throw new CommandError("ERR_TIMEOUT", `${what}: nothing moved for ${this.limit}`, 3);
  }
}

export const isTimeout = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ERR_TIMEOUT";
