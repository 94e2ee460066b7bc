import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, posix } from "node:path";
import ts from "typescript";
import { ENTRY_POINTS } from "../entry-points.mjs";
import { ALIASES, FACES, LAYERS } from "../layers.mjs";
import { sourceFiles } from "./source-files.mjs";

const DIAGRAM = { file: "ARCHITECTURE.md", begin: "<!-- layers: begin -->", end: "<!-- layers: end -->" };

const RANKS = new Map(LAYERS.map(({ name }, rank) => [name, rank]));
for (const { name } of FACES) RANKS.set(name, LAYERS.length);

/** Path in `src/` that `specifier`, written in `module`, stands for; undefined for packages and Node's own modules. */
function target(module, specifier) {
  if (Object.hasOwn(ALIASES, specifier)) return ALIASES[specifier];
  if (specifier.startsWith("#src/")) return specifier.slice("#src/".length);
  if (!specifier.startsWith(".")) return undefined;
  return posix.join(posix.dirname(module), specifier);
}

/** Name of the layer or face that holds a path in `src/`. */
function layerOf(path) {
  return path.split("/")[0].replace(/\.js$/, ".ts");
}

/** Reads every import of every module in `source`; answers how many modules there are and which imports are wrong. */
export function checkLayers(source) {
  const modules = sourceFiles(source).filter((name) => name.endsWith(".ts"));
  const problems = [];
  for (const module of modules) {
    const own = layerOf(module);
    if (!RANKS.has(own)) {
      problems.push(`src/${module}: "${own}" is no layer of scripts/layers.mjs`);
      continue;
    }
    const { importedFiles } = ts.preProcessFile(readFileSync(join(source, module), "utf8"), true, true);
    for (const { fileName: specifier } of importedFiles) {
      if (specifier === "shmkit") problems.push(`src/${module}: imports the package by its own name`);
      const path = target(module, specifier);
      if (path === undefined) continue;
      const other = layerOf(path);
      if (other === "..") problems.push(`src/${module}: "${specifier}" lies outside src/`);
      else if (!RANKS.has(other)) problems.push(`src/${module}: "${specifier}" is in no layer`);
      else if (RANKS.get(other) > RANKS.get(own))
        problems.push(`src/${module}: ${own} imports the higher layer ${other}`);
      else if (RANKS.get(other) === LAYERS.length && other !== own) {
        problems.push(`src/${module}: the face ${own} imports the face ${other}`);
      }
    }
  }
  return { modules: modules.length, problems: [...new Set(problems)] };
}

/** A mermaid block: each layer may import what its arrow leads to and everything below. */
function drawLayers() {
  const node = ({ name, about }, at) => `  ${at}["<b>${name}</b><br/>${about}"]`;
  const lines = ["```mermaid", "flowchart TD"];
  FACES.forEach((face, at) => lines.push(node(face, `face${at}`)));
  LAYERS.forEach((layer, at) => lines.push(node(layer, `layer${at}`)));
  FACES.forEach((_, at) => lines.push(`  face${at} --> layer${LAYERS.length - 1}`));
  for (let at = LAYERS.length - 1; at > 0; at -= 1) lines.push(`  layer${at} --> layer${at - 1}`);
  lines.push("```");
  return lines.join("\n");
}

/** Holds the diagram against the list; writes it when `fix` is set. */
function checkDiagram(root, fix) {
  const path = join(root, DIAGRAM.file);
  if (!existsSync(path)) return [`${DIAGRAM.file} is missing`];
  const text = readFileSync(path, "utf8");
  const [from, to] = [text.indexOf(DIAGRAM.begin), text.indexOf(DIAGRAM.end)];
  if (from < 0 || to < from) return [`${DIAGRAM.file} has no place for the diagram: ${DIAGRAM.begin} ${DIAGRAM.end}`];
  const wanted = `${text.slice(0, from)}${DIAGRAM.begin}\n\n${drawLayers()}\n\n${text.slice(to)}`;
  if (text === wanted) return [];
  if (!fix) return [`${DIAGRAM.file}: the diagram differs from scripts/layers.mjs; npm run check -- layers --fix`];
  writeFileSync(path, wanted);
  return [];
}

const PUBLIC = ENTRY_POINTS.map(({ subpath }) => `shmkit${subpath}`);

/** Benchmarks see what users see: the package by the names of its entry points, and each other. */
export function checkBenchmarks(folder) {
  const modules = sourceFiles(folder).filter((name) => name.endsWith(".ts"));
  const problems = [];
  for (const module of modules) {
    const { importedFiles } = ts.preProcessFile(readFileSync(join(folder, module), "utf8"), true, true);
    for (const { fileName: specifier } of importedFiles) {
      const outside = specifier.startsWith(".") && posix.join(posix.dirname(module), specifier).startsWith("..");
      const inner = specifier.startsWith("#") || (specifier.startsWith("shmkit/") && !PUBLIC.includes(specifier));
      if (outside || inner) problems.push(`benchmarks/${module}: "${specifier}" is no public entry point`);
    }
  }
  return problems;
}

/** Violations that must be found, as path, content and a part of the answer. */
const PLANTED = [
  ["base/planted.ts", 'import "../region/region.js";', "base imports the higher layer region"],
  [
    "native/planted.ts",
    'export type T = typeof import("../memory/words.js");',
    "native imports the higher layer memory",
  ],
  ["layout/planted.ts", 'export * from "#words";', "layout imports the higher layer memory"],
  ["cli/planted.ts", 'await import("../inspector/x.js");', "the face cli imports the face inspector"],
  ["nowhere/planted.ts", "export {};", "is no layer"],
];

/** A check that finds nothing may be a check that reads nothing: plants violations in a copy and expects each. */
function provesItself(source) {
  const copy = mkdtempSync(join(tmpdir(), "shmkit-layers-"));
  try {
    cpSync(source, copy, { recursive: true });
    for (const [path, content] of PLANTED) {
      mkdirSync(dirname(join(copy, path)), { recursive: true });
      writeFileSync(join(copy, path), content);
    }
    const { problems } = checkLayers(copy);
    return PLANTED.filter(([path, , answer]) => {
      return !problems.some((problem) => problem.startsWith(`src/${path}:`) && problem.includes(answer));
    }).map(([path, , answer]) => `the planted violation was not found: src/${path}: ${answer}`);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

export const gate = {
  name: "layers",
  run({ root, fix }) {
    const source = join(root, "src");
    const { modules, problems } = checkLayers(source);
    if (modules === 0) problems.push("no module was read");
    problems.push(...provesItself(source), ...checkDiagram(root, fix), ...checkBenchmarks(join(root, "benchmarks")));
    return { problems, note: `${modules} modules, ${PLANTED.length} planted violations found` };
  },
};
