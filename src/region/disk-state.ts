import { readFileSync } from "node:fs";
import * as words from "#words";
import { ShmkitError } from "../base/errors.js";
import { checkResult } from "../base/system-errors.js";
import { SlotState } from "../layout/member-slot.js";
import { DiskState, PAGE_BYTES } from "../layout/region-header.js";
import { Segment } from "../memory/segment.js";
import { HEADER, SLOT, slotWord, type Geometry } from "../members/region-words.js";
import { Membership } from "./membership.js";
import { anybodyAlive, inspectHeader, statOf, tryLockAttach, unlockAttach } from "./region-file.js";
import type { Steps } from "./steps.js";

/**
 * Whether the disk has all of a region. Pages reach it in any order, so a region that was in use when the machine went down
 * may be a mixture of old and new. "In use" is on the disk before anything else of it can be; "in order" when everything
 * else is. Whoever dies in between leaves what says less than is true.
 */

/** What the disk has of a region: all of it, or what happened to be written while it is in use; or it went down in use. */
export type DiskStateName = "inOrder" | "inUse" | "unclean";

const BOOT_ID = "/proc/sys/kernel/random/boot_id";
const BOOT_WORDS = 4;

/** Random number of this run of the system. */
function bootId(): Int32Array {
  const bytes = Buffer.from(readFileSync(BOOT_ID, "latin1").replaceAll("-", ""), "hex");
  return Int32Array.from({ length: BOOT_WORDS }, (_, i) => bytes.readInt32LE(i * 4));
}

function isOfThisBoot(segment: Segment): boolean {
  return bootId().every((word, i) => words.load(segment.words, HEADER.bootId + i) === word);
}

const writeBootId = ({ words: shared }: Segment): void => {
  for (const [i, word] of bootId().entries()) words.store(shared, HEADER.bootId + i, word);
};

/** Of a region whose file has no name yet: all of it is on disk before it gets one. */
export function* markNew(segment: Segment): Steps<void> {
  writeBootId(segment);
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
  const sameBoot = isOfThisBoot(segment);
  const wentDown = state !== DiskState.inOrder && !sameBoot && !anybodyAlive(descriptor);
  if (refuseUnclean && (wentDown || words.load(shared, HEADER.unclean) !== 0))
    throw new ShmkitError(
      "ERR_UNCLEAN",
      `the machine went down while ${name} was in use, so that its contents may be a mixture of old and new; open it without refuseUnclean to look at it, or remove it`,
      { path: segment.path },
    );
  if (wentDown) {
    words.store(shared, HEADER.unclean, 1);
    releaseFreeSlots(segment, descriptor, geometry, name);
  }
  if (state === DiskState.inUse && sameBoot) return;
  writeBootId(segment);
  // In two steps: somebody may die before it is on disk, and the next one must not take it for being there.
  words.store(shared, HEADER.diskState, DiskState.marking);
  yield* written(segment, PAGE_BYTES);
  words.store(shared, HEADER.diskState, DiskState.inUse);
}

/** A slot's page may be older than that of a lock which its member held: nobody would free it. */
function releaseFreeSlots(segment: Segment, descriptor: number, geometry: Geometry, name: string): void {
  const { recovery } = new Membership(segment, descriptor, geometry, name, -1);
  for (let slot = 0; slot < geometry.maxMembers; slot++)
    if (words.load(segment.words, slotWord(geometry, slot) + SLOT.state) === SlotState.free)
      recovery.release(slot, false);
}

/** Waits until the first bytes of a region, or all, are on disk. */
function* written(segment: Segment, length = segment.bytes.byteLength): Steps<void> {
  checkResult(yield { written: segment, length }, "msync", segment.path);
}

const SEAL_TRIES = 50;
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
    segment?.close();
    unlockAttach(descriptor);
    yield { closing: descriptor };
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
  const state = words.load(segment.words, HEADER.diskState);
  const wentDown = state !== DiskState.inOrder && !isOfThisBoot(segment) && !anybodyAlive(descriptor);
  if (wentDown || words.load(segment.words, HEADER.unclean) !== 0) return "unclean";
  return state === DiskState.inOrder ? "inOrder" : "inUse";
}
