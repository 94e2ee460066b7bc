import { show, wholeNumber } from "../base/arguments.js";
import { ArgumentError, ArgumentRangeError, ShmkitError } from "../base/errors.js";
import {
  decode,
  encode,
  Format,
  formatIn,
  placesOf,
  slotBytes,
  WORD,
  type Encoded,
  type ShareableValue,
} from "./shareable-list-layout.js";
import { SharedMemory } from "./shared-memory.js";

const MAX_LENGTH = 2 ** 32;

/**
 * A list of values in shared memory, as Python's `multiprocessing.shared_memory.ShareableList`: of fixed length, with places of
 * a fixed size. Each side reads and writes what the other made.
 *
 * A number that is whole is an integer to Python, any other a float; what is set where a float is stays one. Integers beyond
 * 2^53 are read as bigints. Nothing here is atomic: whoever writes while others read or write takes `memory.lock()`.
 * @see [Shared memory](../../docs/guide/shared-memory.md#lists)
 * @example
 * ```ts
 * import { ShareableList } from "shmkit";
 *
 * const list = await ShareableList.create([1, 2.5, "three", null, true], "api-list");
 * const same = await ShareableList.open("api-list"); // or ShareableList(name="api-list") in Python
 * same.set(2, "3");
 * console.log([...list], list.length); // [ 1, 2.5, '3', null, true ] 5
 * same.close();
 * list.close();
 * list.memory.unlink();
 * ```
 */
export class ShareableList implements Iterable<ShareableValue>, Disposable {
  /** The memory it is in: its name, lock and end. */
  readonly memory: SharedMemory;
  /** How many values it has. */
  readonly length: number;
  /** Where each place begins, and where the last one ends: what it was when the list was opened. */
  private readonly offsets: readonly number[];
  private readonly places: ReturnType<typeof placesOf>;
  private readonly bytes: Uint8Array;

  private constructor(memory: SharedMemory) {
    this.memory = memory;
    this.bytes = new Uint8Array(memory.buffer);
    this.offsets = offsetsOf(memory);
    this.length = this.offsets.length - 1;
    this.places = placesOf(this.length, this.offsets[this.length]);
    if (this.places.end > memory.size) throw noList(memory);
  }

  /**
   * Makes a list of values, in memory of that name or of one that is free. Texts and bytes have room for themselves, rounded up
   * to the next multiple of 8 above.
   * @throws ERR_NOT_ENCODABLE, ERR_OUT_OF_RANGE (an integer of more than 64 bits, a text of 10 MB), and as {@link SharedMemory.create}
   */
  static async create(values: Iterable<ShareableValue>, name?: string): Promise<ShareableList> {
    const encoded = encodeAll(values);
    return ShareableList.filled(await SharedMemory.create(name, { size: bytesOf(encoded) }), encoded);
  }
  /** {@link create}, blocking the thread. */
  static createSync(values: Iterable<ShareableValue>, name?: string): ShareableList {
    const encoded = encodeAll(values);
    return ShareableList.filled(SharedMemory.createSync(name, { size: bytesOf(encoded) }), encoded);
  }

  /** Opens a list that exists. @throws ERR_CORRUPT when the memory holds none, and as {@link SharedMemory.open} */
  static async open(name: string): Promise<ShareableList> {
    return ShareableList.in(await SharedMemory.open(name));
  }
  /** {@link open}, blocking the thread. */
  static openSync(name: string): ShareableList {
    return ShareableList.in(SharedMemory.openSync(name));
  }

  private static in(memory: SharedMemory): ShareableList {
    try {
      return new ShareableList(memory);
    } catch (error) {
      memory.close();
      throw error;
    }
  }

  private static filled(memory: SharedMemory, encoded: readonly Encoded[]): ShareableList {
    const view = new DataView(memory.buffer);
    view.setBigInt64(0, BigInt(encoded.length), true);
    let offset = 0;
    for (const [index, value] of encoded.entries()) {
      offset += slotBytes(value);
      view.setBigInt64((index + 2) * WORD, BigInt(offset), true);
    }
    const list = new ShareableList(memory);
    for (const [index, value] of encoded.entries()) list.write(index, value);
    return list;
  }

