/** Loads the library with every mutation in it. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { LoadHook } from "node:module";
import { isKept, isMutated, keptAs, readSource } from "./mutated-files.js";

/** Compiles a file and keeps the result: the compiler takes longer to load than the library. */
async function compile(file: string): Promise<void> {
  const { default: ts } = await import("typescript");
  const { mutate } = await import("./sites.js");
  const { outputText } = ts.transpileModule(mutate(file, readSource(file)).source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  const kept = keptAs(file);
  mkdirSync(new URL(".", kept), { recursive: true });
  // At once, since other processes may read it.
  const temporary = new URL(`${kept.href}.${process.pid}`);
  writeFileSync(temporary, outputText);
  renameSync(temporary, kept);
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const [, module] = /\/dist\/(.*)\.js$/.exec(url) ?? [];
  const file = `src/${module}.ts`;
  if (module === undefined || !isMutated(file)) return nextLoad(url, context);
  if (!isKept(file)) await compile(file);
  return { format: "module", source: readFileSync(keptAs(file), "utf8"), shortCircuit: true };
};
