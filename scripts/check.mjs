/**
 * `node scripts/check.mjs [gates] [--fix]`: runs every gate, or those named, one after the other, and reports a table.
 *
 * A gate is a file in `checks/` with an exported `gate`: its name and a function that answers the problems it found and
 * a note of what it looked at. `--fix` lets gates repair what can be repaired by rule (layout of the code, generated
 * blocks).
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Files in `checks/`, in the order in which they run: what is cheap to repair first. */
const GATES = [
  "format",
  "lint",
  "types",
  "layers",
  "unused",
  "generated-layout",
  "generated-cli-pages",
  "api-report",
  "api-docs",
  "benchmark-figures",
  "platform-tables",
  "terminal-picture",
  "error-codes",
  "names-and-paths",
  "seed-coverage",
  "doc-examples",
  "package-contents",
  "package-lint",
  "package-use",
];

const args = process.argv.slice(2);
const fix = args.includes("--fix");
const wanted = args.filter((argument) => !argument.startsWith("--"));
const unknown = [
  ...wanted.filter((name) => !GATES.includes(name)),
  ...args.filter((argument) => argument.startsWith("--") && argument !== "--fix"),
];
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(", ")}; the gates are ${GATES.join(", ")}, the only option is --fix`);
  process.exit(1);
}

const rows = [];
for (const name of GATES.filter((gate) => wanted.length === 0 || wanted.includes(gate))) {
  const started = Date.now();
  let result;
  try {
    const { gate } = await import(`./checks/${name}.mjs`);
    result = await gate.run({ root: ROOT, fix });
  } catch (error) {
    result = { problems: [`the gate itself failed: ${error.stack}`], note: "" };
  }
  const seconds = (Date.now() - started) / 1000;
  for (const problem of result.problems) console.log(`${name}: ${problem}`);
  rows.push({ name, seconds, note: result.note, problems: result.problems.length });
}

console.log("");
for (const { name, seconds, note, problems } of rows) {
  const verdict = problems === 0 ? "ok" : `FAIL (${problems})`;
  console.log(`${name.padEnd(19)} ${verdict.padEnd(10)} ${seconds.toFixed(1).padStart(5)} s  ${note}`);
}
const failed = rows.filter(({ problems }) => problems > 0).length;
console.log(`${rows.length - failed} gates passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
