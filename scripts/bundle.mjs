import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ENTRY_POINTS } from "./entry-points.mjs";

const pathOf = (name) => `dist/bundle/${name}.js`;

/** The library as one file. A folder deep, like the modules that look for the package's files from where they are. */
const BUNDLE = pathOf("shmkit");

/**
 * What `require()` gets: the same module, asked for from inside the package, of which Node makes no warning, and in the one
 * form in which runtimes see what it exports.
 */
const requiredCode = (bundle) => `module.exports = require("./${bundle}.js");\n`;

/**
 * Its types: the same ones, under the names that the module exports. A CommonJS file may name types of an ES module, and
 * no more than types; so what is a value as well is declared again.
 */
function requiredTypes(root, module, ts) {
  const entry = join(root, `dist/${module}.d.ts`);
  const program = ts.createProgram([entry], { module: ts.ModuleKind.NodeNext, noLib: true, types: [] });
  const checker = program.getTypeChecker();
  const declarations = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(entry)));
  const exported = new Set(declarations.map(({ name }) => name));
  // What is only exported on has no name in the file itself.
  const ofModule = (text) => text.replace(/\b[A-Z]\w*\b/g, (name) => (exported.has(name) ? `shmkit.${name}` : name));
  const lines = declarations.flatMap((symbol) => {
    const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0;
    const { flags, declarations: found } = isAlias ? checker.getAliasedSymbol(symbol) : symbol;
    if ((flags & ts.SymbolFlags.Value) === 0 || ts.isTypeOnlyExportDeclaration(symbol.declarations[0])) return [];
    const value = `export declare const ${symbol.name}: typeof shmkit.${symbol.name};`;
    if ((flags & ts.SymbolFlags.Class) === 0) return [value];
    const parameters = found.find(ts.isClassDeclaration).typeParameters ?? [];
    const list = (texts) => (texts.length > 0 ? `<${texts.join(", ")}>` : "");
    // Without its variance, of which an alias of a class may say nothing.
    const textOf = ({ name, end }) => name.getSourceFile().text.slice(name.getStart(), end);
    const declared = list(parameters.map((parameter) => ofModule(textOf(parameter))));
    const passed = list(parameters.map(({ name }) => name.text));
    return [value, `export type ${symbol.name}${declared} = shmkit.${symbol.name}${passed};`];
  });
  const from = `from "../${module}.js" with { "resolution-mode": "import" };`;
  return [`import type * as shmkit ${from}`, "", `export type * ${from}`, ...lines, ""].join("\n");
}

function isCurrent(root) {
  const bundles = BUNDLES.map((path) => join(root, path));
  if (!bundles.every(existsSync)) return false;
  const made = Math.min(...bundles.map((bundle) => statSync(bundle).mtimeMs));
  const inputs = [fileURLToPath(import.meta.url), join(root, "package.json"), ...modules(root)];
  return inputs.every((path) => statSync(path).mtimeMs < made);
}

function modules(root) {
  const dist = join(root, "dist");
  return readdirSync(dist, { recursive: true, encoding: "utf8" })
    .filter((path) => /\.(?:js|d\.ts)$/.test(path) && !path.startsWith("bundle/") && !path.startsWith("cli/"))
    .map((path) => join(dist, path));
}

/**
 * What several entry points stand on, by the name of its file: errors, arguments, deadlines, and how calls of any system wait and
 * map; Linux's addon, which loads when it is imported; how its calls wait and map.
 */
const SHARED = {
  basis: /\/dist\/(?:base\/[\w-]+|native\/contract|os\/(?:calls|memory-ranges))\.js$/,
  system: /\/dist\/native\/addon\.js$/,
  "system-calls": /\/dist\/os\/(?:(?!posix\.js|sysv\.js|win32\.js)[\w-]+|posix\/(?:constants|memory|semaphores))\.js$/,
};

/** Names of all the files of the bundles. */
export const BUNDLES = [...ENTRY_POINTS.map(({ bundle }) => bundle), ...Object.keys(SHARED)].map(pathOf);

/**
 * Code in ASCII: one dash that is none makes V8 hold and read all of a file in twice the bytes. Such characters stand in
 * texts and comments, where an escape says the same.
 */
const inAscii = (code) =>
  code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Compiled modules with their source maps, so that the bundle's leads to the sources. */
const compiled = (root, imports) => ({
  name: "compiled modules",
  resolveId: (specifier) => (specifier in imports ? join(root, imports[specifier].default) : null),
  load: (path) => ({
    code: inAscii(readFileSync(path, "utf8")),
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
  const { default: ts } = await import("typescript");
  const { version, imports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const build = await rollup({
    input: Object.fromEntries(ENTRY_POINTS.map(({ module, bundle }) => [bundle, join(root, `dist/${module}.js`)])),
    external: /^node:/,
    plugins: [compiled(root, imports)],
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  await build.write({
    dir: join(root, "dist/bundle"),
    entryFileNames: "[name].js",
    // What several entry points are made of, each in one file of a name that stays.
    chunkFileNames: "[name].js",
    manualChunks: (id) => Object.keys(SHARED).find((name) => SHARED[name].test(id)),
    format: "es",
    sourcemap: true,
    banner: `// shmkit ${version}, MIT. Contains msgpackr, MIT, Copyright (c) 2020 Kris Zyp.`,
  });
  await build.close();
  const folder = dirname(join(root, BUNDLE));
  mkdirSync(folder, { recursive: true });
  for (const { module, bundle: name, required } of ENTRY_POINTS) {
    writeFileSync(join(folder, `${required}.cjs`), requiredCode(name));
    writeFileSync(join(folder, `${required}.d.cts`), requiredTypes(root, module, ts));
  }
}
