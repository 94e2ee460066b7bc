import { readdirSync } from "node:fs";
import { native } from "../native/addon.js";

/** A file that has not got its name yet, lost it, or says that a member is there; and the process that has it. */
const STRAY = /^\.shmkit-(?:new|gone|alive-[0-9a-f]+)-([0-9a-f]+)-[0-9a-f]+$/;

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Removes what processes that are no more left in a folder of Windows, where every file has a name: most of it the system
 * removes with its process.
 */
export function removeStrays(directory: string): void {
  for (const file of readdirSync(directory)) {
    const pid = STRAY.exec(file)?.[1];
    if (pid !== undefined && !isRunning(Number.parseInt(pid, 16))) native.unlink(`${directory}\\${file}`);
  }
}
