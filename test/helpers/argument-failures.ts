import assert from "node:assert/strict";
import { ShmkitError } from "shmkit";

/** What TypeScript would not let through. */
export type Loose = (...args: readonly unknown[]) => unknown;

/** A method to be called with anything. */
export const loose = (target: object, method: string): Loose => {
  const found = (target as Record<string, unknown>)[method];
  assert.equal(typeof found, "function", method);
  return (found as Loose).bind(target);
};

/** What a call ends in, whether it throws or rejects; fails unless it is an error. */
export async function failureOf(call: () => unknown): Promise<ShmkitError> {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof ShmkitError, `no typed error but ${String(error)}`);
    return error;
  }
  assert.fail("it should have failed");
}

/** The failure, which has this code and is a mistake of the caller's. */
export async function failsWith(
  call: () => unknown,
  code: string,
  kind: typeof TypeError | typeof RangeError = TypeError,
): Promise<ShmkitError> {
  const error = await failureOf(call);
  assert.equal(error.code, code, error.message);
  assert.ok(error instanceof kind, `${error.name} instead of ${kind.name}`);
  return error;
}
