/**
 * `node scripts/check.mjs [gates] [--fix]`: runs every gate, or those named, and reports a table.
 *
 * A gate is a file in `checks/` with an exported `gate`: its name and a function that answers the problems it found and
 * a note of what it looked at. `--fix` lets gates repair what can be repaired by rule (layout of the code, generated
 * blocks), one after the other; without it, those that read go beside those that run the product, each in a process of
 * its own.
 */
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Files in `checks/`, in the order in which they run: what is cheap to repair first. */
const READING = [
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
];
/** Those that run programs with the shared memory of this machine. */
const RUNNING = ["doc-examples", "tools"];
/** Those that pack, for which npm finds another package.json: never beside others. */
const PACKING = ["package-contents", "package-lint", "package-use"];
const GATES = [...READING, ...RUNNING, ...PACKING];

const args = process.argv.slice(2);
/** Said to a process of this program's own: the gate that is named is run there, and its result sent. */
const APART = "--apart";
const fix = args.includes("--fix");
const wanted = args.filter((argument) => !argument.startsWith("--"));
const unknown = [
  ...wanted.filter((name) => !GATES.includes(name)),
  ...args.filter((argument) => argument.startsWith("--") && argument !== "--fix" && argument !== APART),
];
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(", ")}; the gates are ${GATES.join(", ")}, the only option is --fix`);
  process.exit(1);
}

/** Runs a gate here. */
async function runGate(name) {
  const started = Date.now();
  let result;
  try {
    const { gate } = await import(`./checks/${name}.mjs`);
    result = await gate.run({ root: ROOT, fix });
  } catch (error) {
    result = { problems: [`the gate itself failed: ${error.stack}`], note: "" };
  }
  return { name, seconds: (Date.now() - started) / 1000, ...result };
}

/** Runs a gate in a process of its own. */
function runGateApart(name) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [import.meta.filename, name, APART], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    let row;
    child.on("message", (message) => (row = message));
    child.on("error", (error) => resolve({ name, seconds: 0, problems: [error.message], note: "" }));
    child.on("close", (code, signal) =>
      resolve(row ?? { name, seconds: 0, problems: [`the gate itself ended with ${signal ?? code}`], note: "" }),
    );
  });
}

async function runAll(names, how) {
  const rows = [];
  for (const name of names) {
    const row = await how(name);
    for (const problem of row.problems) console.log(`${name}: ${problem}`);
    rows.push(row);
  }
  return rows;
}

if (args.includes(APART)) {
  process.send(await runGate(wanted[0]), () => process.disconnect());
  // Some tools leave an exit code behind that is not the gate's.
  await new Promise((resolve) => process.once("disconnect", resolve));
  process.exit(0);
}

const isWanted = (name) => wanted.length === 0 || wanted.includes(name);
const rows = fix
  ? await runAll(GATES.filter(isWanted), runGate)
  : [
      ...(await Promise.all([READING, RUNNING].map((names) => runAll(names.filter(isWanted), runGateApart)))).flat(),
      ...(await runAll(PACKING.filter(isWanted), runGateApart)),
    ];

console.log("");
for (const { name, seconds, note, problems } of rows) {
  const verdict = problems.length === 0 ? "ok" : `FAIL (${problems.length})`;
  console.log(`${name.padEnd(19)} ${verdict.padEnd(10)} ${seconds.toFixed(1).padStart(5)} s  ${note}`);
}
const failed = rows.filter(({ problems }) => problems.length > 0).length;
console.log(`${rows.length - failed} gates passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
