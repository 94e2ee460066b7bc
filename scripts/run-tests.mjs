/**
 * `node scripts/run-tests.mjs [words] [--node-flags]`: runs the compiled tests, three files at a time.
 *
 * Words select files whose path contains one of them; without words all run but those in `tools/`, which test this
 * repository's tools and not the product. Flags go to Node (`--test-name-pattern=lease`). Each file runs in
 * a process group of its own, so that a watchdog can end it with everything it started, and a process that it leaves
 * behind is noticed. A name left in /dev/shm fails the file as well: `SHMKIT_TEST_TOKEN`, which the region names of a
 * test contain, says whose it is. So do message queues of that name, and objects of System V that the file's own process made.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { programEnvironment } from "./program-environment.mjs";
import { leftOfSystemV, takeQueues, thereOfSystemV } from "./system-leftovers.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const COMPILED_TESTS = join(ROOT, "build/test");
/** A folder of them: a gate of `npm run check` runs these. */
const TOOLS = "tools/";
const SHARED_MEMORY = "/dev/shm";
/** One more than the cores of the smallest machine: somebody always waits for something. */
const CONCURRENCY = 3;
const WATCHDOG_MS = Number(process.env.SHMKIT_TEST_WATCHDOG_MS ?? 300_000);
/** How long processes that a file started may take to end after it. */
const GRACE_MS = 3000;
const COUNTS = /^ℹ (tests|pass|fail|cancelled|skipped|todo) (\d+)$/gm;

const args = process.argv.slice(2);
const flags = args.filter((argument) => argument.startsWith("-"));
const words = args.filter((argument) => !argument.startsWith("-"));

const isWanted = (path) => (words.length === 0 ? !path.startsWith(TOOLS) : words.some((word) => path.includes(word)));

/** The last numbers first: they are searches and whole programs and take long; the short ones fill the gaps in the end. */
function findTests() {
  if (!existsSync(COMPILED_TESTS)) return [];
  return readdirSync(COMPILED_TESTS, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".test.js") && isWanted(path))
    .sort()
    .reverse();
}

/** Group leaders of the files that run now, and the tokens in the names that they make. */
const groups = new Map();

function killGroup(leader, signal) {
  try {
    process.kill(-leader, signal);
    return true;
  } catch (error) {
    if (error.code === "ESRCH") return false;
    throw error;
  }
}

async function groupEnds(leader) {
  for (const end = Date.now() + GRACE_MS; Date.now() < end;) {
    if (!killGroup(leader, 0)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return !killGroup(leader, 0);
}

function takeLeftovers(token) {
  if (!existsSync(SHARED_MEMORY)) return [];
  const left = readdirSync(SHARED_MEMORY).filter((name) => name.includes(token));
  for (const name of left) rmSync(join(SHARED_MEMORY, name), { force: true });
  return left;
}

/** Runs one file; `problems` is empty when all went well. */
async function runFile(file) {
  const token = `t${randomBytes(5).toString("hex")}`;
  const conditions = file.endsWith(".instrumented.test.js") ? ["--conditions=shmkit-instrumented"] : [];
  const before = thereOfSystemV();
  const started = Date.now();
  const child = spawn(
    process.execPath,
    ["--enable-source-maps", "--test-reporter=spec", ...conditions, ...flags, join(COMPILED_TESTS, file)],
    {
      cwd: ROOT,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: programEnvironment({ SHMKIT_TEST_TOKEN: token }),
    },
  );
  groups.set(child.pid, token);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => (output += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk) => (output += chunk));
  const closed = new Promise((resolve) => child.on("close", resolve));
  const problems = [];
  const watchdog = setTimeout(() => {
    problems.push(`still running after ${WATCHDOG_MS / 1000} s: ended by the watchdog`);
    killGroup(child.pid, "SIGKILL");
  }, WATCHDOG_MS);
  const [code, signal] = await new Promise((resolve) => child.on("exit", (...how) => resolve(how)));
  clearTimeout(watchdog);
  if (!(await groupEnds(child.pid))) {
    problems.push("left processes running");
    killGroup(child.pid, "SIGKILL");
  }
  groups.delete(child.pid);
  await closed;

  const counts = { tests: 0, pass: 0, fail: 0, cancelled: 0, skipped: 0, todo: 0 };
  for (const [, name, value] of output.matchAll(COUNTS)) counts[name] += Number(value);
  if (signal !== null && problems.length === 0) problems.push(`ended by ${signal}`);
  if (code !== 0 && signal === null && counts.fail + counts.cancelled === 0) problems.push(`ended with code ${code}`);
  if (counts.tests === 0 && problems.length === 0 && flags.length === 0) problems.push("holds no test");
  const left = takeLeftovers(token);
  if (left.length > 0) problems.push(`left in ${SHARED_MEMORY}: ${left.join(", ")}`);
  const objects = [...takeQueues(token), ...leftOfSystemV(child.pid, before)];
  if (objects.length > 0) problems.push(`left behind: ${objects.join(", ")}`);
  const failed = counts.fail + counts.cancelled + problems.length;
  return { file, output, counts, problems, failed, seconds: (Date.now() - started) / 1000 };
}

function report({ file, output, counts, problems, failed, seconds }) {
  const skipped = counts.skipped + counts.todo > 0 ? `, ${counts.skipped + counts.todo} skipped` : "";
  const mark = failed === 0 ? "ok  " : "FAIL";
  if (failed > 0 || words.length > 0) console.log(output.trimEnd());
  for (const problem of problems) console.log(`${file}: ${problem}`);
  console.log(
    `${mark} ${relative(ROOT, join(COMPILED_TESTS, file))} (${counts.pass} passed${skipped}, ${seconds.toFixed(1)} s)`,
  );
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    for (const [leader, token] of groups) {
      killGroup(leader, "SIGKILL");
      takeLeftovers(token);
    }
    process.kill(process.pid, signal);
  });
}

const queue = findTests();
if (queue.length === 0) {
  console.log(words.length > 0 ? `no test file is named like ${words.join(" or ")}` : "there are no tests");
  process.exit(1);
}
const total = { passed: 0, failed: 0, skipped: 0, files: queue.length };
const started = Date.now();
const failures = [];
await Promise.all(
  Array.from({ length: CONCURRENCY }, async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await runFile(file);
      report(result);
      total.passed += result.counts.pass;
      total.failed += result.failed;
      total.skipped += result.counts.skipped + result.counts.todo;
      if (result.failed > 0) failures.push(file);
    }
  }),
);
for (const file of failures) console.log(`failed: ${file}`);
const seconds = ((Date.now() - started) / 1000).toFixed(1);
console.log(`${total.files} files, ${total.skipped} skipped, ${seconds} s`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed > 0 ? 1 : 0;
