import { ShmkitError } from "../base/errors.js";
import { native } from "../native/addon.js";
import { PAGE_BYTES } from "../layout/region-header.js";
import { newFile, statOf, unlinkIfSame, type NewFile } from "../memory/named-file.js";
import { Segment } from "../memory/segment.js";
import { anybodyAlive, tryLockAttach, unlockAttach } from "../memory/attach-lock.js";
import {
  dimensionsFor,
  rangesToBack,
  readHeader,
  writeHeader,
  type HeaderFacts,
  type LifetimeName,
} from "./geometry.js";
import { join, type Membership } from "./membership.js";
import { checkBacked, checkFileSystem } from "./file-system.js";
import { placeOf, type Place } from "./names.js";
import { closeOnDisk, markInUse, markNew } from "./disk-state.js";
import type { Steps } from "../memory/steps.js";
import type { CheckedOptions } from "./options.js";
import { checkMagic, closeName, giveToGroup, inspectHeader, openFile, publish } from "./region-file.js";

/**
 * Creating, opening and removing regions, in steps that the asynchronous and the Sync form drive. The protocol is that of an attach byte and a CLOSED mark: every opener and leaver holds
 * the byte, and nobody attaches to a region that is closed, has lost its name, or has nobody alive.
 */

/** An attached region. */
export interface Attached {
  readonly membership: Membership;
  readonly path: string;
  readonly lifetime: LifetimeName;
  readonly createdAt: Date;
  readonly epoch: string;
  readonly created: boolean;
}

const RETRY_MS = 2;
export const APPEAR_MS = 20;
/** Backed at a time: a few milliseconds, after which deadline and signal are looked at. */
const BACKING_STEP_BYTES = 16 * 2 ** 20;

export type OpenMode = "create" | "open" | "openOrCreate";

export function* attach(place: Place, mode: OpenMode, options: CheckedOptions): Steps<Attached> {
  const { name, path } = place;
  for (;;) {
    if (mode !== "create") {
      const opened = yield* openExisting(place, options);
      if (opened !== undefined) return opened;
      if (mode === "open") {
        if (!options.wait)
          throw new ShmkitError(
            "ERR_NOT_FOUND",
            `there is no region ${name}; create it, or open it with { wait: true }`,
            { path },
          );
        yield { delayMs: APPEAR_MS };
        continue;
      }
    } else if (yield* isAlive(place))
      throw new ShmkitError("ERR_EXISTS", `the region ${name} exists already; open it instead`, { path });
    // The name may be given to another one meanwhile: whoever links first has it.
    const created = yield* create(place, options);
    if (created !== undefined) return created;
  }
}

/** Makes a complete region, with this member in it, and only then names it. Undefined when the name is taken. */
function* create(place: Place, options: CheckedOptions): Steps<Attached | undefined> {
  const { path, directory, onDisk } = place;
  const file = newFile(directory, options.mode);
  let attached: Attached | undefined;
  try {
    if (onDisk) checkFileSystem(file.descriptor, path);
    if (options.group !== undefined) giveToGroup(file.descriptor, options.group, path);
    attached = yield* build(file.descriptor, place, options);
    if (onDisk) yield* markNew(attached.membership);
    if (publish(file, path)) {
      attached.membership.start(path, options.lifetime === "process");
      return attached;
    }
  } catch (error) {
    yield* abandon(file, attached);
    throw error;
  }
  yield* abandon(file, attached);
  return undefined;
}

/** Makes a region of an empty file, with this member in it. */
export function* build(descriptor: number, { name, path }: Place, options: CheckedOptions): Steps<Attached> {
  const dimensions = dimensionsFor(options.sizeBytes, options.maxSizeBytes, options.maxMembers);
  const segment = new Segment(descriptor, dimensions.geometry.maxPages * PAGE_BYTES, path, {
    writable: true,
    shared: options.shared,
  });
  try {
    // After mapping, which on Windows is what memory is committed through.
    yield* back(descriptor, path, rangesToBack(dimensions));
    writeHeader(segment, dimensions, options.lifetime);
    const { createdAt, epoch } = readHeader(segment, () => Number.POSITIVE_INFINITY, path);
    const membership = join(segment, descriptor, dimensions.geometry, name, options.label);
    return { membership, path, lifetime: options.lifetime, createdAt, epoch, created: true };
  } catch (error) {
    segment.close();
    throw error;
  }
}

