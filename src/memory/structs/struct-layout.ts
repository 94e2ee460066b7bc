import type { ArrayType } from "./array-type.js";
import type { BitFields } from "./bit-fields.js";
import type { FieldType } from "./field-type.js";
import type { Struct } from "./struct.js";

/** Where bits lie in their unit. */
export interface BitLayout {
  /** The lowest one. */
  readonly shift: number;
  /** How many they are. */
  readonly width: number;
}

/** Where a field lies. */
export interface FieldLayout {
  /** Its name. */
  readonly name: string;
  /** As it is written: `int16`, `string(32)`, `array(int32, 10)`, or the name of a struct. */
  readonly type: string;
  /** Bytes from the beginning of the struct. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Of bit fields, whose unit is at `offset`. */
  readonly bits?: BitLayout;
  /** The fields of a struct or of bit fields, or of each value of an array of them; offsets count from its own beginning. */
  readonly fields?: readonly FieldLayout[];
}

/** Where the fields of a struct lie. */
export interface StructLayout {
  /** Its name. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes: C places it at multiples of this. */
  readonly alignment: number;
  /** Which end of its numbers comes first. */
  readonly endian: "little" | "big";
  /** In the order of the memory. */
  readonly fields: readonly FieldLayout[];
}

/** What an array is made of in the end, arrays of arrays included. */
export function innermost(type: FieldType<unknown>): FieldType<unknown> {
  return type.kind === "array" ? innermost((type as ArrayType).element) : type;
}

function fieldsOf(type: FieldType<unknown>): FieldLayout[] | undefined {
  if (type.kind === "bits") {
    const { placed, unit } = type as BitFields;
    return placed.map(({ name, unit: offset, shift, width }) => ({
      name,
      type: String(unit),
      offset,
      size: unit.size,
      bits: { shift, width },
    }));
  }
  if (type.kind !== "struct") return undefined;
  return (type as Struct).placed.map((field) => {
    const fields = fieldsOf(innermost(field.type));
    const { name, offset } = field;
    return { name, type: String(field.type), offset, size: field.type.size, ...(fields && { fields }) };
  });
}

export function layoutOf(struct: Struct): StructLayout {
  const { name, size, alignment, endian } = struct;
  return { name, size, alignment, endian, fields: fieldsOf(struct)! };
}
