import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

/** The checkout. */
export const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** What a gate answers. */
export interface GateResult {
  readonly problems: readonly string[];
  readonly note: string;
}

/** What the tests use of `scripts/`. */
interface Scripts {
  "checks/layers.mjs": {
    checkLayers: (source: string) => { modules: number; problems: string[] };
    checkBenchmarks: (folder: string) => string[];
  };
  "checks/api-report.mjs": { apiReport: (entry: string) => { names: number; text: string } };
  "checks/unused.mjs": { findUnused: (root: string) => { modules: number; problems: string[] } };
  "checks/error-codes.mjs": {
    checkErrorCodes: (codes: readonly string[], documentText: string, sources: readonly string[]) => string[];
  };
  "checks/seed-coverage.mjs": {
    checkSeedCoverage: (text: string, facts: object) => { problems: string[]; rows: number; planned: number };
  };
  "checks/names-and-paths.mjs": { checkText: (path: string, text: string) => string[] };
  "checks/api-docs.mjs": { gate: { run: (context: { root: string }) => GateResult } };
  "checks/tools.mjs": { gate: { run: (context: { root: string }) => GateResult } };
  "checks/doc-examples.mjs": { gate: { run: (context: { root: string }) => Promise<GateResult> } };
  "inline-dependencies.mjs": { inlinedFiles: readonly string[] };
  "package-files.mjs": { addonProblems: (root: string, files: readonly string[]) => string[] };
  "stage-package.mjs": { stagePackage: (root: string, folder: string) => void };
  "system-leftovers.mjs": {
    leftOfSystemV: (pid: number, before: ReadonlySet<string>) => string[];
    thereOfSystemV: () => ReadonlySet<string>;
  };
  "stale-outputs.mjs": { removeStaleOutputs: (root: string) => string[] };
}

/** A script of `scripts/`, as the tests use it. */
export async function load<Name extends keyof Scripts>(name: Name): Promise<Scripts[Name]> {
  return (await import(pathToFileURL(join(ROOT, "scripts", name)).href)) as Scripts[Name];
}

const folders: string[] = [];

/** A temporary folder with the files given as path → text. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-tooling-"));
  folders.push(folder);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
