/** Messages that say who sent them, as which one, and whether they are whole. */

/** Who sent a message, and its number among those that this sender sent into this pipe. */
export interface Origin {
  readonly sender: number;
  readonly sequence: number;
}

const HEADER_WORDS = 3;
export const SHORTEST_BYTES = HEADER_WORDS * 4;

/** Numbers that follow from where a message comes from: xorshift32. */
function fill(words: Uint32Array, { sender, sequence }: Origin): void {
  let state = (Math.imul(sender, 0x9e3779b1) ^ Math.imul(sequence, 0x85ebca6b) ^ words.length) | 1;
  for (let i = HEADER_WORDS; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state >>> 0;
  }
}

/** A message of whole words. */
export function bytesOf(origin: Origin, length: number): Uint8Array {
  const words = new Uint32Array(Math.max(HEADER_WORDS, length >>> 2));
  words[0] = origin.sender;
  words[1] = origin.sequence;
  words[2] = words.length;
  fill(words, origin);
  return new Uint8Array(words.buffer);
}

/** A message of another kind, from the same bytes. */
export function valueOf(origin: Origin, length: number): unknown {
  const text = Buffer.from(bytesOf(origin, length)).toString("base64");
  return { ...origin, text, list: [origin.sequence, BigInt(origin.sequence) ** 7n, null] };
}

function originOfBytes(bytes: Uint8Array): Origin | undefined {
  if (bytes.length < SHORTEST_BYTES || bytes.length % 4 !== 0) return undefined;
  const words = new Uint32Array(Uint8Array.prototype.slice.call(bytes).buffer);
  const origin = { sender: words[0], sequence: words[1] };
  const whole = bytesOf(origin, bytes.length);
  return Buffer.compare(whole, bytes) === 0 ? origin : undefined;
}

/** Where a message comes from; undefined when it is not as it was sent. */
export function originOf(message: unknown): Origin | undefined {
  if (message instanceof Uint8Array) return originOfBytes(message);
  if (typeof message !== "object" || message === null) return undefined;
  const { sender, sequence, text, list } = message as Origin & { text: unknown; list: unknown };
  if (typeof text !== "string" || !Array.isArray(list) || list.length !== 3) return undefined;
  const origin = originOfBytes(Buffer.from(text, "base64"));
  const isWhole =
    origin?.sender === sender &&
    origin.sequence === sequence &&
    list[0] === sequence &&
    list[1] === BigInt(sequence) ** 7n &&
    list[2] === null;
  return isWhole ? origin : undefined;
}
