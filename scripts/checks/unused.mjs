import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import ts from "typescript";
import { ENTRY_POINTS as PACKAGE_ENTRY_POINTS } from "../entry-points.mjs";
import { ALIASES } from "../layers.mjs";
import { sourceFiles } from "./source-files.mjs";

/** Folders that are read; unused exports are looked for where others of our modules are the only readers. */
const FOLDERS = ["src", "test", "examples", "benchmarks", "scripts"];
const EXPORTS_CHECKED = /^(src|test)\//;

/** Modules that nothing needs to import: the package's entry points, and what people and Node's runner start. */
const ENTRY_POINTS = [
  ...PACKAGE_ENTRY_POINTS.map(({ module }) => new RegExp(`^src/${module}\\.ts$`)),
  /^src\/cli\/main\.ts$/,
  /^test\/.*\.test\.ts$/,
  /^test\/instruments\/words\.ts$/,
  // Loaded by Node as a hook of module loading.
  /^test\/(interleavings\/weaken-|mutations\/)hook\.ts$/,
  // Imported by the library as that hook loads it.
  /^test\/mutations\/switch\.ts$/,
  /^(examples|benchmarks|scripts)\//,
];

/** Used through configuration files or by name, or inlined by the build, not by an import. */
const PACKAGES_USED_OTHERWISE = new Set(["@types/node", "msgpackr", "node-api-headers"]);

const EVERYTHING = "*";

