import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const NOT_OURS = new Set([".git", "node_modules", "dist", "build", "prebuilds"]);

/** Paths of the files below `directory` (relative to it, `/` between names) that people write, in a stable order. */
export function sourceFiles(directory) {
  if (!existsSync(directory)) return [];
  const found = [];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (NOT_OURS.has(entry.name)) continue;
    if (entry.isDirectory()) {
      for (const inner of sourceFiles(join(directory, entry.name))) found.push(`${entry.name}/${inner}`);
    } else if (entry.isFile()) found.push(entry.name);
  }
  return found.sort();
}
