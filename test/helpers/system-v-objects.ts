import { readFileSync } from "node:fs";

/** Shared memory of System V that a process has made, by its ids: only this kind of object knows its maker. */
export function systemVIdsMadeBy(pid: number): number[] {
  const [titles, ...lines] = readFileSync("/proc/sysvipc/shm", "utf8").trimEnd().split("\n");
  const columns = titles.trim().split(/\s+/);
  return lines
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((fields) => fields[columns.indexOf("cpid")] === pid)
    .map((fields) => fields[columns.indexOf("shmid")]);
}
