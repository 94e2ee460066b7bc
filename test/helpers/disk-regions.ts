import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Region, ShmkitError } from "shmkit";

/** Where regions on disk can be: a container's folder for temporary files is mostly on an overlay, where none can. */
const FOLDERS = [tmpdir(), fileURLToPath(new URL("../../", import.meta.url)), "/dev/shm"];
let chosen: string | undefined;

const newFolder = (parent: string): string => mkdtempSync(join(parent, "shmkit-region-"));

function canKeepRegions(parent: string): boolean {
  const directory = newFolder(parent);
  try {
    Region.createSync(join(directory, "trial"), { lifetime: "file", size: "64KiB" }).closeSync();
    return true;
  } catch (error) {
    if (error instanceof ShmkitError && error.code === "ERR_FILE_SYSTEM") return false;
    throw error;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A path for a region on disk, in a directory of its own that goes with the test. */
export function diskPath(t: TestContext, file = "state.shm"): string {
  const directory = newFolder((chosen ??= FOLDERS.find(canKeepRegions) ?? tmpdir()));
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
