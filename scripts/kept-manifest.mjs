/** A checkout's package.json while npm packs it, which finds the package's in its place: where it is kept, and how it comes back. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** Where the checkout's is kept; behind the last dot is whose it is, see {@link identityOf}. */
export const keptFor = (root, npm) => join(root, `build/package.json.${npm}`);

/** What state, parent and more the kernel tells of a process. @throws ENOENT, ESRCH */
export function statOf(pid) {
  // Behind the program's name, which may contain anything.
  const fields = /.*\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))[1].split(" ");
  return { parent: Number(fields[1]), startedAt: fields[19] };
}

/** What tells a process from every other one, also from a later one of its id: `undefined` when there is no such process. */
export function identityOf(pid) {
  try {
    return `${pid}-${statOf(pid).startedAt}`;
  } catch {
    return undefined;
  }
}

export const isRunning = (identity) => identityOf(Number.parseInt(identity, 10)) === identity;

/** Those for whom one is kept. */
export function keptIn(root) {
  const prefix = keptFor(root, "");
  if (!existsSync(dirname(prefix))) return [];
  const names = readdirSync(dirname(prefix)).filter((name) => name.startsWith(basename(prefix)));
  return names.map((name) => name.slice(basename(prefix).length));
}

export function putBack(root, npm) {
  const kept = keptFor(root, npm);
  if (!existsSync(kept)) return;
  try {
    renameSync(kept, join(root, "package.json"));
  } catch (error) {
    // Whoever else puts it back was faster.
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== "ENOENT") throw error;
  }
  // Two names of one file, when npm was killed before the exchange, are left as they are by a rename.
  rmSync(kept, { force: true });
}

/** Puts back what an npm has left that is gone, together with whatever watched it. Answers those that are at work. */
export function putBackLeft(root) {
  const [running, gone] = [true, false].map((is) => keptIn(root).filter((npm) => isRunning(npm) === is));
  for (const npm of gone) putBack(root, npm);
  return running;
}
