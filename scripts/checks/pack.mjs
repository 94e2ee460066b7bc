import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { npmPack } from "../package-files.mjs";
import { prebuildAddons } from "../prebuild-addons.mjs";
import { stagePackage } from "../stage-package.mjs";

/** Runs a program to its end; answers its exit code, what it wrote to standard error, and everything it said. */
export function run(command, args, options) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", ...options });
  if (error) throw error;
  return { status, stderr, output: `${stdout}${stderr}`.trim() };
}

/**
 * Packs the package as a release is, and calls with a folder of its own, which is removed afterwards, the archive, and what
 * npm says of it. Packed is a copy, so that whatever runs in the checkout meanwhile finds it as it is.
 */
export async function withPackage(root, use) {
  prebuildAddons(root);
  const folder = mkdtempSync(join(tmpdir(), "shmkit-package-"));
  try {
    const staged = join(folder, "package");
    mkdirSync(staged);
    stagePackage(root, staged);
    const packed = npmPack(staged, folder);
    return await use(folder, join(folder, packed.filename), { ...packed, staged });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
