import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { createHash } from "node:crypto";
import { IPC_CREAT, IPC_PRIVATE, IPC_RMID, msgctl, msgget, msgsndSync, shmctl, shmget } from "shmkit/sysv";
import { folderWith, load, ROOT } from "../helpers/tooling.js";

/** How a child ended, and everything it said. */
async function ending(child: ChildProcess) {
  let output = "";
  child.stdout!.on("data", (chunk) => (output += String(chunk)));
  child.stderr!.on("data", (chunk) => (output += String(chunk)));
  const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
  return { code, signal, output };
}

describe("layers", () => {
  test("the sources are read and obey the order", async () => {
    const { checkLayers } = await load("checks/layers.mjs");
    const { modules, problems } = checkLayers(join(ROOT, "src"));
    assert.ok(modules > 0);
    assert.deepEqual(problems, []);
  });

  test("planted violations are found", async () => {
    const { checkLayers } = await load("checks/layers.mjs");
    const source = folderWith({
      "base/up.ts": 'import { open } from "../region/open.js";',
      "native/type.ts": 'import type { Words } from "#words";',
      "os/dynamic.ts": 'export const late = () => import("../members/set.js");',
      "cli/face.ts": 'export * from "../bridge/server.js";',
      "heap/self.ts": 'import { open } from "shmkit";',
      "stray.ts": "export {};",
      "heap/fine.ts": 'import "../base/errors.js"; import "./other.js"; import "node:fs"; import "#words";',
    });
    const { modules, problems } = checkLayers(source);
    assert.equal(modules, 7);
    assert.deepEqual(problems.sort(), [
      "src/base/up.ts: base imports the higher layer region",
      "src/cli/face.ts: the face cli imports the face bridge",
      "src/heap/self.ts: imports the package by its own name",
      "src/native/type.ts: native imports the higher layer memory",
      "src/os/dynamic.ts: os imports the higher layer members",
      'src/stray.ts: "stray.ts" is no layer of scripts/layers.mjs',
    ]);
  });
});

test("benchmarks that look behind the public entry point are found", async () => {
  const { checkBenchmarks } = await load("checks/layers.mjs");
  assert.deepEqual(checkBenchmarks(join(ROOT, "benchmarks")), []);
  const folder = folderWith({
    "fine.ts": 'import { open } from "shmkit"; import "./contenders/link.js"; import "node:fs";',
    "contenders/fine.ts": 'import "../runner.js";',
    "contenders/deep.ts": 'import "../../dist/index.js"; import type { Words } from "#words";',
    "inner.ts": 'const { Member } = await import("#src/members/member.js");',
  });
  assert.deepEqual(checkBenchmarks(folder), [
    'benchmarks/contenders/deep.ts: "../../dist/index.js" is no public entry point',
    'benchmarks/contenders/deep.ts: "#words" is no public entry point',
    'benchmarks/inner.ts: "#src/members/member.js" is no public entry point',
  ]);
});

test("unused modules, exports and packages are found", async () => {
  const { findUnused } = await load("checks/unused.mjs");
  const root = folderWith({
    "package.json": '{ "dependencies": { "needed": "1.0.0", "forgotten": "1.0.0" } }',
    "src/index.ts": 'export { used } from "./base/both.js"; import "needed/part";',
    "src/base/both.ts":
      "export const used = 1; export const idle = 2; export interface Shape { a: 1 } export const shape: Shape = { a: 1 };",
    "src/base/island.ts": "export const alone = 1;",
    "test/a.test.ts": 'const program = "./programs/member.js"; const { shape } = await import("#src/base/both.js");',
    "test/programs/member.ts": "export {};",
  });
  const { modules, problems } = findUnused(root);
  assert.equal(modules, 5);
  assert.deepEqual(problems, [
    'src/base/both.ts: nothing imports "idle"',
    "src/base/island.ts: no entry point reaches this module",
    'package.json: nothing uses "forgotten"',
  ]);
});

