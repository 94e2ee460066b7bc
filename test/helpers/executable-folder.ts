import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const BUILD = fileURLToPath(new URL("../..", import.meta.url));

/** A new folder whose files may be executed, and mapped to be: that of temporary files may be mounted otherwise. */
export function executableFolder(prefix: string): string {
  for (const parent of [tmpdir(), BUILD]) {
    const folder = mkdtempSync(join(parent, prefix));
    const trial = join(folder, "trial");
    writeFileSync(trial, "#!/bin/sh\n", { mode: 0o755 });
    const { error } = spawnSync(trial);
    rmSync(trial);
    if (error === undefined) return folder;
    rmSync(folder, { recursive: true });
  }
  throw new Error(`neither ${tmpdir()} nor ${BUILD} lets programs run`);
}
