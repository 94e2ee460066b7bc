import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const DOCUMENT = "docs/seed-coverage.md";
const PLANNED = "planned";

/** What the document's rows may point to. */
function factsOf(root) {
  const texts = (folder, matches) =>
    readdirSync(join(root, folder))
      .filter(matches)
      .map((name) => [name, readFileSync(join(root, folder, name), "utf8")]);
  const reports = texts(".", (name) => /^api.*\.d\.ts$/.test(name)).map(([, text]) => text);
  // What the matrix runs on Windows is named by titles in a folder of its own.
  const onWindows = texts("test/win32", (name) => name.endsWith(".ts")).map(([, text]) => text);
  const commands = texts("src/cli/commands", (name) => name.endsWith(".ts")).map(([name]) => name.slice(0, -3));
  return {
    members: membersIn(reports.join("\n")),
    names: new Set(reports.join("\n").match(/[A-Za-z_$][\w$]*/g)),
    commands: new Set(commands),
    tests: new Map(
      ["test", "test/tools"]
        .flatMap((folder) => texts(folder, (name) => name.endsWith(".test.ts")))
        .map(([name, text]) => [name.split(".")[0], text]),
    ).set("win32", onWindows.join("\n")),
    examples: readFileSync(join(root, "src/cli/commands/example.ts"), "utf8"),
    exists: (path) => existsSync(join(root, "docs", path)),
  };
}

/** The members of each public class and interface, with those that it inherits, by its name. */
function membersIn(report) {
  const found = new Map();
  for (const [, name, above = "", body] of report.matchAll(
    /^export (?:declare )?(?:abstract )?(?:class|interface) (\w+)[^{]*?(?:extends ([^{]+?))?\{$(.*?)^\}/gms,
  ))
    found.set(name, [new Set(body.match(/[A-Za-z_$][\w$]*/g)), above.match(/[A-Z]\w*/g) ?? []]);
  const all = (name) => {
    const [own = new Set(), above = []] = found.get(name) ?? [];
    return new Set([...own, ...above.flatMap((each) => [...all(each)])]);
  };
  return new Map([...found.keys()].map((name) => [name, all(name)]));
}

const codeIn = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code);

/** Interfaces are public names, or commands; a row without one says that it is planned. */
function checkInterface(cell, { names, commands, members }) {
  const codes = codeIn(cell);
  if (codes.length === 0) return cell === PLANNED ? [] : [`"${cell}" is no interface, and not "${PLANNED}"`];
  return codes.flatMap((code) => {
    const command = /^shmkit ([a-z]+)/.exec(code);
    if (command !== null) return commands.has(command[1]) ? [] : [`there is no command ${code}`];
    const unknown = (code.match(/[A-Za-z_$][\w$]*/g) ?? []).filter((name) => !names.has(name));
    if (unknown.length > 0) return unknown.map((name) => `${name} of ${code} is no public name`);
    const [, owner, member] = /^(\w+)\.(\w+)/.exec(code) ?? [];
    return owner === undefined || members.get(owner)?.has(member) ? [] : [`${owner} has no ${member}`];
  });
}

/** `FILE: title` of a test in test/FILE.test.ts, several after one another. */
function checkTests(cell, { tests }) {
  const found = codeIn(cell);
  if (found.length === 0) return ["no test is named"];
  return found.flatMap((code) => {
    const [, file, title] = /^([\w-]+): (.+)$/.exec(code) ?? [];
    if (file === undefined) return [`${code} is not FILE: TITLE`];
    if (!tests.has(file)) return [`there is no test/${file}.test.ts`];
    return ['"', "`"].some((quote) => tests.get(file).includes(quote + title))
      ? []
      : [`test/${file}.test.ts has no "${title}"`];
  });
}

/** A page, or an example of the command line. */
function checkExample(cell, { examples, exists }) {
  const links = [...cell.matchAll(/\]\(([^)#]+)/g)].map(([, path]) => path);
  const programs = codeIn(cell).flatMap((code) => /^shmkit example ([\w-]+)/.exec(code)?.[1] ?? []);
  if (links.length + programs.length === 0) return ["no page and no example is named"];
  return [
    ...links.filter((path) => !exists(path)).map((path) => `there is no docs/${path}`),
    ...programs
      .filter((name) => !new RegExp(`^ {2}"?${name}"?: \\{`, "m").test(examples))
      .map((name) => `there is no example ${name}`),
  ];
}

/** Holds each row of the document against what there is: `| behaviour | interface | test | example |`. */
export function checkSeedCoverage(text, facts) {
  const problems = [];
  let rows = 0;
  let planned = 0;
  for (const [i, line] of text.split("\n").entries()) {
    if (!line.startsWith("| ") || /^\| (Behaviour|---)/.test(line)) continue;
    rows++;
    const cells = line.replaceAll("\\|", "\u0000").split("|").slice(1, -1);
    const [, api, tests, example] = cells.map((cell) => cell.replaceAll("\u0000", "|").trim());
    const found = cells.length === 4 ? checkInterface(api, facts) : [`${cells.length} cells, not 4`];
    if (api === PLANNED) planned++;
    else if (cells.length === 4) found.push(...checkTests(tests, facts), ...checkExample(example, facts));
    problems.push(...found.map((problem) => `${DOCUMENT}:${i + 1}: ${problem}`));
  }
  if (rows === 0) problems.push(`${DOCUMENT} has no row`);
  return { problems, rows, planned };
}

export const gate = {
  name: "seed-coverage",
  run({ root }) {
    const { problems, rows, planned } = checkSeedCoverage(readFileSync(join(root, DOCUMENT), "utf8"), factsOf(root));
    return { problems, note: `${rows} rows, ${planned} planned` };
  },
};
