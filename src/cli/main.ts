#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { ABOUT, columns, helpOf, parse, split } from "./command.js";
import { allCommands, COMMANDS } from "./command-table.js";
import { BrokenPipe, errorJson, errorLine, EXIT_CODES, exitCodeOf, Interrupted, usageError } from "./exit-codes.js";
import { Terminal } from "./terminal.js";

const ending = new AbortController();

/** Whether the command that runs passes signals on to a program, however many come. */
let passesSignals = false;
/** Whether an error is told as JSON. */
let wantsJson = false;

/** Ctrl-C and its like end every wait, so that commands close what they opened; the second one ends the process. */
function watchSignals(): void {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      // Who is impatient; but what holds a lock for a program holds it until that has ended.
      if (ending.signal.aborted && !passesSignals) process.exit(128 + constants.signals[name]);
      ending.abort(new Interrupted(name));
    });
  }
}

const terminal = new Terminal(ending.signal, (error) => {
  ending.abort((error as NodeJS.ErrnoException).code === "EPIPE" ? new BrokenPipe() : error);
});

async function help(): Promise<string> {
  const commands = await allCommands();
  return [
    `usage: shmkit COMMAND [ARGUMENTS]\n\n${ABOUT}`,
    `Commands:\n${columns(commands.map(({ name, summary }) => [name, summary] as const))}`,
    `Options:\n${columns([
      ["--help, -h", "show this help; shmkit COMMAND --help shows that of a command"],
      ["--version", "show the version"],
    ])}`,
    `Exit codes:\n${columns(Object.entries(EXIT_CODES))}`,
    "An address REGION/NAME means the object NAME in the region REGION.\n",
  ].join("\n\n");
}

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

async function run(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  wantsJson = looksLikeJson(rest);
  if (name === undefined) {
    terminal.error((await help()).trimEnd());
    return 2;
  }
  if (name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    await terminal.write(await help());
    return 0;
  }
  if (name === "--version") {
    await terminal.line(version());
    return 0;
  }
  if (name === "help") return run([rest[0], "--help"]);
  if (!Object.hasOwn(COMMANDS, name))
    throw usageError(`there is no command ${JSON.stringify(name)}; see shmkit --help`);
  const { command } = await COMMANDS[name]();
  wantsJson = looksLikeJson(split(command, rest).own);
  const invocation = parse(command, rest, ending.signal, terminal);
  if (invocation.flag("help")) {
    await terminal.write(helpOf(command));
    return 0;
  }
  passesSignals = command.programAt !== undefined;
  const code = (await command.run(invocation)) ?? 0;
  if (!passesSignals) ending.signal.throwIfAborted();
  return code;
}

/** By the looks of it: a command line that cannot be parsed is an error to be told as well. */
const looksLikeJson = (args: readonly string[]): boolean =>
  args.some((argument) => /^(?:--json|-[a-z]*j[a-z]*)$/i.test(argument));

/** Ends as a program does that a signal ended, so that a shell sees it. */
function endBySignal(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

async function main(): Promise<void> {
  watchSignals();
  const args = process.argv.slice(2);
  let code: number;
  try {
    code = await run(args);
  } catch (thrown) {
    // What else fails once everything is being ended fails because of that.
    const error: unknown = ending.signal.aborted ? ending.signal.reason : thrown;
    terminal.clearStatus();
    if (error instanceof Interrupted) endBySignal(error.signalName);
    else if (!(error instanceof BrokenPipe)) terminal.error((wantsJson ? errorJson : errorLine)(error));
    code = exitCodeOf(error);
  }
  process.exit(code);
}

await main();
