import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Why a tool is not there. */
export class Missing extends Error {}

/**
 * Installs the packages of a folder that has its own lock file, unless what that says is there.
 * @param what what they are, for the line that says so
 * @throws Missing
 */
export function installPackages(folder: string, what: string, options: readonly string[]): void {
  const stampPath = join(folder, "node_modules/.shmkit-install");
  const stamp = createHash("sha256")
    .update(readFileSync(join(folder, "package-lock.json")))
    .update(process.versions.modules)
    .digest("hex");
  if (existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp) return;
  process.stderr.write(`shmkit: installing ${what}\n`);
  const args = ["ci", ...options, "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  const { status, error, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
  if (error !== undefined) throw new Missing(`npm could not be started: ${error.message}`);
  if (status !== 0) {
    const reason = stderr.split("\n").find((line) => line.startsWith("npm error ")) ?? `npm ended with ${status}`;
    throw new Missing(`its packages could not be installed: ${reason}`);
  }
  writeFileSync(stampPath, stamp);
}
