import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { folderWith, ROOT } from "../helpers/tooling.js";

/** What the runner asks of the platform's harness, and no more. */
const HARNESS = `
  const tests = [];
  let onResult, onEnd, ended = { status: 0, message: null };
  self.add_result_callback = (callback) => (onResult = callback);
  self.add_completion_callback = (callback) => (onEnd = callback);
  self.promise_test = (body, name) => tests.push({ body, name });
  self.addEventListener("unhandledrejection", ({ reason }) => (ended = { status: 1, message: String(reason) }));
  setImmediate(async () => {
    for (const { body, name } of tests)
      await body().then(
        () => onResult({ name, status: 0, message: null }),
        (error) => onResult({ name, status: 1, message: String(error) }),
      );
    setImmediate(() => onEnd(tests, ended));
  });`;
const HELPER = `
  self.ask = (worker, data) => new Promise((resolve) => {
    worker.addEventListener("message", (event) => resolve(event.data), { once: true });
    worker.postMessage(data);
  });`;
const WORKER = `
  self.addEventListener("message", function ({ data }) {
    navigator.locks.request(data, () => {
      this.postMessage("held");
      return new Promise(() => {});
    });
  });`;
const PAGE = `<!DOCTYPE html>
<script src="/resources/testharness.js"></script>
<script src="resources/helper.js"></script>
<script>
  promise_test(async () => {
    const worker = new Worker("resources/worker.js");
    if ((await ask(worker, "name")) !== "held") throw new Error("not held");
    const lock = await navigator.locks.request("name", { ifAvailable: true }, (lock) => lock);
    if (lock !== null) throw new Error("held by two");
    worker.terminate();
    await navigator.locks.request("name", () => {});
  }, "a worker is another process, whose death releases what it holds");
</script>`;

function conformance(...args: string[]) {
  const main = join(ROOT, "build/test/conformance/main.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
  return { status, lines: `${stdout}${stderr}`.split("\n").map((line) => line.trim()) };
}

test("tests of the platform are run with their own harness, and what fails is told", () => {
  const folder = folderWith({
    "resources/testharness.js": HARNESS,
    "web-locks/resources/helper.js": HELPER,
    "web-locks/resources/worker.js": WORKER,
    "web-locks/a.https.any.js":
      '// META: script=resources/helper.js\npromise_test(async () => ask, "passes");\n' +
      'promise_test(async () => { throw new Error("for a reason"); }, "fails");\n' +
      'promise_test(async () => void Promise.reject(new Error("by nobody")), "passes too");',
    "web-locks/b.https.any.js": 'promise_test(async () => process.exit(7), "never ends");',
    "web-locks/c.https.any.js": "",
    "web-locks/page.https.html": PAGE,
    "web-locks/frame.https.html": "<script>document.createElement('iframe')</script>",
  });
  const { status, lines } = conformance("--web-locks", join(folder, "web-locks"));
  assert.deepEqual(lines, [
    "2 of  3  a.https.any.js",
    "FAILED fails: Error: for a reason",
    "FAILED the file: Error: by nobody",
    "0 of  0  b.https.any.js",
    "FAILED the file: ended with 7 before all of its tests had",
    "0 of  0  c.https.any.js",
    "FAILED the file: has no tests",
    "1 of  1  page.https.html",
    "not run  frame.https.html: needs documents",
    "3 passed, 4 failed",
    "",
  ]);
  assert.equal(status, 1);
});

test("what passes ends with 0, and nothing that ran with 1", () => {
  const passing = folderWith({
    "resources/testharness.js": HARNESS,
    "web-locks/a.https.any.js": 'promise_test(async () => navigator.locks.query(), "passes");',
  });
  assert.equal(conformance("--web-locks", join(passing, "web-locks")).status, 0);
  const empty = folderWith({ "resources/testharness.js": HARNESS, "web-locks/README.md": "" });
  assert.equal(conformance("--web-locks", join(empty, "web-locks")).status, 1);
});

test("whoever names no tests is told which to get", () => {
  const { status, lines } = conformance();
  assert.equal(status, 2);
  assert.match(lines.join(" "), /which tests: --web-locks FOLDER.*repository wpt of web-platform-tests/);
  const without = conformance("--web-locks", join(folderWith({ "web-locks/a.https.any.js": "" }), "web-locks"));
  assert.equal(without.status, 2);
  assert.match(without.lines[0], /has no resources\/testharness\.js$/);
});
