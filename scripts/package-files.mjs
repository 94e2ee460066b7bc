import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PREBUILDS } from "./prebuild-addons.mjs";

/** What ELF calls the processors. */
const MACHINES = { 62: "x64", 183: "arm64" };

/** What Windows' executables call them. */
const WINDOWS_MACHINES = { 0x8664: "x64", 0xaa64: "arm64" };

/** Where an executable of Windows says at which offset its header is. */
const HEADER_OFFSET_AT = 0x3c;

function windowsNameByContents(bytes) {
  if (bytes.length < HEADER_OFFSET_AT + 4) return undefined;
  const header = bytes.readUInt32LE(HEADER_OFFSET_AT);
  if (bytes.length < header + 6 || bytes.toString("latin1", header, header + 4) !== "PE\0\0") return undefined;
  return `win32-${WINDOWS_MACHINES[bytes.readUInt16LE(header + 4)]}`;
}

/** The name that a compiled addon has to have, by what it was compiled for; `undefined` for what is no addon. */
function nameByContents(bytes) {
  if (bytes.toString("latin1", 0, 2) === "MZ") return windowsNameByContents(bytes);
  if (bytes.length < 20 || bytes.readUInt32BE(0) !== 0x7f454c46) return undefined;
  return `linux-${MACHINES[bytes.readUInt16LE(18)]}${bytes.includes("libc.so.6\0") ? "" : "-musl"}`;
}

/** What is wrong with the addons among files that are about to be packed: each must be there, and be what its name says. */
export function addonProblems(root, files) {
  return Object.keys(PREBUILDS).flatMap((name) => {
    const path = `prebuilds/${name}.node`;
    if (!existsSync(join(root, path))) return [`${path} is missing`];
    if (!files.includes(path)) return [`${path} is not among what is packed`];
    const actual = nameByContents(readFileSync(join(root, path)));
    return actual === name ? [] : [`${path} is ${actual === undefined ? "no addon" : `an addon for ${actual}`}`];
  });
}

/** Asks npm what it would pack in a folder, as it answers with `--json`, or has it do so with a destination. */
export function npmPack(folder, destination) {
  const how = destination === undefined ? ["--dry-run"] : ["--pack-destination", destination];
  const args = ["pack", "--json", "--ignore-scripts", "--loglevel=error", "--logs-max=0", ...how];
  // An npm above, of which this is a step, hands down its own options: `--dry-run`, or another destination.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_config_(?:dry_run|pack_destination)$/i.test(name)),
  );
  const { status, stdout, stderr, error } = spawnSync("npm", args, { cwd: folder, encoding: "utf8", env });
  if (error) throw error;
  if (status !== 0) throw new Error(`npm pack: ${stderr}`);
  const parsed = JSON.parse(stdout);
  const packed = Array.isArray(parsed) ? parsed[0] : Object.values(parsed)[0];
  return { ...packed, files: packed.files.map(({ path }) => path) };
}

/** Paths of what belongs into the package, as npm sees them. @throws when an addon is missing or not what it should be */
export function packageFiles(root) {
  const { files } = npmPack(root);
  const problems = addonProblems(root, files);
  if (problems.length > 0) throw new Error(`this would be no complete package: ${problems.join("; ")}`);
  return files;
}
