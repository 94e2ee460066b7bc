/**
 * Loads the library so that its call sites can be told apart: `words.store(` becomes `words.site("sender.ts:134").store(`.
 * Lines are those of the source; compiling only erases types, so the n-th call is the same in both.
 */
import { existsSync, readFileSync } from "node:fs";
import type { LoadHook } from "node:module";
import { fileURLToPath } from "node:url";

const CALL = /\bwords\.(load|loadFresh|loadBehind|store|storeRelease|compareExchange|add|or|and|load64|store64)\(/g;

/** Lines of the source on which the calls are, and whether a SYNC POINT is announced there. */
function placesIn(source: string): string[] {
  let isAnnounced = false;
  return source.split("\n").flatMap((line, i) => {
    isAnnounced ||= line.includes("// SYNC POINT");
    return [...line.matchAll(CALL)].map(([, name]) => {
      const place = `${i + 1} ${name}${isAnnounced ? " SYNC POINT" : ""}`;
      isAnnounced = false;
      return place;
    });
  });
}

export const load: LoadHook = async (url, context, nextLoad) => {
  const loaded = await nextLoad(url, context);
  const [, module] = /\/dist\/(.*)\.js$/.exec(url) ?? [];
  if (module === undefined || loaded.source === undefined || loaded.source === null) return loaded;
  const path = fileURLToPath(url.replace(/\/dist\/(.*)\.js$/, "/src/$1.ts"));
  if (!existsSync(path)) return loaded;
  const text = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
  const places = placesIn(readFileSync(path, "utf8"));
  if ([...text.matchAll(CALL)].length !== places.length) throw new Error(`${path} was not built as it is now`);
  let n = 0;
  return {
    ...loaded,
    source: text.replace(
      CALL,
      (_, name: string) => `words.site(${JSON.stringify(`src/${module}.ts:${places[n++]}`)}).${name}(`,
    ),
  };
};
