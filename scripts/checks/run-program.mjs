import { spawn } from "node:child_process";

const TIMEOUT_MS = 60_000;

/** Runs a program to its end; answers what went wrong, with what it said, or nothing. */
export function runProgram(program, args, options) {
  return new Promise((resolve) => {
    // In a group of its own, so that what it began is ended with it.
    const child = spawn(program, args, { ...options, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => (output += chunk));
    child.stderr.on("data", (chunk) => (output += chunk));
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      process.kill(-child.pid, "SIGKILL");
    }, TIMEOUT_MS);
    child.on("error", (error) => (output += error.message));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (timedOut) resolve(`still running after ${TIMEOUT_MS / 1000} s\n${output.trimEnd()}`);
      else resolve(code === 0 ? undefined : `ended with ${signal ?? code}\n${output.trimEnd()}`);
    });
  });
}
