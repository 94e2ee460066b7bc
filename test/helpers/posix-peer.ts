import { type ChildProcess, spawn, spawnSync, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";

const SOURCE = fileURLToPath(new URL("../../../test/fixtures/posix-peer.c", import.meta.url));

/** What a peer that has ended said, on standard output. */
export interface PeerResult {
  readonly code: number | null;
  readonly output: string;
}

/** A peer that runs. */
export interface StartedPeer {
  readonly said: Promise<string>;
  readonly ended: Promise<PeerResult>;
  readonly pid: number;
  readonly kill: () => void;
}

/** A program in C that uses the system's own calls, for as long as a test file runs. */
export class PosixPeer {
  private readonly folder = mkdtempSync(join(tmpdir(), "shmkit-peer-"));
  private readonly program = join(this.folder, "peer");
  private readonly children = new Set<ChildProcess>();

  constructor() {
    before(() => {
      const { status, stderr } = spawnSync(
        process.env.CC ?? "cc",
        ["-O2", SOURCE, "-o", this.program, "-lrt", "-pthread"],
        {
          encoding: "utf8",
        },
      );
      if (status !== 0) throw new Error(`the peer does not compile: ${stderr}`);
    });
    after(() => {
      for (const child of this.children) child.kill("SIGKILL");
      rmSync(this.folder, { recursive: true, force: true });
    });
  }

  /** Starts it; the promise is of its end. */
  async run(args: readonly string[], inherited: readonly number[] = []): Promise<PeerResult> {
    return this.start(args, inherited).ended;
  }

  /** The same; `said` is of its first words. */
  start(args: readonly string[], inherited: readonly number[] = []): StartedPeer {
    const stdio: StdioOptions = ["ignore", "pipe", "inherit", ...inherited];
    const child = spawn(this.program, args, { stdio });
    this.children.add(child);
    let output = "";
    child.stdout!.setEncoding("utf8").on("data", (text: string) => (output += text));
    const said = once(child.stdout!, "data").then(() => output.trim());
    const ended = once(child, "close").then(([code]: unknown[]) => {
      this.children.delete(child);
      return { code: code as number | null, output: output.trim() };
    });
    return { said, ended, pid: child.pid!, kill: () => child.kill("SIGKILL") };
  }
}
