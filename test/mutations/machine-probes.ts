/** Scenarios of `test/interleavings` that look for mutations, with and without weak memory. */
import { explore, weakMemory } from "../interleavings/explore.js";
import type { Plant } from "../interleavings/planted-faults.js";
import { SCENARIOS } from "../interleavings/scenarios.js";
import type { Probe } from "./killers.js";
import { notePassed, weakenWith } from "./switch.js";

/** The number of schedules limits what is explored, not the time; a watchdog stands outside. */
const AGES = 3600;
/** Enough to have been nearly everywhere. */
const SURVEY_SCHEDULES = 200;

function probe(title: string, name: string, run: typeof explore): Probe {
  const look = (schedules: number, plant: Plant): string | undefined => {
    try {
      const { violations } = run({ seconds: AGES, only: name, schedules, plant });
      return violations[0] === undefined ? undefined : `${violations[0].message} (${violations[0].seed})`;
    } finally {
      weakenWith(undefined);
    }
  };
  return {
    name: `${title} ${name}`,
    run: ({ schedules }) =>
      look(schedules, (_double, { machine }) => {
        // Not before: what furnishes the world was done by members whom nobody disturbed.
        if (run === weakMemory) weakenWith(machine.weakened);
        return {};
      }),
    survey: () => {
      const furnishing = new Set<string>();
      const acting = new Set<string>();
      notePassed(furnishing);
      look(SURVEY_SCHEDULES, () => {
        notePassed(acting);
        return {};
      });
      notePassed(undefined);
      return { furnishing, acting };
    },
  };
}

export const INTERLEAVINGS: readonly Probe[] = SCENARIOS.map(({ name }) => probe("interleavings", name, explore));
export const WEAK_MEMORY: readonly Probe[] = SCENARIOS.map(({ name }) => probe("weak memory", name, weakMemory));
