import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { format } from "node:util";

/**
 * Which line of an example printed what. Loaded into the examples' processes (`--import`), it notes each `console.log` in
 * the file that PRINTED names, with the line it was called at: the source map leads back to the block.
 */
const PRINTED = "SHMKIT_EXAMPLE_PRINTED";
const CALLER = /\/example-\d+\.[tj]s:(\d+):\d+/;

const into = process.env[PRINTED];
if (into !== undefined) {
  const { log } = console;
  console.log = (...values) => {
    log(...values);
    const line = new Error().stack?.split("\n").find((frame) => CALLER.test(frame));
    if (line !== undefined)
      appendFileSync(into, `${JSON.stringify({ line: Number(CALLER.exec(line)[1]), text: format(...values) })}\n`);
  };
}

export const printedInto = (path) => ({ [PRINTED]: path });

const SAYS = /\bconsole\.log\(.*[;)] \/\/ (\S.*)$/;

/** An output may be followed by a word about it, after a mark. */
const agrees = (comment, text) =>
  comment === text || (comment.startsWith(text) && /^[:;,] /.test(comment.slice(text.length)));

/**
 * Where a comment after `console.log` in a block says something else than that line printed. Several calls of a line are
 * told apart by commas, and lines of one output are joined by spaces.
 */
export function misprints(code, path) {
  const lines = existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [];
  const printed = lines.map((line) => JSON.parse(line));
  return code.split("\n").flatMap((source, index) => {
    const comment = SAYS.exec(source)?.[1];
    if (comment === undefined) return [];
    const texts = printed.filter(({ line }) => line === index + 1).map(({ text }) => text.replace(/\s*\n\s*/g, " "));
    if (texts.length > 0 && agrees(comment, texts.join(", "))) return [];
    const actual = texts.length === 0 ? "nothing" : texts.join(", ");
    return [{ line: index + 1, problem: `printed ${actual}, and the comment says ${comment}` }];
  });
}
