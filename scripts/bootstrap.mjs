/**
 * `node scripts/bootstrap.mjs COMMAND [arguments]`: sets a checkout up as far as needed, then goes.
 *
 * It has no dependencies because it installs them. Every step is skipped when its result is current, and says one line
 * when it is not. Bootstraps of the same checkout take turns, so that two terminals can start at once.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, connect } from "node:net";
import { homedir, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.mjs";
import { inlineDependencies } from "./inline-dependencies.mjs";
import { putBackLeft } from "./kept-manifest.mjs";
import { removeStaleOutputs } from "./stale-outputs.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const MINIMUM_NODE = [20, 19];
const TYPESCRIPT = join(ROOT, "node_modules/typescript/bin/tsc");

/** What each command runs once the checkout is set up; nothing for `build`. */
const COMMANDS = {
  start: (args) => ["dist/cli/main.js", "demo", ...args],
  test: (args) => ["scripts/run-tests.mjs", ...args],
  check: (args) => ["scripts/check.mjs", ...args],
  build: () => undefined,
  bench: (args) => ["build/benchmarks/main.js", ...args],
  crash: (args) => ["build/test/crash/main.js", ...args],
  fuzz: (args) => ["build/test/fuzz/main.js", ...args],
  docs: (args) => ["node_modules/typedoc/bin/typedoc", ...args],
  matrix: (args) => ["build/test/matrix/main.js", ...args],
  conformance: (args) => ["build/test/conformance/main.js", ...args],
  prebuilds: (args) => ["scripts/prebuild-addons.mjs", ...args],
  prepack: () => ["scripts/npm-pack.mjs", "before"],
};

class SetupFailure extends Error {}

/** The children that signals are forwarded to. */
const running = new Set();

function forwardSignals() {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      if (running.size === 0) process.exit(128 + { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }[signal]);
      // A terminal sends Ctrl-C to the whole foreground group: the child has it already.
      if (signal === "SIGINT" && process.stdin.isTTY) return;
      endRunning(signal);
    });
  }
}

function endRunning(signal) {
  for (const child of running) child.kill(signal);
}

/** Descriptor of the listening socket that is this process's turn, see {@link takeTurn}. */
let turn;

/**
 * Runs a program to its end. A `quiet` one is a step of the set-up: what it says is captured, and it inherits the turn,
 * which lasts until it has ended even when this process is killed.
 */
function run(command, args, { quiet = false, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      env,
      stdio: quiet ? ["ignore", "pipe", "pipe", turn ?? "ignore"] : "inherit",
    });
    running.add(child);
    let output = "";
    child.stdout?.on("data", (chunk) => (output += chunk));
    child.stderr?.on("data", (chunk) => (output += chunk));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve({ code, signal, output });
    });
  });
}

async function runStep(title, command, args, options) {
  say(title);
  const { code, signal, output } = await run(command, args, { quiet: true, ...options });
  if (code === 0) return;
  if (signal !== null) endLike(code, signal);
  throw new SetupFailure(`${title}: failed (${code})\n${output.trimEnd()}`);
}

function say(line) {
  process.stderr.write(`shmkit: ${line}\n`);
}

/** Ends this process as its child ended. */
function endLike(code, signal) {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // A signal that this process survives (it was blocked or ignored on entry) still must not read as success.
  setTimeout(() => process.exit(1), 1000);
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > MINIMUM_NODE[0] || (major === MINIMUM_NODE[0] && minor >= MINIMUM_NODE[1])) return;
  throw new SetupFailure(`Node ${MINIMUM_NODE.join(".")} or later is needed, this is ${process.versions.node}`);
}

/** Node shows a server's descriptor nowhere else; without it only the turn of a killed bootstrap ends early. */
function descriptorOf(server) {
  const descriptor = server._handle?.fd;
  return Number.isInteger(descriptor) && descriptor >= 0 ? descriptor : undefined;
}

/**
 * Waits for its turn in this checkout and returns the function that ends it.
 *
 * The turn is a listening socket in Linux's abstract namespace, which the kernel closes with its last holder: unlike a
 * lock file it cannot be left behind. Systems without such names go on without a turn.
 */
async function takeTurn() {
  if (process.platform !== "linux") return () => {};
  const path = `\0shmkit-bootstrap-${createHash("sha256").update(ROOT).digest("hex").slice(0, 32)}`;
  for (let told = false; ; told = true) {
    const server = createServer();
    const taken = await new Promise((resolve, reject) => {
      server.once("listening", () => resolve(true));
      server.once("error", (/** @type {NodeJS.ErrnoException} */ error) =>
        error.code === "EADDRINUSE" ? resolve(false) : reject(error),
      );
      server.listen(path);
    });
    if (taken) {
      const waiters = new Set();
      server.on("connection", (socket) => waiters.add(socket.on("error", () => {})));
      server.unref();
      turn = descriptorOf(server);
      return () => {
        turn = undefined;
        server.close();
        for (const socket of waiters) socket.destroy();
      };
    }
    if (!told) say("waiting for another set-up of this checkout");
    await new Promise((resolve) => {
      const socket = connect(path);
      socket.on("error", () => {});
      socket.on("close", resolve);
      socket.resume();
    });
  }
}

