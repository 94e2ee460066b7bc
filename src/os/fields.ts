import { show } from "../base/arguments.js";
import { ArgumentError } from "../base/errors.js";

/** What stands for a struct of C's: an object. @throws ERR_INVALID_ARGUMENT */
export function fieldsOf<T extends object>(value: T, syscall: string, name: string): T {
  if (typeof value === "object" && (value as T | null) !== null && !Array.isArray(value)) return value;
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `${syscall}: ${name} must be an object, not ${show(value)}`, {
    actual: value,
  });
}
