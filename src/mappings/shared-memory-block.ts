import { existsSync } from "node:fs";
import { DIRECTORY } from "../base/file-names.js";
import { fileName, flag, knownOptions, wholeNumber } from "../base/arguments.js";
import { ArgumentRangeError, ShmkitError } from "../base/errors.js";
import { sizeBytes, type Size } from "../base/sizes.js";
import { checkResult, ERRNO, systemError } from "../base/system-errors.js";
import { nameFile, newFile, statOf, type FileFacts } from "../memory/named-file.js";
import { mapFile } from "../memory/segment.js";
import type { Steps } from "../memory/steps.js";
import { native, requireLinux } from "../native/addon.js";
import { randomHex } from "../native/random.js";
import { owned, remember, unmap, type MemoryRange } from "../os/raw-memory.js";

/** Options of `SharedMemory.create` and `openOrCreate`. */
export interface SharedMemoryOptions {
  /** Bytes, all of them backed at creation: 1 or more. Needed to create. */
  size: Size;
  /** Permission bits of what is made, whatever the umask. Default 0o600: this user only. */
  mode?: number;
  /** Give a SharedArrayBuffer, which can be posted to worker threads, where the runtime can. Default false. */
  shared?: boolean;
}

/** Options of `SharedMemory.open`. */
export interface SharedMemoryOpenOptions {
  /** Map it for reading: what is written to the buffer reaches nobody, and the lock cannot be taken. Default false. */
  readOnly?: boolean;
  /** Give a SharedArrayBuffer, which can be posted to worker threads, where the runtime can. Default false. */
  shared?: boolean;
}

/** A mapped block, and what is known of it. */
export interface Block {
  readonly name: string;
  readonly path: string;
  readonly descriptor: number;
  readonly facts: FileFacts;
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  readonly range: MemoryRange;
  readonly created: boolean;
  readonly readOnly: boolean;
}

/** What is to be made, with its options checked. */
export interface Wanted {
  readonly sizeBytes: number;
  readonly mode: number;
  readonly shared: boolean;
  /** What is in it before it has its name. Default: zeroes. */
  readonly contents?: Uint8Array;
}

const WHAT = "shared memory";
/** How long one that is empty may be so: whoever makes it as C does names it first and gives it a size then. */
const EMPTY_MS = 100;
const EMPTY_STEP_MS = 2;

/** Where shared memory of a name is. @throws ERR_INVALID_NAME */
const placeOf = (given: string): { name: string; path: string } => {
  requireLinux("SharedMemory");
  const name = fileName(given, WHAT);
  return { name, path: `${DIRECTORY}/${name}` };
};

/** Checks the options of making one. */
export function wantedBy(options: SharedMemoryOptions | undefined, where: string): Wanted {
  const given = knownOptions(options, ["size", "mode", "shared"], where);
  return {
    sizeBytes: sizeBytes(given.size, "size", 1, Number.MAX_SAFE_INTEGER),
    mode: given.mode === undefined ? 0o600 : wholeNumber(given.mode, "mode", 0, 0o777),
    shared: flag(given.shared, "shared"),
  };
}

/** One that has these bytes from the beginning. */
export const wantedOf = (contents: Uint8Array): Wanted => ({
  sizeBytes: contents.length,
  mode: 0o600,
  shared: false,
  contents,
});

/** Makes one that must not exist; without a name it gets one that is free. */
export function* create(given: string | undefined, wanted: Wanted): Steps<Block> {
  while (given === undefined) {
    const made = yield* make(`psm_${randomHex()}`, wanted);
    if (made !== undefined) return made;
  }
  const { name, path } = placeOf(given);
  // Looked for first, so that nothing is backed in vain.
  const made = existsSync(path) ? undefined : yield* make(name, wanted);
  if (made === undefined) throw systemError(-ERRNO.exists, "link", path);
  return made;
}

