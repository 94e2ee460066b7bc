import { constants } from "node:os";
import type { ErrorCode } from "#shmkit";
import { toJson } from "./json.js";

/** What the exit code of every command means; `docs/guide/cli.md` shows the same table. */
export const EXIT_CODES = {
  0: "done",
  1: "failed: a verification found a difference, a transfer was cut off, or any error without a code of its own",
  2: "usage: an unknown command or option, a missing argument, an impossible name or size",
  3: "timeout: --timeout passed without progress",
  4: "not found: no such region, object or file",
  5: "no permission: it belongs to another user, or the system refused access",
  126: "lock: the program is there, but cannot be run",
  127: "lock: there is no such program",
  129: "ended by SIGHUP",
  130: "ended by SIGINT (Ctrl-C)",
  141: "the reader of standard output went away (broken pipe)",
  143: "ended by SIGTERM",
} as const;

export type ExitCode = keyof typeof EXIT_CODES;

/** By code alone, so that a wrong command line is told without loading the library. */
const OF_LIBRARY: Partial<Record<ErrorCode, ExitCode>> = {
  ERR_INVALID_ARGUMENT: 2,
  ERR_OUT_OF_RANGE: 2,
  ERR_INVALID_NAME: 2,
  ERR_INVALID_SIZE: 2,
  ERR_UNKNOWN_OPTION: 2,
  ERR_TIMEOUT: 3,
  ERR_NOT_FOUND: 4,
  ERR_PERMISSION: 5,
  ERR_NOT_OWNER: 5,
};

const OF_SYSTEM: Readonly<Record<string, ExitCode>> = { ENOENT: 4, ENOTDIR: 4, EACCES: 5, EPERM: 5, EPIPE: 141 };

/** An error of the command line itself: `ERR_USAGE`, `ERR_INCOMPLETE` and the like. */
export class CommandError extends Error {
  readonly code: string;
  readonly exitCode: ExitCode;
  /** Who has what was waited for, as far as it is known. */
  declare readonly owner?: string;
  constructor(code: string, message: string, exitCode: ExitCode, facts: { readonly owner?: string } = {}) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
    Object.assign(this, facts);
  }
}

/** The reason why everything ends when a signal arrives. */
export class Interrupted extends Error {
  readonly signalName: NodeJS.Signals;
  constructor(signalName: NodeJS.Signals) {
    super(`ended by ${signalName}`);
    this.signalName = signalName;
  }
  get exitCode(): number {
    return 128 + constants.signals[this.signalName];
  }
}

/** The reader of standard output went away. Nobody is there to be told. */
export class BrokenPipe extends Error {}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandError || error instanceof Interrupted) return error.exitCode;
  if (error instanceof BrokenPipe) return 141;
  const codes: Readonly<Record<string, ExitCode | undefined>> = { ...OF_LIBRARY, ...OF_SYSTEM };
  return codes[codeOf(error) ?? ""] ?? 1;
}

/** The code and what is said of it; a mistake of ours (an error without a code) comes with its stack. */
export function causeOf(error: unknown): { code: string; message: string } {
  const code = codeOf(error);
  if (!(error instanceof Error)) return { code: "ERR_INTERNAL", message: String(error) };
  if (code === undefined) return { code: "ERR_INTERNAL", message: error.stack ?? error.message };
  const message = error.message.startsWith(`${code}: `) ? error.message.slice(code.length + 2) : error.message;
  return { code, message: message.replaceAll("\n", " ") };
}

/** The one line that says what went wrong. */
export function errorLine(error: unknown): string {
  const { code, message } = causeOf(error);
  return `shmkit: ${code}: ${message}`;
}

const FACTS = ["path", "expected", "actual", "owner", "errno", "syscall"] as const;

/** The same for programs, with the facts that the error has. */
export function errorJson(error: unknown): string {
  const has = (error instanceof Error ? error : {}) as Partial<Record<(typeof FACTS)[number], unknown>>;
  const facts = FACTS.filter((name) => has[name] !== undefined).map((name) => [name, has[name]] as const);
  return toJson({ error: { ...causeOf(error), exitCode: exitCodeOf(error), ...Object.fromEntries(facts) } });
}

export const usageError = (message: string): CommandError => new CommandError("ERR_USAGE", message, 2);
