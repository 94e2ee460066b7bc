/** The options of every call, as the committed report of the public interface declares them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const REPORT = fileURLToPath(new URL("../../../api.d.ts", import.meta.url));

/** A call that takes options. */
export interface DeclaredCall {
  /** What has the method: a class for its static ones, with a small letter for those of its objects; `""` of functions. */
  readonly owner: string;
  readonly method: string;
  /** What stands before the options: the names of the parameters with their types. */
  readonly before: readonly { readonly name: string; readonly type: string }[];
  readonly options: readonly string[];
}

const OPTIONS = "options";

/** What they are collections of says which options they have. */
const isCollection = (symbol: ts.Symbol | undefined): boolean =>
  symbol?.name === "Collection" || symbol?.name === "PipeCollection";

function callOf(owner: string, symbol: ts.Symbol, type: ts.Type, checker: ts.TypeChecker): DeclaredCall[] {
  const options = new Set<string>();
  let before: DeclaredCall["before"] | undefined;
  for (const { parameters } of type.getCallSignatures()) {
    const at = parameters.findIndex(({ name }) => name === OPTIONS);
    if (at === -1) continue;
    const all = parameters.map((parameter) => checker.getTypeOfSymbol(parameter));
    for (const { name } of checker.getPropertiesOfType(checker.getNonNullableType(all[at]))) options.add(name);
    before = parameters
      .slice(0, at)
      .map(({ name }, index) => ({ name, type: checker.typeToString(checker.getNonNullableType(all[index])) }));
  }
  return before === undefined ? [] : [{ owner, method: symbol.name, before, options: [...options].sort() }];
}

/** Every call with options: functions, static methods, methods of objects, and of the collections of a region. */
export function declaredCalls(): DeclaredCall[] {
  const source = ts.createSourceFile(REPORT, readFileSync(REPORT, "utf8"), ts.ScriptTarget.ES2022, true);
  const host = ts.createCompilerHost({});
  const program = ts.createProgram(
    [REPORT],
    { target: ts.ScriptTarget.ES2022, lib: ["lib.es2022.d.ts"], types: [] },
    {
      ...host,
      getSourceFile: (name, ...how) => (name === REPORT ? source : host.getSourceFile(name, ...how)),
    },
  );
  const checker = program.getTypeChecker();
  const of = (owner: string, type: ts.Type): DeclaredCall[] =>
    checker.getPropertiesOfType(type).flatMap((symbol) => {
      const own = checker.getTypeOfSymbol(symbol);
      if (symbol.name === "prototype") return [];
      return isCollection(own.symbol) ? of(`${owner}.${symbol.name}`, own) : callOf(owner, symbol, own, checker);
    });
  return checker.getExportsOfModule(checker.getSymbolAtLocation(source)!).flatMap((symbol) => {
    if (isCollection(symbol)) return [];
    const type = checker.getTypeOfSymbol(symbol);
    if ((symbol.flags & ts.SymbolFlags.Class) === 0) return callOf("", symbol, type, checker);
    const name = `${symbol.name[0].toLowerCase()}${symbol.name.slice(1)}`;
    return [...of(symbol.name, type), ...of(name, checker.getDeclaredTypeOfSymbol(symbol))];
  });
}
