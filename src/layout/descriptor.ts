/** How a field is written and read; see docs/layout.md for the terms. */
export type Order =
  | "fixed" // written once, before the structure is published
  | "plain" // ordered by another word
  | "publish" // the word whose change makes others' changes visible
  | "atomic"; // changed by atomic read-modify-write

export type FieldType = "u8" | "u32" | "i64" | "f64";

/** One field of a shared structure. */
export interface Field {
  readonly name: string;
  /** Byte offset in the structure. */
  readonly offset: number;
  readonly type: FieldType;
  /** Number of elements; 1 unless it is an array. */
  readonly count: number;
  /** Unit and legal values. */
  readonly values: string;
  /** Who writes it, under which rule. */
  readonly writer: string;
  readonly order: Order;
  /** What it means after its writer died. */
  readonly afterCrash: string;
}

/** One shared structure. */
export interface Struct {
  readonly name: string;
  readonly doc: string;
  readonly sizeBytes: number;
  readonly fields: readonly Field[];
}

export const TYPE_BYTES: Readonly<Record<FieldType, number>> = { u8: 1, u32: 4, i64: 8, f64: 8 };

type FieldRow<N extends string> = readonly [
  offset: number,
  name: N,
  type: FieldType | `${FieldType}[${number}]`,
  values: string,
  writer: string,
  order: Order,
  afterCrash: string,
];

/** Byte offsets of a structure's fields by name. */
export type Offsets<N extends string> = Readonly<Record<N, number>>;

/** Declares a structure from rows; refuses overlaps, misalignment and fields beyond the end. */
export function struct<const N extends string>(
  name: string,
  sizeBytes: number,
  doc: string,
  rows: readonly FieldRow<N>[],
): { readonly struct: Struct; readonly at: Offsets<N> } {
  const at: Record<string, number> = {};
  const fields: Field[] = [];
  let end = 0;
  for (const [offset, fieldName, spec, values, writer, order, afterCrash] of rows) {
    const match = /^(u8|u32|i64|f64)(?:\[(\d+)\])?$/.exec(spec)!;
    const type = match[1] as FieldType;
    const count = match[2] === undefined ? 1 : Number(match[2]);
    if (offset < end || offset % TYPE_BYTES[type] !== 0 || offset + count * TYPE_BYTES[type] > sizeBytes)
      throw new Error(`layout of ${name}.${fieldName} overlaps, is misaligned or exceeds the structure`);
    end = offset + count * TYPE_BYTES[type];
    at[fieldName] = offset;
    fields.push({ name: fieldName, offset, type, count, values, writer, order, afterCrash });
  }
  return { struct: { name, doc, sizeBytes, fields }, at: at as Offsets<N> };
}
