import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/**
 * Packages that travel inside ours, with the files that are needed: msgpackr has an optional native part with an install
 * script, which would be installed with it, and extensions that a user's own msgpackr would share.
 */
const INLINED = { msgpackr: ["index.js", "index.d.ts", "iterators.js", "pack.js", "unpack.js", "LICENSE"] };

/** Where an inlined package lies below the root. */
export const INLINED_FOLDER = "dist/vendor";

/** Files that are inlined, as paths below `node_modules`. */
export const inlinedFiles = Object.entries(INLINED).flatMap(([name, files]) => files.map((file) => join(name, file)));

/** Copies what is inlined to where `imports` in package.json looks for it. */
export function inlineDependencies(root) {
  for (const path of inlinedFiles) {
    const source = join(root, "node_modules", path);
    const target = join(root, INLINED_FOLDER, path);
    if (existsSync(target) && readFileSync(target).equals(readFileSync(source))) continue;
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(source, target);
  }
}
