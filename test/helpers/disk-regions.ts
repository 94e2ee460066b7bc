import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** A path for a region on disk, in a directory of its own that goes with the test. */
export function diskPath(t: TestContext, file = "state.shm"): string {
  const directory = mkdtempSync(join(tmpdir(), "shmkit-region-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return join(directory, file);
}

/** Changes a word of a file. */
export function writeWord(path: string, offset: number, value: number): void {
  const file = openSync(path, "r+");
  writeSync(file, new Uint8Array(new Uint32Array([value]).buffer), 0, 4, offset);
  closeSync(file);
}

export function readWord(path: string, offset: number): number {
  const file = openSync(path, "r");
  const bytes = Buffer.alloc(4);
  readSync(file, bytes, 0, 4, offset);
  closeSync(file);
  return bytes.readUInt32LE();
}
