import { readFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { spawnSync } from "node:child_process";
import type { Machine } from "./results.js";

/** The cores that this process may run on. */
export function allowedCores(): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return list.split(",").flatMap((range) => {
    const [from = 0, to = from] = range.split("-").map(Number);
    return Array.from({ length: to - from + 1 }, (_, at) => from + at);
  });
}

/** Whether processes can be bound to each of these cores here. */
export function canPin(launcher: string, cores: readonly number[]): boolean {
  return cores.every((core) => spawnSync(launcher, ["pin", `${core}`, "true"]).status === 0);
}

/** The facts of a machine, for people. */
export function describe({ cpu, cores, kernel, node, pinned, loadAverage }: Machine): string {
  const facts = [cpu, `${cores} cores`, `Linux ${kernel}`, `Node ${node}`, pinned ? "pinned" : "not pinned"];
  return `${facts.join(", ")}, load average ${loadAverage.map((value) => value.toFixed(2)).join(" ")}`;
}

export function describeMachine(pinned: boolean): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: allowedCores().length,
    kernel: release(),
    node: process.version,
    pinned,
    loadAverage: loadavg().map((value) => Number(value.toFixed(2))),
  };
}
