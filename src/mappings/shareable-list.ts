import { show, wholeNumber } from "../base/arguments.js";
import { ArgumentError, ArgumentRangeError, ShmkitError } from "../base/errors.js";
import {
  decode,
  encode,
  Format,
  listBytes,
  placesOf,
  WORD,
  writeValue,
  type Encoded,
  type ShareableValue,
} from "./shareable-list-layout.js";
import { SharedMemory } from "./shared-memory.js";

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
  private readonly offsets: Float64Array;
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
    return ShareableList.in(await SharedMemory.of(name, listBytes(encodeAll(values))));
  }
  /** {@link create}, blocking the thread. */
  static createSync(values: Iterable<ShareableValue>, name?: string): ShareableList {
    return ShareableList.in(SharedMemory.ofSync(name, listBytes(encodeAll(values))));
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
    const { begin, size } = this.placeOf(at);
    if (encoded.bytes.length > size)
      throw new ArgumentRangeError(
        "ERR_OUT_OF_RANGE",
        `place ${at} of ${this.memory.name} has ${size} bytes, and the value ${encoded.bytes.length}`,
        { expected: size, actual: encoded.bytes.length },
      );
    this.memory.checkUsable();
    writeValue(this.bytes, this.places, { index: at, begin, size }, encoded);
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
}

const noList = ({ name, path }: SharedMemory): ShmkitError =>
  new ShmkitError("ERR_CORRUPT", `${name} holds no list: its lengths do not fit its size`, { path });

/** The offsets of a list, copied first and checked then: whoever may write to it may write anything. */
function offsetsOf(memory: SharedMemory): Float64Array {
  const view = new DataView(memory.buffer);
  const length = memory.size < 2 * WORD ? -1 : Number(view.getBigInt64(0, true));
  if (length < 0 || placesOf(length, 0).end > memory.size) throw noList(memory);
  // No array of numbers: of what somebody else has written that would be too long, the process would end.
  const offsets = new Float64Array(length + 1);
  for (let i = 0; i <= length; i++) {
    offsets[i] = Number(view.getBigInt64((i + 1) * WORD, true));
    if (i === 0 ? offsets[i] !== 0 : offsets[i] < offsets[i - 1] + WORD) throw noList(memory);
  }
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
