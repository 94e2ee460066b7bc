import { ArgumentError, ArgumentRangeError } from "./errors.js";

/** A value as it should appear in a message: short, quoted, never throwing. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return String(value);
}

/** A whole number within limits, or a typed error naming the argument. */
export function wholeNumber(value: unknown, name: string, minimum: number, maximum: number): number {
  if (typeof value !== "number")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${name} must be a number, not ${show(value)}`, { actual: value });
  if (!Number.isInteger(value) || value < minimum || value > maximum)
    throw new ArgumentRangeError(
      "ERR_OUT_OF_RANGE",
      `${name} must be a whole number from ${minimum} to ${maximum}, not ${value}`,
      {
        expected: [minimum, maximum],
        actual: value,
      },
    );
  return value;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length];
}

/** Checks that `options` is a plain object (or absent) with known keys only; a misspelt option is named with the nearest one. */
export function knownOptions<T extends object>(
  options: T | undefined,
  known: readonly string[],
  where: string,
): Partial<T> {
  if (options === undefined) return {};
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `the options of ${where} must be an object, not ${show(options)}`);
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const nearest = [...known].sort((a, b) => distance(key, a) - distance(key, b))[0];
    const hint =
      nearest !== undefined && distance(key, nearest) <= 3
        ? `; did you mean ${show(nearest)}?`
        : `; known: ${known.join(", ")}`;
    throw new ArgumentError("ERR_UNKNOWN_OPTION", `${where} has no option ${show(key)}${hint}`, {
      actual: key,
      expected: known,
    });
  }
  return options;
}

/** An option that is true or false; absent means false. */
export function flag(value: unknown, name: string): boolean {
  if (value === undefined) return false;
  if (typeof value !== "boolean")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${name} must be true or false, not ${show(value)}`, {
      actual: value,
    });
  return value;
}

/** One of several texts. */
export function choice<T extends string>(value: unknown, name: string, choices: readonly T[]): T {
  const known = choices.find((one) => one === value);
  if (known !== undefined) return known;
  const expected = choices.map(show).join(" or ");
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `${name} must be ${expected}, not ${show(value)}`, {
    expected: choices,
    actual: value,
  });
}

const REGION_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
/** Longest region name in bytes: the file `shmkit.NAME` plus a temporary suffix stays below NAME_MAX (255). */
const MAX_REGION_NAME_BYTES = 200;
/** Longest object name in bytes of UTF-8. */
export const MAX_OBJECT_NAME_BYTES = 120;

function text(value: unknown, what: string): string {
  if (typeof value !== "string")
    throw new ArgumentError("ERR_INVALID_NAME", `the ${what} name must be a string, not ${show(value)}`, {
      actual: value,
    });
  if (value.length === 0)
    throw new ArgumentError("ERR_INVALID_NAME", `the ${what} name must not be empty`, { actual: value });
  return value;
}

/** The name of a region, or of `what`: 1 to 200 of `A-Z a-z 0-9 . _ -`, not starting with a dot or dash. */
export function regionName(value: unknown, what = "region"): string {
  const name = text(value, what);
  if (name.length > MAX_REGION_NAME_BYTES || !REGION_NAME.test(name))
    throw new ArgumentError(
      "ERR_INVALID_NAME",
      `the ${what} name ${show(name)} must be 1 to ${MAX_REGION_NAME_BYTES} of A-Z a-z 0-9 . _ - and not start with a dot or dash`,
      { actual: name },
    );
  return name;
}

/** Longest file name of Linux, in bytes of UTF-8. */
const NAME_MAX = 255;

// eslint-disable-next-line no-control-regex -- control characters are what is refused
const FORBIDDEN_IN_NAME = /[\u0000-\u001f\u007f/]|\p{Surrogate}/u;

const isText = (name: string, maxBytes: number): boolean =>
  name !== "." && name !== ".." && !FORBIDDEN_IN_NAME.test(name) && Buffer.byteLength(name) <= maxBytes;

/** The name of something of the system's in /dev/shm, of which `prefix` is a part: a file name that is well-formed text. */
export function fileName(value: unknown, what: string, prefix = ""): string {
  const name = text(value, what);
  const maxBytes = NAME_MAX - prefix.length;
  if (isText(name, maxBytes)) return name;
  throw new ArgumentError(
    "ERR_INVALID_NAME",
    `the ${what} name ${show(name)} must be 1 to ${maxBytes} bytes of UTF-8 without "/" and control characters, and not "." or ".."`,
    { actual: name },
  );
}

/** An object's name: any well-formed text without "/" and control characters, 1 to 120 bytes of UTF-8, not "." or "..". */
export function objectName(value: unknown): string {
  const name = text(value, "object");
  if (!isText(name, MAX_OBJECT_NAME_BYTES))
    throw new ArgumentError(
      "ERR_INVALID_NAME",
      `the object name ${show(name)} must be 1 to ${MAX_OBJECT_NAME_BYTES} bytes of UTF-8 without "/" and control characters, and not "." or ".."`,
      { actual: name },
    );
  return name;
}
