/** Other processes on Windows, and names that nobody else has. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PEER = fileURLToPath(new URL("peer-main.js", import.meta.url));

let names = 0;
/** A name of this session's. */
export const uniqueName = (): string => `Local\\shmkit-${process.pid}-${Date.now()}-${names++}`;

const running = new Set<ChildProcess>();

export interface Peer {
  /** Ends it without its doing anything any more. */
  readonly kill: () => Promise<void>;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number | null>;
}

/** Starts a process that does what `peer-main.ts` says of an action. */
export function startPeer(action: string, name: string): Peer {
  const child = spawn(process.execPath, [PEER, action, name], { stdio: "ignore" });
  running.add(child);
  const ended = once(child, "exit").then(([code]: (number | null)[]) => {
    running.delete(child);
    return code;
  });
  return {
    ended,
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Ends what a check has left. */
export function endPeers(): void {
  for (const child of running) child.kill("SIGKILL");
}
