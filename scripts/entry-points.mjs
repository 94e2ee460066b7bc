/**
 * The package's entry points: what users write after "shmkit", the module of `src/` behind it, and the name of its bundle
 * in `dist/bundle/`. `exports` in package.json says the same to runtimes; the API report of each is committed.
 */
export const ENTRY_POINTS = [
  { subpath: "", module: "index", bundle: "shmkit", required: "require", report: "api.d.ts" },
  { subpath: "/posix", module: "os/posix", bundle: "posix", required: "require-posix", report: "api-posix.d.ts" },
  { subpath: "/sysv", module: "os/sysv", bundle: "sysv", required: "require-sysv", report: "api-sysv.d.ts" },
  { subpath: "/win32", module: "os/win32", bundle: "win32", required: "require-win32", report: "api-win32.d.ts" },
];
