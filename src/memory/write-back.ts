import { closeSync, fsyncSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { systemError } from "../base/system-errors.js";
import { native } from "../native/addon.js";
import type { Segment } from "./segment.js";

const { MS_SYNC } = native.constants() as { readonly MS_SYNC: number };

/** Writes the changed pages among the first bytes of a mapping to disk, whoever changed them: msync(2). 0 or -errno. */
export async function writeBack(segment: Segment, length: number): Promise<number> {
  const started = native.msync_async(segment.id, 0, length, MS_SYNC);
  return typeof started === "number" ? started : started.promise;
}

/** The same on the calling thread. */
export const writeBackSync = (segment: Segment, length: number): number => native.msync(segment.id, 0, length, MS_SYNC);

/** Has the name of a file on disk: fsync(2) of its directory. @throws ERR_PERMISSION, ERR_NOT_FOUND, ERR_SYSTEM */
export async function syncDirectory(path: string): Promise<void> {
  const directory = dirname(path);
  try {
    const file = await open(directory, "r");
    await file.sync().finally(() => file.close());
  } catch (error) {
    throw failureOf(error, directory);
  }
}

/** The same on the calling thread. */
export function syncDirectorySync(path: string): void {
  const directory = dirname(path);
  try {
    const descriptor = openSync(directory, "r");
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw failureOf(error, directory);
  }
}

function failureOf(error: unknown, directory: string): unknown {
  const { errno, syscall } = error as NodeJS.ErrnoException;
  return errno === undefined ? error : systemError(errno, syscall ?? "fsync", directory);
}
