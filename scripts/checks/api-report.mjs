import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { ENTRY_POINTS } from "../entry-points.mjs";

const HEADER = "// The public interface, without comments. Generated: npm run check -- api-report --fix\n";
const REACHED = "// Not exported, but named by what is.\n";

const printer = ts.createPrinter({ removeComments: true });

function isHidden(member) {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  if ((ts.getCombinedModifierFlags(member) & hidden) !== 0) return true;
  return ts.getJSDocTags(member).some(({ tagName }) => tagName.text === "internal");
}

/** A class as users see it: with its base's members, if the base is not exported, and without what is not theirs. */
function visibleMembers(declaration, checker, exported) {
  const members = declaration.members.filter((member) => !isHidden(member));
  const [base] = declaration.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types ?? [];
  const symbol = base && checker.getTypeAtLocation(base).getSymbol();
  const parent = symbol?.valueDeclaration;
  if (!parent || !ts.isClassDeclaration(parent) || exported.has(symbol)) return members;
  const names = new Set(members.map((member) => member.name?.getText()));
  return [
    ...members,
    ...visibleMembers(parent, checker, exported).filter((member) => !names.has(member.name?.getText())),
  ];
}

const print = (node) => printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile());

const asksForAType = (node) => ts.isTypeQueryNode(node) || ts.forEachChild(node, asksForAType) === true;

/**
 * The union of literals that an alias stands for, where `(typeof NAMES)[number]` would hide what changes in the list. In
 * the order of the alphabet: the compiler's own changes with what it has read before.
 */
function literalsOf(declaration, checker) {
  if (!ts.isTypeAliasDeclaration(declaration) || !asksForAType(declaration.type)) return undefined;
  const type = checker.getTypeAtLocation(declaration);
  const members = type.isUnion() ? type.types : [type];
  if (!members.every((member) => member.isLiteral())) return undefined;
  const texts = members.map((member) => checker.typeToString(member));
  return texts.sort().join(" | ");
}

/** What of a declaration users see: all of it, or the shown parts of a class. */
function shownParts(declaration, checker, exported) {
  if (!ts.isClassDeclaration(declaration)) return { parts: [declaration] };
  /** The types themselves; what a base that is not exported extends in its place. */
  const shownBases = (type) => {
    const symbol = checker.getTypeAtLocation(type).getSymbol();
    const parent = symbol?.valueDeclaration;
    const isShown =
      exported.has(symbol) ||
      parent === undefined ||
      !ts.isClassDeclaration(parent) ||
      parent.getSourceFile().fileName.includes("/node_modules/");
    return isShown ? [type] : (parent.heritageClauses ?? []).flatMap(({ types }) => types.flatMap(shownBases));
  };
  const parameters = declaration.typeParameters ?? [];
  const heritage = (declaration.heritageClauses ?? []).map(({ token, types }) => ({
    token,
    types: types.flatMap(shownBases),
  }));
  const members = visibleMembers(declaration, checker, exported);
  return { parts: [...parameters, ...heritage.flatMap(({ types }) => types), ...members], heritage, members };
}

function textOf(declaration, checker, exported) {
  const literals = literalsOf(declaration, checker);
  if (literals !== undefined) return `type ${declaration.name.text} = ${literals};`;
  if (!ts.isClassDeclaration(declaration)) {
    const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
    return print(statement).replace(/^(export )?(declare )?/, "");
  }
  const { heritage, members } = shownParts(declaration, checker, exported);
  const parameters = declaration.typeParameters?.map(print).join(", ");
  const head = `class ${declaration.name.text}${parameters ? `<${parameters}>` : ""}`;
  const bases = heritage
    .filter(({ types }) => types.length > 0)
    .map(({ token, types }) => ` ${ts.tokenToString(token)} ${types.map(print).join(", ")}`);
  return `${head}${bases.join("")} {\n${members.map((member) => `    ${print(member)}\n`).join("")}}`;
}

const isOfAModule = (declaration) =>
  ts.isSourceFile(declaration.parent) || ts.isVariableStatement(declaration.parent.parent ?? declaration);

function aliased(symbol, checker) {
  return (symbol.flags & ts.SymbolFlags.Alias) === 0 ? symbol : checker.getAliasedSymbol(symbol);
}

/** What the shown parts of a symbol name of its own package's. */
function namedBy(symbol, checker, exported) {
  const found = new Set();
  const visit = (node) => {
    const named = ts.isIdentifier(node) && checker.getSymbolAtLocation(node);
    const target = named && aliased(named, checker);
    const isOurs = (declaration) =>
      isOfAModule(declaration) && !declaration.getSourceFile().fileName.includes("/node_modules/");
    if (target && target !== symbol && target.declarations?.every(isOurs)) found.add(target);
    ts.forEachChild(node, visit);
  };
  for (const declaration of symbol.declarations ?? [])
    if (literalsOf(declaration, checker) === undefined)
      for (const part of shownParts(declaration, checker, exported).parts) visit(part);
  return found;
}

/** What is not exported and yet part of what is: users see it in their editors, and a change of it changes what they have. */
function reachedFrom(exported, checker) {
  const reached = new Set(exported);
  // A set that grows while it is walked: what is reached reaches more.
  for (const symbol of reached) for (const named of namedBy(symbol, checker, exported)) reached.add(named);
  return [...reached].filter((symbol) => !exported.has(symbol));
}

/** The public declarations of an entry point, by name: those it exports, then those that these name. */
export function apiReport(entry) {
  const program = ts.createProgram([entry], { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022 });
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
  const byName = (a, b) => (a.name < b.name ? -1 : 1);
  const names = checker.getExportsOfModule(module).sort(byName);
  const symbols = names.map((symbol) => aliased(symbol, checker));
  const exported = new Set(symbols);
  /** What is exported under another name than its own, beside that or alone. */
  const renamed = names
    .map((symbol, i) => [symbols[i].name, symbol.name])
    .filter(([own, name]) => own !== name)
    .map(([own, name]) => `export { ${own} as ${name} };\n`);
  const texts = (target, prefix) =>
    (target.declarations ?? []).map((declaration) => `${prefix}${textOf(declaration, checker, exported)}\n`);
  const reached = reachedFrom(exported, checker).sort(byName);
  const sections = [
    HEADER,
    ...[...exported].flatMap((target) => texts(target, "export ")),
    ...renamed,
    ...(reached.length > 0 ? [REACHED] : []),
    ...reached.flatMap((target) => texts(target, "")),
  ];
  // One declaration of several names is written once.
  return { names: symbols.length, text: [...new Set(sections)].join("\n") };
}

/** The public surface, committed: its diff shows what a change does to users. */
function compareReport({ root, fix }, { module, report }) {
  const entry = `dist/${module}.d.ts`;
  const { names, text } = apiReport(join(root, entry));
  const path = join(root, report);
  if (names === 0) return { problems: [`${entry} exports nothing`], names };
  if (existsSync(path) && readFileSync(path, "utf8") === text) return { problems: [], names };
  if (fix) writeFileSync(path, text);
  const problem = `${report} is not what the package exports; look at the difference after npm run check -- api-report --fix`;
  return { problems: fix ? [] : [problem], names };
}

export const gate = {
  name: "api-report",
  run(options) {
    const results = ENTRY_POINTS.map((entry) => compareReport(options, entry));
    const names = results.reduce((sum, result) => sum + result.names, 0);
    return { problems: results.flatMap(({ problems }) => problems), note: `${names} exported names` };
  },
};
