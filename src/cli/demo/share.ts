import { setTimeout as sleep } from "node:timers/promises";
import { Region } from "#shmkit";
import type { Children } from "./children.js";

export type Manner = "spinning" | "sleeping";

/** Nanoseconds of the system's clock, which is the same for every process (clock_gettime(2), CLOCK_MONOTONIC). */
export const clockNs = (): bigint => process.hrtime.bigint();

/** How long it took from raising the counter here to seeing it there, in microseconds: the median of many. */
export interface Latency {
  readonly manner: Manner;
  readonly rounds: number;
  readonly medianUs: number;
  readonly fastestUs: number;
}

const PROGRAM = "./share-watcher.js";

/** Raises a counter again and again while another process watches it. */
export async function measure(
  children: Children,
  manner: Manner,
  rounds: number,
  signal: AbortSignal,
): Promise<Latency> {
  const name = `demo-${process.pid}-share`;
  const region = await Region.create(name, { size: "1MiB", maxSize: "1MiB", label: "raiser", signal });
  try {
    const [raised, seen, seenAt] = await Promise.all(
      ["raised", "seen", "seen at"].map((counter) => region.counter(counter, { signal })),
    );
    const watcher = children.start(PROGRAM, [manner, rounds, name]);
    await watcher.says();
    const times: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      // The other one has to be waiting again: spinning at once, sleeping a moment later.
      if (manner === "sleeping") await sleep(2, undefined, { signal });
      else if (round % 50 === 0) await sleep(0, undefined, { signal });
      const from = clockNs();
      raised.addSync();
      seen.waitForSync(round, { timeoutMs: 10_000 });
      times.push(Number(seenAt.value - from) / 1000);
    }
    await watcher.succeeds();
    times.sort((a, b) => a - b);
    return { manner, rounds, medianUs: times[rounds >> 1], fastestUs: times[0] };
  } finally {
    await children.end();
    await region.close();
  }
}
