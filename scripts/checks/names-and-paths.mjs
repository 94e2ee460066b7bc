import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sourceFiles } from "./source-files.mjs";

/** What must not be in a file: which files, the pattern, and why. */
const RULES = [
  {
    files: /./,
    pattern: /\bregistry\.[a-z0-9-]+\.[a-z]+|\b(?:npmjs|yarnpkg)\.(?:org|com)\b|artifactor[y]|verdacci[o]/i,
    why: "names a package registry: where packages come from is each machine's own configuration",
  },
  { files: /./, pattern: /_auth(?:Token)?\s*=|^registry\s*=/m, why: "configures a package registry" },
  {
    files: /(?:^|\/)package-lock\.json$/,
    pattern: /"resolved"\s*:/,
    why: "says where a package came from; .npmrc has omit-lockfile-registry-resolved",
  },
  {
    files: /(?:^|\/)package-lock\.json$/,
    pattern: /node_modules\/@msgpackr-extract\//,
    why: "locks the optional native part of msgpackr; package.json overrides it",
  },
  {
    files: /^test\/.*\.ts$/,
    pattern:
      /\b(?:test|it|describe|suite|t|context)\.(?:only|skip|todo)\s*\(|\b(?:only|skip|todo)\s*:\s*(?:true|["'`])/,
    why: "leaves tests out",
  },
  {
    files: /./,
    pattern: /(?<![\w.~-])\/(?:home|Users|root|work)\/[\w.-]/,
    why: "names a folder of one machine",
  },
];

/** Problems of one file's text, with their lines. */
export function checkText(path, text) {
  const problems = [];
  for (const { files, pattern, why } of RULES) {
    if (!files.test(path)) continue;
    for (const [at, line] of text.split("\n").entries()) {
      const found = pattern.exec(line);
      if (found) problems.push(`${path}:${at + 1}: "${found[0]}" ${why}`);
    }
  }
  return problems;
}

export const gate = {
  name: "names-and-paths",
  run({ root }) {
    const files = sourceFiles(root);
    const problems = files.flatMap((path) => {
      const bytes = readFileSync(join(root, path));
      return bytes.includes(0) ? [] : checkText(path, bytes.toString("utf8"));
    });
    if (files.length === 0) problems.push("no file was read");
    return { problems, note: `${files.length} files` };
  },
};
