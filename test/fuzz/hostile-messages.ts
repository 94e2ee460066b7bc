/** Bytes for a decoder: good MessagePack that was damaged, headers that promise more than there is, anything. */
import { encode } from "#src/channels/codec.js";
import type { Random } from "../helpers/process-random.js";

/** Every first byte that announces a length, with the width of the length. */
const ANNOUNCING: readonly (readonly [first: number, width: number])[] = [
  [0xc4, 1],
  [0xc5, 2],
  [0xc6, 4],
  [0xc7, 1],
  [0xc8, 2],
  [0xc9, 4],
  [0xd9, 1],
  [0xda, 2],
  [0xdb, 4],
  [0xdc, 2],
  [0xdd, 4],
  [0xde, 2],
  [0xdf, 4],
];
/** Fixed extensions, and the types of extension that a decoder may know. */
const FIXED_EXTENSIONS = [0xd4, 0xd5, 0xd6, 0xd7, 0xd8] as const;
const EXTENSION_TYPES = [0xff, 0x00, 0x42, 0x45, 0x53, 0x65, 0x69, 0x70, 0x72, 0x73, 0x74, 0x78, 0x58, 0x75, 0x62];

function randomBytes(length: number, random: Random): number[] {
  return Array.from({ length }, () => random.below(256));
}

function announcement(random: Random): number[] {
  const [first, width] = random.of(ANNOUNCING);
  const length = random.of([0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, random.below(2 ** 32)]);
  const bytes = [first];
  for (let at = width - 1; at >= 0; at--) bytes.push((length >>> (8 * at)) & 0xff);
  if (first >= 0xc7 && first <= 0xc9) bytes.push(random.of(EXTENSION_TYPES));
  return bytes;
}

function good(random: Random): unknown {
  return random.of<unknown>([
    { sequence: random.below(1000), text: "x".repeat(random.below(300)), list: [1.5, -1, null, true] },
    [2n ** 64n, -(2n ** 200n), new Date(random.below(2 ** 31)), new Set([1, "a"])],
    [new Float64Array([1, 2, 3]), new Uint16Array(5), new Uint8Array(7)],
    Array.from({ length: random.below(200) }, (_, at) => ({ at })),
    [[[[[[{ deep: [[[{ a: { b: 1 } }]]] }]]]]]],
    { ["__proto__x"]: 1, constructor: 2, length: 3 },
    [/a+/g, new Error("no"), new Map([["key", undefined]])],
    "\ud83d\ude00".repeat(random.below(50)),
  ]);
}

/** The next hostile message. */
export function hostileMessage(random: Random): Uint8Array {
  if (random.below(4) === 0) return Uint8Array.from(randomBytes(random.below(64), random));
  if (random.below(3) === 0) {
    const bytes: number[] = [];
    for (let parts = 1 + random.below(6); parts > 0; parts--) {
      if (random.below(3) === 0) bytes.push(random.of(FIXED_EXTENSIONS), random.of(EXTENSION_TYPES));
      else if (random.below(8) === 0) bytes.push(...new Array<number>(random.of([10, 3000])).fill(0x91));
      else bytes.push(...announcement(random));
      bytes.push(...randomBytes(random.below(12), random));
    }
    return Uint8Array.from(bytes);
  }
  const bytes = Uint8Array.from(encode(good(random)));
  for (let hits = 1 + random.below(4); hits > 0 && bytes.length > 0; hits--)
    bytes[random.below(bytes.length)] = random.below(2) === 0 ? random.below(256) : random.of(ANNOUNCING)[0];
  return random.below(4) === 0 ? bytes.subarray(0, random.below(bytes.length + 1)) : bytes;
}
