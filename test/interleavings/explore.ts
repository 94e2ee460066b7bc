/** Explores scenarios with more and more preemptions, until time is up or there is nothing more. */
import { Explorer, type Violation } from "./explorer.js";
import type { Plant } from "./planted-faults.js";
import { replay } from "./replay.js";
import type { Scenario } from "./scenario.js";
import { SCENARIOS } from "./scenarios.js";
import { Stage } from "./stage.js";

export interface ExploreOptions {
  readonly seconds: number;
  /** Chooses where members begin that may begin anywhere: whom of several they ring first. Default 0. */
  readonly seed?: number;
  /** Part of the names of the scenarios to explore. */
  readonly only?: string;
  /** Most preemptions in a schedule. Default: as many as time allows. */
  readonly preemptions?: number;
  /** Schedules of each scenario, about. Default: as many as time allows. */
  readonly schedules?: number;
  /** A fault that all members have. */
  readonly plant?: Plant;
  readonly onProgress?: (progress: Progress) => void;
}

/** One scenario explored with so many preemptions. */
export interface Progress {
  readonly scenario: string;
  readonly algorithm: string;
  readonly preemptions: number;
  readonly schedules: number;
  readonly merged: number;
  readonly states: number;
  readonly exhausted: boolean;
  readonly complete: boolean;
}

/** What was explored of one algorithm. */
export interface AlgorithmResult {
  /** Schedules run, of which some ended in a state that had been explored before. */
  explored: number;
  /** By scenario: preemptions up to which every schedule was explored; "all" when there are no others. */
  readonly bounds: Record<string, number | "all" | "none">;
}

export interface ExploreResult {
  explored: number;
  readonly violations: Violation[];
  readonly perAlgorithm: Record<string, AlgorithmResult>;
}

const clock = performance.now.bind(performance);

function exploreScenarios(scenarios: readonly Scenario[], isWeak: boolean, options: ExploreOptions): ExploreResult {
  const result: ExploreResult = { explored: 0, violations: [], perAlgorithm: {} };
  const { only = "" } = options;
  const exact = scenarios.filter(({ name }) => name === only);
  const chosen = exact.length > 0 ? exact : scenarios.filter(({ name }) => name.includes(only));
  const end = clock() + options.seconds * 1000;
  chosen.forEach((scenario, i) => {
    const share = clock() + (end - clock()) / (chosen.length - i);
    const own = (result.perAlgorithm[scenario.algorithm] ??= { explored: 0, bounds: {} });
    own.bounds[scenario.name] = "none";
    const explorer = new Explorer(new Stage(scenario, options.seed, options.plant));
    let left = options.schedules ?? Number.POSITIVE_INFINITY;
    for (let preemptions = 0; preemptions <= (options.preemptions ?? 100); preemptions++) {
      const found = explorer.explore({ preemptions, deaths: scenario.deaths, isWeak, schedules: left, until: share });
      left -= found.schedules + found.merged;
      own.explored += found.schedules + found.merged;
      result.explored += found.schedules + found.merged;
      const { schedules, merged, states, exhausted, complete, violation } = found;
      const { name, algorithm } = scenario;
      options.onProgress?.({ scenario: name, algorithm, preemptions, schedules, merged, states, exhausted, complete });
      if (exhausted) own.bounds[name] = complete ? "all" : preemptions;
      if (violation !== undefined) result.violations.push(violation);
      if (!exhausted || complete || clock() > share) break;
    }
  });
  return result;
}

/** Every interleaving: members are preempted at any access and die at any access that changes something. */
export function explore(options: ExploreOptions): ExploreResult {
  return exploreScenarios(SCENARIOS, false, options);
}

/**
 * The same while stores wait in buffers and plain reads may be stale. At a member's death any of its waiting stores that
 * may be seen without the others were made, and the others not: a compiler may have moved them.
 */
export function weakMemory(options: ExploreOptions): ExploreResult {
  return exploreScenarios(SCENARIOS, true, options);
}

const SEED = /^([\w-]+)(?:@(\d+))?([:~])(.*)$/;

/** Runs the schedule of a seed and tells what happened in it. */
export function replaySeed(seed: string, plant?: Plant): { trace: string[]; violation: string | undefined } {
  const [, name, start, separator, schedule] = SEED.exec(seed) ?? [];
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined)
    throw new Error(`${seed} names no scenario; they are ${SCENARIOS.map((one) => one.name).join(", ")}`);
  return replay(new Stage(scenario, Number(start ?? 0), plant), schedule, separator === "~");
}
