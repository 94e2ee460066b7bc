import { FieldType, outOfRange, wrongType, type Accessor, type LiveMemory, type Place } from "./field-type.js";
import { halfBits, halfValue } from "./half.js";

/**
 * One kind of number in memory.
 *
 * `live` repeats `read`, `accepts` and `write` in one piece: the engine compiles an accessor well when the one method of
 * DataView that it calls is written in it, and badly when it arrives through a variable. Endianness is written out there, too.
 */
interface Format<T extends number | bigint | boolean> {
  readonly name: string;
  readonly bytes: 1 | 2 | 4 | 8;
  /** Its names in C and in Python's ctypes. */
  readonly c: string;
  readonly ctypes: string;
  /** Smallest and largest value. */
  readonly limits: readonly [T, T];
  /** In messages. */
  readonly wanted: string;
  readonly isInteger: boolean;
  accepts(value: unknown): boolean;
  read(view: DataView, at: number, little: boolean): T;
  write(view: DataView, at: number, value: T, little: boolean): void;
  live(offset: number, refuse: (value: unknown) => never): Accessor;
}

/** A number, or true and false, of 1 to 8 bytes. */
export class ScalarType<T extends number | bigint | boolean> extends FieldType<T> {
  readonly kind = "scalar";
  readonly size: number;
  readonly alignment: number;
  /** @internal */
  readonly format: Format<T>;

  /** @internal */
  constructor(format: Format<T>) {
    super();
    this.format = format;
    this.size = format.bytes;
    this.alignment = format.bytes;
  }

  /** Its name: `int16`. */
  toString(): string {
    return this.format.name;
  }

  /** @internal */
  get(view: DataView, at: number, little: boolean): T {
    return this.format.read(view, at, little);
  }

  /** @internal */
  put(
    view: DataView,
    at: number,
    value: unknown,
    little: boolean,
    parent: Place | undefined,
    key: string | number,
  ): void {
    if (!this.format.accepts(value)) this.refuse(value, parent, key);
    this.format.write(view, at, value as T, little);
  }

  /** @internal */
  override putLive(
    view: DataView,
    at: number,
    value: unknown,
    little: boolean,
    parent: Place | undefined,
    key: string | number,
  ): void {
    this.put(view, at, value, little, parent, key);
  }

  /** @internal */
  override accessor(offset: number, little: boolean, parent: Place, key: string, part: number): Accessor {
    if (!little && this.size > 1) return super.accessor(offset, little, parent, key, part);
    return this.format.live(offset, (value) => this.refuse(value, parent, key));
  }

  /** @internal */
  refuse(value: unknown, parent: Place | undefined, key: string | number): never {
    const { limits, wanted } = this.format;
    if (typeof value !== typeof limits[0]) wrongType(parent, key, wanted, value);
    outOfRange(parent, key, wanted, value, limits);
  }
}

type Written = Omit<Format<number>, "name" | "limits" | "wanted" | "bytes"> & { bytes: 1 | 2 | 4 };

function integer(name: string, format: Omit<Written, "isInteger">): ScalarType<number> {
  const bits = format.bytes * 8;
  const limits = name.startsWith("u")
    ? ([0, 2 ** bits - 1] as const)
    : ([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] as const);
  const wanted = `a whole number from ${limits[0]} to ${limits[1]}`;
  return new ScalarType({ ...format, name, limits, wanted, isInteger: true });
}

/** A whole number of 8 bits, signed: -128 to 127; `int8_t` in C. */
export const int8: ScalarType<number> = integer("int8", {
  bytes: 1,
  c: "int8_t",
  ctypes: "c_int8",
  accepts: (value) => typeof value === "number" && (value << 24) >> 24 === value,
  read: (view, at) => view.getInt8(at),
  write: (view, at, value) => view.setInt8(at, value),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getInt8(this.$base + offset);
    },
    set(this: LiveMemory, value: number) {
      if (typeof value !== "number" || (value << 24) >> 24 !== value) refuse(value);
      this.$view.setInt8(this.$base + offset, value);
    },
  }),
});

/** A whole number of 8 bits: 0 to 255; `uint8_t` in C. */
export const uint8: ScalarType<number> = integer("uint8", {
  bytes: 1,
  c: "uint8_t",
  ctypes: "c_uint8",
  accepts: (value) => typeof value === "number" && (value & 0xff) === value,
  read: (view, at) => view.getUint8(at),
  write: (view, at, value) => view.setUint8(at, value),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getUint8(this.$base + offset);
    },
    set(this: LiveMemory, value: number) {
      if (typeof value !== "number" || (value & 0xff) !== value) refuse(value);
      this.$view.setUint8(this.$base + offset, value);
    },
  }),
});

