import { runTool } from "./run-tool.mjs";

const PRETTIER = "prettier/bin/prettier.cjs";

export const gate = {
  name: "format",
  run({ root, fix }) {
    if (fix) runTool(root, PRETTIER, ["--write", "--log-level=error", "."]);
    const { status, output } = runTool(root, PRETTIER, ["--list-different", "."]);
    if (status === 0) return { problems: [], note: "prettier" };
    return { problems: output.split("\n"), note: "npm run check -- format --fix repairs these" };
  },
};
