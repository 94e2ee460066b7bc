import { fork, type ChildProcess, type Serializable } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { CommandError } from "../exit-codes.js";

/** A process that a command started. */
export class Child {
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  private readonly process: ChildProcess;
  private readonly signal: AbortSignal;

  constructor(process: ChildProcess, signal: AbortSignal) {
    this.process = process;
    this.signal = signal;
    this.ended = new Promise((resolve) => process.once("exit", () => resolve()));
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Whether a signal ended it. */
  get wasKilled(): boolean {
    return this.process.signalCode !== null;
  }

  /** Resolves when it has ended well; rejects when it has not, or when the command is interrupted. */
  async succeeds(): Promise<void> {
    this.signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const interrupted = (): void => reject(this.signal.reason as Error);
      this.signal.addEventListener("abort", interrupted, { once: true });
      void this.ended.then(() => {
        this.signal.removeEventListener("abort", interrupted);
        resolve();
      });
    });
    if (this.process.exitCode !== 0) throw this.failure();
  }

  private failure(): Error {
    const how = this.process.signalCode ?? `code ${this.process.exitCode}`;
    return new CommandError("ERR_CHILD", `a process that this command started (pid ${this.pid}) ended with ${how}`, 1);
  }

  /** The next message it sends through its own channel. Rejects when it ends instead. */
  async says(): Promise<unknown> {
    const ended = this.ended.then(() => {
      throw this.failure();
    });
    const said = once(this.process, "message", { signal: this.signal }).then(([message]) => message as unknown);
    return Promise.race([said, ended]);
  }

  /** Sends a message through Node's own channel; false when it is better to wait for {@link told}. */
  tell(message: Serializable, told?: () => void): boolean {
    return this.process.send(message, told === undefined ? undefined : () => told());
  }

  /** Asks it to end. */
  terminate(): void {
    this.process.kill("SIGTERM");
  }

  kill(): void {
    this.process.kill("SIGKILL");
  }
}

/** The processes that a command started; none of them outlives it. */
export class Children {
  private readonly running = new Set<Child>();
  private readonly signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.signal = signal;
  }

  /** Starts a program, named from this folder. */
  start(program: string, args: readonly (string | number)[], serialization: "json" | "advanced" = "json"): Child {
    this.signal.throwIfAborted();
    const child = new Child(
      fork(fileURLToPath(new URL(program, import.meta.url)), args.map(String), { serialization, execArgv: [] }),
      this.signal,
    );
    this.running.add(child);
    void child.ended.then(() => this.running.delete(child));
    return child;
  }

  /** Kills what still runs; resolves when all of it has ended. */
  async end(): Promise<void> {
    for (const child of this.running) child.kill();
    await Promise.all([...this.running].map(({ ended }) => ended));
  }
}
