import { type ChildProcess, spawn, spawnSync, type StdioOptions } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { executableFolder } from "./executable-folder.js";
import { listenTo } from "./spoken.js";

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
  private readonly folder = executableFolder("shmkit-peer-");
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

  /** The same; `said` is of its first words, and rejects when it ends without any. */
  start(args: readonly string[], inherited: readonly number[] = []): StartedPeer {
    const stdio: StdioOptions = ["ignore", "pipe", "pipe", ...inherited];
    const child = spawn(this.program, args, { stdio });
    this.children.add(child);
    const spoken = listenTo(child);
    const ended = once(child, "close").then(([code]: unknown[]) => {
      this.children.delete(child);
      return { code: code as number | null, output: spoken.output.trim() };
    });
    return { said: spoken.first, ended, pid: child.pid!, kill: () => child.kill("SIGKILL") };
  }
}
