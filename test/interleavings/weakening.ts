/**
 * Leaves out the barrier of one call site of the library after the other: `load`, `store`, `compareExchange` … there
 * become plain accesses. What then goes wrong with weak memory is found by some scenario, or the site is listed.
 */
import { register } from "node:module";
import type { Synchronising } from "../instruments/words.js";

/** What became of a site. */
export interface WeakenedSite {
  /** `src/members/doorbell.ts:47 load SYNC POINT` */
  readonly site: string;
  /** Schedule that goes wrong, undefined when none was found. */
  readonly seed: string | undefined;
  readonly message: string | undefined;
  /** Schedules that went well. */
  readonly explored: number;
}

export interface WeakeningOptions {
  /** Schedules of each scenario, about. */
  readonly schedules: number;
  readonly seconds: number;
  /** Sites to weaken. */
  readonly only: RegExp;
  /** Part of the names of the scenarios in which to look. Default: all. */
  readonly scenarios?: string;
  readonly onSite?: (site: WeakenedSite) => void;
}

/** Call first, in a process of its own: the library must not have been loaded. */
export async function weakenSites(options: WeakeningOptions): Promise<WeakenedSite[]> {
  register("./weaken-hook.js", import.meta.url);
  const { tellSitesApart } = await import("../instruments/words.js");
  const seen = new Map<string, Set<string>>();
  let scenario = "";
  let weak = "";
  let strongWords: Synchronising;
  let weakWords: Synchronising;
  tellSitesApart((site) => {
    if (scenario !== "") {
      let scenarios = seen.get(site);
      if (scenarios === undefined) seen.set(site, (scenarios = new Set()));
      scenarios.add(scenario);
    }
    return site === weak ? weakWords : strongWords;
  });
  const words = await import("../instruments/words.js");
  strongWords = words;
  const { weakMemory } = await import("./explore.js");
  const { SCENARIOS } = await import("./scenarios.js");
  const until = performance.now() + options.seconds * 1000;
  const explore = (name: string, schedules: number, site: string) =>
    weakMemory({
      seconds: (until - performance.now()) / 1000,
      only: name,
      schedules,
      plant: (_double, { machine }) => {
        strongWords = machine.double;
        weakWords = machine.weakened;
        // Set when the story begins: what was there before was made by members that nobody disturbed.
        weak = site;
        return {};
      },
    });
  const { scenarios: part = "" } = options;
  for (const { name } of SCENARIOS.filter(({ name }) => name.includes(part))) {
    scenario = name;
    explore(name, 50, "");
  }
  scenario = "";
  const results: WeakenedSite[] = [];
  for (const [site, scenarios] of [...seen].sort()) {
    if (!options.only.test(site)) continue;
    let explored = 0;
    let found: { seed: string; message: string } | undefined;
    for (const name of scenarios) {
      weak = "";
      const { violations, explored: more } = explore(name, options.schedules, site);
      explored += more;
      [found] = violations;
      if (found !== undefined) break;
    }
    weak = "";
    const result = { site, seed: found?.seed, message: found?.message, explored };
    results.push(result);
    options.onSite?.(result);
  }
  return results;
}
