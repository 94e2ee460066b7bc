import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { CommandError } from "./exit-codes.js";
import type { ByteRange } from "./hex-dump.js";

const PIECE_BYTES = 64 * 1024;

/**
 * Bytes of a region's file, piece by piece; also of one that is damaged. They are read and not mapped: what is cut off
 * meanwhile is then missing, and nothing worse.
 * @param end of what may be read; the file's end, if that comes first
 * @throws ERR_BAD_REGION, ERR_USAGE, ENOENT, EACCES, ELOOP
 */
export function* bytesOfFile(path: string, range: ByteRange, end: number): Generator<Uint8Array, void, void> {
  // Whatever has that name: a link is not followed, and a FIFO not waited for.
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new CommandError("ERR_BAD_REGION", `${path} is no regular file; remove it with rm(1)`, 1);
    const readable = Math.min(end, stat.size);
    if (range.offset >= readable && range.length > 0)
      throw new CommandError("ERR_USAGE", `there is nothing at ${range.offset}: it ends at ${readable}`, 2);
    const last = Math.min(readable, range.offset + range.length);
    const buffer = new Uint8Array(PIECE_BYTES);
    for (let at = range.offset; at < last;) {
      const length = readSync(descriptor, buffer, 0, Math.min(buffer.length, last - at), at);
      if (length === 0) return;
      yield buffer.subarray(0, length);
      at += length;
    }
  } finally {
    closeSync(descriptor);
  }
}
