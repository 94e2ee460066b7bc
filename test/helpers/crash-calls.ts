/** Ways to call what is explored. */
import assert from "node:assert/strict";
import { ShmkitError } from "shmkit";

/** Runs what must end in an error of a code. A stopped member's signal passes, and that its memory has gone. */
export function refuses(code: string, act: () => unknown): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof ShmkitError) || error.code === "ERR_REGION_LOST") throw error;
    assert.equal(error.code, code);
    return;
  }
  assert.fail(`nothing was refused with ${code}`);
}

/** A signal that the test fires itself, on its own stack. */
export function handSignal(): { signal: AbortSignal; abort: () => void } {
  const { signal } = new AbortController();
  let listener: () => void = () => undefined;
  Object.assign(signal, {
    addEventListener: (_type: string, added: () => void) => (listener = added),
    removeEventListener: () => (listener = () => undefined),
  });
  return { signal, abort: () => listener() };
}

/** Whose promise nobody waits for: what matters has happened when the call returns. */
export function ignore(promise: Promise<unknown>): void {
  ignored++;
  promise.catch(() => undefined);
}
let ignored = 0;
/** How many results were ignored so far. */
export const countIgnored = (): number => ignored;
