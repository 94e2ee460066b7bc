import { ArgumentError, ShmkitError, type ErrorCode } from "../../base/errors.js";
import { knownOptions, show, wholeNumber } from "../../base/arguments.js";
import { deadlineOf, signalArgument } from "../../base/deadline.js";
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
  /**
   * Reads bytes from `offset` on into the beginning of `target`; how many, at least 1. `target` is shared memory, and good until
   * what this answers resolves, unless the pool's handle or the region is closed before: then it is the next holder's. So end
   * serving first.
   */
  read(target: Uint8Array, offset: number): number | Promise<number>;
  /** Called once, when the transfer has ended in whatever way; what it throws is ignored. */
  close?(): void | Promise<void>;
}

/** What there is of a key: bytes, or where they come from; undefined is "not-found". */
export type TransferFinder = (
  key: string,
) => Uint8Array | TransferSource | undefined | Promise<Uint8Array | TransferSource | undefined>;

/** Options of {@link serveTransfers}. */
export interface ServeTransfersOptions extends ProcessOptions {
  /** Milliseconds that whoever asked may take for a round; then its transfer ends, with ERR_NOT_HELD for it. Default: no limit, so one that is stopped keeps a server waiting. */
  roundTimeoutMs?: number;
}

const hasCode = (error: unknown, ...codes: ErrorCode[]): boolean =>
  error instanceof ShmkitError && codes.includes(error.code);

/**
 * Serves transfers: takes requests from a pipe and sends what `find` answers for their keys, in rounds through the segment
 * that each request brings. Several processes may serve one pipe. A request is on lease: if this process dies before it has
 * taken the segment, another server gets the request; dies it later, {@link fetchTransfer} says so to whoever asked. Who
 * asked and died, or gave up, is served no further. What `find` or a source throws is told to whoever asked. A message that
 * is no request, or cannot be decoded, is dropped.
 *
 * Resolves, to the number of requests that were dealt with, when the pipe is closed and empty or the signal aborts; transfers
 * under way are finished first. Rejects with ERR_CLOSED when the pipe's handle is given up or the pipe removed, and as soon
 * as something is to be done with a pool whose handle is given up or that is removed: that request stays in the pipe.
 * @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT, ERR_UNKNOWN_OPTION, ERR_CLOSED, ERR_REGION_LOST
 * @see [Segment pools](../../../docs/guide/segment-pool.md#transfers)
 */
export async function serveTransfers(
  pool: SegmentPool,
  requests: Pipe<TransferRequest>,
  find: TransferFinder,
  options?: ServeTransfersOptions,
): Promise<number> {
  const { roundTimeoutMs, signal, ...rest } = knownOptions(
    options,
    ["concurrency", "signal", "roundTimeoutMs"],
    "serveTransfers",
  );
  if (typeof find !== "function")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `find must be a function, not ${show(find)}`);
  deadlineOf(roundTimeoutMs, "roundTimeoutMs");
  checkRoom(pool);
  // Without an end of its own, the pipe would give the same request to this process for ever.
  const ending = new AbortController();
  const given = signalArgument(signal);
  const ends = given === undefined ? ending.signal : AbortSignal.any([given, ending.signal]);
  let failure: { readonly error: unknown } | undefined;
  let done = 0;
  const work = async (request: TransferRequest): Promise<void> => {
    try {
      await serve(pool, request, find, roundTimeoutMs);
      done++;
    } catch (error) {
      failure ??= { error };
      ending.abort();
      throw error;
    }
  };
  for (let isOver = false; !isOver;) {
    try {
      await requests.process(work, { ...rest, signal: ends });
      isOver = true;
    } catch (error) {
      // A message that cannot be decoded has left the pipe.
      if (!hasCode(error, "ERR_BAD_MESSAGE")) throw error;
    }
  }
  if (failure !== undefined) throw failure.error;
  return done;
}

/** @throws ERR_CLOSED, ERR_REGION_LOST: nothing can be served any more */
async function serve(
  pool: SegmentPool,
  request: TransferRequest,
  find: TransferFinder,
  roundTimeoutMs: number | undefined,
): Promise<void> {
  let source: TransferSource | undefined;
  let segment: PooledSegment | undefined;
  try {
    segment = pool.takeOver(request.segment);
    const { key }: { key: unknown } = request;
    if (typeof key !== "string") return;
    let offset = 0;
    let isFound: boolean | undefined;
    for (;;) {
      try {
        if (isFound === undefined) source = sourceOf(await find(key));
        isFound = source !== undefined;
        offset += source === undefined ? say(segment, "not-found") : await fill(segment, source, offset);
      } catch (error) {
        // Told to whoever asked, who then asks no further.
        say(segment, "failed", reasonOf(error));
      }
      segment = await nextRound(pool, segment, roundTimeoutMs);
    }
  } catch (error) {
    // Otherwise whoever asked has all that it wants, or is gone or too slow, or this was no request.
    if (hasCode(error, "ERR_CLOSED", "ERR_REGION_LOST")) throw error;
  } finally {
    try {
      segment?.[Symbol.dispose]();
    } finally {
      await closeQuietly(source);
    }
  }
}

async function nextRound(
  pool: SegmentPool,
  segment: PooledSegment,
  timeoutMs: number | undefined,
): Promise<PooledSegment> {
  const ticket = segment.handOver();
  try {
    return await pool.takeBack(ticket, timeoutMs === undefined ? undefined : { timeoutMs });
  } catch (error) {
    if (hasCode(error, "ERR_TIMEOUT")) pool.abandon(ticket);
    throw error;
  }
}

/** The transfer is over: a source that fails at its end must not bring the request back. */
async function closeQuietly(source: TransferSource | undefined): Promise<void> {
  try {
    await source?.close?.();
  } catch {
    // Nobody waits for it any more.
  }
}

/** What was thrown, which need not be an error, as text. */
function reasonOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return "something that cannot be shown was thrown";
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
  const total = wholeNumber(source.length, "a source's length", offset, Number.MAX_SAFE_INTEGER);
  const room = roomFor(segment).subarray(0, total - offset);
  const read: unknown = total === 0 ? 0 : await source.read(room, offset);
  if (read === 0 && total > 0) throw new Error(`there are ${offset} bytes and not ${total}`);
  const length = wholeNumber(read, "what a source's read answers", 0, room.length);
  writeHeader(segment, { status: "ok", total, offset }, length);
  return length;
}

/** Puts something else than a chunk into the segment. */
function say(segment: PooledSegment, status: "not-found" | "failed", text = ""): number {
  const { written } = new TextEncoder().encodeInto(text, roomFor(segment));
  writeHeader(segment, { status, total: 0, offset: 0 }, written);
  return 0;
}
