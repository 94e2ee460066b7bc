import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const OWN_ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A gate for documents that a compiled program, given the root and `--check`, holds against committed results. */
export function documentsGate(name, program, note) {
  const generator = join(OWN_ROOT, "build", program);
  return {
    name,
    run({ root, fix }) {
      if (!existsSync(generator)) return { problems: [`${program} is not compiled: npm run build`], note: "" };
      const args = [generator, root, ...(fix ? [] : ["--check"])];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
      const problems = status === 0 ? [] : `${stdout}${stderr}`.trim().split("\n");
      return { problems, note };
    },
  };
}
