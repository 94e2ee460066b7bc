import { ArgumentError, ArgumentRangeError } from "../../base/errors.js";
import { show } from "../../base/arguments.js";

/** Where a value belongs, for messages: `MyColor.shades[2]` is the key 2 in `shades` in `MyColor`. */
export interface Place {
  readonly parent: Place | undefined;
  readonly key: string | number;
}

/** A place as a user writes it. */
export function placeText(parent: Place | undefined, key: string | number): string {
  const own = typeof key === "number" ? `[${key}]` : key;
  if (parent === undefined) return own;
  return `${placeText(parent.parent, parent.key)}${typeof key === "number" ? "" : "."}${own}`;
}

/** What a live record and a live array are made of; `$` can be in no field's name. */
export interface LivePart {
  $base: number;
}

/** What accessors work on: a place in memory that moves. */
export interface LiveMemory extends LivePart {
  readonly $view: DataView;
  /** Live records and arrays of fields that are structs, bit fields and arrays. */
  readonly $parts: readonly LivePart[];
}

/** How a property of a live record reads and writes the memory. */
export interface Accessor {
  get: (this: LiveMemory) => unknown;
  set?: (this: LiveMemory, value: never) => void;
}

/**
 * What a field of a {@link struct} holds: so many bytes, which are a T in JavaScript. Made by `int16`, `string(32)`,
 * `array(float64, 3)`, {@link struct} and their like.
 */
export abstract class FieldType<T> {
  /** What it is: one value, text, bytes, bit fields, an array or a struct. */
  abstract readonly kind: "scalar" | "text" | "bytes" | "bits" | "array" | "struct";
  /** Bytes. */
  abstract readonly size: number;
  /** Bytes: C places it at multiples of this. */
  abstract readonly alignment: number;

  /** As it is written: `int16`, `string(32)`. */
  abstract toString(): string;

  /** @internal Reads the value; memory that others change at the same time is fine. */
  abstract get(view: DataView, at: number, little: boolean): T;
  /** @internal Checks a value and writes it to private memory. */
  abstract put(
    view: DataView,
    at: number,
    value: unknown,
    little: boolean,
    parent: Place | undefined,
    key: string | number,
  ): void;

  /** @internal What stays with a live record, for types whose value is not copied but walked through. */
  makePart(_view: DataView, _little: boolean): LivePart | undefined {
    return undefined;
  }

  /** @internal A property at `offset` of records of `parent`. `part` is the index of what {@link makePart} made. */
  accessor(offset: number, little: boolean, parent: Place, key: string, _part: number): Accessor {
    const get = (memory: LiveMemory): T => this.get(memory.$view, memory.$base + offset, little);
    const set = (memory: LiveMemory, value: unknown): void =>
      this.putLive(memory.$view, memory.$base + offset, value, little, parent, key);
    return {
      get() {
        return get(this);
      },
      set(value) {
        set(this, value);
      },
    };
  }

  /** @internal Checks a value and writes it to memory that others may see, in one go. */
  putLive(
    view: DataView,
    at: number,
    value: unknown,
    little: boolean,
    parent: Place | undefined,
    key: string | number,
  ): void {
    const copy = new Uint8Array(this.size);
    this.put(new DataView(copy.buffer), 0, value, little, parent, key);
    copyTo(view, at, copy);
  }
}

/** Bytes of a view; none once its memory was transferred or has shrunk. */
function roomIn(view: DataView): number {
  try {
    return view.byteLength;
  } catch {
    return 0;
  }
}

/** Writes checked bytes in one go. Whoever was asked for the values may have taken the memory away. @throws ERR_OUT_OF_RANGE */
export function copyTo(view: DataView, at: number, bytes: Uint8Array): void {
  const room = roomIn(view);
  if (at + bytes.length > room)
    throw new ArgumentRangeError("ERR_OUT_OF_RANGE", `the memory has only ${room} bytes any more`, { actual: room });
  new Uint8Array(view.buffer, view.byteOffset + at, bytes.length).set(bytes);
}

/**
 * The type of a field's or struct's values.
 * @example
 * ```ts
 * import { int16, struct, type StructOf } from "shmkit";
 *
 * const MyColor = struct({ red: int16, green: int16, blue: int16, alpha: int16 });
 * type MyColor = StructOf<typeof MyColor>; // { red: number; green: number; … }
 * const black: MyColor = { red: 0, green: 0, blue: 0, alpha: 32767 };
 * console.log(MyColor.encode(black).length); // 8
 * ```
 */
export type StructOf<S extends FieldType<unknown>> = S extends FieldType<infer T> ? T : never;

/** @throws ERR_INVALID_ARGUMENT */
export function wrongType(parent: Place | undefined, key: string | number, wanted: string, value: unknown): never {
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `${placeText(parent, key)} must be ${wanted}, not ${show(value)}`, {
    path: placeText(parent, key),
    expected: wanted,
    actual: value,
  });
}

/** @throws ERR_OUT_OF_RANGE */
export function outOfRange(
  parent: Place | undefined,
  key: string | number,
  wanted: string,
  value: unknown,
  limits: unknown,
): never {
  throw new ArgumentRangeError("ERR_OUT_OF_RANGE", `${placeText(parent, key)} must be ${wanted}, not ${show(value)}`, {
    path: placeText(parent, key),
    expected: limits,
    actual: value,
  });
}

/** @throws ERR_INVALID_ARGUMENT */
export function fieldType(value: unknown, where: string): FieldType<unknown> {
  if (value instanceof FieldType) return value;
  throw new ArgumentError("ERR_INVALID_ARGUMENT", `${where} must be a type such as int32, not ${show(value)}`, {
    actual: value,
  });
}
