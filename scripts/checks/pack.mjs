import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prebuildAddons } from "../prebuild-addons.mjs";

/** Runs a program to its end; answers its exit code, what it wrote to standard error, and everything it said. */
export function run(command, args, options) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", ...options });
  if (error) throw error;
  return { status, stderr, output: `${stdout}${stderr}`.trim() };
}

/** Packs the checkout as a release is, and calls with a folder of its own, which is removed afterwards, and the archive. */
export async function withPackage(root, use) {
  prebuildAddons(root);
  const folder = mkdtempSync(join(tmpdir(), "shmkit-package-"));
  try {
    const args = ["pack", "--pack-destination", folder, "--ignore-scripts", "--loglevel=error", "--logs-max=0"];
    const { status, output } = run("npm", args, { cwd: root });
    if (status !== 0) throw new Error(`npm pack: ${output}`);
    return await use(
      folder,
      join(
        folder,
        readdirSync(folder).find((name) => name.endsWith(".tgz")),
      ),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
