import { closeSync, constants, fstatSync, openSync, statSync, unlinkSync } from "node:fs";
import { constants as system } from "node:os";
import type { FileHandle } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { ArgumentError, ArgumentRangeError, ShmkitError } from "../base/errors.js";
import { show } from "../base/arguments.js";
import { checkResult, systemError } from "../base/system-errors.js";
import type { Steps } from "../memory/steps.js";
import { native, requireLinux } from "../native/addon.js";
import { F_GETFL, O_RDONLY, O_RDWR } from "../os/posix/constants.js";
import { writesFile, type MapAccess } from "./access.js";
import { lengthen } from "./lengthen.js";
import { MapSource } from "./map-source.js";

/** How a file is opened; the `FileMode` of .NET that a map can have. */
export type MapFileMode = "open" | "create-new" | "open-or-create" | "create";

/** A file to be mapped: its path, or what it is open as. */
export type MapFile = string | URL | number | FileHandle;

/** What is asked of a file. */
export interface FileWish {
  readonly mode: MapFileMode;
  /** Bytes; 0 for those the file has. */
  readonly capacity: number;
  readonly access: MapAccess;
  readonly delayAllocatePages: boolean;
}

interface OpenFile {
  readonly descriptor: number;
  readonly path: string;
  /** Whether this call made it, and so takes it back if it fails. */
  readonly created: boolean;
}

/** The bits of F_GETFL that say what may be done; see open(2). */
const O_ACCMODE = 3;

/** Opened to be mapped: FIFOs and devices must not make the call wait. */
const FLAGS = constants.O_NONBLOCK | constants.O_NOCTTY;

/** What the system says of directories, sockets and devices that are not there. */
const NO_FILE = new Set([system.errno.EISDIR, system.errno.ENXIO, system.errno.ENODEV]);

const noRegularFile = (path: string): ArgumentError =>
  new ArgumentError("ERR_INVALID_ARGUMENT", `${path} is no regular file, and cannot be mapped`, { path });

function openPath(path: string, flags: number): number {
  try {
    return openSync(path, flags | FLAGS, 0o666);
  } catch (error) {
    const { errno, syscall } = error as { errno?: number; syscall?: string };
    if (errno === undefined)
      throw new ArgumentError("ERR_INVALID_ARGUMENT", (error as Error).message, { actual: path });
    if (NO_FILE.has(-errno)) throw noRegularFile(path);
    throw systemError(errno, syscall ?? "open", path);
  }
}

const hasCode = (error: unknown, code: string): boolean => error instanceof ShmkitError && error.code === code;

function openOrCreate(path: string, rights: number, mode: MapFileMode): OpenFile {
  for (;;) {
    try {
      if (mode !== "create-new") {
        const truncate = mode === "create" ? constants.O_TRUNC : 0;
        return { descriptor: openPath(path, rights | truncate), path, created: false };
      }
    } catch (error) {
      if (mode === "open" || !hasCode(error, "ERR_NOT_FOUND")) throw error;
    }
    try {
      // Exclusive: who is told that it made the file may remove it again.
      return { descriptor: openPath(path, rights | constants.O_CREAT | constants.O_EXCL), path, created: true };
    } catch (error) {
      if (mode === "create-new" || !hasCode(error, "ERR_EXISTS")) throw error;
    }
  }
}

function open(file: unknown, { mode, access }: FileWish): OpenFile {
  const rights = writesFile(access) ? constants.O_RDWR : constants.O_RDONLY;
  const given = file instanceof URL ? fileURLToPath(file) : file;
  if (typeof given === "string") {
    if (given === "")
      throw new ArgumentError("ERR_INVALID_ARGUMENT", "the path of a file must not be empty", { actual: given });
    return openOrCreate(given, rights, mode);
  }
  const descriptor = typeof given === "object" && given !== null ? (given as { fd?: unknown }).fd : given;
  if (typeof descriptor !== "number" || !Number.isInteger(descriptor) || descriptor < 0)
    throw new ArgumentError(
      "ERR_INVALID_ARGUMENT",
      `file must be a path, a FileHandle or a descriptor, not ${show(file)}`,
      {
        actual: file,
      },
    );
  if (mode !== "open")
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `a file that is open already has the mode "open", not "${mode}"`);
  checkRights(descriptor, access);
  // A description of its own: the caller may close the one that was given.
  const path = `/proc/self/fd/${descriptor}`;
  return { descriptor: openPath(path, rights), path, created: false };
}

