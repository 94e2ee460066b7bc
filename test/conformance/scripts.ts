/** Files of the platform's tests, and what each of them has evaluated, in order. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** What is evaluated, and under which name. */
export interface Script {
  readonly path: string;
  readonly text: string;
}

/** What a page needs that a process is not. */
const DOCUMENT = /\b(?:document|iframe|window|serviceWorker|service_worker\w*)\b/;
/** Evaluated by whoever runs the file. */
const HARNESS = new Set(["testharness.js", "testharnessreport.js"]);
/** Served by the platform's server under another name. */
const SERVED_AS = new Map([["/resources/WebIDLParser.js", "/resources/webidl2/lib/webidl2.js"]]);

/** A path as a script says it, absolute ones from the root of the checkout. */
export function locate(root: string, folder: string, specifier: string): string {
  const path = SERVED_AS.get(specifier) ?? specifier;
  return path.startsWith("/") ? join(root, path) : join(folder, path);
}

/** The files in a folder that have tests: those that can run in a process, and those that need a document. */
export function findTests(folder: string): { runnable: string[]; needDocuments: string[] } {
  const runnable: string[] = [];
  const needDocuments: string[] = [];
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    if (dirname(entry).split("/").includes("resources")) continue;
    const path = join(folder, entry);
    if (entry.endsWith(".any.js")) runnable.push(path);
    else if (entry.endsWith(".window.js")) needDocuments.push(path);
    else if (entry.endsWith(".html")) (DOCUMENT.test(readFileSync(path, "utf8")) ? needDocuments : runnable).push(path);
  }
  return { runnable, needDocuments };
}

/** What a file with tests has evaluated after the harness: a script names it in its first lines, a page is made of it. */
export function scriptsOf(root: string, path: string): Script[] {
  const text = readFileSync(path, "utf8");
  const read = (specifier: string): Script[] => {
    if (HARNESS.has(basename(specifier))) return [];
    const found = locate(root, dirname(path), specifier);
    return [{ path: found, text: readFileSync(found, "utf8") }];
  };
  if (!path.endsWith(".html")) {
    const named = [...text.matchAll(/^\/\/ META: script=(.+)$/gm)].flatMap(([, specifier]) => read(specifier.trim()));
    return [...named, { path, text }];
  }
  const elements = text.matchAll(/<script(?:\s+src=["']?([^"'\s>]+)["']?)?[^>]*>([^]*?)<\/script>/g);
  return [...elements].flatMap(([, source, inline]) =>
    source === undefined ? [{ path, text: inline }] : read(source),
  );
}

/** The harness of a checkout: `resources` lies beside the folders with tests. */
export function harnessOf(root: string): Script | undefined {
  const path = join(root, "resources/testharness.js");
  return existsSync(path) ? { path, text: readFileSync(path, "utf8") } : undefined;
}
