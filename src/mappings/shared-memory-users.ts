import { readdirSync, readFileSync } from "node:fs";
import type { FileFacts } from "../memory/named-file.js";

const BYTE = 256;

/** A device as /proc writes it: major and minor number, which glibc puts into one so (makedev(3)). */
function deviceName(device: number): string {
  const major = Math.floor(device / BYTE) % 2 ** 12;
  const minor = (device % BYTE) + (Math.floor(device / 2 ** 20) % 2 ** 12) * BYTE;
  return [major, minor].map((number) => number.toString(16).padStart(2, "0")).join(":");
}

/** What a process has mapped, in the manner of proc_pid_maps(5); nothing of one that has ended or may not be looked at. */
function mapsOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/maps`, "latin1");
  } catch {
    return "";
  }
}

/** How many of the processes that this one may look at have mapped a file. */
export function countMappers({ device, inode }: Pick<FileFacts, "device" | "inode">): number {
  const mark = ` ${deviceName(device)} ${inode} `;
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && mapsOf(pid).includes(mark)).length;
}
