/** Loads the library with every mutation in it. */
import type { LoadHook } from "node:module";
import ts from "typescript";
import { isMutated, mutate, readSource } from "./sites.js";

export const load: LoadHook = (url, context, nextLoad) => {
  const [, module] = /\/dist\/(.*)\.js$/.exec(url) ?? [];
  const file = `src/${module}.ts`;
  if (module === undefined || !isMutated(file)) return nextLoad(url, context);
  const { source } = mutate(file, readSource(file));
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  });
  return { format: "module", source: outputText, shortCircuit: true };
};