test("error codes are compared both ways", async () => {
  const { checkErrorCodes } = await load("checks/error-codes.mjs");
  const codes = ["ERR_A", "ERR_B", "ERR_C"];
  const document = "## ERR_A\n\nUnlike ERR_GONE.\n\n| Code | Meaning |\n|---|---|\n| `ERR_B` | b |\n";
  assert.deepEqual(checkErrorCodes(codes, document, ['fail("ERR_A"); fail("ERR_C");']), [
    "src: nothing raises ERR_B",
    "docs/errors.md: ERR_C is not explained",
    "docs/errors.md: ERR_GONE is no code of src/base/errors.ts",
  ]);
  assert.deepEqual(checkErrorCodes(["ERR_A"], "## `ERR_A`\n", ['"ERR_A"']), []);
});

describe("names and paths", () => {
  // Put together here, since this file is read by the gate as well.
  const planted: [path: string, text: string, why: RegExp][] = [
    ["docs/a.md", `see https://registry${".example.org"}/x`, /registry/],
    [".npmrc", `//host/:_auth${"Token"}=1`, /registry/],
    ["package-lock.json", `"resolved${'"'}: "https://host/x.tgz"`, /came from/],
    ["test/a.test.ts", `test.on${"ly"}("x", () => {});`, /leaves tests out/],
    ["test/a.test.ts", `test("x", { sk${"ip"}: true }, () => {});`, /leaves tests out/],
    ["src/a.ts", `const path = "/ho${"me"}/somebody";`, /one machine/],
  ];
  for (const [path, text, why] of planted) {
    test(`${path}: ${text} is found`, async () => {
      const { checkText } = await load("checks/names-and-paths.mjs");
      const problems = checkText(path, `first line\n${text}\n`);
      assert.equal(problems.length, 1);
      assert.match(problems[0], why);
      assert.ok(problems[0].startsWith(`${path}:2: `));
    });
  }

  test("ordinary text passes", async () => {
    const { checkText } = await load("checks/names-and-paths.mjs");
    const text = 'receive({ skip: 3 }); "src/home/x"; /dev/shm/work; queue.only; https://nodejs.org/';
    assert.deepEqual(checkText("test/a.test.ts", text), []);
  });
});

test("outputs without a source are removed, others stay", async () => {
  const { removeStaleOutputs } = await load("stale-outputs.mjs");
  const root = folderWith({
    "src/a.ts": "",
    "dist/a.js": "",
    "dist/old/b.js": "",
    "dist/old/b.d.ts": "",
    "dist/.tsbuildinfo": "",
    "build/test/c.test.js": "",
    "build/addon.node": "",
  });
  assert.deepEqual(removeStaleOutputs(root).sort(), ["build/test/c.test.js", "dist/old/b.d.ts", "dist/old/b.js"]);
  for (const kept of ["dist/a.js", "dist/.tsbuildinfo", "build/addon.node"]) assert.ok(existsSync(join(root, kept)));
});

