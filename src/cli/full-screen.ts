import type { Terminal } from "./terminal.js";

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const REST_OF_LINE = "\u001b[K";
const REST_OF_SCREEN = "\u001b[J";

/** What keys send in raw mode, where Ctrl-C and Ctrl-Z are keys like others. */
const KEYS: Readonly<Record<string, Key>> = {
  q: "quit",
  Q: "quit",
  "\u0003": "interrupt",
  "\u001a": "suspend",
  "\u001b[A": "up",
  "\u001b[B": "down",
  k: "up",
  j: "down",
};
/** Keys that are pressed fast arrive together. */
// eslint-disable-next-line no-control-regex -- an arrow sends three characters
const SEQUENCE = /\u001b\[[A-D]|[^]/g;
type Key = "quit" | "interrupt" | "suspend" | "up" | "down";

/** Why a wait of the screen ended. */
export type ScreenEvent = "time" | "resize" | Exclude<Key, "interrupt" | "suspend">;

/** A frame as what is to be written: every line drawn over what was there, without the flicker of an empty screen. */
export const frameText = (lines: readonly string[]): string =>
  HOME + lines.map((line) => line + REST_OF_LINE).join("\n") + REST_OF_SCREEN;

/**
 * The terminal's other screen, as watch(1) and top(1) use it: what was there before comes back, however the process ends
 * (kill -9 apart).
 */
export class FullScreen {
  private readonly terminal: Terminal;
  private readonly pending: ScreenEvent[] = [];
  private wake: () => void = () => undefined;
  private entered = false;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  enter(): void {
    this.entered = true;
    process.on("exit", this.leave);
    process.on("SIGCONT", this.resumed);
    process.stdout.on("resize", this.resized);
    if (process.stdin.isTTY) process.stdin.setEncoding("utf8").on("data", this.typed).resume();
    this.take();
  }

  /** Brings back what was there. Idempotent. */
  readonly leave = (): void => {
    if (!this.entered) return;
    this.entered = false;
    process.off("exit", this.leave);
    process.off("SIGCONT", this.resumed);
    process.stdout.off("resize", this.resized);
    if (process.stdin.isTTY) process.stdin.off("data", this.typed).pause();
    this.giveBack();
  };

  private take(): void {
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    this.terminal.writeDirectly(ENTER);
  }

  private giveBack(): void {
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    this.terminal.writeDirectly(LEAVE);
  }

  get size(): { readonly columns: number; readonly rows: number } {
    return { columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 };
  }

  /** The next key, change of size, or end of the time. @throws the signal's reason */
  async next(timeMs: number, signal: AbortSignal): Promise<ScreenEvent> {
    signal.throwIfAborted();
    if (this.pending.length === 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeMs);
        this.wake = () => {
          clearTimeout(timer);
          signal.removeEventListener("abort", this.wake);
          resolve();
        };
        signal.addEventListener("abort", this.wake);
      });
    this.wake();
    signal.throwIfAborted();
    return this.pending.shift() ?? "time";
  }

  private post(event: ScreenEvent): void {
    this.pending.push(event);
    this.wake();
  }

  private readonly resized = (): void => this.post("resize");

  private readonly typed = (text: string): void => {
    for (const [sequence] of text.matchAll(SEQUENCE)) {
      const key = KEYS[sequence];
      if (key === "interrupt") process.kill(process.pid, "SIGINT");
      else if (key === "suspend") this.suspend();
      else if (key !== undefined) this.post(key);
    }
  };

  /** Ctrl-Z: gives the terminal back while the shell has it. */
  private suspend(): void {
    this.giveBack();
    process.kill(0, "SIGSTOP");
  }

  /** Continued: whoever stopped this process may have used the terminal meanwhile. */
  private readonly resumed = (): void => {
    this.take();
    this.post("resize");
  };
}
