/**
 * A value as one line of JSON, with what JSON lacks: a bigint becomes a string of its digits, bytes a string of Base64, a
 * Set and other typed arrays an array.
 */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_key, inner: unknown) => {
      if (typeof inner === "bigint") return inner.toString();
      if (inner instanceof Uint8Array) return Buffer.from(inner).toString("base64");
      if (inner instanceof Set) return [...(inner as Set<unknown>)];
      if (ArrayBuffer.isView(inner) && !(inner instanceof DataView)) return Array.from(inner as unknown as number[]);
      return inner;
    },
    indent,
  );
}
