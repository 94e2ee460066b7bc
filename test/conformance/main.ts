/** `npm run conformance`: the platform's own tests, with the locks of a region in the place of `navigator.locks`. */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { open } from "shmkit";
import type { Report } from "./client-main.js";
import { findTests, harnessOf } from "./scripts.js";

const HELP = `npm run conformance -- --web-locks FOLDER

Runs the platform's tests of Web Locks, unchanged and with their own harness, against app.locks in the place of
navigator.locks; workers of the tests are processes. FOLDER is "web-locks" in a checkout of the web platform tests (the
repository wpt of web-platform-tests; its folders web-locks, resources and interfaces are enough). They are not part of
this repository.

Says which files cannot be run, since they need documents. Ends with 1 when a test failed, or none ran.`;

const CLIENT = fileURLToPath(new URL("client-main.js", import.meta.url));
/** A watchdog; the longest file takes a second or so. */
const LONGEST_MS = 120_000;

/** What became of one file: how many of its tests passed, and what is wrong. */
async function run(root: string, path: string): Promise<{ passed: number; count: number; problems: string[] }> {
  const region = await open(`conformance-${process.env["SHMKIT_TEST_TOKEN"] ?? ""}${randomBytes(6).toString("hex")}`);
  const problems: string[] = [];
  let count = 0;
  let passed = 0;
  let hasEnded = false;
  try {
    const client = fork(CLIENT, [region.name, root, path], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    const watchdog = setTimeout(() => client.kill("SIGKILL"), LONGEST_MS);
    client.on("message", (report: Report) => {
      if ("end" in report) {
        hasEnded = true;
        if (report.end.status !== 0) problems.push(`the file: ${report.end.message}`);
        return;
      }
      count++;
      if (report.test.status === 0) passed++;
      else problems.push(`${report.test.name}: ${report.test.message}`);
    });
    const [code, signal] = (await once(client, "exit")) as [number | null, string | null];
    clearTimeout(watchdog);
    if (!hasEnded) problems.push(`the file: ended with ${signal ?? code} before all of its tests had`);
    else if (count === 0) problems.push("the file: has no tests");
  } finally {
    await region.close();
  }
  return { passed, count, problems };
}

function usage(problem: string): never {
  console.error(`${problem}\n\n${HELP}`);
  process.exit(2);
}

function readFolder(): string {
  let values;
  try {
    ({ values } = parseArgs({ options: { "web-locks": { type: "string" }, help: { type: "boolean", short: "h" } } }));
  } catch (error) {
    usage((error as Error).message);
  }
  if (values.help === true) {
    console.log(HELP);
    process.exit(0);
  }
  return resolve(values["web-locks"] ?? usage("which tests: --web-locks FOLDER"));
}

const folder = readFolder();
const root = dirname(folder);
if (harnessOf(root) === undefined) usage(`${root} has no resources/testharness.js`);
const { runnable, needDocuments } = findTests(folder);
let passed = 0;
let failed = 0;
for (const path of runnable) {
  const result = await run(root, path);
  console.log(`${String(result.passed).padStart(4)} of ${String(result.count).padStart(2)}  ${relative(folder, path)}`);
  for (const problem of result.problems) console.log(`            FAILED ${problem}`);
  passed += result.passed;
  failed += result.problems.length;
}
for (const path of needDocuments) console.log(`   not run  ${relative(folder, path)}: needs documents`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
