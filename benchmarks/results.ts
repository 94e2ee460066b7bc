/** What one process of a contender reports, as a line of JSON. Latencies in ns. */
export interface Report {
  /** In the benchmark's unit. */
  readonly value: number;
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  /** How often its threads went to sleep, per second. */
  readonly wakeUps?: number;
  /** The longest of the latencies. */
  readonly longest?: number;
  /** How often others were served while somebody waited, at most. */
  readonly passedOver?: number;
  /** How many messages, locks or trips were verified. Never 0. */
  readonly checked: number;
}

/** What a sender among several says: how many messages the receivers must have had from it. */
export interface Sent {
  readonly sent: number;
}

/** A contender's figures over all rounds: percentiles are the medians of the rounds' percentiles. */
export interface Figures {
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly p50?: number;
  readonly p99?: number;
  readonly p999?: number;
  readonly wakeUps?: number;
  /** Of all rounds. */
  readonly longest?: number;
  readonly passedOver?: number;
}

/** A contender that could not take part, and why. */
export interface Absence {
  readonly absent: string;
}

export type Unit = "ns" | "messages/s" | "bytes/s" | "% of a core";

export interface BenchmarkResult {
  readonly name: string;
  /** The public call that is measured. */
  readonly call: string;
  readonly unit: Unit;
  readonly better: "lower" | "higher";
  readonly rounds: number;
  readonly contenders: Readonly<Record<string, Figures | Absence>>;
  /** The first contender's median divided by another's: `shmkit/c-limit`. */
  readonly ratios: Readonly<Record<string, number>>;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  /** Whether the processes were bound to cores of their own. */
  readonly pinned: boolean;
  /** Load averages over 1, 5 and 15 minutes when the run began. */
  readonly loadAverage: readonly number[];
}

export interface Results {
  readonly machine: Machine;
  readonly startedAt: string;
  /** Fewer and shorter rounds: for a look, not for a comparison. */
  readonly quick: boolean;
  readonly rounds: number;
  readonly results: readonly BenchmarkResult[];
}

/** Whether others wanted the machine when the run began: then its figures are none. */
export function wasBusy({ cores, loadAverage }: Machine): boolean {
  return loadAverage[0] > cores / 4;
}

export function isAbsence(outcome: Figures | Absence): outcome is Absence {
  return "absent" in outcome;
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error("there is no median of nothing");
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1] + upper) / 2;
}

/** One report of all processes: several receivers' rates add up. @throws when messages were lost or came twice */
export function joined(lines: readonly (Report | Sent)[]): Report {
  const reports = lines.filter((line) => "value" in line);
  const senders = lines.filter((line) => "sent" in line);
  const [first] = reports;
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
  const checked = sum(reports.map((report) => report.checked));
  if (first === undefined || !reports.every(({ value }) => Number.isFinite(value)) || !(checked > 0))
    throw new Error(`nothing was measured: ${JSON.stringify(lines)}`);
  if (senders.length > 0 && sum(senders.map(({ sent }) => sent)) !== checked)
    throw new Error(`${checked} messages were received, and sent: ${JSON.stringify(senders)}`);
  if (reports.length === 1) return first;
  return { value: sum(reports.map(({ value }) => value)), checked };
}

/** What was measured has no more digits than these. */
function digits(value: number): number {
  return Number(value.toPrecision(5));
}

/** Figures of which the median of the rounds counts, and those of which the greatest does. */
const TYPICAL = ["p50", "p99", "p999", "wakeUps"] as const;
const GREATEST = ["longest", "passedOver"] as const;

export function figuresOf(reports: readonly Report[]): Figures {
  const values = reports.map(({ value }) => value);
  const others: Partial<Record<(typeof TYPICAL)[number] | (typeof GREATEST)[number], number>> = {};
  for (const [names, of] of [
    [TYPICAL, medianOf],
    [GREATEST, (known: readonly number[]) => Math.max(...known)],
  ] as const)
    for (const name of names) {
      const known = reports.flatMap(({ [name]: value }) => (value === undefined ? [] : [value]));
      if (known.length > 0) others[name] = digits(of(known));
    }
  const [min, median, max] = [Math.min(...values), medianOf(values), Math.max(...values)].map(digits);
  return { min, median, max, ...others };
}

export function ratiosOf(contenders: BenchmarkResult["contenders"]): Record<string, number> {
  const ratios: Record<string, number> = {};
  const [first, ...others] = Object.entries(contenders);
  if (first === undefined || isAbsence(first[1])) return ratios;
  for (const [name, outcome] of others)
    if (!isAbsence(outcome)) ratios[`${first[0]}/${name}`] = digits(first[1].median / outcome.median);
  return ratios;
}
