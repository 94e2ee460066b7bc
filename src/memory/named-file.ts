import { checkResult, ERRNO, systemError } from "../base/system-errors.js";
import { ON_WINDOWS } from "../base/file-names.js";
import { native } from "../native/addon.js";
import { removeStrays } from "./strays.js";
import { STAT_FIELDS, StatField } from "../native/contract.js";

/** What fstat says of a file. */
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

/** Takes a name away, if it still is this file's. */
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
  if (ON_WINDOWS) removeStrays(directory);
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

/** Gives a complete file its name: 0, or the -errno of link(2); whatever it is, a temporary name is gone. */
export function nameFile(file: NewFile, path: string): number {
  if (file.temporaryPath === undefined) return native.linkDescriptor(file.descriptor, path);
  const result = native.linkPath(file.temporaryPath, path);
  native.unlink(file.temporaryPath);
  return result;
}
