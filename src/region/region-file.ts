import { ShmkitError } from "../base/errors.js";
import { checkResult, ERRNO, systemError } from "../base/system-errors.js";
import { native } from "../native/addon.js";
import { STAT_FIELDS, StatField } from "../native/contract.js";
import { LOCK_BASE, MAGIC_0, MAGIC_1, MEMBER_LIMIT, PAGE_BYTES, RegionState } from "../layout/region-header.js";
import * as words from "#words";
import { Segment } from "../memory/segment.js";
import { HEADER } from "../members/region-words.js";
import { checkLinked } from "./file-system.js";
import { readHeader, type HeaderFacts } from "./geometry.js";

/** What fstat says of a region's file. */
export interface FileFacts {
  readonly sizeBytes: number;
  readonly uid: number;
  readonly mode: number;
  readonly inode: number;
  readonly device: number;
}

export function statOf(descriptor: number, path: string): FileFacts {
  const facts = new Float64Array(STAT_FIELDS);
  checkResult(native.stat(descriptor, facts), "fstat", path);
  return {
    sizeBytes: facts[StatField.size],
    uid: facts[StatField.uid],
    mode: facts[StatField.mode] & 0o777,
    inode: facts[StatField.inode],
    device: facts[StatField.device],
  };
}

/** The attach byte serialises attaching and leaving. True when taken. */
export function tryLockAttach(descriptor: number, path: string): boolean {
  const result = native.lock(descriptor, LOCK_BASE);
  if (result === -ERRNO.again) return false;
  checkResult(result, "fcntl(F_OFD_SETLK)", path);
  return true;
}

export function unlockAttach(descriptor: number): void {
  native.unlock(descriptor, LOCK_BASE);
}

/** Whether any member is alive, as far as another description than the caller's own can tell. */
export function anybodyAlive(descriptor: number): boolean {
  return checkResult(native.probe(descriptor, LOCK_BASE + 1, MEMBER_LIMIT), "fcntl(F_OFD_GETLK)") === 1;
}

/** Reads the header of an open file through a mapping of its own. @throws ERR_BAD_REGION, ERR_VERSION */
export function inspectHeader(descriptor: number, path: string): HeaderFacts {
  const { sizeBytes } = statOf(descriptor, path);
  if (sizeBytes < PAGE_BYTES)
    throw new ShmkitError(
      "ERR_BAD_REGION",
      `${path} is no shmkit region: it has ${sizeBytes} bytes; remove it (shmkit rm)`,
      { path },
    );
  const segment = new Segment(descriptor, PAGE_BYTES, path, { writable: false, shared: false });
  try {
    const facts = readHeader(segment, () => statOf(descriptor, path).sizeBytes, path);
    segment.checkNotLost();
    return facts;
  } finally {
    segment.close();
  }
}

/** @throws ERR_BAD_REGION for a file that never was a region */
export function checkMagic(descriptor: number, path: string): void {
  if (statOf(descriptor, path).sizeBytes >= PAGE_BYTES) {
    const segment = new Segment(descriptor, PAGE_BYTES, path, { writable: false, shared: false });
    const found = [HEADER.magic0, HEADER.magic1].map((at) => words.load(segment.words, at));
    segment.close();
    if (found[0] === MAGIC_0 && found[1] === MAGIC_1) return;
  }
  throw new ShmkitError("ERR_BAD_REGION", `${path} is no shmkit region, so it is left alone; rm(1) removes any file`, {
    path,
  });
}

/** Marks the region closed and takes its name away, if the name still is this file's. Attach byte held. */
export function closeName(descriptor: number, path: string): void {
  const segment = new Segment(descriptor, PAGE_BYTES, path, { writable: true, shared: false });
  try {
    words.store(segment.words, HEADER.state, RegionState.closed);
  } finally {
    segment.close();
  }
  unlinkIfSame(descriptor, path);
}

export function unlinkIfSame(descriptor: number, path: string, ifPermitted = false): void {
  if (native.sameFile(path, descriptor) !== 1) return;
  const result = native.unlink(path);
  if (result >= 0 || result === -ERRNO.missing) return;
  if (!ifPermitted || !ERRNO.refused.includes(-result)) throw systemError(result, "unlink", path);
}

/** A nameless file, or where the system has none, one under a name nobody guesses. */
export interface NewFile {
  readonly descriptor: number;
  readonly temporaryPath: string | undefined;
}

export function newFile(directory: string, mode: number): NewFile {
  const descriptor = native.openTemporary(directory, mode);
  if (descriptor >= 0) return { descriptor, temporaryPath: undefined };
  if (descriptor !== -ERRNO.notSupported && descriptor !== -ERRNO.isDirectory)
    throw systemError(descriptor, "open(O_TMPFILE)", directory);
  const temporaryPath = `${directory}/.shmkit-${process.pid}-${Math.random().toString(36).slice(2)}`;
  return {
    descriptor: checkResult(native.createExclusive(temporaryPath, mode), "open(O_EXCL)", temporaryPath),
    temporaryPath,
  };
}

/** Gives a complete file its name. False when the name is taken. */
export function publish(file: NewFile, path: string): boolean {
  const result =
    file.temporaryPath === undefined
      ? native.linkDescriptor(file.descriptor, path)
      : native.linkPath(file.temporaryPath, path);
  if (file.temporaryPath !== undefined) native.unlink(file.temporaryPath);
  if (result === -ERRNO.exists) return false;
  checkLinked(result, path);
  return true;
}