/** Opens one that must exist. */
export function* open(given: string, options: SharedMemoryOpenOptions | undefined, where: string): Steps<Block> {
  const known = knownOptions(options, ["readOnly", "shared"], where);
  const [readOnly, shared] = [flag(known.readOnly, "readOnly"), flag(known.shared, "shared")];
  const { name, path } = placeOf(given);
  const found = yield* find(name, { readOnly, shared });
  if (found === undefined) throw systemError(-ERRNO.missing, "open", path);
  return found;
}

/** Opens one or makes it. */
export function* openOrCreate(given: string, wanted: Wanted): Steps<Block> {
  const { name } = placeOf(given);
  for (;;) {
    const found = yield* find(name, { readOnly: false, shared: wanted.shared, sizeBytes: wanted.sizeBytes });
    if (found !== undefined) return found;
    // The name may be given to another one meanwhile, and taken away again.
    const made = yield* make(name, wanted);
    if (made !== undefined) return made;
  }
}

/** Makes all of it and only then names it. Undefined when the name is taken. */
function* make(given: string, wanted: Wanted): Steps<Block | undefined> {
  const { name, path } = placeOf(given);
  const file = newFile(DIRECTORY, wanted.mode);
  const { descriptor } = file;
  let range: MemoryRange | undefined;
  try {
    // In one piece: what is larger than the file system fails at once, without filling it before.
    checkResult(yield { descriptor, offset: 0, length: wanted.sizeBytes, isFirst: true }, "fallocate", path);
    const facts = statOf(descriptor, path);
    const buffer = map(descriptor, facts, path, wanted.shared, false);
    range = owned(buffer);
    if (wanted.contents !== undefined) new Uint8Array(buffer).set(wanted.contents);
    const named = nameFile(file, path);
    if (named !== -ERRNO.exists) checkResult(named, "link", path);
    if (named === 0) return { name, path, descriptor, facts, buffer, range, created: true, readOnly: false };
  } catch (error) {
    if (file.temporaryPath !== undefined) native.unlink(file.temporaryPath);
    yield* discard(descriptor, range);
    throw error;
  }
  yield* discard(descriptor, range);
  return undefined;
}

function* discard(descriptor: number, range: MemoryRange | undefined): Steps<void> {
  if (range !== undefined) unmap(range, "munmap");
  yield { closing: descriptor };
}

/** Undefined when nothing has the name. */
function* find(
  given: string,
  { readOnly, shared, sizeBytes = 1 }: { readOnly: boolean; shared: boolean; sizeBytes?: number },
): Steps<Block | undefined> {
  const { name, path } = placeOf(given);
  const descriptor = native.openExisting(path, !readOnly);
  if (descriptor === -ERRNO.missing) return undefined;
  checkResult(descriptor, "open", path);
  try {
    let facts = statOf(descriptor, path);
    for (let waited = 0; facts.sizeBytes === 0 && waited < EMPTY_MS; waited += EMPTY_STEP_MS) {
      yield { delayMs: EMPTY_STEP_MS };
      facts = statOf(descriptor, path);
    }
    checkSize(facts.sizeBytes, sizeBytes, path);
    const buffer = map(descriptor, facts, path, shared, readOnly);
    return { name, path, descriptor, facts, buffer, range: owned(buffer), created: false, readOnly };
  } catch (error) {
    native.close(descriptor);
    throw error;
  }
}

const map = (descriptor: number, { sizeBytes }: FileFacts, path: string, shared: boolean, readOnly: boolean) =>
  remember(
    mapFile(descriptor, sizeBytes, path, {
      writable: !readOnly,
      shared,
      keepsFile: true,
      advice: "use a newer runtime",
    }),
  );

function checkSize(size: number, minimum: number, path: string): void {
  if (size >= minimum) return;
  if (size > 0)
    throw new ShmkitError("ERR_OPTIONS_DIFFER", `${path} has ${size} bytes, and ${minimum} are wanted`, {
      path,
      expected: minimum,
      actual: size,
    });
  throw new ArgumentRangeError(
    "ERR_INVALID_SIZE",
    `${path} is empty: whoever makes it has not finished, or died; remove it with rm(1)`,
    { path, actual: size },
  );
}
