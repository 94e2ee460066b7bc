import { ArgumentError, ArgumentRangeError } from "../../base/errors.js";
import { show } from "../../base/arguments.js";
import type { FieldType, LivePart, Place } from "./field-type.js";

/** What a cursor goes over. */
export interface Track {
  readonly view: DataView;
  readonly little: boolean;
  readonly length: number;
  readonly element: FieldType<unknown>;
  readonly place: Place;
}

/**
 * Values of one type in a row in memory, which are read and written where they lie: the structs that
 * {@link Struct.cursor} goes over, or an array in one of them. It is no array: values are reached by {@link at}, {@link get}
 * and {@link set}. Fields that are numbers are read and written without allocation, so a cursor suits loops over many. One that
 * belongs to a live record moves with it.
 * @example
 * ```ts
 * import { int16, struct } from "shmkit";
 *
 * const MyColor = struct({ red: int16, green: int16, blue: int16, alpha: int16 });
 * const colors = MyColor.cursor(new ArrayBuffer(800));
 * for (let i = 0; i < colors.length; i++) colors.at(i).red += 10;
 * console.log(colors.length, colors.get(99).red); // 100 10
 * ```
 */
export abstract class Cursor<Value, Live = Value> {
  // Declared: a field that is undefined first is one of which the engine knows nothing later.
  /** How many there are. */
  declare readonly length: number;
  /** @internal */
  declare $base: number;
  /** @internal */
  declare readonly $size: number;
  /** @internal */
  declare readonly $track: Track;

  /** @internal */
  constructor(track: Track, base: number) {
    this.length = track.length;
    this.$base = base;
    this.$size = track.element.size;
    this.$track = track;
  }

  /**
   * The value at an index. Of structs, bit fields and arrays it is always the same live object, which moves there: keep the
   * index, or the copy that {@link get} answers, not the object. Indexes count from the beginning.
   * @throws ERR_OUT_OF_RANGE
   */
  abstract at(index: number): Live;

  /** A copy of the value at an index. @throws ERR_OUT_OF_RANGE */
  get(index: number): Value {
    if (index >>> 0 !== index || index >= this.length) this.refuse(index);
    const { element, view, little } = this.$track;
    return element.get(view, this.$base + index * this.$size, little) as Value;
  }

  /** Writes a value at an index: all of it, or nothing if it is wrong. @throws ERR_OUT_OF_RANGE, ERR_INVALID_ARGUMENT */
  set(index: number, value: Value): void {
    if (index >>> 0 !== index || index >= this.length) this.refuse(index);
    const { element, view, little, place } = this.$track;
    element.putLive(view, this.$base + index * this.$size, value, little, place, index);
  }

  /** @internal */
  protected refuse(index: unknown): never {
    if (typeof index !== "number")
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `index must be a number, not ${show(index)}`, { actual: index });
    throw new ArgumentRangeError(
      "ERR_OUT_OF_RANGE",
      `index must be a whole number below ${this.length}, not ${index}`,
      { expected: [0, this.length - 1], actual: index },
    );
  }
}

/** A cursor of its own class, for the same reason as live records have one. */
export type CursorClass = new (track: Track, base: number) => Cursor<unknown>;

function definePartCursor(element: FieldType<unknown>): CursorClass {
  return class extends Cursor<unknown> {
    declare private readonly $part: LivePart;

    constructor(track: Track, base: number) {
      super(track, base);
      this.$part = element.makePart(track.view, track.little)!;
      // An array is no array here: writing to cursor[0] would be lost without a word.
      Object.preventExtensions(this);
    }

    at(index: number): unknown {
      if (index >>> 0 === index && index < this.length) {
        this.$part.$base = this.$base + index * this.$size;
        return this.$part;
      }
      return this.refuse(index);
    }
  };
}

class ValueCursor extends Cursor<unknown> {
  constructor(track: Track, base: number) {
    super(track, base);
    Object.preventExtensions(this);
  }

  at(index: number): unknown {
    return this.get(index);
  }
}

/** The class of cursors over values of one type. */
export const cursorClass = (element: FieldType<unknown>): CursorClass =>
  element.kind === "struct" || element.kind === "bits" || element.kind === "array"
    ? definePartCursor(element)
    : ValueCursor;
