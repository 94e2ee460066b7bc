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
  types: ["node"],
  strict: true,
  skipLibCheck: false,
};

/** How projects have packages found, and which programs they compile so; the first one's are run. */
const RESOLUTIONS = {
  nodenext: [{ module: "NodeNext" }, ["*.mts", "*.cts"]],
  node16: [{ module: "Node16" }, ["*.mts", "*.cts"]],
  bundler: [{ module: "Preserve", moduleResolution: "Bundler" }, ["*.mts", "*.cts"]],
  // It knows no ES modules, and TypeScript says of it that it will end.
  node10: [{ module: "CommonJS", moduleResolution: "Node10", ignoreDeprecations: "6.0" }, ["*.cts"]],
};

const QUIETLY = ["--offline", "--no-audit", "--no-fund"];

/** What this machine's configuration makes npm warn of is none of the package's; an npm above hands it down. */
function ownNpm() {
  const own = Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name));
  return { ...Object.fromEntries(own), npm_config_userconfig: devNull, npm_config_update_notifier: "false" };
}

/** Installs the archive with install scripts allowed: npm tells of those that it runs, or waits to be allowed to run. */
function installWithScripts(folder, archive) {
  const project = join(folder, "with-scripts");
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), "{}");
  const installed = run("npm", ["install", archive, "--foreground-scripts", ...QUIETLY], {
    cwd: project,
    env: ownNpm(),
  });
  return /^added 1 package in \w+$/.test(installed.output)
    ? installed
    : { ...installed, status: `more to say than that one package was added (${installed.status})` };
}

/** What people type first, in the project; the network is out of reach for npx. */
const COMMANDS = {
  "shmkit --help": "npx --offline shmkit --help",
  "shmkit demo": "npx --offline shmkit demo --quick --only work node_modules/shmkit/docs",
  "shmkit doctor": `npx --offline shmkit doctor --json > doctor.json
    node -e 'if (!require("./doctor.json").healthy) process.exit(1)'`,
  "shmkit send, shmkit recv": [
    'npx --offline shmkit recv "$REGION/lines" > received & receiver=$!',
    "seq 1 1000 > sent",
    'npx --offline shmkit send "$REGION/lines" < sent',
    "wait $receiver",
    "cmp sent received",
  ].join("\n"),
};

function compile(root, project, resolution) {
  const [how, include] = RESOLUTIONS[resolution];
  const noEmit = resolution !== Object.keys(RESOLUTIONS)[0];
  const config = join(project, `tsconfig.${resolution}.json`);
  writeFileSync(config, JSON.stringify({ compilerOptions: { ...COMPILER_OPTIONS, ...how, noEmit }, include }));
  return runTool(root, "typescript/bin/tsc", ["-p", config, "--pretty", "false"]);
}

/**
 * Installs the archive into a project beside it, without scripts and without a network, and puts the consumers of
 * `packaging/consumers` there, those in TypeScript compiled as well. Answers the programs, that in TypeScript which runtimes
 * run that take types away, and what came of each step.
 */
export function installConsumers(root, folder, archive) {
  const project = join(folder, "project");
  cpSync(join(root, "packaging/consumers"), project, { recursive: true });
  writeFileSync(join(project, "package.json"), "{}");
  const installed = run("npm", ["install", archive, "--ignore-scripts", ...QUIETLY], { cwd: project, env: ownNpm() });
  for (const name of TYPES) {
    mkdirSync(dirname(join(project, "node_modules", name)), { recursive: true });
    symlinkSync(join(root, "node_modules", name), join(project, "node_modules", name));
  }
  const steps = { "installing it": installed };
  for (const resolution of Object.keys(RESOLUTIONS))
    steps[`compiling against it (${resolution})`] = compile(root, project, resolution);
  const programs = readdirSync(project).filter((name) => /\.[mc]js$/.test(name));
  return { project, programs, typeScript: "module.mts", steps };
}

/** The package as its users have it: installed from its archive in a project elsewhere. */
export const gate = {
  name: "package-use",
  run: ({ root }) =>
    withPackage(root, (folder, archive) => {
      const { project, programs, typeScript, steps } = installConsumers(root, folder, archive);
      steps["installing it with scripts"] = installWithScripts(folder, archive);
      // Node 20 knows nothing of it.
      if (/** @type {{ typescript?: unknown }} */ (process.features).typescript) programs.push(typeScript);
      for (const program of programs) steps[program] = run(process.execPath, [program], { cwd: project });
      const env = { ...ownNpm(), REGION: `consumer-cli-${process.pid}` };
      for (const [title, script] of Object.entries(COMMANDS))
        steps[title] = run("sh", ["-e", "-c", script], { cwd: project, env });
      const problems = Object.entries(steps)
        // Nobody here has done anything to be warned of.
        .filter(([, step]) => step.status !== 0 || ("stderr" in step && step.stderr !== ""))
        .map(([title, { status, output }]) => `${title} ended with ${status}\n${output}`);
      return { problems, note: Object.keys(steps).join(", ") };
    }),
};
