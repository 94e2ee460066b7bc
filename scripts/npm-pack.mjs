/**
 * `node scripts/npm-pack.mjs before|after`: what `npm pack` in a checkout does before and after it packs.
 *
 * Before: compiles the addons, makes sure that all of them would be packed, and puts the package's own package.json in the
 * place of the checkout's. After: puts the checkout's back. If npm fails in between or is killed, a process that waits for
 * its end does that; and if that is killed as well, whatever command is run next in the checkout.
 */
import { spawn } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { identityOf, isRunning, keptFor, putBack, putBackLeft, statOf } from "./kept-manifest.mjs";
import { packageFiles } from "./package-files.mjs";
import { packedManifestText } from "./packed-manifest.mjs";
import { addonsDue, CompilerMissing, prebuildAddons } from "./prebuild-addons.mjs";

const SELF = fileURLToPath(import.meta.url);
const ROOT = dirname(dirname(SELF));
const MANIFEST = join(ROOT, "package.json");

/** The npm that runs this: the first process above that was not started as its step. */
function npmAbove() {
  const isStep = (pid) => /npm_lifecycle_event=(?:pre|post)pack\0/.test(readFileSync(`/proc/${pid}/environ`, "latin1"));
  let pid = process.pid;
  while (isStep(pid)) pid = statOf(pid).parent;
  return identityOf(pid);
}

/** Puts the package's package.json in place in one step; the checkout's keeps its time, by which the build judges. */
function exchange() {
  const npm = npmAbove();
  const temporary = `${MANIFEST}.${process.pid}`;
  writeFileSync(temporary, packedManifestText(readFileSync(MANIFEST, "utf8")));
  linkSync(MANIFEST, keptFor(ROOT, npm));
  spawn(process.execPath, [SELF, "guard", npm], { detached: true, stdio: "ignore" }).unref();
  renameSync(temporary, MANIFEST);
}

function before() {
  mkdirSync(join(ROOT, "build"), { recursive: true });
  const [other] = putBackLeft(ROOT);
  if (other !== undefined)
    throw new Error(`another npm pack, process ${parseInt(other, 10)}, is at work in this checkout`);
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
  while (existsSync(keptFor(ROOT, npm)) && isRunning(npm)) await sleep(50);
  putBack(ROOT, npm);
}

const [step, npm] = process.argv.slice(2);
try {
  if (step === "before") before();
  else if (step === "after") putBack(ROOT, npmAbove());
  else if (step === "guard") await guard(npm);
  else throw new Error("usage: node scripts/npm-pack.mjs before|after");
} catch (error) {
  process.stderr.write(`shmkit: ${error.message}\n`);
  process.exitCode = 1;
}
