import { generatorGate } from "./generator-gate.mjs";

export const gate = generatorGate(
  "generated-cli-pages",
  "scripts/generate-cli-pages.mjs",
  "manual page and completions from the table of commands",
);
