import { documentsGate } from "./compiled-documents.mjs";

export const gate = documentsGate(
  "benchmark-figures",
  "benchmarks/documents.js",
  "tables and plots from benchmarks/results",
);