  /**
   * A value; what can be read of it at this moment, if somebody is writing it.
   * @throws ERR_OUT_OF_RANGE, ERR_CORRUPT (nothing that a list has), ERR_CLOSED, ERR_REGION_LOST
   */
  get(index: number): ShareableValue {
    const at = this.indexOf(index);
    const { code, format } = this.kindOf(at);
    const { begin, size } = this.placeOf(at);
    const value = decode(format, code, this.bytes.slice(begin, begin + size));
    this.memory.checkUsable();
    if (value === undefined)
      throw new ShmkitError(
        "ERR_CORRUPT",
        `place ${at} of ${this.memory.name} holds no value: ${show(format)}, ${code}`,
        {
          path: this.memory.path,
        },
      );
    return value;
  }

  /**
   * Changes a value. Texts and bytes need a place that is long enough, and end the kind that was there.
   * @throws ERR_OUT_OF_RANGE (also a value too long for its place), ERR_NOT_ENCODABLE, ERR_CLOSED, ERR_REGION_LOST
   */
  set(index: number, value: ShareableValue): void {
    const at = this.indexOf(index);
    const encoded = encode(value, this.kindOf(at).format === Format.float);
    const { size } = this.placeOf(at);
    if (encoded.bytes.length > size)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `place ${at} of ${this.memory.name} has ${size} bytes, and the value ${encoded.bytes.length}`,
        { expected: size, actual: encoded.bytes.length },
      );
    this.memory.checkUsable();
    this.write(at, encoded);
    this.memory.checkUsable();
  }

  /** The values as they are when it comes to them. */
  *[Symbol.iterator](): Iterator<ShareableValue> {
    for (let index = 0; index < this.length; index++) yield this.get(index);
  }

  /** Closes {@link memory}; the list stays for others. */
  close(): void {
    this.memory.close();
  }

  /** {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  private indexOf(index: number): number {
    this.memory.checkUsable();
    if (this.length === 0) throw new ArgumentRangeError("ERR_OUT_OF_RANGE", "the list is empty", { actual: index });
    return wholeNumber(index, "index", 0, this.length - 1);
  }

  private placeOf(index: number): { begin: number; size: number } {
    const begin = this.offsets[index];
    return { begin: this.places.values + begin, size: this.offsets[index + 1] - begin };
  }

  private kindOf(index: number): { code: number; format: string } {
    const at = this.places.formats + index * WORD;
    const text = Buffer.from(this.bytes.slice(at, at + WORD)).toString("latin1");
    return { code: this.bytes[this.places.codes + index], format: text.replace(/\0+$/, "") };
  }

  private write(index: number, encoded: Encoded): void {
    const { begin, size } = this.placeOf(index);
    const at = this.places.formats + index * WORD;
    this.bytes.fill(0, at, at + WORD);
    this.bytes.set(Buffer.from(formatIn(encoded, size), "latin1"), at);
    this.bytes[this.places.codes + index] = encoded.code;
    this.bytes.fill(0, begin, begin + (encoded.format === undefined ? size : WORD));
    this.bytes.set(encoded.bytes, begin);
  }
}

const noList = ({ name, path }: SharedMemory): ShmkitError =>
  new ShmkitError("ERR_CORRUPT", `${name} holds no list: its lengths do not fit its size`, { path });

/** The offsets of a list, copied first and checked then: whoever may write to it may write anything. */
function offsetsOf(memory: SharedMemory): number[] {
  const view = new DataView(memory.buffer);
  const length = memory.size < 2 * WORD ? -1 : Number(view.getBigInt64(0, true));
  if (length < 0 || placesOf(length, 0).end > memory.size) throw noList(memory);
  const offsets = Array.from({ length: length + 1 }, (_, i) => Number(view.getBigInt64((i + 1) * WORD, true)));
  for (const [i, offset] of offsets.entries())
    if (i === 0 ? offset !== 0 : offset < offsets[i - 1] + WORD) throw noList(memory);
  return offsets;
}

function encodeAll(values: unknown): Encoded[] {
  const iterable = values as Iterable<unknown> | null | undefined;
  if (typeof values === "string" || typeof iterable?.[Symbol.iterator] !== "function")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `values must be a list of values, not ${show(values)}`, {
      actual: values,
    });
  return Array.from(iterable, (value) => encode(value, false));
}

function bytesOf(encoded: readonly Encoded[]): number {
  return placesOf(
    wholeNumber(encoded.length, "the number of values", 0, MAX_LENGTH),
    encoded.reduce((sum, value) => sum + slotBytes(value), 0),
  ).end;
}
