import type { Lease } from "#shmkit";
import { toJson } from "./json.js";
import type { Terminal } from "./terminal.js";

/** Written at a time. Few enough leases that a receiver whose reader is slow leaves most of the pipe's to others. */
const MOST_LEASES = 64;
const FULL_LENGTH = 64 * 1024;

/** How a message is written. */
type Form = (value: unknown) => string | Uint8Array;

/** Every value as a line of JSON. */
export const jsonLine: Form = (value) => `${toJson(value)}\n`;

/** Strings are lines, other values lines of JSON, bytes are written as they are. */
export const asItIs: Form = (value) => {
  if (value instanceof Uint8Array) return value;
  return typeof value === "string" ? `${value}\n` : jsonLine(value);
};

/**
 * Messages on their way to standard output. They stay on lease until the kernel has accepted them: what it does not accept
 * goes back to the pipe, and so does everything if this process is killed before.
 */
export class LeasedOutput {
  private readonly terminal: Terminal;
  private leases: Lease<unknown>[] = [];
  private parts: (string | Uint8Array)[] = [];
  private length = 0;
  private readonly dataOf: Form;

  constructor(terminal: Terminal, form: Form) {
    this.terminal = terminal;
    this.dataOf = form;
  }

  /** Adds a message; answers its length, in characters or bytes. */
  add(lease: Lease<unknown>): number {
    const data = this.dataOf(lease.value);
    const { parts } = this;
    const last = parts.at(-1);
    if (typeof data === "string" && typeof last === "string") parts[parts.length - 1] = last + data;
    else parts.push(data);
    this.leases.push(lease);
    this.length += data.length;
    return data.length;
  }

  get isFull(): boolean {
    return this.leases.length >= MOST_LEASES || this.length >= FULL_LENGTH;
  }

  /** Writes what was added. @throws the signal's reason, what the system says: then the rest has gone back */
  async write(): Promise<void> {
    const { terminal, leases, parts } = this;
    if (leases.length === 0) return;
    this.leases = [];
    this.parts = [];
    this.length = 0;
    let end = terminal.acceptedBytes;
    try {
      for (const part of parts) await terminal.write(part);
    } catch (error) {
      for (const lease of leases) {
        end += Buffer.byteLength(this.dataOf(lease.value));
        if (end <= terminal.acceptedBytes) lease.ack();
        else lease.nack();
      }
      throw error;
    }
    for (const lease of leases) lease.ack();
  }
}
