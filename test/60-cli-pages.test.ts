import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, test } from "node:test";
import { allCommands, COMMANDS } from "#src/cli/command-table.js";
import { optionsOf, type Command } from "#src/cli/command.js";
import { EXIT_CODES } from "#src/cli/exit-codes.js";
import { manual } from "#src/cli/manual.js";
import { CLI, run } from "./helpers/cli-process.js";
import { joined } from "./helpers/cli-regions.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COMMAND_NAMES = Object.keys(COMMANDS);

describe("the manual page", () => {
  const text = readFileSync(join(ROOT, "man/shmkit.1"), "utf8");

  test("and the completions are what the table of commands says", () => {
    const { status, stdout } = spawnSync(process.execPath, [join(ROOT, "scripts/generate-cli-pages.mjs"), "--check"], {
      encoding: "utf8",
    });
    assert.equal(stdout, "");
    assert.equal(status, 0);
  });

  test("has every command with its options, and every exit code", async () => {
    const plain = text.replaceAll("\\-", "-");
    for (const command of await allCommands()) {
      const [, section] = plain.split(`\n.SS ${command.name}\n`);
      assert.ok(section !== undefined, command.name);
      for (const { written } of optionsOf(command))
        assert.ok(section.split("\n.SS ")[0].includes(`\\fB${written}\\fR`), written);
    }
    for (const code of Object.keys(EXIT_CODES)) assert.ok(plain.includes(`\n.TP\n\\fB${code}\\fR\n`), code);
  });

  test("uses the requests of man(7) alone, in ASCII, and ends what it begins", () => {
    const requests = [...text.matchAll(/^\.(\w+)/gm)].map(([, name]) => name);
    assert.deepEqual(
      requests.filter((name) => !["TH", "SH", "SS", "TP", "PP", "EX", "EE", "br"].includes(name)),
      [],
    );
    const count = (name: string): number => requests.filter((request) => request === name).length;
    assert.equal(count("EX"), count("EE"));
    assert.equal(count("TH"), 1);
    assert.match(text, /^[\n -~]*$/);
    assert.equal(text.split("\\fB").length, text.split("\\fR").length);
    assert.ok(!/^'/m.test(text));
  });

  test("says text as it is, whatever is in it", () => {
    const command: Command = {
      name: "odd",
      summary: "back\\slash",
      usage: [""],
      about: ".TH begins\n'so does\n1. one\n  2. two …",
      options: {},
      exitCodes: [],
      arguments: [0, 0],
      run: () => Promise.resolve(),
    };
    const page = manual([command], "1.2.3");
    assert.ok(page.startsWith('.TH SHMKIT 1 "" "shmkit 1.2.3"'));
    assert.ok(page.includes("\nback\\eslash.\n"));
    assert.ok(page.includes("\n\\&.TH begins\n\\&'so does\n.br\n1. one\n.br\n2. two \\[u2026]\n"));
  });
});

describe("completion", () => {
  test("is what the package carries", async () => {
    for (const [shell, file] of [
      ["bash", "shmkit.bash"],
      ["zsh", "_shmkit"],
      ["fish", "shmkit.fish"],
    ]) {
      const { code, text } = await run(["completion", shell]);
      assert.equal(code, 0);
      assert.equal(text, readFileSync(join(ROOT, "completions", file), "utf8"));
      for (const command of COMMAND_NAMES) assert.match(text, new RegExp(`\\b${command}\\b`));
    }
  });

  /** What bash completes, with `shmkit` being this command. */
  async function completed(...words: string[]): Promise<string[]> {
    const { text } = await run(["completion", "bash"]);
    const script = `shmkit() { "$NODE" "$CLI" "$@"; }\n${text}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shmkit; for reply in "\${COMPREPLY[@]}"; do echo "$reply"; done`;
    const { stdout, stderr } = spawnSync("bash", ["-c", script, "bash", "shmkit", ...words], {
      encoding: "utf8",
      env: { ...process.env, NODE: process.execPath, CLI },
    });
    assert.equal(stderr, "");
    return stdout.split("\n").slice(0, -1);
  }

  test("is valid bash, and completes commands, options and words", async () => {
    assert.deepEqual(await completed("s"), ["send", "struct"]);
    assert.deepEqual(await completed("send", "--k"), ["--keep"]);
    assert.deepEqual(await completed("inspect", "--"), ["--json", "--hex", "--help"]);
    assert.deepEqual(await completed("example", "m"), ["middleside"]);
    assert.deepEqual(await completed("completion", ""), ["bash", "zsh", "fish"]);
    assert.deepEqual(await completed("clean", ""), []);
  });

  test("leaves what is behind a program to that, and names programs in its place", async () => {
    const region = await joined("complete");
    await region.mutex("m");
    const address = `${region.name}/m`;
    assert.deepEqual(await completed("lock", "-t", "5s", `${region.name}/`), [address]);
    for (const before of [[address], ["--timeout", "=", "5s", address], ["-n", address, "--"]]) {
      const found = await completed("lock", ...before, "ba");
      assert.ok(found.includes("bash"), found.join(" "));
    }
    assert.deepEqual(await completed("lock", address, "--sh"), ["--shared"]);
    assert.deepEqual(await completed("lock", address, "make", "-"), []);
    assert.deepEqual(await completed("lock", address, "--", "make", region.name), []);
  });

  test("completes regions, and addresses whatever is in their names, without carrying it out", async () => {
    const region = await joined("complete");
    const folder = mkdtempSync(join(tmpdir(), "shmkit-completion-"));
    const trap = join(folder, "carried-out").replaceAll("/", "${HOME:0:1}");
    await region.counter(`$(touch ${trap})`);
    await region.counter(`\`touch ${trap}\``);
    await region.counter("two words");
    await region.counter("*");
    const found = await completed("inspect", `${region.name}/`);
    assert.equal(existsSync(join(folder, "carried-out")), false);
    assert.equal(found.length, 4);
    assert.ok(found.includes(`${region.name}/two\\ words`));
    assert.ok(found.includes(`${region.name}/\\*`));
    assert.deepEqual(await completed("ls", region.name), [region.name]);
    // What is taken over into the command line means the name and nothing else.
    for (const reply of found) {
      const { stdout } = spawnSync("bash", ["-c", `printf %s ${reply}`], { encoding: "utf8" });
      assert.equal((await run(["inspect", stdout, "--json"])).code, 0, stdout);
    }
    assert.equal(existsSync(join(folder, "carried-out")), false);
    rmSync(folder, { recursive: true });
  });
});
