import type { Run } from "./run.js";
import { wrong } from "./run.js";

const SMALL_BYTES = 64;
const BULK_BYTES = 2 ** 20;

/** Bytes of a benchmark's messages. */
export function messageBytes({ benchmark }: Run): number {
  return benchmark.startsWith("bulk") ? BULK_BYTES : SMALL_BYTES;
}

/** A message of bytes: its number, 1 if it is the last one, who sent it, …, a time as a double, …, and ~number. */
export class Message {
  readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly doubles: Float64Array;

  constructor(sizeBytes = SMALL_BYTES) {
    this.bytes = new Uint8Array(sizeBytes);
    this.words = new Int32Array(this.bytes.buffer);
    this.doubles = new Float64Array(this.bytes.buffer);
  }

  fill(number: number, isLast: boolean, sender = 0): Uint8Array {
    const { words } = this;
    words[0] = number;
    words[1] = isLast ? 1 : 0;
    words[2] = sender;
    words[words.length - 1] = ~number;
    return this.bytes;
  }

  get number(): number {
    return this.words[0];
  }
  get isLast(): boolean {
    return this.words[1] !== 0;
  }
  get sender(): number {
    return this.words[2];
  }
  get time(): number {
    return this.doubles[2];
  }
  set time(time: number) {
    this.doubles[2] = time;
  }

  /** Copies what came, wherever it lies. */
  take(bytes: Uint8Array): this {
    if (bytes.length !== this.bytes.length) wrong("length", bytes.length, this.bytes.length);
    this.bytes.set(bytes);
    return this;
  }

  /** Whether this was the last message. @throws when it is not the expected one */
  check(number: number): boolean {
    const { words } = this;
    if (words[0] !== number || words[words.length - 1] !== ~number) wrong("message", words[0], number);
    return words[1] !== 0;
  }
}

/** The same without copying: whether these bytes, anywhere in memory, are the last message. @throws as `check` */
export function checkBytes(bytes: Uint8Array, number: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found = view.getInt32(0, true);
  if (found !== number || view.getInt32(bytes.length - 4, true) !== ~number) wrong("message", found, number);
  return view.getInt32(4, true) !== 0;
}

/** A small object; the last one has another text. */
export interface SmallObject {
  sequence_number: number;
  a: string;
  t: number;
}

export function smallObject(number: number, isLast: boolean, time = 1.5): SmallObject {
  return { sequence_number: number, a: isLast ? "bye" : "hello", t: time };
}

/** Whether this was the last object. @throws when it is not the expected one */
export function checkObject(object: SmallObject, number: number): boolean {
  const { sequence_number, a, t } = object;
  if (sequence_number !== number || !(t >= 1.5) || (a !== "hello" && a !== "bye"))
    wrong("object", JSON.stringify(object), number);
  return a === "bye";
}
