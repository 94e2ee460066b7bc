import { ArgumentError } from "../../base/errors.js";
import { show, wholeNumber } from "../../base/arguments.js";
import { fieldName, plainObject, valuesFor } from "./field-names.js";
import {
  FieldType,
  outOfRange,
  wrongType,
  type Accessor,
  type LiveMemory,
  type LivePart,
  type Place,
} from "./field-type.js";
import { defineRecord, partAccessor } from "./live-record.js";
import { int16, int32, int8, uint16, uint32, uint8, type ScalarType } from "./scalars.js";

const UNITS: readonly unknown[] = [int8, uint8, int16, uint16, int32, uint32];

/** One of the numbers in a group of bit fields. */
interface BitField {
  readonly name: string;
  readonly width: number;
  /** Byte of its unit in the group. */
  readonly unit: number;
  /** Its lowest bit in the unit. */
  readonly shift: number;
  readonly limits: readonly [number, number];
}

const isSigned = (unit: ScalarType<number>): boolean => unit.format.limits[0] < 0;

/**
 * As the ABI of x86-64 and arm64 (System V, AAPCS64) has it: from the lowest bit on, and what does not fit the rest of a
 * unit begins the next one.
 */
function place(widths: Readonly<Record<string, unknown>>, unit: ScalarType<number>): BitField[] {
  const bits = unit.size * 8;
  let next = 0;
  return Object.entries(widths).map(([name, given]) => {
    const width = wholeNumber(given, `the bits of ${fieldName(name)}`, 1, bits);
    if ((next % bits) + width > bits) next = Math.ceil(next / bits) * bits;
    const at = next;
    next += width;
    const limits = isSigned(unit) ? [-(2 ** (width - 1)), 2 ** (width - 1) - 1] : [0, 2 ** width - 1];
    return {
      name,
      width,
      unit: Math.floor(at / bits) * unit.size,
      shift: at % bits,
      limits: limits as [number, number],
    };
  });
}

/** A live record does not know which field it is. */
const LIVE: Place = { parent: undefined, key: "bits" };

function extract(word: number, { width, shift }: BitField, signed: boolean): number {
  const raised = word << (32 - shift - width);
  return signed ? raised >> (32 - width) : raised >>> (32 - width);
}

function insert(word: number, { width, shift }: BitField, value: number): number {
  const mask = (width === 32 ? -1 : (1 << width) - 1) << shift;
  return (word & ~mask) | ((value << shift) & mask);
}

/** A group of small whole numbers that share units of 8, 16 or 32 bits. */
export class BitFields<Name extends string = string> extends FieldType<Record<Name, number>> {
  readonly kind = "bits";
  readonly size: number;
  readonly alignment: number;
  /** The type of the units. */
  readonly unit: ScalarType<number>;
  /** @internal */
  readonly placed: readonly BitField[];
  private readonly Live: new (view: DataView, little: boolean) => LivePart;

  /** @internal */
  constructor(widths: Readonly<Record<Name, number>>, unit: ScalarType<number>) {
    super();
    this.unit = unit;
    this.placed = place(widths, unit);
    this.alignment = unit.size;
    this.size = this.placed[this.placed.length - 1].unit + unit.size;
    this.Live = defineRecord(
      this.placed.map((field) => ({ name: field.name, accessor: this.bitAccessor(field) })),
      (view, at) => this.get(view, at),
    );
  }

  /** As it is written. */
  toString(): string {
    const widths = this.placed.map(({ name, width }) => `${name}: ${width}`);
    return `bits({ ${widths.join(", ")} }, ${String(this.unit)})`;
  }

  private load(view: DataView, at: number): number {
    return this.unit.get(view, at, true);
  }

  private store(view: DataView, at: number, word: number): void {
    if (this.unit.size === 1) view.setUint8(at, word);
    else if (this.unit.size === 2) view.setUint16(at, word, true);
    else view.setUint32(at, word, true);
  }

  /** @internal */
  get(view: DataView, at: number): Record<Name, number> {
    const signed = isSigned(this.unit);
    const value: Record<string, number> = {};
    for (const field of this.placed) value[field.name] = extract(this.load(view, at + field.unit), field, signed);
    return value;
  }

  /** @internal */
  put(view: DataView, at: number, value: unknown, _: boolean, parent: Place | undefined, key: string | number): void {
    const own: Place = { parent, key };
    const values = valuesFor(value, this.placed, parent, key);
    for (let unit = 0; unit < this.size; unit += this.unit.size) this.store(view, at + unit, 0);
    for (const field of this.placed) {
      const bits = checked(field, values[field.name], own);
      this.store(view, at + field.unit, insert(this.load(view, at + field.unit), field, bits));
    }
  }

  /** @internal */
  override makePart(view: DataView, little: boolean): LivePart {
    return new this.Live(view, little);
  }

  /** @internal */
  override accessor(offset: number, little: boolean, parent: Place, key: string, part: number): Accessor {
    return partAccessor(this, { offset, little, parent, key }, part);
  }

  private bitAccessor(field: BitField): Accessor {
    const signed = isSigned(this.unit);
    const load = (memory: LiveMemory): number => this.load(memory.$view, memory.$base + field.unit);
    const store = (memory: LiveMemory, word: number): void => this.store(memory.$view, memory.$base + field.unit, word);
    return {
      get() {
        return extract(load(this), field, signed);
      },
      set(value) {
        store(this, insert(load(this), field, checked(field, value, LIVE)));
      },
    };
  }
}

function checked({ name, limits }: BitField, value: unknown, parent: Place | undefined): number {
  const [lowest, highest] = limits;
  const wanted = `a whole number from ${lowest} to ${highest}`;
  if (typeof value !== "number") wrongType(parent, name, wanted, value);
  if (!Number.isInteger(value) || value < lowest || value > highest) outOfRange(parent, name, wanted, value, limits);
  return value;
}

/**
 * Small whole numbers in shared units, by their numbers of bits: `bits({ ready: 1, kind: 3 }, uint8)` is one byte, a struct
 * of bit fields in C. They lie as the C ABI of x86-64 and arm64 places them: from the lowest bit on, and one that does not
 * fit the rest of a unit begins the next. Of a signed unit they are signed. A write through a live record reads the unit,
 * changes it and writes it back: writers of the same unit need a lock.
 * @param unit int8, uint8, int16, uint16, int32 or uint32
 * @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE for widths that are not 1 to the bits of the unit
 */
export function bits<Name extends string>(
  widths: Readonly<Record<Name, number>>,
  unit: ScalarType<number>,
): BitFields<Name> {
  if (!UNITS.includes(unit))
    throw new ArgumentError(
      "ERR_INVALID_ARGUMENT",
      `the unit of bit fields must be int8, uint8, int16, uint16, int32 or uint32, not ${show(unit)}`,
    );
  return new BitFields(plainObject(widths, "the widths of bit fields") as Readonly<Record<Name, number>>, unit);
}
