import { spawn, execFileSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Runs a command on a terminal of its own (pty(7)): passes on what is typed and what is shown, takes sizes as pairs of
 * 16-bit numbers on descriptor 3, and at the end says on standard error how the command left the terminal and ended.
 */
const SOURCE = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int copy(int from, int to) {
  char bytes[4096];
  ssize_t length = read(from, bytes, sizeof bytes);
  for (ssize_t at = 0; at < length;) {
    ssize_t written = write(to, bytes + at, (size_t)(length - at));
    if (written < 0) return -1;
    at += written;
  }
  return length > 0 ? 0 : -1;
}

static int resize(int control, int master) {
  unsigned short size[2];
  if (read(control, size, sizeof size) != sizeof size) return -1;
  struct winsize window = {.ws_col = size[0], .ws_row = size[1]};
  return ioctl(master, TIOCSWINSZ, &window);
}

int main(int count, char **arguments) {
  (void)count;
  int master = posix_openpt(O_RDWR | O_NOCTTY);
  if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) return 99;
  /* Open all the time, so that what the command left behind can be read and seen when it has gone. */
  int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
  if (slave < 0 || resize(3, master) != 0) return 99;
  pid_t child = fork();
  if (child == 0) {
    setsid();
    if (ioctl(slave, TIOCSCTTY, 0) != 0) _exit(98);
    for (int descriptor = 0; descriptor < 3; descriptor++) dup2(slave, descriptor);
    for (int descriptor = 3; descriptor < 64; descriptor++) close(descriptor);
    execv(arguments[1], arguments + 1);
    _exit(97);
  }
  fprintf(stderr, "pid %d\\n", child);
  fflush(stderr);
  struct pollfd polled[] = {{master, POLLIN, 0}, {0, POLLIN, 0}, {3, POLLIN, 0}};
  int status = 0;
  for (int ended = 0;;) {
    int ready = poll(polled, 3, ended ? 0 : 20);
    if (ready > 0 && (polled[0].revents & POLLIN) != 0 && copy(master, 1) != 0) break;
    if (ready > 0 && polled[1].revents != 0 && copy(0, master) != 0) polled[1].fd = -1;
    if (ready > 0 && polled[2].revents != 0 && resize(3, master) != 0) polled[2].fd = -1;
    if (ended && (polled[0].revents & POLLIN) == 0) break;
    if (!ended && waitpid(child, &status, WNOHANG) == child) ended = 1;
  }
  struct termios modes;
  tcgetattr(slave, &modes);
  int cooked = (modes.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG);
  if (WIFSIGNALED(status)) fprintf(stderr, "%s signal %d\\n", cooked ? "cooked" : "raw", WTERMSIG(status));
  else fprintf(stderr, "%s code %d\\n", cooked ? "cooked" : "raw", WEXITSTATUS(status));
  return 0;
}
`;

let folder: string | undefined;

function program(): string {
  if (folder !== undefined) return join(folder, "pty");
  folder = mkdtempSync(join(tmpdir(), "shmkit-pty-"));
  writeFileSync(join(folder, "pty.c"), SOURCE);
  const [compiler, ...args] = (process.env["CC"] ?? "cc").split(/\s+/);
  execFileSync(compiler, [...args, join(folder, "pty.c"), "-o", join(folder, "pty")]);
  return join(folder, "pty");
}

const running = new Set<PseudoTerminal>();
after(async () => {
  for (const terminal of running) terminal.kill("SIGKILL");
  await Promise.all([...running].map(({ ended }) => ended));
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

/** A command on a terminal of its own. */
export class PseudoTerminal {
  /** What was shown from the beginning, and how it ended: `cooked code 0` if the terminal is as it was. */
  readonly ended: Promise<{ readonly shown: string; readonly ending: string }>;
  private readonly child: ChildProcess;
  private readonly control: Writable;
  private text = "";
  private errors = "";

  constructor(command: readonly string[], columns: number, rows: number, environment: NodeJS.ProcessEnv = {}) {
    const { NO_COLOR: _none, FORCE_COLOR: _force, ...inherited } = process.env;
    this.child = spawn(program(), command, {
      stdio: ["pipe", "pipe", "pipe", "pipe"],
      env: { ...inherited, TERM: "xterm-256color", ...environment },
    });
    this.control = this.child.stdio[3] as Writable;
    this.resize(columns, rows);
    this.child.stdout!.setEncoding("utf8").on("data", (text: string) => (this.text += text));
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.errors += text));
    this.child.stdin!.on("error", () => undefined);
    this.control.on("error", () => undefined);
    running.add(this);
    this.ended = new Promise((resolve) => {
      this.child.on("close", () => {
        running.delete(this);
        resolve({ shown: this.text, ending: this.errors.trim().split("\n").at(-1)! });
      });
    });
  }

  /** Process id of the command. */
  get pid(): number {
    return Number(/^pid (\d+)/.exec(this.errors)?.[1]);
  }

  get shown(): string {
    return this.text;
  }

  /** Resolves once what was shown since the last call holds. Never gives up: the runner's watchdog does. */
  async until(holds: (text: string) => boolean): Promise<void> {
    while (!holds(this.text)) await sleep(5);
  }

  type(text: string): void {
    this.child.stdin!.write(text);
  }

  resize(columns: number, rows: number): void {
    this.control.write(Buffer.from(Uint16Array.of(columns, rows).buffer));
  }

  /** Signals the command. */
  kill(signal: NodeJS.Signals): void {
    if (this.pid > 0) process.kill(this.pid, signal);
  }
}
