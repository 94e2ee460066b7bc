import { chownSync, lstatSync } from "node:fs";
import { ShmkitError } from "../base/errors.js";
import { checkResult, ERRNO, systemError } from "../base/system-errors.js";
import { native } from "../native/addon.js";
import { MAGIC_0, MAGIC_1, PAGE_BYTES, RegionState } from "../layout/region-header.js";
import * as words from "#words";
import { nameFile, statOf, unlinkIfSame, type NewFile } from "../memory/named-file.js";
import { Segment } from "../memory/segment.js";
import { HEADER } from "../members/region-words.js";
import { checkLinked } from "./file-system.js";
import type { Place } from "./names.js";
import { readHeader, type HeaderFacts } from "./geometry.js";

/** Opens the file of a region; undefined when there is none. @throws ERR_PERMISSION, which says whose it is, ERR_BAD_REGION, ERR_SYSTEM */
export function openFile({ name, path }: Place, writable: boolean): number | undefined {
  const descriptor = native.openExisting(path, writable);
  if (descriptor === -ERRNO.missing) return undefined;
  const owner = ERRNO.refused.includes(-descriptor) ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
  if (owner === undefined) return checkResult(descriptor, "open", path);
  const mode = owner.mode & 0o777;
  const needs = writable ? "read and write" : "read";
  throw new ShmkitError(
    "ERR_PERMISSION",
    `the region ${name} belongs to user ${owner.uid} and group ${owner.gid}, mode 0${mode.toString(8)}: you (user ${native.effectiveUid()}) may not ${needs} it; its owner decides, by mode and group when it is made`,
    { path, owner: owner.uid, actual: mode, errno: descriptor, syscall: "open" },
  );
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

/** Gives a new file to a group. @throws ERR_PERMISSION for one that this user is not in */
export function giveToGroup(descriptor: number, group: number, path: string): void {
  try {
    chownSync(`/proc/self/fd/${descriptor}`, native.effectiveUid(), group);
  } catch (error) {
    const { errno } = error as NodeJS.ErrnoException;
    throw errno === undefined ? error : systemError(errno, `chown to group ${group}`, path);
  }
}

/** Gives a complete file its name. False when the name is taken. */
export function publish(file: NewFile, path: string): boolean {
  const result = nameFile(file, path);
  if (result === -ERRNO.exists) return false;
  checkLinked(result, path);
  return true;
}
