import { choice, flag, knownOptions, wholeNumber } from "../base/arguments.js";
import { signalArgument } from "../base/deadline.js";

/** What a stream carries: messages as values, or bytes without regard to where a message begins. */
export type StreamMode = "values" | "bytes";

/** Options of a stream that receives from a pipe. */
export interface PipeReadableOptions {
  /** `"values"` (default): a chunk is a message. `"bytes"`: a byte stream; the messages must be bytes. */
  mode?: StreamMode;
  /**
   * Messages taken ahead of the reader, 0 to 65,536. They are on lease, so that they come back when the stream or the
   * process ends before they are read, but other receivers have to do without them meanwhile. Default 0.
   */
  highWaterMark?: number;
  /** Ends the stream with an error: a Web stream's is the signal's reason, a Node stream's an AbortError caused by it. Default: none. */
  signal?: AbortSignal;
}

/** Options of a stream that sends to a pipe. */
export interface PipeWritableOptions {
  /** `"values"` (default): a chunk becomes a message. `"bytes"`: chunks are bytes, and long ones several messages. */
  mode?: StreamMode;
  /**
   * What the stream takes in while the pipe is full before it asks its writer to wait: messages (default 1), or bytes
   * (default 65,536). It is lost when the process dies. At most 2^32.
   */
  highWaterMark?: number;
  /** In the mode `"bytes"`: longest message in bytes, 1 to 2^30. Default 65,536. */
  maxMessageBytes?: number;
  /** Whether the end of the stream closes the pipe, for everybody. Aborting or destroying it never does. Default false. */
  closePipe?: boolean;
  /** Ends the stream with an error: a Web stream's is the signal's reason, a Node stream's an AbortError caused by it. Default: none. */
  signal?: AbortSignal;
}

/** The same, checked and complete. */
export interface ReadableSettings {
  readonly isBytes: boolean;
  readonly highWaterMark: number;
  readonly signal: AbortSignal | undefined;
}

export interface WritableSettings extends ReadableSettings {
  readonly maxMessageBytes: number;
  readonly closePipe: boolean;
}

const MODES = ["values", "bytes"] as const;
const USUAL_BYTES = 65_536;

export function readableSettings(options: PipeReadableOptions | undefined, where: string): ReadableSettings {
  const {
    mode = "values",
    highWaterMark = 0,
    signal,
  } = knownOptions(options, ["mode", "highWaterMark", "signal"], where);
  return {
    isBytes: choice(mode, "mode", MODES) === "bytes",
    highWaterMark: wholeNumber(highWaterMark, "highWaterMark", 0, 65_536),
    signal: signalArgument(signal),
  };
}

export function writableSettings(options: PipeWritableOptions | undefined, where: string): WritableSettings {
  const known = ["mode", "highWaterMark", "maxMessageBytes", "closePipe", "signal"];
  const {
    mode = "values",
    maxMessageBytes = USUAL_BYTES,
    closePipe,
    signal,
    ...rest
  } = knownOptions(options, known, where);
  const isBytes = choice(mode, "mode", MODES) === "bytes";
  const { highWaterMark = isBytes ? USUAL_BYTES : 1 } = rest;
  return {
    isBytes,
    highWaterMark: wholeNumber(highWaterMark, "highWaterMark", 0, 2 ** 32),
    maxMessageBytes: wholeNumber(maxMessageBytes, "maxMessageBytes", 1, 2 ** 30),
    closePipe: flag(closePipe, "closePipe"),
    signal: signalArgument(signal),
  };
}
