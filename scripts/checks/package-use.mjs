import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { runTool } from "./run-tool.mjs";

/** Packages that the project of a user who compiles has beside this one: Node's types. Ours has no dependencies. */
const TYPES = ["@types/node", "undici-types"];

const COMPILER_OPTIONS = {
  target: "ES2022",
  lib: ["ES2022", "ESNext.Disposable"],
  module: "NodeNext",
  types: ["node"],
  strict: true,
  noEmit: true,
  skipLibCheck: false,
};

const COMPILED = 'import * as shmkit from "shmkit";\n\nexport const all: typeof shmkit = shmkit;\n';
const STARTED =
  'const names = Object.keys(await import("shmkit"));\nif (names.length === 0) throw new Error("exports nothing");\n';

function run(command, args, options) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8", ...options });
  if (error) throw error;
  return { status, output: `${stdout}${stderr}`.trim() };
}

/** Node's report names the version of glibc that it runs on, where it does. */
function usesMusl() {
  return process.platform === "linux" && !("glibcVersionRuntime" in process.report.getReport()["header"]);
}

/** Packs the checkout and unpacks it as `node_modules/shmkit` of an empty project outside. */
function installPackage(root, project) {
  const args = ["pack", "--pack-destination", project, "--ignore-scripts", "--loglevel=error", "--logs-max=0"];
  const { status, output } = run("npm", args, { cwd: root });
  if (status !== 0) throw new Error(`npm pack: ${output}`);
  const archive = readdirSync(project).find((name) => name.endsWith(".tgz"));
  const target = join(project, "node_modules/shmkit");
  mkdirSync(target, { recursive: true });
  const unpacked = run("tar", ["-xzf", join(project, archive), "-C", target, "--strip-components=1"]);
  if (unpacked.status !== 0) throw new Error(`tar: ${unpacked.output}`);
  for (const name of TYPES) {
    mkdirSync(dirname(join(project, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
  // A release holds the addons of all platforms; here the one just built stands for this platform's.
  const addon = join(target, `prebuilds/${process.platform}-${process.arch}${usesMusl() ? "-musl" : ""}.node`);
  cpSync(join(root, "build/shmkit.node"), addon);
  return target;
}

/** The package as its users have it: installed from its archive in a project elsewhere. */
export const gate = {
  name: "package-use",
  run({ root }) {
    const project = mkdtempSync(join(tmpdir(), "shmkit-use-"));
    try {
      const target = installPackage(root, project);
      writeFileSync(join(project, "package.json"), '{ "type": "module" }');
      writeFileSync(join(project, "compiled.ts"), COMPILED);
      writeFileSync(join(project, "started.js"), STARTED);
      writeFileSync(
        join(project, "tsconfig.json"),
        JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: ["compiled.ts"] }),
      );
      const steps = {
        "compiling against it": runTool(root, "typescript/bin/tsc", ["-p", project, "--pretty", "false"]),
        "importing it": run(process.execPath, ["started.js"], { cwd: project }),
        "shmkit --help": run(process.execPath, [join(target, "dist/cli/main.js"), "--help"], { cwd: project }),
      };
      const problems = Object.entries(steps)
        .filter(([, { status }]) => status !== 0)
        .map(([title, { status, output }]) => `${title} ended with ${status}\n${output}`);
      return { problems, note: Object.keys(steps).join(", ") };
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  },
};
