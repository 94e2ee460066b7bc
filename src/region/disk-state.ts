import { readFileSync } from "node:fs";
import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { checkResult } from "../base/system-errors.js";
import { DiskState, PAGE_BYTES, RegionState } from "../layout/region-header.js";
import { statOf } from "../memory/named-file.js";
import { Segment } from "../memory/segment.js";
import { HEADER, type Geometry } from "../members/region-words.js";
import { Membership } from "./membership.js";
import { anybodyAlive, tryLockAttach, unlockAttach } from "../memory/attach-lock.js";
import { inspectHeader } from "./region-file.js";
import type { Steps } from "../memory/steps.js";

/**
 * Whether the disk has all of a region. Pages reach it in any order, so a region that was in use when the machine went down
 * may be a mixture of old and new. "In use" is on the disk before anything else of it can be; "in order" when everything
 * else is. Whoever dies in between leaves what says less than is true.
 */

/** What the disk has of a region: all of it, or what happened to be written while it is in use; or it went down in use. */
export type DiskStateName = "inOrder" | "inUse" | "unclean";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const BOOT_WORDS = 4;

/** Random number of this run of the system. Where it cannot be asked for, no run is known to be the same. */
function bootId(): Int32Array | undefined {
  try {
    const bytes = Buffer.from(readFileSync(BOOT_ID, "latin1").replaceAll("-", ""), "hex");
    return Int32Array.from({ length: BOOT_WORDS }, (_, i) => bytes.readInt32LE(i * 4));
  } catch {
    return undefined;
  }
}

/** Whether it was marked in this run of the system, and is no copy made since. */
function isFromHere(segment: Segment, descriptor: number): boolean {
  const { inode, device } = statOf(descriptor, segment.path);
  return (
    bootId()?.every((word, i) => words.load(segment.words, HEADER.bootId + i) === word) === true &&
    words.readFloat(segment.floats, HEADER.inode) === inode &&
    words.readFloat(segment.floats, HEADER.device) === device
  );
}

function writeWhere(segment: Segment, descriptor: number): void {
  const { inode, device } = statOf(descriptor, segment.path);
  words.writeFloat(segment.floats, HEADER.inode, inode);
  words.writeFloat(segment.floats, HEADER.device, device);
  const id = bootId() ?? new Int32Array(BOOT_WORDS);
  for (const [i, word] of id.entries()) words.store(segment.words, HEADER.bootId + i, word);
}

/** Whether what is there was in use when the machine went down, or when it was copied. */
const wasInUse = (segment: Segment, descriptor: number): boolean =>
  words.load(segment.words, HEADER.diskState) !== DiskState.inOrder &&
  !isFromHere(segment, descriptor) &&
  !anybodyAlive(descriptor);

/** Of a region whose file has no name yet: all of it is on disk before it gets one. */
export function* markNew({ segment, descriptor }: Membership): Steps<void> {
  writeWhere(segment, descriptor);
  words.store(segment.words, HEADER.diskState, DiskState.inUse);
  yield* written(segment);
}

/**
 * Says that it is in use, and has that on disk before the caller changes anything else. Attach byte held.
 * @throws ERR_UNCLEAN when the machine went down while it was in use, and that is to be refused
 */
export function* markInUse(
  segment: Segment,
  descriptor: number,
  geometry: Geometry,
  name: string,
  refuseUnclean: boolean,
): Steps<void> {
  const shared = segment.words;
  const state = words.load(shared, HEADER.diskState);
  const mixed = state === DiskState.mixed || wasInUse(segment, descriptor);
  if (refuseUnclean && (mixed || words.load(shared, HEADER.unclean) !== 0))
    throw new ShmkitError(
      "ERR_UNCLEAN",
      `the machine went down while ${name} was in use, so that its contents may be a mixture of old and new; open it without refuseUnclean to look at it, or remove it`,
      { path: segment.path },
    );
  if (!mixed && state === DiskState.inUse && isFromHere(segment, descriptor)) return;
  if (mixed) words.store(shared, HEADER.unclean, 1);
  // In two steps: somebody may die before it is on disk, and the next one must not take it for being there; nor a mixture for
  // something that was recovered. Before it says that it is from here.
  words.store(shared, HEADER.diskState, mixed ? DiskState.mixed : DiskState.marking);
  writeWhere(segment, descriptor);
  yield* written(segment, PAGE_BYTES);
  if (mixed) releaseEverything(segment, descriptor, geometry, name);
  words.store(shared, HEADER.diskState, DiskState.inUse);
}

/** Nobody is alive, and nothing says who has what: a slot's page may be older than that of a lock which its member held. */
function releaseEverything(segment: Segment, descriptor: number, geometry: Geometry, name: string): void {
  const { deaths, recovery } = new Membership(segment, descriptor, geometry, name, -1);
  deaths.recoverTheDead();
  recovery.releaseEverything();
}

/**
 * Waits until the first bytes of a region, or all, are on disk. If the disk does not take them, nobody can rely on it later either:
 * the system tells it once, and takes the pages for written.
 */
function* written(segment: Segment, length = segment.bytes.byteLength): Steps<void> {
  const result = yield { written: segment, length };
  if (result < 0) words.store(segment.words, HEADER.unclean, 1);
  checkResult(result, "msync", segment.path);
}

/** Marks a region on disk closed, so that it does not come back when the machine goes down; then its name may go. Attach byte held. */
export function* closeOnDisk(descriptor: number, path: string): Steps<void> {
  const segment = new Segment(descriptor, PAGE_BYTES, path, { writable: true, shared: false });
  try {
    words.store(segment.words, HEADER.state, RegionState.closed);
    yield* written(segment, PAGE_BYTES);
  } finally {
    segment.close();
  }
}

const SEAL_TRIES = 500;
const SEAL_PAUSE_MS = 2;

/**
 * After a member has left: if it was the last one, writes everything to disk and says so. Closes the descriptor.
 * @throws ERR_SYSTEM, ERR_NO_SPACE when the disk does not take it: then it stays in use
 */
export function* seal(descriptor: number, path: string): Steps<void> {
  let segment: Segment | undefined;
  try {
    if (!(yield* lockForSealing(descriptor, path)) || anybodyAlive(descriptor) || !isSound(descriptor, path)) return;
    segment = new Segment(descriptor, statOf(descriptor, path).sizeBytes, path, { writable: true, shared: false });
    yield* written(segment);
    words.store(segment.words, HEADER.diskState, DiskState.inOrder);
    yield* written(segment, PAGE_BYTES);
  } finally {
    try {
      segment?.close();
    } finally {
      unlockAttach(descriptor);
      yield { closing: descriptor };
    }
  }
}

/** Bounded: a stopped process that holds the byte must not stop others from leaving. */
function* lockForSealing(descriptor: number, path: string): Steps<boolean> {
  for (let i = 0; i < SEAL_TRIES; i++) {
    if (tryLockAttach(descriptor, path)) return true;
    yield { delayMs: SEAL_PAUSE_MS };
  }
  return false;
}

/** A region that was removed or damaged has nothing to be kept. */
function isSound(descriptor: number, path: string): boolean {
  try {
    return !inspectHeader(descriptor, path).closed;
  } catch {
    return false;
  }
}

/** As seen from outside. */
export function diskStateOf(segment: Segment, descriptor: number): DiskStateName {
  if (wasInUse(segment, descriptor) || words.load(segment.words, HEADER.unclean) !== 0) return "unclean";
  return words.load(segment.words, HEADER.diskState) === DiskState.inOrder ? "inOrder" : "inUse";
}
