import { ArgumentError, ArgumentRangeError, ShmkitError } from "../../base/errors.js";
import { show, wholeNumber } from "../../base/arguments.js";
import { StructAtomics } from "./atomics.js";
import { cDeclaration } from "./c-declaration.js";
import { ctypesClass } from "./ctypes-class.js";
import type { NamedStruct } from "./declared-names.js";
import { cursorClass, type Cursor, type CursorClass } from "./cursor.js";
import { MAX_BYTES, type ArrayType } from "./array-type.js";
import { fieldName, plainObject, valuesFor } from "./field-names.js";
import { fieldAt } from "./field-path.js";
import { copyTo, FieldType, fieldType, type Accessor, type LivePart, type Place, type StructOf } from "./field-type.js";
import { defineRecord, partAccessor, type LiveClass } from "./live-record.js";
import { offsetIn, viewOf, type MemoryLike } from "./memory-view.js";
import { layoutOf, type StructLayout } from "./struct-layout.js";
import { checkedOptions, type StructOptions } from "./struct-options.js";

/** The fields of a struct, in the order in which they lie in memory. */
export type Fields = Readonly<Record<string, FieldType<unknown>>>;

/** The values of a struct's fields. */
export type ValuesOf<F extends Fields> = { -readonly [K in keyof F]: StructOf<F[K]> };

/** A field as a property of a live record: itself, or what is walked through. */
export type LiveField<T extends FieldType<unknown>> =
  T extends Struct<infer F>
    ? LiveRecord<F>
    : T extends ArrayType<infer E>
      ? Cursor<StructOf<E>, LiveField<E>>
      : StructOf<T>;

/** A struct where it lies in memory: each property reads or writes a field. Moved by the {@link Cursor} it is from. */
export type LiveRecord<F extends Fields> = {
  -readonly [K in keyof F as F[K]["kind"] extends "struct" | "bits" | "array" ? never : K]: StructOf<F[K]>;
} & { readonly [K in keyof F as F[K]["kind"] extends "struct" | "bits" | "array" ? K : never]: LiveField<F[K]> };

/** A field with its place. */
export interface PlacedField {
  readonly name: string;
  readonly type: FieldType<unknown>;
  readonly offset: number;
}

const roundUp = (value: number, multiple: number): number => Math.ceil(value / multiple) * multiple;

/**
 * Values with a fixed place for each field, laid out as C does: made by {@link struct}. Its methods work on any memory:
 * that of a mapping, of a region's buffer, of a message or of the process. `offset` counts bytes from its beginning and need
 * not be aligned. Where others may change the memory at the same time a value may be of two moments, as in C: use a
 * lock, or {@link Struct.atomics | atomics} for single numbers.
 * @see [Structs](../../../docs/guide/structs.md); System V ABI for x86-64, AAPCS64
 */
export class Struct<F extends Fields = Fields> extends FieldType<ValuesOf<F>> {
  readonly kind = "struct";
  /** Its name in messages and declarations; `struct` if none was given. */
  readonly name: string;
  /** The types of its fields. */
  readonly fields: F;
  readonly size: number;
  readonly alignment: number;
  /** Which end of its numbers comes first. */
  readonly endian: "little" | "big";
  /** @internal */
  readonly placed: readonly PlacedField[];
  /** @internal */
  readonly pack: number;
  private readonly Live: LiveClass;
  private readonly LiveCursor: CursorClass;
  /** Where values are checked before anything is written. Taken while in use: a value's getter may write another one. */
  private scratch: Uint8Array | undefined;

