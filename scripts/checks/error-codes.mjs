import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { sourceFiles } from "./source-files.mjs";

const DOCUMENT = "docs/errors.md";
const CODE = /\bERR_[A-Z0-9_]+/g;

/** A heading or the first cell of a table row is where a code is explained; elsewhere it is only mentioned. */
const ENTRY = /^(?:#+\s+|\|\s*)`?(ERR_[A-Z0-9_]+)`?/gm;

/** Holds the codes of the library against the document, and both against the sources. */
export function checkErrorCodes(codes, documentText, sources) {
  const problems = [];
  const known = new Set(codes);
  const explained = [...documentText.matchAll(ENTRY)].map(([, code]) => code);
  for (const code of known) {
    if (!explained.includes(code)) problems.push(`${DOCUMENT}: ${code} is not explained`);
    const uses = sources.filter((text) => text.includes(`"${code}"`) || text.includes(`'${code}'`)).length;
    if (uses === 0) problems.push(`src: nothing raises ${code}`);
  }
  for (const code of explained) {
    if (explained.indexOf(code) !== explained.lastIndexOf(code))
      problems.push(`${DOCUMENT}: ${code} is explained twice`);
  }
  for (const [code] of documentText.matchAll(CODE)) {
    if (!known.has(code)) problems.push(`${DOCUMENT}: ${code} is no code of src/base/errors.ts`);
  }
  return [...new Set(problems)];
}

export const gate = {
  name: "error-codes",
  async run({ root }) {
    const { ERROR_CODES } = await import("../../dist/base/errors.js");
    const codes = Object.keys(ERROR_CODES);
    if (codes.length === 0) return { problems: ["src/base/errors.ts has no code"], note: "" };
    const sources = sourceFiles(join(root, "src")).map((name) => readFileSync(join(root, "src", name), "utf8"));
    if (!existsSync(join(root, DOCUMENT))) return { problems: [`${DOCUMENT} is missing`], note: "" };
    const text = readFileSync(join(root, DOCUMENT), "utf8");
    return { problems: checkErrorCodes(codes, text, sources), note: `${codes.length} codes` };
  },
};
