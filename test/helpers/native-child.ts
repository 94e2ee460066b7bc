import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { RoleArguments, RoleName } from "./native-roles.js";

const MAIN = fileURLToPath(new URL("./native-child-main.js", import.meta.url));

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

/** A Node process that plays one of the roles in `native-child-main.ts`. */
export class NativeChild {
  readonly ended: Promise<Ending>;
  private readonly messages: unknown[] = [];
  private arrived: (() => void) | undefined;

  constructor(private readonly process: ChildProcess) {
    let output = "";
    for (const stream of [process.stdout!, process.stderr!]) {
      stream.setEncoding("utf8").on("data", (text: string) => (output += text));
    }
    process.on("message", (message) => {
      this.messages.push(message);
      this.arrived?.();
    });
    this.ended = once(process, "close").then(([code, signal]) => {
      this.arrived?.();
      return { code: code as number | null, signal: signal as NodeJS.Signals | null, output };
    });
  }

  static start<Role extends RoleName>(role: Role, argument: RoleArguments[Role], through: string[] = []): NativeChild {
    const command = [...through, process.execPath, MAIN, role, JSON.stringify(argument)];
    const stdio = ["ignore", "pipe", "pipe", "ipc"] as const;
    return new NativeChild(spawn(command[0], command.slice(1), { stdio: [...stdio] }));
  }

  /** The next message; throws when the child ends without one. */
  async next(): Promise<unknown> {
    while (this.messages.length === 0) {
      const message = new Promise<void>((resolve) => (this.arrived = resolve));
      await message;
      if (this.messages.length > 0) break;
      const { code, signal, output } = await this.ended;
      throw new Error(`the child ended (${code ?? signal ?? ""}) instead of saying something\n${output}`);
    }
    return this.messages.shift();
  }

  /** Lets a child go on that waits for it. */
  tell(message: string): void {
    this.process.send(message);
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  async kill(): Promise<Ending> {
    this.signal("SIGKILL");
    return this.ended;
  }
}
