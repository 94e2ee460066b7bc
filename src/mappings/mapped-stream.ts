import type { Readable, Writable } from "node:stream";
import { ArgumentError, ArgumentRangeError } from "../base/errors.js";
import { show, wholeNumber } from "../base/arguments.js";
import type { MappedView } from "./mapped-view.js";

const CHUNK_BYTES = 65536;

/** Loaded when it is first needed: it takes milliseconds. */
const nodeStream = (): typeof import("node:stream") => process.getBuiltinModule("node:stream");

/**
 * A {@link MappedView} that is read and written from one end to the other: the `MemoryMappedViewStream` of .NET. Its length is
 * fixed. Every stream it makes goes on from {@link position}, and hands out copies.
 */
export class MappedStream {
  /** The view, which is closed with it. */
  readonly view: MappedView;
  private at = 0;

  /** @internal */
  constructor(view: MappedView) {
    this.view = view;
  }

  /** Bytes. */
  get length(): number {
    return this.view.capacity;
  }

  /** Where the next byte is read or written; its length at the end. */
  get position(): number {
    return this.at;
  }
  /** Goes on elsewhere. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  set position(value: number) {
    this.at = wholeNumber(value, "position", 0, this.length);
  }

  /** Reads on into `target`; answers how many bytes, 0 at the end. @throws as {@link MappedView} */
  read(target: Uint8Array): number {
    if (this.at === this.length) {
      this.view.check();
      return 0;
    }
    const read = this.view.readBytes(this.at, target);
    this.at += read;
    return read;
  }

  /** Writes on: all of it, or nothing when it does not fit any more. @throws as {@link MappedView} */
  write(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array))
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `bytes must be a Uint8Array, not ${show(bytes)}`);
    this.view.check();
    if (bytes.length > this.length - this.at)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `${bytes.length} bytes do not fit the ${this.length - this.at} that are left`,
        {
          expected: this.length - this.at,
          actual: bytes.length,
        },
      );
    if (bytes.length > 0) this.view.writeBytes(this.at, bytes);
    this.at += bytes.length;
  }

  private chunk(): Uint8Array | undefined {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, this.length - this.at));
    return this.read(chunk) === 0 ? undefined : chunk;
  }

  /** A Web stream of the rest, in chunks of at most 64 KiB. */
  readable(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          const chunk = this.chunk();
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        },
      },
      { highWaterMark: 0 },
    );
  }

  /** A Web stream into it. What does not fit fails the stream. */
  writable(): WritableStream<Uint8Array> {
    return new WritableStream<Uint8Array>({ write: (chunk) => this.write(chunk) });
  }

  /** {@link readable} as a Node stream. */
  nodeReadable(): Readable {
    const { Readable } = nodeStream();
    const next = (): Uint8Array | null => this.chunk() ?? null;
    return new Readable({
      read() {
        try {
          this.push(next());
        } catch (error) {
          this.destroy(error as Error);
        }
      },
    });
  }

  /** {@link writable} as a Node stream. */
  nodeWritable(): Writable {
    const { Writable } = nodeStream();
    return new Writable({
      write: (chunk: Uint8Array, _, done) => {
        try {
          this.write(chunk);
          done();
        } catch (error) {
          done(error as Error);
        }
      },
    });
  }

  /** {@link MappedView.close} */
  close(): void {
    this.view.close();
  }

  /** {@link close}, as `using` calls it. */
  [Symbol.dispose](): void {
    this.close();
  }
}