function resolve(module, specifier, modules) {
  const entry = PACKAGE_ENTRY_POINTS.find(({ subpath }) => specifier === `shmkit${subpath}`);
  if (entry !== undefined) return `src/${entry.module}.ts`;
  if (Object.hasOwn(ALIASES, specifier)) return `src/${ALIASES[specifier]}`;
  let path;
  if (specifier.startsWith("#src/")) path = specifier.replace("#src/", "src/");
  else if (specifier.startsWith(".")) path = posix.join(posix.dirname(module), specifier).replace(/^dist\//, "src/");
  else return undefined;
  const source = path.replace(/\.js$/, ".ts");
  return modules.has(source) ? source : path;
}

/** What a module exports (name → whether only a type), imports, and mentions in strings. */
function readModule(path, text) {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const exports = new Map();
  const imports = [];
  const strings = [];
  const identifiers = new Map();

  const use = (specifier, names) => {
    if (specifier !== undefined && ts.isStringLiteralLike(specifier))
      imports.push({ specifier: specifier.text, names });
  };
  const visit = (node) => {
    if (ts.isIdentifier(node)) identifiers.set(node.text, (identifiers.get(node.text) ?? 0) + 1);
    if (ts.isStringLiteralLike(node)) strings.push(node.text);
    if (ts.isTemplateTail(node)) strings.push(node.text);
    if (ts.isImportDeclaration(node)) {
      const names = [];
      const bindings = node.importClause?.namedBindings;
      if (node.importClause?.name) names.push("default");
      if (bindings && ts.isNamespaceImport(bindings)) names.push(EVERYTHING);
      if (bindings && ts.isNamedImports(bindings)) {
        for (const { propertyName, name } of bindings.elements) names.push((propertyName ?? name).text);
      }
      use(node.moduleSpecifier, names);
    } else if (ts.isExportDeclaration(node)) {
      const clause = node.exportClause;
      /** @type {readonly ts.ExportSpecifier[]} */
      const named = clause && ts.isNamedExports(clause) ? clause.elements : [];
      for (const { name } of named) exports.set(name.text, false);
      const names = named.map(({ propertyName, name }) => (propertyName ?? name).text);
      use(node.moduleSpecifier, named.length > 0 ? names : [EVERYTHING]);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const first = node.qualifier?.getText().split(".")[0];
      use(node.argument.literal, [first ?? EVERYTHING]);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      use(node.arguments[0], namesTakenFrom(node));
    } else if (ts.canHaveModifiers(node) && node.parent === file) {
      const modifiers = ts.getModifiers(node) ?? [];
      if (modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) {
        const isDefault = modifiers.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
        const onlyType = ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
        for (const name of declaredNames(node)) exports.set(isDefault ? "default" : name, onlyType);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return { exports, imports, strings, identifiers };
}

/** Names in `const { a, b } = await import(…)`; everything for any other use of a dynamic import. */
function namesTakenFrom(call) {
  const declaration = call.parent.parent;
  if (!ts.isAwaitExpression(call.parent) || !ts.isVariableDeclaration(declaration)) return [EVERYTHING];
  if (!ts.isObjectBindingPattern(declaration.name)) return [EVERYTHING];
  return declaration.name.elements.map(({ propertyName, name }) => (propertyName ?? name).getText());
}

function declaredNames(node) {
  if (ts.isVariableStatement(node)) return node.declarationList.declarations.flatMap(({ name }) => bindingNames(name));
  return node.name ? [node.name.text] : [];
}

function bindingNames(name) {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : bindingNames(element.name)));
}

/** Modules, exports and packages that nothing uses. */
export function findUnused(root) {
  const modules = new Map();
  for (const folder of FOLDERS) {
    for (const name of sourceFiles(join(root, folder))) {
      if (!/\.(ts|mjs)$/.test(name)) continue;
      const path = `${folder}/${name}`;
      modules.set(path, readModule(path, readFileSync(join(root, path), "utf8")));
    }
  }
  for (const name of readdirSync(root).filter((file) => file.endsWith(".config.mjs"))) {
    modules.set(`scripts/${name}`, readModule(name, readFileSync(join(root, name), "utf8")));
  }

  const used = new Map();
  const packages = new Set();
  const edges = new Map();
  for (const [path, { imports, strings }] of modules) {
    const reached = new Set();
    for (const { specifier, names } of imports) {
      const target = resolve(path, specifier, modules);
      if (target === undefined) {
        packages.add(specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/"));
        continue;
      }
      reached.add(target);
      if (!used.has(target)) used.set(target, new Set());
      for (const name of names) used.get(target).add(name);
    }
    // A program that a test starts is named by its path. A script reads a whole folder by naming it.
    for (const other of modules.keys()) {
      const compiled = posix.basename(other).replace(/\.ts$/, ".js");
      if (strings.some((text) => text === compiled || text.endsWith(`/${compiled}`))) reached.add(other);
    }
    edges.set(path, reached);
  }

  const reachable = new Set();
  const pending = [...modules.keys()].filter((path) => ENTRY_POINTS.some((pattern) => pattern.test(path)));
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (reachable.has(path)) continue;
    reachable.add(path);
    pending.push(...(edges.get(path) ?? []));
  }

  const problems = [];
  for (const [path, { exports, identifiers }] of modules) {
    if (!reachable.has(path)) {
      problems.push(`${path}: no entry point reaches this module`);
      continue;
    }
    if (!EXPORTS_CHECKED.test(path) || ENTRY_POINTS.some((pattern) => pattern.test(path))) continue;
    const names = used.get(path) ?? new Set();
    if (names.has(EVERYTHING)) continue;
    for (const [name, onlyType] of exports) {
      if (names.has(name)) continue;
      // A type is exported with the function that takes or returns it.
      if (onlyType && identifiers.get(name) > 1) continue;
      problems.push(`${path}: nothing imports "${name}"`);
    }
  }
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    if (!packages.has(name) && !PACKAGES_USED_OTHERWISE.has(name)) {
      const spawned = [...modules.values()].some(({ strings }) => strings.some((text) => text.includes(`${name}/`)));
      if (!spawned) problems.push(`package.json: nothing uses "${name}"`);
    }
  }
  return { modules: modules.size, problems };
}

export const gate = {
  name: "unused",
  run({ root }) {
    const { modules, problems } = findUnused(root);
    if (modules === 0) problems.push("no module was read");
    return { problems, note: `${modules} modules` };
  },
};
