import { setMaxListeners } from "node:events";
import { ArgumentError } from "../base/errors.js";
import { show } from "../base/arguments.js";
import { Turns } from "../base/pause.js";
import type { Lease } from "./lease.js";
import type { Pipe } from "./pipe.js";
import type { ReadableSettings } from "./stream-options.js";

/**
 * The messages for one stream. Each is on lease until its reader has it: what was taken when the stream is cancelled or
 * destroyed goes back to its place, and so does everything when the process dies.
 */
export class StreamSource<T> {
  /** Receives under way and messages ahead of the reader, in order. */
  private readonly coming: Promise<Lease<T> | undefined>[] = [];
  private readonly stopping = new AbortController();
  private readonly turns = new Turns();

  constructor(
    private readonly pipe: Pipe<T>,
    private readonly settings: ReadableSettings,
  ) {
    setMaxListeners(0, this.stopping.signal);
  }

  /** Aborted when the source is stopped. */
  get stopped(): AbortSignal {
    return this.stopping.signal;
  }

  /**
   * Waits for the next message and hands it over, unless the source is stopped first; `hand` ends its lease. False when
   * the pipe is closed and empty.
   * @throws as `Pipe.receive`; ERR_INVALID_ARGUMENT
   */
  async deliver(hand: (lease: Lease<T>) => void): Promise<boolean> {
    for (;;) {
      const turn = this.turns.due();
      if (turn !== undefined) await turn;
      while (!this.stopped.aborted && this.coming.length <= this.settings.highWaterMark) this.coming.push(this.take());
      const lease = await this.coming.shift();
      // From here on in one step: a stop comes before it or after it.
      if (this.stopped.aborted) {
        if (lease !== undefined) putBack(lease);
        return true;
      }
      if (lease === undefined) return false;
      this.check(lease);
      if (!this.isNoChunk(lease.value)) {
        hand(lease);
        return true;
      }
      lease.ack();
    }
  }

  /** Streams of bytes have no chunks without any. */
  private isNoChunk(value: T): boolean {
    return this.settings.isBytes && (value as Uint8Array).length === 0;
  }

  /** The reader that it was for is gone: it is for the next one. */
  keep(lease: Lease<T>): void {
    this.coming.unshift(Promise.resolve(lease));
  }

  /** Takes nothing more, and puts back what is ahead of the reader. Idempotent. */
  stop(): void {
    this.stopping.abort();
    for (const promise of this.coming.splice(0))
      void promise.then((lease) => {
        if (lease !== undefined) putBack(lease);
      }, ignore);
  }

  private take(): Promise<Lease<T> | undefined> {
    const taken = this.pipe.receive({ lease: true, signal: this.stopped }).catch((error: unknown) => {
      if (this.stopped.aborted || this.pipe.isEnd(error)) return undefined;
      throw error;
    });
    // One that is ahead of the reader fails before anybody asks for it.
    taken.catch(ignore);
    return taken;
  }

  /** @throws ERR_INVALID_ARGUMENT for a value where there must be bytes; the message goes back */
  private check(lease: Lease<T>): void {
    if (!this.settings.isBytes || lease.value instanceof Uint8Array) return;
    putBack(lease);
    throw new ArgumentError(
      "ERR_INVALID_ARGUMENT",
      `the next message of ${this.pipe.address} is ${show(lease.value)}, not bytes; read it with mode "values"`,
      { path: this.pipe.address },
    );
  }
}

const ignore = (): undefined => undefined;

/** Gives a message back, unless that has happened already: with the handle, or with the region. */
export function putBack(lease: Lease<unknown>): void {
  try {
    if (!lease.isSettled) lease.nack();
  } catch {
    return;
  }
}
