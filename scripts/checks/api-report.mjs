import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** The public surface, committed: its diff shows what a change does to users. */
const REPORT = "api.d.ts";
const ENTRY = "dist/index.d.ts";
const HEADER = "// The public interface, without comments. Generated: npm run check -- api-report --fix\n";

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

function textOf(declaration, checker, exported) {
  const print = (node) => printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile());
  if (!ts.isClassDeclaration(declaration)) {
    const statement = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
    return print(statement).replace(/^(export )?(declare )?/, "export ");
  }
  const isShown = (type) => {
    const symbol = checker.getTypeAtLocation(type).getSymbol();
    const parent = symbol?.valueDeclaration;
    return (
      exported.has(symbol) ||
      parent === undefined ||
      !ts.isClassDeclaration(parent) ||
      parent.getSourceFile().fileName.includes("/node_modules/")
    );
  };
  const parameters = declaration.typeParameters?.map(print).join(", ");
  const head = `export class ${declaration.name.text}${parameters ? `<${parameters}>` : ""}`;
  const heritage = (declaration.heritageClauses ?? []).map(({ token, types }) => {
    const shown = types.filter(isShown).map(print).join(", ");
    return shown === "" ? "" : ` ${ts.tokenToString(token)} ${shown}`;
  });
  const members = visibleMembers(declaration, checker, exported).map((member) => `    ${print(member)}`);
  return `${head}${heritage.join("")} {\n${members.join("\n")}\n}`;
}

/** The exported declarations of an entry point, by name. */
export function apiReport(entry) {
  const program = ts.createProgram([entry], { module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022 });
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry));
  const symbols = checker
    .getExportsOfModule(module)
    .map((symbol) => ({
      name: symbol.name,
      target: (symbol.flags & ts.SymbolFlags.Alias) !== 0 ? checker.getAliasedSymbol(symbol) : symbol,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const exported = new Set(symbols.map(({ target }) => target));
  const texts = symbols.flatMap(({ target }) =>
    (target.declarations ?? []).map((declaration) => textOf(declaration, checker, exported)),
  );
  return { names: symbols.length, text: `${HEADER}\n${texts.join("\n\n")}\n` };
}

export const gate = {
  name: "api-report",
  run({ root, fix }) {
    const { names, text } = apiReport(join(root, ENTRY));
    const path = join(root, REPORT);
    const note = `${names} exported names`;
    if (names === 0) return { problems: [`${ENTRY} exports nothing`], note };
    if (existsSync(path) && readFileSync(path, "utf8") === text) return { problems: [], note };
    if (fix) writeFileSync(path, text);
    const problem = `${REPORT} is not what the package exports; look at the difference after npm run check -- api-report --fix`;
    return { problems: fix ? [] : [problem], note };
  },
};
