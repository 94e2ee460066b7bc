/**
 * `node scripts/generate-cli-pages.mjs [--check]`: writes what the package carries for shells and man(1), from the table of
 * commands in the compiled `src/cli/`: the manual page and the completions. With `--check` it writes nothing and fails when
 * a file differs.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { allCommands } from "../dist/cli/command-table.js";
import { COMPLETIONS } from "../dist/cli/completions.js";
import { manual } from "../dist/cli/manual.js";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

async function pages() {
  const commands = await allCommands();
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return {
    "man/shmkit.1": manual(commands, version),
    "completions/shmkit.bash": COMPLETIONS.bash(commands),
    "completions/_shmkit": COMPLETIONS.zsh(commands),
    "completions/shmkit.fish": COMPLETIONS.fish(commands),
  };
}

const check = process.argv.includes("--check");
for (const [path, text] of Object.entries(await pages())) {
  const file = join(ROOT, path);
  if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
  if (check) {
    console.log(`${path} differs from the table of commands; run node scripts/generate-cli-pages.mjs`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}
