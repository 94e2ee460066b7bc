import type { Readable, Writable } from "node:stream";
import { ArgumentError } from "../base/errors.js";
import type { Lease } from "./lease.js";
import type { Pipe } from "./pipe.js";
import {
  readableSettings,
  writableSettings,
  type PipeReadableOptions,
  type PipeWritableOptions,
} from "./stream-options.js";
import { StreamSink } from "./stream-sink.js";
import { putBack, StreamSource } from "./stream-source.js";

/** Loaded when it is first needed: it takes milliseconds. */
const nodeStream = (): typeof import("node:stream") => process.getBuiltinModule("node:stream");

/** What a Node stream has taken in and not given out, by the leases it came under. */
class Buffered<T> {
  private readonly leases: { readonly lease: Lease<T>; readonly start: number }[] = [];
  private pushed = 0;

  constructor(private readonly stream: Readable) {}

  /** Pushes a chunk; a flowing stream gives it out at once. */
  push(lease: Lease<T>): void {
    const before = this.stream.readableLength;
    this.leases.push({ lease, start: this.pushed });
    try {
      this.stream.push(lease.value);
    } finally {
      const grown = this.stream.readableLength - before;
      this.pushed += Math.max(grown, 0);
      if (grown <= 0) this.leases.pop()?.lease.ack();
    }
  }

  /** Ends the leases of what has been read, be it in part. */
  settle(): void {
    const read = this.pushed - this.stream.readableLength;
    while (this.leases.length > 0 && this.leases[0].start < read) this.leases.shift()!.lease.ack();
  }

  /** Puts back what has not been read. */
  return(): void {
    this.settle();
    for (const { lease } of this.leases.splice(0)) putBack(lease);
  }
}

/** A Node stream of the messages. It reads nothing ahead of its own: what is ahead is on lease in the source. */
export function nodeReadable<T>(pipe: Pipe<T>, options: PipeReadableOptions | undefined): Readable {
  const settings = readableSettings(options, "nodeReadable");
  const source = new StreamSource(pipe, settings);
  const hand = (lease: Lease<T>): void => {
    if (lease.value !== null) {
      buffered.push(lease);
      return;
    }
    putBack(lease);
    throw new ArgumentError(
      "ERR_INVALID_ARGUMENT",
      `the next message of ${pipe.address} is null, which would end a Node stream; read it in another way`,
    );
  };
  const pull = async (): Promise<void> => {
    try {
      if (!(await source.deliver(hand))) stream.push(null);
    } catch (error) {
      stream.destroy(error as Error);
    }
  };
  const stream = new (nodeStream().Readable)({
    objectMode: !settings.isBytes,
    highWaterMark: 0,
    read: () => void pull(),
    destroy: (error, callback) => {
      source.stop();
      buffered.return();
      callback(error);
    },
  });
  const buffered = new Buffered<T>(stream);
  const read = stream.read.bind(stream);
  stream.read = (size) => {
    const chunk: unknown = read(size);
    buffered.settle();
    return chunk;
  };
  return endedBy(settings.signal, stream);
}

/** A Node stream into the pipe. */
export function nodeWritable<T>(pipe: Pipe<T>, options: PipeWritableOptions | undefined): Writable {
  const settings = writableSettings(options, "nodeWritable");
  const sink = new StreamSink(pipe, settings);
  const stopping = new AbortController();
  const after = (work: Promise<void>, callback: (error?: Error | null) => void): void =>
    void work.then(() => callback(), callback);
  const stream = new (nodeStream().Writable)({
    objectMode: !settings.isBytes,
    highWaterMark: settings.highWaterMark,
    write: (chunk: T, _encoding, callback) => after(sink.write(chunk, stopping.signal), callback),
    final: (callback) => after(sink.end(stopping.signal), callback),
    destroy: (error, callback) => {
      stopping.abort();
      callback(error);
    },
  });
  return endedBy(settings.signal, stream);
}

/** Destroys the stream when the signal is aborted; at once, if it has been. */
function endedBy<S extends Readable | Writable>(signal: AbortSignal | undefined, stream: S): S {
  if (signal !== undefined) nodeStream().addAbortSignal(signal, stream);
  return stream;
}
