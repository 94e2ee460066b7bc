import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BUNDLES } from "./bundle.mjs";
import { INLINED_FOLDER } from "./inline-dependencies.mjs";

/** Compiled folders and the folders they are compiled from. */
const COMPILED = [
  ["dist", "src"],
  ["build/test", "test"],
  ["build/examples", "examples"],
  ["build/benchmarks", "benchmarks"],
];

const OUTPUT = /\.(?:js|js\.map|d\.ts)$/;

/** What other steps put beside it. */
const MADE = [...BUNDLES, INLINED_FOLDER];

/**
 * Removes what was compiled from sources that are gone: the compiler leaves it behind, where a renamed test would run
 * twice and a removed module would still be packed.
 */
export function removeStaleOutputs(root) {
  const removed = [];
  for (const [outputs, sources] of COMPILED) {
    if (!existsSync(join(root, outputs))) continue;
    for (const entry of readdirSync(join(root, outputs), { recursive: true, encoding: "utf8" })) {
      const output = join(outputs, entry);
      if (!OUTPUT.test(entry) || MADE.some((path) => output.startsWith(path))) continue;
      if (existsSync(join(root, sources, entry.replace(OUTPUT, ".ts")))) continue;
      rmSync(join(root, output), { force: true });
      removed.push(output);
    }
  }
  return removed;
}
