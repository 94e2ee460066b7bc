/** The runtimes, where they come from, and what is said when something is missing. */
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";
import { pathToFileURL } from "node:url";
import { installPackages, Missing } from "../../benchmarks/packages.js";

export interface Runtime {
  readonly name: string;
  readonly title: string;
  /** Program in the folder of npm packages. */
  readonly program: string;
  /** What stands between the program and the file that it runs; `advised` is what the guide says. */
  readonly args: readonly string[];
  readonly advised: readonly string[];
  readonly isEmulated: boolean;
  /** Whether it runs programs in TypeScript, by taking the types away. */
  readonly runsTypeScript: boolean;
}

const node = (version: number): Runtime => ({
  name: `node-${version}`,
  title: `Node ${version}`,
  program: `node-${version}/bin/node`,
  args: [],
  advised: [],
  isEmulated: false,
  runsTypeScript: version >= 22,
});

const BUN: Runtime = {
  name: "bun",
  title: "Bun",
  program: "@oven/bun-linux-x64/bin/bun",
  args: ["run"],
  advised: ["run"],
  isEmulated: false,
  runsTypeScript: true,
};

const DENO: Runtime = {
  name: "deno",
  title: "Deno",
  program: "@deno/linux-x64-glibc/deno",
  // The members of the tests are started and write by more than shmkit needs.
  args: ["run", "--no-prompt", "-A"],
  advised: ["run", "--no-prompt", "--allow-ffi", "--allow-read", "--allow-env=SHMKIT_ADDON"],
  isEmulated: false,
  runsTypeScript: true,
};

const ARM64: Runtime = {
  name: "node-22-arm64",
  title: "Node 22, arm64 (qemu)",
  program: "node-22-arm64/bin/node",
  args: [],
  advised: [],
  isEmulated: true,
  runsTypeScript: true,
};

export const RUNTIMES: readonly Runtime[] = [node(20), node(22), node(24), node(26), BUN, DENO, ARM64];

/** A runtime that can be started. */
export interface Provided {
  readonly runtime: Runtime;
  readonly version: string;
  readonly command: readonly string[];
  readonly advised: readonly string[];
}

/** What arm64 needs of the system: a file and the Debian package that has it. */
const ARM64_LIBRARIES = "/usr/aarch64-linux-gnu";
const ARM64_FILES = {
  "lib/libc.so": "libc6-dev-arm64-cross",
  "lib/libstdc++.so.6": "libstdc++6-arm64-cross",
  "lib/libgcc_s.so.1": "libgcc-s1-arm64-cross",
} as const;

const debian = (packageName: string): string => `(Debian, Ubuntu: apt-get install ${packageName})`;

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath(program: string): string | undefined {
  if (isAbsolute(program)) return isExecutable(program) ? program : undefined;
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, program)).find(isExecutable);
}

/** A program of the system. @throws Missing, naming the package */
export function systemProgram(names: readonly string[], packageName: string): string {
  const found = names.map(onPath).find((path) => path !== undefined);
  if (found === undefined) throw new Missing(`${names[0]} is missing ${debian(packageName)}`);
  return found;
}

interface BuildScript {
  readonly isCurrentAddon: (root: string, output: string) => boolean;
  readonly compileAddon: (options: { root: string; output: string; compiler: string[] }) => void;
}

/** Command before the emulated program: qemu, and the addon for arm64, which is compiled for it. */
async function emulation(root: string): Promise<string[]> {
  const qemu = systemProgram(["qemu-aarch64", "qemu-aarch64-static"], "qemu-user");
  const compiler = systemProgram(["aarch64-linux-gnu-gcc"], "gcc-aarch64-linux-gnu");
  for (const [file, packageName] of Object.entries(ARM64_FILES))
    if (!existsSync(join(ARM64_LIBRARIES, file)))
      throw new Missing(`${join(ARM64_LIBRARIES, file)} is missing ${debian(packageName)}`);
  const script = pathToFileURL(join(root, "scripts/build-addon.mjs")).href;
  const { compileAddon, isCurrentAddon } = (await import(script)) as BuildScript;
  const addon = join(root, "build/matrix/arm64.node");
  if (!isCurrentAddon(root, addon)) compileAddon({ root, output: addon, compiler: [compiler] });
  return ["env", `SHMKIT_ADDON=${addon}`, qemu, "-L", ARM64_LIBRARIES];
}

/** Where the npm packages of the runtimes are. */
const packagesOf = (root: string): string => join(root, "test/matrix/npm");
export const installedAt = (root: string, program: string): string => join(packagesOf(root), "node_modules", program);

/** Installs the packages of all runtimes; some are for another processor or system, which npm does only when told to. */
export const installRuntimes = (root: string): void =>
  installPackages(packagesOf(root), "the runtimes of the matrix", ["--force", "--ignore-scripts"]);

/** Makes a runtime ready. @throws Missing, with what to do about it */
export async function provide(root: string, runtime: Runtime): Promise<Provided> {
  const before = runtime.isEmulated ? await emulation(root) : [];
  installRuntimes(root);
  const program = installedAt(root, runtime.program);
  const start = [...before, program];
  const { status, stdout, stderr, error } = spawnSync(start[0], [...start.slice(1), "--version"], { encoding: "utf8" });
  const version = /\d+\.\d+\.\d+/.exec(stdout ?? "")?.[0];
  if (status !== 0 || version === undefined)
    throw new Missing(`${program} does not start: ${error?.message ?? stderr.trim()}`);
  return {
    runtime,
    version,
    command: [...start, ...runtime.args],
    advised: [...start, ...runtime.advised],
  };
}
