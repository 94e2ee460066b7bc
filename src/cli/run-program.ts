import { spawn } from "node:child_process";
import { constants } from "node:os";
import { native } from "../native/addon.js";
import { CommandError } from "./exit-codes.js";

/** Signals that go to the program: those that would end this process, and that it can handle. */
const PASSED = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGUSR1", "SIGUSR2"] as const;
/** Of them those that a terminal sends to every process in the foreground, to the program as well. */
const OF_TERMINALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT"];

/** How often a signal is to be passed on that has come now: not as often as a terminal has sent it. */
function timesToPass(name: NodeJS.Signals): number {
  const sent = OF_TERMINALS.includes(name) ? native.sentSignals(constants.signals[name]) : 1;
  return sent < 0 ? 1 : sent;
}

/** Resolves to the exit code of a program that has this process's terminal and gets its signals, with more in its environment. */
export async function runProgram(
  program: string,
  args: readonly string[],
  more: Readonly<Record<string, string>>,
): Promise<number> {
  const { SHMKIT_ABANDONED: _inherited, ...inherited } = process.env;
  const child = spawn(program, args, { stdio: "inherit", env: { ...inherited, ...more } });
  const passOn = (name: NodeJS.Signals): void => {
    for (let times = timesToPass(name); times > 0; times--) child.kill(name);
  };
  for (const name of PASSED) process.on(name, passOn);
  for (const name of OF_TERMINALS) native.sentSignals(constants.signals[name]);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", (error: NodeJS.ErrnoException) => {
        const isMissing = error.code === "ENOENT";
        const code = isMissing ? "ERR_NO_PROGRAM" : "ERR_NOT_EXECUTABLE";
        reject(new CommandError(code, `cannot run ${program}: ${error.code}`, isMissing ? 127 : 126));
      });
      child.once("exit", (code, endedBy) => resolve(code ?? 128 + constants.signals[endedBy!]));
    });
  } finally {
    for (const name of PASSED) process.off(name, passOn);
  }
}
