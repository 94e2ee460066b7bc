import { ShmkitError } from "../../base/errors.js";
import { knownOptions } from "../../base/arguments.js";
import { deadlineOf, now, WAIT_OPTIONS, type WaitOptions } from "../../base/deadline.js";
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
 * ERR_BAD_MESSAGE, ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_CLOSED, ERR_REGION_LOST
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
  const { onProgress, into, signal, timeoutMs } = knownOptions(
    options,
    [...WAIT_OPTIONS, "onProgress", "into"],
    "fetchTransfer",
  );
  checkRoom(pool);
  const deadline = deadlineOf(timeoutMs);
  const wait = (): WaitOptions => ({
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs: Math.max(deadline - now(), 0) }),
  });
  const exchange = new Exchange(pool, await pool.acquire(wait()));
  let bytes = new Uint8Array(0);
  let [received, rounds] = [0, 0];
  try {
    await requests.send({ key, segment: exchange.handOver() }, wait());
    for (;;) {
      const { status, total, bytes: chunk } = readChunk(await exchange.back(wait()), received);
      rounds++;
      const reason = status === "failed" ? { reason: new TextDecoder().decode(chunk.slice()) } : {};
      if (status !== "ok") return { status, bytes: new Uint8Array(0), received, total, rounds, ...reason };
      if (into !== undefined) await into(chunk, received, total);
      else {
        if (received === 0) bytes = new Uint8Array(total);
        if (bytes.length !== total) throw new ShmkitError("ERR_BAD_MESSAGE", `${key} has changed its length`);
        bytes.set(chunk, received);
      }
      received += chunk.length;
      onProgress?.({ received, total, rounds });
      if (received === total) return { status, bytes, received, total, rounds };
      exchange.handOver();
    }
  } catch (error) {
    if (!(error instanceof ShmkitError) || error.code !== "ERR_NOT_HELD") throw error;
    throw new ShmkitError(
      "ERR_NOT_HELD",
      `whoever served ${JSON.stringify(key)} has died or stopped after ${received} bytes; ask again`,
      { path: pool.address, cause: error },
    );
  } finally {
    exchange.end();
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

  async back(wait: WaitOptions): Promise<PooledSegment> {
    this.segment = await this.pool.takeBack(this.ticket!, wait);
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
