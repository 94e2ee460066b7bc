import { show, wholeNumber } from "../base/arguments.js";
import { ArgumentError, ArgumentRangeError } from "../base/errors.js";

/**
 * The bytes of a list as Python's `multiprocessing.shared_memory.ShareableList` has them, all integers little-endian:
 *
 * ```text
 * 0           int64: N, how many values there are
 * 8           N + 1 int64: where each value begins after the offsets, and where the last one ends
 * 8 (N + 2)   the values; each has 8 bytes, or a multiple of 8 if it was a text or bytes when the list was made
 * …           N times 8 bytes: the format of each, as Python's module `struct` writes it, filled up with NUL
 * …           N bytes: what a value of that format stands for, see `Code`
 * ```
 */

/** What can be in a list: integers of 64 bits and floats, truth values, texts, bytes, and nothing. */
export type ShareableValue = number | bigint | boolean | string | Uint8Array | null;

export const WORD = 8;
/** The longest size whose format `%ds` has 8 characters. */
const MAX_SLOT_BYTES = 9_999_992;
const MAX_LENGTH = 2 ** 32;

export const Format = { integer: "q", float: "d", boolean: "xxxxxxx?", nothing: "xxxxxx?x" } as const;

/** What the bytes of a value stand for; 0 leaves it to the format. */
const Code = { plain: 0, text: 1, bytes: 2, nothing: 3 } as const;

/** A value as it is written: its format, code and bytes, without what fills its place up. */
export interface Encoded {
  /** Undefined for texts and bytes, whose format says how long their place is. */
  readonly format: string | undefined;
  readonly code: number;
  readonly bytes: Uint8Array;
}

const LONGEST = 2n ** 63n;
const ILL_FORMED = /\p{Surrogate}/u;

function word(write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(WORD);
  write(new DataView(bytes.buffer));
  return bytes;
}

const integer = (value: bigint): Encoded => ({
  format: Format.integer,
  code: Code.plain,
  bytes: word((view) => view.setBigInt64(0, value, true)),
});

const float = (value: number): Encoded => ({
  format: Format.float,
  code: Code.plain,
  bytes: word((view) => view.setFloat64(0, value, true)),
});

/** NUL is what fills places up, so one at the end could not be read again. */
function endsInNul(bytes: Uint8Array): boolean {
  return bytes.at(-1) === 0;
}

/**
 * A value as it is written. Whole numbers are integers to Python, unless `asFloat`, and negative zero is none.
 * @throws ERR_NOT_ENCODABLE, ERR_OUT_OF_RANGE
 */
export function encode(value: unknown, asFloat: boolean): Encoded {
  if (value === null) return { format: Format.nothing, code: Code.nothing, bytes: new Uint8Array(WORD) };
  if (typeof value === "boolean")
    return { format: Format.boolean, code: Code.plain, bytes: word((view) => view.setUint8(WORD - 1, Number(value))) };
  if (typeof value === "number") {
    const isWhole = Number.isSafeInteger(value) && !Object.is(value, -0) && !asFloat;
    return isWhole ? integer(BigInt(value)) : float(value);
  }
  if (typeof value === "bigint") {
    if (value >= -LONGEST && value < LONGEST) return integer(value);
    throw new ArgumentRangeError("ERR_OUT_OF_RANGE", `an integer of a list has 64 bits, and ${value} more`, {
      actual: value,
    });
  }
  const isText = typeof value === "string";
  if (!isText && !(value instanceof Uint8Array))
    throw new ArgumentError(
      "ERR_NOT_ENCODABLE",
      `a list holds numbers, bigints, truth values, texts, bytes and null, not ${show(value)}`,
      { actual: value },
    );
  const bytes = isText ? new TextEncoder().encode(value) : value.slice();
  if (endsInNul(bytes) || (isText && ILL_FORMED.test(value)))
    throw new ArgumentError(
      "ERR_NOT_ENCODABLE",
      "a text or bytes that end in NUL, or ill-formed text, cannot be read again",
      {
        actual: value,
      },
    );
  return { format: undefined, code: isText ? Code.text : Code.bytes, bytes };
}

/** Bytes of the place that a value gets when its list is made. @throws ERR_OUT_OF_RANGE */
function slotBytes({ format, bytes }: Encoded): number {
  if (format !== undefined) return WORD;
  const size = WORD * (Math.floor(bytes.length / WORD) + 1);
  if (size <= MAX_SLOT_BYTES) return size;
  throw new ArgumentRangeError(
    "ERR_OUT_OF_RANGE",
    `a text or bytes of a list have at most ${MAX_SLOT_BYTES - 1} bytes, not ${bytes.length}`,
    { expected: MAX_SLOT_BYTES - 1, actual: bytes.length },
  );
}

/** The format of a value in a place of that size. */
const formatIn = ({ format }: Encoded, size: number): string => format ?? `${size}s`;

/** Where the parts of a list are, from its number of values and the bytes of all of them. */
export function placesOf(length: number, valueBytes: number) {
  const values = WORD * (length + 2);
  const formats = values + valueBytes;
  const codes = formats + WORD * length;
  return { values, formats, codes, end: codes + length };
}

/** Where one value of a list is, and how long its place. */
export interface Place {
  readonly index: number;
  readonly begin: number;
  readonly size: number;
}

/** Writes a value into the bytes of a list. */
export function writeValue(
  bytes: Uint8Array,
  { formats, codes }: ReturnType<typeof placesOf>,
  { index, begin, size }: Place,
  value: Encoded,
): void {
  const at = formats + index * WORD;
  bytes.fill(0, at, at + WORD);
  bytes.set(Buffer.from(formatIn(value, size), "latin1"), at);
  bytes[codes + index] = value.code;
  bytes.fill(0, begin, begin + (value.format === undefined ? size : WORD));
  bytes.set(value.bytes, begin);
}

/** All bytes of a list of some values. @throws ERR_OUT_OF_RANGE */
export function listBytes(values: readonly Encoded[]): Uint8Array {
  const sizes = values.map(slotBytes);
  const places = placesOf(
    wholeNumber(values.length, "the number of values", 0, MAX_LENGTH),
    sizes.reduce((sum, size) => sum + size, 0),
  );
  const bytes = new Uint8Array(places.end);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(values.length), true);
  let offset = 0;
  for (const [index, value] of values.entries()) {
    writeValue(bytes, places, { index, begin: places.values + offset, size: sizes[index] }, value);
    offset += sizes[index];
    view.setBigInt64((index + 2) * WORD, BigInt(offset), true);
  }
  return bytes;
}

function unfilled(bytes: Uint8Array): Uint8Array {
  let length = bytes.length;
  while (length > 0 && bytes[length - 1] === 0) length--;
  return bytes.subarray(0, length);
}

/** What a private copy of a place stands for; undefined for what Python could not read either. */
export function decode(format: string, code: number, bytes: Uint8Array): ShareableValue | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (code === Code.nothing) return null;
  if (code === Code.plain && bytes.length >= WORD) {
    if (format === Format.integer) {
      const value = view.getBigInt64(0, true);
      return Number.isSafeInteger(Number(value)) ? Number(value) : value;
    }
    if (format === Format.float) return view.getFloat64(0, true);
    if (format === Format.boolean) return view.getUint8(WORD - 1) !== 0;
  }
  const size = /^(\d+)s$/.exec(format)?.[1];
  if (size === undefined || Number(size) > bytes.length) return undefined;
  const own = unfilled(bytes.subarray(0, Number(size)));
  if (code === Code.bytes) return own;
  if (code !== Code.text) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(own);
  } catch {
    return undefined;
  }
}
