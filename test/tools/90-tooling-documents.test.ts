import assert from "node:assert/strict";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { folderWith, type GateResult, load, ROOT } from "../helpers/tooling.js";

describe("doc examples", () => {
  async function run(readme: string, modules: Readonly<Record<string, string>> = {}): Promise<GateResult> {
    const root = folderWith({ "README.md": readme, ...modules });
    for (const name of ["node_modules", "dist", "package.json", "tsconfig.base.json"]) {
      symlinkSync(join(ROOT, name), join(root, name));
    }
    const { gate } = await load("checks/doc-examples.mjs");
    return gate.run({ root });
  }

  // Each run compiles what it found: what pages and doc comments have in common is tested in one.
  test("are type-checked, on pages and in doc comments, which need a code block", async () => {
    const { problems } = await run("# Title\n\n```ts\nconst a = 1;\nconst b: string = a;\n```\n", {
      "src/a.ts": "/**\n * @example\n * f();\n */\n/**\n * @example\n * ```ts\n * const b: string = 1;\n * ```\n */\n",
    });
    assert.equal(problems.length, 3, problems.join("\n"));
    assert.ok(problems.includes("src/a.ts:2: an example without a code block would never be run"));
    assert.match(problems.join("\n"), /^README\.md:5: error TS2322/m);
    assert.match(problems.join("\n"), /^src\/a\.ts:8: error TS2322/m);
  });

  test("are run and told at their lines, together where they say so; fragments are only shown", async () => {
    const { problems, note } = await run(
      '```js\nthrow new Error("planted");\n```\n' +
        "```ts no-run\nfunction f(a: number): void\n```\n" +
        '```ts together=pair\nimport { existsSync, writeFileSync } from "node:fs";\nwriteFileSync("../one", "");\n' +
        'while (!existsSync("../two")) await new Promise((done) => setTimeout(done, 5));\n```\n' +
        '```ts together=pair\nimport { existsSync, writeFileSync } from "node:fs";\nwriteFileSync("../two", "");\n' +
        'while (!existsSync("../one")) await new Promise((done) => setTimeout(done, 5));\n```\n',
      {
        "src/a.ts":
          "export const text = `/** no comment\n * @example\n`;\n\n" +
          '  /**\n   * Does it.\n   * @example\n   * ```ts\n   * throw new Error("planted");\n   * ```\n   */\n' +
          "/** @example\n * ```ts\n * console.log(1);\n * ```\n */\n",
      },
    );
    assert.equal(problems.length, 2, problems.join("\n"));
    for (const [at, place] of ["README\\.md:1", "src/a\\.ts:8"].entries())
      assert.match(problems[at], new RegExp(`^${place}: ended with 1\\n[\\s\\S]*Error: planted`));
    assert.equal(note, "5 examples and 0 blocks of commands of 1 documents and 1 modules run, 1 only shown");
  });

  test("must exist, and unknown words are refused", async () => {
    const { problems } = await run("```ts no-runn no-run\n```\n```sh no-run\nls\n```\n");
    assert.deepEqual(problems, [
      "README.md:1: unknown words after the language: no-runn",
      'README.md:3: commands that are not run need a reason: no-run="REASON"',
      "no example was found",
    ]);
  });

  test("print what their comments say", async () => {
    const { problems } = await run(
      "```ts\ninterface Gone {\n  a: number;\n}\nconst gone: Gone = { a: 1 };\n" +
        "console.log(gone, 1n); // { a: 1 } 1n: and a word on it\n" +
        "for (const n of [1, 2]) console.log(n); // 1, 2\n" +
        "console.log('one'); // onerous\n" +
        "if (gone.a > 1) console.log('never'); // never\n" +
        "console.log('no comment');\n```\n",
    );
    assert.deepEqual(problems, [
      "README.md:8: printed one, and the comment says onerous",
      "README.md:9: printed nothing, and the comment says never",
    ]);
  });

  test("in the shell's language are run, beside a region, but for those with a reason", async () => {
    const example = "```js\nconsole.log(1); // 1\n```\n";
    const { problems, note } = await run(
      `${example}\`\`\`sh\nshmkit inspect my-app/jobs\nnpx shmkit --version # a comment\n\`\`\`\n` +
        '```sh no-run="it would fail"\nfalse\n```\n' +
        "```sh\nshmkit inspect no-such-region | cat\n```\n" +
        "```sh\nshmkit recv --timeout 1ms my-app/nothing &\n```\n",
    );
    assert.equal(problems.length, 2, problems.join("\n"));
    assert.match(problems[0], /^README\.md:11: ended with 4\nshmkit: ERR_NOT_FOUND/);
    assert.match(problems[1], /^README\.md:14: ended with 3\nshmkit: ERR_TIMEOUT/);
    assert.equal(note, "1 examples and 3 blocks of commands of 1 documents and 0 modules run, 1 only shown");
  });
});

