const LANGUAGES = { ts: "ts", typescript: "ts", js: "js", javascript: "js", sh: "sh" };
const FENCE = /^(`{3,})([^\n`]*)\n([\s\S]*?)^\1[ \t]*$/gm;
const FLAG = /([\w-]+)(?:=(?:"([^"]*)"|(\S+)))?/g;

/** What is wrong with the words after a language. A fragment in TypeScript shows itself to be one; a command does not. */
function wrongFlags(extension, flags) {
  const known = extension === "sh" ? ["no-run"] : ["no-run", "together"];
  const unknown = Object.keys(flags).filter((flag) => !known.includes(flag));
  if (unknown.length > 0) return `unknown words after the language: ${unknown.join(" ")}`;
  if (extension === "sh" && flags["no-run"] === "") return 'commands that are not run need a reason: no-run="REASON"';
  return undefined;
}

/**
 * The code blocks of a document. The words after the language say what to do with one: `no-run` marks a fragment that
 * is only shown; `together=NAME` starts all blocks of that name in the document at once, as the processes they stand for.
 */
export function codeBlocks(path, text) {
  const blocks = [];
  for (const match of text.matchAll(FENCE)) {
    const [, language, words] = /^(\S*)\s*(.*)$/.exec(match[2].trim());
    if (!Object.hasOwn(LANGUAGES, language)) continue;
    const extension = LANGUAGES[language];
    const flags = Object.fromEntries(
      [...words.matchAll(FLAG)].map(([, name, quoted, bare]) => [name, quoted ?? bare ?? ""]),
    );
    const line = text.slice(0, match.index).split("\n").length;
    blocks.push({
      at: `${path}:${line}`,
      extension,
      code: match[3],
      noRun: Object.hasOwn(flags, "no-run"),
      together: flags.together === undefined ? undefined : `${path}#${flags.together}`,
      wrong: wrongFlags(extension, flags),
    });
  }
  return blocks;
}

const DOC_COMMENT = /^([ \t]*)\/\*\*(?!\/)[\s\S]*?\*\//gm;

/**
 * The examples in the doc comments of a module, at the lines where they stand. An `@example` must have a code block: what
 * has none would be shown and never run.
 */
export function exampleBlocks(path, text) {
  const blocks = [];
  const problems = [];
  for (const { 0: comment, index } of text.matchAll(DOC_COMMENT)) {
    const lines = comment.split("\n").map((line) => line.replace(/^[ \t]*(?:\/\*\*|\*\/|\*) ?/, ""));
    const found = codeBlocks(path, lines.join("\n"));
    const before = text.slice(0, index).split("\n").length - 1;
    for (const block of found) blocks.push({ ...block, at: lineAt(block.at, before) });
    for (const [at, line] of lines.entries())
      if (line.startsWith("@example") && !/^```(?:ts|js)\b/.test(lines[at + 1] ?? ""))
        problems.push(`${path}:${before + at + 1}: an example without a code block would never be run`);
  }
  return { blocks, problems };
}

/** The line so many further on. */
export function lineAt(at, further) {
  const [path, line] = at.split(":");
  return `${path}:${Number(line) + further}`;
}
