/** Parts of documents that are written by a program from results that are committed. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A table; the first row is its head. All columns but the first are aligned to the right. */
export function tableLines(rows: readonly (readonly string[])[]): string {
  const [head, ...body] = rows;
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"));
  return [head, rule, ...body].map(line).join("\n");
}

/** The text of a document with its generated blocks replaced, by their names. @throws when it has no place for one */
export function blocksIn(root: string, path: string, blocks: Readonly<Record<string, string>>): string {
  let text = readFileSync(join(root, path), "utf8");
  for (const [name, content] of Object.entries(blocks)) {
    const [begin, end] = [`<!-- ${name}: begin -->`, `<!-- ${name}: end -->`];
    const [from, to] = [text.indexOf(begin), text.indexOf(end)];
    if (from < 0 || to < from) throw new Error(`${path} has no place for what is generated: ${begin}`);
    text = `${text.slice(0, from)}${begin}\n\n${content}\n\n${text.slice(to)}`;
  }
  return text;
}

/** Writes files, or only compares them: then one problem for each that differs, its path and the advice. */
export function writeOrCompare(
  root: string,
  files: ReadonlyMap<string, string>,
  onlyCompare: boolean,
  advice: string,
): string[] {
  const problems: string[] = [];
  for (const [path, text] of files) {
    const full = join(root, path);
    if (existsSync(full) && readFileSync(full, "utf8") === text) continue;
    if (onlyCompare) problems.push(`${path} ${advice}`);
    else {
      mkdirSync(dirname(full), { recursive: true });
      writeFileSync(full, text);
    }
  }
  return problems;
}
