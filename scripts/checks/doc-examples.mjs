import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { codeBlocks, exampleBlocks, lineAt } from "./doc-blocks.mjs";
import { runCommands } from "./doc-commands.mjs";
import { misprints, printedInto } from "./doc-printed.mjs";
import { programEnvironment } from "../program-environment.mjs";
import { runProgram } from "./run-program.mjs";
import { runTool } from "./run-tool.mjs";
import { sourceFiles } from "./source-files.mjs";

const SHARED_MEMORY = "/dev/shm";
const PRINTED = new URL("doc-printed.mjs", import.meta.url).href;

function namesInSharedMemory() {
  return existsSync(SHARED_MEMORY) ? readdirSync(SHARED_MEMORY).filter((name) => name.startsWith("shmkit.")) : [];
}

/** Runs a compiled example in an empty folder; answers the problems. */
async function runExample({ name, at, code }, project) {
  const folder = join(project, "run", name);
  mkdirSync(folder, { recursive: true });
  const printed = join(project, `${name}.printed`);
  const args = ["--enable-source-maps", "--import", PRINTED, join(project, "compiled", `${name}.js`)];
  const env = programEnvironment(printedInto(printed));
  const problem = await runProgram(process.execPath, args, { cwd: folder, env });
  if (problem !== undefined) return [`${at}: ${problem}`];
  return misprints(code, printed).map((misprint) => `${lineAt(at, misprint.line)}: ${misprint.problem}`);
}

/** A compiler's complaint, told at the line of the document. */
function atDocument(line, examples) {
  return line.replace(/^(?:build\/doc-examples-\w+\/)?(example-\d+)\.[tj]s\((\d+),\d+\)/, (whole, name, inBlock) => {
    const example = examples.find((candidate) => candidate.name === name);
    if (example === undefined) return whole;
    return lineAt(example.at, Number(inBlock));
  });
}

/** Answers the problems of all examples; those of the compiler end it. */
async function compileAndRun(root, project, examples) {
  for (const { name, extension, code } of examples) writeFileSync(join(project, `${name}.${extension}`), code);
  const compilerOptions = {
    composite: false,
    declaration: false,
    moduleDetection: "force",
    noUnusedLocals: false,
    noUnusedParameters: false,
    allowJs: true,
    checkJs: true,
    rootDir: ".",
    outDir: "compiled",
  };
  writeFileSync(
    join(project, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.base.json", compilerOptions, include: ["example-*"] }),
  );
  const { status, output } = runTool(root, "typescript/bin/tsc", ["-p", project, "--pretty", "false"]);
  if (status !== 0) {
    return output.split("\n").map((line) => atDocument(line, examples));
  }

  const problems = [];
  const groups = new Map();
  for (const example of examples) {
    const key = example.together ?? example.name;
    groups.set(key, [...(groups.get(key) ?? []), example]);
  }
  for (const group of groups.values()) {
    const run = async () => (await Promise.all(group.map((example) => runExample(example, project)))).flat();
    problems.push(...(await leavingNothing(group[0].at, run)));
  }
  return problems;
}

/** The problems of a run, and what it left. */
async function leavingNothing(at, run) {
  const before = new Set(namesInSharedMemory());
  const problems = await run();
  const left = namesInSharedMemory().filter((name) => !before.has(name) && isLeft(name));
  if (left.length > 0) problems.push(`${at}: left in ${SHARED_MEMORY}: ${left.join(", ")}`);
  return problems;
}

/**
 * Whether a process that can be looked at has it mapped: others at work at the same time have names of their own. By its
 * inode, since who made it has it mapped without a name (O_TMPFILE).
 */
function isInUse(name) {
  const inode = statSync(join(SHARED_MEMORY, name), { throwIfNoEntry: false })?.ino;
  return readdirSync("/proc").some((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/maps`, "utf8").includes(` ${inode} `);
    } catch {
      return false;
    }
  });
}

/** Tests that run at the same time have names of their own (test/helpers/leftovers.ts). */
const isOfATest = (name) => /-\d+-\d+-[\w-]+$/.test(name);

const isLeft = (name) => !isOfATest(name) && !isInUse(name) && existsSync(join(SHARED_MEMORY, name));

export const gate = {
  name: "doc-examples",
  async run({ root }) {
    const documents = ["README.md", ...sourceFiles(join(root, "docs")).map((name) => `docs/${name}`)].filter(
      (path) => path.endsWith(".md") && existsSync(join(root, path)),
    );
    const modules = sourceFiles(join(root, "src"))
      .filter((name) => /\.c?ts$/.test(name))
      .map((name) => exampleBlocks(`src/${name}`, readFileSync(join(root, "src", name), "utf8")));
    const blocks = [
      ...documents.flatMap((path) => codeBlocks(path, readFileSync(join(root, path), "utf8"))),
      ...modules.flatMap((module) => module.blocks),
    ];
    const problems = blocks.filter(({ wrong }) => wrong !== undefined).map(({ at, wrong }) => `${at}: ${wrong}`);
    problems.push(...modules.flatMap((module) => module.problems));
    const run = blocks
      .filter(({ noRun }) => !noRun)
      .map((block, index) => ({ ...block, name: `example-${index + 1}` }));
    const commands = run.filter(({ extension }) => extension === "sh");
    const examples = run.filter(({ extension }) => extension !== "sh");
    if (examples.length === 0) return { problems: [...problems, "no example was found"], note: "" };

    // Inside the package's own folder, so that `import "shmkit"` finds this checkout.
    mkdirSync(join(root, "build"), { recursive: true });
    const project = mkdtempSync(join(root, "build/doc-examples-"));
    try {
      problems.push(...(await compileAndRun(root, project, examples)));
      problems.push(...(await leavingNothing("commands", () => runCommands(root, project, commands))));
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
    const shown = blocks.length - run.length;
    const inModules = modules.filter((module) => module.blocks.length > 0).length;
    const where = `${documents.length} documents and ${inModules} modules`;
    return {
      problems,
      note: `${examples.length} examples and ${commands.length} blocks of commands of ${where} run, ${shown} only shown`,
    };
  },
};
