import { wholeNumber } from "../../base/arguments.js";
import { Cursor, cursorClass, type CursorClass } from "./cursor.js";
import {
  FieldType,
  fieldType,
  outOfRange,
  wrongType,
  type Accessor,
  type LivePart,
  type Place,
  type StructOf,
} from "./field-type.js";
import { partAccessor } from "./live-record.js";

const MAX_LENGTH = 2 ** 24;
export const MAX_BYTES = 2 ** 31 - 1;

/** A fixed number of values of one type. */
export class ArrayType<E extends FieldType<unknown> = FieldType<unknown>> extends FieldType<StructOf<E>[]> {
  readonly kind = "array";
  readonly size: number;
  readonly alignment: number;
  /** The type of its values. */
  readonly element: E;
  /** How many there are. */
  readonly length: number;
  private readonly Live: CursorClass;

  /** @internal */
  constructor(element: E, length: number) {
    super();
    this.element = element;
    this.length = length;
    this.size = element.size * length;
    this.alignment = element.alignment;
    this.Live = cursorClass(element);
  }

  /** As it is written. */
  toString(): string {
    return `array(${String(this.element)}, ${this.length})`;
  }

  /** @internal */
  get(view: DataView, at: number, little: boolean): StructOf<E>[] {
    const values: unknown[] = [];
    for (let i = 0; i < this.length; i++) values.push(this.element.get(view, at + i * this.element.size, little));
    return values as StructOf<E>[];
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
    const values = arrayOf(value, this.length, parent, key);
    const own: Place = { parent, key };
    for (let i = 0; i < this.length; i++) this.element.put(view, at + i * this.element.size, values[i], little, own, i);
  }

  /** @internal */
  override makePart(view: DataView, little: boolean): LivePart {
    const { element, length } = this;
    return new this.Live({ view, little, length, element, place: { parent: undefined, key: String(this) } }, 0);
  }

  /** @internal */
  override accessor(offset: number, little: boolean, parent: Place, key: string, part: number): Accessor {
    return partAccessor(this, { offset, little, parent, key }, part);
  }
}

/** Values to be written: an array or typed array of exactly so many. */
function arrayOf(value: unknown, length: number, parent: Place | undefined, key: string | number): ArrayLike<unknown> {
  const isArray = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
  if (!isArray && !(value instanceof Cursor)) wrongType(parent, key, `an array of ${length} values`, value);
  // An array of a live record is a cursor: so records can be copied from one place to another.
  const values =
    value instanceof Cursor
      ? Array.from({ length: value.length }, (_, i): unknown => value.get(i))
      : (value as ArrayLike<unknown>);
  if (values.length !== length) outOfRange(parent, `${key}.length`, String(length), values.length, length);
  return values;
}

/**
 * Exactly `length` values of a type, one after the other: `T[length]` in C. Arrays of arrays and of structs are fine.
 * @param length 1 to 16,777,216, and below 2 GiB in all
 * @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE
 */
export function array<E extends FieldType<unknown>>(type: E, length: number): ArrayType<E> {
  const { size } = fieldType(type, "what an array has");
  const most = Math.min(MAX_LENGTH, Math.floor(MAX_BYTES / size));
  return new ArrayType(type, wholeNumber(length, "length", 1, most));
}
