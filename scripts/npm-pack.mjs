/**
 * `node scripts/npm-pack.mjs before|after`: what `npm pack` in a checkout does before and after it packs.
 *
 * Before: compiles the addons, makes sure that all of them would be packed, and puts the package's own package.json in the
 * place of the checkout's. After: puts the checkout's back. If npm fails in between or is killed, a process that waits for
 * its end does that.
 */
import { spawn } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { packageFiles } from "./package-files.mjs";
import { packedManifestText } from "./packed-manifest.mjs";
import { addonsDue, CompilerMissing, prebuildAddons } from "./prebuild-addons.mjs";

const SELF = fileURLToPath(import.meta.url);
const ROOT = dirname(dirname(SELF));
const MANIFEST = join(ROOT, "package.json");
/** The checkout's package.json while npm packs, with the process id of that npm behind it. */
const KEPT = join(ROOT, "build/package.json.");

/** The npm that runs this: the first process above that was not started as its step. */
function npmAbove() {
  const isStep = (pid) => /npm_lifecycle_event=(?:pre|post)pack\0/.test(readFileSync(`/proc/${pid}/environ`, "latin1"));
  // Behind the program's name, which may contain anything: state, then the parent.
  const parentOf = (pid) => Number(/.*\) \S+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))[1]);
  let pid = process.pid;
  while (isStep(pid)) pid = parentOf(pid);
  return pid;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "EPERM";
  }
}

function putBack(npm) {
  const kept = `${KEPT}${npm}`;
  if (!existsSync(kept)) return;
  try {
    renameSync(kept, MANIFEST);
  } catch (error) {
    // Whoever else puts it back was faster.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error;
  }
  // Two names of one file, when npm was killed before the exchange, are left as they are by a rename.
  rmSync(kept, { force: true });
}

/** One at a time. What an npm left behind that was killed together with the process that waits for its end is put back. */
function refuseOthers() {
  const names = readdirSync(dirname(KEPT)).filter((name) => name.startsWith(basename(KEPT)));
  for (const npm of names.map((name) => Number(name.slice(basename(KEPT).length)))) {
    if (isAlive(npm)) throw new Error(`another npm pack, process ${npm}, is at work in this checkout`);
    putBack(npm);
  }
}

/** Puts the package's package.json in place in one step; the checkout's keeps its time, by which the build judges. */
function exchange() {
  const npm = npmAbove();
  const temporary = `${MANIFEST}.${process.pid}`;
  writeFileSync(temporary, packedManifestText(readFileSync(MANIFEST, "utf8")));
  linkSync(MANIFEST, `${KEPT}${npm}`);
  spawn(process.execPath, [SELF, "guard", `${npm}`], { detached: true, stdio: "ignore" }).unref();
  renameSync(temporary, MANIFEST);
}

function before() {
  mkdirSync(dirname(KEPT), { recursive: true });
  refuseOthers();
  const isDryRun = process.env.npm_config_dry_run === "true";
  try {
    prebuildAddons(ROOT, { mayInstall: !isDryRun });
    packageFiles(ROOT);
  } catch (error) {
    if (!(error instanceof CompilerMissing)) throw error;
    const due = addonsDue(ROOT).map((name) => `prebuilds/${name}.node`);
    process.stderr.write(
      `shmkit: a dry run installs no compiler, so these are missing below or old: ${due.join(", ")}\n` +
        `shmkit: npm run prebuilds compiles them, with a compiler from npm (400 MB)\n`,
    );
  }
  exchange();
}

async function guard(npm) {
  while (existsSync(`${KEPT}${npm}`) && isAlive(npm)) await sleep(50);
  putBack(npm);
}

const [step, npm] = process.argv.slice(2);
try {
  if (step === "before") before();
  else if (step === "after") putBack(npmAbove());
  else if (step === "guard") await guard(Number(npm));
  else throw new Error("usage: node scripts/npm-pack.mjs before|after");
} catch (error) {
  process.stderr.write(`shmkit: ${error.message}\n`);
  process.exitCode = 1;
}
