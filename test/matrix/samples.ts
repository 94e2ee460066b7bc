/** What is sent from runtime to runtime: each makes it for itself, so that what arrives can be held against it there. */
import { isDeepStrictEqual } from "node:util";

/** Every kind of value that a message carries, and sizes from none to many pages. */
export function sampleValues(): unknown[] {
  return [
    ...[null, true, false, 0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, -(2 ** 31), 2 ** 53 - 1],
    ...[1n, -(2n ** 63n), 2n ** 64n, 10n ** 47n, "", "plain", "Grüße, 日本 🦊", "x".repeat(100_000)],
    ...[[], {}, [1, [2, [3]]], { a: { b: [{ c: "d" }] }, "": 0 }, new Date(86_400_000), new Set([1, "two"])],
    ...[new Uint8Array(0), new Uint8Array([1, 2, 255]), new Float64Array([0.1, -1e300]), sampleBytes(70_000)],
  ];
}

/** Bytes of which no two parts are alike. */
export function sampleBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, state = 1; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

/** Which of the values that arrived are not the samples; `[]` when all are there and right. */
export function wrongValues(arrived: readonly unknown[]): number[] {
  const samples = sampleValues();
  const count = Math.max(samples.length, arrived.length);
  return Array.from({ length: count }, (_, at) => at).filter((at) => !isDeepStrictEqual(arrived[at], samples[at]));
}
