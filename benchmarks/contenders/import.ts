/** `node import.js PACKAGE`: how long the first import of a package takes in a process that has just begun. */
import { requireForeign } from "./foreign.js";
import { parseRun } from "./run.js";

const { role } = parseRun();
const before = performance.now();
const loaded = (role === "shmkit" ? await import("shmkit") : requireForeign(role)) as Record<string, unknown>;
const value = (performance.now() - before) * 1e6;
process.stdout.write(`${JSON.stringify({ value, checked: Object.keys(loaded).length })}\n`);
