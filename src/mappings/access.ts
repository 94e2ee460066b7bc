import { choice } from "../base/arguments.js";
import { ShmkitError } from "../base/errors.js";
import { MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE } from "../os/posix/constants.js";

/** What may be done with a mapped file or a view of it; the `MemoryMappedFileAccess` of .NET. */
export type MapAccess = "read-write" | "read" | "write" | "copy-on-write" | "read-execute" | "read-write-execute";

interface Rights {
  readonly reads: boolean;
  readonly writes: boolean;
  readonly prot: number;
  readonly flags: number;
  /** What views of a map with this access may do. */
  readonly views: readonly MapAccess[];
}

const ALL = ["read-write", "read", "write", "copy-on-write", "read-execute", "read-write-execute"] as const;

/** What each access means. */
export const RIGHTS: Readonly<Record<MapAccess, Rights>> = {
  "read-write": {
    reads: true,
    writes: true,
    prot: PROT_READ | PROT_WRITE,
    flags: MAP_SHARED,
    views: ["read-write", "read", "write", "copy-on-write"],
  },
  read: { reads: true, writes: false, prot: PROT_READ, flags: MAP_SHARED, views: ["read", "copy-on-write"] },
  // The system has no memory that can only be written; the view keeps to it.
  write: { reads: false, writes: true, prot: PROT_READ | PROT_WRITE, flags: MAP_SHARED, views: ["write"] },
  "copy-on-write": {
    reads: true,
    writes: true,
    prot: PROT_READ | PROT_WRITE,
    flags: MAP_PRIVATE,
    views: ["read", "copy-on-write"],
  },
  "read-execute": {
    reads: true,
    writes: false,
    prot: PROT_READ | PROT_EXEC,
    flags: MAP_SHARED,
    views: ["read", "copy-on-write", "read-execute"],
  },
  "read-write-execute": {
    reads: true,
    writes: true,
    prot: PROT_READ | PROT_WRITE | PROT_EXEC,
    flags: MAP_SHARED,
    views: ALL,
  },
};

/** @throws ERR_INVALID_ARGUMENT */
export const viewAccess = (value: unknown): MapAccess => choice(value, "access", ALL);

/** What a map can be made for; as in .NET, none is only for writing. @throws ERR_INVALID_ARGUMENT */
export const mapAccess = (value: unknown): MapAccess =>
  value === undefined
    ? "read-write"
    : choice(value, "access", ["read-write", "read", "copy-on-write", "read-execute", "read-write-execute"]);

/** Whether the file itself is written to. */
export const writesFile = (access: MapAccess): boolean => RIGHTS[access].writes && access !== "copy-on-write";

/** @throws ERR_PERMISSION when a view would be allowed more than its map is */
export function checkViewAccess(map: MapAccess, view: MapAccess, path: string): void {
  const allowed = RIGHTS[map].views;
  if (!allowed.includes(view))
    throw new ShmkitError("ERR_PERMISSION", `${path} is mapped for "${map}": a view of it cannot be for "${view}"`, {
      path,
      expected: allowed,
      actual: view,
    });
}
