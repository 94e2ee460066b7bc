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

const temporaryFolder = () => mkdtempSync(join(tmpdir(), "shmkit-package-"));

let packed;

/** The package as a release packs it, from a copy, so that whatever runs in the checkout meanwhile finds it as it is. */
function pack(root) {
  prebuildAddons(root);
  const folder = temporaryFolder();
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const staged = join(folder, "package");
  mkdirSync(staged);
  stagePackage(root, staged);
  const facts = npmPack(staged, folder);
  return { archive: join(folder, facts.filename), facts: { ...facts, staged } };
}

/**
 * Calls with a folder of its own, which is removed afterwards, the packed package, and what npm says of it. Gates of one run
 * share the package.
 */
export async function withPackage(root, use) {
  packed ??= pack(root);
  const folder = temporaryFolder();
  try {
    return await use(folder, packed.archive, packed.facts);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
