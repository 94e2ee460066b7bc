/** proper-lockfile: a lock is a folder beside a file. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { requireForeign } from "./foreign.js";
import { Latencies, parseRun, wrong } from "./run.js";

interface LockFile {
  lock(file: string): Promise<() => Promise<void>>;
  lockSync(file: string): () => void;
  checkSync(file: string): boolean;
}
const lockFile = requireForeign("proper-lockfile") as LockFile;

const BATCH = 8;
const run = parseRun();
const file = join(run.folder, "locked");
writeFileSync(file, "");

const latencies = new Latencies(run);
let count = 0;
while (latencies.next()) {
  if (run.role === "sync") for (let i = 0; i < BATCH; i++, count++) lockFile.lockSync(file)();
  else for (let i = 0; i < BATCH; i++, count++) await (await lockFile.lock(file))();
  latencies.add(BATCH);
}
if (lockFile.checkSync(file)) wrong("the lock", "taken", "free");
latencies.report(count);
