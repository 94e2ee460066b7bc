import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The library as one file. A folder deep, like the modules that look for the package's files from where they are. */
export const BUNDLE = "dist/bundle/shmkit.js";

function isCurrent(root) {
  const bundle = join(root, BUNDLE);
  if (!existsSync(bundle)) return false;
  const made = statSync(bundle).mtimeMs;
  const inputs = [fileURLToPath(import.meta.url), join(root, "package.json"), ...modules(root)];
  return inputs.every((path) => statSync(path).mtimeMs < made);
}

function modules(root) {
  const dist = join(root, "dist");
  return readdirSync(dist, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".js") && !path.startsWith("bundle/") && !path.startsWith("cli/"))
    .map((path) => join(dist, path));
}

/**
 * Bundles the compiled modules unless that is done: a file instead of some sixty imports in a third of the time. Its source
 * map leads to the sources. Whoever needs the modules one by one (tests that look inside) asks for them by the condition
 * `shmkit-modules`.
 */
export async function bundle(root) {
  if (isCurrent(root)) return;
  const { build } = await import("esbuild-wasm");
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  await build({
    absWorkingDir: root,
    entryPoints: ["dist/index.js"],
    outfile: BUNDLE,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    sourcemap: "linked",
    legalComments: "inline",
    banner: { js: `// shmkit ${version}, MIT. Contains msgpackr, MIT, Copyright (c) 2020 Kris Zyp.` },
    logLevel: "warning",
  });
}
