/** File mappings and views, on Windows. */
import assert from "node:assert/strict";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { deflate, inflateSync } from "node:zlib";
import * as win32 from "shmkit/win32";
import { startPeer, uniqueName } from "./peers.js";

const { CreateFileMapping, CloseHandle, MapViewOfFile, OpenFileMapping, UnmapViewOfFile } = win32;
const { FILE_MAP_ALL_ACCESS, FILE_MAP_COPY, FILE_MAP_READ, FILE_MAP_WRITE, INVALID_HANDLE_VALUE } = win32;
const { GENERIC_READ, GENERIC_WRITE, PAGE_READONLY, PAGE_READWRITE } = win32;

const MIB = 1024 * 1024;
const fails = (call: () => unknown, code: string): void =>
  assert.throws(call, (error) => error instanceof win32.Win32Error && error.code === code);

function mapped(size: number, name?: string): { mapping: win32.Handle<"file mapping">; words: Int32Array } {
  const mapping = CreateFileMapping(INVALID_HANDLE_VALUE, PAGE_READWRITE, size, name);
  return { mapping, words: new Int32Array(MapViewOfFile(mapping, FILE_MAP_WRITE)) };
}

async function twoProcesses(): Promise<void> {
  const name = uniqueName();
  const { words } = mapped(4096, name);
  const asked = win32.CreateEvent(false, false, `${name}-asked`);
  const answered = win32.CreateEvent(false, false, `${name}-answered`);
  const peer = startPeer("add in a mapping", name);
  for (let i = 1; i <= 100; i++) {
    if (i === 100) words[1] = 1;
    win32.SetEvent(asked);
    assert.equal(await win32.WaitForSingleObject(answered), win32.WAIT_OBJECT_0);
    assert.equal(words[0], i);
  }
  assert.equal(await peer.ended, 0);
}

function sizesAndOffsets(): void {
  const { mapping, words } = mapped(200_000);
  assert.equal(words.byteLength, 200_704); // whole pages
  words[65_536 / 4] = 7;
  assert.equal(new Int32Array(MapViewOfFile(mapping, FILE_MAP_WRITE, 65_536))[0], 7);
  assert.equal(MapViewOfFile(mapping, FILE_MAP_WRITE, 65_536, 100).byteLength, 100);
  fails(() => MapViewOfFile(mapping, FILE_MAP_WRITE, 4096), "ERROR_MAPPED_ALIGNMENT");
  fails(() => MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 300_000), "ERROR_ACCESS_DENIED");
  fails(() => MapViewOfFile(mapping, 0), "ERROR_INVALID_PARAMETER");
  fails(() => MapViewOfFile(mapping, 0x20), "ERROR_INVALID_PARAMETER");
}

function namedOnce(): void {
  const name = uniqueName();
  const { mapping, words } = mapped(8192, name);
  assert.deepEqual([mapping.alreadyExists, mapping.name, mapping.kind], [false, name, "file mapping"]);
  const again = CreateFileMapping(INVALID_HANDLE_VALUE, PAGE_READWRITE, 4096, name);
  assert.equal(again.alreadyExists, true);
  words[0] = 5;
  const opened = OpenFileMapping(FILE_MAP_ALL_ACCESS, name);
  const view = MapViewOfFile(opened, FILE_MAP_ALL_ACCESS);
  assert.deepEqual([opened.alreadyExists, view.byteLength, new Int32Array(view)[0]], [false, 8192, 5]);
  for (const handle of [mapping, again, opened]) CloseHandle(handle);
  fails(() => OpenFileMapping(FILE_MAP_READ, name), "ERROR_FILE_NOT_FOUND");
  // The views keep the memory.
  words[0] = 6;
  assert.equal(new Int32Array(view)[0], 6);
  UnmapViewOfFile(words);
  UnmapViewOfFile(view);
  assert.deepEqual([words[0], view.byteLength], [0, 8192]);
}

