/** The library's source with every mutation in it, each to be turned on at run time, and the list of them. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { isMutated, readSource, SOURCES } from "./mutated-files.js";
import { entering, RULES, type Place } from "./rules.js";

/** One mutation at one place. */
export interface Site {
  /** Says which it is also after lines have moved: `src/members/doorbell.ts ring: words.add(…): split`. */
  readonly key: string;
  /** `src/members/doorbell.ts:17 words.add(…) split` */
  readonly place: string;
}

/** Whether nothing but a barrier is missing there. */
export const isWeakening = (key: string): boolean => /: weakened(?: #\d+)?$/.test(key);

export interface Mutated {
  readonly source: string;
  readonly sites: readonly Site[];
}

const SWITCH = new URL("switch.js", import.meta.url).href;

const isNamedScope = (node: ts.Node): boolean =>
  ts.isMethodDeclaration(node) ||
  ts.isFunctionDeclaration(node) ||
  ts.isConstructorDeclaration(node) ||
  ts.isAccessor(node) ||
  ((ts.isPropertyAssignment(node) || ts.isPropertyDeclaration(node) || ts.isVariableDeclaration(node)) &&
    node.initializer !== undefined &&
    ts.isFunctionLike(node.initializer));

function nameOf(scope: ts.Node): string {
  if (ts.isConstructorDeclaration(scope)) return "constructor";
  const { name } = scope as { name?: ts.Node };
  return name?.getText() ?? "module";
}

/** Nodes of types have nothing that runs. */
const isExpressionOrCall = (node: ts.Node): node is ts.Expression => ts.isExpression(node);

/** Puts every mutation of a file into its source. `file` is its path from the root of the project. */
export function mutate(file: string, text: string): Mutated {
  const tree = ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
  const sites: Site[] = [];
  const used = new Map<string, number>();
  const rendered = new Map<ts.Node, string>();

  const keyOf = (node: ts.Node, scope: ts.Node, what: string): string => {
    const code = node.getText().replaceAll(/\s+/g, " ");
    const short = code.length > 100 ? `${code.slice(0, 99)}…` : code;
    const key = `${file} ${nameOf(scope)}: ${short}: ${what}`;
    const count = (used.get(key) ?? 0) + 1;
    used.set(key, count);
    const unique = count === 1 ? key : `${key} #${count}`;
    const line = tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    sites.push({ key: unique, place: `${file}:${line} ${short} ${what}` });
    return JSON.stringify(unique);
  };

  const render = (node: ts.Node, outer: ts.Node): string => {
    const before = rendered.get(node);
    if (before !== undefined) return before;
    const scope = isNamedScope(node) ? node : outer;
    let result = "";
    let at = node.getStart();
    ts.forEachChild(node, (child) => {
      result += text.slice(at, child.getStart()) + render(child, scope);
      at = child.end;
    });
    result += text.slice(at, node.end);
    if (ts.isBlock(node) && ts.isFunctionLike(node.parent)) result = `{ let $entered = false; ${result.slice(1)}`;
    if (isExpressionOrCall(node)) {
      if (entering(node)) result = `($entered = true, ${result})`;
      const place: Place = { file, scope, text: (inner) => render(inner, scope) };
      const choices = RULES.flatMap((rule) => rule(node, place)).map(({ what, instead, when }) => {
        const key = keyOf(node, scope, what);
        return `${when?.(key) ?? `$m.at(${key})`} ? ${instead} : `;
      });
      if (choices.length > 0) result = `(${choices.join("")}${result})`;
    }
    rendered.set(node, result);
    return result;
  };

  const { statements } = tree;
  let result = "";
  let at = 0;
  for (const statement of statements) {
    result += text.slice(at, statement.getStart()) + render(statement, statement);
    at = statement.end;
  }
  return { source: `import * as $m from ${JSON.stringify(SWITCH)}; ${result}${text.slice(at)}`, sites };
}

let sites: readonly Site[] | undefined;

/** Every mutation of the library, in the order of its source. */
export function allSites(): readonly Site[] {
  sites ??= readdirSync(fileURLToPath(SOURCES), { recursive: true, encoding: "utf8" })
    .map((name) => `src/${name}`)
    .filter(isMutated)
    .sort()
    .flatMap((file) => mutate(file, readSource(file)).sites);
  return sites;
}
