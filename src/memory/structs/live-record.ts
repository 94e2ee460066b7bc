import { INSPECTED } from "../../base/inspection.js";
import type { Accessor, FieldType, LiveMemory, LivePart, Place } from "./field-type.js";

/** A property of live records. */
interface Property {
  readonly name: string;
  readonly accessor: Accessor;
}

/** Makes a record over a view; it begins at the view's beginning, until it is moved. */
export type LiveClass = new (view: DataView, little: boolean) => LivePart;

/**
 * A class of objects whose properties are the memory. Each struct gets one of its own: the engine then knows what it
 * finds where, which makes an access as fast as one to a typed array.
 * @param snapshot the value there, for people
 */
export function defineRecord(
  properties: readonly Property[],
  snapshot: (view: DataView, at: number, little: boolean) => unknown,
  partsOf: (view: DataView) => readonly LivePart[] = () => [],
): LiveClass {
  class Live implements LiveMemory {
    declare readonly $view: DataView;
    declare readonly $parts: readonly LivePart[];
    declare $base: number;
    declare readonly $little: boolean;

    // Plain assignments: the engine then keeps these four inside the object.
    constructor(view: DataView, little: boolean) {
      this.$view = view;
      this.$base = 0;
      this.$parts = partsOf(view);
      this.$little = little;
      // What is no field would be lost without a word.
      Object.preventExtensions(this);
    }

    /** For JSON and for messages, which see no accessors. */
    toJSON(): unknown {
      return snapshot(this.$view, this.$base, this.$little);
    }

    [INSPECTED](): unknown {
      return snapshot(this.$view, this.$base, this.$little);
    }
  }
  for (const { name, accessor } of properties)
    Object.defineProperty(Live.prototype, name, { ...accessor, enumerable: true });
  return Live;
}

/** Where a record has a property. */
interface Spot {
  readonly offset: number;
  readonly little: boolean;
  readonly parent: Place;
  readonly key: string;
}

/** A property that is walked through: the part for it, moved to where the record is. What is assigned is copied in. */
export const partAccessor = (
  type: FieldType<unknown>,
  { offset, little, parent, key }: Spot,
  index: number,
): Accessor => ({
  set(this: LiveMemory, value: unknown) {
    type.putLive(this.$view, this.$base + offset, value, little, parent, key);
  },
  get(this: LiveMemory) {
    const part = this.$parts[index];
    part.$base = this.$base + offset;
    return part;
  },
});
