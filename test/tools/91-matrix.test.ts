import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { installPackages, Missing } from "../../benchmarks/packages.js";
import { countsOf, OK, type Results } from "../matrix/results.js";
import { runMatrix } from "../matrix/run.js";
import { provide, RUNTIMES, systemProgram } from "../matrix/runtimes.js";
import { detailsOf, summaryOf, terminalTable } from "../matrix/table.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const MAIN = join(ROOT, "build/test/matrix/main.js");
const DOCUMENTS = join(ROOT, "build/test/matrix/documents.js");
const folder = mkdtempSync(join(tmpdir(), "shmkit-matrix-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function matrix(args: readonly string[], path: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    env: { ...process.env, PATH: path },
  });
  return { status, output: `${stdout}${stderr}` };
}

/** Calls with a PATH of a folder that holds these programs, which do nothing. */
function withPath<T>(programs: readonly string[], call: () => T): T {
  const path = mkdtempSync(join(folder, "path-"));
  for (const program of programs) symlinkSync("/bin/true", join(path, program));
  const before = process.env.PATH;
  process.env.PATH = path;
  const restore = (): void => void (process.env.PATH = before);
  let result: T;
  try {
    result = call();
  } catch (error) {
    restore();
    throw error;
  }
  if (result instanceof Promise) return result.finally(restore) as T;
  restore();
  return result;
}

const emulated = RUNTIMES.find(({ isEmulated }) => isEmulated)!;

const RESULTS: Results = {
  startedAt: "2026-01-02T03:04:05.000Z",
  seconds: 7,
  machine: { cpu: "C", arch: "x64", cores: 2, kernel: "6.1", node: "v20.0.0" },
  loadAverage: [0, 0, 0],
  runtimes: [
    {
      name: "a",
      title: "A",
      version: "1.0.0",
      checks: { one: OK, two: OK },
      largestRegionGiB: 3,
      sharedArrayBuffer: true,
    },
    { name: "b", title: "B", version: "2.0.0", checks: { one: OK, two: "it broke" }, kills: 5 },
  ],
  pairs: { a: { a: OK, b: OK }, b: { a: "lost a message", b: OK } },
  crowd: { outcome: OK, processes: 4, killed: 2, messages: 9 },
  windows: [{ name: "w", title: "W", version: "3.0.0", checks: { three: OK, four: "no handle" } }],
};

describe("npm run matrix", () => {
  test("says how it is used, and what is wrong with its arguments", () => {
    const path = process.env.PATH!;
    assert.match(matrix(["--help"], path).output, /usage: npm run matrix/);
    assert.equal(matrix(["--help"], path).status, 0);
    for (const [args, answer] of [
      [["--only", "node-20,node-21"], /--only: there is no node-21; there are node-20, .*bun, deno/],
      [["--onyl", "bun"], /--onyl/],
      [["bun"], /bun/],
    ] as const) {
      const { status, output } = matrix(args, path);
      assert.equal(status, 1);
      assert.match(output, answer);
      assert.match(output, /usage:/);
    }
  });

  test("fails when a tool is missing, names its package, and runs nothing", () => {
    const { status, output } = matrix(["--only", emulated.name], mkdtempSync(join(folder, "empty-")));
    assert.equal(status, 1);
    assert.equal(output, `${emulated.title}: qemu-aarch64 is missing (Debian, Ubuntu: apt-get install qemu-user)\n`);
  });

  test("takes any of a program's names, and names the package of each", async () => {
    const found = withPath(["second"], () => systemProgram(["first", "second"], "package"));
    assert.match(found, /second$/);
    await assert.rejects(
      withPath(["qemu-aarch64-static"], () => provide(ROOT, emulated)),
      { message: "aarch64-linux-gnu-gcc is missing (Debian, Ubuntu: apt-get install gcc-aarch64-linux-gnu)" },
    );
  });

  test("fails when npm is missing or cannot install", () => {
    const packages = mkdtempSync(join(folder, "packages-"));
    writeFileSync(join(packages, "package.json"), '{ "name": "x", "dependencies": { "not-locked": "1.0.0" } }');
    writeFileSync(join(packages, "package-lock.json"), '{ "name": "x", "lockfileVersion": 3, "packages": { "": {} } }');
    const install = (): void => installPackages(packages, "nothing", []);
    assert.throws(
      () => withPath([], install),
      (error) => error instanceof Missing && /npm could not be started/.test(error.message),
    );
    assert.throws(install, (error) => error instanceof Missing && /could not be installed: npm/.test(error.message));
  });

  test("a runtime that does not start fails every check, and the run ends", async () => {
    const runtime = { ...RUNTIMES[0], name: "broken", title: "Broken" };
    const broken = { runtime, version: "0.0.0", command: ["false"], advised: ["false"] };
    const results = await runMatrix([broken], { programs: [], typeScript: "" }, () => undefined);
    const { passed, failed } = countsOf(results);
    assert.equal(passed, 0, JSON.stringify(results));
    assert.ok(failed >= 3);
    assert.match(results.pairs["broken"]["broken"], /the member has ended/);
  });
});

describe("the tables of platforms", () => {
  test("count what passed, and show what did not", () => {
    assert.deepEqual(countsOf(RESULTS), { passed: 8, failed: 3 });
    assert.match(summaryOf(RESULTS), /^\| A \| 1\.0\.0 \| 2 of 2 \| 2 of 2 \| 1 of 2 \| 3 GiB \| yes \|$/m);
    assert.match(summaryOf(RESULTS), /^\| B \| 2\.0\.0 \| 1 of 2 \| 1 of 2 \| 2 of 2 \| \? \| \? \|$/m);
    assert.match(detailsOf(RESULTS), /^\| two \| ✓ \| ✗ \|$/m);
    assert.match(detailsOf(RESULTS), /^\| B \| ✗ \| ✓ \|$/m);
    assert.match(detailsOf(RESULTS), /^4 processes, .* 2, one of each, are killed: ✓ \(9 messages\)$/m);
    assert.match(detailsOf(RESULTS), /^\| on Windows \| W \|\n.*\n\| three \| ✓ \|\n\| four \| ✗ \|$/m);
    assert.match(terminalTable(RESULTS), /^FAIL B: two: it broke$/m);
    assert.match(terminalTable(RESULTS), /^W {2}3\.0\.0 {2}1 of 2$/m);
    assert.match(terminalTable(RESULTS), /^FAIL W: four: no handle$/m);
    assert.match(terminalTable(RESULTS), /^FAIL b: a: lost a message$/m);
  });

  test("are what the committed results say, or the gate names the document", () => {
    const root = mkdtempSync(join(folder, "root-"));
    mkdirSync(join(root, "test/matrix/results"), { recursive: true });
    mkdirSync(join(root, "docs/guide"), { recursive: true });
    for (const path of ["README.md", "docs/guide/platforms.md"]) cpSync(join(ROOT, path), join(root, path));
    writeFileSync(join(root, "test/matrix/results/linux-x64.json"), JSON.stringify(RESULTS));
    const run = (...options: string[]) =>
      spawnSync(process.execPath, [DOCUMENTS, root, ...options], { encoding: "utf8" });
    const differing = run("--check");
    assert.equal(differing.status, 1);
    assert.match(differing.stdout, /^README\.md differs from .*\ndocs\/guide\/platforms\.md differs/);
    assert.equal(run().status, 0);
    assert.equal(run("--check").status, 0);
  });
});
