/**
 * `node scripts/prebuild-addons.mjs`: compiles the addons that travel in the package, `prebuilds/PLATFORM-ARCH[-musl].node`,
 * unless they are newer than their sources.
 *
 * One compiler makes all of them, on any x64 Linux: Zig's, from npm, which brings the C libraries of all its targets. With
 * a machine's own compiler the addon would ask for that machine's glibc; here it is that of 2018, the oldest on which Node 20
 * runs.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compileAddon, isCurrentAddon } from "./build-addon.mjs";
import { importLibraries } from "./import-libraries.mjs";

/** Names of addons, as `src/native/` looks for them, and what Zig calls their targets. */
export const PREBUILDS = {
  "linux-x64": "x86_64-linux-gnu.2.28",
  "linux-arm64": "aarch64-linux-gnu.2.28",
  "linux-x64-musl": "x86_64-linux-musl",
  "linux-arm64-musl": "aarch64-linux-musl",
  "win32-x64": "x86_64-windows-gnu",
};

/** The compiler is not there, and was not to be installed. */
export class CompilerMissing extends Error {}

/** Installs the compiler unless what the lock file says is there. */
function installCompiler(folder, mayInstall) {
  const stampPath = join(folder, "node_modules/.shmkit-install");
  const lock = readFileSync(join(folder, "package-lock.json"));
  const stamp = createHash("sha256").update(lock).digest("hex");
  if (existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp) return;
  if (!mayInstall) throw new CompilerMissing("the compiler of the package's addons is not installed");
  process.stderr.write("shmkit: installing the compiler of the package's addons, 400 MB in packaging/node_modules\n");
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  const { status, error, stderr } = spawnSync("npm", args, { cwd: folder, encoding: "utf8" });
  if (error !== undefined) throw new Error(`npm could not be started: ${error.message}`);
  if (status !== 0) throw new Error(`the compiler could not be installed: npm ended with ${status}\n${stderr}`);
  writeFileSync(stampPath, stamp);
}

const pathOf = (root, name) => join(root, `prebuilds/${name}.node`);
const systemOf = (name) => (name.startsWith("win32-") ? "win32" : "linux");

/** Names of the addons that are missing or older than their sources. */
export const addonsDue = (root) =>
  Object.keys(PREBUILDS).filter((name) => !isCurrentAddon(root, pathOf(root, name), systemOf(name)));

/** What is linked without a C library is not told where the headers are either. */
const WINDOWS_HEADERS = "libc/include/any-windows-any";

/**
 * Compiles what is not current; answers the paths of all.
 *
 * @throws CompilerMissing when it is, something is due, and `mayInstall` is false
 */
export function prebuildAddons(root, { mayInstall = true } = {}) {
  const packaging = join(root, "packaging");
  const paths = Object.keys(PREBUILDS).map((name) => pathOf(root, name));
  const due = addonsDue(root);
  if (due.length === 0) return paths;
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(`the package's addons are compiled on linux x64, not on ${process.platform} ${process.arch}`);
  installCompiler(packaging, mayInstall);
  const zigFolder = join(packaging, "node_modules/@zigc");
  const zig = join(zigFolder, "linux-x64/bin/zig");
  const cache = join(root, "build/zig-cache");
  const env = {
    ...process.env,
    ZIG_LIB_DIR: join(zigFolder, "lib"),
    ZIG_LOCAL_CACHE_DIR: cache,
    ZIG_GLOBAL_CACHE_DIR: cache,
  };
  for (const name of due) {
    const system = systemOf(name);
    const forWindows = system === "win32";
    const headers = forWindows ? ["-isystem", join(env.ZIG_LIB_DIR, WINDOWS_HEADERS)] : [];
    const compiler = [zig, "cc", "-target", PREBUILDS[name], "-s", ...headers];
    const imported = forWindows ? importLibraries(root, zig, env) : [];
    compileAddon({ root, output: pathOf(root, name), compiler, env, system, imported });
    process.stderr.write(`shmkit: compiled prebuilds/${name}.node\n`);
  }
  return paths;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  for (const path of prebuildAddons(root)) console.log(path);
}
