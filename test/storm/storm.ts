/** Processes that do everything and are killed at any moment, and a model that judges what the survivors find. */
import { Random } from "../helpers/process-random.js";
import { now, useWallClock } from "./plan.js";
import { hasNamespaces, type MemberKind } from "./storm-member.js";
import { PACE, Round, type RoundReport } from "./storm-round.js";

const ROUND_SECONDS = 20;

export interface StormOptions {
  readonly seconds: number;
  readonly seed: number;
  /** It goes on until so many members have died or left, however long that takes: 1 if not given. */
  readonly fewestEnds?: number;
  readonly signal?: AbortSignal | undefined;
  /** Command that runs a program in another runtime, in which all members are then. */
  readonly runtime?: readonly string[] | undefined;
  /** Whether that runtime is emulated. */
  readonly isEmulated?: boolean;
  readonly onProgress?: (text: string) => void;
}

/** What the storm came to; stalls are ascending. */
export interface StormReport extends RoundReport {
  rounds: number;
  readonly hasNamespaces: boolean;
}

/** Storms over one region after the other. */
export async function storm({
  seconds,
  seed,
  fewestEnds = 1,
  signal,
  runtime,
  isEmulated = false,
  onProgress,
}: StormOptions): Promise<StormReport> {
  const random = new Random(seed);
  const separate = hasNamespaces();
  const kinds: MemberKind[] = ["plain", "chosen", "chosen", separate ? "namespace" : "plain", "chosen"];
  if (runtime !== undefined) useWallClock();
  const end = now() + seconds * 1000;
  let total: StormReport | undefined;
  do {
    const round = new Round(random, kinds, signal, runtime, PACE[isEmulated ? "emulated" : "native"]);
    const before = total?.kills ?? 0;
    const left = Math.max(0, end - now()) / 1000;
    const report = await round.run(Math.min(ROUND_SECONDS, left), fewestEnds, () =>
      onProgress?.(`${before + round.kills} members have died`),
    );
    total = total === undefined ? { ...report, rounds: 1, hasNamespaces: separate } : sum(total, report);
  } while (now() < end && signal?.aborted !== true && total.violations.length === 0);
  total.stalls.sort((a, b) => a.ms - b.ms);
  return total;
}

function sum(total: StormReport, report: RoundReport): StormReport {
  total.rounds++;
  total.violations.push(...report.violations);
  total.stalls.push(...report.stalls);
  for (const how of Object.keys(report.killsBy) as (keyof RoundReport["killsBy"])[])
    total.killsBy[how] += report.killsBy[how];
  const figures = [
    "lost",
    "torn",
    "messages",
    "redelivered",
    "synchronised",
    "deaths",
    "interrupted",
    "kills",
    "pauses",
  ] as const;
  for (const figure of [...figures, "leakedBytes", "leakedSlots"] as const) total[figure] += report[figure];
  return total;
}

/** The one below which a share of them lies, in ascending order; undefined of none. */
export function percentile<T>(ascending: readonly T[], share: number): T | undefined {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))];
}
