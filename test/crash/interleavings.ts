/** Every interleaving, and weak memory, as parts of `npm run crash`. */
import { explore, weakMemory, type ExploreOptions, type ExploreResult } from "../interleavings/explore.js";
import type { Outcome, PartOptions } from "./part.js";

function explored(
  key: string,
  title: string,
  run: (options: ExploreOptions) => ExploreResult,
  { seconds, seed, onProgress }: PartOptions,
): Outcome {
  const result = run({
    seconds,
    seed,
    onProgress: ({ scenario, preemptions }) => onProgress(`${scenario}, ${preemptions} preemptions`),
  });
  const bounds = Object.values(result.perAlgorithm).flatMap((algorithm) => Object.values(algorithm.bounds));
  const extents = [...new Set(bounds)].sort().map((bound) => {
    const count = bounds.filter((one) => one === bound).length;
    if (bound === "all") return `${count} wholly`;
    return bound === "none" ? `${count} in part` : `${count} with up to ${bound} preemptions`;
  });
  return {
    json: { [key]: { explored: result.explored, violations: result.violations.length } },
    summary: [`${title}: ${result.explored} schedules of ${bounds.length} scenarios (${extents.join(", ")})`],
    violations: result.violations.map(({ seed: schedule, message }) => `${message} (schedule ${schedule})`),
  };
}

export function interleavings(options: PartOptions): Outcome {
  return explored("interleavings", "every interleaving", explore, options);
}

export function weakMemoryPart(options: PartOptions): Outcome {
  return explored("weakMemory", "weak memory", weakMemory, options);
}
