import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const OWN_ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const GENERATOR = join(OWN_ROOT, "build/benchmarks/documents.js");

export const gate = {
  name: "benchmark-figures",
  run({ root, fix }) {
    if (!existsSync(GENERATOR)) return { problems: ["the benchmarks are not compiled: npm run build"], note: "" };
    const args = [GENERATOR, root, ...(fix ? [] : ["--check"])];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
    const problems = status === 0 ? [] : `${stdout}${stderr}`.trim().split("\n");
    return { problems, note: "tables and plots from benchmarks/results" };
  },
};
