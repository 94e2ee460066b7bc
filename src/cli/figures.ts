import { displayWidth } from "./colours.js";

/** A whole number with separators: `1,234,567`. */
export function formatCount(count: number | bigint): string {
  return (typeof count === "bigint" ? count : Math.round(count)).toLocaleString("en-US");
}

/** Microseconds, or milliseconds above a thousand of them. */
export function formatMicroseconds(us: number): string {
  if (us >= 1000) return `${(us / 1000).toFixed(1)} ms`;
  return `${us.toFixed(us >= 100 ? 0 : 1)} µs`;
}

/** Rows as columns of equal width; `right` tells which columns hold figures. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => (widths[column] = Math.max(widths[column] ?? 0, displayWidth(cell))));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const padding = " ".repeat(widths[column] - displayWidth(cell));
        return right.includes(column) ? padding + cell : cell + padding;
      })
      .join("  ")
      .trimEnd(),
  );
}
