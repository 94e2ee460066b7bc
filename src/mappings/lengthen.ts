import { closeSync, constants, fstatSync, openSync, statfsSync, writeSync } from "node:fs";
import { checkResult, ERRNO, systemError } from "../base/system-errors.js";
import type { Steps } from "../memory/steps.js";
import { native } from "../native/addon.js";

/** How much is written at once to a file that cannot be backed by a call: the event loop runs in between. */
const PIECE_BYTES = 2 ** 20;

/**
 * Makes a file longer, never shorter: somebody else may be making it longer as well. What is not backed is a hole, and a write
 * to it may find the disk full, which loses the mapping. Where the file system has no fallocate(2), as ext2, FAT and NFS,
 * zeroes are written.
 * @throws ERR_NO_SPACE, ERR_SYSTEM; ERR_TIMEOUT and the signal's reason while zeroes are written, of which those stay that are there
 */
export function* lengthen(
  descriptor: number,
  path: string,
  from: number,
  to: number,
  leavesHole: boolean,
): Steps<void> {
  const offset = leavesHole ? to - 1 : from;
  const result = yield { descriptor, offset, length: to - offset, isFirst: true };
  if (result !== -ERRNO.notSupported) checkResult(result, "fallocate", path);
  else if (leavesHole) leaveHole(descriptor, path, to);
  else yield* writeZeroes(descriptor, path, to);
}

/** There is no step that never shortens; whoever makes it longer still between these two loses that. */
function leaveHole(descriptor: number, path: string, to: number): void {
  if (fstatSync(descriptor).size < to) checkResult(native.truncate(descriptor, to), "ftruncate", path);
}

/** Appended, wherever the end is by then: nothing is overwritten that somebody else writes meanwhile. */
function* writeZeroes(descriptor: number, path: string, to: number): Steps<void> {
  checkSpace(descriptor, path, to);
  const zeroes = new Uint8Array(PIECE_BYTES);
  const end = openSync(`/proc/self/fd/${descriptor}`, constants.O_WRONLY | constants.O_APPEND);
  try {
    for (;;) {
      const missing = to - fstatSync(end).size;
      if (missing <= 0) return;
      append(end, path, zeroes.subarray(0, Math.min(missing, PIECE_BYTES)));
      yield { delayMs: 0 };
    }
  } finally {
    closeSync(end);
  }
}

/** A disk is not filled up for a file that it has no room for. @throws ERR_NO_SPACE */
function checkSpace(descriptor: number, path: string, to: number): void {
  const { blocks, bavail, bsize } = statfsSync(`/proc/self/fd/${descriptor}`);
  // Those that know no limit say that they have none at all.
  if (blocks > 0 && bavail * bsize < to - fstatSync(descriptor).size) throw systemError(-ERRNO.noSpace, "write", path);
}

function append(descriptor: number, path: string, bytes: Uint8Array): void {
  try {
    writeSync(descriptor, bytes);
  } catch (error) {
    throw systemError((error as { errno: number }).errno, "write", path);
  }
}
