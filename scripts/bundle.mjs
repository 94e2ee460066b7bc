import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The library as one file. A folder deep, like the modules that look for the package's files from where they are. */
export const BUNDLE = "dist/bundle/shmkit.js";

/**
 * What `require()` gets: the same module, asked for from inside the package, of which Node makes no warning, and in the one
 * form in which runtimes see what it exports.
 */
const REQUIRED = {
  "dist/bundle/require.cjs": 'module.exports = require("./shmkit.js");\n',
  "dist/bundle/require.d.cts": 'import shmkit = require("../index.js");\n\nexport = shmkit;\n',
};

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

/** Compiled modules with their source maps, so that the bundle's leads to the sources. */
const compiled = (root, imports) => ({
  name: "compiled modules",
  resolveId: (specifier) => (specifier in imports ? join(root, imports[specifier].default) : null),
  load: (path) => ({
    code: readFileSync(path, "utf8"),
    map: existsSync(`${path}.map`) ? JSON.parse(readFileSync(`${path}.map`, "utf8")) : null,
  }),
});

/**
 * Bundles the compiled modules unless that is done: a file instead of some sixty imports in a third of the time. Whoever
 * needs the modules one by one (tests that look inside) asks for them by the condition `shmkit-modules`.
 */
export async function bundle(root) {
  if (isCurrent(root)) return;
  const { rollup } = await import("@rollup/wasm-node");
  const { version, imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const build = await rollup({
    input: join(root, "dist/index.js"),
    external: /^node:/,
    plugins: [compiled(root, imports)],
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  await build.write({
    file: join(root, BUNDLE),
    format: "es",
    sourcemap: true,
    banner: `// shmkit ${version}, MIT. Contains msgpackr, MIT, Copyright (c) 2020 Kris Zyp.`,
  });
  await build.close();
  mkdirSync(join(root, "dist/bundle"), { recursive: true });
  for (const [path, text] of Object.entries(REQUIRED)) writeFileSync(join(root, path), text);
}
