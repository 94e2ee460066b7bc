/** The storm, as a part of `npm run crash`. */
import { percentile, storm } from "../storm/storm.js";
import type { Stall } from "../storm/storm-round.js";
import type { Outcome, PartOptions } from "./part.js";

const rounded = (stall: Stall | undefined): number | null =>
  stall === undefined ? null : Math.round(stall.ms * 1000) / 1000;

const figuresOf = (stalls: readonly Stall[]) => ({
  p50: rounded(percentile(stalls, 0.5)),
  p99: rounded(percentile(stalls, 0.99)),
  max: rounded(stalls.at(-1)),
});

/** By what the dead one had in its hands. */
const byKind = (stalls: readonly Stall[]) =>
  Object.fromEntries(
    [...new Set(stalls.map(({ kind }) => kind))].sort().map((kind) => {
      const those = stalls.filter((stall) => stall.kind === kind);
      return [kind, { times: those.length, ...figuresOf(those) }] as const;
    }),
  );

/** Storms for the given time. */
export async function stormPart({ signal, ...options }: PartOptions & { signal: AbortSignal }): Promise<Outcome> {
  const report = await storm({ ...options, signal });
  const { kills, lost, torn, leakedBytes, leakedSlots, stalls, killsBy } = report;
  const stallMs = figuresOf(stalls);
  const takeOverMs = byKind(stalls);
  const how = Object.entries(killsBy).map(([name, count]) => `${count} ${name}`);
  return {
    json: { storm: { kills, stallMs, takeOverMs, lost, torn, leakedBytes, leakedSlots } },
    summary: [
      `storm: ${kills} killed (${how.join(", ")}), ${report.pauses} pauses, ${report.rounds} regions, ` +
        `${report.messages} messages, ${report.redelivered} redelivered, ${report.synchronised} times synchronised`,
      `  ${report.interrupted} died with something in their hands; ${stalls.length} times others needed just that meanwhile: ` +
        `they went on after ${stallMs.p50} ms (median), ${stallMs.p99} ms (99 %), ${stallMs.max} ms (most)`,
      ...Object.entries(takeOverMs).map(
        ([kind, { times, p50, p99, max }]) => `  by a ${kind}: ${times} times, ${p50} ms, ${p99} ms, ${max} ms`,
      ),
      ...(stalls.length > 0 ? [`  longest: ${stalls.at(-1)!.text}`] : []),
      `  ${lost} lost, ${torn} torn, ${leakedBytes} bytes and ${leakedSlots} slots leaked`,
      ...(report.hasNamespaces ? [] : ["  no separate PID namespaces: this system does not let its users have any"]),
    ],
    violations: report.violations,
  };
}
