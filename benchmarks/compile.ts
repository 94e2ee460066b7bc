import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";

const FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];

/**
 * Compiles `benchmarks/c` with one call of the C compiler, unless the program is newer than its sources; answers its
 * path. @throws when there is no compiler, naming the package
 */
export function compileC(root: string): string {
  const folder = join(root, "benchmarks/c");
  const layout = join(root, "interop/c");
  const names = readdirSync(folder).filter((name) => /\.[ch]$/.test(name));
  const inputs = [...names.map((name) => join(folder, name)), join(layout, "shmkit_layout.h")];
  const output = join(root, "build/benchmarks/c/bench");
  const isCurrent = existsSync(output) && inputs.every((input) => statSync(input).mtimeMs < statSync(output).mtimeMs);
  if (isCurrent) return output;
  mkdirSync(dirname(output), { recursive: true });
  const temporary = `${output}.tmp.${process.pid}`;
  const [compiler = "cc", ...own] = (process.env.CC ?? "cc").trim().split(/\s+/);
  const sources = inputs.filter((input) => input.endsWith(".c"));
  const args = [...own, ...FLAGS, `-I${layout}`, ...sources, "-o", temporary];
  const { status, signal, stderr, error } = spawnSync(compiler, args, { encoding: "utf8" });
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT")
    throw new Error(
      `the C compiler "${compiler}" is missing: install the package gcc with the C library's headers ` +
        `(Debian, Ubuntu: apt-get install gcc libc6-dev; Alpine: apk add gcc musl-dev)`,
    );
  if (error !== undefined) throw error;
  if (status !== 0) {
    rmSync(temporary, { force: true });
    throw new Error(`${compiler} could not build the benchmarks (${signal ?? status})\n${stderr}`);
  }
  renameSync(temporary, output);
  return output;
}
