import { closeSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { native } from "#src/native/addon.js";
import type { Mapping } from "#src/native/contract.js";
import { uniqueRegionName } from "./leftovers.js";

const PAGE = 4096;

/** The file of the addon that is under test. */
export const ADDON_PATH = process.env["SHMKIT_ADDON"] ?? fileURLToPath(new URL("../../shmkit.node", import.meta.url));

/** A file in shared memory with a mapping of it: what the addon's own tests work on. No layout, just words. */
export class NativeFile {
  readonly words: Int32Array;
  readonly bytes: Uint8Array;
  readonly status: Int32Array;
  private constructor(
    readonly path: string,
    readonly descriptor: number,
    readonly mapping: Mapping,
    private readonly owner: boolean,
  ) {
    this.words = new Int32Array(mapping.buffer, 0, Math.floor(mapping.buffer.byteLength / 4));
    this.bytes = new Uint8Array(mapping.buffer);
    this.status = new Int32Array(mapping.status);
  }

  get id(): number {
    return this.mapping.id;
  }

  /** A new named file of `fileBytes`, mapped with `mapBytes`. */
  static create(label: string, options: { fileBytes?: number; mapBytes?: number; shared?: boolean } = {}): NativeFile {
    const { fileBytes = PAGE, mapBytes = fileBytes, shared = false } = options;
    const path = uniquePath(label);
    const descriptor = native.createExclusive(path, 0o600);
    native.truncate(descriptor, fileBytes);
    return new NativeFile(path, descriptor, mapped(descriptor, mapBytes, true, shared), true);
  }

  /** Another mapping of an existing file. */
  static open(path: string, { mapBytes = PAGE, writable = true, shared = false } = {}): NativeFile {
    const descriptor = native.openExisting(path, writable);
    if (descriptor < 0) throw new Error(`open ${path}: ${descriptor}`);
    return new NativeFile(path, descriptor, mapped(descriptor, mapBytes, writable, shared), false);
  }

  close(): void {
    native.closeMapping(this.id);
    native.close(this.descriptor);
    if (this.owner) rmSync(this.path, { force: true });
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function mapped(descriptor: number, lengthBytes: number, writable: boolean, shared: boolean): Mapping {
  const mapping = native.map(descriptor, lengthBytes, writable, shared, false);
  if (typeof mapping === "number") throw new Error(`map of ${lengthBytes} bytes: ${mapping}`);
  return mapping;
}

/** A path in shared memory that no other test uses. */
export function uniquePath(label: string): string {
  return `/dev/shm/shmkit-test-${uniqueRegionName(label)}`;
}

/** Resolves once `condition` holds. Never gives up: the runner's watchdog does. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

/** Numbers of the descriptors that this process has open. */
export function openDescriptors(): string[] {
  return readdirSync("/proc/self/fd");
}

/** The `/proc/self/smaps` entries of mappings whose path contains `text`, each as one text. */
export function memoryMaps(text: string): string[] {
  return readFileSync("/proc/self/smaps", "utf8")
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .filter((entry) => entry.slice(0, entry.indexOf("\n")).includes(text));
}

/** Whether a description of its own could take the byte: nobody holds it. */
export function isFree(path: string, offset: number): boolean {
  const descriptor = native.openExisting(path, true);
  const held = native.probe(descriptor, offset, 1);
  native.close(descriptor);
  return held === 0;
}

/** A descriptor that the addon did not open. */
export function withForeignDescriptor<T>(path: string, use: (descriptor: number) => T): T {
  const descriptor = openSync(path, "r+");
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
