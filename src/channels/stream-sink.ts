import { ArgumentError } from "../base/errors.js";
import { show } from "../base/arguments.js";
import type { Pipe } from "./pipe.js";
import type { WritableSettings } from "./stream-options.js";

/** Where the chunks of one stream go. */
export class StreamSink<T> {
  constructor(
    private readonly pipe: Pipe<T>,
    private readonly settings: WritableSettings,
  ) {}

  /** Resolves when the chunk is in the pipe. @throws as `Pipe.send` */
  async write(chunk: T, signal: AbortSignal): Promise<void> {
    if (!this.settings.isBytes) return this.pipe.send(chunk, { signal });
    const bytes = bytesOf(chunk);
    const { maxMessageBytes } = this.settings;
    for (let from = 0; from < bytes.length; from += maxMessageBytes)
      await this.pipe.send(bytes.subarray(from, from + maxMessageBytes) as T, { signal });
  }

  /** The end of the stream. */
  async end(signal: AbortSignal): Promise<void> {
    if (this.settings.closePipe) await this.pipe.close({ signal });
  }
}

/** @throws ERR_INVALID_ARGUMENT */
function bytesOf(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer || chunk instanceof SharedArrayBuffer) return new Uint8Array(chunk);
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `a chunk in the mode "bytes" must be bytes, not ${show(chunk)}`);
}
