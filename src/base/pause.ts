import { setImmediate } from "node:timers/promises";
import { now } from "./deadline.js";

const TURN_MS = 5;

/**
 * Lets the event loop turn now and then in a loop whose steps are all ready at once: awaiting settled promises alone keeps
 * timers, signals and input waiting for as long as there is work.
 */
export class Turns {
  private last = now();

  /** A promise to await when the event loop is due, else undefined. */
  due(): Promise<void> | undefined {
    return now() - this.last < TURN_MS ? undefined : this.turn();
  }

  private async turn(): Promise<void> {
    await setImmediate();
    this.last = now();
  }
}

/** Sleeps on private memory, for the Sync forms; only ever a few milliseconds, so that a worker can be terminated. */
export function pauseSync(milliseconds: number): void {
  // eslint-disable-next-line no-restricted-globals -- private memory of this call, shared with nobody
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** A promise that rejects with what a synchronous part threw. */
export async function rejected(error: unknown): Promise<never> {
  await Promise.resolve();
  throw error;
}
