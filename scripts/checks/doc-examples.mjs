import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runTool } from "./run-tool.mjs";
import { sourceFiles } from "./source-files.mjs";

const SHARED_MEMORY = "/dev/shm";
const TIMEOUT_MS = 60_000;
const LANGUAGES = { ts: "ts", typescript: "ts", js: "js", javascript: "js" };
const FENCE = /^(`{3,})([^\n`]*)\n([\s\S]*?)^\1[ \t]*$/gm;

/**
 * The code blocks of a document. The words after the language say what to do with one: `no-run` marks a fragment that
 * is only shown; `together=NAME` starts all blocks of that name in the document at once, as the processes they stand for.
 */
export function codeBlocks(path, text) {
  const blocks = [];
  for (const match of text.matchAll(FENCE)) {
    const [language, ...flags] = match[2].trim().split(/\s+/);
    if (!Object.hasOwn(LANGUAGES, language)) continue;
    const together = flags.find((flag) => flag.startsWith("together="))?.slice("together=".length);
    const unknown = flags.filter((flag) => flag !== "no-run" && !flag.startsWith("together="));
    const line = text.slice(0, match.index).split("\n").length;
    blocks.push({
      at: `${path}:${line}`,
      extension: LANGUAGES[language],
      code: match[3],
      noRun: flags.includes("no-run"),
      together: together === undefined ? undefined : `${path}#${together}`,
      unknown,
    });
  }
  return blocks;
}

const DOC_COMMENT = /^([ \t]*)\/\*\*(?!\/)[\s\S]*?\*\//gm;

/**
 * The examples in the doc comments of a module, at the lines where they stand. An `@example` must have a code block: what
 * has none would be shown and never run.
 */
export function exampleBlocks(path, text) {
  const blocks = [];
  const problems = [];
  for (const { 0: comment, index } of text.matchAll(DOC_COMMENT)) {
    const lines = comment.split("\n").map((line) => line.replace(/^[ \t]*(?:\/\*\*|\*\/|\*) ?/, ""));
    const found = codeBlocks(path, lines.join("\n"));
    const before = text.slice(0, index).split("\n").length - 1;
    for (const block of found) blocks.push({ ...block, at: `${path}:${before + Number(block.at.split(":")[1])}` });
    for (const [at, line] of lines.entries())
      if (line.startsWith("@example") && !/^```(?:ts|js)\b/.test(lines[at + 1] ?? ""))
        problems.push(`${path}:${before + at + 1}: an example without a code block would never be run`);
  }
  return { blocks, problems };
}

function namesInSharedMemory() {
  return existsSync(SHARED_MEMORY) ? readdirSync(SHARED_MEMORY).filter((name) => name.startsWith("shmkit.")) : [];
}

/** Runs a compiled example in an empty folder; answers what went wrong, or nothing. */
function runExample(program, folder) {
  return new Promise((resolve) => {
    mkdirSync(folder, { recursive: true });
    const args = ["--enable-source-maps", program];
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill("SIGKILL");
    }, TIMEOUT_MS);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (timedOut) resolve(`still running after ${TIMEOUT_MS / 1000} s\n${output.trimEnd()}`);
      else resolve(code === 0 ? undefined : `ended with ${signal ?? code}\n${output.trimEnd()}`);
    });
  });
}

/** A compiler's complaint, told at the line of the document. */
function atDocument(line, examples) {
  return line.replace(/^(?:build\/doc-examples-\w+\/)?(example-\d+)\.[tj]s\((\d+),\d+\)/, (whole, name, inBlock) => {
    const example = examples.find((candidate) => candidate.name === name);
    if (example === undefined) return whole;
    const [path, start] = example.at.split(":");
    return `${path}:${Number(start) + Number(inBlock)}`;
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
    const before = new Set(namesInSharedMemory());
    const runs = group.map(async ({ name, at }) => {
      const problem = await runExample(join(project, "compiled", `${name}.js`), join(project, "run", name));
      if (problem !== undefined) problems.push(`${at}: ${problem}`);
    });
    await Promise.all(runs);
    const left = namesInSharedMemory().filter((name) => !before.has(name) && isLeft(name));
    if (left.length > 0) problems.push(`${group[0].at}: left in ${SHARED_MEMORY}: ${left.join(", ")}`);
  }
  return problems;
}

/** Whether a process that can be looked at has it mapped: others at work at the same time have names of their own. */
function isInUse(name) {
  return readdirSync("/proc").some((entry) => {
    try {
      return /^\d+$/.test(entry) && readFileSync(`/proc/${entry}/maps`, "utf8").includes(`${SHARED_MEMORY}/${name}`);
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
    const problems = blocks
      .filter(({ unknown }) => unknown.length > 0)
      .map(({ at, unknown }) => `${at}: unknown words after the language: ${unknown.join(" ")}`);
    problems.push(...modules.flatMap((module) => module.problems));
    const examples = blocks
      .filter(({ noRun }) => !noRun)
      .map((block, index) => ({ ...block, name: `example-${index + 1}` }));
    if (examples.length === 0) return { problems: [...problems, "no example was found"], note: "" };

    // Inside the package's own folder, so that `import "shmkit"` finds this checkout.
    mkdirSync(join(root, "build"), { recursive: true });
    const project = mkdtempSync(join(root, "build/doc-examples-"));
    try {
      problems.push(...(await compileAndRun(root, project, examples)));
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
    const shown = blocks.length - examples.length;
    const inModules = modules.filter((module) => module.blocks.length > 0).length;
    const where = `${documents.length} documents and ${inModules} modules`;
    return { problems, note: `${examples.length} examples of ${where} run, ${shown} only shown` };
  },
};
