import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { after } from "node:test";

export const CLI = fileURLToPath(new URL("../../../dist/cli/main.js", import.meta.url));

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: Buffer;
  readonly text: string;
  readonly errors: string;
}

interface Start {
  /** What standard input holds; without it standard input is empty. */
  readonly input?: string | Uint8Array;
  /** Standard input is written with `write` and ended with `endInput`. */
  readonly interactive?: boolean;
  /** Descriptors in place of pipes. */
  readonly stdin?: number;
  readonly stdout?: number;
  /** Nobody reads its standard output, until it has ended. */
  readonly unread?: boolean;
}

const running = new Set<CliProcess>();
/** What has ended, how, and with what on its standard error: somebody may wait for what it was to do. */
const endings: string[] = [];
/** How long whoever waits says nothing. */
const PATIENCE_MS = 60_000;

after(async () => {
  for (const cli of running) cli.kill("SIGKILL");
  await Promise.all([...running].map(({ ended }) => ended));
});

/** A `shmkit` command in a process of its own; killed after the test file if it still runs. */
export class CliProcess {
  readonly ended: Promise<Ending>;
  private readonly child: ChildProcess;
  private readonly chunks: Buffer[] = [];
  private errorText = "";

  constructor(args: readonly string[], { input, interactive = false, stdin, stdout, unread = false }: Start = {}) {
    this.child = spawn(process.execPath, [CLI, ...args], {
      stdio: [stdin ?? (input === undefined && !interactive ? "ignore" : "pipe"), stdout ?? "pipe", "pipe"],
    });
    const read = (): void => void this.child.stdout?.on("data", (chunk: Buffer) => this.chunks.push(chunk));
    if (unread) this.child.once("exit", read);
    else read();
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.errorText += text));
    if (this.child.stdin !== null) {
      this.child.stdin.on("error", () => undefined);
      if (!interactive) this.child.stdin.end(input);
    }
    running.add(this);
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        running.delete(this);
        endings.push(`shmkit ${args.join(" ")}: ${signal ?? code ?? "?"}\n${this.errorText}`);
        const out = Buffer.concat(this.chunks);
        resolve({ code, signal, out, text: out.toString(), errors: this.errorText });
      });
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** What it has written to standard output so far. */
  get soFar(): string {
    return Buffer.concat(this.chunks).toString();
  }

  get hasEnded(): boolean {
    return !running.has(this);
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Writes to an open standard input. */
  write(text: string): void {
    this.child.stdin!.write(text);
  }

  endInput(): void {
    this.child.stdin!.end();
  }
}

export function start(args: readonly string[], options?: Start): CliProcess {
  return new CliProcess(args, options);
}

export function run(args: readonly string[], options?: Start): Promise<Ending> {
  return start(args, options).ended;
}

/** A command in a state that passes by; begun anew where it had ended well before anybody looked. */
export async function startUntil(
  args: readonly string[],
  condition: (started: CliProcess) => boolean,
): Promise<CliProcess> {
  for (;;) {
    const started = start(args);
    let isSo = false;
    await until(() => (isSo = condition(started)) || started.hasEnded);
    if (isSo) return started;
    const { code, signal, errors } = await started.ended;
    if (code !== 0) throw new Error(`shmkit ${args.join(" ")} ended (${signal ?? code ?? ""}): ${errors}`);
  }
}

/** Resolves once `condition` holds. Never gives up: the runner's watchdog does; before, it says which commands have ended. */
export async function until(condition: () => boolean): Promise<void> {
  const impatient = setTimeout(
    () => process.stderr.write(`waiting for long; ended:\n${endings.join("")}`),
    PATIENCE_MS,
  );
  impatient.unref();
  while (!condition()) await sleep(5);
  clearTimeout(impatient);
}

/** Whether a process that is no child of this one runs. */
export function isRunning(pid: number): boolean {
  try {
    // A zombie counts as gone: whoever inherits it need not have waited for it.
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** Processes that a process has started; none once it has ended. */
export function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  try {
    return readFileSync(path, "utf8").split(" ").filter(Boolean).map(Number);
  } catch (error) {
    if (existsSync(path)) throw error;
    return [];
  }
}