function* back(descriptor: number, path: string, ranges: ReturnType<typeof rangesToBack>): Steps<void> {
  for (const [offset, length] of ranges)
    for (let done = 0; done < length; done += BACKING_STEP_BYTES) {
      const step = Math.min(BACKING_STEP_BYTES, length - done);
      const backed = yield { descriptor, offset: offset + done, length: step, isFirst: done === 0 };
      checkBacked(backed, path);
    }
}

function* abandon(file: NewFile, attached: Attached | undefined): Steps<void> {
  attached?.membership.segment.close();
  if (file.temporaryPath !== undefined) native.unlink(file.temporaryPath);
  yield { closing: file.descriptor };
}

/** Opens what has the name and lives. Undefined when nothing has; a dead region's name is taken away on the way. */
function* openExisting(place: Place, options: CheckedOptions): Steps<Attached | undefined> {
  const { name, path, onDisk } = place;
  for (;;) {
    const descriptor = openFile(place, true);
    if (descriptor === undefined) return undefined;
    let attached: Attached | undefined;
    try {
      if (onDisk) checkFileSystem(descriptor, path);
      checkOwner(descriptor, path, name, options.allowOtherUser, TRUST);
      while (!tryLockAttach(descriptor, path)) yield { delayMs: RETRY_MS };
      attached = yield* attachTo(descriptor, place, options);
    } finally {
      unlockAttach(descriptor);
      if (attached === undefined) yield { closing: descriptor };
    }
    if (attached !== undefined) return attached;
  }
}

function* attachTo(descriptor: number, place: Place, options: CheckedOptions): Steps<Attached | undefined> {
  const { name, path } = place;
  const header = inspectHeader(descriptor, path);
  if (isGone(descriptor, path, header)) return undefined;
  compare(header, options, name, path);
  return yield* enter(descriptor, place, header, options);
}

/** Takes a slot in a region that lives, and recovers its dead. Attach byte held. */
export function* enter(
  descriptor: number,
  { name, path }: Place,
  header: HeaderFacts,
  options: CheckedOptions,
): Steps<Attached> {
  const segment = new Segment(descriptor, header.geometry.maxPages * PAGE_BYTES, path, {
    writable: true,
    shared: options.shared,
  });
  try {
    if (header.lifetime === "file") yield* markInUse(segment, descriptor, header.geometry, name, options.refuseUnclean);
    const membership = join(segment, descriptor, header.geometry, name, options.label);
    membership.deaths.recoverTheDead();
    membership.start(path, header.lifetime === "process");
    segment.checkNotLost();
    return {
      membership,
      path,
      lifetime: header.lifetime,
      createdAt: header.createdAt,
      epoch: header.epoch,
      created: false,
    };
  } catch (error) {
    segment.close();
    throw error;
  }
}

/** Whether the file is a region that has ended; finishes what the last leaver or a crash left. Attach byte held. */
function isGone(descriptor: number, path: string, header: HeaderFacts): boolean {
  if (header.closed) {
    unlinkIfSame(descriptor, path);
    return true;
  }
  if (native.sameFile(path, descriptor) !== 1) return true;
  if (header.lifetime !== "process" || anybodyAlive(descriptor)) return false;
  closeName(descriptor, path);
  return true;
}

export const TRUST = "if you trust that user, open it with { allowOtherUser: true }";
const ASK_OWNER = "only that user or root can remove it";

export function checkOwner(descriptor: number, path: string, name: string, allowed: boolean, advice: string): void {
  const { uid } = statOf(descriptor, path);
  const me = native.effectiveUid();
  if (uid !== me && !allowed)
    throw new ShmkitError("ERR_NOT_OWNER", `the region ${name} belongs to user ${uid}, not to you (${me}); ${advice}`, {
      path,
      owner: uid,
      expected: me,
      actual: uid,
    });
}

