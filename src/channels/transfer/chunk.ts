import { ArgumentRangeError, ShmkitError } from "../../base/errors.js";
import type { PooledSegment } from "../../values/pooled-segment.js";
import type { SegmentPool } from "../../values/segment-pool.js";

/** What a round of a transfer says, in the order of its codes. */
const STATUSES: readonly TransferStatus[] = ["ok", "not-found", "failed"];
/** How a transfer ended: all of it came, there is nothing of that key, or whoever served it could not go on. */
export type TransferStatus = "ok" | "not-found" | "failed";

/** A round begins with this in the segment, little-endian: status and length of the chunk, u32; length of all, and the chunk's offset in it, f64. The chunk follows. */
const HEADER_BYTES = 24;

/** One round. */
export interface Chunk {
  readonly status: TransferStatus;
  /** Bytes of all of it. */
  readonly total: number;
  readonly offset: number;
  /** In shared memory. Of a failed transfer: the reason, as UTF-8. */
  readonly bytes: Uint8Array;
}

/** @throws ERR_OUT_OF_RANGE when a segment has no room for anything but what a round begins with */
export function checkRoom({ address, segmentBytes }: SegmentPool): void {
  if (segmentBytes > HEADER_BYTES) return;
  throw new ArgumentRangeError(
    "ERR_OUT_OF_RANGE",
    `transfers need segments of more than ${HEADER_BYTES} bytes, and those of ${address} have ${segmentBytes}`,
    { path: address, expected: HEADER_BYTES + 1, actual: segmentBytes },
  );
}

/** Where the bytes of a round go. */
export const roomFor = ({ bytes }: PooledSegment): Uint8Array => bytes.subarray(HEADER_BYTES);

/** Says what the round is; its bytes are there already. */
export function writeHeader(
  { bytes }: PooledSegment,
  { status, total, offset }: Omit<Chunk, "bytes">,
  length: number,
): void {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint32(0, STATUSES.indexOf(status), true);
  header.setUint32(4, length, true);
  header.setFloat64(8, total, true);
  header.setFloat64(16, offset, true);
  bytes.set(new Uint8Array(header.buffer));
}

/** Looks at a private copy of what the round says. @throws ERR_BAD_MESSAGE when it cannot be */
export function readChunk(segment: PooledSegment, expectedOffset: number): Chunk {
  const header = new DataView(segment.bytes.slice(0, HEADER_BYTES).buffer);
  const room = roomFor(segment);
  const status = STATUSES[header.getUint32(0, true)];
  const length = header.getUint32(4, true);
  const total = header.getFloat64(8, true);
  const offset = header.getFloat64(16, true);
  const isPossible = length <= room.length && Number.isSafeInteger(total) && total >= 0;
  const isNext =
    status !== "ok" || (offset === expectedOffset && offset + length <= total && (length > 0 || total === 0));
  if (status === undefined || !isPossible || !isNext)
    throw new ShmkitError(
      "ERR_BAD_MESSAGE",
      `segment ${segment.id} holds no chunk of a transfer at ${expectedOffset}`,
      {
        actual: { status: header.getUint32(0, true), length, total, offset },
      },
    );
  return { status, total, offset, bytes: room.subarray(0, length) };
}
