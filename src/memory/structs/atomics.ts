import { ArgumentError } from "../../base/errors.js";
import { fieldAt } from "./field-path.js";
import type { FieldType } from "./field-type.js";
import type { ScalarType } from "./scalars.js";
import type { Fields, Struct } from "./struct.js";

/** The fields that hold numbers or bigints; whether they are integers shows when they are used. */
export type AtomicField<F extends Fields> = {
  [K in keyof F]: F[K] extends ScalarType<number> | ScalarType<bigint> ? K : never;
}[keyof F] &
  string;

/** What an operation on a field takes and answers. */
export type AtomicValue<T> = T extends FieldType<infer V> ? V : never;

type Integers = Int32Array;

const ARRAYS: Readonly<Record<string, new (buffer: ArrayBufferLike, offset: number, length: number) => unknown>> = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
};

/**
 * Atomic operations on the integer fields of one struct in memory, ordered among all of them (ECMA-262, Atomics; in C,
 * `memory_order_seq_cst`). A field must lie at a multiple of its size in the buffer, little-endian; fields of packed structs
 * often do not. Operands out of a field's range are ERR_OUT_OF_RANGE; sums wrap around, as in C.
 * @example
 * ```ts
 * import { struct, uint32 } from "shmkit";
 *
 * const Totals = struct({ hits: uint32, misses: uint32 });
 * const totals = Totals.atomics(new SharedArrayBuffer(8));
 * totals.add("hits", 2);
 * console.log(totals.load("hits"), totals.compareExchange("misses", 0, 7)); // 2 0
 * ```
 */
export class StructAtomics<F extends Fields> {
  private readonly owner: Struct<F>;
  private readonly view: DataView;
  private readonly base: number;
  private readonly known = new Map<string, { words: Integers; type: ScalarType<number> }>();

  /** @internal */
  constructor(owner: Struct<F>, view: DataView, base: number) {
    this.owner = owner;
    this.view = view;
    this.base = base;
  }

  /** The value. @throws ERR_INVALID_ARGUMENT when the field has no atomic access */
  load<K extends AtomicField<F>>(field: K): AtomicValue<F[K]> {
    return Atomics.load(this.words(field), 0) as AtomicValue<F[K]>;
  }

  /** Sets it. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  store<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): void {
    Atomics.store(this.words(field, value), 0, value as number);
  }

  /** Adds; answers the value before. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  add<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]> {
    return Atomics.add(this.words(field, value), 0, value as number) as AtomicValue<F[K]>;
  }

  /** Subtracts; answers the value before. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  sub<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]> {
    return Atomics.sub(this.words(field, value), 0, value as number) as AtomicValue<F[K]>;
  }

  /** Keeps the bits that are set in both; answers the value before. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  and<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]> {
    return Atomics.and(this.words(field, value), 0, value as number) as AtomicValue<F[K]>;
  }

  /** Sets bits; answers the value before. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  or<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]> {
    return Atomics.or(this.words(field, value), 0, value as number) as AtomicValue<F[K]>;
  }

  /** Flips bits; answers the value before. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  xor<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]> {
    return Atomics.xor(this.words(field, value), 0, value as number) as AtomicValue<F[K]>;
  }

  /** Sets it; answers the value before. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  exchange<K extends AtomicField<F>>(field: K, value: AtomicValue<F[K]>): AtomicValue<F[K]> {
    return Atomics.exchange(this.words(field, value), 0, value as number) as AtomicValue<F[K]>;
  }

  /** Sets it if it is `expected`; answers the value before: the exchange happened when that is `expected`. @throws ERR_INVALID_ARGUMENT, ERR_OUT_OF_RANGE */
  compareExchange<K extends AtomicField<F>>(
    field: K,
    expected: AtomicValue<F[K]>,
    replacement: AtomicValue<F[K]>,
  ): AtomicValue<F[K]> {
    const words = this.words(field, expected);
    this.words(field, replacement);
    return Atomics.compareExchange(words, 0, expected as number, replacement as number) as AtomicValue<F[K]>;
  }

  /** The field as an array of one, which `operand` fits. */
  private words(field: string, ...operand: readonly unknown[]): Integers {
    let own = this.known.get(field);
    if (own === undefined) this.known.set(field, (own = this.find(field)));
    const { words, type } = own;
    if (operand.length > 0 && !type.format.accepts(operand[0]))
      type.refuse(operand[0], { parent: undefined, key: this.owner.name }, field);
    return words;
  }

  private find(field: string): { words: Integers; type: ScalarType<number> } {
    const { type, offset, endian } = fieldAt(this.owner, field);
    const at = this.view.byteOffset + this.base + offset;
    const refuse = (why: string): never => {
      throw new ArgumentError("ERR_INVALID_ARGUMENT", `${this.owner.name}.${field} has no atomic access: ${why}`, {
        path: `${this.owner.name}.${field}`,
        actual: at,
      });
    };
    const Words = ARRAYS[String(type)];
    if (Words === undefined) return refuse(`it is no integer of 8 to 64 bits, but ${String(type)}`);
    if (endian === "big" && type.size > 1) return refuse("it is big-endian");
    if (at % type.size !== 0)
      return refuse(`it lies at byte ${at} of the buffer, which is no multiple of ${type.size}`);
    return { words: new Words(this.view.buffer, at, 1) as Integers, type: type as ScalarType<number> };
  }
}
