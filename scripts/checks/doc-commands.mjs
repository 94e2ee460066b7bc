import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { programEnvironment } from "../program-environment.mjs";
import { runProgram } from "./run-program.mjs";

/** The region that commands in documents may count upon, with a pipe `jobs`. */
export const REGION = "my-app";

const HOLDER = `import { open } from "shmkit";
const app = await open(${JSON.stringify(REGION)}, { size: "1MiB" });
await app.pipe("jobs");
console.log("there");
process.stdin.on("end", () => void app.close()).resume();
`;

/** What began in the background must end well, too. */
const END = 'for job in $(jobs -p); do wait "$job"; done\n';

function executable(path, text) {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

/** A folder with what a project has that uses shmkit, and with the files that the documents speak of. */
function scratchFolder(root, project) {
  const programs = join(project, "programs");
  mkdirSync(programs, { recursive: true });
  const main = JSON.stringify(join(root, "dist/cli/main.js"));
  executable(join(programs, "shmkit"), `#!/bin/sh\nexec ${JSON.stringify(process.execPath)} ${main} "$@"\n`);
  executable(join(programs, "npx"), '#!/bin/sh\nexec "$@"\n');
  return programs;
}

/** Runs the shell's blocks one after the other, each in a folder of its own. Answers the problems. */
export async function runCommands(root, project, blocks) {
  if (blocks.length === 0) return [];
  const programs = scratchFolder(root, project);
  const holder = join(project, "holder.mjs");
  writeFileSync(holder, HOLDER);
  const holding = spawn(process.execPath, [holder], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(holding, "close");
  const problems = [];
  try {
    await Promise.race([once(holding.stdout, "data"), ended]);
    for (const [index, { at, code }] of blocks.entries()) {
      const folder = join(project, `commands-${index + 1}`);
      mkdirSync(folder);
      writeFileSync(join(folder, "bigfile"), Buffer.alloc(1 << 20, "big"));
      symlinkSync(join(root, "interop"), join(folder, "interop"));
      const env = programEnvironment({ PATH: `${programs}:${process.env.PATH}` });
      const problem = await runProgram("bash", ["-eo", "pipefail", "-c", code + END], { cwd: folder, env });
      if (problem !== undefined) problems.push(`${at}: ${problem}`);
    }
  } finally {
    holding.stdin.end();
    await ended;
  }
  return problems;
}