/** A whole number of 16 bits, signed: -32,768 to 32,767; `int16_t` in C. */
export const int16: ScalarType<number> = integer("int16", {
  bytes: 2,
  c: "int16_t",
  ctypes: "c_int16",
  accepts: (value) => typeof value === "number" && (value << 16) >> 16 === value,
  read: (view, at, little) => view.getInt16(at, little),
  write: (view, at, value, little) => view.setInt16(at, value, little),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getInt16(this.$base + offset, true);
    },
    set(this: LiveMemory, value: number) {
      if (typeof value !== "number" || (value << 16) >> 16 !== value) refuse(value);
      this.$view.setInt16(this.$base + offset, value, true);
    },
  }),
});

/** A whole number of 16 bits: 0 to 65,535; `uint16_t` in C. */
export const uint16: ScalarType<number> = integer("uint16", {
  bytes: 2,
  c: "uint16_t",
  ctypes: "c_uint16",
  accepts: (value) => typeof value === "number" && (value & 0xffff) === value,
  read: (view, at, little) => view.getUint16(at, little),
  write: (view, at, value, little) => view.setUint16(at, value, little),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getUint16(this.$base + offset, true);
    },
    set(this: LiveMemory, value: number) {
      if (typeof value !== "number" || (value & 0xffff) !== value) refuse(value);
      this.$view.setUint16(this.$base + offset, value, true);
    },
  }),
});

/** A whole number of 32 bits, signed: -2,147,483,648 to 2,147,483,647; `int32_t` in C. */
export const int32: ScalarType<number> = integer("int32", {
  bytes: 4,
  c: "int32_t",
  ctypes: "c_int32",
  accepts: (value) => typeof value === "number" && (value | 0) === value,
  read: (view, at, little) => view.getInt32(at, little),
  write: (view, at, value, little) => view.setInt32(at, value, little),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getInt32(this.$base + offset, true);
    },
    set(this: LiveMemory, value: number) {
      if (typeof value !== "number" || (value | 0) !== value) refuse(value);
      this.$view.setInt32(this.$base + offset, value, true);
    },
  }),
});

/** A whole number of 32 bits: 0 to 4,294,967,295; `uint32_t` in C. */
export const uint32: ScalarType<number> = integer("uint32", {
  bytes: 4,
  c: "uint32_t",
  ctypes: "c_uint32",
  accepts: (value) => typeof value === "number" && value >>> 0 === value,
  read: (view, at, little) => view.getUint32(at, little),
  write: (view, at, value, little) => view.setUint32(at, value, little),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getUint32(this.$base + offset, true);
    },
    set(this: LiveMemory, value: number) {
      if (typeof value !== "number" || value >>> 0 !== value) refuse(value);
      this.$view.setUint32(this.$base + offset, value, true);
    },
  }),
});

const INT64_LIMITS = [-(2n ** 63n), 2n ** 63n - 1n] as const;
const UINT64_LIMITS = [0n, 2n ** 64n - 1n] as const;

/** A whole number of 64 bits, signed, as a bigint: a number would lose digits beyond 2^53. `int64_t` in C. */
export const int64: ScalarType<bigint> = new ScalarType<bigint>({
  name: "int64",
  bytes: 8,
  c: "int64_t",
  ctypes: "c_int64",
  limits: INT64_LIMITS,
  wanted: "a bigint from -2n ** 63n to 2n ** 63n - 1n",
  isInteger: true,
  accepts: (value) => typeof value === "bigint" && BigInt.asIntN(64, value) === value,
  read: (view, at, little) => view.getBigInt64(at, little),
  write: (view, at, value, little) => view.setBigInt64(at, value, little),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getBigInt64(this.$base + offset, true);
    },
    set(this: LiveMemory, value: bigint) {
      if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) refuse(value);
      this.$view.setBigInt64(this.$base + offset, value, true);
    },
  }),
});

