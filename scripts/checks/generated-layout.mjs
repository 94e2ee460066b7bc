import { generatorGate } from "./generator-gate.mjs";

export const gate = generatorGate(
  "generated-layout",
  "scripts/generate-layout.mjs",
  "header, constants and tables from src/layout",
);
