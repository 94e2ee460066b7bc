import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { allCommands } from "#src/cli/command-table.js";
import { run } from "./helpers/cli-process.js";
import { joined, regionName } from "./helpers/cli-regions.js";
import { problems, type Schema } from "./helpers/json-schema.js";

const SCHEMA = JSON.parse(
  readFileSync(new URL("../../docs/guide/cli-json.schema.json", import.meta.url), "utf8"),
) as Schema;

/** What is wrong with what a command wrote: by its own definition, and by the schema as a whole. */
function wrong(text: string, definition: string): string[] {
  const value = JSON.parse(text) as unknown;
  return [...problems(value, { $ref: `#/$defs/${definition}` }, SCHEMA), ...problems(value, SCHEMA)];
}

describe("a schema", () => {
  const root: Schema = { $defs: { name: { type: "string", pattern: "^a" } } };
  const cases: [value: unknown, schema: Schema, found: string[]][] = [
    [1, { type: "integer" }, []],
    [1.5, { type: "integer" }, ["$ is number, not integer"]],
    [null, { type: ["string", "null"] }, []],
    ["b", { $ref: "#/$defs/name" }, ["$ does not match ^a"]],
    ["x", { enum: ["y", "z"] }, ['$ is "x", none of y, z']],
    [{ a: 1 }, { properties: { a: { type: "string" } } }, ["$.a is number, not string"]],
    [{}, { required: ["a"] }, ["$ lacks a"]],
    [{ a: 1, b: 2 }, { properties: { a: {} }, additionalProperties: false }, ["$ has b, which is not described"]],
    [[1, "x"], { items: { type: "number" } }, ["$[1] is string, not number"]],
    [1, { anyOf: [{ type: "string" }, { type: "null" }] }, ["$ is none of what it may be"]],
  ];
  for (const [value, schema, found] of cases)
    test(`finds in ${JSON.stringify(value)} by ${JSON.stringify(schema)}: ${found.join() || "nothing"}`, () =>
      assert.deepEqual(problems(value, schema, root), found));

  test("with a keyword that nothing checks is an error", () => {
    assert.throws(() => problems(1, { maximum: 2 }), /the keyword maximum is not checked/);
    assert.throws(() => problems(1, { $ref: "#/$defs/nothing" }, root), /has no #\/\$defs\/nothing/);
  });
});

describe("what commands write with --json", () => {
  test("every command has the option, and is described", async () => {
    const { $defs } = SCHEMA as { $defs: Readonly<Record<string, { description?: string }>> };
    const described = Object.values($defs).map(({ description }) => description ?? "");
    for (const { name, options } of await allCommands()) {
      assert.equal(options["json"]?.short, "j", name);
      assert.ok(
        described.some((text) => text.includes(`shmkit ${name} `)),
        name,
      );
    }
  });

  test("is what the schema says", async () => {
    const region = await joined("schema");
    const pipe = await region.pipe("jobs", { capacity: 10 });
    await pipe.send(new Uint8Array(20_000));
    await (await region.counter("visits")).set(-(10n ** 18n));
    const guard = await (await region.mutex("door")).lock();
    await region.mutex("free");
    const broken = regionName("broken");
    writeFileSync(`/dev/shm/shmkit.${broken}`, "no region");
    const cases: [args: string[], definition: string, exitCode?: number][] = [
      [["ls", "--interval", "20ms", region.name, broken], "ls", 1],
      [["top", "--once", "--interval", "20ms", region.name, broken], "ls"],
      [["inspect", region.name], "inspect"],
      [["inspect", `${region.name}/jobs`], "inspectObject"],
      [["inspect", `${region.name}/visits`], "inspectObject"],
      [["inspect", `${region.name}/door`], "inspectObject"],
      [["inspect", region.name, "--hex", "0:100"], "inspectBytes"],
      [["clean", "--dry-run"], "clean"],
      [["rm", `${region.name}/free`, `${region.name}/nothing`, broken], "rm", 4],
      [["bench", "--time", "250ms"], "bench"],
    ];
    const texts = new Map<string, string>();
    for (const [args, definition, exitCode = 0] of cases) {
      const { code, text, errors } = await run([...args, "--json"]);
      assert.equal(errors, "");
      assert.equal(code, exitCode, args.join(" "));
      assert.deepEqual(wrong(text, definition), [], args.join(" "));
      texts.set(args[0], text);
    }
    guard.release();
    // What is only there at times was there.
    assert.match(texts.get("ls")!, /"sentPerSecond"/);
    assert.match(texts.get("ls")!, new RegExp(`"unreadable": \\[[^\\]]*${broken}`));
    assert.match(texts.get("clean")!, new RegExp(`"kept": \\[[^\\]]*${broken}`));
    assert.deepEqual(JSON.parse(texts.get("rm")!), {
      removed: [`${region.name}/free`, broken],
      failed: [
        { name: `${region.name}/nothing`, code: "ERR_NOT_FOUND", message: `there is no ${region.name}/nothing` },
      ],
    });
  });

  test("of the demo", async () => {
    const folder = mkdtempSync(join(tmpdir(), "shmkit-demo-"));
    try {
      writeFileSync(join(folder, "text.md"), "one two two\n".repeat(50_000));
      const { code, text, errors } = await run(["demo", "--quick", folder, "--json"]);
      assert.equal(errors, "");
      assert.equal(code, 0);
      assert.deepEqual(wrong(text, "demo"), []);
      const { speed, work, share } = JSON.parse(text) as {
        speed: unknown[];
        work: { files: number; words: number; differentWords: number };
        share: unknown[];
      };
      assert.deepEqual([speed.length, share.length], [6, 2]);
      assert.deepEqual([work.files, work.words, work.differentWords], [1, 150_000, 2]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("of errors is one line on standard error, with the exit code of the process", async () => {
    const missing = regionName("missing");
    const cases: [args: string[], code: string, exitCode: number, more?: object][] = [
      [["inspect", missing], "ERR_NOT_FOUND", 4],
      [["inspect", "..x"], "ERR_INVALID_NAME", 2, { actual: "..x" }],
      [["demo", "/no/such/folder"], "ENOENT", 4, { path: "/no/such/folder", syscall: "stat", errno: -2 }],
      [["frobnicate"], "ERR_USAGE", 2],
      [["send", "no-slash"], "ERR_USAGE", 2],
      [["send", `${missing}/x`, "--bytes"], "ERR_USAGE", 2],
      [["recv", `${missing}/x`, "--timeout", "20ms"], "ERR_TIMEOUT", 3],
      [["example", "counter", "spoon"], "ERR_USAGE", 1],
      [["completion", "csh"], "ERR_USAGE", 2],
    ];
    for (const { name } of await allCommands()) cases.push([[name, "--no-such-option"], "ERR_USAGE", 2]);
    for (const [args, code, exitCode, more] of cases) {
      for (const json of args[0] === "inspect" ? ["--json", "-j"] : ["--json"]) {
        const { code: ended, text, errors } = await run([...args, json]);
        const title = [...args, json].join(" ");
        assert.equal(ended, exitCode, title);
        assert.equal(text, "", title);
        assert.match(errors, /^[^\n]+\n$/, title);
        assert.deepEqual(wrong(errors, "error"), [], title);
        const { error } = JSON.parse(errors) as { error: { message: string } };
        const { message, ...facts } = error;
        assert.ok(message.length > 10, title);
        assert.deepEqual(facts, { code, exitCode, ...more }, title);
      }
    }
    // What there is comes all the same.
    const { text, errors, code } = await run(["ls", missing, "--json"]);
    assert.equal(code, 4);
    assert.deepEqual(wrong(text, "ls"), []);
    assert.deepEqual(wrong(errors, "error"), []);
    // After "--" it is a name.
    assert.match((await run(["inspect", "--", "--json"])).errors, /^shmkit: ERR_INVALID_NAME: /);
  });

  test("of a doctor", async () => {
    const { text, errors } = await run(["doctor", "--json"]);
    assert.equal(errors, "");
    assert.deepEqual(wrong(text, "doctor"), []);
  });

  test("of a doctor without the addon, too", async () => {
    process.env["SHMKIT_ADDON"] = "/nowhere.node";
    try {
      const { code, text } = await run(["doctor", "--json"]);
      assert.equal(code, 1);
      assert.deepEqual(wrong(text, "doctor"), []);
      assert.match(text, /"failure": "ERR_ADDON: /);
    } finally {
      delete process.env["SHMKIT_ADDON"];
    }
  });
});

describe("bench", () => {
  test("shows round trips and throughput, and leaves nothing", async () => {
    const { code, text, errors } = await run(["bench", "--time", "250ms"]);
    assert.equal(errors, "");
    assert.equal(code, 0);
    for (const manner of ["blocking", "async"])
      assert.match(text, new RegExp(`^  ${manner} +[\\d.]+ [µm]s +[\\d.]+ [µm]s +[\\d.]+ [µm]s +[\\d,]+$`, "m"));
    for (const size of ["64 B", "4 KiB", "256 KiB"])
      assert.match(text, new RegExp(`^  ${size} +[\\d,]+ +[\\d.]+ .?i?B$`, "m"));
  });

  test("takes times that can be measured", async () => {
    const { code, errors } = await run(["bench", "--time", "1ms"]);
    assert.equal(code, 2);
    assert.match(errors, /--time must be at least 100ms/);
  });
});
