/**
 * `node build/test/matrix/documents.js ROOT [--check]`: writes the tables of platforms in README.md and the guide from the
 * committed results. `--check` writes nothing and names what differs.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { blocksIn, writeOrCompare } from "../../benchmarks/generated-documents.js";
import type { Results } from "./results.js";
import { detailsOf, summaryOf } from "./table.js";

const RESULTS = "test/matrix/results/linux-x64.json";

const [root, option] = process.argv.slice(2);
if (root === undefined || (option !== undefined && option !== "--check"))
  throw new Error("usage: documents.js ROOT [--check]");
const results = JSON.parse(readFileSync(join(root, RESULTS), "utf8")) as Results;
const files = new Map([
  ["README.md", blocksIn(root, "README.md", { platforms: summaryOf(results) })],
  ["docs/guide/platforms.md", blocksIn(root, "docs/guide/platforms.md", { platforms: detailsOf(results) })],
]);
const advice = `differs from ${RESULTS}; npm run check -- platform-tables --fix`;
const problems = writeOrCompare(root, files, option === "--check", advice);
for (const problem of problems) console.log(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
