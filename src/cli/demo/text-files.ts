import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";

/** A file as it was when it was listed. */
export interface TextFile {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface FileList {
  readonly files: readonly TextFile[];
  readonly bytes: number;
  /** Files left out, because there are enough. */
  readonly leftOut: number;
}

const TEXT = /\.(md|ts|js)$/;
const READ_BYTES = 64 * 1024;
/** Text without any separator is cut here all the same. */
const LONGEST_WORD_BYTES = 1024 * 1024;

function fileAt(path: string): TextFile {
  const { size, mtimeMs } = statSync(path);
  return { path, bytes: size, modifiedMs: mtimeMs };
}

function* filesBelow(folder: string): Generator<string, void, void> {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== ".git") yield* filesBelow(path);
    } else if (entry.isFile() && TEXT.test(entry.name)) yield path;
  }
}

/** The files given, and the `.md`, `.ts` and `.js` files below the folders given, up to a number of bytes. @throws ENOENT, EACCES */
export function listFiles(paths: readonly string[], limitBytes: number): FileList {
  const files: TextFile[] = [];
  let bytes = 0;
  let leftOut = 0;
  for (const path of paths) {
    for (const found of statSync(path).isDirectory() ? filesBelow(path) : [path]) {
      const file = fileAt(found);
      if (bytes + file.bytes > limitBytes) leftOut++;
      else {
        files.push(file);
        bytes += file.bytes;
      }
    }
  }
  return { files, bytes, leftOut };
}

/** Files that are not what they were when they were listed. */
export function changed(files: readonly TextFile[]): string[] {
  return files
    .filter(({ path, bytes, modifiedMs }) => {
      try {
        const now = fileAt(path);
        return now.bytes !== bytes || now.modifiedMs !== modifiedMs;
      } catch {
        return true;
      }
    })
    .map(({ path }) => path);
}

/** Whether a word may be cut after a byte: ASCII, and neither letter nor digit nor underscore. */
const SEPARATOR = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 128 && !/\w/.test(String.fromCharCode(byte)) ? 1 : 0,
);

function endOfLastWord(bytes: Uint8Array): number {
  for (let at = bytes.length; at > 0; at--) if (SEPARATOR[bytes[at - 1]] === 1) return at;
  return bytes.length >= LONGEST_WORD_BYTES ? bytes.length : 0;
}

/** A file's bytes in pieces that cut no word. */
export function* pieces(path: string): Generator<Buffer, void, void> {
  const descriptor = openSync(path, "r");
  try {
    let rest = Buffer.alloc(0);
    for (;;) {
      const buffer = Buffer.allocUnsafe(rest.length + READ_BYTES);
      rest.copy(buffer);
      const length = readSync(descriptor, buffer, rest.length, READ_BYTES, null);
      if (length === 0) break;
      const read = buffer.subarray(0, rest.length + length);
      const end = endOfLastWord(read);
      if (end > 0) yield read.subarray(0, end);
      rest = read.subarray(end);
    }
    if (rest.length > 0) yield rest;
  } finally {
    closeSync(descriptor);
  }
}
