/** The thread that makes calls beside a sequence, until it is terminated. */
import { workerData } from "node:worker_threads";
import { Sequence, type Company } from "./system-sequence.js";

const { seed, company } = workerData as { seed: number; company: Company };
for (let i = 0; ; i++) {
  const { faults } = await new Sequence(seed + i, () => undefined, company).run(false);
  if (faults.length > 0) throw new Error(faults.join("\n"));
}
