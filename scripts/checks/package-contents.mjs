import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { BUNDLE } from "../bundle.mjs";

/** What every package holds: each of these must match something. */
const INTENDED = [
  /^package\.json$/,
  /^README\.md$/,
  /^LICENSE$/,
  /^CHANGELOG\.md$/,
  /^docs\/[\w/-]+\.(?:md|svg)$/,
  /^docs\/guide\/cli-json\.schema\.json$/,
  /^man\/shmkit\.1$/,
  /^completions\/(?:_shmkit|shmkit\.(?:bash|fish))$/,
  /^dist\/[\w/-]+\.d\.ts$/,
  /^dist\/(?:base|cli)\/[\w/-]+\.js(?:\.map)?$/,
  /^dist\/bundle\/(?:shmkit\.js(?:\.map)?|require\.(?:cjs|d\.cts))$/,
  /^dist\/vendor\/[\w-]+\/LICENSE$/,
];

/** What a release adds: the addons of all platforms, built elsewhere. */
const ADDED = [/^prebuilds\/[\w-]+\.node$/];

/** A package of this size deserves a look. */
const LARGE_BYTES = 3 * 1024 * 1024;

function packedFiles(root) {
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts", "--loglevel=error", "--logs-max=0"];
  const { status, stdout, stderr, error } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
  if (error) throw error;
  if (status !== 0) throw new Error(`npm pack: ${stderr}`);
  const parsed = JSON.parse(stdout);
  return Array.isArray(parsed) ? parsed[0] : Object.values(parsed)[0];
}

/** Every file that package.json points users to; the library's modules, of which the bundle is made, stay in the checkout. */
function entryPoints({ bin, man, exports, imports }) {
  const targets = [];
  const collect = (value) => {
    if (typeof value === "string") targets.push(posix.normalize(value));
    else for (const [condition, inner] of Object.entries(value)) if (!condition.startsWith("shmkit-")) collect(inner);
  };
  collect({ bin, man, exports, "#shmkit": imports["#shmkit"] });
  return targets;
}

function missingSources(root, map, files) {
  const { sources, sourcesContent } = JSON.parse(readFileSync(join(root, map), "utf8"));
  return sources.filter((source, at) => {
    const inPackage = files.includes(posix.join(posix.dirname(map), source));
    return !inPackage && typeof sourcesContent?.[at] !== "string";
  });
}

export const gate = {
  name: "package-contents",
  run({ root }) {
    const { files: entries, size, unpackedSize } = packedFiles(root);
    const files = entries.map(({ path }) => path);
    const problems = [];
    for (const path of files) {
      if (![...INTENDED, ...ADDED].some((pattern) => pattern.test(path)))
        problems.push(`packed without intention: ${path}`);
    }
    for (const pattern of INTENDED) {
      if (!files.some((path) => pattern.test(path))) problems.push(`the package has nothing like ${pattern.source}`);
    }
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const target of entryPoints(manifest)) {
      if (!files.includes(target)) problems.push(`package.json points to ${target}, which is not packed`);
    }
    for (const path of files.filter((name) => name.endsWith(".js") && name !== BUNDLE)) {
      if (!files.includes(path.replace(/\.js$/, ".d.ts"))) problems.push(`${path} has no types`);
      if (!existsSync(join(root, path.replace(/^dist\//, "src/").replace(/\.js$/, ".ts")))) {
        problems.push(`${path} has no source`);
      }
    }
    for (const map of files.filter((name) => name.endsWith(".map"))) {
      for (const source of missingSources(root, map, files)) problems.push(`${map} points to ${source}, not packed`);
    }
    const kilobytes = (bytes) => `${Math.round(bytes / 1024)} KiB`;
    const large = unpackedSize > LARGE_BYTES ? " (large)" : "";
    return {
      problems,
      note: `${files.length} files, ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked${large}`,
    };
  },
};
