import { setTimeout as sleep } from "node:timers/promises";
import { deadlineOf, now, signalOf, timeoutError, type WaitOptions } from "../base/deadline.js";
import { pauseSync } from "../base/pause.js";
import type { Segment } from "./segment.js";
import { native } from "../native/addon.js";
import { writeBack, writeBackSync } from "./write-back.js";

/**
 * What a step waits for: a while, the backing of a range of a file, its close, which may free the memory of a region, or
 * that what was changed in a mapping is on disk.
 */
export type Pause =
  | { readonly delayMs: number }
  | { readonly descriptor: number; readonly offset: number; readonly length: number; readonly isFirst: boolean }
  | { readonly closing: number }
  | { readonly written: Segment; readonly length: number };
/** Something that yields whenever it has to wait, so that it can be driven on the event loop and on the calling thread. */
export type Steps<T> = Generator<Pause, T, number>;

/** Drives steps on the event loop. @throws ERR_TIMEOUT, the signal's reason */
export async function run<T>(steps: Steps<T>, what: string, options: WaitOptions | undefined): Promise<T> {
  const signal = options?.signal === undefined ? undefined : signalOf(options.signal);
  const deadline = deadlineOf(options?.timeoutMs);
  let next = steps.next();
  while (next.done !== true) {
    const pause = next.value;
    const failure = canEnd(pause) ? waitFailure(deadline, signal, what, options) : undefined;
    if (failure !== undefined) next = steps.throw(failure.reason);
    else if ("closing" in pause) next = steps.next(await native.closeAsync(pause.closing));
    else if ("written" in pause) next = steps.next(await writeBack(pause.written, pause.length));
    else if ("descriptor" in pause)
      next = steps.next(await native.allocateAsync(pause.descriptor, pause.offset, pause.length));
    else {
      const delayMs = Math.min(pause.delayMs, Math.max(0, deadline - now()));
      await sleep(delayMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
      next = steps.next(0);
    }
  }
  return next.value;
}

/** Whether deadline and signal count before a pause: what is done at once is no waiting, and what is open is closed. */
const canEnd = (pause: Pause): boolean => "delayMs" in pause || ("isFirst" in pause && !pause.isFirst);

function waitFailure(
  deadline: number,
  signal: AbortSignal | undefined,
  what: string,
  options: WaitOptions | undefined,
): { reason: unknown } | undefined {
  if (signal?.aborted === true) return { reason: signal.reason };
  return now() >= deadline ? { reason: timeoutError(what, options?.timeoutMs) } : undefined;
}

/** Drives steps on this thread. @throws ERR_TIMEOUT */
export function runSync<T>(steps: Steps<T>, what: string, options: WaitOptions | undefined): T {
  if (options?.signal !== undefined) signalOf(options.signal);
  const deadline = deadlineOf(options?.timeoutMs);
  let next = steps.next();
  while (next.done !== true) {
    const pause = next.value;
    if (canEnd(pause) && now() >= deadline) next = steps.throw(timeoutError(what, options?.timeoutMs));
    else if ("closing" in pause) next = steps.next(native.close(pause.closing));
    else if ("written" in pause) next = steps.next(writeBackSync(pause.written, pause.length));
    else if ("descriptor" in pause) next = steps.next(native.allocate(pause.descriptor, pause.offset, pause.length));
    else {
      pauseSync(Math.min(pause.delayMs, Math.max(0, deadline - now())));
      next = steps.next(0);
    }
  }
  return next.value;
}
