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
