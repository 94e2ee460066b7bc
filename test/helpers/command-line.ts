/** The command line that the long-running instruments share. */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runFacts } from "./run-facts.js";

/** What a command was told. */
export interface CommandLine {
  readonly seconds: number | undefined;
  readonly seed: number;
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** A number among the options; anything else ends the command. */
export function wholeNumber(text: string, option: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    fail(`--${option} must be a whole number from ${least} on, not ${JSON.stringify(text)}`);
  return value;
}

function fail(message: string): never {
  console.error(`${message}; --help lists the options`);
  process.exit(2);
}

/** Reads the options; prints `help` and ends when asked to. A seed that is not given is chosen. */
export function readCommandLine(help: string, more: readonly string[]): CommandLine {
  const names = ["seconds", "seed", "json", ...more];
  const options = Object.fromEntries(names.map((name) => [name, { type: "string" as const }]));
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({ options: { ...options, help: { type: "boolean", short: "h" } } }));
  } catch (error) {
    fail((error as Error).message);
  }
  if (values["help"] === true) {
    console.log(help);
    process.exit(0);
  }
  const texts = values as Record<string, string | undefined>;
  return {
    seconds: texts["seconds"] === undefined ? undefined : wholeNumber(texts["seconds"], "seconds", 1),
    seed: texts["seed"] === undefined ? 1 + Math.floor(Math.random() * 999_999) : wholeNumber(texts["seed"], "seed", 0),
    values: texts,
  };
}

/** Writes a report where the command line asks for one, with where it comes from. */
export function writeReport({ values, seed }: CommandLine, report: object): void {
  if (values["json"] === undefined) return;
  const all = { ...runFacts(), date: new Date().toISOString(), seed, ...report };
  writeFileSync(values["json"], `${JSON.stringify(all, undefined, 2)}\n`);
}

/** Aborts at Ctrl-C, so that whoever runs can end what it started; a second one ends at once. */
export function abortAtSignals(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.once(signal, () => controller.abort(new Error(signal)));
  return controller.signal;
}

/** One line that is written again and again on a terminal, and nothing elsewhere. */
export function progressLine(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}
