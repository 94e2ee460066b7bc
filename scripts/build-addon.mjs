/**
 * `node scripts/build-addon.mjs [--force]`: compiles `native/*.c` to `build/shmkit.node` with one call of the C compiler.
 *
 * It has no dependencies but the headers in node_modules, since it runs before anything else is built. `CC` chooses
 * another compiler and may contain arguments ("zig cc -target aarch64-linux-musl").
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const FLAGS = ["-std=c11", "-O2", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"];

/** How the addon of each system is made: the folders of its sources, what it takes of another's, and options. */
const SYSTEMS = {
  linux: {
    folder: "native",
    shared: [],
    flags: [
      ...["-fPIC", "-pthread"],
      // A worker's end must not unload code that the signal handler and the native threads run. Undefined symbols are the
      // runtime's; they are resolved at load, so that a missing one is an error then and not a crash later.
      ...["-Wl,-z,nodelete", "-Wl,-z,now", "-Wl,-z,noexecstack"],
    ],
    libraries: ["-ldl", "-lm", "-lrt"],
  },
  win32: {
    folder: "native/win32",
    shared: ["call.c", "call.h", "portable.h", "table.c", "table.h"].map((name) => `native/${name}`),
    // Without a C library of its own: native/win32/c-library.c says why.
    flags: ["-nostdlib", "-rtlib=none"],
    libraries: ["-lkernel32"],
  },
};

/** Everything whose change asks for a new build. */
function inputs(root, system) {
  const { folder, shared } = SYSTEMS[system];
  const names = readdirSync(join(root, folder)).filter((name) => /\.(?:c|h|def)$/.test(name));
  const paths = [...shared, ...names.sort().map((name) => `${folder}/${name}`)];
  return [fileURLToPath(import.meta.url), ...paths.map((path) => join(root, path))];
}

/**
 * Compiles the addon to a path. The result appears in one step, so that processes that load it meanwhile see the old one
 * or the new one.
 *
 * @typedef {"linux" | "win32"} System
 * @param {{ root: string, output: string, compiler: string[], env?: NodeJS.ProcessEnv, system?: System, imported?: string[] }} options
 * `root`: the package's folder; `compiler`: the program and arguments of its own; `imported`: libraries to link with
 */
export function compileAddon({ root, output, compiler, env = process.env, system = "linux", imported = [] }) {
  const [program, ...own] = compiler;
  const headers = join(root, "node_modules/node-api-headers/include");
  if (!existsSync(join(headers, "node_api.h"))) throw new Error(`${headers} is missing: run npm ci --ignore-scripts`);
  mkdirSync(dirname(output), { recursive: true });
  const temporary = `${output}.tmp.${process.pid}`;
  const files = inputs(root, system).filter((source) => source.endsWith(".c"));
  const { flags, libraries } = SYSTEMS[system];
  const args = [...own, ...FLAGS, ...flags, `-I${headers}`, ...files, "-o", temporary, ...imported, ...libraries];
  const result = spawnSync(program, args, { encoding: "utf8", env });
  const failure = /** @type {NodeJS.ErrnoException | undefined} */ (result.error);
  // A folder of the PATH that this user may not look into makes it EACCES.
  if (failure?.code === "ENOENT" || failure?.code === "EACCES") {
    throw new Error(
      `the C compiler "${program}" is missing: install the package gcc with the C library's headers ` +
        `(Debian, Ubuntu: apt-get install gcc libc6-dev; Alpine: apk add gcc musl-dev)`,
    );
  }
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) {
    rmSync(temporary, { force: true });
    throw new Error(`${program} could not build the addon (${result.signal ?? result.status})\n${result.stderr}`);
  }
  renameSync(temporary, output);
}

/** Whether a compiled addon is newer than everything it was made of. */
export function isCurrentAddon(root, output, /** @type {System} */ system = "linux") {
  if (!existsSync(output)) return false;
  const built = statSync(output).mtimeMs;
  return inputs(root, system).every((source) => statSync(source).mtimeMs < built);
}

/**
 * Compiles this machine's addon unless it is newer than its sources, and answers its path.
 *
 * @param {{ root: string, force?: boolean }} options `root`: the package's folder
 */
export function buildAddon({ root, force = false }) {
  const output = join(root, "build/shmkit.node");
  if (force || !isCurrentAddon(root, output))
    compileAddon({ root, output, compiler: (process.env.CC ?? "cc").trim().split(/\s+/) });
  return output;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = dirname(dirname(fileURLToPath(import.meta.url)));
  console.log(buildAddon({ root, force: process.argv.includes("--force") }));
}
