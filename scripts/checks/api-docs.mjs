import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { runTool } from "./run-tool.mjs";

export const gate = {
  name: "api-docs",
  run({ root }) {
    // Written out, since some broken links are found only then; beside what `npm run docs` wrote.
    mkdirSync(join(root, "build"), { recursive: true });
    const folder = mkdtempSync(join(root, "build/api-docs-"));
    try {
      const { status, output } = runTool(root, "typedoc/bin/typedoc", ["--out", folder]);
      const lines = stripVTControlCharacters(output).split("\n");
      const complaints = lines.filter(
        (line) => !/^\[info\]|^\[\w+\] Found \d+ errors/.test(line) && line.trim() !== "",
      );
      const problems = status !== 0 && complaints.length === 0 ? [`TypeDoc ended with ${status}`] : complaints;
      return { problems, note: "the reference of the API, without a warning" };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
