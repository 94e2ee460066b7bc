import { readFileSync } from "node:fs";
import { now } from "./deadline.js";

/**
 * Milliseconds by which the system's monotonic clock is ahead of this thread's. `hrtime` is that clock in Node; Bun and Deno
 * count it from their start. There, how long the system has been up says the same to 10 ms, unless it was suspended.
 */
function aheadMs(): number {
  const { bun, deno } = process.versions as Partial<Record<string, string>>;
  const systemMs =
    bun === undefined && deno === undefined
      ? Number(process.hrtime.bigint()) / 1e6
      : Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1000;
  return systemMs - now();
}

/** Asked three times, since whoever is interrupted between two looks at clocks finds less. */
let ahead: number | undefined;

/** Milliseconds on a clock that all processes of the system share and nobody sets. */
export const systemNow = (): number => (ahead ??= Math.max(aheadMs(), aheadMs(), aheadMs())) + now();
