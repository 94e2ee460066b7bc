import { runTool } from "./run-tool.mjs";

const TYPESCRIPT = "typescript/bin/tsc";

/** The library, the tests, the examples and the benchmarks; then the scripts, which are JavaScript. */
const PROJECTS = [
  ["-b", "tsconfig.json"],
  ["-p", "tsconfig.scripts.json"],
];

export const gate = {
  name: "types",
  run({ root }) {
    const problems = [];
    for (const args of PROJECTS) {
      const { status, output } = runTool(root, TYPESCRIPT, [...args, "--pretty", "false"]);
      if (status !== 0) problems.push(...output.split("\n"));
    }
    return { problems, note: "library, tests, examples, benchmarks, scripts" };
  },
};
