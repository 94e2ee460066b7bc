import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, type TestContext } from "node:test";

/** What the tests use: old versions, and packages of less than all of it, lack some. */
const IMPORTS = "import ctypes, multiprocessing.shared_memory\nfrom _multiprocessing import SemLock";

/** Users of the package need no Python: without one, a test says that it checked nothing. */
export function hasPython(context: TestContext): boolean {
  const { error, status, stderr } = spawnSync("python3", ["-c", IMPORTS], { encoding: "utf8" });
  if (status === 0) return true;
  const why = error === undefined ? `python3 here lacks something (${stderr.trim()})` : "there is no python3 here";
  context.diagnostic(`${why}, so nothing was checked: users of the package need none`);
  return false;
}

const programOf = (script: string, args: readonly string[]): string[] => ["-B", "-u", "-c", script, ...args];

/** Runs a script to its end, that of the processes it leaves behind included; what it printed, as JSON. */
export function runPython(script: string, ...args: readonly string[]): unknown {
  const { status, stdout, stderr } = spawnSync("python3", programOf(script, args), { encoding: "utf8" });
  if (status !== 0) throw new Error(`python3 ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

const children = new Set<ChildProcess>();
after(() => {
  for (const child of children) child.kill("SIGKILL");
});

/** A script that runs beside the test. */
export class PythonProcess {
  private readonly lines: AsyncIterator<string>;
  private readonly child: ChildProcess;
  private errors = "";
  /** Resolves when it has ended, and whatever it left behind. */
  readonly ended: Promise<unknown>;

  constructor(script: string, ...args: readonly string[]) {
    this.child = spawn("python3", programOf(script, args), { stdio: ["ignore", "pipe", "pipe"] });
    children.add(this.child);
    // Its tracker of resources has this stream as well.
    this.child.stderr!.setEncoding("utf8").on("data", (text: string) => (this.errors += text));
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    this.ended = once(this.child, "close").then(() => children.delete(this.child));
  }

  /** The next line it prints; rejects when there is none any more, and says why. */
  async line(): Promise<string> {
    const next = await this.lines.next();
    if (next.done !== true) return next.value;
    await this.ended;
    throw new Error(
      `python3 ended (${this.child.signalCode ?? this.child.exitCode ?? ""}) without another line\n${this.errors}`,
    );
  }

  kill(): Promise<unknown> {
    this.child.kill("SIGKILL");
    return this.ended;
  }
}
