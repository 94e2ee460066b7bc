import { ArgumentRangeError } from "./errors.js";
import { show } from "./arguments.js";

/** A size in bytes: a whole number, or text such as `"64MiB"`, `"1GiB"`, `"500kB"`, `"4096"`. */
export type Size = number | string;

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
};

/**
 * Bytes of a {@link Size}.
 * @throws ERR_INVALID_SIZE when it is neither, negative, fractional, not a number, or outside the limits.
 */
export function sizeBytes(value: unknown, name: string, minimum: number, maximum: number): number {
  let bytes = Number.NaN;
  if (typeof value === "number") bytes = value;
  else if (typeof value === "string") {
    const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(value);
    const unit = match === null ? undefined : UNITS[match[2].toLowerCase()];
    if (match !== null && unit !== undefined) bytes = Number(match[1]) * unit;
  }
  if (!Number.isInteger(bytes) || bytes < minimum || bytes > maximum)
    throw new ArgumentRangeError(
      "ERR_INVALID_SIZE",
      `${name} must be a whole number of bytes from ${minimum} to ${maximum}, or text such as "64MiB", not ${show(value)}`,
      { expected: [minimum, maximum], actual: value },
    );
  return bytes;
}

/** Bytes for people: `16 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
