import type { WaitOptions } from "../base/deadline.js";
import type { Pipe } from "../channels/pipe.js";
import type { PipeHandleOptions, PipeOptions } from "../channels/pipe-options.js";
import type { Collection, OpenOptions } from "./collection.js";

/**
 * The pipes of a region. Each verb takes the type of the messages, as {@link Region.pipe} does, or has it from the `codec`;
 * without one nothing checks it at run time.
 */
export interface PipeCollection extends Collection<PipeOptions, Pipe> {
  create<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Promise<Pipe<T>>;
  createSync<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Pipe<T>;
  open<T = unknown>(name: string, options?: PipeHandleOptions<T> & OpenOptions): Promise<Pipe<T>>;
  openSync<T = unknown>(name: string, options?: PipeHandleOptions<T> & OpenOptions): Pipe<T>;
  openOrCreate<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Promise<Pipe<T>>;
  openOrCreateSync<T = unknown>(name: string, options?: PipeOptions & PipeHandleOptions<T> & WaitOptions): Pipe<T>;
}