export function compare(header: HeaderFacts, options: CheckedOptions, name: string, path: string): void {
  const differ = (option: string, expected: unknown, actual: unknown): never => {
    throw new ShmkitError(
      "ERR_OPTIONS_DIFFER",
      `the region ${name} exists with ${option} ${String(actual)}, not ${String(expected)}; leave the option out`,
      {
        path,
        expected,
        actual,
      },
    );
  };
  const wanted = dimensionsFor(options.sizeBytes, options.maxSizeBytes, header.geometry.maxMembers).geometry;
  const maxBytes = (geometry: { maxPages: number; heapPage: number }): number =>
    (geometry.maxPages - geometry.heapPage) * PAGE_BYTES;
  if (options.given.maxSize && maxBytes(wanted) !== maxBytes(header.geometry))
    differ("maxSize", maxBytes(wanted), maxBytes(header.geometry));
  if (options.given.maxMembers && options.maxMembers !== header.geometry.maxMembers)
    differ("maxMembers", options.maxMembers, header.geometry.maxMembers);
  if (options.given.lifetime && options.lifetime !== header.lifetime)
    differ("lifetime", options.lifetime, header.lifetime);
}

/** Whether the name belongs to a region in use; takes a dead one's name away. */
function* isAlive(place: Place): Steps<boolean> {
  const { path } = place;
  return (
    (yield* withExisting(place, (descriptor) => !isGone(descriptor, path, inspectHeader(descriptor, path)))) ?? false
  );
}

/** Runs `work` on the file of a name under its attach byte, and if that answers true, `rest`; undefined when there is none. */
function* withExisting(
  place: Place,
  work: (descriptor: number) => boolean,
  rest?: (descriptor: number) => Steps<void>,
): Steps<boolean | undefined> {
  const descriptor = openFile(place, true);
  if (descriptor === undefined) return undefined;
  try {
    while (!tryLockAttach(descriptor, place.path)) yield { delayMs: RETRY_MS };
    const worked = work(descriptor);
    if (worked && rest !== undefined) yield* rest(descriptor);
    return worked;
  } finally {
    unlockAttach(descriptor);
    yield { closing: descriptor };
  }
}

/**
 * Takes a name away, whoever is attached: they go on with the memory they share, and nobody can join them. True when there
 * was one. A file in /dev/shm that is no valid region is removed as well: its name says what it is meant to be. Elsewhere it
 * may be any file, and is left alone.
 */
export function* remove(place: Place): Steps<boolean> {
  const { name, path, onDisk } = place;
  const mayGo = (descriptor: number): boolean => {
    if (native.sameFile(path, descriptor) !== 1) return false;
    // In a sticky directory only the owner can take the name away: a region marked closed would keep it for ever.
    checkOwner(descriptor, path, name, native.effectiveUid() === 0, ASK_OWNER);
    if (onDisk) checkMagic(descriptor, path);
    return true;
  };
  const removed = yield* withExisting(place, mayGo, function* (descriptor) {
    if (onDisk) yield* closeOnDisk(descriptor, path);
    if (statOf(descriptor, path).sizeBytes >= PAGE_BYTES) closeName(descriptor, path);
    else unlinkIfSame(descriptor, path);
  });
  return removed ?? false;
}

/** Takes the name of a region that nobody alive uses away. True when it did. */
export function* clean(name: string, alsoKernel: boolean): Steps<boolean> {
  const place = placeOf(name);
  const { path } = place;
  const cleaned = yield* withExisting(place, (descriptor) => {
    if (native.sameFile(path, descriptor) !== 1 || anybodyAlive(descriptor)) return false;
    checkOwner(descriptor, path, name, native.effectiveUid() === 0, ASK_OWNER);
    const { closed, lifetime } = inspectHeader(descriptor, path);
    if (!closed && lifetime !== "process" && !alsoKernel) return false;
    closeName(descriptor, path);
    return true;
  });
  return cleaned ?? false;
}
