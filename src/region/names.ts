import { basename, dirname, resolve } from "node:path";
import { regionName, show } from "../base/arguments.js";
import { ArgumentError } from "../base/errors.js";
import { DIRECTORY, pathOfName, PREFIX } from "../base/file-names.js";
import { requireLinux } from "../native/addon.js";

/** Where a region is. */
export interface Place {
  /** What it is called: a name, or its path. */
  readonly name: string;
  readonly path: string;
  /** The directory of its file. */
  readonly directory: string;
  /** Whether it was named by a path: a file that stays, wherever it is. */
  readonly onDisk: boolean;
}

/**
 * A name, or an absolute path, of which whoever opens it must say that it is one: a name that comes from elsewhere must not
 * become a file anywhere. @throws ERR_INVALID_NAME
 */
export function placeOf(name: unknown): Place {
  if (typeof name !== "string" || !name.startsWith("/")) {
    const checked = regionName(name);
    return { name: checked, path: pathOfName(checked), directory: DIRECTORY, onDisk: false };
  }
  requireLinux("a region on disk");
  const path = resolve(name);
  const refuse = (why: string): never => {
    throw new ArgumentError("ERR_INVALID_NAME", `${show(name)} is no path of a region: ${why}`, { actual: name });
  };
  if (name.includes("\0") || name.endsWith("/")) refuse("it must lead to a file");
  if (dirname(path) === DIRECTORY && basename(path).startsWith(PREFIX))
    refuse(`regions there have names: ${show(basename(path).slice(PREFIX.length))}`);
  return { name: path, path, directory: dirname(path), onDisk: true };
}
