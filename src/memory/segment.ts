import { ShmkitError } from "../base/errors.js";
import { checkResult, systemError, ERRNO } from "../base/system-errors.js";
import { native } from "../native/addon.js";
import { StatusWord, type Mapping, type MappingId } from "../native/contract.js";

/** Maps a file from its beginning. @throws ERR_RUNTIME_LIMIT, ERR_NO_SPACE (of address space), ERR_SYSTEM */
export function mapFile(
  descriptor: number,
  lengthBytes: number,
  path: string,
  options: { writable: boolean; shared: boolean; keepsFile: boolean; advice: string },
): Mapping {
  const { writable, shared, keepsFile, advice } = options;
  const mapping = native.map(descriptor, lengthBytes, writable, shared, keepsFile);
  if (typeof mapping !== "number") return mapping;
  if (mapping !== -ERRNO.notSupported) throw systemError(mapping, "mmap", path);
  throw new ShmkitError(
    "ERR_RUNTIME_LIMIT",
    shared
      ? "this runtime cannot wrap foreign memory in a SharedArrayBuffer; leave out { shared: true } or use Node 22.23, 24.21 or 26.10, or Bun 1.4"
      : `this runtime refuses a buffer of ${lengthBytes} bytes; ${advice}`,
    { path, actual: lengthBytes },
  );
}

/** A mapped region: typed views of the same bytes, and what the addon says about the mapping. */
export class Segment {
  readonly id: MappingId;
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly floats: Float64Array;
  readonly longs: BigInt64Array;
  /** Process-private status words of the addon. */
  readonly status: Int32Array;
  readonly path: string;

  constructor(descriptor: number, lengthBytes: number, path: string, options: { writable: boolean; shared: boolean }) {
    const mapping = mapFile(descriptor, lengthBytes, path, {
      ...options,
      keepsFile: false,
      advice: "open the region with a smaller maxSize",
    });
    this.id = mapping.id;
    this.path = path;
    this.words = new Int32Array(mapping.buffer);
    this.bytes = new Uint8Array(mapping.buffer);
    this.floats = new Float64Array(mapping.buffer);
    this.longs = new BigInt64Array(mapping.buffer);
    this.status = new Int32Array(mapping.status);
  }

  get lost(): boolean {
    return this.status[StatusWord.lost] !== 0;
  }

  /** @throws ERR_REGION_LOST when a fault replaced the mapping. */
  checkNotLost(): void {
    if (this.lost) throw this.lostError();
  }

  lostError(): ShmkitError {
    return new ShmkitError(
      "ERR_REGION_LOST",
      `the region behind ${this.path} was truncated or lost its backing; close it and open or create it again`,
      { path: this.path },
    );
  }

  /** Replaces the pages by private zeroes and releases what the mapping holds; views stay usable. */
  close(): void {
    checkResult(native.closeMapping(this.id), "munmap", this.path);
  }
}
