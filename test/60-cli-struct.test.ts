import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bits, int16, string, struct, uint8 } from "shmkit";
import { run } from "./helpers/cli-process.js";
import { problems, type Schema } from "./helpers/json-schema.js";

const folder = mkdtempSync(join(tmpdir(), "shmkit-struct-"));
after(() => rmSync(folder, { recursive: true }));

const library = fileURLToPath(new URL("../../dist/bundle/shmkit.js", import.meta.url));
const file = join(folder, "colors.mjs");
writeFileSync(
  file,
  `import { bits, int16, string, struct, uint8 } from ${JSON.stringify(library)};
export const MyColor = struct({ red: int16, flags: bits({ a: 3, b: 5 }, uint8) });
export const Named = struct({ name: string(8), color: MyColor }, { name: "Renamed" });
export const other = 5;
`,
);
const MyColor = struct({ red: int16, flags: bits({ a: 3, b: 5 }, uint8) });
const Named = struct({ name: string(8), color: MyColor }, { name: "Renamed" });

describe("shmkit struct", () => {
  test("shows where fields lie", async () => {
    const { code, text, errors } = await run(["struct", `${file}#Named`]);
    assert.equal(errors, "");
    assert.equal(code, 0);
    assert.equal(
      text,
      `Renamed: 12 bytes, aligned to 2
offset  size  field    type
     0     8  name     string(8)
     8     4  color    struct
     8     2    red    int16
    10     1    flags  bits({ a: 3, b: 5 }, uint8)
    10            a    3 bits from bit 0
    10            b    5 bits from bit 3
`,
    );
  });

  test("declares them as the library does, those without a name by that of their export", async () => {
    assert.equal((await run(["struct", `${file}#MyColor`, "--c"])).text, MyColor.toC("MyColor"));
    const together = [{ struct: MyColor, name: "MyColor" }];
    assert.equal((await run(["struct", file, "--python"])).text, Named.toPython("Renamed", together));
  });

  test("declares all that a file exports together, each once, so that the whole of it compiles", async () => {
    const header = (await run(["struct", file, "--c"])).text;
    assert.deepEqual(header.match(/^struct \w+ \{/gm), [
      "struct MyColor_flags {",
      "struct MyColor {",
      "struct Renamed {",
    ]);
    const compiled = spawnSync("cc", ["-std=c11", "-Wall", "-Wextra", "-Werror", "-xc", "-fsyntax-only", "-"], {
      input: header,
      encoding: "utf8",
    });
    assert.equal(compiled.stderr, "");
  });

  test("writes JSON as its schema says", async () => {
    const schema = JSON.parse(
      readFileSync(new URL("../../docs/guide/cli-json.schema.json", import.meta.url), "utf8"),
    ) as Schema;
    const value = JSON.parse((await run(["struct", file, "--json"])).text) as object;
    assert.deepEqual(problems(value, { $ref: "#/$defs/struct" }, schema), []);
    assert.deepEqual(problems(value, schema), []);
    assert.deepEqual(value, { structs: [{ ...MyColor.layout(), name: "MyColor" }, Named.layout()] });
  });

  test("says what is missing", async () => {
    const broken = join(folder, "broken.mjs");
    writeFileSync(broken, "throw new Error('on purpose')");
    for (const [args, code, message] of [
      [[join(folder, "nothing.mjs")], 4, /there is no file .*nothing\.mjs/],
      [[`${file}#other`], 4, /exports no struct other/],
      [[broken], 1, /cannot be loaded: on purpose/],
      [[file, "--c", "--python"], 2, /--c and --python exclude each other/],
      [[], 2, /usage: shmkit struct FILE/],
    ] as const) {
      const ending = await run(["struct", ...args]);
      assert.equal(ending.code, code);
      assert.match(ending.errors, message);
    }
  });
});
