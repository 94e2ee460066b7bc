import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { devNull } from "node:os";
import { dirname, join } from "node:path";
import { run, withPackage } from "./pack.mjs";
import { runTool } from "./run-tool.mjs";

/** Packages that the project of a user who compiles has beside this one: Node's types. Ours has no dependencies. */
const TYPES = ["@types/node", "undici-types"];

const COMPILER_OPTIONS = {
  target: "ES2022",
  lib: ["ES2022", "ESNext.Disposable"],
  module: "NodeNext",
  types: ["node"],
  strict: true,
  skipLibCheck: false,
};

/**
 * Installs the archive into a project beside it, without scripts and without a network, and puts the consumers of
 * `packaging/consumers` there, those in TypeScript compiled as well. Answers the programs, or what went wrong.
 */
export function installConsumers(root, folder, archive) {
  const project = join(folder, "project");
  cpSync(join(root, "packaging/consumers"), project, { recursive: true });
  writeFileSync(join(project, "package.json"), "{}");
  const args = ["install", archive, "--ignore-scripts", "--offline", "--no-audit", "--no-fund", "--no-update-notifier"];
  // What this machine's configuration makes npm warn of is none of the package's; an npm above hands it down.
  const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  const env = { ...Object.fromEntries(own), npm_config_userconfig: devNull };
  const installed = run("npm", args, { cwd: project, env });
  for (const name of TYPES) {
    mkdirSync(dirname(join(project, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions: COMPILER_OPTIONS }));
  const compiled = runTool(root, "typescript/bin/tsc", ["-p", project, "--pretty", "false"]);
  const programs = readdirSync(project).filter((name) => /\.[mc]js$/.test(name));
  return { project, programs, installed, compiled };
}

/** The package as its users have it: installed from its archive in a project elsewhere. */
export const gate = {
  name: "package-use",
  run: ({ root }) =>
    withPackage(root, (folder, archive) => {
      const { project, programs, installed, compiled } = installConsumers(root, folder, archive);
      const steps = { "installing it": installed, "compiling against it": compiled };
      for (const program of programs) steps[program] = run(process.execPath, [program], { cwd: project });
      steps["shmkit --help"] = run(join(project, "node_modules/.bin/shmkit"), ["--help"], { cwd: project });
      const problems = Object.entries(steps)
        // Nobody here has done anything to be warned of.
        .filter(([, { status, stderr }]) => status !== 0 || (stderr ?? "") !== "")
        .map(([title, { status, output }]) => `${title} ended with ${status}\n${output}`);
      return { problems, note: Object.keys(steps).join(", ") };
    }),
};
