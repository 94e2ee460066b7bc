/**
 * What a mutation is: rules by which they follow from the source. Each looks at one node and says what could stand there
 * instead; `$m` is `switch.ts`.
 */
import ts from "typescript";

/** One thing that can be wrong at a node. */
export interface Mutant {
  readonly what: string;
  /** Expression that takes the node's place. */
  readonly instead: string;
  /** Whether it is to be taken now; by default whenever the mutation is on. */
  readonly when?: (key: string) => string;
}

export interface Place {
  readonly file: string;
  /** The function around the node. */
  readonly scope: ts.Node;
  /** A node's source, with the sites in it. */
  readonly text: (node: ts.Node) => string;
}

export type Rule = (node: ts.Node, place: Place) => readonly Mutant[];

const NONE: readonly Mutant[] = [];
const OUT: readonly Mutant[] = [{ what: "left out", instead: "undefined" }];

const STORES = ["store", "storeRelease", "store64"];
const EXCHANGES = ["compareExchange", "add", "or", "and"];
const LOADS = ["load", "loadFresh", "loadBehind", "load64"];

/** `receiver.name(…)` or `name(…)`; undefined for other nodes. */
function calleeOf(node: ts.Node): { receiver: string; name: string; args: readonly ts.Expression[] } | undefined {
  if (!ts.isCallExpression(node)) return undefined;
  const { expression, arguments: args } = node;
  if (ts.isIdentifier(expression)) return { receiver: "", name: expression.text, args };
  if (!ts.isPropertyAccessExpression(expression)) return undefined;
  return { receiver: expression.expression.getText(), name: expression.name.text, args };
}

/** Whether a call of a name in the same function stands before a node. */
function isBehind(node: ts.Node, { scope }: Place, matches: (callee: { receiver: string; name: string }) => boolean) {
  let found = false;
  const visit = (other: ts.Node): void => {
    if (found || other.pos >= node.pos) return;
    const callee = calleeOf(other);
    if (callee !== undefined && other.end <= node.pos && matches(callee)) found = true;
    else ts.forEachChild(other, visit);
  };
  visit(scope);
  return found;
}

/** Accesses that synchronise: left out, without their barrier, and in two steps instead of one. */
const access: Rule = (node, { text }) => {
  const callee = calleeOf(node);
  if (callee?.receiver !== "words") return NONE;
  const { name, args } = callee;
  const operands = args.map(text);
  const weakened: Mutant = {
    what: "weakened",
    instead: `$m.weak.${name}(${operands.join()})`,
    when: (key) => `$m.weakens(${key})`,
  };
  if (LOADS.includes(name)) return [weakened];
  if (STORES.includes(name)) return [...OUT, weakened];
  if (!EXCHANGES.includes(name)) return NONE;
  return [
    { what: "left out", instead: `words.load(${operands[0]}, ${operands[1]})` },
    weakened,
    { what: "split", instead: `$m.split.${name}(words, ${operands.join()})` },
  ];
};

/** Whatever rings or wakes. */
const ring: Rule = (node) => {
  const callee = calleeOf(node);
  if (callee === undefined) return NONE;
  return callee.name.startsWith("ring") || (callee.receiver === "native" && callee.name === "wake") ? OUT : NONE;
};

const isAttempt = (name: string): boolean => ["attempt", "serve", "try"].includes(name);

/**
 * Attempts behind arming: never, and not at once after a set was entered. `$entered` is a variable of the function, which
 * {@link entering} sets. Attempts by `pump` are left out.
 */
const attemptAgain: Rule = (node, place) => {
  const callee = calleeOf(node);
  if (callee?.name === "pump" && ts.isExpressionStatement(node.parent)) return OUT;
  if (callee === undefined || !isAttempt(callee.name) || !isBehind(node, place, ({ name }) => name === "arm"))
    return NONE;
  return [
    { what: "answered BLOCKED", instead: "BLOCKED" },
    {
      what: "answered BLOCKED after entering",
      instead: "($entered = false, BLOCKED)",
      when: (key) => `$m.at(${key}) && $entered`,
    },
  ];
};

/** Whether a node enters a member set, in a function that tries again. */
export function entering(node: ts.Node): boolean {
  const callee = calleeOf(node);
  return callee?.name === "enter";
}