/** A whole number of 64 bits, as a bigint: 0n to 2n ** 64n - 1n; `uint64_t` in C. */
export const uint64: ScalarType<bigint> = new ScalarType<bigint>({
  name: "uint64",
  bytes: 8,
  c: "uint64_t",
  ctypes: "c_uint64",
  limits: UINT64_LIMITS,
  wanted: "a bigint from 0n to 2n ** 64n - 1n",
  isInteger: true,
  accepts: (value) => typeof value === "bigint" && BigInt.asUintN(64, value) === value,
  read: (view, at, little) => view.getBigUint64(at, little),
  write: (view, at, value, little) => view.setBigUint64(at, value, little),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getBigUint64(this.$base + offset, true);
    },
    set(this: LiveMemory, value: bigint) {
      if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) refuse(value);
      this.$view.setBigUint64(this.$base + offset, value, true);
    },
  }),
});

/** Whether a number keeps being one: what is finite and would become infinite is out of range. */
const staysFinite = (value: number, stored: number): boolean => Number.isFinite(stored) || !Number.isFinite(value);

const LARGEST_HALF = 65504;
const LARGEST_FLOAT = (2 - 2 ** -23) * 2 ** 127;
const finite = (bits: number, largest: number): string =>
  `a number that ${bits} bits can hold, from ${-largest} to ${largest}`;

/** A number of 16 bits (IEEE 754 binary16), of which about three digits are kept; `_Float16` in C. */
export const float16: ScalarType<number> = new ScalarType<number>({
  name: "float16",
  bytes: 2,
  // Not every compiler has a type for it.
  c: "uint16_t",
  ctypes: "c_uint16",
  limits: [-LARGEST_HALF, LARGEST_HALF],
  wanted: finite(16, LARGEST_HALF),
  isInteger: false,
  accepts: (value) => typeof value === "number" && staysFinite(value, halfValue(halfBits(value))),
  read: (view, at, little) => halfValue(view.getUint16(at, little)),
  write: (view, at, value, little) => view.setUint16(at, halfBits(value), little),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return halfValue(this.$view.getUint16(this.$base + offset, true));
    },
    set(this: LiveMemory, value: number) {
      if (typeof value !== "number" || !staysFinite(value, halfValue(halfBits(value)))) refuse(value);
      this.$view.setUint16(this.$base + offset, halfBits(value), true);
    },
  }),
});

/** A number of 32 bits (IEEE 754 binary32), of which about seven digits are kept; `float` in C. */
export const float32: ScalarType<number> = new ScalarType<number>({
  name: "float32",
  bytes: 4,
  c: "float",
  ctypes: "c_float",
  limits: [-LARGEST_FLOAT, LARGEST_FLOAT],
  wanted: finite(32, LARGEST_FLOAT),
  isInteger: false,
  accepts: (value) => typeof value === "number" && staysFinite(value, Math.fround(value)),
  read: (view, at, little) => view.getFloat32(at, little),
  write: (view, at, value, little) => view.setFloat32(at, value, little),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getFloat32(this.$base + offset, true);
    },
    set(this: LiveMemory, value: number) {
      if (typeof value !== "number" || !staysFinite(value, Math.fround(value))) refuse(value);
      this.$view.setFloat32(this.$base + offset, value, true);
    },
  }),
});

/** A number as JavaScript has them: 64 bits (IEEE 754 binary64); `double` in C. */
export const float64: ScalarType<number> = new ScalarType<number>({
  name: "float64",
  bytes: 8,
  c: "double",
  ctypes: "c_double",
  limits: [-Number.MAX_VALUE, Number.MAX_VALUE],
  wanted: "a number",
  isInteger: false,
  accepts: (value) => typeof value === "number",
  read: (view, at, little) => view.getFloat64(at, little),
  write: (view, at, value, little) => view.setFloat64(at, value, little),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getFloat64(this.$base + offset, true);
    },
    set(this: LiveMemory, value: number) {
      if (typeof value !== "number") refuse(value);
      this.$view.setFloat64(this.$base + offset, value, true);
    },
  }),
});

/** True or false in one byte, 1 or 0; any other byte reads as true. `bool` in C. */
export const bool: ScalarType<boolean> = new ScalarType<boolean>({
  name: "bool",
  bytes: 1,
  c: "bool",
  ctypes: "c_bool",
  limits: [false, true],
  wanted: "true or false",
  isInteger: false,
  accepts: (value) => typeof value === "boolean",
  read: (view, at) => view.getUint8(at) !== 0,
  write: (view, at, value) => view.setUint8(at, value ? 1 : 0),
  live: (offset, refuse) => ({
    get(this: LiveMemory) {
      return this.$view.getUint8(this.$base + offset) !== 0;
    },
    set(this: LiveMemory, value: boolean) {
      if (typeof value !== "boolean") refuse(value);
      this.$view.setUint8(this.$base + offset, value ? 1 : 0);
    },
  }),
});