describe("the test runner", { concurrency: 4 }, () => {
  /** A checkout with the runner and compiled tests of the given texts. */
  function checkout(tests: Readonly<Record<string, string>>): string {
    const files = Object.entries(tests).map(([name, text]) => [`build/test/${name}.test.js`, text]);
    const root = folderWith({
      ...(Object.fromEntries(files) as Record<string, string>),
      "package.json": '{"type":"module"}',
    });
    mkdirSync(join(root, "scripts"));
    for (const name of ["run-tests.mjs", "program-environment.mjs", "system-leftovers.mjs"])
      cpSync(join(ROOT, "scripts", name), join(root, "scripts", name));
    return root;
  }
  async function run(tests: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = {}, args: string[] = []) {
    const { NODE_TEST_CONTEXT: _, ...own } = process.env;
    const options = { cwd: checkout(tests), env: { ...own, ...env } };
    return ending(spawn(process.execPath, ["scripts/run-tests.mjs", ...args], options));
  }
  const IMPORT =
    'import { test } from "node:test"; import { spawn } from "node:child_process"; import fs from "node:fs";\n';
  const PASSES = `${IMPORT} test("a", () => {}); test("b", () => {});`;

  test("counts what passes and what fails", async () => {
    const { code, output } = await run({
      good: PASSES,
      bad: `${IMPORT} test("c", () => { throw new Error("planted"); });`,
    });
    assert.equal(code, 1);
    assert.match(output, /planted/);
    assert.match(output, /^failed: bad\.test\.js\n2 files, 0 skipped, .*\n2 passed, 1 failed\n$/m);
  });

  test("runs the files whose names are given", async () => {
    const { code, output } = await run({ good: PASSES, bad: "syntax error" }, {}, ["goo"]);
    assert.equal(code, 0);
    assert.match(output, /^2 passed, 0 failed$/m);
    assert.equal((await run({ good: PASSES }, {}, ["other"])).code, 1);
  });

  test("leaves tests of tools to the gate, which runs them and nothing else, and wants some", async () => {
    const { output } = await run({ good: PASSES, "tools/bad": "syntax error" });
    assert.match(output, /^2 passed, 0 failed$/m);
    const { gate } = await load("checks/tools.mjs");
    const fine = { problems: [], note: "2 tests passed" };
    assert.deepEqual(gate.run({ root: checkout({ bad: "syntax error", "tools/good": PASSES }) }), fine);
    assert.match(gate.run({ root: checkout({ "tools/bad": "syntax error" }) }).problems.join(), /^failed: tools\/bad/m);
    assert.match(gate.run({ root: checkout({ good: PASSES }) }).problems.join(), /no test file is named like tools\//);
  });

  const failures: [title: string, text: string, answer: RegExp, watchdogMs?: number][] = [
    [
      "a file that crashes",
      `${IMPORT} process.kill(process.pid, "SIGSEGV"); await new Promise(() => {});`,
      /ended by SIGSEGV/,
    ],
    ["a file without a test", "export {};", /holds no test/],
    [
      "a file that hangs, with what it started",
      `${IMPORT} test("hang", () => { spawn("sleep", ["1000"]); while (true); });`,
      /ended by the watchdog/,
      1000,
    ],
    [
      "a process left running",
      `${IMPORT} test("a", () => { spawn("sleep", ["1000"], { stdio: "inherit" }).unref(); });`,
      /left processes running/,
    ],
    [
      "a name left in shared memory",
      `${IMPORT} test("a", () => fs.writeFileSync("/dev/shm/shmkit." + process.env.SHMKIT_TEST_TOKEN + "-x", ""));`,
      /left in \/dev\/shm: shmkit\.t[0-9a-f]{10}-x/,
    ],
    [
      "a file that ends badly after its tests",
      `${IMPORT} test("a", () => {}); process.on("exit", () => process.exit(3));`,
      /ended with code 3/,
    ],
  ];
  for (const [title, text, answer, watchdogMs = 60_000] of failures) {
    test(`fails for ${title}`, async () => {
      const { code, output } = await run({ planted: text }, { SHMKIT_TEST_WATCHDOG_MS: `${watchdogMs}` });
      assert.match(output, answer);
      assert.match(output, /^\d+ passed, [1-9]\d* failed$/m);
      assert.equal(code, 1);
    });
  }
});

describe("the test runner, of the system's objects", () => {
  test("finds the segments that a process made since, and the queues that it used, and nobody else's", async () => {
    const { leftOfSystemV, thereOfSystemV } = await load("system-leftovers.mjs");
    const before = thereOfSystemV();
    const segment = shmget(IPC_PRIVATE, 1, IPC_CREAT | 0o600);
    const queue = msgget(IPC_PRIVATE, IPC_CREAT | 0o600);
    const mine = (): string[] => leftOfSystemV(process.pid, before);
    try {
      assert.deepEqual(mine(), [`segment ${segment} of System V`]);
      msgsndSync(queue, 1, new Uint8Array(1));
      assert.deepEqual(mine(), [`segment ${segment} of System V`, `message queue ${queue} of System V`]);
      assert.deepEqual(leftOfSystemV(process.pid + 0.5, before), []);
      assert.deepEqual(leftOfSystemV(process.pid, thereOfSystemV()), [], "of an earlier process of that id");
    } finally {
      shmctl(segment, IPC_RMID);
      msgctl(queue, IPC_RMID);
    }
    assert.deepEqual(mine(), []);
  });
});

describe("the API report", () => {
  const CLASS =
    "export declare class Thing extends Base {\n  own(): void;\n  private hidden;\n  /** @internal */\n  inner(): void;\n}";
  const BASE = "declare class Base {\n  inherited(): number;\n  protected check(): void;\n}";

  test("shows what users see, inherited members included, and nothing else", async () => {
    const { apiReport } = await load("checks/api-report.mjs");
    const folder = folderWith({ "thing.d.ts": `${BASE}\n/** Words. */\n${CLASS}\nexport {};\n` });
    const { names, text } = apiReport(join(folder, "thing.d.ts"));
    assert.equal(names, 1);
    assert.match(text, /export class Thing \{\n {4}own\(\): void;\n {4}inherited\(\): number;\n\}\n$/);
  });

  test("shows the union that a list stands for, and what is named without being exported", async () => {
    const { apiReport } = await load("checks/api-report.mjs");
    const folder = folderWith({
      "thing.d.ts":
        'declare const NAMES: readonly ["b", "none", "a"];\nexport type Name = Exclude<(typeof NAMES)[number], "none">;\n' +
        "type Deep = { a: 1 };\ninterface Inner { deep: Deep }\ninterface Unused { a: 1 }\ndeclare const MOST = 8;\n" +
        "declare class Box<T extends Inner> {\n  /** @internal */\n  inner: Unused;\n  most: typeof MOST;\n  text: T;\n}\n" +
        "export { Box };\n",
    });
    const { names, text } = apiReport(join(folder, "thing.d.ts"));
    assert.equal(names, 2);
    assert.match(text, /^export type Name = "a" \| "b";$/m);
    const [, exported, named] = /^([\s\S]*)\/\/ Not exported, but named by what is\.\n([\s\S]*)$/.exec(text) ?? [];
    assert.deepEqual(exported.match(/^export .*$/gm), [
      "export class Box<T extends Inner> {",
      'export type Name = "a" | "b";',
    ]);
    assert.deepEqual(named.match(/\b(?:type|interface|const) \w+/g), ["type Deep", "interface Inner", "const MOST"]);
  });

  test("is that of the package", async () => {
    const { apiReport } = await load("checks/api-report.mjs");
    const { text } = apiReport(join(ROOT, "dist/index.d.ts"));
    for (const line of [
      "export class Region extends EventEmitter<RegionEvents> implements AsyncDisposable {",
      "    trySend(message: T): boolean;",
      "export interface WaitOptions {",
    ])
      assert.ok(text.includes(line), line);
  });
});

describe("the bootstrap", () => {
  let inlined: readonly string[] = [];
  before(async () => void ({ inlinedFiles: inlined } = await load("inline-dependencies.mjs")));

  const ADDON = "export const buildAddon = ({ root }) => `${root}/package.json`;";

  /** The compiler as a module, which finds that nothing is exported. */
  const TYPESCRIPT = `export default { ModuleKind: {}, SymbolFlags: {}, createProgram: () => ({
      getTypeChecker: () => ({ getSymbolAtLocation() {}, getExportsOfModule: () => [] }),
      getSourceFile() {},
    }) };`;

  /** A checkout whose packages, compiler and program are stand-ins. */
  function checkout(compiler: string, program = "", addon = ADDON): string {
    const lock = "{}";
    const root = folderWith({
      "package.json": '{ "type": "module" }',
      "package-lock.json": lock,
      "node_modules/.shmkit-install": createHash("sha256").update(lock).digest("hex"),
      "node_modules/typescript/package.json": '{ "type": "module", "main": "typescript.js" }',
      "node_modules/typescript/typescript.js": TYPESCRIPT,
      "node_modules/typescript/bin/tsc": compiler,
      "node_modules/@rollup/wasm-node/package.json": '{ "type": "module", "main": "rollup.js" }',
      "node_modules/@rollup/wasm-node/rollup.js": "export const rollup = () => ({ write() {}, close() {} });",
      ...Object.fromEntries(inlined.map((path) => [join("node_modules", path), "inlined"])),
      "dist/cli/main.js": program,
      "src/cli/main.ts": "",
    });
    mkdirSync(join(root, "scripts"));
    for (const name of [
      ...["bootstrap.mjs", "bundle.mjs", "entry-points.mjs", "inline-dependencies.mjs"],
      ...["kept-manifest.mjs", "stale-outputs.mjs"],
    ]) {
      cpSync(join(ROOT, "scripts", name), join(root, "scripts", name));
    }
    writeFileSync(join(root, "scripts/build-addon.mjs"), addon);
    return root;
  }
  function start(root: string, ...args: string[]): ChildProcess {
    return spawn(process.execPath, [join(root, "scripts/bootstrap.mjs"), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
  }
  test("refuses an unknown command", async () => {
    const { code, output } = await ending(start(checkout(""), "strat"));
    assert.equal(code, 1);
    assert.match(output, /usage: .*start\|test\|check\|build/);
  });

  test("hands over arguments and the exit code, and says nothing itself", async () => {
    const root = checkout("", "console.log(process.argv.slice(2).join()); process.exit(7);");
    const { code, output } = await ending(start(root, "start", "a", "--b"));
    assert.equal(code, 7);
    assert.equal(output, "demo,a,--b\n");
  });

  test("forwards a signal and ends as its program ended", async () => {
    const root = checkout("", 'console.log("up"); setInterval(() => {}, 1000);');
    const child = start(root, "start");
    const end = ending(child);
    await once(child.stdout!, "data");
    child.kill("SIGTERM");
    assert.equal((await end).signal, "SIGTERM");
  });

  test("shows what the compiler says only when it fails", async () => {
    const failing = await ending(start(checkout('console.log("planted"); process.exit(2)'), "build"));
    assert.equal(failing.code, 1);
    assert.match(failing.output, /does not compile\nplanted/);
    const passing = await ending(start(checkout('console.log("planted")'), "build"));
    assert.deepEqual(passing, { code: 0, signal: null, output: "" });
  });

  test("says why the addon cannot be built, without a stack", async () => {
    const addon = 'export function buildAddon() { throw new Error("planted"); }';
    const { code, output } = await ending(start(checkout("", "", addon), "build"));
    assert.equal(code, 1);
    assert.equal(output, "shmkit: planted\n");
  });

  test("names the package when there is no compiler, to an ordinary user", async () => {
    const root = checkout("");
    const env = { PATH: join(root, "nothing") };
    const child = spawn(process.execPath, [join(root, "scripts/bootstrap.mjs"), "build"], { env });
    const { code, output } = await ending(child);
    assert.equal(code, 1);
    assert.match(output, /"cc" is not on the PATH: install the package gcc/);
  });

  // Each calls the compiler twice, for the library and for the tests.
  test("takes turns with others of the same checkout", async () => {
    const compiler =
      'import fs from "node:fs"; fs.appendFileSync("log", "<"); await new Promise((r) => setTimeout(r, 300)); fs.appendFileSync("log", ">");';
    const root = checkout(compiler);
    const ends = await Promise.all([1, 2, 3].map(() => ending(start(root, "build"))));
    assert.deepEqual(
      ends.map(({ code }) => code),
      [0, 0, 0],
    );
    assert.equal(readFileSync(join(root, "log"), "utf8"), "<>".repeat(6));
  });

  test("does not end its turn before its steps have ended, even when it is killed", async () => {
    const compiler =
      'import fs from "node:fs"; fs.appendFileSync("log", "<"); await new Promise((r) => setTimeout(r, 1500)); fs.appendFileSync("log", ">");';
    const root = checkout(compiler);
    const first = start(root, "build");
    const firstEnd = ending(first);
    while (!existsSync(join(root, "log"))) await new Promise((resolve) => setTimeout(resolve, 10));
    const second = start(root, "build");
    const secondEnd = ending(second);
    await once(second.stderr!, "data");
    first.kill("SIGKILL");
    assert.match((await secondEnd).output, /waiting for another/);
    assert.equal((await secondEnd).code, 0);
    assert.equal((await firstEnd).signal, "SIGKILL");
    assert.equal(readFileSync(join(root, "log"), "utf8"), "<><><>");
  });
});
