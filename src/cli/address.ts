import { statSync } from "node:fs";
import { dirname } from "node:path";
import { usageError } from "./exit-codes.js";

/** `REGION/NAME`; a region's name holds no slash, an object's one in front at most: those that the library makes for itself. */
export interface Address {
  readonly region: string;
  readonly name: string;
}

/** A region on disk is addressed by the absolute path of its file, and an object in it behind that. */
export const isOnDisk = (region: string): boolean => region.startsWith("/");

/** Parses `REGION/NAME`. What is allowed in each part is the library's to say. @throws ERR_USAGE */
export function objectAddress(text: string, forms = "REGION/NAME"): Address {
  const at = isOnDisk(text) ? text.lastIndexOf("/") : text.indexOf("/");
  const isOnly = isOnDisk(text) || text.indexOf("/", at + 1) < 0;
  if (at <= 0 || at === text.length - 1 || !isOnly)
    throw usageError(`an address is ${forms}, not ${JSON.stringify(text)}`);
  return { region: text.slice(0, at), name: text.slice(at + 1) };
}

/** Parses `REGION` or `REGION/NAME`, with the names that the library uses itself. @throws ERR_USAGE */
export function anyAddress(text: string): { readonly region: string; readonly name: string | undefined } {
  if (isOnDisk(text)) return isFile(dirname(text)) ? objectAddress(text) : { region: text, name: undefined };
  const own = /^([^/]+)\/(\/[^/]+)$/.exec(text);
  if (own !== null) return { region: own[1], name: own[2] };
  return text.includes("/") ? objectAddress(text, "REGION or REGION/NAME") : { region: text, name: undefined };
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** Names of regions where objects make no sense. @throws ERR_USAGE */
export function regionsOnly(texts: readonly string[]): readonly string[] {
  for (const text of texts)
    if (text.includes("/") && !isOnDisk(text))
      throw usageError(`${JSON.stringify(text)} is no region; for an object in one: shmkit inspect ${text}`);
  return texts;
}
