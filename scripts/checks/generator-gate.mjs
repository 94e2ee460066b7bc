import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** A gate that runs a generator with `--check`, or with `fix` lets it write. */
export function generatorGate(name, generator, note) {
  return {
    name,
    run({ root, fix }) {
      if (!existsSync(join(root, generator))) return { problems: [`${generator} is missing`], note: "" };
      const args = fix ? [generator] : [generator, "--check"];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
      const problems = status === 0 ? [] : `${stdout}${stderr}`.trim().split("\n");
      return { problems, note };
    },
  };
}
