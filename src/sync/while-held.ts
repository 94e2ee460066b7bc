import { types } from "node:util";
import { ArgumentError } from "../base/errors.js";

/** Calls a function with what is held, and gives that back whatever happens. `failed` comes before that when it throws. */
export async function whileHeld<G extends Disposable, T>(
  guard: G,
  callback: (guard: G) => T | PromiseLike<T>,
  failed?: (guard: G) => void,
): Promise<T> {
  try {
    return await callback(guard);
  } catch (error) {
    failed?.(guard);
    throw error;
  } finally {
    guard[Symbol.dispose]();
  }
}

/** The same, for a function that has done its work when it returns. `form`: the method, and the one for functions that have not. */
export function whileHeldSync<G extends Disposable, T>(
  guard: G,
  callback: (guard: G) => T,
  form: readonly [sync: string, async: string],
  failed?: (guard: G) => void,
): T {
  try {
    return noPromise(callback(guard), ...form);
  } catch (error) {
    failed?.(guard);
    throw error;
  } finally {
    guard[Symbol.dispose]();
  }
}

/** What a function given to a Sync form returned. @throws ERR_INVALID_ARGUMENT when it has not done its work yet */
export function noPromise<T>(returned: T, sync: string, async: string): T {
  if (!types.isPromise(returned)) return returned;
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `the function given to ${sync} returned a promise; use ${async}`);
}
