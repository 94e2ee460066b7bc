/**
 * `node --conditions=shmkit-instrumented build/test/interleavings/main.js`: explores and prints what was explored.
 * `--seconds N` in all (20), `--seed S`, `--only NAME`, `--preemptions N` at most, `--weak` with weak memory,
 * `--replay SEED` runs the one schedule of a seed and prints each access.
 */
import { parseArgs } from "node:util";
import { explore, replaySeed, weakMemory } from "./explore.js";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "20" },
    seed: { type: "string", default: "0" },
    only: { type: "string", default: "" },
    preemptions: { type: "string", default: "100" },
    weak: { type: "boolean", default: false },
    replay: { type: "string" },
  },
});

if (values.replay !== undefined) {
  const { trace, violation } = replaySeed(values.replay);
  for (const line of trace) console.log(line);
  console.log(violation === undefined ? "nothing is wrong with this schedule" : `violation: ${violation}`);
  if (violation !== undefined) process.exitCode = 1;
} else {
  const { explored, violations } = (values.weak ? weakMemory : explore)({
    seconds: Number(values.seconds),
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
