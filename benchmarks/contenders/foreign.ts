import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const FOLDER = new URL("../../../benchmarks/npm/", import.meta.url);

/** Loads a package of `benchmarks/npm`. */
export const requireForeign = createRequire(fileURLToPath(new URL("package.json", FOLDER))) as (
  name: string,
) => unknown;
