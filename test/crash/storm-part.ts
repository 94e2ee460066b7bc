/** The storm, as a part of `npm run crash`. */
import { percentile, storm } from "../storm/storm.js";
import type { Stall } from "../storm/storm-round.js";
import type { Outcome, PartOptions } from "./part.js";

const rounded = (stall: Stall | undefined): number | null =>
  stall === undefined ? null : Math.round(stall.ms * 1000) / 1000;

/** Storms for the given time. */
export async function stormPart({ signal, ...options }: PartOptions & { signal: AbortSignal }): Promise<Outcome> {
  const report = await storm({ ...options, signal });
  const { kills, lost, torn, leakedBytes, leakedSlots, stalls, killsBy } = report;
  const stallMs = {
    p50: rounded(percentile(stalls, 0.5)),
    p99: rounded(percentile(stalls, 0.99)),
    max: rounded(stalls.at(-1)),
  };
  const how = Object.entries(killsBy).map(([name, count]) => `${count} ${name}`);
  return {
    json: { storm: { kills, stallMs, lost, torn, leakedBytes, leakedSlots } },
    summary: [
      `storm: ${kills} killed (${how.join(", ")}), ${report.pauses} pauses, ${report.rounds} regions, ` +
        `${report.messages} messages, ${report.redelivered} redelivered`,
      `  ${report.interrupted} died with something in their hands; ${stalls.length} times others needed just that meanwhile: ` +
        `they went on after ${stallMs.p50} ms (median), ${stallMs.p99} ms (99 %), ${stallMs.max} ms (most)`,
      ...(stalls.length > 0 ? [`  longest: ${stalls.at(-1)!.text}`] : []),
      `  ${lost} lost, ${torn} torn, ${leakedBytes} bytes and ${leakedSlots} slots leaked`,
      ...(report.hasNamespaces ? [] : ["  no separate PID namespaces: this system does not let its users have any"]),
    ],
    violations: report.violations,
  };
}
