import { readdirSync } from "node:fs";
import { regionName } from "../base/arguments.js";
import { ShmkitError } from "../base/errors.js";
import { DIRECTORY } from "../base/file-names.js";
import { pauseSync } from "../base/pause.js";
import { checkResult, ERRNO } from "../base/system-errors.js";
import { LOCK_BASE, MEMBER_LIMIT } from "../layout/region-header.js";
import { native, requireLinux } from "../native/addon.js";
import { anybodyAlive, tryLockAttach, unlockAttach } from "../memory/attach-lock.js";
import { nameFile, newFile, statOf, unlinkIfSame } from "../memory/named-file.js";
import type { Steps } from "../memory/steps.js";
import { lengthen } from "./lengthen.js";
import { MapSource } from "./map-source.js";

/*
 * Blocks of memory with a name: files in /dev/shm of the user's bytes alone. As with regions, bytes far beyond the end of the
 * file are locked: the attach byte by whoever opens or leaves, and one of those after it by each user. The kernel drops the
 * locks of whoever dies. A file that nobody uses is no map any more: whoever comes next removes it.
 */

const PREFIX = "shmkit-map.";
const RETRY_MS = 2;
/** How often a leaver tries to get the attach byte; after that, whoever comes next removes the name. */
const LEAVE_TRIES = 25;

export function pathOfBlock(name: unknown): string {
  requireLinux("MemoryMappedFile");
  return `${DIRECTORY}/${PREFIX}${regionName(name, "map")}`;
}

/** A block as a user of it has it. */
export interface Block {
  readonly source: MapSource;
  readonly capacity: number;
}

/** Takes a place among the users. The attach byte is held, or nobody else knows the file yet. */
function enter(descriptor: number, path: string): number {
  for (let slot = 1; slot <= MEMBER_LIMIT; slot++) {
    const result = native.lock(descriptor, LOCK_BASE + slot);
    if (result === -ERRNO.again) continue;
    checkResult(result, "fcntl(F_OFD_SETLK)", path);
    return slot;
  }
  throw new ShmkitError("ERR_TOO_MANY_MEMBERS", `${path} is in use ${MEMBER_LIMIT} times already`, {
    path,
    expected: MEMBER_LIMIT,
  });
}

/**
 * Gives the place back; the last user takes the name away. The locks are given back one by one: closing does it only once
 * nothing is mapped through the descriptor any more, which a call that waits for something in a view may hold up.
 */
function leave(descriptor: number, path: string, slot: number): void {
  let hasAttachByte = false;
  for (let tries = 0; tries < LEAVE_TRIES && !hasAttachByte; tries++) {
    hasAttachByte = tryLockAttach(descriptor, path);
    if (!hasAttachByte) pauseSync(RETRY_MS);
  }
  native.unlock(descriptor, LOCK_BASE + slot);
  if (hasAttachByte) {
    if (!anybodyAlive(descriptor)) unlinkIfSame(descriptor, path, true);
    unlockAttach(descriptor);
  }
  native.close(descriptor);
}

function sourceOf(descriptor: number, path: string, slot: number): MapSource {
  return new MapSource(descriptor, path, () => leave(descriptor, path, slot));
}

/** Waits for the attach byte of an open file. */
function* lockAttach(descriptor: number, path: string): Steps<void> {
  while (!tryLockAttach(descriptor, path)) yield { delayMs: RETRY_MS };
}

/** Anybody may have put a file of this name there. @throws ERR_NOT_OWNER */
function checkOwner(descriptor: number, path: string): void {
  const { uid } = statOf(descriptor, path);
  const own = native.effectiveUid();
  if (uid === own) return;
  throw new ShmkitError("ERR_NOT_OWNER", `${path} belongs to the user ${uid}, not to ${own}`, { path, owner: uid });
}

/** Opens a block that somebody uses; undefined if there is none. A file that nobody uses is removed. */
export function* openBlock(path: string): Steps<Block | undefined> {
  for (;;) {
    // For writing, also if it is mapped for reading: the locks need it.
    const descriptor = native.openExisting(path, true);
    if (descriptor === -ERRNO.missing) return undefined;
    checkResult(descriptor, "open", path);
    let keeps = false;
    try {
      checkOwner(descriptor, path);
      yield* lockAttach(descriptor, path);
      if (native.sameFile(path, descriptor) !== 1) continue;
      if (!anybodyAlive(descriptor)) {
        unlinkIfSame(descriptor, path);
        continue;
      }
      const slot = enter(descriptor, path);
      keeps = true;
      return { source: sourceOf(descriptor, path, slot), capacity: statOf(descriptor, path).sizeBytes };
    } finally {
      unlockAttach(descriptor);
      if (!keeps) native.close(descriptor);
    }
  }
}

/** Makes a block; undefined if somebody uses one of that name. */
export function* createBlock(path: string, capacity: number, leavesHole: boolean): Steps<Block | undefined> {
  for (;;) {
    const made = yield* publishNew(path, capacity, leavesHole);
    if (made !== undefined) return made;
    const other = yield* openBlock(path);
    if (other === undefined) continue;
    other.source.release();
    return undefined;
  }
}

/** Makes a file that is complete, and in use, when its name appears; undefined if there is one of that name. */
function* publishNew(path: string, capacity: number, leavesHole: boolean): Steps<Block | undefined> {
  const file = newFile(DIRECTORY, 0o600);
  const { descriptor, temporaryPath } = file;
  let keeps = false;
  try {
    if (leavesHole) checkResult(native.truncate(descriptor, capacity), "ftruncate", path);
    else yield* lengthen(descriptor, path, 0, capacity, false);
    const slot = enter(descriptor, path);
    const result = nameFile(file, path);
    if (result !== -ERRNO.exists) checkResult(result, "link", path);
    keeps = result >= 0;
    return keeps ? { source: sourceOf(descriptor, path, slot), capacity } : undefined;
  } finally {
    if (!keeps && temporaryPath !== undefined) native.unlink(temporaryPath);
    if (!keeps) native.close(descriptor);
  }
}

/** Removes the files of blocks that nobody uses; answers their names. */
export function cleanBlocks(): string[] {
  requireLinux("MemoryMappedFile");
  const removed: string[] = [];
  for (const file of readdirSync(DIRECTORY)) {
    if (!file.startsWith(PREFIX)) continue;
    const path = `${DIRECTORY}/${file}`;
    const descriptor = native.openExisting(path, true);
    // Not to be opened, or gone meanwhile.
    if (descriptor < 0) continue;
    try {
      if (cleanBlock(descriptor, path)) removed.push(file.slice(PREFIX.length));
    } finally {
      native.close(descriptor);
    }
  }
  return removed;
}

/** Removes one that nobody uses, unless it is somebody else's: root may open those, too. */
function cleanBlock(descriptor: number, path: string): boolean {
  if (statOf(descriptor, path).uid !== native.effectiveUid()) return false;
  if (!tryLockAttach(descriptor, path) || anybodyAlive(descriptor)) return false;
  unlinkIfSame(descriptor, path, true);
  return true;
}
