import { mkdirSync } from "node:fs";
import { homedir } from "node:os";

/** Whether this is Windows, where files and memory are found in another way. */
export const ON_WINDOWS = process.platform === "win32";

/** A folder of this user's own, which is made when it is missing. */
function folderOnWindows(): string {
  const folder = `${process.env["LOCALAPPDATA"] ?? `${homedir()}\\AppData\\Local`}\\shmkit`;
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Where POSIX shared memory lives on Linux (shm_overview(7)); on Windows, the files that lead to memory. */
export const DIRECTORY = ON_WINDOWS ? folderOnWindows() : "/dev/shm";
/** Every region's file name begins so: `shm_open("/shmkit.NAME")` opens it from other languages. */
export const PREFIX = "shmkit.";

const CAPITAL = /[A-Z]/;
/** In no name of a region. */
const MARK = "^";
const DIGITS = 32;

/**
 * Windows takes file names that differ in capitals only for the same, and forgets a dot at the end. So the file has small
 * letters, and a number behind a mark says which of them are capitals.
 */
function encoded(name: string): string {
  const capitals = [...name].reduce((sum, letter, at) => sum | (CAPITAL.test(letter) ? 1n << BigInt(at) : 0n), 0n);
  if (capitals === 0n && !name.endsWith(".")) return name;
  return `${name.toLowerCase()}${MARK}${capitals.toString(DIGITS)}`;
}

function decoded(file: string): string {
  const [letters, number] = file.split(MARK);
  if (number === undefined) return file;
  const capitals = [...number].reduce(
    (sum, digit) => sum * BigInt(DIGITS) + BigInt(Number.parseInt(digit, DIGITS) || 0),
    0n,
  );
  return [...letters].map((letter, at) => ((capitals >> BigInt(at)) & 1n ? letter.toUpperCase() : letter)).join("");
}

/** Path of the file of a region's name. */
export const pathOfName = (name: string): string =>
  ON_WINDOWS ? `${DIRECTORY}\\${PREFIX}${encoded(name)}` : `${DIRECTORY}/${PREFIX}${name}`;

/** Name of the region that a file in {@link DIRECTORY} belongs to; undefined if it is none's. */
export function nameOfFile(file: string): string | undefined {
  if (!file.startsWith(PREFIX)) return undefined;
  const name = file.slice(PREFIX.length);
  return ON_WINDOWS ? decoded(name) : name;
}
