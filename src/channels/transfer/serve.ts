import { ArgumentError, ShmkitError, type ErrorCode } from "../../base/errors.js";
import { knownOptions, show } from "../../base/arguments.js";
import type { PooledSegment, SegmentTicket } from "../../values/pooled-segment.js";
import type { SegmentPool } from "../../values/segment-pool.js";
import type { Pipe, ProcessOptions } from "../pipe.js";
import { checkRoom, roomFor, writeHeader } from "./chunk.js";

/** What asks for a transfer: a message of the pipe that servers take requests from. */
export interface TransferRequest {
  /** What is wanted. */
  readonly key: string;
  /** The segment that it is to come through, which is the asker's until somebody serves it. */
  readonly segment: SegmentTicket;
}

/** Where the bytes of a transfer come from, when they are not in memory. */
export interface TransferSource {
  /** Bytes of all of it. */
  readonly length: number;
  /** Reads bytes from `offset` on into the beginning of `target`; how many, at least 1. `target` is shared memory, and good for this call. */
  read(target: Uint8Array, offset: number): number | Promise<number>;
  /** Called once, when the transfer has ended in whatever way. */
  close?(): void | Promise<void>;
}

/** What there is of a key: bytes, or where they come from; undefined is "not-found". */
export type TransferFinder = (
  key: string,
) => Uint8Array | TransferSource | undefined | Promise<Uint8Array | TransferSource | undefined>;

/** After these nothing can be served any more. */
const ENDS: readonly ErrorCode[] = ["ERR_CLOSED", "ERR_REGION_LOST"];

/**
 * Serves transfers: takes requests from a pipe and sends what `find` answers for their keys, in rounds through the segment
 * that each request brings. Several processes may serve one pipe. A request is on lease: if this process dies before it has
 * taken the segment, another server gets the request; dies it later, {@link fetchTransfer} says so to whoever asked. Who
 * asked and died, or gave up, is served no further. What `find` or a source throws is told to whoever asked.
 *
 * Resolves, to the number of requests that were dealt with, when the pipe is closed and empty or the signal aborts; transfers
 * under way are finished first.
 * @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_CLOSED, ERR_REGION_LOST
 * @see [Segment pools](../../../docs/guide/segment-pool.md#transfers)
 */
export async function serveTransfers(
  pool: SegmentPool,
  requests: Pipe<TransferRequest>,
  find: TransferFinder,
  options?: ProcessOptions,
): Promise<number> {
  knownOptions(options, ["concurrency", "signal"], "serveTransfers");
  if (typeof find !== "function")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `find must be a function, not ${show(find)}`);
  checkRoom(pool);
  return requests.process((request) => serve(pool, request, find), options);
}

async function serve(pool: SegmentPool, request: TransferRequest, find: TransferFinder): Promise<void> {
  let source: TransferSource | undefined;
  try {
    let segment = pool.takeOver(request.segment);
    let offset = 0;
    let isFound: boolean | undefined;
    for (;;) {
      try {
        if (isFound === undefined) source = sourceOf(await find(request.key));
        isFound = source !== undefined;
        offset += source === undefined ? say(segment, "not-found") : await fill(segment, source, offset);
      } catch (error) {
        // Told to whoever asked, who then asks no further.
        say(segment, "failed", error instanceof Error ? error.message : String(error));
      }
      segment = await pool.takeBack(segment.handOver());
    }
  } catch (error) {
    // Otherwise whoever asked has all that it wants, or is gone, or this was no request.
    if (error instanceof ShmkitError && ENDS.includes(error.code)) throw error;
  } finally {
    await source?.close?.();
  }
}

function sourceOf(found: Uint8Array | TransferSource | undefined): TransferSource | undefined {
  if (!(found instanceof Uint8Array)) return found;
  return {
    length: found.length,
    read(target, offset) {
      const part = found.subarray(offset, offset + target.length);
      target.set(part);
      return part.length;
    },
  };
}

/** Puts the next chunk into the segment; how long it is. */
async function fill(segment: PooledSegment, source: TransferSource, offset: number): Promise<number> {
  const { length: total } = source;
  const room = roomFor(segment).subarray(0, total - offset);
  const length = total === 0 ? 0 : await source.read(room, offset);
  if (length === 0 && total > 0) throw new Error(`there are ${offset} bytes and not ${total}`);
  writeHeader(segment, { status: "ok", total, offset }, length);
  return length;
}

/** Puts something else than a chunk into the segment. */
function say(segment: PooledSegment, status: "not-found" | "failed", text = ""): number {
  const { written } = new TextEncoder().encodeInto(text, roomFor(segment));
  writeHeader(segment, { status, total: 0, offset: 0 }, written);
  return 0;
}
