import assert from "node:assert/strict";
import { SystemCallError } from "shmkit/posix";

/** Asserts that a system call fails with an errno, by its name. */
export function failsWithCode(code: string, act: () => unknown): SystemCallError {
  let failure: unknown;
  assert.throws(act, (error) => {
    failure = error;
    return error instanceof SystemCallError;
  });
  const error = failure as SystemCallError;
  assert.equal(error.code, code, error.message);
  assert.ok(error.errno < 0 && error.message.startsWith(`${code}: `), error.message);
  return error;
}

/** The same, and that it was that call. */
export function failsWith(code: string, syscall: string, act: () => unknown): void {
  assert.equal(failsWithCode(code, act).syscall, syscall);
}
