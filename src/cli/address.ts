import { usageError } from "./exit-codes.js";

/** `REGION/NAME`; a region's name holds no slash, an object's one in front at most: those that the library makes for itself. */
export interface Address {
  readonly region: string;
  readonly name: string;
}

/** Parses `REGION/NAME`. What is allowed in each part is the library's to say. @throws ERR_USAGE */
export function objectAddress(text: string, forms = "REGION/NAME"): Address {
  const at = text.indexOf("/");
  if (at <= 0 || at === text.length - 1 || text.indexOf("/", at + 1) >= 0)
    throw usageError(`an address is ${forms}, not ${JSON.stringify(text)}`);
  return { region: text.slice(0, at), name: text.slice(at + 1) };
}

/** Parses `REGION` or `REGION/NAME`, with the names that the library uses itself. @throws ERR_USAGE */
export function anyAddress(text: string): { readonly region: string; readonly name: string | undefined } {
  const own = /^([^/]+)\/(\/[^/]+)$/.exec(text);
  if (own !== null) return { region: own[1], name: own[2] };
  return text.includes("/") ? objectAddress(text, "REGION or REGION/NAME") : { region: text, name: undefined };
}

/** Names of regions where objects make no sense. @throws ERR_USAGE */
export function regionsOnly(texts: readonly string[]): readonly string[] {
  for (const text of texts)
    if (text.includes("/"))
      throw usageError(`${JSON.stringify(text)} is no region; for an object in one: shmkit inspect ${text}`);
  return texts;
}
