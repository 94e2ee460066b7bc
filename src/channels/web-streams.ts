import type { UnderlyingByteSource } from "node:stream/web";
import { onAbort } from "../base/abort.js";
import type { Pipe } from "./pipe.js";
import {
  readableSettings,
  writableSettings,
  type PipeReadableOptions,
  type PipeWritableOptions,
} from "./stream-options.js";
import { StreamSink } from "./stream-sink.js";
import { StreamSource } from "./stream-source.js";

/** What both kinds of controllers have, and those of byte streams. */
interface Controller {
  enqueue(chunk: unknown): void;
  close(): void;
  readonly byobRequest?: { respond(bytes: number): void } | null | undefined;
}

/**
 * A Web stream of the messages. Its own queue is never used: it asks for a message when a reader waits, and the message
 * goes to that reader in the same step in which its lease ends.
 */
export function webReadable<T>(pipe: Pipe<T>, options: PipeReadableOptions | undefined): ReadableStream<T> {
  const settings = readableSettings(options, "readable");
  const source = new StreamSource(pipe, settings);
  const start = (controller: { error(reason: unknown): void }): void =>
    whenAborted(settings.signal, source.stopped, (reason) => {
      controller.error(reason);
      source.stop();
    });
  const pull = async (controller: Controller): Promise<void> => {
    try {
      const isOpen = await source.deliver((lease) => {
        if (!stream.locked) {
          source.keep(lease);
          return;
        }
        lease.ack();
        controller.enqueue(lease.value);
      });
      if (isOpen) return;
      controller.close();
      // Who reads into a buffer of its own is told the end only when that is given back.
      controller.byobRequest?.respond(0);
      source.stop();
    } catch (error) {
      source.stop();
      throw error;
    }
  };
  const cancel = (): void => source.stop();
  const byteSource: UnderlyingByteSource = { type: "bytes", start, pull, cancel };
  const stream: ReadableStream<T> = settings.isBytes
    ? (new ReadableStream(byteSource) as unknown as ReadableStream<T>)
    : new ReadableStream<T>({ start, pull, cancel }, { highWaterMark: 0 });
  return stream;
}

/** A Web stream into the pipe. */
export function webWritable<T>(pipe: Pipe<T>, options: PipeWritableOptions | undefined): WritableStream<T> {
  const settings = writableSettings(options, "writable");
  const sink = new StreamSink(pipe, settings);
  const stopping = new AbortController();
  const size = settings.isBytes ? (chunk?: T) => (chunk as { byteLength?: number } | null)?.byteLength ?? 0 : () => 1;
  return new WritableStream(
    {
      start: (controller) => {
        // Aborted at once, while the sink's `abort` waits for the write that is under way. Our types of Node lack it.
        const { signal } = controller as unknown as { signal: AbortSignal };
        whenAborted(signal, stopping.signal, (reason) => stopping.abort(reason));
        whenAborted(settings.signal, stopping.signal, (reason) => {
          controller.error(reason);
          stopping.abort(reason);
        });
      },
      write: (chunk) => sink.write(chunk, stopping.signal),
      close: async () => {
        await sink.end(stopping.signal);
        stopping.abort();
      },
    },
    { highWaterMark: settings.highWaterMark, size },
  );
}

/** Calls the listener once the signal is aborted, at once if it has been, and not any more once `until` is. */
function whenAborted(signal: AbortSignal | undefined, until: AbortSignal, listener: (reason: unknown) => void): void {
  if (signal === undefined) return;
  const heard = (): void => listener(signal.reason);
  if (signal.aborted) heard();
  else if (!until.aborted) onAbort(until, onAbort(signal, heard));
}