test("what the API reference does not say, and links to nowhere, are found", async () => {
  const root = folderWith({
    "src/index.ts":
      "/** Documented, {@link nowhere}. @module shmkit */\nexport const bare = 1;\n/** It is. */\nexport const fine = 1;\n",
    "dist/base/errors.js": "export const ERROR_CODES = {};\n",
    "dist/os/posix/constants.js": "",
    "dist/os/sysv/constants.js": "",
    "dist/os/win32/constants.js": "",
    "scripts/entry-points.mjs": 'export const ENTRY_POINTS = [{ module: "index" }];\n',
    "README.md": "# Title\n\n[gone](docs/gone.md)\n",
    "docs/README.md": "# Pages\n",
    "typedoc.config.mjs": readFileSync(join(ROOT, "typedoc.config.mjs"), "utf8"),
  });
  for (const name of ["node_modules", "package.json", "tsconfig.base.json", "tsconfig.src.json"])
    symlinkSync(join(ROOT, name), join(root, name));
  const { gate } = await load("checks/api-docs.mjs");
  const problems = gate.run({ root }).problems.join("\n");
  assert.match(problems, /bare .*does not have any documentation/);
  assert.match(problems, /"nowhere"/);
  assert.match(problems, /docs\/gone\.md/);
  assert.doesNotMatch(problems, /shmkit\.fine/);
});

test("rows of the seeds' coverage point to what there is, or say that it is planned", async () => {
  const { checkSeedCoverage } = await load("checks/seed-coverage.mjs");
  const facts = {
    names: new Set(["Pipe", "send", "lock"]),
    members: new Map([["Pipe", new Set(["send"])]]),
    commands: new Set(["ls"]),
    tests: new Map([["20-pipe", 'test("is one", () => {});']]),
    examples: "  counter: {\n",
    exists: (path: string) => path === "guide/pipes.md",
  };
  const good = ["`Pipe.send`, `shmkit ls`", "`20-pipe: is one`", "[pipes](guide/pipes.md#a), `shmkit example counter`"];
  const row = (...cells: readonly string[]): string => `| A \\| B | ${cells.join(" | ")} |`;
  const rows: [row: string, why: RegExp | undefined][] = [
    [row(...good), undefined],
    [row("planned", "", ""), undefined],
    [row("soon", good[1], good[2]), /"soon" is no interface, and not "planned"/],
    [row("`Pipe.post`", good[1], good[2]), /post of Pipe.post is no public name/],
    [row("`Pipe.lock`", good[1], good[2]), /Pipe has no lock/],
    [row("`shmkit dir`", good[1], good[2]), /there is no command shmkit dir/],
    [row(good[0], "", good[2]), /no test is named/],
    [row(good[0], "`20-pipe: one`", good[2]), /20-pipe.test.ts has no "one"/],
    [row(good[0], "`21-pipe: is one`", good[2]), /there is no test\/21-pipe.test.ts/],
    [row(good[0], good[1], "[x](guide/x.md)"), /there is no docs\/guide\/x.md/],
    [row(good[0], good[1], "`shmkit example spoon`"), /there is no example spoon/],
    [row(good[0], good[1], ""), /no page and no example/],
    [row(good[0], good[1]), /3 cells, not 4/],
  ];
  for (const [line, why] of rows) {
    const { problems } = checkSeedCoverage(`| Behaviour | Interface | Test | Example |\n${line}\n`, facts);
    if (why === undefined) assert.deepEqual(problems, [], line);
    else assert.match(problems.join("\n"), why);
  }
  assert.deepEqual(checkSeedCoverage("no table", facts).problems, ["docs/seed-coverage.md has no row"]);
});
