/** What a report says of the run that it comes from. */
import { spawnSync } from "node:child_process";
import { cpus, release } from "node:os";
import { fileURLToPath } from "node:url";
import { allowedCores } from "../../benchmarks/machine.js";

export interface RunFacts {
  readonly machine: {
    readonly cpu: string;
    readonly arch: string;
    readonly cores: number;
    readonly kernel: string;
    readonly node: string;
  };
  /** The commit that ran, with `-dirty` behind it when something was changed; not of a checkout that git does not know. */
  readonly commit?: string;
}

function commitOf(root: string): string | undefined {
  const args = ["describe", "--always", "--dirty", "--abbrev=40", "--match="];
  const { status, stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

export function runFacts(root = fileURLToPath(new URL("../../../", import.meta.url))): RunFacts {
  const commit = commitOf(root);
  const machine = {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    arch: process.arch,
    cores: allowedCores().length,
    kernel: release(),
    node: process.version,
  };
  return { machine, ...(commit !== undefined && { commit }) };
}
