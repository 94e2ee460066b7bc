import { formatBytes } from "../base/sizes.js";
import { formatCount } from "./figures.js";
import type { Terminal } from "./terminal.js";

const EVERY_MS = 200;
/** Short transfers need no line. */
const FROM_MS = 500;

/** What a transfer has moved, shown on standard error while it lasts, if that is a terminal. */
export class Progress {
  private readonly terminal: Terminal;
  private readonly verb: string;
  private readonly startedAt = performance.now();
  private shownAt = this.startedAt;
  private shownBytes = 0;
  private messages = 0;
  private bytes = 0;

  constructor(terminal: Terminal, verb: string) {
    this.terminal = terminal;
    this.verb = verb;
  }

  moved(messages: number, bytes: number): void {
    this.messages += messages;
    this.bytes += bytes;
  }

  /** Draws the line if it is time to. */
  show(note = ""): void {
    if (!this.terminal.errorIsTerminal) return;
    const now = performance.now();
    if (now - this.shownAt < EVERY_MS || now - this.startedAt < FROM_MS) return;
    const rate = ((this.bytes - this.shownBytes) / (now - this.shownAt)) * 1000;
    this.shownAt = now;
    this.shownBytes = this.bytes;
    const amount = `${formatCount(this.messages)} messages, ${formatBytes(this.bytes)}`;
    this.terminal.status(`${this.verb} ${amount}, ${formatBytes(rate)}/s${note === "" ? "" : `; ${note}`}`);
  }

  /** The last line, which stays. */
  end(): void {
    if (!this.terminal.errorIsTerminal || performance.now() - this.startedAt < FROM_MS) return;
    const seconds = (performance.now() - this.startedAt) / 1000;
    const rate = `${formatBytes(this.bytes / seconds)}/s`;
    const amount = `${formatCount(this.messages)} messages, ${formatBytes(this.bytes)}`;
    this.terminal.error(`${this.verb} ${amount} in ${seconds.toFixed(1)} s, ${rate}`);
  }
}