const FALSE: readonly Mutant[] = [{ what: "answered false", instead: "false" }];

/** What whoever leaves a set is told of those who stay. */
const remains: Rule = (node, { scope }) => {
  if (calleeOf(node)?.name === "remains") return FALSE;
  const isNamed = ts.isMethodDeclaration(scope) || ts.isPropertyAssignment(scope);
  if (!isNamed || scope.name.getText() !== "remains") return NONE;
  const { parent } = node;
  const isAnswer =
    (ts.isReturnStatement(parent) && parent.expression === node) ||
    (ts.isArrowFunction(parent) && parent.body === node && parent.parent === scope);
  return isAnswer && node.kind !== ts.SyntaxKind.TrueKeyword && node.kind !== ts.SyntaxKind.FalseKeyword ? FALSE : NONE;
};

const COMPARISONS = new Set([
  ...[ts.SyntaxKind.EqualsEqualsEqualsToken, ts.SyntaxKind.ExclamationEqualsEqualsToken],
  ...[ts.SyntaxKind.LessThanToken, ts.SyntaxKind.LessThanEqualsToken],
  ...[ts.SyntaxKind.GreaterThanToken, ts.SyntaxKind.GreaterThanEqualsToken],
]);
const TAKES_LOCK = new Set(["native.lock", "native.pin", ".tryLock"]);

/** What is looked at behind taking a lock, or for the second time in a function. */
const lookAgain: Rule = (node, place) => {
  if (!ts.isBinaryExpression(node) || !COMPARISONS.has(node.operatorToken.kind)) return NONE;
  const look = [node.left, node.right].find(ts.isCallExpression);
  if (look === undefined || calleeOf(look)?.name === "tryLock") return NONE;
  const isLocked = isBehind(node, place, ({ receiver, name }) => TAKES_LOCK.has(`${receiver}.${name}`));
  const isSecond =
    calleeOf(look)?.receiver === "words" &&
    place.scope.getText().indexOf(look.getText()) + place.scope.getStart() < look.getStart();
  if (!isLocked && !isSecond) return NONE;
  return [{ what: "answered true", instead: "true" }, ...FALSE];
};

const RECORDS = new Set([
  ...["critical", "criticalAs", "committed", "committedAs", "withdrawn", "reap", "beginAside", "concerns"],
  ...["adopt", "clearLedger"],
]);

/** Entries of journals, of ledgers and in the record of what a member does. */
const journal: Rule = (node, { file }) => {
  const callee = calleeOf(node);
  if (callee === undefined || !ts.isExpressionStatement(node.parent)) return NONE;
  const { receiver, name, args } = callee;
  if (RECORDS.has(name) || (name === "begin" && /\bmember$/.test(receiver))) return OUT;
  if (receiver === "" && (name === "undo" || name === "commit")) return OUT;
  if (receiver !== "words" || name !== "write") return NONE;
  return file.startsWith("src/locking/") || /argument|ledger/i.test(args[1].getText()) ? OUT : NONE;
};

/** What recovery does, one thing after the other. */
const recovery: Rule = (node, { file }) => {
  const callee = calleeOf(node);
  if (callee === undefined || !ts.isExpressionStatement(node.parent)) return NONE;
  if (callee.receiver === "words" || callee.name === "undo" || callee.name === "commit") return NONE;
  return file === "src/region/recovery.ts" || /\brecovery$/.test(callee.receiver) ? OUT : NONE;
};

/** What a command does and decides. */
const command: Rule = (node, { file }) => {
  if (!file.startsWith("src/cli/")) return NONE;
  const { parent } = node;
  const statement = ts.isAwaitExpression(parent) ? parent.parent : parent;
  if (ts.isCallExpression(node) && ts.isExpressionStatement(statement)) return OUT;
  const isCondition =
    (ts.isIfStatement(parent) && parent.expression === node) ||
    (ts.isConditionalExpression(parent) && parent.condition === node);
  return isCondition ? [{ what: "answered true", instead: "true" }, ...FALSE] : NONE;
};

export const RULES: readonly Rule[] = [access, ring, attemptAgain, remains, lookAgain, journal, recovery, command];
