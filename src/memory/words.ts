/**
 * The one door to shared memory. Everything above this file reaches shared words through these functions; tests swap
 * the file for an instrumented double through the `#words` import.
 *
 * `load` is sequentially consistent, `store` too; `storeRelease` orders everything before it, and is not ordered with
 * loads after it. Plain reads before a `load` may take place after it, those before a `loadBehind` not. On x64 an aligned plain read is what a C compiler emits for a sequentially consistent load, and a
 * plain write for a release store, so they cost 1 ns there instead of the 15 ns of an `Atomics` call; elsewhere they are
 * `Atomics` calls. `read` and `write` are unordered: only for words that another access publishes or that one owner keeps.
 *
 * A loop that does nothing but look at a word uses `loadFresh`, which no compiler may hoist.
 */
export type Words = Int32Array;

const TOTAL_STORE_ORDER = process.arch === "x64";

export function read(words: Words, index: number): number {
  return words[index];
}
export function write(words: Words, index: number, value: number): void {
  words[index] = value;
}
export function loadFresh(words: Words, index: number): number {
  return Atomics.load(words, index);
}
export function store(words: Words, index: number, value: number): void {
  Atomics.store(words, index, value);
}
const fence = new Int32Array(new SharedArrayBuffer(4));
/** Plain reads come before the store, and the load after it. */
function loadBehindFence(words: Words, index: number): number {
  Atomics.store(fence, 0, 0);
  return Atomics.load(words, index);
}
// Chosen once and not at every call: what is inlined into a fast path must be short, or the engine stops inlining there.
export const load = TOTAL_STORE_ORDER ? read : loadFresh;
/** A load that comes after the plain reads before it as well: asks once more whether what they saw was of one moment. */
export const loadBehind = TOTAL_STORE_ORDER ? read : loadBehindFence;
export const storeRelease = TOTAL_STORE_ORDER ? write : store;
/** Returns the value found; the exchange happened when that is `expected`. */
export function compareExchange(words: Words, index: number, expected: number, replacement: number): number {
  return Atomics.compareExchange(words, index, expected, replacement);
}
/** Returns the value before. */
export function add(words: Words, index: number, delta: number): number {
  return Atomics.add(words, index, delta);
}
/** Returns the value before. */
export function or(words: Words, index: number, bits: number): number {
  return Atomics.or(words, index, bits);
}
/** Returns the value before. */
export function and(words: Words, index: number, bits: number): number {
  return Atomics.and(words, index, bits);
}
export function readFloat(floats: Float64Array, index: number): number {
  return floats[index];
}
export function writeFloat(floats: Float64Array, index: number, value: number): void {
  floats[index] = value;
}
export function load64(longs: BigInt64Array, index: number): bigint {
  return Atomics.load(longs, index);
}
export function store64(longs: BigInt64Array, index: number, value: bigint): void {
  Atomics.store(longs, index, value);
}
/** The views of a region that bulk copies need. */
export interface Memory {
  readonly words: Words;
  readonly bytes: Uint8Array;
}

/** Up to here a loop over words beats the view that `TypedArray.set` needs for a part of an array. */
const SMALL_COPY_BYTES = 128;
/** Arrays in buffers beyond this are not remembered, which would keep their buffers alive. */
const REMEMBERED_BYTES = 65536;

/** Has a word view for an array that comes again and again, as targets and encoders' buffers do. */
class WordView {
  private array: Uint8Array | undefined;
  private words: Words | undefined;

  /** Undefined at first sight, and for arrays that have none. */
  of(array: Uint8Array): Words | undefined {
    if (array === this.array) return this.words ?? this.make(array);
    this.array = array;
    this.words = undefined;
    return undefined;
  }

  private make(array: Uint8Array): Words | undefined {
    const { buffer, byteOffset, byteLength } = array;
    if ((byteOffset & 3) !== 0 || buffer.byteLength > REMEMBERED_BYTES) this.array = undefined;
    else this.words = new Int32Array(buffer, byteOffset, byteLength >>> 2);
    return this.words;
  }
}
// As the engine knows them: arrays of callers may have methods of their own, and this is inside an operation.
// eslint-disable-next-line @typescript-eslint/unbound-method -- called with the target as `this`
const { set } = Uint8Array.prototype;
const sourceView = new WordView();
const targetView = new WordView();

/** Copies words one by one; four at a time, since the engine looks whether the arrays are still what they were once a round. */
function copyWords(source: Words, from: number, target: Words, at: number, count: number): void {
  const end = from + count;
  for (; from + 4 <= end; from += 4, at += 4) {
    target[at] = source[from]!;
    target[at + 1] = source[from + 1]!;
    target[at + 2] = source[from + 2]!;
    target[at + 3] = source[from + 3]!;
  }
  for (; from < end; from++, at++) target[at] = source[from]!;
}

/**
 * Copies `length` bytes of `source`, from `from` on, into shared bytes at `at`. Never more, even if another thread makes
 * the source longer.
 */
export function copyIn(memory: Memory, at: number, source: Uint8Array, from: number, length: number): void {
  const sources = length <= SMALL_COPY_BYTES && ((at | from) & 3) === 0 ? sourceView.of(source) : undefined;
  if (sources === undefined) {
    if (from === 0 && length === source.length) memory.bytes.set(source, at);
    else memory.bytes.set(source.subarray(from, from + length), at);
    return;
  }
  copyWords(sources, from >> 2, memory.words, at >> 2, length >> 2);
  for (let i = length & ~3; i < length; i++) memory.bytes[at + i] = source[from + i]!;
}
/** Copies `length` shared bytes from `at` into the beginning of `target`. */
export function copyOut(memory: Memory, at: number, length: number, target: Uint8Array): void {
  const targets = length <= SMALL_COPY_BYTES && (at & 3) === 0 ? targetView.of(target) : undefined;
  if (targets === undefined) {
    set.call(target, memory.bytes.subarray(at, at + length));
    return;
  }
  copyWords(memory.words, at >> 2, targets, 0, length >> 2);
  for (let i = length & ~3; i < length; i++) target[i] = memory.bytes[at + i]!;
}
/** A private copy of `length` shared bytes from `at`. */
export function copy(memory: Memory, at: number, length: number): Uint8Array {
  return memory.bytes.slice(at, at + length);
}
/** Zeroes `length` shared bytes from `at`. */
export function zero(memory: Memory, at: number, length: number): void {
  memory.bytes.fill(0, at, at + length);
}
