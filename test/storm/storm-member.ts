/** A member's process, as the controller sees it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FromMember, ToMember } from "./member-main.js";
import { now, type Beginning } from "./plan.js";

const MAIN = fileURLToPath(new URL("member-main.js", import.meta.url));
/** A process and its children die with whoever began the namespace. */
const NAMESPACE = ["unshare", "-Urpf", "--kill-child"] as const;

/** `plain`: the library as it is; `chosen`: kills itself at a chosen access; `namespace`: sees other process ids. */
export type MemberKind = "plain" | "chosen" | "host" | "namespace";

/** Whether this system lets its users have PID namespaces of their own. */
export function hasNamespaces(): boolean {
  return spawnSync(NAMESPACE[0], [...NAMESPACE.slice(1), "true"], { stdio: "ignore" }).status === 0;
}

/** The time for which a process was stopped. */
export interface Pause {
  readonly from: number;
  until: number;
}

export class StormMember {
  /** Resolves when it has joined, or has ended before. */
  readonly joined: Promise<void>;
  /** Resolves when it makes no step any more, or has ended. */
  readonly stopped: Promise<void>;
  readonly ended: Promise<void>;
  readonly pauses: Pause[] = [];
  /** When it was sent SIGKILL by the controller. */
  killedAt: number | undefined;
  hasEnded = false;
  hasJoined = false;
  /** What went wrong with it. */
  fault: string | undefined;
  private readonly child: ChildProcess;
  private pid: number | undefined;
  private output = "";

  constructor(
    readonly beginning: Beginning,
    readonly kind: MemberKind,
    runtime: readonly string[] = [process.execPath],
  ) {
    const command = [
      ...(kind === "namespace" ? NAMESPACE : []),
      ...runtime,
      ...(kind === "chosen" ? ["--conditions=shmkit-instrumented"] : []),
      MAIN,
      JSON.stringify(beginning),
    ];
    this.child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", "pipe", "ipc"] });
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => (this.output += text));
    this.ended = new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.fault = error.message;
        this.hasEnded = true;
        resolve();
      });
      this.child.on("close", (code, signal) => {
        this.hasEnded = true;
        this.judgeEnd(code, signal);
        resolve();
      });
    });
    this.joined = this.hears("joined", ({ joined }) => {
      this.pid = joined;
      this.hasJoined = true;
    });
    this.stopped = this.hears("stopped", () => undefined);
    this.child.on("message", (message: FromMember) => {
      if ("fault" in message) this.fault = message.fault;
    });
  }

  private hears<K extends string>(
    key: K,
    act: (message: Extract<FromMember, Record<K, unknown>>) => void,
  ): Promise<void> {
    return new Promise((resolve) => {
      void this.ended.then(resolve);
      this.child.on("message", (message: FromMember) => {
        if (!(key in message)) return;
        act(message as Extract<FromMember, Record<K, unknown>>);
        resolve();
      });
    });
  }

  private judgeEnd(code: number | null, signal: NodeJS.Signals | null): void {
    // How unshare tells of its child's signal differs between its versions.
    if (this.kind === "namespace" && this.killedAt !== undefined) return;
    const isKilled = signal === "SIGKILL" && (this.killedAt !== undefined || this.kind === "chosen");
    if (!(code === 0 || isKilled) || this.output !== "")
      this.fault ??= `${this.beginning.label} (${this.kind}) ended by ${signal ?? code}: ${this.output}`;
  }

  tell(message: ToMember): void {
    // It may just have died.
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  private signal(signal: NodeJS.Signals): void {
    try {
      process.kill(this.pid ?? this.child.pid!, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  kill(): void {
    if (this.hasEnded) return;
    this.killedAt = now();
    this.signal("SIGKILL");
    // Before it has said who it is in its namespace, whoever began that has to go.
    if (this.pid === undefined) this.child.kill("SIGKILL");
  }

  stop(): void {
    if (this.hasEnded) return;
    this.pauses.push({ from: now(), until: Number.POSITIVE_INFINITY });
    this.signal("SIGSTOP");
  }

  continue(): void {
    if (!this.hasEnded) this.signal("SIGCONT");
    const pause = this.pauses.at(-1);
    if (pause !== undefined) pause.until = now();
  }
}
