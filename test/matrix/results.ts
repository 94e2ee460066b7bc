import type { CrowdReport } from "./crowd.js";
import type { RunFacts } from "../helpers/run-facts.js";
import type { Facts } from "./smoke.js";

/** `"ok"`, or what went wrong. */
export type Outcome = string;
export const OK = "ok";

export interface RuntimeResult extends Facts {
  readonly name: string;
  readonly title: string;
  readonly version: string;
  /** By check. */
  readonly checks: Readonly<Record<string, Outcome>>;
}

/** What came of all at once. */
export interface CrowdResult extends Partial<CrowdReport> {
  readonly outcome: Outcome;
}

/** What `npm run matrix` found, as it is committed. */
export interface Results extends RunFacts {
  readonly startedAt: string;
  readonly seconds: number;
  /** Over 1, 5 and 15 minutes when the run began: on a busy machine it takes longer. */
  readonly loadAverage: readonly number[];
  readonly runtimes: readonly RuntimeResult[];
  /** By the runtime that stays, then by the one that is killed. */
  readonly pairs: Readonly<Record<string, Readonly<Record<string, Outcome>>>>;
  /** Of all but the emulated ones, when there are others. */
  readonly crowd?: CrowdResult;
  /** Of regions and `shmkit/win32`, by Windows' own runtimes. */
  readonly windows?: readonly RuntimeResult[];
}

export const passed = (outcomes: Readonly<Record<string, Outcome>>): number =>
  Object.values(outcomes).filter((outcome) => outcome === OK).length;

/** As those of a runtime are. */
export const crowdOutcome = (crowd: CrowdResult | undefined): Record<string, Outcome> =>
  crowd === undefined ? {} : { "all at once": crowd.outcome };

/** Passed and failed, over everything. */
export function countsOf({ runtimes, pairs, crowd, windows = [] }: Results): { passed: number; failed: number } {
  const all = [...[...runtimes, ...windows].map(({ checks }) => checks), ...Object.values(pairs), crowdOutcome(crowd)];
  const [good, total] = [all.map(passed), all.map((outcomes) => Object.keys(outcomes).length)];
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  return { passed: sum(good), failed: sum(total) - sum(good) };
}
