/**
 * `node --conditions=shmkit-instrumented build/test/interleavings/main.js`: explores and prints what was explored.
 * `--seconds N` in all (20), `--seed S`, `--only NAME`, `--preemptions N` and `--schedules N` of each scenario at most,
 * `--weak` with weak memory. `--replay SEED` runs the one schedule of a seed and prints each access. `--weaken` leaves out
 * the barrier of one call site after the other, those that match `--only`, and prints which schedule goes wrong then, of the scenarios that contain `--scenario`.
 */
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    seed: { type: "string", default: "0" },
    only: { type: "string", default: "" },
    scenario: { type: "string", default: "" },
    preemptions: { type: "string", default: "100" },
    schedules: { type: "string", default: "Infinity" },
    weak: { type: "boolean", default: false },
    weaken: { type: "boolean", default: false },
    replay: { type: "string" },
  },
});
const seconds = Number(values.seconds);
const schedules = Number(values.schedules);

async function weaken(): Promise<void> {
  const { weakenSites } = await import("./weakening.js");
  const sites = await weakenSites({
    seconds,
    schedules,
    only: new RegExp(values.only),
    scenarios: values.scenario,
    onSite: ({ site, seed, message, explored }) =>
      console.log(
        seed === undefined ? `survives  ${site} (${explored} schedules)` : `found     ${site}: ${message} ${seed}`,
      ),
  });
  console.log(`${sites.length} sites, ${sites.filter(({ seed }) => seed === undefined).length} survive`);
}

async function replay(seed: string): Promise<void> {
  const { replaySeed } = await import("./explore.js");
  const { trace, violation } = replaySeed(seed);
  for (const line of trace) console.log(line);
  console.log(violation === undefined ? "nothing is wrong with this schedule" : `violation: ${violation}`);
  if (violation !== undefined) process.exitCode = 1;
}

async function run(): Promise<void> {
  const { explore, weakMemory } = await import("./explore.js");
  const { explored, violations } = (values.weak ? weakMemory : explore)({
    seconds,
    schedules,
    seed: Number(values.seed),
    only: values.only,
    preemptions: Number(values.preemptions),
    onProgress: ({ scenario, preemptions, schedules, merged, states, exhausted, complete }) => {
      const extent = complete ? "all there are" : exhausted ? "all of them" : "not all";
      console.log(
        `${scenario.padEnd(22)} ${preemptions} preemptions: ${schedules} schedules, ${merged} merged, ${states} states (${extent})`,
      );
    },
  });
  for (const { seed, message } of violations) console.log(`violation: ${message}\n  --replay '${seed}'`);
  console.log(`${explored} schedules, ${violations.length} violations`);
  if (violations.length > 0) process.exitCode = 1;
}

if (values.replay !== undefined) await replay(values.replay);
else if (values.weaken) await weaken();
else await run();