/** Who was given a file for reading cannot write to it by mapping it, whatever the file's mode says. @throws ERR_PERMISSION */
function checkRights(descriptor: number, access: MapAccess): void {
  const path = `/proc/self/fd/${descriptor}`;
  const opened = checkResult(native.fcntl(descriptor, F_GETFL, 0), "fcntl(F_GETFL)", path) & O_ACCMODE;
  if (opened === O_RDWR || (opened === O_RDONLY && !writesFile(access))) return;
  const what = opened === O_RDONLY ? "reading" : "writing";
  throw new ShmkitError("ERR_PERMISSION", `${path} is open for ${what} only, and cannot be mapped for "${access}"`, {
    path,
    actual: access,
  });
}

function removeIfSame({ descriptor, path }: OpenFile): void {
  const own = fstatSync(descriptor);
  const named = statSync(path, { throwIfNoEntry: false });
  if (named !== undefined && named.ino === own.ino && named.dev === own.dev) unlinkSync(path);
}

/** Nothing is taken out of a file for a map that cannot be had. */
function checkBeforeEmptying({ mode, access, capacity }: FileWish): void {
  if (mode !== "create") return;
  if (!writesFile(access))
    throw new ArgumentError(
      "ERR_INVALID_ARGUMENT",
      `the mode "create" empties the file, which the access "${access}" does not allow; open it with the mode "open"`,
      { actual: access },
    );
  if (capacity === 0)
    throw new ArgumentError(
      "ERR_INVALID_ARGUMENT",
      'the mode "create" empties the file: say which capacity it is to get',
      { actual: capacity },
    );
}

/** Opens a file and gives it the length that is asked for. Answers it with its capacity. */
export function* openFile(file: unknown, wish: FileWish): Steps<{ source: MapSource; capacity: number }> {
  requireLinux("MemoryMappedFile");
  checkBeforeEmptying(wish);
  const opened = open(file, wish);
  try {
    const capacity = yield* fit(opened, wish);
    const { descriptor, path } = opened;
    return { source: new MapSource(descriptor, path, () => closeSync(descriptor)), capacity };
  } catch (error) {
    try {
      if (opened.created) removeIfSame(opened);
    } catch {
      // What went wrong first is what is told.
    }
    closeSync(opened.descriptor);
    throw error;
  }
}

function* fit({ descriptor, path }: OpenFile, { capacity, access, delayAllocatePages }: FileWish): Steps<number> {
  const facts = fstatSync(descriptor);
  if (!facts.isFile()) throw noRegularFile(path);
  if (capacity === 0 && facts.size === 0)
    throw new ArgumentError("ERR_INVALID_ARGUMENT", `${path} is empty: say which capacity it is to get`, { path });
  if (capacity === 0) return facts.size;
  if (capacity < facts.size)
    throw new ArgumentRangeError(
      "ERR_OUT_OF_RANGE",
      `capacity must be at least ${facts.size}, the bytes that ${path} has, not ${capacity}`,
      { path, expected: facts.size, actual: capacity },
    );
  if (capacity > facts.size) {
    if (!writesFile(access))
      throw new ArgumentError(
        "ERR_INVALID_ARGUMENT",
        `${path} has ${facts.size} bytes, and "${access}" lets nobody make it longer`,
        {
          path,
          expected: facts.size,
          actual: capacity,
        },
      );
    yield* lengthen(descriptor, path, facts.size, capacity, delayAllocatePages);
  }
  return capacity;
}
