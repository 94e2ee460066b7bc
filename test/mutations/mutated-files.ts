/** Which files of the library are mutated, and where their mutated form is kept. */
import { readFileSync, statSync } from "node:fs";

const ROOT = new URL("../../../", import.meta.url);

/** What works on shared memory, and the command that holds a lock; `words.ts` is what is replaced. */
const MUTATED = /^src\/((members|locking|heap|channels|values|sync|region)\/.*|cli\/commands\/lock)\.ts$/;

/** By its path from the root of the project. */
export const isMutated = (file: string): boolean => MUTATED.test(file);

export const SOURCES = new URL("src/", ROOT);
export const readSource = (file: string): string => readFileSync(new URL(file, ROOT), "utf8");

/** Its mutated form, to be kept beside everything else that is built. */
export const keptAs = (file: string): URL => new URL(`build/mutated/${file.replace(/\.ts$/, ".js")}`, ROOT);

const changedAt = (file: URL): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;

/** Whether that is newer than the source and than the rules. */
export function isKept(file: string): boolean {
  const made = changedAt(keptAs(file));
  const makers = ["sites.js", "rules.js", "hook.js"].map((name) => new URL(name, import.meta.url));
  return [new URL(file, ROOT), ...makers].every((one) => changedAt(one) < made);
}
