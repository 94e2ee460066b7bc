/** The API reference: `npm run docs` writes it to build/api, `npm run check -- api-docs` fails on each of its warnings. */
import { ERROR_CODES } from "./dist/base/errors.js";

export default {
  name: "shmkit",
  entryPoints: ["src/index.ts"],
  tsconfig: "tsconfig.src.json",
  out: "build/api",
  readme: "README.md",
  projectDocuments: ["docs/README.md", "docs/guide/*.md", "docs/errors.md", "docs/layout.md"],
  excludeInternal: true,
  excludePrivate: true,
  excludeProtected: true,
  disableSources: true,
  githubPages: false,
  hideGenerator: true,
  validation: { notExported: true, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: true },
  // The base of pipes, counters and mutexes: what it has is shown in each of them. What a selection's type is made with.
  intentionallyNotExported: ["NamedObject", "MessageOf", "IndexOf"],
  // Their values say what they mean.
  intentionallyNotDocumented: Object.keys(ERROR_CODES).map((code) => `shmkit.ERROR_CODES.__type.${code}`),
};
