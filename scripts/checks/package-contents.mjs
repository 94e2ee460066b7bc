import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { BUNDLES } from "../bundle.mjs";
import { ENTRY_POINTS } from "../entry-points.mjs";
import { addonProblems } from "../package-files.mjs";
import { PREBUILDS } from "../prebuild-addons.mjs";
import { withPackage } from "./pack.mjs";

/** What every package holds: each of these must match something. */
const INTENDED = [
  /^package\.json$/,
  /^README\.md$/,
  /^LICENSE$/,
  /^(?:ARCHITECTURE|CHANGELOG|CONTRIBUTING)\.md$/,
  /^docs\/[\w/-]+\.(?:md|svg)$/,
  /^docs\/guide\/cli-json\.schema\.json$/,
  /^man\/shmkit\.1$/,
  /^completions\/(?:_shmkit|shmkit\.(?:bash|fish))$/,
  /^dist\/[\w/-]+\.d\.ts$/,
  /^dist\/(?:base|cli)\/[\w/-]+\.js(?:\.map)?$/,
  /^dist\/native\/(?:addon|contract)\.js(?:\.map)?$/,
  ...BUNDLES.map((path) => new RegExp(`^${path.replace(".", "\\.")}(?:\\.map)?$`)),
  ...ENTRY_POINTS.map(({ required }) => new RegExp(`^dist/bundle/${required}\\.(?:cjs|d\\.cts)$`)),
  /^dist\/vendor\/[\w-]+\/LICENSE$/,
  /^interop\/c\/shmkit_layout\.h$/,
  /^interop\/c\/example\/\w+\.c$/,
  /^interop\/python\/shmkit_layout\.py$/,
  /^interop\/python\/example\/\w+\.py$/,
  ...Object.keys(PREBUILDS).map((name) => new RegExp(`^prebuilds/${name}\\.node$`)),
];

/** A package of this size deserves a look. */
const LARGE_BYTES = 3 * 1024 * 1024;

/** Every file that the package's package.json points to. */
function entryPoints({ bin, man, main, types, exports, imports }) {
  const targets = [];
  const collect = (value) => {
    if (typeof value === "string") targets.push(posix.normalize(value));
    else for (const inner of Object.values(value)) collect(inner);
  };
  collect({ bin, man, main, types, exports, imports });
  return targets;
}

function missingSources(root, map, files) {
  const { sources, sourcesContent } = JSON.parse(readFileSync(join(root, map), "utf8"));
  return sources.filter((source, at) => {
    const inPackage = files.includes(posix.join(posix.dirname(map), source));
    return !inPackage && typeof sourcesContent?.[at] !== "string";
  });
}

/** Links of packed pages to files that are not packed. */
function deadLinks(root, files) {
  return files
    .filter((name) => name.endsWith(".md"))
    .flatMap((page) => {
      const targets = [...readFileSync(join(root, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(
        ([, to]) => to,
      );
      const dead = targets.filter((target) => !files.includes(posix.join(posix.dirname(page), target)));
      return dead.map((target) => `${page} leads to ${target}, which is not packed`);
    });
}

const kilobytes = (bytes) => `${Math.round(bytes / 1024)} KiB`;

export const gate = {
  name: "package-contents",
  run: ({ root }) =>
    withPackage(root, (_folder, _archive, { files, size, unpackedSize, staged }) => {
      const problems = addonProblems(staged, files);
      for (const path of files) {
        if (!INTENDED.some((pattern) => pattern.test(path))) problems.push(`packed without intention: ${path}`);
      }
      for (const pattern of INTENDED) {
        if (!files.some((path) => pattern.test(path))) problems.push(`the package has nothing like ${pattern.source}`);
      }
      for (const target of entryPoints(JSON.parse(readFileSync(join(staged, "package.json"), "utf8")))) {
        if (!files.includes(target)) problems.push(`package.json points to ${target}, which is not packed`);
      }
      for (const path of files.filter((name) => name.endsWith(".js") && !BUNDLES.includes(name))) {
        if (!files.includes(path.replace(/\.js$/, ".d.ts"))) problems.push(`${path} has no types`);
        if (!existsSync(join(root, path.replace(/^dist\//, "src/").replace(/\.js$/, ".ts")))) {
          problems.push(`${path} has no source`);
        }
      }
      for (const map of files.filter((name) => name.endsWith(".map"))) {
        for (const source of missingSources(root, map, files)) problems.push(`${map} points to ${source}, not packed`);
      }
      problems.push(...deadLinks(root, files));
      const large = unpackedSize > LARGE_BYTES ? " (large)" : "";
      return {
        problems,
        note: `${files.length} files, ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked${large}`,
      };
    }),
};