  /** @internal */
  constructor(fields: F, options: StructOptions | undefined) {
    super();
    const { name, pack, align, little } = checkedOptions(options);
    this.name = name ?? "struct";
    this.pack = pack;
    this.endian = little ? "little" : "big";
    const placed: PlacedField[] = [];
    const own: Record<string, FieldType<unknown>> = {};
    let end = 0;
    let alignment = 1;
    for (const [each, given] of Object.entries(plainObject(fields, "the fields of a struct"))) {
      const type = fieldType(given, fieldName(each));
      if (!little && type.kind === "bits")
        throw new ArgumentError(
          "ERR_INVALID_ARGUMENT",
          `${each}: bit fields of a big-endian struct lie nowhere for sure`,
        );
      const step = Math.min(type.alignment, pack);
      const offset = roundUp(end, step);
      placed.push({ name: each, type, offset });
      own[each] = type;
      end = offset + type.size;
      alignment = Math.max(alignment, step);
    }
    this.alignment = Math.max(alignment, align);
    this.size = roundUp(end, this.alignment);
    if (this.size > MAX_BYTES)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `${this.name} must have at most ${MAX_BYTES} bytes, not ${this.size}`,
        {
          expected: MAX_BYTES,
          actual: this.size,
        },
      );
    this.fields = Object.freeze(own) as F;
    this.placed = placed;
    this.Live = this.defineLive(little);
    this.LiveCursor = cursorClass(this);
  }

  private defineLive(little: boolean): LiveClass {
    const place: Place = { parent: undefined, key: this.name };
    const walked = this.placed.filter(({ type }) => ["struct", "array", "bits"].includes(type.kind));
    return defineRecord(
      this.placed.map((field) => ({
        name: field.name,
        accessor: field.type.accessor(field.offset, little, place, field.name, walked.indexOf(field)),
      })),
      (view, at) => this.get(view, at),
      (view) => walked.map(({ type }) => type.makePart(view, little)!),
    );
  }

  /** Its name. */
  toString(): string {
    return this.name;
  }

  /**
   * Where a field begins, in bytes from the beginning of the struct, as offsetof() in C: `"red"`, `"position.x"`, `"items[3].id"`.
   * @throws ERR_INVALID_ARGUMENT if there is no such field, or if it is bits, which begin inside a byte
   */
  offsetOf(field: string): number {
    return fieldAt(this, field).offset;
  }

  /** Reads one: a copy. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  read(memory: MemoryLike, offset = 0): ValuesOf<F> {
    const view = viewOf(memory);
    return this.get(view, offsetIn(view, offset, this.size));
  }

  /**
   * Writes one: all of it, or nothing if a value is wrong. Gaps between fields become zeroes.
   * @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, naming the field and the value
   */
  write(memory: MemoryLike, offset: number, value: ValuesOf<F>): void {
    const view = viewOf(memory);
    const at = offsetIn(view, offset, this.size);
    this.putLive(view, at, value, this.endian === "little", undefined, this.name);
  }

  /** Reads `count` of them that lie one after the other. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  readArray(memory: MemoryLike, offset: number, count: number): ValuesOf<F>[] {
    const view = viewOf(memory);
    const length = wholeNumber(count, "count", 0, Math.floor(view.byteLength / this.size));
    const begin = offsetIn(view, offset, length * this.size);
    return Array.from({ length }, (_, i) => this.get(view, begin + i * this.size));
  }

  /** Writes several, one after the other: all of them, or nothing if a value is wrong. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  writeArray(memory: MemoryLike, offset: number, values: readonly ValuesOf<F>[]): void {
    const view = viewOf(memory);
    if (!Array.isArray(values))
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `values must be an array, not ${show(values)}`);
    const at = offsetIn(view, offset, values.length * this.size);
    const copy = new Uint8Array(values.length * this.size);
    const target = new DataView(copy.buffer);
    const place: Place = { parent: undefined, key: "values" };
    for (let i = 0; i * this.size < copy.length; i++) this.put(target, i * this.size, values[i], true, place, i);
    copyTo(view, at, copy);
  }

  /**
   * Those that lie one after the other from `offset` on, to be read and written in place, without allocation.
   * @param length default: as many as there is room for
   * @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE
   */
  cursor(memory: MemoryLike, offset = 0, length?: number): Cursor<ValuesOf<F>, LiveRecord<F>> {
    const view = viewOf(memory);
    const begin = offsetIn(view, offset, 0);
    const room = Math.floor((view.byteLength - begin) / this.size);
    const count = length === undefined ? room : wholeNumber(length, "length", 0, room);
    const place: Place = { parent: undefined, key: this.name };
    const track = { view, little: this.endian === "little", length: count, element: this, place };
    return new this.LiveCursor(track, begin) as Cursor<ValuesOf<F>, LiveRecord<F>>;
  }

  /** Atomic access to the integer fields of the one at `offset`. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  atomics(memory: MemoryLike, offset = 0): StructAtomics<F> {
    const view = viewOf(memory);
    return new StructAtomics(this, view, offsetIn(view, offset, this.size));
  }

  /** Its bytes, for messages: a struct can be the codec of a pipe. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  encode(value: ValuesOf<F>): Uint8Array {
    const bytes = new Uint8Array(this.size);
    this.put(new DataView(bytes.buffer), 0, value, true, undefined, this.name);
    return bytes;
  }

  /** What {@link encode} has made. @throws ERR_BAD_MESSAGE, with the bytes, when there are more or fewer than its size */
  decode(bytes: Uint8Array): ValuesOf<F> {
    const view = viewOf(bytes);
    if (view.byteLength !== this.size)
      throw new ShmkitError(
        "ERR_BAD_MESSAGE",
        `a message of ${view.byteLength} bytes is no ${this.name}, which has ${this.size}`,
        {
          bytes,
          expected: this.size,
          actual: view.byteLength,
        },
      );
    return this.get(view, 0);
  }

  /** Where its fields lie, theirs included, as plain data. */
  layout(): StructLayout {
    return layoutOf(this);
  }

  /**
   * Its declaration in C11, with those of the structs in it and assertions that the compiler places the fields likewise. A
   * name that C keeps for itself gets a `_` at its end.
   * @param name default: its own
   * @param others structs to declare in the same file, each struct is declared once
   * @throws ERR_INVALID_ARGUMENT when it has none
   */
  toC(name?: string, others: readonly NamedStruct[] = []): string {
    return cDeclaration(this.together(name, others));
  }

  /**
   * Its class in Python, of ctypes, with those of the structs in it. A name that Python keeps for itself gets a `_` at its end.
   * @param name default: its own
   * @param others structs whose classes belong into the same file: each struct has one class
   * @throws ERR_INVALID_ARGUMENT when it has none
   */
  toPython(name?: string, others: readonly NamedStruct[] = []): string {
    return ctypesClass(this.together(name, others));
  }

  private together(name: string | undefined, others: readonly NamedStruct[]): readonly NamedStruct[] {
    const given: unknown = others;
    const isNamed = (each: Partial<NamedStruct> | null): boolean => each?.struct instanceof Struct;
    if (!Array.isArray(given) || !given.every(isNamed))
      throw new ArgumentError(
        "ERR_INVALID_ARGUMENT",
        `others must be structs with their names, [{ struct, name }], not ${show(others)}`,
      );
    return [{ struct: this, name }, ...others];
  }

  /** @internal */
  get(view: DataView, at: number): ValuesOf<F> {
    const little = this.endian === "little";
    const value: Record<string, unknown> = {};
    for (const { name, type, offset } of this.placed) value[name] = type.get(view, at + offset, little);
    return value as ValuesOf<F>;
  }

  /** @internal */
  put(view: DataView, at: number, value: unknown, _: boolean, parent: Place | undefined, key: string | number): void {
    const little = this.endian === "little";
    const own: Place = { parent, key };
    const values = valuesFor(value, this.placed, parent, key);
    for (const { name, type, offset } of this.placed) type.put(view, at + offset, values[name], little, own, name);
  }

  /** @internal */
  override putLive(
    view: DataView,
    at: number,
    value: unknown,
    _: boolean,
    parent: Place | undefined,
    key: string | number,
  ): void {
    const copy = this.scratch ?? new Uint8Array(this.size);
    this.scratch = undefined;
    // Gaps stay zeroes: nothing is ever written to them.
    this.put(new DataView(copy.buffer), 0, value, true, parent, key);
    copyTo(view, at, copy);
    this.scratch = copy;
  }

  /** @internal */
  override makePart(view: DataView, little: boolean): LivePart {
    return new this.Live(view, little);
  }

  /** @internal */
  override accessor(offset: number, little: boolean, parent: Place, key: string, part: number): Accessor {
    return partAccessor(this, { offset, little, parent, key }, part);
  }
}

/**
 * Defines a struct: named fields with fixed places, as C lays them out on x86-64 and arm64.
 * @param fields in their order in memory. Names are identifiers of C
 * @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE, ERR_UNKNOWN_OPTION
 * @see [Structs](../../../docs/guide/structs.md)
 * @example
 * ```ts
 * import { float64, int16, string, struct } from "shmkit";
 *
 * const Reading = struct({ sensor: string(16), value: float64, quality: int16 }, { name: "Reading" });
 * const memory = new ArrayBuffer(Reading.size * 10);
 * Reading.write(memory, 0, { sensor: "boiler", value: 71.5, quality: 3 });
 * console.log(Reading.size, Reading.offsetOf("quality"), Reading.read(memory).value); // 32 24 71.5
 * ```
 */
export const struct = <F extends Fields>(fields: F, options?: StructOptions): Struct<F> => new Struct(fields, options);
