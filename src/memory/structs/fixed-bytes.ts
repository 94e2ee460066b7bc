import { ArgumentError } from "../../base/errors.js";
import { flag, knownOptions, show, wholeNumber } from "../../base/arguments.js";
import { FieldType, outOfRange, placeText, wrongType, type Place } from "./field-type.js";

const MAX_BYTES = 2 ** 20;

const encoder = new TextEncoder();
// A byte order mark is a character like any other here.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A private copy: decoders must not see bytes that another thread changes, and values must stay what they are. */
const copyOf = (view: DataView, at: number, length: number): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset + at, length).slice();

/** Options of {@link string}. */
export interface TextOptions {
  /** Whether a NUL always ends the text. Without, it may fill all the bytes, as strncpy(3) leaves it. Default true. */
  terminated?: boolean;
}

/** Text in a fixed number of bytes. */
export class TextType extends FieldType<string> {
  readonly kind = "text";
  readonly size: number;
  readonly alignment = 1;
  /** Bytes of text that fit. */
  private readonly limit: number;

  /** @internal */
  constructor(size: number, isTerminated: boolean) {
    super();
    this.size = size;
    this.limit = isTerminated ? size - 1 : size;
  }

  /** As it is written. */
  toString(): string {
    return `string(${this.size}${this.limit === this.size ? ", { terminated: false }" : ""})`;
  }

  /** @internal */
  get(view: DataView, at: number): string {
    const bytes = copyOf(view, at, this.size);
    const end = bytes.indexOf(0);
    return decoder.decode(end === -1 ? bytes : bytes.subarray(0, end));
  }

  /** @internal */
  put(view: DataView, at: number, value: unknown, _: boolean, parent: Place | undefined, key: string | number): void {
    if (typeof value !== "string") wrongType(parent, key, "a string", value);
    if (value.includes("\0") || /\p{Surrogate}/u.test(value))
      throw new ArgumentError(
        "ERR_INVALID_ARGUMENT",
        `${placeText(parent, key)} must be text without NUL and lone surrogates, not ${show(value)}`,
        { path: placeText(parent, key), actual: value },
      );
    const target = new Uint8Array(view.buffer, view.byteOffset + at, this.size);
    const { read, written } = encoder.encodeInto(value, target.subarray(0, this.limit));
    if (read !== value.length)
      outOfRange(parent, key, `text of at most ${this.limit} bytes in UTF-8`, value, [0, this.limit]);
    target.fill(0, written);
  }
}

/** A fixed number of bytes. */
export class BytesType extends FieldType<Uint8Array> {
  readonly kind = "bytes";
  readonly size: number;
  readonly alignment = 1;

  /** @internal */
  constructor(size: number) {
    super();
    this.size = size;
  }

  /** As it is written. */
  toString(): string {
    return `bytes(${this.size})`;
  }

  /** @internal */
  get(view: DataView, at: number): Uint8Array {
    return copyOf(view, at, this.size);
  }

  /** @internal */
  put(view: DataView, at: number, value: unknown, _: boolean, parent: Place | undefined, key: string | number): void {
    if (!(value instanceof Uint8Array)) wrongType(parent, key, `a Uint8Array of ${this.size} bytes`, value);
    // A copy of this length whatever the array says of itself: it may be a subclass, and of memory that shrinks.
    const { buffer, byteOffset, length } = value;
    if (length !== this.size) outOfRange(parent, `${key}.length`, `${this.size} bytes`, length, this.size);
    new Uint8Array(view.buffer, view.byteOffset + at, this.size).set(new Uint8Array(buffer, byteOffset, this.size));
  }
}

/**
 * Text in `size` bytes: UTF-8, ended by a NUL and filled up with NULs, so at most `size` - 1 bytes of text; `char[size]` in
 * C. Longer text is ERR_OUT_OF_RANGE, text with a NUL or a lone surrogate ERR_INVALID_ARGUMENT. Reading takes what stands
 * before the first NUL, or all of it; what is no UTF-8 becomes U+FFFD.
 * @param size bytes, 1 to 1,048,576
 * @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_UNKNOWN_OPTION
 */
export function string(size: number, options?: TextOptions): TextType {
  const { terminated = true } = knownOptions(options, ["terminated"], "string");
  return new TextType(wholeNumber(size, "size", 1, MAX_BYTES), flag(terminated, "terminated"));
}

/**
 * Exactly `size` bytes; `uint8_t[size]` in C. Reading answers a copy.
 * @param size 1 to 1,048,576
 * @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE
 */
export const bytes = (size: number): BytesType => new BytesType(wholeNumber(size, "size", 1, MAX_BYTES));
