import { wrong } from "./run.js";

export const MESSAGE_BYTES = 64;
const LAST = MESSAGE_BYTES / 4 - 1;

/** A message of 64 bytes: its number, 1 if it is the last one, who sent it, …, and ~number. */
export class Message {
  readonly bytes: Uint8Array;
  private readonly words: Int32Array;

  constructor() {
    this.bytes = new Uint8Array(MESSAGE_BYTES);
    this.words = new Int32Array(this.bytes.buffer);
  }

  fill(number: number, isLast: boolean, sender = 0): Uint8Array {
    const { words } = this;
    words[0] = number;
    words[1] = isLast ? 1 : 0;
    words[2] = sender;
    words[LAST] = ~number;
    return this.bytes;
  }

  /** Copies what came, wherever it lies. */
  take(bytes: Uint8Array): this {
    if (bytes.length !== MESSAGE_BYTES) wrong("length", bytes.length, MESSAGE_BYTES);
    this.bytes.set(bytes);
    return this;
  }

  /** Whether this was the last message. @throws when it is not the expected one */
  check(number: number): boolean {
    const { words } = this;
    if (words[0] !== number || words[LAST] !== ~number) wrong("message", `${words[0]}, ${words[LAST]}`, number);
    return words[1] !== 0;
  }
}

/** A small object; the last one has another text. */
export interface SmallObject {
  sequence_number: number;
  a: string;
  t: number;
}

export function smallObject(number: number, isLast: boolean): SmallObject {
  return { sequence_number: number, a: isLast ? "bye" : "hello", t: 1.5 };
}

/** Whether this was the last object. @throws when it is not the expected one */
export function checkObject(object: SmallObject, number: number): boolean {
  const { sequence_number, a, t } = object;
  if (sequence_number !== number || t !== 1.5 || (a !== "hello" && a !== "bye"))
    wrong("object", JSON.stringify(object), number);
  return a === "bye";
}
