import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const GENERATOR = "scripts/generate-layout.mjs";

export const gate = {
  name: "generated-layout",
  run({ root, fix }) {
    if (!existsSync(join(root, GENERATOR))) return { problems: [`${GENERATOR} is missing`], note: "" };
    const args = fix ? [GENERATOR] : [GENERATOR, "--check"];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    const problems = status === 0 ? [] : `${stdout}${stderr}`.trim().split("\n");
    return { problems, note: "header, constants and tables from src/layout" };
  },
};
