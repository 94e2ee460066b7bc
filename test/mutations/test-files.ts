/** Test files that look for mutations in processes as they are, with their doorbells and clocks. */
import { spawn, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { removeLeftovers, tokenOf } from "../helpers/leftovers.js";
import type { Kill } from "./killers.js";

/** In order of cheapness. What is killed at chance moments is not among them: it would find now this, now that. */
export const TEST_FILES: readonly string[] = [
  "20-objects-by-name",
  "20-objects-closed",
  "21-composite",
  "20-region-by-name",
  "20-pipe-statistics",
  "20-pipe-messages",
  "20-pipe-leases",
  "20-pipe-waiting",
  "20-pipe-end",
  "20-pipe-process",
  "50-stops",
  "50-exchange",
  "50-interruptions",
  "20-region-outside",
  "20-region-growth",
  "20-region-rights",
  "20-region-views",
  "20-region-lifetimes",
  "20-region-runtime",
  "50-calls",
  "21-event",
  "21-once",
  "21-barrier",
  "21-rate-limiter",
  "21-condition",
  "21-semaphore",
  "21-rwlock",
  "21-mutex",
  "21-deadlock",
  "21-locks",
  "21-locks-processes",
  "22-segment-pool",
  "30-region-files",
  "60-cli-lock",
];

/** The test files about the file of a mutation: what members synchronise by has its own, by name if there is one. */
export function testFilesFor(key: string, files: readonly string[] = TEST_FILES): readonly string[] {
  const [, layer, stem] = /^src\/(\w+)\/(?:commands\/)?(\w+)/.exec(key) ?? [];
  if (/\/(segment-pool|pooled-segment|transfer\/)/.test(key)) return ["22-segment-pool"];
  if (/\/(object-plan|parts?|composite)\.ts /.test(key)) return ["21-composite"];
  if (/\/disk-state/.test(key)) return ["30-region-files"];
  if (layer === "cli") return files.filter((file) => file === `60-cli-${stem}`);
  if (layer !== "sync") return files.filter((file) => !/^(2[12]|30|60)-/.test(file) || file === "21-composite");
  const named = files.filter((file) => file.startsWith(`21-${stem}`));
  return named.length > 0 ? named : files.filter((file) => file.startsWith("21-"));
}
const WATCHDOG_MS = 180_000;
/** Of the first test that failed, as the runner prints it. */
const FAILED = /^\s*✖ (?!failing tests)(.*?)(?: \([\d.]+ms\))?$/m;

const REGISTER = new URL("register.js", import.meta.url).href;

let running: ChildProcess | undefined;

/** Ends it with everything it started. */
export function endTestFile(): void {
  try {
    if (running !== undefined) process.kill(-running.pid!, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Runs a file with a mutation on in each of its processes; what is wrong then. */
function run(file: string, key: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const token = tokenOf("tests");
    const child = spawn(process.execPath, [fileURLToPath(new URL(`../${file}.test.js`, import.meta.url))], {
      detached: true,
      stdio: ["ignore", "pipe", "ignore"],
      env: {
        ...process.env,
        NODE_OPTIONS: `--conditions=shmkit-modules --import ${REGISTER}`,
        SHMKIT_MUTATION: key,
        SHMKIT_TEST_TOKEN: token,
      },
    });
    running = child;
    let output = "";
    let hangs = false;
    const watchdog = setTimeout(() => {
      hangs = true;
      endTestFile();
    }, WATCHDOG_MS);
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.on("exit", (code) => {
      clearTimeout(watchdog);
      endTestFile();
      running = undefined;
      const left = removeLeftovers(token);
      if (hangs) resolve("does not come to an end: the watchdog ended it");
      else if (code !== 0) resolve(FAILED.exec(output)?.[1] ?? "ends with an error");
      else resolve(left.length > 0 ? "leaves something in /dev/shm" : undefined);
    });
  });
}

/** Tries a mutation with one file after the other. */
export async function runTestFiles(files: readonly string[], key: string): Promise<Kill | undefined> {
  for (const file of files) {
    const message = await run(file, key);
    if (message !== undefined) return { by: `test ${file}`, message };
  }
  return undefined;
}