function isWritable(path) {
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(at) || at === dirname(at)) {
      try {
        accessSync(at, constants.W_OK);
        return true;
      } catch {
        return false;
      }
    }
  }
}

/** Installs exactly what the lock file says, unless that is what is there. */
async function installPackages() {
  const stampPath = join(ROOT, "node_modules/.shmkit-install");
  const stamp = createHash("sha256")
    .update(readFileSync(join(ROOT, "package-lock.json")))
    .digest("hex");
  if (existsSync(stampPath) && readFileSync(stampPath, "utf8") === stamp) return;
  const env = { ...process.env };
  // An ordinary user may have no home directory (`nobody`): npm then needs somewhere else for its cache.
  let temporaryCache;
  if (!isWritable(env.npm_config_cache ?? join(homedir(), ".npm"))) {
    temporaryCache = mkdtempSync(join(tmpdir(), "shmkit-npm-"));
    env.npm_config_cache = temporaryCache;
  }
  // No package here needs an install script or an optional (native) part: the compiler and the checks are JavaScript.
  const options = ["--ignore-scripts", "--include=dev", "--omit=optional", "--no-audit", "--no-fund"];
  try {
    await runStep("installing packages", "npm", ["ci", ...options, "--no-update-notifier", "--loglevel=error"], {
      env,
    });
  } catch (error) {
    if (error.code === "ENOENT") throw new SetupFailure("npm is needed to install packages and is not on the PATH");
    throw error;
  } finally {
    if (temporaryCache !== undefined) rmSync(temporaryCache, { recursive: true, force: true });
  }
  writeFileSync(stampPath, stamp);
}

function isOnPath(program) {
  return (process.env.PATH ?? "").split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return directory !== "";
    } catch {
      return false;
    }
  });
}

/** The addon needs a C compiler with the C library's headers. */
async function ensureCompiler() {
  if (process.env.CC !== undefined || isOnPath("cc")) return;
  const packages = ["gcc", "libc6-dev"];
  if (process.getuid?.() !== 0 || !isOnPath("apt-get")) {
    throw new SetupFailure(
      `a C compiler is needed and "cc" is not on the PATH: install the package gcc with the C library's headers ` +
        `(Debian, Ubuntu: apt-get install ${packages.join(" ")}; Fedora: dnf install gcc; Alpine: apk add gcc musl-dev)`,
    );
  }
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const install = ["install", "-q", "-y", "--no-install-recommends", ...packages];
  say(`no C compiler: installing ${packages.join(" and ")}`);
  if ((await run("apt-get", install, { quiet: true, env })).code !== 0) {
    // The machine's list of packages may be missing or out of date.
    await runStep("updating the list of system packages", "apt-get", ["update", "-q"], { env });
    await runStep(`installing ${packages.join(" and ")}`, "apt-get", install, { env });
  }
  if (!isOnPath("cc")) throw new SetupFailure(`${packages.join(" and ")} are installed and "cc" is still missing`);
}

async function buildAddon() {
  const addon = await import("./build-addon.mjs");
  const started = Date.now();
  let path;
  try {
    path = addon.buildAddon({ root: ROOT });
  } catch (error) {
    throw new SetupFailure(error.message);
  }
  if (statSync(path).mtimeMs >= started) say("compiled the addon");
}

/** TypeScript's own incremental build decides what is current. */
async function compile(project) {
  const { code, signal, output } = await run(process.execPath, [TYPESCRIPT, "-b", project], { quiet: true });
  if (signal !== null) endLike(code, signal);
  if (code !== 0) throw new SetupFailure(`TypeScript does not compile\n${output.trimEnd()}`);
}

/** Builds everything, two things at a time: the compiler of TypeScript, which takes longest, uses one core. */
async function build(command) {
  await ensureCompiler();
  removeStaleOutputs(ROOT);
  inlineDependencies(ROOT);
  await Promise.all([compile("tsconfig.src.json"), buildAddon()]);
  // `start` needs no tests.
  await Promise.all([command === "start" ? undefined : compile("tsconfig.json"), bundle(ROOT)]);
}

async function main() {
  const [command, ...args] = process.argv.slice(2);
  if (!Object.hasOwn(COMMANDS, command ?? "")) {
    throw new SetupFailure(`usage: node scripts/bootstrap.mjs ${Object.keys(COMMANDS).join("|")} [arguments]`);
  }
  checkNode();
  forwardSignals();
  const endTurn = await takeTurn();
  putBackLeft(ROOT);
  await installPackages();
  await build(command);
  endTurn();
  const program = COMMANDS[command](args);
  if (program === undefined) return;
  const { code, signal } = await run(process.execPath, program);
  endLike(code, signal);
}

try {
  await main();
} catch (error) {
  endRunning("SIGKILL");
  if (!(error instanceof SetupFailure)) throw error;
  say(error.message);
  process.exit(1);
}
