import { ArgumentError, ShmkitError } from "../../base/errors.js";
import { knownOptions, show } from "../../base/arguments.js";
import { remainingOf, WAIT_OPTIONS, type WaitOptions } from "../../base/deadline.js";
import type { PooledSegment, SegmentTicket } from "../../values/pooled-segment.js";
import type { SegmentPool } from "../../values/segment-pool.js";
import type { Pipe } from "../pipe.js";
import { checkRoom, readChunk, type TransferStatus } from "./chunk.js";
import type { TransferRequest } from "./serve.js";

/** How far a transfer is. */
export interface TransferProgress {
  /** Bytes that have come. */
  readonly received: number;
  /** Bytes of all of it. */
  readonly total: number;
  /** Rounds so far. */
  readonly rounds: number;
}

/** Options of {@link fetchTransfer}. `timeoutMs` is for all of it, waiting for a segment and a server included. */
export interface FetchTransferOptions extends WaitOptions {
  /** Called after each round. */
  onProgress?: (progress: TransferProgress) => void;
  /** Takes each chunk, which is shared memory and good until what this answers resolves; `bytes` is empty then. Default: chunks are put together. */
  into?: (chunk: Uint8Array, offset: number, total: number) => void | Promise<void>;
}

/** What came of a transfer. */
export interface Transfer extends TransferProgress {
  /** How it ended. */
  readonly status: TransferStatus;
  /** All of it, in memory of this process. Empty when there was nothing, and with `into`. */
  readonly bytes: Uint8Array;
  /** Of one that failed: what the server says. */
  readonly reason?: string;
}

/**
 * Asks the servers of a pipe for what is called `key`, and receives it through one segment of the pool, in as many rounds as it
 * takes. It may be called before any server is there. Giving up, by deadline or signal, frees the segment, at the latest when
 * the server hands it over again; whatever dies, nothing is left.
 * @throws ERR_NOT_HELD when the server died or stopped in the middle: ask again; ERR_TIMEOUT, the signal's reason,
 * ERR_BAD_MESSAGE, ERR_RUNTIME_LIMIT when it is more than one array can have and there is no `into`; ERR_MESSAGE_TOO_LARGE,
 * ERR_NOT_ENCODABLE, ERR_NO_SPACE of the request; ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_CLOSED,
 * ERR_REGION_LOST; what `into` or `onProgress` throws
 * @see [Segment pools](../../../docs/guide/segment-pool.md#transfers)
 * @example
 * ```ts
 * import { fetchTransfer, open, serveTransfers, type TransferRequest } from "shmkit";
 *
 * const app = await open("api-transfer");
 * const pool = await app.segmentPool("segments", { segments: 2, segmentBytes: 1024 });
 * const requests = await app.pipe<TransferRequest>("requests");
 * const files = new Map([["hello.txt", new Uint8Array(5000).fill(42)]]);
 * const serving = serveTransfers(pool, requests, (key) => files.get(key)); // in another process
 *
 * const { status, bytes, rounds } = await fetchTransfer(pool, requests, "hello.txt", { timeoutMs: 5000 });
 * console.log(status, bytes.length, rounds); // ok 5000 5
 * console.log((await fetchTransfer(pool, requests, "nothing.txt")).status); // not-found
 * await requests.close();
 * await serving;
 * await app.close();
 * ```
 */
export async function fetchTransfer(
  pool: SegmentPool,
  requests: Pipe<TransferRequest>,
  key: string,
  options?: FetchTransferOptions,
): Promise<Transfer> {
  const { onProgress, into } = knownOptions(options, [...WAIT_OPTIONS, "onProgress", "into"], "fetchTransfer");
  if (typeof key !== "string")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `key must be a string, not ${show(key)}`);
  checkCallback(into, "into");
  checkCallback(onProgress, "onProgress");
  checkRoom(pool);
  const wait = remainingOf(options);
  const exchange = new Exchange(pool, await pool.acquire(wait()));
  const goneError = (cause: unknown): ShmkitError =>
    new ShmkitError(
      "ERR_NOT_HELD",
      `whoever served ${JSON.stringify(key)} has died or stopped after ${received} bytes; ask again`,
      { path: pool.address, cause },
    );
  let bytes = new Uint8Array(0);
  let [received, rounds, all] = [0, 0, 0];
  try {
    await requests.send({ key, segment: exchange.handOver() }, wait());
    for (;;) {
      const { status, total, bytes: chunk } = readChunk(await exchange.back(wait(), goneError), received);
      rounds++;
      const reason = status === "failed" ? { reason: new TextDecoder().decode(chunk.slice()) } : {};
      if (status !== "ok") return { status, bytes: new Uint8Array(0), received, total, rounds, ...reason };
      if (rounds === 1) {
        all = total;
        if (into === undefined) bytes = bufferFor(total, pool.address);
      } else if (total !== all)
        throw new ShmkitError("ERR_BAD_MESSAGE", `${show(key)} has changed its length`, {
          expected: all,
          actual: total,
        });
      if (into === undefined) bytes.set(chunk, received);
      else await into(chunk, received, total);
      received += chunk.length;
      onProgress?.({ received, total, rounds });
      if (received === total) return { status, bytes, received, total, rounds };
      exchange.handOver();
    }
  } finally {
    exchange.end();
  }
}

function checkCallback(callback: unknown, name: string): void {
  if (callback === undefined || typeof callback === "function") return;
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `${name} must be a function, not ${show(callback)}`);
}

/** The length is the server's word. @throws ERR_RUNTIME_LIMIT */
function bufferFor(length: number, path: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    const message = `${length} bytes cannot be had in one array; take them piece by piece, with \`into\``;
    throw new ShmkitError("ERR_RUNTIME_LIMIT", message, { path, actual: length, cause });
  }
}

/** A segment that goes to and fro: here, or handed over. */
class Exchange {
  private ticket: SegmentTicket | undefined;

  constructor(
    private readonly pool: SegmentPool,
    private segment: PooledSegment,
  ) {}

  handOver(): SegmentTicket {
    return (this.ticket = this.segment.handOver());
  }

  /** @throws what `goneError` makes, when it will not come back */
  async back(wait: WaitOptions, goneError: (cause: unknown) => ShmkitError): Promise<PooledSegment> {
    try {
      this.segment = await this.pool.takeBack(this.ticket!, wait);
    } catch (error) {
      throw error instanceof ShmkitError && error.code === "ERR_NOT_HELD" ? goneError(error) : error;
    }
    this.ticket = undefined;
    return this.segment;
  }

  end(): void {
    try {
      if (this.ticket === undefined) this.segment.release();
      else this.pool.abandon(this.ticket);
    } catch {
      // With the handle, or the region, all of it has gone.
    }
  }
}
