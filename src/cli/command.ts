import { parseArgs, type ParseArgsConfig } from "node:util";
import { EXIT_CODES, usageError, type ExitCode } from "./exit-codes.js";
import type { Terminal } from "./terminal.js";

/** An option of a command: what `parseArgs` needs and what the help says. */
export interface OptionSpec {
  readonly type: "boolean" | "string";
  readonly short?: string;
  /** The value may be missing, and is then empty; it is written without a blank: `-aWORD`, `--all=WORD`. */
  readonly optional?: boolean;
  /** What stands for the value in the help: `TIME`. */
  readonly value?: string;
  readonly about: string;
}

export interface GivenOption {
  readonly name: string;
  /** Of a string option. */
  readonly value: string | undefined;
}

/** What a command gets to work with. */
export interface Invocation {
  readonly positionals: readonly string[];
  /** Whether a boolean option was given. */
  flag(name: string): boolean;
  /** The value of a string option. */
  text(name: string): string | undefined;
  /** The options as they were given, in that order: where that counts, or where one may be given several times. */
  readonly given: readonly GivenOption[];
  /** Aborted by Ctrl-C and the like: every wait takes it. */
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

/** A command of `shmkit`, in a file of its own. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Forms of the arguments, without the name. */
  readonly usage: readonly string[];
  readonly about?: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** The exit codes this command can answer besides 0, 2 and those of signals. */
  readonly exitCodes: readonly ExitCode[];
  readonly examples?: readonly string[];
  /** What its arguments may be, for completions: words, regions or addresses that exist; files if nothing is said. */
  readonly completes?: readonly string[] | "regions" | "addresses";
  /** Fewest and most positional arguments. */
  readonly arguments: readonly [minimum: number, maximum: number];
  /** Which positional argument is a program that it runs: from there on everything is for that, options and signals. */
  readonly programAt?: number;
  /** Resolves to the exit code, 0 if nothing. */
  run(invocation: Invocation): Promise<number | void>;
}

/** What the whole thing is, in one sentence. */
export const ABOUT = "Shared memory between processes: regions, pipes, counters and locks that survive kill -9.";

const HELP: OptionSpec = { type: "boolean", short: "h", about: "show this help" };

/** Puts an empty value where an optional one is missing, as `parseArgs` wants it: `-a` is `--all=`, and `-va` is `-v --all=`. */
function withOptionalValues({ options }: Command, args: readonly string[]): string[] {
  const optional = Object.entries(options).filter(([, spec]) => spec.optional === true);
  const flags = Object.values(options).flatMap(({ type, short = "" }) => (type === "boolean" ? short : ""));
  return args.flatMap((argument) => {
    for (const [name, { short = "" }] of optional) {
      if (argument === `--${name}`) return `--${name}=`;
      const [, before, value] = new RegExp(`^-([${flags.join("")}]*)${short}(.*)$`).exec(argument) ?? [];
      if (value !== undefined) return [...(before === "" ? [] : [`-${before}`]), `--${name}=${value}`];
    }
    return argument;
  });
}

function parsableOptions(command: Command): NonNullable<ParseArgsConfig["options"]> {
  const options: NonNullable<ParseArgsConfig["options"]> = {};
  for (const [name, { type, short }] of Object.entries({ ...command.options, help: HELP }))
    options[name] = { type, ...(short === undefined ? {} : { short }) };
  return options;
}

/** A command line in two: what is for the command itself, and what is not, from a program or `--` on. */
export function split(command: Command, args: readonly string[]): { own: readonly string[]; rest: readonly string[] } {
  const ends = [args.length, args.indexOf("--"), programIndex(command, args) ?? -1];
  const end = Math.min(...ends.filter((index) => index >= 0));
  return { own: args.slice(0, end), rest: args.slice(args[end] === "--" ? end + 1 : end) };
}

function programIndex(command: Command, args: readonly string[]): number | undefined {
  if (command.programAt === undefined) return undefined;
  const { tokens } = parseArgs({ args: [...args], options: parsableOptions(command), strict: false, tokens: true });
  return tokens.filter(({ kind }) => kind === "positional")[command.programAt]?.index;
}

/** Parses a command line. @throws ERR_USAGE */
export function parse(command: Command, args: readonly string[], signal: AbortSignal, terminal: Terminal): Invocation {
  const { own, rest } = split(command, args);
  let parsed;
  try {
    parsed = parseArgs({
      args: [...withOptionalValues(command, own), "--", ...rest],
      options: parsableOptions(command),
      allowPositionals: true,
      strict: true,
      tokens: true,
    });
  } catch (error) {
    const message = (error as Error).message.split(". To specify")[0].replaceAll("\n", " ");
    throw usageError(`${message}; see shmkit ${command.name} --help`);
  }
  const { values, positionals, tokens } = parsed;
  const [minimum, maximum] = command.arguments;
  if (values["help"] !== true && (positionals.length < minimum || positionals.length > maximum))
    throw usageError(`usage: ${usageLines(command).join(" | ")}`);
  return {
    positionals,
    flag: (name) => values[name] === true,
    text: (name) => values[name] as string | undefined,
    given: tokens.flatMap((token) => (token.kind === "option" ? [{ name: token.name, value: token.value }] : [])),
    signal,
    terminal,
  };
}

export function usageLines(command: Command): string[] {
  return command.usage.map((form) => `shmkit ${command.name} ${form}`.trimEnd());
}

/** Two columns, the second wrapped under itself. */
export function columns(rows: readonly (readonly [string, string])[], width = 100): string {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows
    .map(([name, about]) => {
      const lines: string[] = [""];
      for (const word of about.split(" ")) {
        if (left + lines[lines.length - 1].length + word.length + 1 > width) lines.push("");
        lines[lines.length - 1] += `${lines[lines.length - 1] === "" ? "" : " "}${word}`;
      }
      return `  ${name.padEnd(left - 2)}${lines.join(`\n${" ".repeat(left)}`)}`;
    })
    .join("\n");
}

/** The options of a command, `--help` included, each with how it is written. */
export function optionsOf(command: Command): (OptionSpec & { readonly name: string; readonly written: string })[] {
  return Object.entries({ ...command.options, help: HELP }).map(([name, spec]) => {
    const short = spec.short === undefined ? "" : `-${spec.short}, `;
    const value = spec.value === undefined ? "" : spec.optional === true ? `[=${spec.value}]` : ` ${spec.value}`;
    return { ...spec, name, written: `${short}--${name}${value}` };
  });
}

/** Every exit code of a command but those of signals. */
export const exitCodesOf = (command: Command): ExitCode[] =>
  ([0, ...command.exitCodes, 2] as ExitCode[]).sort((a, b) => a - b);

export function helpOf(command: Command): string {
  const options = optionsOf(command).map(
    ({ short, written, about }) => [short === undefined ? `    ${written}` : written, about] as const,
  );
  const codes = exitCodesOf(command);
  const sections = [
    `${usageLines(command)
      .map((line, at) => `${at === 0 ? "usage: " : "       "}${line}`)
      .join("\n")}\n\n${command.about ?? command.summary}`,
    `Options:\n${columns(options)}`,
    `Exit codes:\n${columns(codes.map((code) => [String(code), EXIT_CODES[code]] as const))}`,
  ];
  if (command.examples !== undefined)
    sections.push(`Examples:\n${command.examples.map((line) => `  ${line}`).join("\n")}`);
  return `${sections.join("\n\n")}\n`;
}
