import { ArgumentError } from "../../base/errors.js";
import { knownOptions, show } from "../../base/arguments.js";
import { placeText, wrongType, type Place } from "./field-type.js";

const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** A field of one of these names would hide what JavaScript asks objects for. */
const TAKEN = new Set(["__proto__", "toJSON"]);

/** A name that C and Python can have as well. @throws ERR_INVALID_ARGUMENT */
export function fieldName(name: unknown, what = "a field's name"): string {
  if (typeof name === "string" && IDENTIFIER.test(name) && !TAKEN.has(name)) return name;
  if (typeof name === "string" && TAKEN.has(name))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${what} cannot be ${name}, which means something to JavaScript`, {
      actual: name,
    });
  throw new ArgumentError(
    "ERR_INVALID_ARGUMENT",
    `${what} must be letters, digits and _, and not begin with a digit, unlike ${show(name)}`,
    { actual: name },
  );
}

/** An object with something in it. @throws ERR_INVALID_ARGUMENT */
export function plainObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value) || Object.keys(value).length === 0)
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${what} must be an object with names, not ${show(value)}`, {
      actual: value,
    });
  return value as Readonly<Record<string, unknown>>;
}

/** The values of fields. Those that are missing are undefined, which no type takes. @throws ERR_INVALID_ARGUMENT */
export function valuesFor(
  value: unknown,
  fields: readonly { readonly name: string }[],
  parent: Place | undefined,
  key: string | number,
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) wrongType(parent, key, "an object", value);
  for (const name of Object.keys(value)) {
    // What live records have besides their fields; they can be copied from one place to another.
    if (name.startsWith("$") || fields.some((field) => field.name === name)) continue;
    throw unknownField({ [name]: undefined }, fields, parent, key);
  }
  return value as Readonly<Record<string, unknown>>;
}

function unknownField(
  value: object,
  fields: readonly { readonly name: string }[],
  parent: Place | undefined,
  key: string | number,
): unknown {
  const where = placeText(parent, key);
  try {
    const names = fields.map(({ name }) => name);
    knownOptions(value, names, where);
  } catch (error) {
    const message = (error as Error).message.replace("has no option", "has no field");
    const { actual, expected } = error as { actual?: unknown; expected?: unknown };
    return new ArgumentError("ERR_INVALID_ARGUMENT", message, { path: where, actual, expected });
  }
  return undefined;
}
