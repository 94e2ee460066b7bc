import type { WaitOptions } from "../base/deadline.js";
import type { Pipe } from "../channels/pipe.js";
import type { PipeOptions } from "../channels/pipe-options.js";
import type { Collection, OpenOptions } from "./collection.js";

/** The pipes of a region. Each verb takes the type of the messages, as {@link Region.pipe} does; nothing checks it at run time. */
export interface PipeCollection extends Collection<PipeOptions, Pipe> {
  create<T = unknown>(name: string, options?: PipeOptions & WaitOptions): Promise<Pipe<T>>;
  createSync<T = unknown>(name: string, options?: PipeOptions & WaitOptions): Pipe<T>;
  open<T = unknown>(name: string, options?: OpenOptions): Promise<Pipe<T>>;
  openSync<T = unknown>(name: string, options?: OpenOptions): Pipe<T>;
  openOrCreate<T = unknown>(name: string, options?: PipeOptions & WaitOptions): Promise<Pipe<T>>;
  openOrCreateSync<T = unknown>(name: string, options?: PipeOptions & WaitOptions): Pipe<T>;
}