async function files(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-"));
  const path = join(folder, "mapped");
  const file = win32.CreateFile(path, GENERIC_READ | GENERIC_WRITE, win32.FILE_SHARE_READ, win32.CREATE_NEW);
  fails(() => win32.CreateFile(path, GENERIC_READ, 0, win32.CREATE_NEW), "ERROR_FILE_EXISTS");
  fails(() => CreateFileMapping(file, PAGE_READWRITE, 0), "ERROR_FILE_INVALID");
  const mapping = CreateFileMapping(file, PAGE_READWRITE, 100_000);
  const bytes = new Uint8Array(MapViewOfFile(mapping, FILE_MAP_WRITE, 65_536));
  bytes.set([1, 2, 3]);
  await win32.FlushViewOfFile(bytes);
  win32.FlushViewOfFileSync(bytes.subarray(0, 3));
  for (const handle of [mapping, file]) CloseHandle(handle);
  UnmapViewOfFile(bytes);
  const found = readFileSync(path);
  assert.deepEqual([found.length, ...found.subarray(65_536, 65_540)], [100_000, 1, 2, 3, 0]);

  const reading = win32.CreateFile(path, GENERIC_READ, win32.FILE_SHARE_READ, win32.OPEN_EXISTING);
  assert.equal(reading.alreadyExists, false);
  fails(() => CreateFileMapping(reading, PAGE_READWRITE, 0), "ERROR_ACCESS_DENIED");
  const readable = CreateFileMapping(reading, PAGE_READONLY, 0);
  fails(() => MapViewOfFile(readable, FILE_MAP_WRITE), "ERROR_ACCESS_DENIED");
  const view = new Uint8Array(MapViewOfFile(readable, FILE_MAP_READ));
  view[65_536] = 9;
  assert.deepEqual([view[65_536], view[65_537], readFileSync(path)[65_536]], [9, 2, 1]);
  UnmapViewOfFile(view);
  for (const handle of [readable, reading]) CloseHandle(handle);
  fails(() => win32.CreateFile(join(folder, "none"), GENERIC_READ, 0, win32.OPEN_EXISTING), "ERROR_FILE_NOT_FOUND");
  fails(() => win32.CreateFile("NUL", GENERIC_READ, 0, win32.OPEN_EXISTING), "ERROR_NOT_SUPPORTED");
  rmSync(folder, { recursive: true });
}

function readingOnly(): void {
  const { mapping, words } = mapped(MIB);
  for (const access of [FILE_MAP_READ, FILE_MAP_COPY]) {
    const copy = new Int32Array(MapViewOfFile(mapping, access));
    words.fill(1);
    assert.deepEqual([copy[0], copy[5000]], [1, 1]);
    copy[0] = 8;
    words[0] = 2;
    words[5000] = 3;
    assert.deepEqual([copy[0], copy[5000], words[0], words[5000]], [8, 3, 2, 3]);
    assert.equal(win32.view_is_lost(copy), false);
    UnmapViewOfFile(copy);
  }
}

/** Also those that a thread of the runtime's pool reads at that moment. */
async function unmapped(): Promise<void> {
  const { mapping, words } = mapped(8 * MIB);
  words.fill(-1);
  const used = Array.from({ length: 4 }, () => promisify(deflate)(words));
  UnmapViewOfFile(words);
  assert.equal(words.length, 2 * MIB);
  assert.ok(words.every((word) => word === 0));
  words[3] = 5;
  assert.equal(words[3], 5);
  for (const compressed of await Promise.all(used)) {
    const seen = new Int32Array(new Uint8Array(inflateSync(compressed)).buffer);
    assert.ok(seen.every((word) => word === 0 || word === -1 || word === 5));
  }
  assert.equal(new Int32Array(MapViewOfFile(mapping, FILE_MAP_READ))[3], -1);
  assert.throws(() => UnmapViewOfFile(words), { code: "ERR_INVALID_ARGUMENT" });
  assert.throws(() => win32.FlushViewOfFileSync(words), { code: "ERR_INVALID_ARGUMENT" });
  await assert.rejects(win32.FlushViewOfFile(words), { code: "ERR_INVALID_ARGUMENT" });
}

