/**
 * The layers of `src/`, lowest first: the only list of them. `npm run check -- layers` holds the imports against it, and
 * the diagram in ARCHITECTURE.md is drawn from it.
 *
 * A module may import from its own layer and from lower ones. An entry is a folder of `src/`, or a file directly in it.
 */
export const LAYERS = [
  { name: "base", about: "errors and their codes, argument checks, sizes, deadlines and aborts" },
  { name: "native", about: "the only place that loads the addon, and its whole contract" },
  { name: "os", about: "raw mechanisms of the system under their own names" },
  { name: "layout", about: "one descriptor per shared structure" },
  { name: "memory", about: "words (the one door to shared memory), segment, views" },
  { name: "mappings", about: "files and named blocks of memory, mapped as they are" },
  { name: "members", about: "who is attached: slots, liveness, doorbells, recovery" },
  { name: "locking", about: "robust locks and their journals, embedded in other structures" },
  { name: "heap", about: "allocator, handles, named objects" },
  { name: "sync", about: "mutex and its family, as named objects" },
  { name: "values", about: "shared values and containers" },
  { name: "channels", about: "pipe, broadcast, byte stream, request and reply" },
  { name: "region", about: "Region and its objects: what most users import" },
  { name: "index.ts", about: "the package's entry point" },
];

/** Faces stand above all layers and never import each other. */
export const FACES = [
  { name: "cli", about: "the command line" },
  { name: "inspector", about: "the view of a region from outside" },
  { name: "bridge", about: "regions over the network" },
  { name: "adapters", about: "other libraries' interfaces" },
];

/** What a package import (`imports` in package.json) stands for, as a path in `src/`. */
export const ALIASES = {
  "#words": "memory/words.ts",
  "#shmkit": "index.ts",
  "#posix": "os/posix.ts",
  "#sysv": "os/sysv.ts",
};
