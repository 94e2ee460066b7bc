/**
 * The one door to shared memory. Everything above this file reaches shared words through these functions; tests swap
 * the file for an instrumented double through the `#words` import.
 *
 * `load` is sequentially consistent, `store` too; `storeRelease` orders everything before it, and is not ordered with
 * loads after it. On x64 an aligned plain read is what a C compiler emits for a sequentially consistent load, and a
 * plain write for a release store, so they cost 1 ns there instead of the 15 ns of an `Atomics` call; elsewhere they are
 * `Atomics` calls. `read` and `write` are unordered: only for words that another access publishes or that one owner keeps.
 *
 * A loop that does nothing but look at a word uses `loadFresh`, which no compiler may hoist.
 */
export type Words = Int32Array;

const TOTAL_STORE_ORDER = process.arch === "x64";

export function load(words: Words, index: number): number {
  return TOTAL_STORE_ORDER ? words[index] : Atomics.load(words, index);
}
export function loadFresh(words: Words, index: number): number {
  return Atomics.load(words, index);
}
export function store(words: Words, index: number, value: number): void {
  Atomics.store(words, index, value);
}
export function storeRelease(words: Words, index: number, value: number): void {
  if (TOTAL_STORE_ORDER) words[index] = value;
  else Atomics.store(words, index, value);
}
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
export function read(words: Words, index: number): number {
  return words[index];
}
export function write(words: Words, index: number, value: number): void {
  words[index] = value;
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
/** Up to here a loop over words beats the view that `TypedArray.set` needs for a part of an array. */
const SMALL_COPY_BYTES = 128;
const NO_BYTES = new Uint8Array(0);

/** Remembers the word view of the array it saw last: receivers use one target again and again. */
class WordView {
  private bytes: Uint8Array = NO_BYTES;
  private words: Words = new Int32Array(0);
  wordsOf(bytes: Uint8Array): Int32Array {
    if (bytes === this.bytes) return this.words;
    const aligned = (bytes.byteOffset & 3) === 0;
    this.words = aligned ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2) : new Int32Array(0);
    this.bytes = bytes;
    return this.words;
  }
}
const sourceView = new WordView();
const targetView = new WordView();

/** Copies `source` into shared bytes at `at`. */
export function copyIn(bytes: Uint8Array, at: number, source: Uint8Array): void {
  bytes.set(source, at);
}
/** Copies `length` shared bytes from `at` into `target` at `targetAt`. */
export function copyOut(bytes: Uint8Array, at: number, length: number, target: Uint8Array, targetAt: number): void {
  const whole = length & ~3;
  const from = sourceView.wordsOf(bytes);
  const to = targetView.wordsOf(target);
  const fits = ((at | targetAt) & 3) === 0 && to.length * 4 >= targetAt + whole && from.length * 4 >= at + whole;
  if (length > SMALL_COPY_BYTES || !fits) {
    target.set(bytes.subarray(at, at + length), targetAt);
    return;
  }
  for (let i = at / 4, j = targetAt / 4, end = i + whole / 4; i < end; i++, j++) to[j] = from[i]!;
  for (let i = whole; i < length; i++) target[targetAt + i] = bytes[at + i]!;
}
/** A private copy of `length` shared bytes from `at`. */
export function copy(bytes: Uint8Array, at: number, length: number): Uint8Array {
  return bytes.slice(at, at + length);
}
/** Zeroes `length` shared bytes from `at`. */
export function zero(bytes: Uint8Array, at: number, length: number): void {
  bytes.fill(0, at, at + length);
}
