import { type ChildProcess, spawn } from "node:child_process";
import type { Report, Sent } from "./results.js";

/** A program of a contender. */
export interface Program {
  readonly command: readonly string[];
  /** Cores it is bound to; unbound if there are none. */
  readonly cores: readonly number[];
}

/** Leaders of the process groups that run now. */
const groups = new Set<number>();

function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Ends every process of the running contender: before this process goes itself. */
export function killEverybody(): void {
  for (const leader of groups) killGroup(leader);
}

interface Ending {
  readonly command: string;
  readonly how: number | NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

function start(launcher: string, { command, cores }: Program): { child: ChildProcess; ending: Promise<Ending> } {
  const args = ["pin", cores.length === 0 ? "any" : cores.join(","), ...command];
  // A group of its own, so that it can be ended with whatever it started.
  const child = spawn(launcher, args, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (output += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
  const ending = new Promise<Ending>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ command: command.join(" "), how: signal ?? code, output, errors }));
  });
  if (child.pid !== undefined) groups.add(child.pid);
  return { child, ending };
}

/**
 * Runs the programs of a contender side by side to their ends and answers what they reported.
 * @throws when one of them fails (the others are ended then), or at the watchdog's time
 */
export async function runPrograms(
  launcher: string,
  programs: readonly Program[],
  watchdogMs: number,
): Promise<(Report | Sent)[]> {
  const started = programs.map((program) => start(launcher, program));
  const leaders = started.flatMap(({ child: { pid } }) => (pid === undefined ? [] : [pid]));
  const failed = (async () => {
    for await (const { command, how, errors } of inOrderOfEnding(started.map(({ ending }) => ending)))
      if (how !== 0) throw new Error(`${command}: ended with ${how}\n${errors.trimEnd()}`);
  })();
  let timer: NodeJS.Timeout | undefined;
  const watchdog = new Promise<never>((_, reject) => {
    const commands = programs.map(({ command }) => command.join(" ")).join("\n");
    timer = setTimeout(() => reject(new Error(`still running after ${watchdogMs / 1000} s\n${commands}`)), watchdogMs);
  });
  try {
    await Promise.race([failed, watchdog]);
  } finally {
    clearTimeout(timer);
    for (const leader of leaders) killGroup(leader);
    const endings = await Promise.allSettled(started.map(({ ending }) => ending));
    for (const leader of leaders) groups.delete(leader);
    for (const ending of endings)
      if (ending.status === "fulfilled" && ending.value.how === 0) process.stderr.write(ending.value.errors);
  }
  const endings = await Promise.all(started.map(({ ending }) => ending));
  return endings.flatMap(({ output }) => reportsIn(output));
}

async function* inOrderOfEnding<T>(promises: readonly Promise<T>[]): AsyncGenerator<T> {
  const open = new Map(promises.map((promise, at) => [at, promise.then((value) => ({ at, value }))]));
  while (open.size > 0) {
    const { at, value } = await Promise.race(open.values());
    open.delete(at);
    yield value;
  }
}

function reportsIn(output: string): (Report | Sent)[] {
  const lines = output.split("\n").filter((line) => line !== "");
  return lines.map((line) => JSON.parse(line) as Report | Sent);
}