/** The system reads and writes such memory as well; it may refuse. */
function unmappedForTheSystem(): void {
  const folder = mkdtempSync(join(tmpdir(), "shmkit-"));
  const path = join(folder, "written");
  writeFileSync(path, "");
  const { words } = mapped(MIB);
  words.fill(-1);
  UnmapViewOfFile(words);
  const descriptor = openSync(path, "r+");
  try {
    writeSync(descriptor, words);
  } catch (error) {
    assert.equal(typeof (error as { code?: string }).code, "string");
  }
  closeSync(descriptor);
  assert.ok(readFileSync(path).every((byte) => byte === 0));
  rmSync(folder, { recursive: true });
}

/** Pages that get their memory when they are touched, by whoever it is. */
function reserved(): void {
  const size = 64 * MIB;
  const mapping = CreateFileMapping(INVALID_HANDLE_VALUE, PAGE_READWRITE | win32.SEC_RESERVE, size);
  const words = new Int32Array(MapViewOfFile(mapping, FILE_MAP_WRITE));
  assert.equal(words.byteLength, size);
  const other = new Int32Array(MapViewOfFile(mapping, FILE_MAP_WRITE));
  words[words.length - 1] = 4;
  assert.deepEqual([words[0], other[other.length - 1]], [0, 4]);
  fails(() => CreateFileMapping(INVALID_HANDLE_VALUE, PAGE_READWRITE | 0x1000000, size), "ERROR_INVALID_PARAMETER");
}

/** A file that is mapped cannot be cut off. */
async function collected(): Promise<void> {
  const { gc } = globalThis as { gc?: () => void };
  assert.ok(gc !== undefined, "started without --expose-gc");
  const folder = mkdtempSync(join(tmpdir(), "shmkit-"));
  const path = join(folder, "mapped");
  const shared = win32.FILE_SHARE_READ | win32.FILE_SHARE_WRITE;
  const file = win32.CreateFile(path, GENERIC_READ | GENERIC_WRITE, shared, win32.CREATE_NEW);
  const mapping = CreateFileMapping(file, PAGE_READWRITE, 100_000);
  for (let i = 0; i < 10; i++) new Uint8Array(MapViewOfFile(mapping, FILE_MAP_WRITE))[i] = 1;
  for (const handle of [mapping, file]) CloseHandle(handle);
  const isMapped = (): boolean => {
    try {
      truncateSync(path);
      return false;
    } catch {
      return true;
    }
  };
  assert.equal(isMapped(), true);
  while (isMapped()) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  rmSync(folder, { recursive: true });
}

/** Larger than buffers of some runtimes can be. */
function large(): void {
  const mapping = CreateFileMapping(INVALID_HANDLE_VALUE, PAGE_READWRITE | win32.SEC_RESERVE, 5 * 1024 * MIB);
  try {
    const bytes = new Uint8Array(MapViewOfFile(mapping, FILE_MAP_WRITE));
    bytes[bytes.length - 1] = 6;
    assert.equal(new Uint8Array(MapViewOfFile(mapping, FILE_MAP_WRITE, 5 * 1024 * MIB - 65_536)).at(-1), 6);
  } catch (error) {
    assert.equal((error as win32.Win32Error).code, "ERROR_NOT_SUPPORTED");
  }
}

export const MAPPINGS = {
  "two processes share a mapping": twoProcesses,
  "sizes, offsets and alignment of views": sizesAndOffsets,
  "a mapping has its name until the last handle is closed": namedOnce,
  "files are mapped, flushed, and read by others": files,
  "views for reading only: a stray write reaches nobody": readingOnly,
  "unmapped views read zeroes, also for threads of the pool": unmapped,
  "unmapped views that the system reads": unmappedForTheSystem,
  "pages of SEC_RESERVE get their memory when touched": reserved,
  "views that nobody refers to are unmapped": collected,
  "views of more than 4 GiB, or ERROR_NOT_SUPPORTED": large,
};
