/** The API reference: `npm run docs` writes it to build/api, `npm run check -- api-docs` fails on each of its warnings. */
import { ERROR_CODES } from "./dist/base/errors.js";
import * as posix from "./dist/os/posix/constants.js";
import * as sysv from "./dist/os/sysv/constants.js";
import * as win32 from "./dist/os/win32/constants.js";
import { ENTRY_POINTS } from "./scripts/entry-points.mjs";

export default {
  name: "shmkit",
  entryPoints: ENTRY_POINTS.map(({ module }) => `src/${module}.ts`),
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
  // Their values say what they mean, or the man pages of the calls that take them.
  intentionallyNotDocumented: [
    ...Object.keys(ERROR_CODES).map((code) => `shmkit.ERROR_CODES.__type.${code}`),
    ...Object.keys(posix).map((name) => `shmkit/posix.${name}`),
    ...Object.keys(sysv)
      .filter((name) => name !== "IPC_STAT" && name !== "GETALL")
      .map((name) => `shmkit/sysv.${name}`),
    ...Object.keys(win32)
      .filter((name) => name !== "INVALID_HANDLE_VALUE")
      .map((name) => `shmkit/win32.${name}`),
  ],
};
